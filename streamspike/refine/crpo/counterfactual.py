"""The two counterfactual branches of a clip: mirrored, or played backwards; its frames, and what is true of them then.

Frames are turned exactly. A sentence is turned by a table: `flip` and `reverse` give what the world would say of the
turned segment, or None where its grammar has no true sentence for that. Three things decide about None:

1. What cannot be said. A box that falls from a shelf rises in reverse, and no sentence says so.
2. What the sentence does not tell. "a person stops" backwards is somebody who walks on, but which way?
3. What is not in the picture. On which side of the road cars keep is a rule of the world, and a car that comes from
   the other side "drives the wrong way". A mirror turns the picture and leaves the rule, so for what keeps to a side of
   the road there is no sentence about entering that is true in the mirror by any rule.

The place of whoever goes on is that in the middle of the segment, so it is the same backwards. For who sits down, gets
up, puts down or picks up, it may be off by a third of the picture, as the world says it of where they were headed;
questions about them therefore never turn on the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamspike.core import Pixels
from streamspike.refine.crpo.grammar import GOES_ON, Saying, read_saying
from streamspike.world.sentences import GOING_ON

Branch = Literal["flip", "reverse"]
BRANCHES: tuple[Branch, ...] = ("flip", "reverse")
Segments = tuple[tuple[Pixels, ...], ...]

MIRRORED = {
    "left": "right",
    "right": "left",
    "on the left": "on the right",
    "on the right": "on the left",
}

KEEPS_TO_A_SIDE = ("car", "van", "bicycle")


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a template becomes when time runs backwards."""

    kind: str
    other_side: bool = False
    """Left becomes right. Not so for edges of the picture: who came from the left leaves to the left."""
    of_what: str = ""
    """Holds only for this object; empty: for all."""


def _going_on() -> dict[str, tuple[Reversal, ...]]:
    return {GOES_ON + name: (Reversal(GOES_ON + name, "{side}" in text),) for name, text in GOING_ON.items()}


REVERSALS: dict[str, tuple[Reversal, ...]] = {  # the first that fits
    "enter": (Reversal("leave"),),
    "leave": (Reversal("enter"),),
    "sit": (Reversal("get_up"),),
    "get_up": (Reversal("sit"),),
    "put_down": (Reversal("pick_up"),),
    "pick_up": (Reversal("put_down", of_what="box"), Reversal("leave_behind", of_what="bag")),
    "leave_behind": (Reversal("pick_up"),),
    "lights_out": (Reversal("lights_on"),),
    "lights_on": (Reversal("lights_out"),),
    "covered": (Reversal("uncovered"),),
    "uncovered": (Reversal("covered"),),
    "camera_moves": (Reversal("camera_moves"),),
    "turn": (Reversal("turn"),),
    "turn_back": (Reversal("turn_back"),),
    "jump": (Reversal("jump"),),
    # These lead one way only: what they become has another reversal, or none.
    "start": (Reversal("stop"),),
    "bend": (Reversal("get_up"),),
    "lie_down": (Reversal("get_up"),),
    "fall": (Reversal("get_up"),),
    "run": (Reversal(GOES_ON + "run", other_side=True),),
    "item_vanishes": (Reversal("appear", of_what="box"), Reversal("appear", of_what="bag")),
    "wrong_way": (Reversal("leave", other_side=True),),
    "intrude": (Reversal("leave"),),
    **_going_on(),
    "dark": (Reversal("dark"),),
    "blocked": (Reversal("blocked"),),
}
"""Absent: throws, balls that fly in or roll away, drops, who vanishes, what appears, stops, collisions, climbing."""


def flip(sentence: str) -> str | None:
    """What is true of a segment mirrored left to right, if `sentence` is true of it; None if there is no such sentence.

    Its own inverse wherever it is not None.
    """
    saying = read_saying(sentence)
    turned = flip_saying(saying) if saying is not None else None
    return turned.text if turned is not None else None


def reverse(sentence: str) -> str | None:
    """What is true of a segment played backwards, if `sentence` is true of it; None if there is no such sentence.

    "gets up" becomes "sits down", which is true of who sat and not of who lay; `turn_all` knows which.
    """
    saying = read_saying(sentence)
    turned = reverse_saying(saying) if saying is not None else None
    return turned.text if turned is not None else None


def flip_saying(saying: Saying) -> Saying | None:
    """`flip` of a sentence that was read."""
    if saying.kind == "wrong_way" or (saying.kind == "enter" and saying["what"] in KEEPS_TO_A_SIDE):
        return None
    return saying.having(**{blank: MIRRORED[word] for blank, word in saying.words if word in MIRRORED})


def reverse_saying(saying: Saying) -> Saying | None:
    """`reverse` of a sentence that was read."""
    if saying.kind.startswith("quiet "):
        return saying
    fitting = (rule for rule in REVERSALS.get(saying.kind, ()) if rule.of_what in ("", saying["what"]))
    rule = next(fitting, None)
    mover = saying["who"] or saying["what"]
    if rule is None or (rule.kind == "enter" and mover in KEEPS_TO_A_SIDE):
        return None
    if rule.kind in ("enter", "leave"):
        side = MIRRORED[saying["side"]] if rule.other_side else saying["side"]
        return saying.told_as(rule.kind, who=mover, what=mover, side=side)
    side = saying["side"]
    return saying.told_as(rule.kind, side=MIRRORED[side] if rule.other_side else side, company=saying["company"])


def turn_saying(saying: Saying, branch: Branch) -> Saying | None:
    return flip_saying(saying) if branch == "flip" else reverse_saying(saying)


POSTURES = {  # what tells of a posture, and what getting up from it is in reverse; "": nothing that can be said
    "sit": "sit",
    GOES_ON + "sit": "sit",
    "bend": "bend",
    GOES_ON + "crouch": "bend",
    "lie_down": "lie_down",
    GOES_ON + "rest": "lie_down",
    "fall": "",
    "collide": "",
    "hit": "",
    GOES_ON + "lie": "",
}


def turn_all(sentences: Sequence[str], branch: Branch) -> tuple[str | None, ...]:
    """What is true of each segment of the turned clip, in its order, if `sentences` are true of those of the clip.

    Unlike `reverse` it knows the clip: who gets up was seen to sit, to crouch or to rest before, or nothing is said.
    """
    if branch == "flip":
        return tuple(map(flip, sentences))
    turned: list[str | None] = []
    postures: dict[str, str] = {}
    for sentence in sentences:
        saying = read_saying(sentence)
        if saying is None:
            turned.append(None)
            continue
        who = saying["who"] or "person"
        if saying.kind == "get_up":
            kind = postures.pop(who, "")
            turned.append(saying.told_as(kind).text if kind else None)
            continue
        if saying.kind in POSTURES:
            postures["person" if saying.kind == "hit" else who] = POSTURES[saying.kind]
        turned.append(reverse(sentence))
    return tuple(reversed(turned))


def turn_segments(segments: Segments, branch: Branch) -> Segments:
    """The frames of the branch: each mirrored, or all of them in the opposite order, segments and frames within.

    Views of the pixels where possible; nothing given is changed.
    """
    if branch == "reverse":
        return tuple(tuple(reversed(frames)) for frames in reversed(segments))
    return tuple(tuple(np.ascontiguousarray(frame[:, ::-1]) for frame in frames) for frames in segments)


def turn_index(index: int, num_segments: int, branch: Branch) -> int:
    """Where segment `index` of the clip is in the branch."""
    return index if branch == "flip" else num_segments - 1 - index
