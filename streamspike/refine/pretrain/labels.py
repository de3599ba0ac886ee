"""What is under each cell of a picture, which the simulator knows: the questions of the dense head (`vision.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamspike.world.painter import Box, Painter
from streamspike.world.scene import KINDS, Body, Snapshot

POSES = ("stand", "walk", "run", "sit", "lie", "crouch", "climb", "roll", "knocked")
CHANGES = ("comes", "goes")
HELD = ("box", "bag", "ball")
CHOICES = {
    "kind": 1 + len(KINDS),
    "change": 1 + len(CHANGES),
    "pose": 1 + len(POSES),
    "held": 1 + len(HELD),
    "facing": 2,
    "gesture": 2,
    "pose_before": 1 + len(POSES),
    "held_before": 1 + len(HELD),
}
"""Questions with numbered answers, and how many there are. Of the foremost body at a cell in the second picture;
`change` where a body is in one of the two pictures only. Kind and change are 0 where there is none."""
CELL_CHOICES = 2
"""The first so many are asked of every cell, the others where there is a body."""
UNASKED = 255
VALUES = ("right", "down", "tilt", "distance")
"""Questions with a number as answer: how far the body at a cell, or the background, moved between the two pictures, in
cells; radians from upright; logarithm of metres."""
CELL_VALUES = 2
FAR_M = 50.0
MARGIN = 0.25
"""A body is at a cell whose centre is in its box or so much of a cell beside it."""


def label_cells(
    painter: Painter, instants: Sequence[Snapshot], cells: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One segment's answers from its first and its second instant.

    Returns:
        (cells, cells, len(CHOICES)) and (cells, cells, len(VALUES)); UNASKED and NaN where there is no body to ask
        about.
    """
    choices = np.full((cells, cells, len(CHOICES)), UNASKED, np.uint8)
    choices[..., :CELL_CHOICES] = 0
    values = np.full((cells, cells, len(VALUES)), np.nan, np.float32)
    (u0, v0), (u1, v1) = instants[0].shift, instants[1].shift
    values[..., :CELL_VALUES] = cells * (u1 - u0), cells * (v1 - v0)
    before, after = ({box.body_id: box for box in painter.boxes(instant)} for instant in instants)
    bodies = {body.body_id: body for body in instants[0].bodies}
    for body_id in before.keys() - after.keys():
        choices[_under(before[body_id], cells), 1] = 1 + CHANGES.index("goes")
    for body in sorted(instants[1].bodies, key=lambda body: -body.z):  # near bodies overwrite far ones
        box = after.get(body.body_id)
        if box is None:
            continue
        was, place = bodies.get(body.body_id, body), before.get(body.body_id, box)
        patch = _under(box, cells)
        answers = _pose(body), _held(body), int(body.facing > 0), int(body.gesture > 0.5), _pose(was), _held(was)
        choices[patch, 0] = 1 + KINDS.index(body.kind)
        if body.body_id not in before:
            choices[patch, 1] = 1 + CHANGES.index("comes")
        choices[patch, CELL_CHOICES:] = answers
        values[patch] = (
            0.5 * cells * (box.x0 + box.x1 - place.x0 - place.x1),
            0.5 * cells * (box.y0 + box.y1 - place.y0 - place.y1),
            body.tilt,
            np.log(np.clip(body.z, 1.0, FAR_M)),
        )
    return choices, np.clip(values, -4, 4)


def _under(box: Box, cells: int) -> NDArray[np.bool_]:
    centres = (np.arange(cells) + 0.5) / cells
    rows = (centres > box.y0 - MARGIN / cells) & (centres < box.y1 + MARGIN / cells)
    columns = (centres > box.x0 - MARGIN / cells) & (centres < box.x1 + MARGIN / cells)
    return rows[:, None] & columns


def _pose(body: Body) -> int:
    return POSES.index(body.pose) + 1 if body.pose in POSES else 0


def _held(body: Body) -> int:
    return HELD.index(body.holds) + 1 if body.holds in HELD else 0
