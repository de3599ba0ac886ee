"""What a store has to offer: its clips with what was believed, said and judged of them, no moment twice."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from streamspike.core import EventKind, Observation
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.store import Store
from streamspike.refine.dataset.candidate import Candidate, Said

PEAK_PART = 2 / 3
"""Of an event that is longer than an example may be, the peak comes so far into what is taken of it."""
NO_VERDICT = {None: 0, True: 1, False: -1}


class Journal:
    """The clips of a store. Blocking; the store stays open while it is used."""

    def __init__(self, store: Store, folder: Path, segment_seconds: float, max_segments: int) -> None:
        """
        Args:
            folder: of clips.
            segment_seconds: of clips whose segments the store has forgotten.
            max_segments: longest example.
        """
        self._store = store
        self._folder = folder
        self._segment_seconds = segment_seconds
        self._max_segments = max_segments

    def candidates(self, since_at: float, opted_out: Collection[str], dropped: Counter[str]) -> list[Candidate]:
        """Clips that ended after `since_at`, of cameras that did not opt out, by time; no two overlap in a camera.

        Args:
            dropped: counts what is left out, by reason.
        """
        found = []
        for clip in self._store.clips.list_oldest_first():
            if clip.started_at + clip.seconds < since_at:
                continue
            if clip.camera_id in opted_out:
                dropped["opted_out"] += 1
                continue
            if not (self._folder / Path(clip.file_name).name).is_file():
                dropped["missing"] += 1
                continue
            candidate = self._describe(clip, dropped)
            found += [] if candidate is None else [candidate]
        return without_overlaps(found, dropped)

    def _describe(self, clip: Clip, dropped: Counter[str]) -> Candidate | None:
        heard = self._heard(clip)
        whole = [observation.end_seconds - observation.start_seconds for observation in heard]
        segment_seconds = statistics.median(whole) if whole else self._segment_seconds
        # Stream time of the file's first frame. UTC wavers with the network; the median does so least.
        offset = statistics.median(seen.started_at - seen.start_seconds for seen in heard) if heard else clip.started_at
        began_seconds = clip.started_at - offset
        told = [seen for seen in heard if seen.kind is EventKind.SURPRISE]
        candidate = Candidate(
            clip_id=clip.event_id,
            camera_id=clip.camera_id,
            path=self._folder / Path(clip.file_name).name,
            started_at=clip.started_at,
            seconds=clip.seconds,
            surprising=clip.kind == "event",
            segment_seconds=segment_seconds,
            phase_seconds=_phase(began_seconds, segment_seconds),
            said=tuple(Said(seen.start_seconds - began_seconds, seen.caption, seen.surprise_nats) for seen in told),
            until_seconds=self._max_segments * segment_seconds,
            model=told[-1].model if told else "",
        )
        if clip.kind == "ordinary":
            return candidate
        revisions = self._store.revisions(clip.event_id)
        if not revisions or revisions[-1].kind is EventKind.MOVED:
            dropped["no_event" if not revisions else "moved"] += 1
            return None
        verdict = NO_VERDICT[self._store.feedback.of_event(clip.event_id)]
        peak_seconds = revisions[-1].peak_at - clip.started_at
        longest = self._max_segments * segment_seconds
        latest = max(0.0, clip.seconds - longest)  # later, it would be shorter than it may be
        start_seconds = min(max(0.0, peak_seconds - PEAK_PART * longest), latest)
        return replace(
            candidate,
            verdict=verdict,
            peak_seconds=peak_seconds,
            from_seconds=start_seconds or -math.inf,
            until_seconds=start_seconds + longest,
        )

    def _heard(self, clip: Clip) -> list[Observation]:
        """What the journal says of the time of a clip: by one model, of one connection, those that say most."""
        observations = self._store.observations(
            clip.camera_id, clip.started_at - self._segment_seconds, clip.started_at + clip.seconds
        )
        sources = Counter((seen.model, seen.epoch) for seen in observations)
        if not sources:
            return []
        best = sources.most_common(1)[0][0]
        return [seen for seen in observations if (seen.model, seen.epoch) == best]


def without_overlaps(candidates: list[Candidate], dropped: Counter[str]) -> list[Candidate]:
    """Each moment of a camera once: what an earlier clip shows is cut off the later one, which may leave nothing."""
    kept: list[Candidate] = []
    shown_until: dict[str, float] = {}
    for candidate in sorted(candidates, key=lambda candidate: (candidate.taken_at, candidate.clip_id)):
        start_at, end_at = candidate.taken_at
        shown_at = shown_until.get(candidate.camera_id, -math.inf)
        if shown_at > start_at:
            from_seconds = shown_at - candidate.started_at
            peak_seconds = math.inf if candidate.peak_seconds is None else candidate.peak_seconds
            if shown_at >= end_at - 2 * candidate.segment_seconds or peak_seconds < from_seconds:
                dropped["same_footage"] += 1
                continue
            candidate = replace(candidate, from_seconds=from_seconds)
        is_cut_off = candidate.until_seconds < candidate.seconds
        shown_until[candidate.camera_id] = end_at + candidate.segment_seconds * is_cut_off  # the last one ends later
        kept.append(candidate)
    return kept


def _phase(began_seconds: float, segment_seconds: float) -> float:
    """Of stream time within its segment, in [0, segment_seconds); a hair before a border is at it."""
    phase = began_seconds % segment_seconds
    return 0.0 if segment_seconds - phase < 1e-3 else phase
