"""Examples: the clips in which surprise did best, those in which it did worst, and some drawn by lot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamspike.bench.footage import Footage
from streamspike.bench.surprise.measurement import Board
from streamspike.bench.surprise.scored import ScoredClip, ScoredSegment
from streamspike.bench.surprise.scoring import play
from streamspike.config import Config
from streamspike.core import Pixels
from streamspike.errors import SourceError
from streamspike.measures.localisation import Bools, touches
from streamspike.outputs.keyframes import encode_keyframe
from streamspike.world.simulation import Truth

NUM_EACH = 3
FRAME_WIDTH_PX = 240


@dataclass(frozen=True, slots=True)
class Moment:
    """One segment of an example."""

    segment: ScoredSegment
    words: str
    """Why it is shown."""
    pictures: tuple[bytes, ...]
    """JPEG: the newest frame before the segment, and its own."""
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class Example:
    """One clip."""

    group: str
    """best, worst or by lot."""
    footage: Footage
    clip: ScoredClip
    moments: tuple[Moment, ...]


def choose_examples(board: Board, config: Config, seed: int) -> list[Example]:
    """Up to NUM_EACH of each group, no clip twice. Pictures are painted or decoded once more.

    Args:
        seed: of the lot.
    """
    clips = board.clips[board.shown]
    margins = [_margin(footage, clip) for footage, clip in zip(board.footage, clips, strict=True)]
    order = sorted((index for index in range(len(clips)) if len(clips[index].segments) > 1), key=lambda k: -margins[k])
    best = [index for index in order[:NUM_EACH] if margins[index] > 0]
    worst = [index for index in order[::-1][:NUM_EACH] if margins[index] <= 0]
    others = [index for index in order if index not in {*best, *worst}]
    lot = np.random.default_rng(seed).permutation(len(others))[:NUM_EACH]
    chosen = [("best", index) for index in best] + [("worst", index) for index in worst]
    chosen += [("by lot", others[place]) for place in lot.tolist()]
    return [
        Example(group, board.footage[k], clips[k], tuple(_moments(board, clips[k], k, config))) for group, k in chosen
    ]


def _margin(footage: Footage, clip: ScoredClip) -> float:
    """By how much the surprises of a clip stand out of the rest of it; in a clip without any, minus its peak."""
    if not clip.segments:
        return 0.0
    scores, near = clip.scores, _labelled(footage, clip)
    inside = scores[near].max() if near.any() else 0.0
    outside = scores[~near].max() if not near.all() else 0.0
    return float(inside - outside)


def _labelled(footage: Footage, clip: ScoredClip) -> Bools:
    if not footage.surprises:
        return np.zeros(len(clip.segments), dtype=np.bool_)
    return touches(clip.starts, clip.ends, footage.surprises)


def _moments(board: Board, clip: ScoredClip, place: int, config: Config) -> Iterator[Moment]:
    """The peak, and the surprise it missed, in order of time."""
    footage = board.footage[place]
    labelled = _labelled(footage, clip)
    peak = int(np.argmax(clip.scores))
    wanted = {peak: "the peak, at a labelled surprise" if labelled[peak] else "the peak, where nothing is labelled"}
    if labelled.any() and not labelled[peak]:
        missed = int(np.argmax(np.where(labelled, clip.scores, -math.inf)))
        wanted[missed] = "the surprise that it missed"
    pictures = _pictures(footage, sorted(wanted), config)
    for index in sorted(wanted):
        truth = board.truths[place][index] if board.truths else None
        yield Moment(clip.segments[index], wanted[index], pictures.get(index, ()), truth)


def _pictures(footage: Footage, wanted: Sequence[int], config: Config) -> dict[int, tuple[bytes, ...]]:
    """JPEGs of the wanted segments; what can no longer be read has none."""
    found: dict[int, tuple[bytes, ...]] = {}
    before: list[Pixels] = []
    try:
        for index, segment in enumerate(play(footage, config)):
            frames = [frame.pixels for frame in segment.frames]
            if index in wanted:
                found[index] = tuple(_encode(pixels) for pixels in [*before, *frames])
            if index >= wanted[-1]:
                break
            before = frames[-1:]
    except SourceError:
        return found  # it was there when it was scored; the report is worth more than its picture
    return found


def _encode(pixels: Pixels) -> bytes:
    return encode_keyframe(pixels, camera_id="", event_id="", index=0, taken_at=0.0, max_width_px=FRAME_WIDTH_PX).jpeg
