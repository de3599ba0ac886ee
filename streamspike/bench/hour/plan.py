"""What happens in the hour: four simulated cameras, and when each of them is surprised.

The warm-up and the hour are one life. In the warm-up, and in the hour outside of the script, nothing of a surprising
kind takes place, so that every scripted surprise is one and nothing else is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from streamspike.errors import WorldError
from streamspike.world.live import parse_world, simulate
from streamspike.world.scene import SCENES
from streamspike.world.simulation import Truth

FIRST_SEED = 3_500_000_000
"""Neither training nor another measurement draws so high."""
SURPRISES = 6
"""Of each camera."""
MARGIN = 0.1
"""Of its share of the hour, before and after a surprise: so two of them are never neighbours."""
PICTURE = "size=384x216&fps=4"
"""Four pictures a second hold just those at 1/4 and 3/4 of a segment, which the model is shown."""
NEVER = 1 << 40
"""Index of a surprise that will not be lived to see."""
MAX_TRIES = 200


@dataclass(frozen=True, slots=True)
class HourSettings:
    """What is asked for."""

    minutes: float = 60.0
    warmup_minutes: float = 10.0
    alerts_per_hour: float = 12.0
    """Budget of each camera."""
    seed: int = 0
    live: bool = False
    """The hour runs at the pace of life; the warm-up never does."""
    picture: str = PICTURE
    """Size and rate, as they stand in the address of a camera."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera, and what happens before it."""

    camera_id: str
    warmup: str
    """Address of the camera in the warm-up."""
    address: str
    """And in the hour."""
    truths: tuple[Truth, ...]
    """Of each segment of the hour."""
    scripted: tuple[int, ...]
    """The segments with a surprise, ascending."""


def plan_hour(settings: HourSettings, segment_seconds: float) -> list[CameraPlan]:
    """A camera for every scene. Same settings, same hour. Raises WorldError: there is no room for the surprises."""
    num_segments = round(settings.minutes * 60 / segment_seconds)
    if num_segments < 8 * SURPRISES:
        least = 8 * SURPRISES * segment_seconds / 60
        raise WorldError(f"{SURPRISES} surprises in {settings.minutes:g} minutes are too many; give at least {least:g}")
    return [_plan_camera(scene, place, settings, num_segments, segment_seconds) for place, scene in enumerate(SCENES)]


def _plan_camera(
    scene: str, place: int, settings: HourSettings, num_segments: int, segment_seconds: float
) -> CameraPlan:
    base = f"world:{scene}?seed={FIRST_SEED + len(SCENES) * settings.seed + place}&{settings.picture}"
    warmup_seconds = settings.warmup_minutes * 60
    random = Random(f"{settings.seed}/{scene}")
    for _ in range(MAX_TRIES):
        scripted = draw_script(num_segments, random)
        script = ",".join(map(str, scripted))
        seconds = num_segments * segment_seconds
        address = f"{base}&seconds={seconds:g}&after={warmup_seconds:g}&script={script}"
        simulation = simulate(parse_world(address.removeprefix("world:")), segment_seconds)
        truths = tuple(simulation.step() for _ in range(num_segments))
        if all(truths[index].scripted for index in scripted):  # nothing can surprise where all is dark, for example
            warmup = f"{base}&seconds={warmup_seconds:g}&script={NEVER}"
            return CameraPlan(scene, warmup, address, truths, tuple(scripted))
    raise WorldError(f"no time was found at which {SURPRISES} surprises can take place in the scene {scene}")


def draw_script(num_segments: int, random: Random) -> Sequence[int]:
    """One segment in each of SURPRISES equal parts, ascending, away from the part's ends."""
    part = num_segments / SURPRISES
    return [int((number + random.uniform(MARGIN, 1 - MARGIN)) * part) for number in range(SURPRISES)]
