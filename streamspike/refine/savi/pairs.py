"""Conversations on disk, one JSON line each: made clip by clip, and continued where a killed run left off."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from streamspike.errors import DatasetError
from streamspike.refine.dpo import Preference
from streamspike.refine.examples import ExampleSource
from streamspike.refine.savi.dialogue import Dialogue, Exchange, Question, converse

PAIRS_FILE = "pairs.jsonl"
UNFINISHED = ".partial"


def make_pairs(
    dialogue: Dialogue,
    examples: ExampleSource,
    numbers: Sequence[int],
    path: Path,
    min_gain_nats: float,
    seed: int,
    progress: Callable[[int, Exchange | None], None] = lambda done, newest: None,
    should_pause: Callable[[], bool] = lambda: False,
) -> list[Exchange] | None:
    """Talk about these clips and write all conversations to `path`; read them where that was done before.

    While it goes on they stand in a file beside it. A run that was killed goes on with the clip after the last one
    that is there with all its lines, and ends with the same file.

    Args:
        numbers: of examples, each once.
        should_pause: asked after each clip.

    Returns:
        All conversations, or None after a pause.
    """
    if path.exists():
        return read_pairs(path)
    unfinished = path.with_name(path.name + UNFINISHED)
    exchanges, done = _recover(unfinished, numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("w", encoding="utf-8") as file:
        file.writelines(map(_render, exchanges))
        for place, number in enumerate(numbers):
            if place < done:
                continue
            made = converse(dialogue, number, examples[number], min_gain_nats, seed + number)
            file.write("".join(map(_render, made)))
            file.flush()
            exchanges += made
            progress(place + 1, made[-1] if made else None)
            if place + 1 < len(numbers) and should_pause():
                return None
        os.fsync(file.fileno())
    unfinished.rename(path)
    return exchanges


def read_pairs(path: Path) -> list[Exchange]:
    """
    Raises:
        DatasetError: the file is not as it was written.
    """
    try:
        return [_parse(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{path} is damaged; delete it to have the conversations again") from error


def _recover(path: Path, numbers: Sequence[int]) -> tuple[list[Exchange], int]:
    """Conversations of clips that are there as a whole, and how many clips that are.

    The last clip of the file may have more to say, so it is asked again: it says the same.
    """
    if not path.exists():
        return [], 0
    found: list[Exchange] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(_parse(line))
        except (ValueError, TypeError, KeyError):
            break
    places = {number: place for place, number in enumerate(numbers)}
    if not found or any(exchange.example not in places for exchange in found):
        return [], 0
    last = found[-1].example
    return [exchange for exchange in found if exchange.example != last], places[last]


def _render(exchange: Exchange) -> str:
    return json.dumps(asdict(exchange), ensure_ascii=False) + "\n"


def _parse(line: str) -> Exchange:
    values = json.loads(line)
    question = values["question"]
    return Exchange(**{**values, "question": Question(**{**question, "choices": tuple(question.get("choices", ()))})})


def choose_preferences(exchanges: Sequence[Exchange]) -> list[Preference]:
    """What is learned from, in order: of questions with two possible answers as many prefer the one as the other,
    else it would be learned which of them is right more often, whatever is asked."""
    answers = [
        exchange.preference.preferred
        for exchange in exchanges
        if exchange.preference is not None and exchange.question.choices
    ]
    counts = Counter(answers)
    most = min(counts.values()) if len(counts) > 1 else 0
    taken: Counter[str] = Counter()
    chosen = []
    for exchange in exchanges:
        preference = exchange.preference
        if preference is None:
            continue
        if exchange.question.choices:
            taken[preference.preferred] += 1
            if taken[preference.preferred] > most:
                continue
        chosen.append(preference)
    return chosen
