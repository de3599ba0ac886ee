"""Writes answers on the device: hypotheses and captions of all cameras, and no token is seen by the host on the way.

On a GPU a word costs a few milliseconds of bandwidth, and a host that reads it to decide what comes next costs as much
again. So a step is a fixed piece of work on fixed tensors (random numbers drawn before, masks and columns computed from
a step counter on the device), captured once as a CUDA graph for each size and replayed. The host looks every LOOK_STEPS
steps whether everybody has ended. On a CPU there is nobody to wait for, and `writer.py` saves more: it writes what
draws share once, and does not write what it guessed.

Both give the same words: the same random numbers choose from the same logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from streamspike.engine.attention import StepPlan, fold_mask
from streamspike.engine.decode import Nucleus, greedy, pick
from streamspike.engine.forward import embed, project, send
from streamspike.engine.graphs import Graphs
from streamspike.engine.model import LoadedModel
from streamspike.engine.runner import PackedRow

LOOK_STEPS = 8
"""Steps between two looks at who still writes: at most so many steps are run in vain."""

COLUMN_UNIT = 256


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One question of one row, whose last token is computed, and how it is answered."""

    row: PackedRow
    node: int
    max_tokens: int
    nucleus: Nucleus | None = None
    """Draws its number of rows; None: the one most likely answer."""

    @property
    def num_answers(self) -> int:
        return self.nucleus.num_rows if self.nucleus else 1


@dataclass(frozen=True, slots=True)
class _Size:
    rows: int
    branches: int
    columns: int
    steps: int


class DeviceSampler:
    """Keeps tensors and graphs by size, those of the model if it has any."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._graphs = Graphs() if loaded.graphs is None else loaded.graphs

    def write(self, questions: Sequence[Question]) -> list[list[list[int]]]:
        """Token ids of each question's answers, without the end; an answer may be cut off at its `max_tokens`."""
        if not questions:  # every request of the step was refused
            return []
        rows = list(dict.fromkeys(question.row for question in questions))
        branches = max(sum(q.num_answers for q in questions if q.row is row) for row in rows)
        columns = max(row.num_computed for row in rows)
        size = _Size(
            rows=1 << (len(rows) - 1).bit_length(),  # few sizes, so few graphs
            branches=branches,
            columns=-(-columns // COLUMN_UNIT) * COLUMN_UNIT,
            steps=max(question.max_tokens for question in questions),
        )
        tape = self._graphs.find(size, lambda: _Tape(self._loaded, self._graphs, size))
        places = tape.load(questions)
        tape.run()
        written = tape.tokens.cpu().tolist()  # the one wait for words
        end = self._loaded.layout.special.end
        answers = []
        for question, (row, first) in zip(questions, places, strict=True):
            lines = written[row][first : first + question.num_answers]
            answers.append([_until(line[: question.max_tokens], end) for line in lines])
        return answers

    def forget(self) -> None:
        """Drop all tensors and graphs: the weights are others, or the memory is needed."""
        self._graphs.clear()


def _until(line: list[int], end: int) -> list[int]:
    return line[: line.index(end)] if end in line else line


class _Tape:
    """The tensors of one size, and the step that moves them on."""

    def __init__(self, loaded: LoadedModel, graphs: Graphs, size: _Size) -> None:
        device, config = loaded.device, loaded.model.config.text_config
        self._loaded, self._size = loaded, size
        rows, branches, columns, steps = size.rows, size.branches, size.columns, size.steps
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        dtype = loaded.dtype
        total = columns + branches * steps
        # (keys and values, layers, rows, key heads, columns, width)
        shape = (2, config.num_hidden_layers, rows, config.num_key_value_heads, total, width)
        self._held = graphs.storage(shape, dtype, device)
        self._groups = config.num_attention_heads // config.num_key_value_heads
        self._sees = torch.zeros(rows, branches, columns, dtype=torch.bool, device=device)
        self._position = torch.zeros(rows, branches, dtype=torch.long, device=device)
        self._logits = torch.zeros(rows, branches, config.vocab_size, dtype=torch.float32, device=device)
        self._temperature = torch.ones(rows, branches, dtype=torch.float64, device=device)
        self._top_p = torch.ones_like(self._temperature)
        self._numbers = torch.zeros(steps, rows, branches, dtype=torch.float64, device=device)
        self._is_drawn = torch.zeros(rows, branches, dtype=torch.bool, device=device)
        self._alive = torch.zeros_like(self._is_drawn)
        self._step = torch.zeros(1, dtype=torch.long, device=device)
        self._branch = torch.arange(branches, device=device)
        self._suppressed = torch.tensor(loaded.suppressed, dtype=torch.long, device=device)
        self._end = loaded.layout.special.end
        self.tokens = torch.zeros(rows, branches, steps, dtype=torch.long, device=device)
        self._move = graphs.capture(device, self._advance, self._step.zero_)

    def load(self, questions: Sequence[Question]) -> list[tuple[int, int]]:
        """Take over caches, questions and random numbers. Where each question's answers begin: row and branch."""
        size, device = self._size, self._loaded.device
        order = {row: number for number, row in enumerate(dict.fromkeys(question.row for question in questions))}
        for row, number in order.items():
            for held, part in zip(self._held, row.cache.held, strict=True):
                held[:, number, :, : row.num_computed].copy_(part[:, 0])
            self._held[:, :, number, :, row.num_computed :].zero_()
        self._held[:, :, len(order) :].zero_()
        sees = np.zeros((size.rows, size.branches, size.columns), dtype=np.bool_)
        sees[:, :, 0] = True  # idle branches see something, or their softmax is of nothing
        position = np.zeros((size.rows, size.branches), dtype=np.int64)
        temperature, top_p = np.ones((2, size.rows, size.branches))
        numbers = np.zeros((size.steps, size.rows, size.branches))
        is_drawn = np.zeros((size.rows, size.branches), dtype=np.bool_)
        alive = np.zeros_like(is_drawn)
        used = [0] * len(order)
        places = []
        for question in questions:
            number, row = order[question.row], question.row
            own = slice(used[number], used[number] + question.num_answers)
            places.append((number, used[number]))
            used[number] = own.stop
            seen, next_position = row.tree.seen_from(question.node)
            sees[number, own, : len(seen)] = seen
            position[number, own] = next_position
            alive[number, own] = True
            if question.nucleus:
                is_drawn[number, own] = True
                temperature[number, own] = question.nucleus.temperature
                top_p[number, own] = question.nucleus.top_p
                for step in range(question.max_tokens):
                    numbers[step, number, own] = question.nucleus.draw()
        for held, array in (
            (self._sees, sees), (self._position, position), (self._temperature, temperature), (self._top_p, top_p),
            (self._numbers, numbers), (self._is_drawn, is_drawn), (self._alive, alive),
        ):  # fmt: skip
            held.copy_(send(array, device))
        first = torch.cat([question.row.hidden([question.node]) for question in questions])
        logits = project(self._loaded, first)
        for question, (number, start), line in zip(questions, places, logits, strict=True):
            self._logits[number, start : start + question.num_answers] = line
        self._step.zero_()
        self.tokens.fill_(self._end)
        return places

    def run(self) -> None:
        """All steps, or until a look finds that everybody has ended."""
        for step in range(self._size.steps):
            self._move()
            if (step + 1) % LOOK_STEPS == 0 and not bool(self._alive.any()):
                return

    def _advance(self) -> None:
        """Choose a token after every branch, and compute what comes after it. Nothing here depends on a value the host
        would have to know."""
        size = self._size
        logits = self._logits.index_fill(2, self._suppressed, -torch.inf).flatten(0, 1)
        number = self._numbers.index_select(0, self._step)[0]
        drawn = pick(logits, self._temperature.flatten(), self._top_p.flatten(), number.flatten())
        chosen = torch.where(self._is_drawn.flatten(), drawn, greedy(logits)).view(size.rows, size.branches)
        chosen = torch.where(self._alive, chosen, self._end)
        self._alive.logical_and_(chosen != self._end)
        self.tokens.index_copy_(2, self._step, chosen[..., None])

        at = self._step * size.branches + self._branch  # (branches,) among the columns that are written here
        written = torch.arange(size.branches * size.steps, device=chosen.device)
        own = (written % size.branches == self._branch[:, None]) & (written <= at[:, None])
        sees = torch.cat([self._sees, own.expand(size.rows, -1, -1)], dim=2)
        layers = [(keys, values) for keys, values in self._held.unbind(1)]
        plan = StepPlan(layers, size.columns + at, fold_mask(sees, self._groups, self._loaded.dtype))
        language_model = self._loaded.model.model.language_model
        hidden = embed(self._loaded, chosen)
        positions = (self._position + self._step).expand(3, -1, -1)
        rotations = language_model.rotary_emb(hidden, positions)
        for layer in language_model.layers:
            hidden = layer(hidden, attention_mask=plan, position_embeddings=rotations)
        self._logits.copy_(project(self._loaded, language_model.norm(hidden)))
        self._step.add_(1)
