"""Cameras and videos scored without a model: through the real pipeline to the store, and torch is never imported."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamspike.belief.pixels import frame_difference
from streamspike.clock import SystemClock
from streamspike.core import Frame
from streamspike.errors import ConfigError, SourceError
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from streamspike.pipeline.scoring import VideoScorer
from streamspike.pipeline.supervisor import Supervisor
from tests.support.clips import write_clip
from tests.support.pipeline import RecordingSink, ScriptedSource, connect_to, quick_config, textured, wait_in_thread
from tests.support.tree import ROOT

STARTLED_AT = 12


def calm_but_once(sink: RecordingSink, num_segments: int = 20) -> Iterator[Frame | Exception]:
    """A live camera whose light changes once; it waits for what was read to be scored, and is lost in the end."""
    for number in range(num_segments):
        wait_in_thread(lambda number=number: len(sink.observations) >= number - 1)
        for half in (0.0, 0.5):
            at = (number + half) * 0.25
            yield Frame(textured(100 if number < STARTLED_AT else 180), at, 1000.0 + at)
    wait_in_thread(lambda: len(sink.observations) >= num_segments - 1)
    yield SourceError("the camera is gone")


@pytest.mark.parametrize("scorer", ["frame-difference", "itti-baldi"])
async def test_a_live_camera_is_scored_and_stored_without_a_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scorer: str
) -> None:
    config = quick_config(tmp_path, "lavfi:testsrc2", scorer=scorer, events={"floor_nats": 1.0})  # type: ignore[arg-type]
    sink = RecordingSink()
    lives = iter([ScriptedSource(calm_but_once(sink), is_live=True)])

    def connect() -> ScriptedSource:
        try:
            return next(lives)
        except StopIteration:
            supervisor.stop()
            raise SourceError("nobody there") from None

    connect_to(monkeypatch, connect, is_live=True)
    async with asyncio.timeout(60), Recorder(Store(Path(config.store.path))) as recorder:
        supervisor = Supervisor(config, None, recorder, [sink], None, SystemClock())
        await supervisor.prepare()
        await supervisor.run()
        (camera,) = supervisor.cameras
        stored = recorder.store.observations("a", 0.0, 1e12)
        events = recorder.store.events("a")
        assert [recorder.store.keyframes.of_event(event.event_id) != [] for event in events] == [True]
    assert camera.num_scored == len(stored) == len(sink.observations) >= 20
    assert {observation.model for observation in stored} == {scorer}
    assert all(observation.hypotheses == () for observation in stored)
    peak = max(stored, key=lambda observation: observation.surprise_nats)
    assert peak.index == STARTLED_AT and peak.caption.startswith(f"{scorer} ")
    if scorer == "frame-difference":
        assert peak.surprise_nats == pytest.approx(math.log(STARTLED_AT + 1)), "as rare as anything so far can be"
    assert events[0].onset_index == STARTLED_AT and events[0].expected == () and events[0].saw == peak.caption


async def test_cameras_may_have_different_scorers(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 20, 10)
    config = quick_config(tmp_path, clip, clip, scorer="rgb-histogram")  # type: ignore[arg-type]
    first, second = config.cameras
    cameras = (first, second.model_copy(update={"scorer": "optical-flow"}))
    sink = RecordingSink()
    async with asyncio.timeout(60), Recorder(Store(Path(config.store.path))) as recorder:
        supervisor = Supervisor(
            config.model_copy(update={"cameras": cameras}), None, recorder, [sink], None, SystemClock()
        )
        await supervisor.prepare()
        await supervisor.run()
    models = {(observation.camera_id, observation.model) for observation in sink.observations}
    assert models == {("a", "rgb-histogram"), ("b", "optical-flow")}
    assert len(sink.observations) == 16, "a file loses nothing"


async def test_a_camera_that_never_ends_has_no_middle(tmp_path: Path) -> None:
    config = quick_config(tmp_path, "world:street", scorer="middle")  # type: ignore[arg-type]
    async with Recorder(Store(Path(config.store.path))) as recorder:
        with pytest.raises(ConfigError, match="where the video ends"):
            await Supervisor(config, None, recorder, [], None, SystemClock()).prepare()


def test_a_video_has_a_score_in_the_scorers_own_unit_beside_its_nats(tmp_path: Path) -> None:
    config = quick_config(tmp_path, write_clip(tmp_path / "walk.mkv", 30, 10), scorer="frame-difference")  # type: ignore[arg-type]
    frames = []

    class Watching(VideoScorer):
        def _score(self, scorer, segment):  # type: ignore[no-untyped-def]
            frames.extend(frame.pixels for frame in segment.frames[-1 if frames else 0 :])
            return super()._score(scorer, segment)

    scored = list(Watching(config.cameras[0], config, None).run())
    expected = [frame_difference(*pair) for pair in itertools.pairwise(frames)]
    assert [item.score for item in scored] == expected and len(scored) == 12
    assert all(item.observation.surprise_nats <= math.log(number + 1) for number, item in enumerate(scored))


@pytest.mark.parametrize("num_frames", [1, 30, 27])
def test_the_middle_of_a_video_is_found_without_its_word_for_it(tmp_path: Path, num_frames: int) -> None:
    config = quick_config(tmp_path, write_clip(tmp_path / "walk.mp4", num_frames, 10), scorer="middle")  # type: ignore[arg-type]
    scored = list(VideoScorer(config.cameras[0], config, None).run())
    best = max(scored, key=lambda item: item.score).observation
    assert best.start_seconds <= num_frames / 20 <= best.end_seconds + 0.1
    assert best == max((item.observation for item in scored), key=lambda o: o.surprise_nats), "its nats agree"


RUN = """
import json, sys
from streamspike.cli import main
sys.argv = ["streamspike", *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(sorted(name for name in sys.modules if name in ("torch", "transformers", "safetensors", "tokenizers")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["score", "watch"])
def test_neither_torch_nor_weights_are_loaded(tmp_path: Path, command: str) -> None:
    clip = write_clip(tmp_path / "walk.mp4", 20, 10)
    words = {
        "score": ["score", clip, "--out", tmp_path / "scores.jsonl", "--scorer", "itti-baldi"],
        "watch": ["watch", clip, "--fast", "--store", tmp_path / "spike.db", "--scorer", "frame-difference"],
    }[command]
    words += ["--model", "/nowhere/at/all"]  # would be an error if anybody looked
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([str(word) for word in words])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "2 segments" in done.stdout
