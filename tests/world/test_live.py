"""A simulated camera as a source: what its address may say, the same pictures each time, and real time kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from streamspike.clock import ManualClock
from streamspike.core import Frame, Pixels
from streamspike.errors import WorldError
from streamspike.world.live import Schedule, Stage, WorldSettings, WorldSource, parse_world, simulate
from tests.ingest.harness import open_quickly
from tests.support.rtsp import RtspServer

SMALL = WorldSettings("street", seed=7, width=96, height=64, fps=4.0)


def test_an_address_without_settings_has_the_defaults() -> None:
    assert parse_world("yard") == WorldSettings("yard")


def test_every_setting_is_read() -> None:
    text = "street?seed=7&size=320x240&fps=12.5&surprise=15&seconds=90&ambience=off"
    assert parse_world(text) == WorldSettings("street", 7, 320, 240, 12.5, 15.0, 90.0, ambience=False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("moon", "there is no simulated scene 'moon'; there are street, room, yard"),
        ("", "there is no simulated scene ''"),
        ("street?speed=3", "no setting 'speed'; it has seed, size, fps"),
        ("street?scene=room", "no setting 'scene'"),
        ("street?seed=one", "seed='one' is not a value"),
        ("street?seed=", "seed='' is not a value"),
        ("street?size=640", "size='640' is not a value"),
        ("street?size=640x360x2", "is not a value"),
        ("street?ambience=maybe", "ambience='maybe' is not a value"),
        ("street?size=32x32", "64x48 to 3840x2160"),
        ("street?fps=0", "0.5 to 60 fps"),
        ("street?fps=nan", "0.5 to 60 fps"),
        ("street?surprise=-1", "no negative numbers"),
        ("street?surprise=inf", "no negative numbers"),
        ("street?seconds=inf", "no negative numbers"),
        ("street?seconds=nan", "no negative numbers"),
        ("street?seed=-1", "no negative numbers"),
    ],
)
def test_a_wrong_address_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(WorldError, match=says.replace("?", r"\?")):
        parse_world(text)


def play(settings: WorldSettings) -> list[Frame]:
    return list(WorldSource(settings, ManualClock(), realtime=False))


def test_the_same_address_gives_the_same_pictures_and_another_seed_others() -> None:
    settings = parse_world("street?seed=7&size=96x64&fps=4&seconds=3")
    first, again = play(settings), play(settings)
    assert len(first) == 12 and [frame.stream_seconds for frame in first] == [number / 4 for number in range(12)]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, again, strict=True))
    other = play(parse_world("street?seed=8&size=96x64&fps=4&seconds=3"))
    assert not np.array_equal(first[0].pixels, other[0].pixels)
    assert first[0].pixels.shape == (64, 96, 3) and not first[0].pixels.flags.writeable


def test_frames_arrive_at_the_time_of_their_stream() -> None:
    clock = ManualClock(5000.0)
    frames = list(WorldSource(parse_world("street?size=96x64&fps=2&seconds=2"), clock, realtime=False))
    assert [frame.arrived_at for frame in frames] == [5000.0, 5000.5, 5001.0, 5001.5]


def test_surprises_come_once_a_period_and_not_at_once() -> None:
    schedule = Schedule(10)
    assert [index for index in range(30) if index in schedule] == [7, 17, 27] and schedule[7] is None
    with pytest.raises(KeyError):
        schedule[8]


def test_scripted_surprises_take_place_where_the_address_says() -> None:
    stage = Stage(parse_world("street?seed=5&size=96x64&surprise=8"))
    scripted = []
    for index in range(24):
        stage.frame(float(index), 0.0)
        assert stage.truth.index == index
        if stage.truth.scripted:
            scripted.append(index)
            assert stage.truth.surprising and stage.truth.surprise_nats > 3
    assert scripted and set(scripted) <= {5, 13, 21}


def test_a_life_goes_on_where_an_earlier_film_of_it_ended() -> None:
    address = "street?seed=5&size=96x64&script=1000"
    whole, rest = simulate(parse_world(address)), simulate(parse_world(f"{address}&after=30"))
    sentences = [whole.step().sentence for _ in range(60)]
    assert [rest.step().sentence for _ in range(30)] == sentences[30:] != sentences[:30]


def test_an_address_may_name_every_segment_with_a_surprise() -> None:
    simulation = simulate(parse_world("street?seed=5&script=9,20&after=10"))
    truths = [simulation.step() for _ in range(30)]
    assert [truth.index for truth in truths if truth.surprising] == [9, 20]


def go_live() -> tuple[WorldSource, ManualClock, list[float]]:
    """A live camera, a clock that moves on only when it waits, and how long it waited each time."""
    clock, waits = ManualClock(1000.0), list[float]()
    source = WorldSource(SMALL, clock, realtime=True)

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        clock.advance(seconds)
        return False

    source._closed.wait = wait  # type: ignore[method-assign, assignment]  # the only place where it waits
    return source, clock, waits


def test_a_live_camera_waits_for_the_moment_of_each_frame() -> None:
    source, clock, waits = go_live()
    assert source.is_live
    for number, frame in enumerate(itertools.islice(source, 5)):
        assert frame.stream_seconds == number / 4 == clock.monotonic()
    assert waits == [0.25] * 4


def test_a_live_camera_that_is_late_leaves_out_frames() -> None:
    source, clock, _ = go_live()
    frames = iter(source)
    assert next(frames).stream_seconds == 0.0
    clock.advance(0.6)  # less than MAX_LAG_SECONDS behind the second one: it is shown late
    assert next(frames).stream_seconds == 0.25
    clock.advance(10.0)
    late = next(frames)
    assert clock.monotonic() - 0.25 < late.stream_seconds <= clock.monotonic(), "it is in real time again"
    assert late.arrived_at == 1000.0 + late.stream_seconds
    assert next(frames).stream_seconds == late.stream_seconds + 0.25


def test_closing_ends_it_and_what_has_an_end_is_a_file() -> None:
    source = WorldSource(SMALL, ManualClock(), realtime=False)
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == [] and not source.is_live
    assert not WorldSource(parse_world("street?seconds=5"), ManualClock(), realtime=True).is_live


def test_everything_in_the_picture_is_told_with_its_box() -> None:
    stage = Stage(parse_world("street?seed=3&size=96x64&surprise=4"))
    bodies = []
    for index in range(12):
        stage.frame(float(index), 0.0)
        bodies += stage.bodies()
    assert bodies
    for body in bodies:
        x0, y0, x1, y1 = body["box"]  # type: ignore[misc]
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, body
        assert all(math.isfinite(value) for value in body["moved"])  # type: ignore[union-attr]


def test_a_simulated_camera_on_the_network_is_read_as_a_real_one() -> None:
    settings = parse_world("yard?seed=2&size=160x96&fps=20")
    painted: list[Pixels] = []

    def pictures() -> Iterator[Pixels]:
        stage = Stage(settings)
        for number in itertools.count():
            painted.append(stage.frame(number / settings.fps, 0.0).pixels)
            yield painted[-1]

    with RtspServer(fps=20, login=("joe", "pa55word")) as server:
        server.serve_frames(pictures(), gop=5)
        source = open_quickly(server.url)
        try:
            frames = [frame.render() for frame in itertools.islice(source, 8)]
        finally:
            source.close()
    assert source.is_live and frames[0].pixels.shape == (96, 160, 3)
    for frame in frames:
        nearest = min(float(np.abs(frame.pixels.astype(int) - one.astype(int)).mean()) for one in painted)
        assert nearest < 8, "what arrives is what was painted, but for the codec"
