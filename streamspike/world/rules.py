"""Rules of their own that cameras may have: traffic that keeps to the left, and deliveries by the clock.

Nobody who learned from other cameras knows them. Like habits they are part of the table, so truth stays exact.
"""

from __future__ import annotations

from dataclasses import replace

from streamspike.world.life import MAX_ACTORS, Happening, State
from streamspike.world.routines import can_stop
from streamspike.world.scene import Scene

ROAD, PAVEMENT = "near road", "pavement"
BRINGER_SIDE = -1
"""From where the person with the box comes."""


def keep_left(scene: Scene) -> Scene:
    """The same place, all its traffic the other way round."""
    return replace(scene, lanes=tuple(replace(lane, direction=-lane.direction) for lane in scene.lanes))


def has_road(scene: Scene) -> bool:
    """Whether a van can come here and somebody walk beside it."""
    return {ROAD, PAVEMENT} <= {lane.name for lane in scene.lanes}


def due(state: State) -> Happening | None:
    """The next step of a delivery if it is due and possible in the coming segment."""
    errand = state.habits.errand
    step = errand.due if errand is not None else None
    if step is None or state.blind or any(state.at_edge(actor) for actor in state.actors):
        return None
    if step == "come":
        has_room = len(state.actors) <= MAX_ACTORS - 2  # for the one with the box as well
        side = -state.scene.lane(ROAD).direction
        return Happening("enter", what="van", lane=ROAD, side=side) if has_room and state.lane_is_free(ROAD) else None
    if step == "stop":
        vans = [actor for actor in state.actors if actor.kind == "van" and actor.activity == "move"]
        return next((Happening("stop", van.actor_id) for van in vans if can_stop(state, van)), None)
    if len(state.actors) >= MAX_ACTORS:
        return None
    return Happening("deliver", what="person", lane=PAVEMENT, side=BRINGER_SIDE)
