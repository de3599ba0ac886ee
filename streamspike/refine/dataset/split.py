"""Which clips are for training and which are held out, so that evaluation never sees what was trained on.

    one camera   | train | train | train | train |   gap   | held out | held out |      time ->
    another one  | held out | held out | held out | held out |                          a camera that is held out whole

By time and by camera: of each camera the last clips are held out, and what ends less than a gap before the first of
them is left out altogether, because what goes on there may go on here. Cameras that are named are held out whole; that
is the stricter test, of places never seen. Clips of one camera never overlap (see `journal.py`), and a held-out clip
that looks like one of training is dropped, wherever it comes from (see `writing.py`).
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from streamspike.refine.dataset.candidate import Candidate
from streamspike.refine.examples import Split


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How clips are split."""

    held_out: float = 0.2
    """Share of the clips of each camera, in [0, 1)."""
    gap_seconds: float = 60.0
    cameras: frozenset[str] = frozenset()
    """Held out whole."""
    by: str = "time"
    """time: of each camera the last clips; camera: of all cameras some, drawn by seed, as for folders of videos."""
    seed: int = 0

    def divide(self, candidates: Sequence[Candidate]) -> tuple[dict[Split, list[Candidate]], int]:
        """The clips of each split in order of time, and how many were left out in gaps."""
        parts: dict[Split, list[Candidate]] = {"train": [], "held_out": []}
        num_in_gap = 0
        cameras: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in sorted(candidates, key=lambda candidate: (candidate.taken_at, candidate.clip_id)):
            cameras[candidate.camera_id].append(candidate)
        whole = self.cameras | (self._draw(list(cameras)) if self.by == "camera" else frozenset())
        for camera_id, clips in cameras.items():
            if camera_id in whole or self.by == "camera":
                parts["held_out" if camera_id in whole else "train"] += clips
                continue
            num_held_out = self._count(len(clips))
            held_out = clips[len(clips) - num_held_out :]
            border_at = held_out[0].taken_at[0] - self.gap_seconds if held_out else math.inf
            before = clips[: len(clips) - num_held_out]
            train = [clip for clip in before if clip.taken_at[1] <= border_at]
            num_in_gap += len(before) - len(train)
            parts["train"] += train
            parts["held_out"] += held_out
        return parts, num_in_gap

    def _count(self, num: int) -> int:
        """Of so many, how many are held out: the share, at least one if anything is to be, and never all."""
        return min(max(round(self.held_out * num), 1), num - 1) if self.held_out > 0 else 0

    def _draw(self, camera_ids: list[str]) -> frozenset[str]:
        order = sorted(camera_ids, key=lambda name: hashlib.sha256(f"{self.seed}/{name}".encode()).digest())
        return frozenset(order[: self._count(len(order))])
