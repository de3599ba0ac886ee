"""A cache that writes behind its end, forgets by moving the end back, and lets go of its oldest tokens in place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from streamspike.engine.cache import STEP_TOKENS, PrefixCache

INV_FREQ = torch.tensor([1.0, 0.25])


def write(cache: PrefixCache, count: int, value: float) -> tuple[torch.Tensor, torch.Tensor]:
    for layer in range(2):
        keys, values = cache.update(
            torch.full((1, 2, count, 3), value + layer), torch.full((1, 2, count, 4), -value - layer), layer
        )
    return keys, values


def keys_at(positions: Sequence[int]) -> torch.Tensor:
    """(1, 1, num_tokens, 4) one and the same vector, rotated to these positions."""
    angles = torch.tensor(positions)[:, None] * INV_FREQ
    front, back = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.0])
    halves = front * angles.cos() - back * angles.sin(), back * angles.cos() + front * angles.sin()
    return torch.cat(halves, dim=-1)[None, None]


def test_an_update_returns_everything_up_to_the_end() -> None:
    cache = PrefixCache(2)
    write(cache, 2, 10.0)
    keys, values = write(cache, 1, 20.0)
    assert keys.shape == (1, 2, 3, 3) and values.shape == (1, 2, 3, 4)
    assert keys[0, 1, :, 0].tolist() == [11.0, 11.0, 21.0]
    assert values[0, 0, :, 3].tolist() == [-11.0, -11.0, -21.0]
    assert cache.num_tokens == cache.get_seq_length() == 3
    cache.check_integrity()


def test_all_layers_are_extended_and_read_at_once() -> None:
    one, other = PrefixCache(2), PrefixCache(2)
    write(one, STEP_TOKENS - 1, 10.0)
    write(one, 2, 20.0)  # the storage grows
    keys, values = one.held
    assert keys.shape == (2, 1, 2, STEP_TOKENS + 1, 3) and values.shape == (2, 1, 2, STEP_TOKENS + 1, 4)
    other.extend(keys[:, :, :, :1], values[:, :, :, :1])
    other.extend(keys[:, :, :, 1:], values[:, :, :, 1:])
    other.check_integrity()
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert torch.equal(mine.keys, theirs.keys) and torch.equal(mine.values, theirs.values)


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


def test_evicting_closes_the_gap_in_keys_and_values() -> None:
    cache = PrefixCache(2)
    for value in range(6):
        write(cache, 1, float(value))
    cache.evict(1, 2)
    assert cache.num_tokens == 4
    assert cache.layers[1].keys[0, 0, :, 0].tolist() == [1.0, 4.0, 5.0, 6.0]
    assert cache.layers[1].values[0, 1, :, 3].tolist() == [-1.0, -4.0, -5.0, -6.0]
    keys, _ = write(cache, 1, 20.0)
    assert keys[0, 0, :, 0].tolist() == [1.0, 4.0, 5.0, 6.0, 21.0]
    cache.check_integrity()


def test_evicting_the_last_tokens_is_truncating() -> None:
    cache = PrefixCache(2)
    for value in range(3):
        write(cache, 1, float(value))
    cache.evict(1, 2)
    assert cache.layers[0].keys[0, 0, :, 0].tolist() == [0.0]


@pytest.mark.parametrize(("first_token", "num_tokens"), [(0, 4), (2, 2), (-1, 1), (1, 0)])
def test_only_what_is_held_can_be_evicted(first_token: int, num_tokens: int) -> None:
    cache = PrefixCache(2)
    write(cache, 3, 1.0)
    with pytest.raises(AssertionError):
        cache.evict(first_token, num_tokens)


def test_a_rotated_key_is_the_one_of_the_position_it_moved_to() -> None:
    cache = PrefixCache(1)
    cache.update(keys_at(range(5, 15)), keys_at(range(10)), 0)
    cache.rotate(4, -3, INV_FREQ)
    expected = keys_at([5, 6, 7, 8, *range(6, 12)])
    torch.testing.assert_close(cache.layers[0].keys, expected, rtol=0, atol=1e-6)
    assert torch.equal(cache.layers[0].keys[:, :, :4], expected[:, :, :4])
    assert torch.equal(cache.layers[0].values, keys_at(range(10)))


def test_a_factor_on_the_keys_survives_rotation() -> None:
    cache = PrefixCache(1)
    cache.update(1.4 * keys_at(range(5, 8)), keys_at(range(3)), 0)  # as a rotary with an attention_scaling of 1.4
    cache.rotate(0, -5, INV_FREQ)
    torch.testing.assert_close(cache.layers[0].keys, 1.4 * keys_at(range(3)), rtol=0, atol=1e-6)


def test_tokens_of_different_age_move_together_from_where_each_was_written() -> None:
    cache = PrefixCache(1)
    cache.update(keys_at(range(6)), keys_at(range(6)), 0)
    for _ in range(3):
        cache.evict(1, 2)
        cache.rotate(1, -2, INV_FREQ)
        cache.update(keys_at([4, 5]), keys_at([4, 5]), 0)
        cache.check_integrity()
    torch.testing.assert_close(cache.layers[0].keys, keys_at(range(6)), rtol=0, atol=1e-6)


def test_what_is_written_where_moved_tokens_were_cut_off_has_not_moved() -> None:
    cache = PrefixCache(1)
    cache.update(keys_at(range(6)), keys_at(range(6)), 0)
    cache.rotate(0, 10, INV_FREQ)
    cache.truncate(2)
    cache.check_integrity()
    cache.update(keys_at([12, 13]), keys_at([12, 13]), 0)
    cache.rotate(0, -10, INV_FREQ)
    torch.testing.assert_close(cache.layers[0].keys, keys_at(range(4)), rtol=0, atol=1e-6)


def test_there_and_back_is_bitwise_the_key_that_was_written() -> None:
    written = keys_at(range(8)).bfloat16()
    cache = PrefixCache(1)
    cache.update(written, written, 0)
    for shift in (-7, 3, -5):
        cache.rotate(0, shift, INV_FREQ)
        assert not torch.equal(cache.layers[0].keys, written)
    cache.rotate(0, 9, INV_FREQ)
    assert torch.equal(cache.layers[0].keys, written)


def test_half_precision_is_rotated_in_float32_and_rounded_once() -> None:
    written = torch.randn(1, 2, 500, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    half, full = PrefixCache(1), PrefixCache(1)
    half.update(written, written, 0)
    full.update(written.float(), written.float(), 0)
    for shift in (-11, -6):
        half.rotate(0, shift, INV_FREQ)
        full.rotate(0, shift, INV_FREQ)
    assert torch.equal(half.layers[0].keys, full.layers[0].keys.bfloat16())


def test_only_rotation_costs_the_memory_of_keys_as_they_were_written() -> None:
    cache = PrefixCache(1)
    cache.update(keys_at(range(3)), keys_at(range(3)), 0)
    held = cache.storage_bytes
    cache.evict(0, 1)
    assert cache.storage_bytes == held
    cache.rotate(0, -1, INV_FREQ)
    assert cache.storage_bytes == held * 3 // 2


def test_a_key_without_its_original_is_noticed() -> None:
    cache = PrefixCache(1)
    cache.update(keys_at(range(3)), keys_at(range(3)), 0)
    cache.rotate(0, -1, INV_FREQ)
    cache.pristine.truncate(2)
    with pytest.raises(AssertionError):
        cache.check_integrity()


def test_an_empty_cache_holds_nothing() -> None:
    cache = PrefixCache(2)
    cache.truncate(0)
    assert cache.num_tokens == cache.storage_bytes == 0
