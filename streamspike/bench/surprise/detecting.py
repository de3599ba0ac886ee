"""Onset recall against false alarms, and how late alarms are, of one scorer over the clips of a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.scored import ScoredClip
from streamspike.measures.detection import (
    Curve,
    Evidence,
    Tolerance,
    Track,
    collect,
    detection_delays,
    recall_at,
    threshold_at,
    trace_curve,
)
from streamspike.measures.estimate import bootstrap
from streamspike.report.figures import finite, plain

FALSE_ALARMS_PER_HOUR = (1, 10, 60)
"""What somebody may bear: an hour without rest, one in six minutes, one a minute."""
DELAY_AT = 10
NUM_DRAWS = 400
"""Of the bootstrap: the curve is traced anew for each."""
MAX_POINTS = 200


def track_of(footage: Footage, clip: ScoredClip) -> Track:
    """All segments of a video, as a detector sees it."""
    return Track(clip.starts, clip.ends, clip.scores, footage.surprises)


def measure_detection(tracks: Sequence[Track], tolerance: Tolerance, seed: int) -> dict[str, Any]:
    """Plain values. One threshold for all clips, whatever the rate; none is tuned to a clip.

    Returns:
        `recall_at`: figures by false alarms per hour. At DELAY_AT of them: `threshold`, `found_share` of the onsets,
        and `median_delay_seconds` over those that were found. `curve`: `false_alarms_per_hour` and `recall`.
    """
    evidence = [collect(track, tolerance) for track in tracks]
    curve = trace_curve(evidence)
    recalls = {}
    for rate in FALSE_ALARMS_PER_HOUR:

        def recall(clips: Sequence[Evidence], rate: int = rate) -> float:
            return recall_at(trace_curve(clips), rate)

        recalls[str(rate)] = plain(bootstrap(evidence, recall, seed, NUM_DRAWS))
    threshold = threshold_at(curve, DELAY_AT)
    delays = detection_delays(tracks, threshold, tolerance) if not math.isnan(threshold) else np.zeros(0)
    found = delays[~np.isnan(delays)]
    return {
        "recall_at": recalls,
        "threshold": finite(threshold),
        "median_delay_seconds": float(np.median(found)) if len(found) else None,
        "found_share": len(found) / len(delays) if len(delays) else None,
        "curve": _thin(curve),
    }


def _thin(curve: Curve) -> dict[str, list[float | None]]:
    """No more points than anybody can see."""
    places = np.unique(np.linspace(0, len(curve.thresholds) - 1, MAX_POINTS).round().astype(int))
    return {
        "false_alarms_per_hour": [finite(value) for value in curve.false_alarms_per_hour[places]],
        "recall": [finite(value) for value in curve.recall[places]],
    }
