"""Fixed work on fixed tensors, by size: on a GPU captured once as a CUDA graph and replayed, elsewhere run as it is.

A graph reads and writes the addresses it was captured with, so its inputs are copied into tensors that stay where they
are. What all sizes share is the largest part of it, the keys and values: one storage, as no two of them run at the same
time and each fills it before it runs. Graphs share the memory of what they compute on the way for the same reason.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

MAX_SIZES = 32
"""Whose tensors and graph are kept; the one unused longest goes first."""

Item = TypeVar("Item")


class Graphs:
    """Of one model: it keeps what was made for each size. To be cleared when the weights become others."""

    def __init__(self) -> None:
        self._items: OrderedDict[Hashable, Any] = OrderedDict()
        self._storage: Tensor | None = None
        self._pool: Any = None

    def __len__(self) -> int:
        return len(self._items)

    def find(self, size: Hashable, make: Callable[[], Item]) -> Item:
        """What is kept for a size, made if there is none."""
        item: Item | None = self._items.pop(size, None)
        item = make() if item is None else item
        self._items[size] = item
        if len(self._items) > MAX_SIZES:
            self._items.popitem(last=False)
        return item

    def storage(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """A part of the shared storage. When it must grow, everything made on the old one is dropped."""
        wanted = torch.Size(shape).numel()
        if self._storage is None or self._storage.numel() < wanted or self._storage.dtype != dtype:
            self.clear()
            # Zeros: a masked column counts for nothing, but not if it holds an infinity.
            self._storage = torch.zeros(wanted, dtype=dtype, device=device)
        return self._storage[:wanted].view(*shape)

    def capture(
        self, device: torch.device, work: Callable[[], None], reset: Callable[[], object]
    ) -> Callable[[], None]:
        """What does the work from now on: a graph on a GPU, else the work itself.

        Args:
            work: on tensors that stay where they are. It is run a few times here to warm up.
            reset: called before each of these runs.
        """
        if device.type != "cuda":
            return work
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(2):
                reset()
                work()
        torch.cuda.current_stream(device).wait_stream(stream)
        reset()
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            work()
        return graph.replay

    def clear(self) -> None:
        """Drop all tensors and graphs: the weights are others, or the memory is needed."""
        self._items.clear()
        self._storage, self._pool = None, None
