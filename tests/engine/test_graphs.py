"""What is kept by size, and dropped."""

from __future__ import annotations

import pytest
import torch

from streamspike.engine import graphs
from streamspike.engine.graphs import Graphs

CPU = torch.device("cpu")


def test_what_is_made_for_a_size_is_found_again() -> None:
    kept = Graphs()
    first = kept.find(1, object)
    assert kept.find(1, object) is first and kept.find(2, object) is not first


def test_the_size_unused_longest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MAX_SIZES", 2)
    kept = Graphs()
    first, second = kept.find(1, object), kept.find(2, object)
    assert kept.find(1, object) is first
    kept.find(3, object)
    assert len(kept) == 2
    assert kept.find(1, object) is first and kept.find(2, object) is not second


def test_sizes_share_one_storage_and_go_when_it_must_grow() -> None:
    kept = Graphs()
    large = kept.find("large", lambda: kept.storage((2, 6), torch.float32, CPU))
    small = kept.find("small", lambda: kept.storage((3, 2), torch.float32, CPU))
    assert large.data_ptr() == small.data_ptr() and len(kept) == 2
    kept.find("larger", lambda: kept.storage((13,), torch.float32, CPU))
    assert len(kept) == 1


def test_without_a_gpu_the_work_is_done_as_it_is() -> None:
    done: list[int] = []
    work = Graphs().capture(CPU, lambda: done.append(1), lambda: done.append(0))
    work()
    assert done == [1]


@pytest.mark.gpu
def test_on_a_gpu_the_work_is_replayed_and_not_called() -> None:
    device, calls = torch.device("cuda"), []
    total = torch.zeros(1, device=device)

    def work() -> None:
        calls.append(1)
        total.add_(1)

    replay = Graphs().capture(device, work, total.zero_)
    total.zero_()
    before = len(calls)
    for _ in range(3):
        replay()
    assert len(calls) == before and total.item() == 3
