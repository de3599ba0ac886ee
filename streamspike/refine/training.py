"""One loop for every method of the night shift: items in, losses out, steps of AdamW, checkpoints in between.

A method is a `Learner`: it makes losses of item 0, 1, 2 ... and hands each over as soon as it is made, so that memory
is bounded by one of them. What it does may depend on the number of the item and on the weights, on nothing else: then
a run that was killed and continued gives the very same weights as one that was not (on a CPU bit by bit).

With several processes (torchrun, `accelerate launch`) each learns from items of its own, and gradients are averaged.
The model is not wrapped: adapters are small, and a wrapper would have to be told about rows. On a GPU the model is
bfloat16 as it is loaded, and the adapter float32; there is no autocast, because the engine that serves has none.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from streamspike.errors import ConfigError, EngineError
from streamspike.refine.checkpoint import Progress, load_checkpoint, save_checkpoint, write_whole
from streamspike.refine.policy import Policy

CURVE_FILE = "curve.jsonl"
ADAPTER_FOLDER = "adapter"
FREE = ("minutes", "save_every", "checkpointing")
"""Settings that may be others when a run is continued."""

Backward = Callable[[Tensor], None]
"""Takes one scalar loss and adds its gradient; the losses of an item add up."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an item taught, for the curve and for who watches."""

    values: Mapping[str, float]
    words: str = ""
    """An example, in words."""


class Learner(Protocol):
    """A method of training."""

    method: str
    """As in adapter.json: spike-rl, supervised, ..."""
    policy: Policy

    def describe(self) -> Mapping[str, Any]:
        """All that its lessons depend on, as JSON: settings, and what the data are."""
        ...

    def learn(self, number: int, backward: Backward) -> Learnt:
        """Make the losses of item `number`, any number from 0 on; the mean over the items of a step is what counts."""
        ...


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How steps are made."""

    steps: int = 0
    """Steps of the whole run; 0: as many as fit into `minutes`."""
    minutes: float = 0.0
    """Time of the whole run, over all resumptions; 0: as long as its steps take. By the clock no two runs are alike."""
    learning_rate: float = 1e-4
    """At its peak; it falls along a cosine to a tenth."""
    warmup_share: float = 0.03
    """Of the run, in which the rate rises from 0."""
    accumulate: int = 1
    """Items of each process per step."""
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    """Longest gradient of all weights together."""
    checkpointing: bool = False
    """Gradient checkpointing: less memory, one more forward."""
    save_every: int = 20
    """Steps from one checkpoint to the next."""
    seed: int = 0
    """Of what drops out."""

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.minutes > 0):
            raise ConfigError(f"a run ends after steps or after minutes, one of them: {self.steps=}, {self.minutes=}")
        if min(self.accumulate, self.save_every) < 1 or self.learning_rate <= 0 or self.clip_norm <= 0:
            raise ConfigError(f"counts are 1 or more, rates and norms positive: {self}")

    def share(self, progress: Progress) -> float:
        """How much of the run is done, from 0 to 1."""
        done = progress.steps / self.steps if self.steps else progress.seconds / (60 * self.minutes)
        return min(1.0, done)

    def rate(self, share: float) -> float:
        """The learning rate after this share of the run."""
        warm = min(1.0, share / self.warmup_share) if self.warmup_share else 1.0
        return self.learning_rate * warm * (0.55 + 0.45 * math.cos(math.pi * share))


def draw_example(seed: int, number: int, count: int) -> int:
    """Which of `count` examples item `number` is: all of them in a new order, again and again."""
    epoch, place = divmod(number, count)
    return int(np.random.default_rng([seed, epoch]).permutation(count)[place])


Report = Callable[[float, Mapping[str, Any], str], None]
"""Called after each step: share of the run, the line of the curve, an example in words."""


def train(
    learner: Learner,
    settings: TrainSettings,
    run: Path,
    report: Report,
    *,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    should_pause: Callable[[], bool] = lambda: False,
    card: Mapping[str, Any] | None = None,
) -> Path | None:
    """Train until the run is over, from its newest checkpoint if it has one.

    Args:
        evaluate: measures on held-out examples, before the first step and after every `evaluate_every`, for the curve.
        should_pause: asked between steps; when it says so a checkpoint is written and nothing more is done.
        card: what adapter.json says besides the method and its settings.

    Returns:
        The folder of the adapter, or None after a pause.

    Raises:
        ConfigError: the run was begun with other settings.
        EngineError: a loss is not finite.
    """
    from accelerate import Accelerator

    policy = learner.policy
    accelerator = Accelerator(cpu=policy.loaded.device.type == "cpu", mixed_precision="no")
    policy.checkpointing = settings.checkpointing
    optimizer = torch.optim.AdamW(policy.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    run.mkdir(parents=True, exist_ok=True)
    described = {**_result_settings(settings), **learner.describe(), "processes": accelerator.num_processes}
    described |= {"method": learner.method, "model": policy.loaded.name}
    resumed = load_checkpoint(run, policy, optimizer, described)
    progress = resumed or Progress()
    curve = _Curve(run / CURVE_FILE, progress.curve_bytes, writes=accelerator.is_main_process)

    def measure() -> dict[str, float]:
        if evaluate is None or not evaluate_every or progress.steps % evaluate_every:
            return {}
        return dict(evaluate())

    if resumed is None and (values := measure()):
        curve.add({"step": 0, **values})
    while settings.share(progress) < 1.0:
        if _agree(accelerator, float(should_pause())) > 0:
            _save(accelerator, run, policy, optimizer, progress, described)
            return None
        started = time.monotonic()
        rate = settings.rate(settings.share(progress))
        line, words = _step(learner, settings, optimizer, accelerator, progress.steps, rate)
        seconds = progress.seconds + _agree(accelerator, time.monotonic() - started)
        progress = Progress(progress.steps + 1, seconds)
        line = {"step": progress.steps, "seconds": round(progress.seconds, 3), "rate": rate, **line, **measure()}
        progress = Progress(progress.steps, progress.seconds, curve.add(line))
        report(settings.share(progress), line, words)
        if progress.steps % settings.save_every == 0 or settings.share(progress) >= 1.0:
            _save(accelerator, run, policy, optimizer, progress, described)
    if accelerator.is_main_process:
        about = {"method": learner.method, "config": described, "metrics": curve.last, **(card or {})}
        write_whole(run / ADAPTER_FOLDER, lambda folder: policy.save(folder, about))
    accelerator.wait_for_everyone()
    return run / ADAPTER_FOLDER


def _step(
    learner: Learner,
    settings: TrainSettings,
    optimizer: torch.optim.Optimizer,
    accelerator: Any,
    step: int,
    rate: float,
) -> tuple[dict[str, float], str]:
    """One step; means over its items, and an example of the first."""
    from accelerate.utils import gather_object

    parameters = learner.policy.parameters()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss = 0.0

    def backward(part: Tensor) -> None:
        nonlocal loss
        loss += float(part.detach()) / settings.accumulate
        accelerator.backward(part / settings.accumulate)

    learnt: list[Learnt] = []
    first = (step * accelerator.num_processes + accelerator.process_index) * settings.accumulate
    for number in range(first, first + settings.accumulate):
        torch.manual_seed((settings.seed << 32) + number)
        learnt.append(learner.learn(number, backward))
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if accelerator.num_processes > 1:
            parameter.grad = accelerator.reduce(parameter.grad, reduction="mean")
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm))
    if not math.isfinite(norm + loss):
        raise EngineError(f"step {step + 1} of {learner.method}: the loss is not finite; try a lower learning rate")
    optimizer.step()
    lessons: list[Mapping[str, float]] = [item.values for item in learnt]
    if accelerator.num_processes > 1:
        lessons = gather_object(lessons)
        loss = _agree(accelerator, loss)
    names = dict.fromkeys(name for values in lessons for name in values)
    values = {name: _mean([values[name] for values in lessons if name in values]) for name in names}
    return {"loss": loss, "gradient": norm, **values}, learnt[0].words


class _Curve:
    """curve.jsonl, one line per step; the main process writes it."""

    def __init__(self, path: Path, num_bytes: int, *, writes: bool) -> None:
        """
        Args:
            num_bytes: what stands behind was written after the checkpoint; it will be written again.
        """
        self._path = path
        self._writes = writes
        self.last: dict[str, Any] = {}
        if writes:
            path.touch()
            os.truncate(path, num_bytes)

    def add(self, line: Mapping[str, Any]) -> int:
        """Append a line; the size of the file."""
        self.last = {key: value for key, value in line.items() if key != "seconds"}
        if self._writes:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return self._path.stat().st_size if self._writes else 0


def _save(
    accelerator: Any,
    run: Path,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    described: Mapping[str, Any],
) -> None:
    if accelerator.is_main_process:
        save_checkpoint(run, policy, optimizer, progress, described)
    accelerator.wait_for_everyone()


def _agree(accelerator: Any, value: float) -> float:
    """The mean over all processes, so that they end and pause together."""
    if accelerator.num_processes == 1:
        return value
    return float(accelerator.reduce(torch.tensor(value, device=accelerator.device), reduction="mean"))


def _result_settings(settings: TrainSettings) -> dict[str, Any]:
    """Those that the result depends on, as far as it can be told: more minutes make another run, by the clock."""
    return {key: value for key, value in asdict(settings).items() if key not in FREE}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
