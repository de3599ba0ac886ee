"""How many clips there is time to talk about: by how long the first conversations take, here and now."""

from __future__ import annotations

import json
import time
from pathlib import Path

from streamspike.refine.examples import ExampleSource
from streamspike.refine.savi.dialogue import Dialogue, converse

PACE_CLIPS = 3
"""Conversations by which it is known how long one takes."""
PACE_FILE = "pace.json"


def fit_clips(dialogue: Dialogue, examples: ExampleSource, minutes: float, run: Path) -> int:
    """So many clips can be talked about in this time, and never more than there are; at least PACE_CLIPS of them.

    It is written down in the folder: a run that is continued must have the same number of clips.

    Args:
        minutes: 0: all clips, and no conversation is held to find out.
    """
    path = run / PACE_FILE
    if not path.exists():
        clips = len(examples)
        if minutes:
            started = time.monotonic()
            for number in range(PACE_CLIPS):
                converse(dialogue, number, examples[number % len(examples)], 0.0, number)
            seconds_of_one = (time.monotonic() - started) / PACE_CLIPS
            clips = max(PACE_CLIPS, int(60 * minutes / seconds_of_one))
        run.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"clips": min(clips, len(examples))}), encoding="utf-8")
    return int(json.loads(path.read_text(encoding="utf-8"))["clips"])
