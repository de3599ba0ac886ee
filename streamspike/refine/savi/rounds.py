"""Rounds of self-alignment: talk about clips, learn from the clear pairs, and talk again as the one who has learned.

    RUN/savi.json           what the run depends on
    RUN/round-1/            pairs.jsonl, pairs.html, curve.jsonl, checkpoints while it trains, adapter/ when it has
    RUN/round-2/ ...
    RUN/adapter/            that of the last round

Every round is preferred over the same reference, the model with its adapter off, so that no number of rounds leads
further from it than beta allows. A run that was killed goes on in the phase where it was.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from streamspike.errors import ConfigError, DatasetError
from streamspike.refine.checkpoint import write_whole
from streamspike.refine.dpo import DpoLearner, DpoSettings
from streamspike.refine.examples import ExampleSource
from streamspike.refine.policy import Policy
from streamspike.refine.savi.dialogue import Dialogue, Exchange
from streamspike.refine.savi.page import render_pairs
from streamspike.refine.savi.pairs import PAIRS_FILE, choose_preferences, make_pairs
from streamspike.refine.training import ADAPTER_FOLDER, TrainSettings, draw_example, train

ABOUT_FILE = "savi.json"
PAGE_FILE = "pairs.html"


@dataclass(frozen=True, slots=True)
class SaviSettings:
    """How many rounds, and what a pair is."""

    iterations: int = 2
    clips: int = 200
    """Talked about in each round; no clip twice in one."""
    min_gain_nats: float = 2.0
    """What the critique must prefer a revision by."""
    epochs: float = 1.0
    """How often each pair is learned from in its round."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.iterations, self.clips) < 1 or self.epochs <= 0:
            raise ConfigError(f"rounds and clips are 1 or more, epochs above 0: {self}")


Report = Callable[[float, str], None]
"""Share of the run that is done, and what is going on, in words."""


def run_savi(
    policy: Policy,
    dialogue: Dialogue,
    examples: ExampleSource,
    settings: SaviSettings,
    dpo: DpoSettings,
    training: TrainSettings,
    run: Path,
    report: Report,
    *,
    data_hash: str = "",
    card: Mapping[str, Any] | None = None,
    should_pause: Callable[[], bool] = lambda: False,
) -> Path | None:
    """All rounds, from where the run was left.

    Args:
        training: its steps are set for each round, by the number of pairs.
        card: what adapter.json says besides the method and its settings.

    Returns:
        The folder of the adapter, or None after a pause.

    Raises:
        ConfigError: the run was begun with other settings.
        DatasetError: there are no clips, or none of them gave a clear pair.
    """
    if not len(examples):
        raise DatasetError("there are no examples to talk about")
    about = {
        "savi": asdict(settings), "dpo": asdict(dpo), "dialogue": dialogue.name, "data": data_hash,
        "examples": len(examples), "model": policy.loaded.name,
    }  # fmt: skip
    _check_same(run, about)
    for number in range(1, settings.iterations + 1):
        folder = run / f"round-{number}"
        first = (number - 1) / settings.iterations
        if (folder / ADAPTER_FOLDER).is_dir():
            policy.load(folder / ADAPTER_FOLDER)
            continue

        def tell(share: float, words: str, first: float = first, number: int = number) -> None:
            report(first + share / settings.iterations, f"round {number}: {words}")

        if should_pause():
            return None
        exchanges = _talk(dialogue, examples, settings, folder, number, tell, should_pause)
        if exchanges is None:
            return None
        pairs = choose_preferences(exchanges)
        counts = Counter(exchange.verdict for exchange in exchanges)
        if not pairs:
            raise DatasetError(
                f"none of {len(exchanges)} conversations gave a clear pair ({dict(counts)}); take more clips, or lower "
                "--min-gain"
            )
        learner = DpoLearner(policy, examples, pairs, dpo, settings.seed + number, "savi", {**about, "round": number})
        steps = max(1, round(settings.epochs * len(pairs) / (dpo.pairs * training.accumulate)))

        def show(share: float, line: Mapping[str, Any], words: str, tell: Report = tell) -> None:
            tell(0.5 + share / 2, f"step {line['step']}  loss {line['loss']:.3f}  right {line['right']:.2f}  {words}")

        own = {**(card or {}), "conversations": dict(counts)}
        how = replace(training, steps=steps, minutes=0.0)
        if train(learner, how, folder, show, should_pause=should_pause, card=own) is None:
            return None
    last = run / f"round-{settings.iterations}" / ADAPTER_FOLDER

    def copy(folder: Path) -> None:
        shutil.copytree(last, folder, dirs_exist_ok=True)

    write_whole(run / ADAPTER_FOLDER, copy)
    return run / ADAPTER_FOLDER


def _talk(
    dialogue: Dialogue,
    examples: ExampleSource,
    settings: SaviSettings,
    folder: Path,
    number: int,
    tell: Report,
    should_pause: Callable[[], bool],
) -> Sequence[Exchange] | None:
    """The conversations of a round, and their page; None after a pause."""
    count = min(settings.clips, len(examples))
    first = (number - 1) * count
    numbers = [draw_example(settings.seed, place, len(examples)) for place in range(first, first + count)]
    numbers = list(dict.fromkeys(numbers))  # a round may reach into the next order of the clips

    def progress(done: int, newest: Exchange | None) -> None:
        words = f"{newest.first!r} -> {newest.revised!r} ({newest.verdict})" if newest else ""
        tell(0.5 * done / len(numbers), f"clip {done} of {len(numbers)}  {words}")

    path = folder / PAIRS_FILE
    # Rounds differ in what is asked about a clip, not only in who answers.
    seed = settings.seed + number * 1_000_003
    exchanges = make_pairs(dialogue, examples, numbers, path, settings.min_gain_nats, seed, progress, should_pause)
    if exchanges is None:
        return None
    page = render_pairs(exchanges, examples, f"Conversations of round {number}")
    unfinished = folder / f"{PAGE_FILE}.partial"
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, folder / PAGE_FILE)
    return exchanges


def _check_same(run: Path, about: Mapping[str, Any]) -> None:
    path = run / ABOUT_FILE
    described = json.loads(json.dumps(about))
    if not path.exists():
        run.mkdir(parents=True, exist_ok=True)
        unfinished = run / f"{ABOUT_FILE}.partial"
        unfinished.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    different = [key for key in sorted(before.keys() | described.keys()) if before.get(key) != described.get(key)]
    if different:
        key = different[0]
        raise ConfigError(
            f"the run in {run} was begun with {key} {before.get(key)!r}, now it is {described.get(key)!r}; choose "
            "another folder, or the same settings to continue it"
        )
