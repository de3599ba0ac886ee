"""Does a camera of unusual routine alert less on it after one night, and not less on what truly surprises?

    OUT/unusual/SEED/day.json            what was logged of the day, by the model as it is
    OUT/unusual/SEED/before.json         what it says of the stretch that follows
    OUT/unusual/SEED/METHOD/             run of the training on the day
    OUT/unusual/SEED/METHOD/after.json   what the model with that adapter says of the same stretch

Both models are held to the same thresholds. Above a threshold, segments no further apart than `LATE_SEGMENTS` are one
alert; it tells of a surprise if one of its segments is that of the surprise or one of as many after it, and is a false
one of the routine otherwise. The stretch has parts with one surprise each, and the bootstrap draws parts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamspike.bench.hour.matching import LATE_SEGMENTS
from streamspike.bench.night.camera import (
    DELIVERY_SECONDS,
    DayExamples,
    UnusualPlan,
    UnusualSettings,
    plan_camera,
    watch,
)
from streamspike.bench.night.methods import train_method
from streamspike.bench.night.settings import Method, NightSettings
from streamspike.bench.night.stopwatch import Stopwatch
from streamspike.bench.night.study import SECONDS_FILE, claim_folder, write_json
from streamspike.bench.night.tables import show_gain
from streamspike.config import Config
from streamspike.measures.detection import auroc
from streamspike.measures.estimate import Undefined, bootstrap
from streamspike.progress import Advance
from streamspike.report.figures import plain

ALERTS_PER_HOUR = 12.0
"""The budget whose threshold the day's log tells."""
WITHOUT_TRUTH: tuple[Method, ...] = ("supervised", "spike-rl", "savi")
"""Methods that learn from what a camera logged; CRPO in this study learns from known answers."""
MOST_SHOWN = 10


def run_unusual(
    config: Config, study: NightSettings, settings: UnusualSettings, base: str, out: Path, progress: Advance
) -> None:
    """Do what is not done yet, camera after camera.

    Raises:
        ConfigError: the folder holds another study.
        WorldError: there is no room for the surprises.
    """
    seconds = config.segment.seconds
    folder = out / "unusual"
    about = {**asdict(settings), "minutes": study.minutes, "steps": study.steps, "model": base, "seconds": seconds}
    claim_folder(folder, about)
    done = 0.0
    for seed in range(study.seeds):
        plan = plan_camera(seed, settings, seconds)
        here = folder / str(seed)
        write_json(here / "plan.json", asdict(plan))

        def look(path: Path, address: str, adapter: Path | None, first: float, part: float = 1.0) -> dict[str, Any]:
            """What is logged of a camera, once."""
            if not path.is_file():
                minutes = settings.day_minutes if path.name == "day.json" else settings.test_minutes
                num_segments = round(60 * minutes / seconds)
                tell: Advance = lambda share, words="", /: progress(first + part * share, f"{path.stem}: {words}")  # noqa: E731
                write_json(path, watch(config, address, str(adapter) if adapter else None, num_segments, tell))
            log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return log

        day = look(here / "day.json", plan.day, None, done)
        look(here / "before.json", plan.test, None, done + 1)
        done += 2
        examples: DayExamples | None = None
        for method in study.methods:
            if method not in WITHOUT_TRUTH:
                continue
            run = here / method
            if not (run / "after.json").is_file():
                examples = examples or DayExamples(plan.day, day, seconds)
                watch_seconds = Stopwatch(run / SECONDS_FILE)

                def report(share: float, words: str, first: float = done, clock: Stopwatch = watch_seconds) -> None:
                    clock.note()
                    progress(first + 0.5 * share, words)

                adapter = train_method(method, config, study, seed, examples, plan.day, run, report)
                look(run / "after.json", plan.test, adapter, done + 0.5, 0.5)
            done += 1
            progress(done, "")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the stretch, as one model scored it."""

    nats: tuple[float, ...]
    """Of each segment."""
    alerts: tuple[int, ...]
    """Onsets of the events of the default configuration, within the part."""
    surprise: int
    """The segment of the part with a surprise."""

    @property
    def peak_nats(self) -> float:
        """At the surprise, or as late as it counts."""
        return max(self.nats[self.surprise : self.surprise + LATE_SEGMENTS + 1])

    @property
    def routine_nats(self) -> list[float]:
        """Of all segments in which nobody would expect a surprise to be told."""
        return [
            value
            for index, value in enumerate(self.nats)
            if not self.surprise <= index <= self.surprise + LATE_SEGMENTS
        ]

    def false_alerts(self, threshold_nats: float | None) -> list[int]:
        """First segments of the alerts on the routine; None: the events of the default configuration."""
        if threshold_nats is None:
            groups = [[index] for index in self.alerts]
        else:
            groups = group([index for index, value in enumerate(self.nats) if value > threshold_nats])
        near = range(self.surprise, self.surprise + LATE_SEGMENTS + 1)
        return [some[0] for some in groups if not any(index in near for index in some)]

    def finds(self, threshold_nats: float | None) -> float:
        """Whether the surprise is told."""
        if threshold_nats is None:
            return float(any(0 <= index - self.surprise <= LATE_SEGMENTS for index in self.alerts))
        return float(self.peak_nats > threshold_nats)


def group(indices: Sequence[int]) -> list[list[int]]:
    """Ascending numbers of segments, those that lie close together as one."""
    groups: list[list[int]] = []
    for index in indices:
        if groups and index - groups[-1][-1] <= LATE_SEGMENTS:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def cut_parts(log: Any, surprises: Sequence[int]) -> list[Part]:
    """The stretch in equal parts, as many as there are surprises, with one in each."""
    bounds = np.linspace(0, len(log["surprise_nats"]), len(surprises) + 1).astype(int).tolist()
    return [
        Part(
            tuple(log["surprise_nats"][start:end]),
            tuple(index - start for index in log["alerts"] if start <= index < end),
            surprise - start,
        )
        for start, end, surprise in zip(bounds, bounds[1:], surprises, strict=False)
    ]


def budget_threshold(surprise_nats: Sequence[float], segment_seconds: float) -> float:
    """What so many segments of the log were above as the budget has alerts."""
    count = max(1, round(ALERTS_PER_HOUR * len(surprise_nats) * segment_seconds / 3600))
    return sorted(surprise_nats, reverse=True)[min(count, len(surprise_nats) - 1)]


def read_unusual(out: Path) -> list[dict[str, Any]]:
    """What is done: for each method, over all cameras that it was tried on."""
    folder = out / "unusual"
    methods = [name for name in WITHOUT_TRUTH if list(folder.glob(f"*/{name}/after.json"))]
    return [_compare(folder, method) for method in methods]


def _compare(folder: Path, method: str) -> dict[str, Any]:
    about = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    before: list[Part] = []
    after: list[Part] = []
    thresholds: list[float] = []
    happened: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    cameras, spent = [], []
    for path in sorted(folder.glob(f"*/{method}/after.json")):
        here = path.parent.parent
        logs = [json.loads(file.read_text(encoding="utf-8")) for file in (here / "before.json", path)]
        plan = UnusualPlan(**json.loads((here / "plan.json").read_text(encoding="utf-8")))
        day = json.loads((here / "day.json").read_text(encoding="utf-8"))
        parts = [cut_parts(log, plan.surprises) for log in logs]
        before += parts[0]
        after += parts[1]
        threshold = budget_threshold(day["surprise_nats"], about["seconds"])
        thresholds += [threshold] * len(parts[0])
        first = 0
        for old, new in zip(*parts, strict=True):
            for counter, part in zip(happened, (old, new), strict=True):
                counter.update(plan.sentences[first + index] for index in part.false_alerts(FLOOR_NATS))
            first += len(old.nats)
        cameras.append(plan.day.partition("&size")[0])
        spent.append(float((path.parent / SECONDS_FILE).read_text(encoding="utf-8").split()[0]))
    hours = sum(len(part.nats) for part in before) * about["seconds"] / 3600 / len(before)
    shown = (happened[0] + happened[1]).most_common(MOST_SHOWN)
    return {
        "method": method,
        "camera": ", ".join(cameras),
        "training_seconds": spent,
        "thresholds_nats": sorted(set(thresholds)),
        "words": (
            f"A street with traffic on the left and a delivery every {DELIVERY_SECONDS} seconds. Learned from "
            f"{about['day_minutes']:g} minutes as they were logged; measured on the {about['test_minutes']:g} minutes "
            f"after it, with {about['surprises']} scripted surprises per camera. Both models are held to the same "
            "thresholds; intervals draw parts of the stretch, changes are paired."
        ),
        "measures": measure_parts(before, after, thresholds, hours),
        "routine_alerts": [[text, happened[0][text], happened[1][text]] for text, _ in shown],
    }


FLOOR_NATS = 2.0
"""As events.floor_nats by default: never is there an alert below it."""


def measure_parts(
    before: Sequence[Part], after: Sequence[Part], thresholds_nats: Sequence[float], part_hours: float, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Alerts on the routine and surprises found, by rule; before, after and the change, which is not turned.

    Args:
        thresholds_nats: of the budget, one per part.
    """
    floors: list[float | None] = [FLOOR_NATS] * len(before)
    rules: dict[str, tuple[str, Sequence[float | None]]] = {
        "budget": (f"above the day's threshold of {ALERTS_PER_HOUR:g} an hour", list(thresholds_nats)),
        "floor": (f"above {FLOOR_NATS:g} nats", floors),
        "default": ("by the default configuration", [None] * len(before)),
    }
    found: dict[str, dict[str, Any]] = {}
    for name, (words, limits) in rules.items():
        sides = [list(zip(side, limits, strict=True)) for side in (before, after)]
        counts = [[len(part.false_alerts(limit)) / part_hours for part, limit in side] for side in sides]
        found[f"{name}_routine"] = _row(f"alerts an hour on the routine, {words}", counts, _mean, seed)
        hits = [[part.finds(limit) for part, limit in side] for side in sides]
        found[f"{name}_recall"] = _row(f"surprises found, {words}", hits, _mean, seed)
    found["auroc"] = _row("chance that a surprise scores above routine (AUROC)", [before, after], _auroc, seed)
    found["routine_nats"] = _row("surprise of the routine, nats a segment", [before, after], _routine, seed)
    found["peak_nats"] = _row(
        "surprise at true surprises, nats", [[part.peak_nats for part in side] for side in (before, after)], _mean, seed
    )
    return found


def _row(
    words: str, sides: Sequence[Sequence[Any]], statistic: Callable[[Sequence[Any]], float], seed: int
) -> dict[str, Any]:
    pairs = list(zip(*sides, strict=True))
    change = bootstrap(pairs, lambda some: statistic([b for _, b in some]) - statistic([a for a, _ in some]), seed)
    before, after = (plain(bootstrap(side, statistic, seed)) for side in sides)
    return {"words": words, "before": before, "after": after, "change": plain(change)}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else Undefined("there is no part")


def _routine(parts: Sequence[Part]) -> float:
    return _mean([value for part in parts for value in part.routine_nats])


def _auroc(parts: Sequence[Part]) -> float:
    routine = [value for part in parts for value in part.routine_nats]
    peaks = [part.peak_nats for part in parts]
    return auroc([*routine, *peaks], [False] * len(routine) + [True] * len(peaks))


def render_unusual(one: dict[str, Any]) -> str:
    """For a terminal."""
    lines = [f"{one['camera']}: a night of {one['method']}", one["words"], ""]
    lines.append(f"{'':66s} {'before':>8s} {'after':>8s}  change [95 %]")
    for row in one["measures"].values():
        values = [
            f"{'-':>8s}" if row[side]["mean"] is None else f"{row[side]['mean']:8.3f}" for side in ("before", "after")
        ]
        lines.append(f"{row['words']:66s} {' '.join(values)}  {show_gain(row['change'])}")
    lines += [
        "",
        f"{'alerts on the routine above ' + format(FLOOR_NATS, 'g') + ' nats, by what happened':66s}   before    after",
    ]
    lines += [f"{text:66s} {old:8d} {new:8d}" for text, old, new in one["routine_alerts"]]
    return "\n".join(lines)
