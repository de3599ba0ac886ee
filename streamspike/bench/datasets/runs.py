"""Runs of labelled frames, for annotations that have a 0 or 1 per frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def runs(labelled: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last frame of each run of true, counted from 1, the last one included.

    Args:
        labelled: (num_frames,)
    """
    edges = np.diff(np.concatenate(([0], labelled.astype(np.int8), [0])))
    firsts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1)
    return [(int(first), int(last)) for first, last in zip(firsts, ends, strict=True)]
