"""A finished video: every segment, in order, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.config import Config
from streamspike.core import Engine
from streamspike.errors import EngineError, SourceError
from streamspike.pipeline.scoring import Scored, VideoScorer
from tests.support.clips import write_clip
from tests.support.fake_engine import CALM, STARTLING, FakeEngine, surprising_at
from tests.support.pipeline import MILD, quick_config
from tests.support.servers import free_port


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s, hence 12 segments of 0.25 s."""
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4", 30, 10)


def score(config: Config, engine: Engine) -> list[Scored]:
    return list(VideoScorer(config.cameras[0], config, engine).run())


def test_every_segment_comes_once_in_order_from_the_first_to_the_last(tmp_path: Path, clip: Path) -> None:
    scored = [item.observation for item in score(quick_config(tmp_path, clip), FakeEngine())]
    assert [observation.index for observation in scored] == list(range(12))
    assert [observation.start_seconds for observation in scored] == [n * 0.25 for n in range(12)]
    assert [observation.end_seconds for observation in scored] == [(n + 1) * 0.25 for n in range(12)]
    assert scored[0].started_at == 0.0, "nothing depends on when it is scored"


def test_the_same_video_gives_the_same_answers(tmp_path: Path, clip: Path) -> None:
    config = quick_config(tmp_path, clip)
    first, second = FakeEngine(surprising_at(5, 6)), FakeEngine(surprising_at(5, 6))
    assert score(config, first) == score(config, second)
    assert [request.seed for request in first.requests] == [request.seed for request in second.requests]
    assert len({request.seed for request in first.requests}) == 12, "each segment has a seed of its own"


def test_events_come_with_their_segment_and_its_frame(tmp_path: Path, clip: Path) -> None:
    answers = {5: MILD, 6: STARTLING}
    scored = score(quick_config(tmp_path, clip), FakeEngine(lambda request: answers.get(request.index, CALM)))
    events = {item.observation.index: item.event.phase.value for item in scored if item.event is not None}
    assert events == {5: "start", 6: "update", 8: "end"}
    assert [item.observation.index for item in scored if item.keyframe is not None] == [5, 6]
    assert all(item.observation.threshold_nats >= 2.0 for item in scored)


@pytest.mark.parametrize("source", ["world:street", "rtsp://joe:pa55word@127.0.0.1:{port}/cam"])
def test_what_never_ends_is_refused_before_it_is_opened(tmp_path: Path, source: str) -> None:
    config = quick_config(tmp_path, source.format(port=free_port()))
    with pytest.raises(SourceError, match="never ends") as caught:
        score(config, FakeEngine())
    assert "pa55word" not in str(caught.value)


def test_a_simulated_camera_with_an_end_is_scored_to_it(tmp_path: Path) -> None:
    config = quick_config(tmp_path, "world:room?seed=3&seconds=1.5&size=96x64&fps=8")
    assert [item.observation.end_seconds for item in score(config, FakeEngine())] == [n * 0.25 for n in range(1, 7)]


def test_a_failing_model_is_an_error_here(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(EngineError, match="segment 3"):
        score(quick_config(tmp_path, clip), FakeEngine(fails_at={3}))
