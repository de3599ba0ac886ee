"""A cache that writes behind its end and forgets by moving the end back."""

from __future__ import annotations

import pytest
import torch

from streamspike.engine.cache import STEP_TOKENS, PrefixCache


def write(cache: PrefixCache, count: int, value: float) -> tuple[torch.Tensor, torch.Tensor]:
    for layer in range(2):
        keys, values = cache.update(
            torch.full((1, 2, count, 3), value + layer), torch.full((1, 2, count, 4), -value - layer), layer
        )
    return keys, values


def test_an_update_returns_everything_up_to_the_end() -> None:
    cache = PrefixCache(2)
    write(cache, 2, 10.0)
    keys, values = write(cache, 1, 20.0)
    assert keys.shape == (1, 2, 3, 3) and values.shape == (1, 2, 3, 4)
    assert keys[0, 1, :, 0].tolist() == [11.0, 11.0, 21.0]
    assert values[0, 0, :, 3].tolist() == [-11.0, -11.0, -21.0]
    assert cache.num_tokens == cache.get_seq_length() == 3
    cache.check_integrity()


def test_what_is_cut_off_is_written_over() -> None:
    cache = PrefixCache(2)
    write(cache, 3, 10.0)
    cache.truncate(1)
    assert cache.num_tokens == 1
    keys, _ = write(cache, 1, 20.0)
    assert keys[0, 0, :, 0].tolist() == [11.0, 21.0]


def test_an_update_within_the_storage_copies_nothing() -> None:
    cache = PrefixCache(2)
    before, _ = write(cache, 2, 1.0)
    after, _ = write(cache, STEP_TOKENS - 2, 2.0)
    assert before.data_ptr() == after.data_ptr()


def test_storage_grows_and_keeps_what_it_holds() -> None:
    cache = PrefixCache(2)
    write(cache, STEP_TOKENS, 1.0)
    small = cache.storage_bytes
    keys, _ = write(cache, 1, 7.0)
    assert keys[0, 0, STEP_TOKENS - 1 :, 0].tolist() == [2.0, 8.0]
    assert small == 2 * 2 * STEP_TOKENS * (3 + 4) * 4
    assert cache.storage_bytes == 2 * small


def test_truncating_keeps_the_storage() -> None:
    cache = PrefixCache(2)
    write(cache, 5, 1.0)
    held = cache.storage_bytes
    cache.truncate(0)
    assert cache.storage_bytes == held and cache.num_tokens == 0


def test_a_cache_cannot_be_cut_to_more_than_it_holds() -> None:
    cache = PrefixCache(2)
    write(cache, 2, 1.0)
    with pytest.raises(AssertionError):
        cache.truncate(3)


def test_layers_of_different_length_are_noticed() -> None:
    cache = PrefixCache(2)
    cache.update(torch.zeros(1, 2, 1, 3), torch.zeros(1, 2, 1, 3), 0)
    with pytest.raises(AssertionError):
        cache.check_integrity()


def test_an_empty_cache_holds_nothing() -> None:
    cache = PrefixCache(2)
    cache.truncate(0)
    assert cache.num_tokens == cache.storage_bytes == 0
