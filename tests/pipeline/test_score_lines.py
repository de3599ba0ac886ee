"""What `streamspike score` writes and says: each segment with its event, each event once."""

from __future__ import annotations

import json
from pathlib import Path

from streamspike.core import Event
from streamspike.pipeline.score_lines import MOST_LINES, event_lines, json_line
from streamspike.pipeline.scoring import Scored, VideoScorer
from tests.support.clips import write_clip
from tests.support.fake_engine import CALM, STARTLING, FakeEngine
from tests.support.pipeline import MILD, quick_config


def score(folder: Path, num_frames: int, surprising: dict[int, object]) -> list[Scored]:
    """Segments of a quarter of a second, ten frames a second."""
    clip = write_clip(folder / "walk.mp4", num_frames, 10)
    config = quick_config(folder, clip)
    engine = FakeEngine(lambda request: surprising.get(request.index, CALM))  # type: ignore[arg-type, return-value]
    return list(VideoScorer(config.cameras[0], config, engine).run())


def messages(scored: list[Scored]) -> list[Event]:
    return [item.event for item in scored if item.event is not None]


def test_an_event_is_one_line_with_its_peak_and_what_was_expected(tmp_path: Path) -> None:
    scored = score(tmp_path, 30, {5: MILD, 6: STARTLING})
    peak = scored[6].observation
    assert [item.event_id is not None for item in scored] == [index in (5, 6, 7) for index in range(12)]
    head, line = event_lines(messages(scored), 3.0)
    assert head == "1 event:"
    assert line.startswith(f"  1.2 to 1.8 s  {peak.surprise_nats:.2f} nats  {peak.caption}; expected: ")
    assert f"({max(peak.prior):.2f})" in line


def test_what_goes_on_at_the_end_lasts_to_the_end(tmp_path: Path) -> None:
    lines = list(event_lines(messages(score(tmp_path, 30, {11: STARTLING})), 3.0))
    assert lines[1].startswith("  2.8 to 3.0 s  ")


def test_without_events_their_number_is_said(tmp_path: Path) -> None:
    assert list(event_lines([], 3.0)) == ["0 events"]


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    number = MOST_LINES + 2
    told = messages(score(tmp_path, 10 * number, {4 * index + 1: STARTLING for index in range(number)}))
    lines = list(event_lines(told, float(number)))
    assert lines[0] == f"{number} events:" and len(lines) == MOST_LINES + 2
    assert lines[-1] == "  and 2 more: event_id in the JSON lines"


def test_the_score_of_another_scorer_is_told_besides(tmp_path: Path) -> None:
    item = score(tmp_path, 5, {})[0]
    plain, scored = json.loads(json_line(item, False)), json.loads(json_line(item, True))
    assert scored.pop("score") == item.score and scored == plain
