"""A camera whose routine the built-in model does not know: traffic on the left, and a delivery by the clock.

Its day is watched as any camera is; what was logged becomes examples, as the journal's clips do. Then follows a stretch
of the same camera with scripted surprises, one in each of equal parts, and nothing else of a surprising kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import cv2
import numpy as np

from streamspike.app import run_score
from streamspike.config import CameraConfig, Config
from streamspike.core import Pixels
from streamspike.errors import WorldError
from streamspike.progress import Advance
from streamspike.refine.examples import Example
from streamspike.world.life import VEHICLES
from streamspike.world.live import Stage, parse_world, simulate

FIRST_SEED = 3_800_000_000
"""Neither training nor another measurement draws cameras here."""
DELIVERY_SECONDS = 120
PICTURE = "size=384x216&fps=4"
"""Four pictures a second hold just those at 1/4 and 3/4 of a segment, which the model is shown."""
FRAME_PARTS = (0.25, 0.75)
SIZE_PX = (192, 108)
"""To which frames of examples are squashed: above what the built-in model is shown."""
EXAMPLE_SEGMENTS = 8
MARGIN = 0.15
"""Of each part, in which no surprise is: so two of them are never neighbours."""
MAX_TRIES = 200


@dataclass(frozen=True, slots=True)
class UnusualSettings:
    """How long the camera is watched."""

    day_minutes: float = 30.0
    test_minutes: float = 20.0
    surprises: int = 24
    """In the stretch after the night."""


@dataclass(frozen=True, slots=True)
class UnusualPlan:
    """One camera."""

    day: str
    """Address of the footage that is learned from; surprises come by nature."""
    test: str
    """And of what follows."""
    sentences: tuple[str, ...]
    """What happens in each segment of the latter."""
    surprises: tuple[int, ...]
    """Its segments with a scripted surprise, ascending, one in each of equal parts."""


def plan_camera(number: int, settings: UnusualSettings, segment_seconds: float) -> UnusualPlan:
    """The camera of this number, of those where a vehicle is what comes most often.

    Raises:
        WorldError: there is no room for the surprises.
    """
    seed, found = FIRST_SEED, -1
    while True:
        busy = simulate(parse_world(f"street?seed={seed}"), segment_seconds).state.habits.busy
        found += busy is not None and busy[0] in VEHICLES
        if found == number:
            break
        seed += 1
    base = f"world:street?seed={seed}&rule=left&delivery={DELIVERY_SECONDS}&{PICTURE}"
    num_segments = round(60 * settings.test_minutes / segment_seconds)
    if num_segments < 8 * settings.surprises:
        raise WorldError(f"{settings.surprises} surprises are too many for {settings.test_minutes:g} minutes")
    random = Random(number)
    for _ in range(MAX_TRIES):
        part = num_segments / settings.surprises
        script = [int((k + random.uniform(MARGIN, 1 - MARGIN)) * part) for k in range(settings.surprises)]
        test = (
            f"{base}&seconds={num_segments * segment_seconds:g}&after={60 * settings.day_minutes:g}"
            f"&script={','.join(map(str, script))}"
        )
        simulation = simulate(parse_world(test.removeprefix("world:")), segment_seconds)
        truths = [simulation.step() for _ in range(num_segments)]
        if all(truths[index].scripted for index in script):
            day = f"{base}&seconds={60 * settings.day_minutes:g}"
            return UnusualPlan(day, test, tuple(truth.sentence for truth in truths), tuple(script))
    raise WorldError(f"no time was found at which {settings.surprises} surprises can take place")


def watch(config: Config, address: str, adapter: str | None, num_segments: int, progress: Advance) -> dict[str, Any]:
    """Score a camera with the configuration as it is, and keep what is logged, as JSON.

    Args:
        progress: called with a share.

    Raises:
        SourceError, ModelError, EngineError: as `app.run_score`.
    """
    model = config.model.model_copy(update={"adapter": adapter})
    camera = CameraConfig.model_validate({"id": "unusual", "source": address, "pace": "fast"})
    settings = config.model_copy(update={"model": model, "cameras": (camera,)})
    result = run_score(
        settings,
        camera,
        lambda scored: progress(min(1.0, (scored.observation.index + 1) / num_segments), scored.observation.caption),
    )
    onsets = {event.event_id: event.onset_index for event in result.events}
    return {
        "captions": [each.caption for each in result.observations],
        "surprise_nats": [each.surprise_nats for each in result.observations],
        "alerts": sorted(onsets.values()),
    }


class DayExamples:
    """Implements `ExampleSource`: consecutive clips of a day, with what was logged of them."""

    def __init__(self, address: str, log: Mapping[str, Any], segment_seconds: float) -> None:
        """Paints the whole day."""
        stage = Stage(parse_world(address.removeprefix("world:")), segment_seconds)
        self._segment_seconds = segment_seconds
        self._log = log
        self._frames: list[tuple[Pixels, ...]] = [
            tuple(_squash(stage.frame((index + part) * segment_seconds, 0.0).pixels) for part in FRAME_PARTS)
            for index in range(len(log["captions"]))
        ]

    def __len__(self) -> int:
        return len(self._frames) // EXAMPLE_SEGMENTS

    def __getitem__(self, number: int) -> Example:
        if not 0 <= number < len(self):
            raise IndexError(f"there are {len(self)} examples, from 0: {number = }")
        part = slice(number * EXAMPLE_SEGMENTS, (number + 1) * EXAMPLE_SEGMENTS)
        alerts: Sequence[int] = self._log["alerts"]
        return Example(
            example_id=f"day-{number}",
            camera_id="unusual",
            started_at=part.start * self._segment_seconds,
            segment_seconds=self._segment_seconds,
            segments=tuple(self._frames[part]),
            captions=tuple(self._log["captions"][part]),
            surprise_nats=tuple(self._log["surprise_nats"][part]),
            surprising=any(part.start <= index < part.stop for index in alerts),
        )

    def __iter__(self) -> Iterator[Example]:
        return (self[number] for number in range(len(self)))


def _squash(picture: Pixels) -> Pixels:
    pixels = np.ascontiguousarray(cv2.resize(picture, SIZE_PX, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels
