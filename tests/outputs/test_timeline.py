from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from streamspike.core import Event, Keyframe, Observation, Pixels
from streamspike.errors import SinkError
from streamspike.outputs import timeline
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.outputs.timeline import WIDTH_PX, plot_timeline
from tests.support.messages import end_of, make_event, make_observation


def stream(count: int = 60, peaks: tuple[int, ...] = ()) -> list[Observation]:
    return [make_observation(index, 6.4 if index in peaks else 0.2) for index in range(count)]


def events_at(*indices: int) -> list[Event]:
    return [revision for index in indices for revision in (make_event(index), end_of(make_event(index)))]


def green(event: Event) -> Keyframe:
    pixels = np.zeros((270, 480, 3), np.uint8)
    pixels[:] = (0, 255, 0)
    return encode_keyframe(
        pixels, camera_id="door", event_id=event.event_id, index=0, taken_at=event.peak_at, max_width_px=480
    )


def read(path: Path) -> Pixels:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def part_in_colour(picture: Pixels, colour: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - colour).max(axis=2) < 12).mean())


@pytest.mark.slow
def test_card_shows_the_keyframe_of_its_event(tmp_path: Path) -> None:
    path = tmp_path / "timeline.png"
    events = events_at(20, 40)
    plot_timeline(stream(peaks=(20, 40)), events, [green(events[0])], path, threshold_nats=2.0)
    picture = read(path)
    assert picture.shape[1] == WIDTH_PX
    assert part_in_colour(picture[:420], (0, 255, 0)) == 0
    left, right = picture[420:, :425], picture[420:, 425:]
    assert part_in_colour(left, (0, 255, 0)) > 0.4 and part_in_colour(right, (0, 255, 0)) == 0


@pytest.mark.slow
def test_the_strip_is_dark_as_long_as_there_is_unrest(tmp_path: Path) -> None:
    path = tmp_path / "timeline.png"
    observations = [replace(each, unrest_nats=12.0 if each.index in range(30, 40) else 0.0) for each in stream()]
    plot_timeline(observations, [], [], path, threshold_nats=2.0)
    row = read(path)[90].mean(axis=1)  # in the middle of the strip
    dark = np.flatnonzero(row < 60)
    left, width = 0.052 * WIDTH_PX, 0.93 * WIDTH_PX
    assert abs(dark[0] - (left + width / 2)) < 3 and abs(dark[-1] - (left + width * 40 / 60)) < 3
    assert len(dark) == dark[-1] - dark[0] + 1


@pytest.mark.slow
def test_without_events_there_is_only_the_chart(tmp_path: Path) -> None:
    calm, busy = tmp_path / "calm.png", tmp_path / "busy.png"
    plot_timeline(stream(), [], [], calm, threshold_nats=2.0)
    plot_timeline(stream(peaks=(20,)), events_at(20), [], busy, threshold_nats=[2.0] * 60)
    assert read(calm).shape[0] == 430 < read(busy).shape[0]


@pytest.mark.slow
def test_of_more_events_than_cards_the_most_surprising_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MAX_CARDS", 1)
    path = tmp_path / "timeline.png"
    first, second = make_event(5), replace(make_event(25), surprise_nats=9.0)
    plot_timeline(stream(60, (5, 25)), [first, second], [green(second)], path, threshold_nats=2.0)
    picture = read(path)
    assert picture.shape[0] == 825 and part_in_colour(picture[420:, :425], (0, 255, 0)) > 0.4


def test_one_segment_and_an_event_without_an_end_can_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "timeline.png"
    event = replace(make_event(0), expected=(), saw=r"costs $5 \frac $6")  # which is no formula
    plot_timeline([make_observation(0, 6.4)], [event], [], path, threshold_nats=0.0)
    assert read(path).shape[1] == WIDTH_PX


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_timeline([], [], [], tmp_path / "timeline.png", threshold_nats=2.0)


def test_levels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        plot_timeline(stream(5), [], [], tmp_path / "timeline.png", threshold_nats=[1.0, 2.0])


def test_picture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot write the picture"):
        plot_timeline(stream(5), [], [], tmp_path / "missing" / "timeline.png", threshold_nats=2.0)


def test_words_do_not_run_into_the_dot_of_another_event() -> None:
    num_words = []
    for gap in np.arange(17.0, 30.0, 0.75):
        figure = Figure(figsize=(WIDTH_PX / timeline.DPI, 4.3), dpi=timeline.DPI)
        FigureCanvasAgg(figure)
        chart = figure.add_axes((0.052, 0.12, 0.93, 0.74))
        chart.set_xlim(0, 90)
        chart.set_ylim(0, 8.5)
        said = "on the right a person leaves a bag behind"
        early, late = (replace(make_event(0), peak_at=at, saw=said) for at in (86.0 - gap, 86.0))
        timeline._label_peaks(chart, [replace(early, surprise_nats=6.1), late], 0.0, 90.0, 8.5)
        figure.canvas.draw()
        patches = [patch for text in chart.texts if (patch := text.get_bbox_patch()) is not None]
        words = [text.get_window_extent() for text in chart.texts if text.get_bbox_patch() is None]
        assert len(patches) == 2
        assert not any(one.overlaps(patch.get_window_extent()) for one in words for patch in patches), f"{gap = }"
        num_words.append(len(words))
    assert min(num_words) < max(num_words)
