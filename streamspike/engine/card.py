"""The card of an adapter, `adapter.json`: who it is, what it came from, and how it was made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from streamspike.errors import ModelError

CARD_FILE = "adapter.json"
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PROMOTED = "promoted"
"""In place of a name: the adapter in service. So none is called that."""


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What is written beside the weights of an adapter."""

    name: str
    """Letters, digits, dots, - and _; unique in a registry."""
    base: str
    """Name and version of the model it belongs to, as in events: `nano@f57a99d5`."""
    method: str
    """How it was trained: spike-rl, supervised, savi, crpo, ..."""
    parent: str = ""
    """Name of the adapter that training started from; empty: the base itself."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the training."""
    data_hash: str = ""
    """Of the dataset it was trained on."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """What the training measured of itself."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name == PROMOTED:
            raise ModelError(
                f"an adapter cannot be called {self.name!r}: letters, digits, dots, - and _, at most 64, and not "
                f"{PROMOTED!r}"
            )
        if not self.base or not self.method:
            raise ModelError(f"the card of the adapter {self.name} names no base model or no method")


def read_card(folder: Path) -> AdapterCard:
    """Read `adapter.json`. Without a name it is called like its folder, or what that is in if it is just `adapter`, as
    training calls it; keys that no card has join its config.

    Raises:
        ModelError: missing, not JSON, no base, or values of other types.
    """
    values = read_json(folder / CARD_FILE)
    known = {each.name for each in fields(AdapterCard)}
    extra = {key: values.pop(key) for key in sorted(set(values) - known)}
    called = folder.resolve()
    name = called.parent.name if called.name == "adapter" else called.name
    values = {"name": name, "method": "unknown", "base": "", **values}
    values["config"] = {**(values.get("config") or {}), **extra}
    texts = ("name", "base", "method", "parent", "data_hash")
    wrong = [name for name in texts if not isinstance(values.get(name, ""), str)]
    wrong += [] if isinstance(values.get("metrics", {}), dict) else ["metrics"]
    if wrong:
        raise ModelError(f"{folder / CARD_FILE} is not the card of an adapter: {', '.join(wrong)} of another type")
    return AdapterCard(**values)


def write_card(card: AdapterCard, folder: Path) -> None:
    """Write `adapter.json` into an adapter's folder."""
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def weights_version(folder: Path) -> str:
    """Eight hex digits that change with the weights: of their SHA-256. Raises ModelError: they cannot be read."""
    try:
        with (folder / WEIGHTS_FILE).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:8]
    except OSError as error:
        raise ModelError(f"cannot read {folder / WEIGHTS_FILE}: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} is not a JSON object")
    return values
