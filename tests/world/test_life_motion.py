"""Motion within a segment: what happens shows in both frames of its segment, and nothing jumps without cause."""

import pytest

from streamspike.world.life import State
from streamspike.world.scene import SCENES, SIZES, Body, Scene, build_scene
from streamspike.world.simulation import Simulation
from streamspike.world.tracks import BED_METRES

QUARTER, THREE_QUARTERS = 0.25, 0.75
JITTER = 0.1
"""So much earlier or later the frames of a training clip are (`refine/pretrain/clips.py`)."""


def shown(scene: Scene, body: Body) -> float:
    """The part of the body's length that is in the picture of the unmoved camera."""
    half = scene.camera.half_width(body.z)
    length = SIZES[body.kind][0] * body.scale
    left, right = max(body.x - length / 2, -half), min(body.x + length / 2, half)
    return max(0.0, right - left) / length


def lives(name: str, seeds: int = 25, steps: int = 30):
    for seed in range(seeds):
        scene = build_scene(name, seed)
        simulation = Simulation(scene, seed, script={})
        for _ in range(steps):
            before = {actor.actor_id for actor in simulation.state.actors}
            truth = simulation.step()
            yield scene, simulation, truth, before


def bodies_at(simulation: Simulation, seconds: float) -> dict[int, Body]:
    return {body.body_id: body for body in simulation.snapshot(seconds).bodies}


def scripted(kind: str, segment_seconds: float = 1.0):
    """The first simulation in which this surprise takes place in segment 1, its truth, and the bodies just before."""
    for seed in range(600):
        scene = build_scene(SCENES[seed % 3], seed)
        simulation = Simulation(scene, seed, segment_seconds, script={1: kind})
        simulation.step()
        before = {body.body_id: body for body in simulation.snapshot(0.99 * segment_seconds).bodies}
        truth = simulation.step()
        if truth.kind == kind:
            return simulation, truth, before
    raise AssertionError(f"{kind} is never possible")


@pytest.mark.parametrize("name", SCENES)
def test_who_enters_is_inside_the_picture_after_a_quarter_of_the_segment(name):
    entered = 0
    for scene, simulation, truth, before in lives(name):
        if truth.kind == "enter":
            (new,) = (actor for actor in simulation.state.actors if actor.actor_id not in before)
            first = bodies_at(simulation, truth.start_seconds + QUARTER)[new.actor_id]
            second = bodies_at(simulation, truth.start_seconds + THREE_QUARTERS)[new.actor_id]
            assert shown(scene, first) > 0.65, truth.sentence
            assert shown(scene, second) > 0.9, truth.sentence
            assert (first.x < 0) == truth.sentence.endswith("left")
            entered += 1
    assert entered > 30


@pytest.mark.parametrize("name", SCENES)
def test_who_leaves_is_half_outside_after_a_quarter_and_gone_after_three(name):
    left = 0
    for scene, simulation, truth, before in lives(name):
        if truth.kind == "leave":
            (gone,) = before - {actor.actor_id for actor in simulation.state.actors}
            first = bodies_at(simulation, truth.start_seconds + QUARTER)[gone]
            second = bodies_at(simulation, truth.start_seconds + THREE_QUARTERS)[gone]
            assert 0.4 <= shown(scene, first) <= 0.6, truth.sentence
            assert shown(scene, second) < 0.05, truth.sentence
            left += 1
    assert left > 30


@pytest.mark.parametrize("name", SCENES)
def test_nothing_jumps_from_one_segment_to_the_next(name):
    last: dict[int, Body] = {}
    for _, simulation, truth, _ in lives(name, seeds=6):
        now = bodies_at(simulation, truth.start_seconds)
        if truth.index > 0:
            for body_id in last.keys() & now.keys():
                before, after = last[body_id], now[body_id]
                assert abs(before.x - after.x) < 1e-3
                assert abs(before.z - after.z) < 1e-3
                assert before.kind == after.kind
        last = bodies_at(simulation, truth.end_seconds - 1e-6)


@pytest.mark.parametrize("name", SCENES)
def test_walkers_walk_and_vehicles_drive_at_sensible_speeds(name):
    for _, simulation, truth, _ in lives(name, seeds=8):
        if truth.kind != "continue":
            continue
        for actor in simulation.state.actors:
            if actor.activity == "move" and not simulation.state.at_edge(actor):
                assert 0.5 * actor.ease < actor.speed < 1.8 * actor.ease


def test_a_fall_is_under_way_in_the_first_frame_and_all_but_over_in_the_second():
    ways: dict[str, int] = {}
    for seed in range(700):
        name = SCENES[seed % 4] if seed < 300 else "room"  # falls out of bed are few
        simulation = Simulation(build_scene(name, seed), seed, script={1: "fall"})
        simulation.step()
        before = {actor.actor_id: (actor.activity, actor.facing) for actor in simulation.state.actors}
        if simulation.step().kind != "fall":
            continue
        (actor,) = (a for a in simulation.state.actors if a.activity == "lie" and before[a.actor_id][0] != "lie")
        activity, facing = before[actor.actor_id]
        first, second = (bodies_at(simulation, seconds)[actor.actor_id] for seconds in (1.25, 1.75))
        end = bodies_at(simulation, 2.0 - 1e-6)[actor.actor_id]
        assert (end.pose, end.lift) == ("lie", 0.0)
        if activity == "rest":
            assert 0.0 < first.lift <= 0.44 and second.lift < 0.1
            way = "out of bed"
        else:
            assert first.pose == "crouch" or 0.1 < abs(first.tilt) < 1.2
            assert abs(second.tilt) > 1.2
            way = "from a seat" if activity == "sit" else "onto the back" if actor.facing != facing else first.pose
        ways[way] = ways.get(way, 0) + 1
    assert min(ways.get(way, 0) for way in ("stand", "crouch", "onto the back", "from a seat", "out of bed")) >= 2, ways


def test_who_lies_down_lies_on_the_bed_in_the_second_frame():
    seen = 0
    for _, simulation, truth, _ in lives("room", seeds=120):
        if truth.kind != "lie_down":
            continue
        second = bodies_at(simulation, truth.start_seconds + THREE_QUARTERS)
        (actor,) = (a for a in simulation.state.actors if a.activity == "rest" and a.age == 0)
        assert (second[actor.actor_id].pose, second[actor.actor_id].lift) == ("lie", BED_METRES)
        seen += 1
    assert seen >= 3


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [("bend", ("walk", "stand"), ("crouch",)), ("sit", ("walk", "stand"), ("sit",)),
     ("get_up", ("sit", "crouch"), ("stand",)), ("start", ("stand", "sit", "crouch"), ("walk",))],
)  # fmt: skip
def test_what_somebody_does_changes_between_the_two_frames(kind, before, after):
    seen = 0
    for _, simulation, truth, _ in lives("room", seeds=60):
        if truth.kind != kind:
            continue
        frames = [bodies_at(simulation, truth.start_seconds + part) for part in (QUARTER, THREE_QUARTERS)]
        for early, late in ((QUARTER - JITTER, THREE_QUARTERS - JITTER), (QUARTER + JITTER, THREE_QUARTERS + JITTER)):
            frames += [bodies_at(simulation, truth.start_seconds + part) for part in (early, late)]
        (who,) = (a.actor_id for a in simulation.state.actors if a.age == 0 and frames[1][a.actor_id].pose in after)
        if bodies_at(simulation, truth.start_seconds)[who].pose == "lie":  # who lies begins to get up at once
            continue
        assert {body[who].pose for body in frames[::2]} <= set(before)
        assert {body[who].pose for body in frames[1::2]} <= set(after)
        seen += 1
    assert seen >= 3


def test_who_stops_walks_in_the_first_frame_and_hardly_moves_until_the_second():
    seen = 0
    for _, simulation, truth, _ in lives("room", seeds=60):
        if truth.kind != "stop":
            continue
        begin, first, second = (
            bodies_at(simulation, truth.start_seconds + part) for part in (0.0, QUARTER, THREE_QUARTERS)
        )
        for who in [actor.actor_id for actor in simulation.state.actors if actor.age == 0 and actor.actor_id in begin]:
            if (first[who].pose, second[who].pose) == ("walk", "stand"):
                assert 0.0 < abs(second[who].x - first[who].x) < 0.5 * abs(first[who].x - begin[who].x)
                seen += 1
    assert seen >= 3


def test_who_leaves_a_bag_behind_is_clear_of_it_in_the_second_frame():
    simulation, _, before = scripted("leave_behind")
    second = bodies_at(simulation, 1.75)
    (bag,) = (body for i, body in second.items() if i not in before)
    (owner,) = (body for i, body in second.items() if i in before and before[i].holds == "bag" and not body.holds)
    assert (owner.x - bag.x) * owner.facing > 0.4


def test_who_sits_leans_over_now_and_then_and_nobody_jerks():
    leans = set()
    for _, simulation, truth, _ in lives("room", seeds=20):
        first, last = (bodies_at(simulation, seconds) for seconds in (truth.start_seconds, truth.end_seconds - 1e-6))
        for body_id in first.keys() & last.keys():
            leans.add(round(last[body_id].lean, 2))
            if last[body_id].pose in ("walk", "lie"):
                assert last[body_id].lean == 0.0
        actors = {actor.actor_id: actor.lean for actor in simulation.state.actors}
        assert all(last[i].lean == lean for i, lean in actors.items() if i in last), "the next segment goes on from it"
    assert min(leans) < -0.05 and max(leans) > 0.4


def test_hands_of_who_stays_at_home_are_busy_at_times():
    gestures = [
        body.gesture
        for _, simulation, truth, _ in lives("room", seeds=10)
        for body in bodies_at(simulation, truth.start_seconds + QUARTER).values()
        if body.kind == "person" and body.pose in ("sit", "stand")
    ]
    assert 0.05 < sum(gesture > 0 for gesture in gestures) / len(gestures) < 0.4


def test_who_turns_back_walks_the_other_way_in_the_second_frame():
    simulation, _, before = scripted("turn_back")
    first, second = bodies_at(simulation, 1.25), bodies_at(simulation, 1.75)
    (turned,) = (i for i, body in second.items() if i in before and body.facing != before[i].facing)
    assert first[turned].facing == before[turned].facing
    assert (second[turned].x - first[turned].x) * second[turned].facing > 0.1


@pytest.mark.parametrize("kind", ["vanish", "item_vanishes"])
def test_what_vanishes_is_in_the_first_frame_and_not_in_the_second(kind):
    simulation, _, before = scripted(kind)
    first, second = bodies_at(simulation, 1.25), bodies_at(simulation, 1.75)
    before = {i: body for i, body in before.items() if shown(simulation.state.scene, body) > 0}  # who had not left
    assert not before.keys() - first.keys()
    assert len(before.keys() - second.keys()) == 1


@pytest.mark.parametrize("kind", ["drop", "leave_behind", "appear"])
def test_what_comes_into_the_picture_in_an_instant_is_in_the_second_frame_only(kind):
    simulation, _, before = scripted(kind)
    first, second = bodies_at(simulation, 1.25), bodies_at(simulation, 1.75)
    assert not first.keys() - before.keys()
    (new,) = second.keys() - before.keys()
    assert shown(simulation.state.scene, second[new]) > 0.5


@pytest.mark.parametrize("kind", ["ball", "shelf", "throw", "climb", "wrong_way"])
def test_what_moves_into_the_picture_is_in_both_frames(kind):
    simulation, _, before = scripted(kind)
    scene = simulation.state.scene
    first, second = bodies_at(simulation, 1.25), bodies_at(simulation, 1.75)
    (new,) = first.keys() - before.keys()
    assert shown(scene, first[new]) > 0.5
    assert shown(scene, second[new]) > 0.5 or kind == "throw"


def test_who_drops_a_box_has_it_in_the_first_frame_and_empty_hands_in_the_second():
    simulation, _, before = scripted("drop")
    first, second = bodies_at(simulation, 1.25), bodies_at(simulation, 1.75)
    carriers = [i for i, body in before.items() if body.holds == "box" and i in second and second[i].holds is None]
    assert len(carriers) == 1 and first[carriers[0]].holds == "box"


def test_who_is_hit_lies_in_front_of_the_vehicle():
    simulation, truth, _ = scripted("hit")
    second = bodies_at(simulation, 1.75)
    (victim,) = (body for body in second.values() if body.pose == "lie")
    assert any(
        body.kind in truth.sentence and abs(body.x - victim.x) < 3.5 and abs(body.z - victim.z) < 0.5
        for body in second.values()
        if body.kind in ("car", "van", "forklift")
    )


def test_a_view_goes_dark_or_blocked_between_the_frames_and_clears_again():
    for kind, seen in (("lights_out", lambda s: s.light), ("covered", lambda s: 1.0 - s.cover)):
        simulation, _, _ = scripted(kind)
        assert seen(simulation.snapshot(1.25)) == 1.0
        assert seen(simulation.snapshot(1.75)) == 0.0
        for _ in range(40):
            truth = simulation.step()
            if truth.kind in ("lights_on", "uncovered"):
                break
        assert seen(simulation.snapshot(truth.start_seconds + QUARTER)) == 0.0
        assert seen(simulation.snapshot(truth.start_seconds + THREE_QUARTERS)) == 1.0


def test_a_knocked_camera_stays_knocked_and_moves_the_edges_with_it():
    simulation, _, _ = scripted("camera_moves")
    assert simulation.snapshot(1.25).shift == (0.0, 0.0)
    shift = simulation.snapshot(1.75).shift
    assert 0.06 <= abs(shift[0]) <= 0.12
    truth = simulation.step()
    assert simulation.snapshot(truth.start_seconds).shift == shift
    state: State = simulation.state
    camera = state.scene.camera
    for side, border in ((-1, 0.0), (1, 1.0)):
        assert camera.project(state.edge(7.0, side), 0.0, 7.0)[0] + shift[0] == pytest.approx(border)


def test_legs_move_with_the_ground_they_cover():
    for _, simulation, truth, _ in lives("yard", seeds=5):
        first = bodies_at(simulation, truth.start_seconds + 0.3)
        second = bodies_at(simulation, truth.start_seconds + 0.6)
        for body_id in first.keys() & second.keys():
            moved = abs(first[body_id].x - second[body_id].x) > 1e-6
            assert (second[body_id].gait - first[body_id].gait > 1e-6) == moved
