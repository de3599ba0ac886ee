import io
from dataclasses import replace

from rich.console import Console

from streamspike.core import CameraState, EventKind, EventPhase
from streamspike.outputs.console import ConsoleSink
from tests.support.messages import end_of, make_event, make_observation


class Ticks:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(terminal: bool, clock: Ticks | None = None) -> tuple[ConsoleSink, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=100, height=40, force_terminal=terminal, color_system=None, _environ={})
    return ConsoleSink(lambda _: 2.0, lambda: "queue 1/3", console, clock or Ticks()), out


def drawn(sink: ConsoleSink) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as capture:
        console.print(sink.render())
    return capture.get()


async def test_away_from_a_terminal_each_event_and_each_change_of_state_is_one_line() -> None:
    sink, out = make(terminal=False)
    event = make_event()
    with sink:
        await sink.report_state("door", CameraState.CONNECTING, "")
        await sink.report_state("door", CameraState.WATCHING, "")
        await sink.report_state("door", CameraState.WATCHING, "")
        await sink.observe(make_observation())
        await sink.alert(event, None)
        await sink.alert(replace(event, phase=EventPhase.UPDATE, revision=1, saw="two\nlines [bold]" + "x" * 200), None)
        await sink.alert(end_of(event), None)
        moved = replace(make_event(1), kind=EventKind.MOVED, saw="the camera was moved")
        motion = replace(make_event(2), kind=EventKind.MOTION, saw="frame-difference 0.2")
        for told in (moved, end_of(moved), motion):
            await sink.alert(told, None)
    lines = out.getvalue().splitlines()
    assert lines[:3] == [
        "door: connecting",
        "door: watching",
        "2026-07-27T10:00:00.000Z door: surprise 6.4 nats; expected: a car passes 62 %, a cat sits 30 %; "
        "saw: the gate falls over [door-20260727T100000Z-0]",
    ]
    assert "surprise grows" in lines[3] and "two lines [bold]xxx" in lines[3]
    assert "surprise ends after 3.0 s" in lines[4]
    assert [line.partition(" door: ")[2] for line in lines[5:]] == [
        "the camera was moved [door-20260727T100000Z-1]",
        "motion 6.4 nats; no model says what moved: frame-difference 0.2 [door-20260727T100000Z-2]",
    ]
    assert "\x1b" not in out.getvalue()


async def test_panel_shows_state_surprise_beliefs_and_events() -> None:
    clock = Ticks()
    sink, _ = make(terminal=True, clock=clock)
    await sink.report_state("yard", CameraState.OFFLINE, "no frame for 10 s")
    with sink:
        for index, surprise in enumerate([0.1, 0.1, 5.0]):
            clock.now = index / 4
            await sink.observe(make_observation(index, surprise))
        await sink.alert(make_event(), None)
        await sink.alert(end_of(make_event()), None)
        text = drawn(sink)
    assert "offline  no frame for 10 s" in text
    assert "5.00 nats  threshold 2.00 nats" in text and "▁▁█" in text
    assert "sees the gate falls over" in text
    assert "62 %" in text and "90 %" in text
    assert text.count("expected: a car passes 62 %; saw: the gate falls over") == 1
    assert "4.0 segments/s   queue 1/3" in text


async def test_calm_stays_flat_although_it_is_the_maximum() -> None:
    sink, _ = make(terminal=True)
    for index in range(5):
        await sink.observe(make_observation(index, 0.2))
    assert "▁▁▁▁▁" in drawn(sink)


async def test_with_many_cameras_only_the_most_surprised_shows_its_beliefs() -> None:
    sink, _ = make(terminal=True)
    for number in range(4):
        await sink.observe(make_observation(0, float(number), f"camera{number}"))
    text = drawn(sink)
    assert text.count("sees ") == 1 and text.index("camera3") < text.index("sees ")


async def test_terminal_is_redrawn_five_times_a_second_at_most() -> None:
    clock = Ticks()
    sink, out = make(terminal=True, clock=clock)
    with sink:
        await sink.observe(make_observation(0))
        size = len(out.getvalue())
        for index in range(1, 10):
            clock.now += 0.01
            await sink.observe(make_observation(index))
        assert len(out.getvalue()) == size
        clock.now += 0.2
        await sink.observe(make_observation(10))
        assert len(out.getvalue()) > size


async def test_captions_are_text_and_not_markup() -> None:
    sink, _ = make(terminal=True)
    await sink.observe(replace(make_observation(), caption="a sign reads [/red] [bold]STOP"))
    assert "[/red] [bold]STOP" in drawn(sink)
