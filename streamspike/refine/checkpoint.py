"""Checkpoints of a training run: whole or not there, and enough to go on as if nothing had happened.

    RUN/checkpoint-000050/   adapter_model.safetensors, adapter_config.json, adapter.json   as any adapter's folder
                             optimizer.safetensors   the two moments of each weight; no pickled state
                             state.json              steps, seconds, size of the curve, settings
    RUN/curve.jsonl          one line per step
    RUN/adapter/             when the run has ended

A folder is written under another name, synced, and renamed; the one before it goes afterwards. Random numbers follow
from the number of the item, so that there is no state of theirs to keep.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamspike.errors import ConfigError
from streamspike.refine.policy import Policy

PREFIX = "checkpoint-"
PARTIAL = ".partial"
OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "state.json"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    steps: int = 0
    seconds: float = 0.0
    """Spent on training, over all resumptions."""
    curve_bytes: int = 0
    """Size of curve.jsonl; what stands behind was written after this checkpoint, and will be written again."""


def save_checkpoint(
    run: Path, policy: Policy, optimizer: torch.optim.Optimizer, progress: Progress, settings: Mapping[str, Any]
) -> Path:
    """Write the checkpoint of this step and remove older ones.

    Args:
        settings: all that the result depends on, as JSON; `load_checkpoint` refuses others.
    """
    from safetensors.torch import save_file

    def write(folder: Path) -> None:
        policy.save(folder)
        save_file(_moments(policy, optimizer), folder / OPTIMIZER_FILE)
        state = {
            "steps": progress.steps, "seconds": progress.seconds, "curve_bytes": progress.curve_bytes,
            "settings": settings,
        }  # fmt: skip
        (folder / STATE_FILE).write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")

    folder = run / f"{PREFIX}{progress.steps:06d}"
    write_whole(folder, write)
    for other in run.glob(f"{PREFIX}*"):
        if other != folder:
            shutil.rmtree(other)
    return folder


def load_checkpoint(
    run: Path, policy: Policy, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]
) -> Progress | None:
    """Go back to the newest checkpoint of a run; None if there is none.

    Raises:
        ConfigError: the run was begun with other settings; the message says which.
        ModelError: its adapter does not fit the model.
    """
    from safetensors.torch import load_file

    folders = sorted(folder for folder in run.glob(f"{PREFIX}*") if not folder.name.endswith(PARTIAL))
    if not folders:
        return None
    state = json.loads((folders[-1] / STATE_FILE).read_text(encoding="utf-8"))
    _compare(run, state["settings"], json.loads(json.dumps(settings)))
    policy.load(folders[-1])
    moments = load_file(folders[-1] / OPTIMIZER_FILE)
    for name, parameter in policy.named_parameters():
        if f"{name}.step" in moments:
            # The step stands on the CPU for AdamW, wherever the weight is.
            optimizer.state[parameter] = {
                key: moments[f"{name}.{key}"].to("cpu" if key == "step" else parameter.device) for key in MOMENTS
            }
    return Progress(int(state["steps"]), float(state["seconds"]), int(state["curve_bytes"]))


def delete_checkpoints(run: Path) -> None:
    """Of a run that nobody goes on with, and of its rounds; curves and adapters stay."""
    for folder in list(run.rglob(f"{PREFIX}*")):
        shutil.rmtree(folder)


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Make a folder that is there with all its files or not at all, also when the power fails; replaces an older one.

    Args:
        write: called with the folder to write to.
    """
    partial = folder.with_name(folder.name + PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    for path in [*partial.iterdir(), partial]:
        _sync(path)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    _sync(folder.parent)


def _moments(policy: Policy, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": optimizer.state[parameter][key].detach().cpu().contiguous()
        for name, parameter in policy.named_parameters()
        if parameter in optimizer.state
        for key in MOMENTS
    }


def _compare(run: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise ConfigError(
                f"the run in {run} was begun with {key} {before.get(key)!r}, now it is {now.get(key)!r}; choose "
                "another folder, or the same settings to continue it"
            )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
