"""What keyframes could be worth at best: chosen by somebody who knows the whole hour before it begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from streamspike.select.online import HOUR_SECONDS, Candidate, SelectorLimits, Signature, difference, sign
from streamspike.world.live import Stage, parse_world

MAX_SIGNED = 20
"""Times the budget: so many of the most surprising segments are looked at by an oracle that wants no two alike."""
FRAME_PART = 0.75
"""Where in a segment its last frame lies."""


def free_mass(candidates: Sequence[Candidate], keyframes_per_hour: int) -> float:
    """Nats of the best of each clock hour, however alike they look: nobody can have more."""
    hours: dict[int, list[float]] = defaultdict(list)
    for candidate in candidates:
        hours[int(candidate.at_seconds // HOUR_SECONDS)].append(candidate.surprise_nats)
    return sum(sum(sorted(values)[-keyframes_per_hour:]) for values in hours.values() if keyframes_per_hour)


def distinct_mass(candidates: Sequence[Candidate], limits: SelectorLimits) -> float:
    """Nats of the best of each clock hour of which no two look alike, under the limits; taken best first."""
    taken: list[Candidate] = []
    room: dict[int, int] = defaultdict(lambda: limits.keyframes_per_hour)
    for candidate in sorted(candidates, key=lambda candidate: -candidate.surprise_nats):
        hour = int(candidate.at_seconds // HOUR_SECONDS)
        if room[hour] and not any(_alike(candidate, other, limits) for other in taken):
            taken.append(candidate)
            room[hour] -= 1
    return sum(candidate.surprise_nats for candidate in taken)


def _alike(one: Candidate, other: Candidate, limits: SelectorLimits) -> bool:
    if one.signature is None or other.signature is None:
        return False
    near = abs(one.at_seconds - other.at_seconds) < limits.alike_seconds
    return near and difference(one.signature, other.signature) <= limits.min_difference


def repaint(address: str, indices: Sequence[int], segment_seconds: float) -> Mapping[int, Signature]:
    """What the last frames of these segments of a simulated camera look like.

    Args:
        address: of the camera, with world:.
    """
    stage = Stage(parse_world(address.removeprefix("world:")), segment_seconds)
    signatures = {}
    for index in sorted(indices):
        seconds = (index + FRAME_PART) * segment_seconds
        signatures[index] = sign(stage.frame(seconds, seconds).pixels)
    return signatures
