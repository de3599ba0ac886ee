"""Which data set a text such as `oops:PATH` means."""

from __future__ import annotations

from streamspike.bench.footage import Dataset, DatasetError


def choose_dataset(spec: str) -> Dataset:
    """See `streamspike.bench.footage.open_dataset`."""
    raise DatasetError(f"there is no data set {spec!r}")
