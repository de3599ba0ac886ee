"""Writing answers: the cache changes nothing, the nucleus is the nucleus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import torch

from streamspike.core import Sampling
from streamspike.engine.decode import Nucleus, generate, greedy
from streamspike.engine.forward import Row, last_logits
from streamspike.engine.layout import text_span
from streamspike.engine.model import LoadedModel
from tests.support.official import make_context, random_segments

NARROW = Sampling(temperature=1.0, temperature_spread=0.0, top_p=0.8, top_p_spread=0.0)


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture
def context(tiny: LoadedModel) -> Row:
    return make_context(tiny, random_segments(2))


def test_cached_greedy_equals_full_recomputation(tiny: LoadedModel, context: Row) -> None:
    written: list[int] = []
    for _ in range(8):
        row = context.extended(text_span(context.span.next_position, written))
        logits = last_logits(tiny, [row]).index_fill(1, torch.tensor(tiny.suppressed), -torch.inf)
        written.append(int(logits.argmax()))
    assert generate(tiny, context, greedy, 1, max_tokens=8) == [written]


def test_logits_of_every_row_and_step_equal_full_recomputation(tiny: LoadedModel, context: Row) -> None:
    seen: list[torch.Tensor] = []

    def third_or_fourth(logits: torch.Tensor) -> torch.Tensor:
        seen.append(logits)
        ranked = logits.argsort(dim=-1, descending=True)
        return torch.stack([ranked[0, 2], ranked[1, 3]])

    rows = generate(tiny, context, third_or_fourth, 2, max_tokens=4)
    for number, row in enumerate(rows):
        for step in range(len(row)):
            fresh = last_logits(tiny, [context.extended(text_span(context.span.next_position, row[:step]))])
            fresh = fresh.index_fill(1, torch.tensor(tiny.suppressed), -torch.inf)
            torch.testing.assert_close(seen[step][number], fresh[0], rtol=0, atol=1e-4)


def test_special_tokens_are_never_offered_but_the_end_is(tiny: LoadedModel, context: Row) -> None:
    def check(logits: torch.Tensor) -> torch.Tensor:
        assert torch.isinf(logits[:, list(tiny.suppressed)]).all()
        assert torch.isfinite(logits[:, tiny.layout.special.end]).all()
        return greedy(logits)

    generate(tiny, context, check, 3, max_tokens=3)


def test_an_answer_stops_at_its_end_while_others_go_on(tiny: LoadedModel, context: Row) -> None:
    end, letter = tiny.layout.special.end, tiny.layout.tokenize("a")[0]
    steps: Iterator[list[int]] = iter([[letter, end, letter], [letter, letter, letter], [end, letter, letter]])
    rows = generate(tiny, context, lambda _: torch.tensor(next(steps)), 3, max_tokens=3)
    assert rows == [[letter, letter], [], [letter, letter, letter]]


def test_writing_ends_when_all_rows_have(tiny: LoadedModel, context: Row) -> None:
    calls = Counter[str]()

    def stop(logits: torch.Tensor) -> torch.Tensor:
        calls["choose"] += 1
        return torch.full((len(logits),), tiny.layout.special.end)

    assert generate(tiny, context, stop, 2, max_tokens=20) == [[], []]
    assert calls["choose"] == 1


def draw(probabilities: list[float], sampling: Sampling, num_rows: int, seed: int = 0) -> Counter[int]:
    logits = torch.tensor(probabilities).log().repeat(num_rows, 1)
    return Counter(Nucleus(sampling, num_rows, seed)(logits).tolist())


def test_the_nucleus_is_the_smallest_set_that_holds_top_p() -> None:
    # 0.45 + 0.3 do not hold 0.8, so the token that crosses the line belongs to it; the last one does not.
    counts = draw([0.05, 0.45, 0.2, 0.3], NARROW, 4000)
    assert set(counts) == {1, 2, 3}
    assert [counts[token] / 4000 for token in (1, 3, 2)] == pytest.approx(
        [0.45 / 0.95, 0.3 / 0.95, 0.2 / 0.95], abs=0.03
    )


def test_a_tiny_top_p_is_greedy() -> None:
    assert set(draw([0.2, 0.5, 0.3], Sampling(top_p=0.01, top_p_spread=0.0), 100)) == {1}


def test_top_p_one_reaches_every_token() -> None:
    counts = draw([0.1, 0.2, 0.3, 0.4], Sampling(temperature_spread=0.0, top_p=1.0, top_p_spread=0.0), 4000)
    assert [counts[token] / 4000 for token in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)


def test_temperature_two_takes_the_square_root() -> None:
    counts = draw([0.1, 0.9], Sampling(temperature=2.0, temperature_spread=0.0, top_p=1.0, top_p_spread=0.0), 4000)
    assert counts[0] / 4000 == pytest.approx(0.25, abs=0.03)


def test_impossible_tokens_are_never_drawn() -> None:
    assert 0 not in draw([0.0, 0.5, 0.5], Sampling(top_p=1.0, top_p_spread=0.0), 500)


def test_temperature_and_top_p_are_drawn_anew_for_each_row() -> None:
    nucleus = Nucleus(Sampling(temperature=1.0, temperature_spread=0.1, top_p=0.9, top_p_spread=0.05), 500, seed=1)
    assert 0.9 <= float(nucleus.temperature.min()) < 0.91 and 1.09 < float(nucleus.temperature.max()) <= 1.1
    assert 0.85 <= float(nucleus.top_p.min()) < 0.855 and 0.945 < float(nucleus.top_p.max()) <= 0.95


def test_the_same_seed_draws_the_same(tiny: LoadedModel, context: Row) -> None:
    def sample(seed: int) -> list[list[int]]:
        return generate(tiny, context, Nucleus(Sampling(), 3, seed), 3, max_tokens=5)

    assert sample(4) == sample(4) != sample(5)
