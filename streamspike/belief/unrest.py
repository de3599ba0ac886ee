"""How much is going on that is out of the ordinary: what surprises, what still lasts of it, and how much moves.

Surprise is of a moment. Who falls surprises once, and who then lies there is what everybody expects; a cart on a
footpath surprises when it comes. Whoever asks which stretches of a recording to look at means the time until it is
over, as labels by frame do. Unrest answers that: to the surprise of a segment it adds

- what was above 2 nats, fading by 15 % each second: what happened is not undone a second later;
- 2 ln(1 + x / u) for the mean length x of optical flow, as for a Pareto law of index 2 (see `change.py`), but with the
  same u for all cameras: next to noise, so that whatever moves counts before anybody knows what is usual there.

It ranks time; its level depends on what always moves before a camera, and rain alone is worth 4 nats (the demo's).
Events come of surprise and not of unrest: this one is no divergence of beliefs, and says less well when it begins.
"""

from __future__ import annotations

import math

from streamspike.belief.baselines import make_baseline
from streamspike.core import Segment

CALM_NATS = 2.0
"""What surprises less than this is over at once."""
KEPT_PER_SECOND = 0.85
MOTION = 2.0
STILL = 1e-3
"""Mean flow from one segment to the next, in parts of the picture's width, that noise alone may have."""


class Unrest:
    """One camera's, from segment to segment. No clock, not thread-safe."""

    def __init__(self) -> None:
        self._motion = make_baseline("optical-flow")
        self._epoch: int | None = None
        self._lasting = 0.0
        self._until_seconds = 0.0  # of stream time

    def nats(self, segment: Segment, surprise_nats: float) -> float:
        """Unrest in a segment that surprises so much, at least as much as that; a new epoch begins calm.

        Args:
            surprise_nats: 0 for a segment that was seen but not scored.
        """
        if segment.epoch != self._epoch:
            self._epoch = segment.epoch
            self._lasting = 0.0
            self._until_seconds = segment.start_seconds
        kept = KEPT_PER_SECOND ** (segment.end_seconds - self._until_seconds)  # segments may be left out under load
        self._until_seconds = segment.end_seconds
        self._lasting = max(kept * self._lasting, surprise_nats - CALM_NATS)
        return surprise_nats + self._lasting + MOTION * math.log1p(self._motion.score(segment) / STILL)
