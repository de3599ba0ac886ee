"""Every method and seed in a folder of its own, each done once.

OUT/study.json              what the study is; it is continued only as the same
OUT/SEED/METHOD/            run of the training: curve, checkpoints, adapter
OUT/SEED/METHOD/result.json what its model was measured to be worth; there when it is done
OUT/SEED/start/result.json  of the model as it is
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamspike.bench.night.measuring import measure_model
from streamspike.bench.night.methods import train_method
from streamspike.bench.night.settings import FIRST_HELD_OUT_SEED, FIRST_SEED, START, Method, NightSettings
from streamspike.bench.night.stopwatch import Stopwatch
from streamspike.config import Config
from streamspike.errors import ConfigError
from streamspike.progress import Advance
from streamspike.refine.dataset.world import WorldClips, world_examples
from streamspike.refine.training import CURVE_FILE

RESULT_FILE, STUDY_FILE, SECONDS_FILE = "result.json", "study.json", "seconds"
HELD_OUT_SURPRISING = 0.6
"""Share of the held-out clips with a scripted surprise, twice that of the clips to learn from: hit@1 has no others."""
SIZE_PX = (192, 108)
"""To which frames are squashed: above what the built-in model is shown, and a thousand clips fit into 1 GB."""
TRAINED_SHARE = 0.5
"""Of the bar of one method."""


def run_study(config: Config, settings: NightSettings, base: str, out: Path, progress: Advance) -> None:
    """Do what is not done yet: seed after seed, so that whole comparisons are there early.

    Args:
        base: name and version of the model.
        progress: called with the number of runs that are done.

    Raises:
        ConfigError: the folder holds another study.
    """
    claim_folder(out, {**settings.describe(), "model": base, "segment_seconds": config.segment.seconds})
    names = (START, *settings.methods)
    done = 0
    for seed in range(settings.seeds):
        clips = WorldClips(
            segment_seconds=config.segment.seconds,
            scene="street" if settings.rule else "",
            rule=settings.rule,
            size_px=SIZE_PX,
        )
        # Painted once, and kept: every method looks at all of them.
        train = world_examples(FIRST_SEED + seed, settings.clips, clips, cached=settings.clips)
        held_out = world_examples(
            FIRST_HELD_OUT_SEED + seed,
            settings.held_out,
            replace(clips, surprising_share=HELD_OUT_SURPRISING),
            cached=settings.held_out,
        )
        for name in names:
            folder = out / str(seed) / name
            if not (folder / RESULT_FILE).is_file():
                first = done

                def tell(share: float, words: str = "", /, first: int = first, name: str = name, s: int = seed) -> None:
                    progress(first + share, f"{name}, seed {s}: {words}")

                write_json(folder / RESULT_FILE, _run(config, settings, seed, name, train, held_out, folder, tell))
            done += 1
            progress(done, "")


def _run(
    config: Config,
    settings: NightSettings,
    seed: int,
    name: str,
    train: Any,
    held_out: Any,
    folder: Path,
    tell: Advance,
) -> dict[str, Any]:
    if name == START:
        return {"method": name, "seed": seed, **measure_model(config, None, held_out, settings, seed, tell)}
    method: Method = name  # type: ignore[assignment]
    watch = Stopwatch(folder / SECONDS_FILE)

    def report(share: float, words: str) -> None:
        watch.note()
        tell(TRAINED_SHARE * share, words)

    adapter = train_method(method, config, settings, seed, train, f"world:{FIRST_SEED + seed}", folder, report)
    watch.note()
    spent = {"training_seconds": round(watch.seconds, 1), "training_cpu_seconds": round(watch.cpu_seconds, 1)}
    measured = measure_model(
        config,
        adapter,
        held_out,
        settings,
        seed,
        lambda share, words="", /: tell(TRAINED_SHARE + (1 - TRAINED_SHARE) * share, words),
    )
    steps = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.glob(f"**/{CURVE_FILE}"))
    return {"method": name, "seed": seed, **spent, "steps": steps, **measured}


def claim_folder(out: Path, about: Mapping[str, Any]) -> None:
    """Begin a study, or make sure that it is the one that was begun. Raises ConfigError."""
    path = out / STUDY_FILE
    wanted = json.loads(json.dumps(about))
    if not path.is_file():
        write_json(path, wanted)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    different = [key for key in sorted(before.keys() | wanted.keys()) if before.get(key) != wanted.get(key)]
    if different:
        key = different[0]
        raise ConfigError(
            f"the study in {out} was begun with {key} {before.get(key)!r}, now it is {wanted.get(key)!r}; choose "
            "another --out, or the same settings to continue it"
        )


def read_results(out: Path, settings: NightSettings) -> dict[int, dict[str, dict[str, Any]]]:
    """What is done: by seed and method."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for seed in range(settings.seeds):
        for name in (START, *settings.methods):
            path = out / str(seed) / name / RESULT_FILE
            if path.is_file():
                found.setdefault(seed, {})[name] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """As a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".partial")
    unfinished.write_text(json.dumps(values, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)
