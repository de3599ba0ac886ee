"""Around a camera pipeline: a sink that remembers, quick settings, and sources that do what a test says."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from streamspike.config import Config
from streamspike.core import CameraState, Event, Frame, Keyframe, Observation
from streamspike.ingest.frames import FrameSource
from streamspike.pipeline import camera as camera_module
from streamspike.pipeline.opener import Opener
from tests.support.fake_engine import OTHER, SAME, Answer

MILD = Answer(((SAME, 0.95, 0.05), (OTHER, 0.05, 0.95)), OTHER)
"""Surprise 0.9 ln 19 = 2.65 nats."""

QUICK = {
    "ingest": {
        "open_timeout_seconds": 1.0,
        "silence_timeout_seconds": 1.0,
        "backoff_min_seconds": 0.05,
        "backoff_max_seconds": 0.1,
        "hardware_decode": "off",
    },
    "segment": {"seconds": 0.25, "max_queued": 3},
    "belief": {"doubt": 0.0, "experience": 0.0, "change": 0.0},  # what fake engines say is taken as it is
    "events": {
        "alerts_per_day": 86_400,
        "learning_seconds": 1.0,
        "extreme_nats": 2.0,
        "quiet_segments": 2,
        "cooldown_seconds": 0.0,
    },
    "clips": {"ordinary_per_hour": 0},  # drawn by the clock on the wall, they would come and go
}


def quick_config(folder: Path, *sources: str | Path, **sections: dict[str, object]) -> Config:
    """Cameras called a, b, c ... that are read as fast as they can be; a store in `folder`."""
    names = (chr(ord("a") + number) for number in itertools.count())
    cameras = [
        {"id": name, "source": str(source), "pace": "fast"} for name, source in zip(names, sources, strict=False)
    ]
    tree = {**QUICK, "cameras": cameras, "store": {"path": str(folder / "spike.db")}}
    for name, values in sections.items():
        tree[name] = {**tree.get(name, {}), **values} if isinstance(values, dict) else values  # type: ignore[dict-item]
    return Config.model_validate(tree)


@dataclass
class RecordingSink:
    """Remembers everything it was told, in order."""

    observations: list[Observation] = field(default_factory=list)
    alerts: list[tuple[Event, Keyframe | None]] = field(default_factory=list)
    states: list[tuple[str, CameraState, str]] = field(default_factory=list)

    async def observe(self, observation: Observation) -> None:
        self.observations.append(observation)

    async def alert(self, event: Event, keyframe: Keyframe | None) -> None:
        self.alerts.append((event, keyframe))

    async def report_state(self, camera_id: str, state: CameraState, reason: str) -> None:
        self.states.append((camera_id, state, reason))

    @property
    def indices(self) -> list[int]:
        return [observation.index for observation in self.observations]

    @property
    def phases(self) -> list[str]:
        return [event.phase.value for event, _ in self.alerts]

    def states_of(self, camera_id: str) -> list[str]:
        """Names of states in order, changes of the reason alone left out."""
        names = (state.value for camera, state, _ in self.states if camera == camera_id)
        return [name for name, _ in itertools.groupby(names)]


class ScriptedSource:
    """A `FrameSource` of frames, and of errors that it raises when their turn comes."""

    def __init__(self, script: Iterable[Frame | Exception], *, is_live: bool) -> None:
        self._script = script
        self._is_live = is_live

    @property
    def is_live(self) -> bool:
        return self._is_live

    def __iter__(self) -> Iterator[Frame]:
        for item in self._script:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        return


def connect_to(monkeypatch: pytest.MonkeyPatch, connect: Callable[[], FrameSource], *, is_live: bool) -> None:
    """Every camera made from now on connects so; its address is not looked at."""
    monkeypatch.setattr(camera_module, "make_opener", lambda *_: Opener(connect, is_live, is_live))


def textured(level: int, seed: int = 0) -> np.ndarray:
    """(36, 64, 3): neither black nor uniform, so that the camera is not blind; its mean brightness is `level`."""
    noise = np.random.default_rng(seed).integers(-30, 31, (36, 64, 1))
    return np.broadcast_to(np.clip(level + noise, 0, 255), (36, 64, 3)).astype(np.uint8)


def moving_frames(
    num_segments: int, seconds: float = 0.25, moves: bool = True, before: Callable[[int], object] = lambda _: None
) -> Iterator[Frame]:
    """Two frames a segment, bright and dark in turn unless it does not move; brightness says which segment it is.

    Args:
        before: called with the number of each segment before its first frame, in the camera's thread, and at the end.
    """
    for number in range(num_segments):
        before(number)
        for half in (0.0, 0.5):
            level = 60 + 100 * (number % 2) if moves else 100
            at = (number + half) * seconds
            yield Frame(textured(level), at, 1000.0 + at)
    before(num_segments)


def wait_in_thread(condition: Callable[[], bool], timeout_seconds: float = 20.0) -> None:
    """For sources, which have a thread of their own."""
    give_up = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < give_up, "what the camera waits for does not happen"
        time.sleep(0.001)


def shown_by(camera: camera_module.CameraPipeline) -> float:
    """How many segments the experience of a camera counts."""
    own, _ = camera.export_usual()
    assert own is not None and isinstance(own["sentences"], dict)
    return float(sum(own["sentences"].values()))
