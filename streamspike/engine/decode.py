"""Writes answers token by token: greedy, by nucleus sampling with a seed, or side by side as beams.

The prompt is run once and its cache repeated for every row; within one loop that is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from streamspike.core import Sampling
from streamspike.engine.beams import Beams, Shortlist
from streamspike.engine.forward import Row, embed, last_logits, project, run_rows
from streamspike.engine.layout import text_span
from streamspike.engine.model import LoadedModel

Chooser = Callable[[Tensor], Tensor]
"""(num_rows, vocabulary) float32 logits to (num_rows,) token ids."""


def greedy(logits: Tensor) -> Tensor:
    """The most likely token of each row."""
    return logits.argmax(dim=-1)


class Nucleus:
    """Draws from the smallest set of tokens that holds top_p of the probability; temperature and top_p differ by row.

    Random numbers come from a generator on the CPU, so that a seed means the same on every device.
    """

    def __init__(self, sampling: Sampling, num_rows: int, seed: int) -> None:
        self.num_rows = num_rows
        self._generator = torch.Generator().manual_seed(seed)
        spread = 2.0 * torch.rand((num_rows, 2), generator=self._generator, dtype=torch.float64) - 1.0
        self.temperature = (sampling.temperature + sampling.temperature_spread * spread[:, 0]).clamp(min=0.01)
        self.top_p = (sampling.top_p + sampling.top_p_spread * spread[:, 1]).clamp(0.001, 1.0)

    def __call__(self, logits: Tensor) -> Tensor:
        """One step of all rows, (num_rows, vocabulary) to (num_rows,)."""
        return pick(logits, self.temperature, self.top_p, self.draw())

    def draw(self) -> Tensor:
        """Random numbers of one step, (num_rows,) in [0, 1). Every row consumes one, so that a row's draws do not
        depend on who still writes."""
        return torch.rand((self.num_rows, 1), generator=self._generator, dtype=torch.float64)[:, 0]


def pick(logits: Tensor, temperature: Tensor, top_p: Tensor, draw: Tensor) -> Tensor:
    """One token per row from its nucleus.

    Args:
        logits: (num_rows, vocabulary).
        temperature, top_p, draw: (num_rows,) float64, on any device.
    """
    device = logits.device
    temperature, top_p, draw = (values[:, None].to(device) for values in (temperature, top_p, draw))
    probability, order = torch.softmax(logits.double() / temperature, dim=-1).sort(dim=-1, descending=True)
    before = probability.cumsum(dim=-1) - probability
    # A token is in when what stands before it does not yet hold top_p: the one that crosses the line counts.
    kept = torch.where(before < top_p, probability, 0.0)
    reached = kept.cumsum(dim=-1)
    place = torch.searchsorted(reached, draw * reached[:, -1:], right=True)
    # Rounding may put a draw of almost 1 behind the last token that is kept.
    place = place.minimum((kept > 0).sum(dim=-1, keepdim=True) - 1)
    return order.gather(1, place)[:, 0]


def as_they_come(num_draws: int, max_tokens: int) -> Sampling:
    """Draws from the model itself, at temperature 1 and from the whole vocabulary: means over them are unbiased."""
    return Sampling(num_draws, max_tokens, temperature=1.0, temperature_spread=0.0, top_p=1.0, top_p_spread=0.0)


def shortlist(logits: Tensor, wanted: Shortlist) -> tuple[list[list[int]], list[list[float]]]:
    """Tokens that may follow, and their log-probabilities in the tempered nucleus.

    Args:
        logits: (num_rows, vocabulary); special tokens at -inf.
        wanted: without numbers the likeliest tokens; with numbers each row's are drawn without replacement.
    """
    probability, order = torch.softmax(logits.double() / wanted.temperature, dim=-1).sort(dim=-1, descending=True)
    left = torch.where(probability.cumsum(dim=-1) - probability < wanted.top_p, probability, 0.0)
    left = left / left.sum(dim=-1, keepdim=True)
    if wanted.numbers is None:
        return order[:, : wanted.count].tolist(), left[:, : wanted.count].log().tolist()
    numbers = torch.from_numpy(wanted.numbers).to(logits.device)
    index = torch.arange(left.shape[1], device=logits.device)
    token_ids, log_probabilities = [], []
    for draw in range(wanted.count):
        reached = left.cumsum(dim=-1)
        place = torch.searchsorted(reached, numbers[:, draw : draw + 1] * reached[:, -1:], right=True)
        # Rounding may put a draw of almost 1 behind the last token that is left; where none is left, its share is 0.
        place = place.minimum(torch.where(left > 0, index, 0).amax(dim=-1, keepdim=True))
        token_ids.append(order.gather(1, place))
        log_probabilities.append(left.gather(1, place).log())
        left = left.scatter(1, place, 0.0)
    # The shares are of the whole nucleus: what is drawn is not made up for.
    return torch.cat(token_ids, dim=1).tolist(), torch.cat(log_probabilities, dim=1).tolist()


def search(loaded: LoadedModel, context: Row, beams: Beams) -> list[tuple[int, ...]]:
    """Answers to one context, written side by side, each word by a forward of whole rows.

    Returns:
        Token ids of each answer without the end.
    """
    suppressed = torch.tensor(loaded.suppressed, dtype=torch.long, device=loaded.device)
    written: list[list[int]] = [[] for _ in beams.parents]
    while beams.writing:
        position = context.span.next_position
        logits = last_logits(loaded, [context.extended(text_span(position, ids)) for ids in written])
        tokens = beams.take(*shortlist(logits.index_fill(1, suppressed, -torch.inf), beams.wanted()))
        written = [[*written[parent], token] for parent, token in zip(beams.parents, tokens, strict=True)]
    return beams.answers


def generate(loaded: LoadedModel, context: Row, choose: Chooser, num_rows: int, max_tokens: int) -> list[list[int]]:
    """Answers to one context.

    Special tokens are never chosen, except the one that ends the answer: a sampled video token would break later rows.

    Returns:
        Token ids of each row without the end; an answer may be cut off at `max_tokens`.
    """
    from transformers import DynamicCache

    language_model = loaded.model.model.language_model
    end = loaded.layout.special.end
    suppressed = torch.tensor(loaded.suppressed, dtype=torch.long, device=loaded.device)
    cache = DynamicCache(config=language_model.config)
    logits = project(loaded, run_rows(loaded, [context], cache)[:, -1]).repeat(num_rows, 1)
    if num_rows > 1:
        cache.batch_repeat_interleave(num_rows)
    position = context.span.next_position
    alive = torch.ones(num_rows, dtype=torch.bool, device=loaded.device)
    chosen: list[Tensor] = []
    while True:
        ids = torch.where(alive, choose(logits.index_fill(1, suppressed, -torch.inf)), end)
        chosen.append(ids)
        alive = alive & (ids != end)
        if len(chosen) == max_tokens or not bool(alive.any()):
            break
        output = language_model(
            inputs_embeds=embed(loaded, ids[:, None]),
            position_ids=torch.full((3, num_rows, 1), position, device=loaded.device),
            past_key_values=cache,
            use_cache=True,
        )
        logits = project(loaded, output.last_hidden_state[:, -1])
        position += 1
    columns = torch.stack(chosen, dim=1).tolist()  # num_rows lists of num_steps ids
    return [row[: row.index(end)] if end in row else row for row in columns]
