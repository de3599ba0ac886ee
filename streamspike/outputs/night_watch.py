"""Looks at the night shift from outside: how far it is, when it last said so, and what became of its adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from streamspike.outputs.database import look_up


@dataclass(frozen=True, slots=True)
class NightView:
    """The night shift at one moment, as the store has it; other processes write it."""

    progress: float
    """In [0, 1]; 0 when there was no night yet."""
    updated_at: float
    """UTC of its last word; 0 when there was no night yet."""
    adapters: Mapping[str, int]
    """How many there are, by state."""


def look_at_night(path: Path) -> NightView:
    """
    Args:
        path: of the store.
    """
    told = [json.loads(text) for (text,) in look_up(path, "SELECT value FROM meta WHERE key = 'night_shift'")]
    return NightView(
        progress=float(told[0]["progress"]) if told else 0.0,
        updated_at=datetime.fromisoformat(told[0]["at"]).timestamp() if told else 0.0,
        adapters=dict(look_up(path, "SELECT state, count(*) FROM adapters GROUP BY state")),
    )
