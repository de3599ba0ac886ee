"""A simulated camera as a source of frames: `world:street?seed=7`, at its own pace or as fast as it can be painted."""

from __future__ import annotations

import math
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from streamspike.clock import Clock
from streamspike.core import Frame
from streamspike.errors import WorldError
from streamspike.world.painter import Painter
from streamspike.world.rules import has_road, keep_left
from streamspike.world.scene import SCENES, build_scene
from streamspike.world.simulation import BURN_IN, Simulation, Truth

MAX_LAG_SECONDS = 0.5
"""A simulated camera that is painted too slowly leaves out frames, as a real one would, and stays in real time."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What stands behind the question mark of a `world:` address."""

    scene: str
    seed: int = 0
    width: int = 640
    height: int = 360
    fps: float = 8.0
    surprise: float = 0.0
    """Seconds from one scripted surprise to the next; 0 leaves surprises to chance (about one in two minutes)."""
    seconds: float = 0.0
    """Ends after so long, as a file does; 0 never ends."""
    ambience: bool = True
    script: tuple[int, ...] = ()
    """Indices of the only segments with a surprise."""
    after: float = 0.0
    """Begins so many seconds later in the same life."""
    rule: str = ""
    """left: vehicles come from the other sides than everywhere else."""
    delivery: float = 0.0
    """Seconds from one delivery by the clock to the next; 0: none. Where there is a road."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "script", tuple(self.script))  # JSON, in which a film keeps them, has lists


def parse_world(text: str) -> WorldSettings:
    """Read `street?seed=7&size=640x360&fps=8&surprise=15&seconds=90`, or `...&script=20,85` instead of `surprise`.

    Raises:
        WorldError: no such scene or setting, or a value out of range; says what there is.
    """
    scene, _, query = text.partition("?")
    if scene not in SCENES:
        raise WorldError(f"there is no simulated scene {scene!r}; there are {', '.join(SCENES)}")
    known = {field.name: field.type for field in fields(WorldSettings)} | {"size": "str"}
    values: dict[str, object] = {}
    for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        if key not in known or key == "scene":
            names = "seed, size, fps, surprise, seconds, ambience, script, after, rule, delivery"
            raise WorldError(f"a simulated camera has no setting {key!r}; it has {names}")
        try:
            if key == "size":
                width, height = value.lower().split("x")
                values["width"], values["height"] = int(width), int(height)
            elif key == "script":
                values[key] = tuple(int(index) for index in value.split(","))
            elif key == "ambience":
                values[key] = {"on": True, "off": False, "1": True, "0": False}[value]
            elif key == "rule":
                values[key] = {"left": "left", "right": ""}[value]
            else:
                values[key] = int(value) if known[key] == "int" else float(value)
        except (ValueError, KeyError) as error:
            raise WorldError(f"{key}={value!r} is not a value for a simulated camera") from error
    settings = WorldSettings(scene, **values)  # type: ignore[arg-type]
    in_range = (
        64 <= settings.width <= 3840 and 48 <= settings.height <= 2160 and 0.5 <= settings.fps <= 60
        and 0 <= settings.surprise < math.inf and 0 <= settings.seconds < math.inf and settings.seed >= 0
        and min(settings.script, default=0) >= 0 and 0 <= settings.after < math.inf
        and 0 <= settings.delivery < math.inf
    )  # fmt: skip
    if not in_range:
        raise WorldError("a simulated camera has 64x48 to 3840x2160 pixels, 0.5 to 60 fps, and no negative numbers")
    if settings.delivery and not has_road(build_scene(scene, settings.seed)):
        raise WorldError(f"nothing is delivered in the scene {scene}: it has no road; take street")
    return settings


class Schedule(Mapping[int, str | None]):
    """A script without end: any surprise, once every `period` segments, the first after most of one period."""

    def __init__(self, period: int) -> None:
        self._period = period

    def __getitem__(self, index: int) -> str | None:
        if index % self._period != self._period - 3:
            raise KeyError(index)
        return None

    def __iter__(self) -> Iterator[int]:
        return iter(())  # endless; nobody needs to list it

    def __len__(self) -> int:
        return 0


def simulate(settings: WorldSettings, segment_seconds: float = 1.0) -> Simulation:
    """The life that the settings tell of, before its first segment; nothing is painted."""
    scene = build_scene(settings.scene, settings.seed, settings.width / settings.height)
    if settings.rule == "left":
        scene = keep_left(scene)
    period = round(settings.surprise / segment_seconds)
    script: Mapping[int, str | None] | None = Schedule(max(4, period)) if settings.surprise > 0 else None
    if settings.script:
        script = dict.fromkeys(settings.script)
    return Simulation(
        scene,
        settings.seed,
        segment_seconds,
        script,
        burn_in=BURN_IN + round(settings.after / segment_seconds),
        delivery_period=round(settings.delivery / segment_seconds),
    )


class Stage:
    """The simulation and its painter, advanced in step: the picture at any moment, and the truth of each segment."""

    def __init__(self, settings: WorldSettings, segment_seconds: float = 1.0) -> None:
        self._simulation = simulate(settings, segment_seconds)
        scene = self._simulation.state.scene
        self._painter = Painter(scene, settings.seed, settings.width, settings.height, settings.ambience)
        self.truth: Truth = self._simulation.step()

    def frame(self, seconds: float, arrived_at: float) -> Frame:
        """The picture at `seconds`, which never goes back to an earlier segment."""
        while seconds >= self.truth.end_seconds:
            self.truth = self._simulation.step()
        snapshot = self._simulation.snapshot(max(seconds, self.truth.start_seconds))
        pixels = self._painter.paint(snapshot)
        pixels.flags.writeable = False
        return Frame(pixels, seconds, arrived_at)

    def bodies(self) -> list[dict[str, object]]:
        """Everything in the picture in this segment: kind, box at three quarters, and movement since the first quarter.

        Boxes and movement are parts of the picture's width and height.
        """
        span = self.truth.end_seconds - self.truth.start_seconds
        early, late = (self._simulation.snapshot(self.truth.start_seconds + part * span) for part in (0.25, 0.75))
        before = {box.body_id: box for box in self._painter.boxes(early)}
        bodies: list[dict[str, object]] = []
        for box in self._painter.boxes(late):
            was = before.get(box.body_id, box)
            moved = [(box.x0 + box.x1 - was.x0 - was.x1) / 2, (box.y0 + box.y1 - was.y0 - was.y1) / 2]
            corners = [box.x0, box.y0, box.x1, box.y1]
            bodies.append({"id": box.body_id, "kind": box.kind, "box": _rounded(corners), "moved": _rounded(moved)})
        return bodies


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 4) for value in values]


class WorldSource:
    """Implements the reader's `FrameSource`. In real time and without an end it is a live camera, otherwise a file."""

    def __init__(self, settings: WorldSettings, clock: Clock, realtime: bool, segment_seconds: float = 1.0) -> None:
        self._settings = settings
        self._clock = clock
        self._stage = Stage(settings, segment_seconds)
        self._closed = threading.Event()
        self.is_live = realtime and settings.seconds == 0

    def __iter__(self) -> Iterator[Frame]:
        """Frames at `fps`; a live one waits for the moment of each frame and leaves out those it is too late for."""
        began_at, began = self._clock.now(), self._clock.monotonic()
        period = 1.0 / self._settings.fps
        number = 0
        while not self._closed.is_set():
            seconds = number * period
            if self._settings.seconds and seconds >= self._settings.seconds:
                return
            if self.is_live:
                lag = self._clock.monotonic() - began - seconds
                if lag < 0:
                    self._closed.wait(-lag)
                elif lag > MAX_LAG_SECONDS:
                    number += int(lag / period)
                    continue
            yield self._stage.frame(seconds, began_at + seconds)
            number += 1

    def close(self) -> None:
        self._closed.set()
