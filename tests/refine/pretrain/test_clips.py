"""Training clips: a number says everything about one, and its labels fit its pictures."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamspike.refine.pretrain.clips import Clip, ClipFeed, make_clip
from streamspike.refine.pretrain.labels import CELL_CHOICES, CHANGES, CHOICES, HELD, POSES, UNASKED, VALUES, label_cells
from streamspike.refine.pretrain.nano import CELLS, FRAME_PX
from streamspike.world.painter import Painter
from streamspike.world.scene import KINDS, build_scene
from streamspike.world.simulation import Simulation

SHAPE = (3, 48, 6, 24)


def equal(a: Clip, b: Clip) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in fields(Clip)]
    return all(
        np.array_equal(x, y, equal_nan=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x == y for x, y in pairs
    )


def test_a_clip_is_determined_by_its_number_and_the_seed() -> None:
    first = make_clip(5, 0, *SHAPE)
    assert equal(first, make_clip(5, 0, *SHAPE))
    assert not np.array_equal(first.frames, make_clip(6, 0, *SHAPE).frames)
    assert not np.array_equal(first.frames, make_clip(5, 1, *SHAPE).frames)


def test_shapes_and_labels_fit(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.frames.shape == (9, 2, FRAME_PX, FRAME_PX, 3) and clip.frames.dtype == np.uint8
        assert clip.choices.shape == (9, CELLS, CELLS, len(CHOICES)) and clip.values.shape[-1] == len(VALUES)
        body = clip.choices[..., 0] > 0
        for k, number in enumerate(CHOICES.values()):
            asked = clip.choices[..., k] != UNASKED
            assert np.array_equal(asked, body | (k < CELL_CHOICES)) and clip.choices[asked][:, k].max() < number
        assert np.array_equal(np.isfinite(clip.values).all(axis=-1), body) and np.isfinite(clip.values[..., :2]).all()
        assert len(clip.sentences) == len(clip.alternatives) == 9
        for sentence, table in zip(clip.sentences, clip.alternatives, strict=True):
            chances = dict(table)
            assert sum(chances.values()) == pytest.approx(1) and sentence in chances
    assert any(clip.choices[..., 0].any() for clip in clips)


def label(kind: str, scene_name: str = "yard", seed: int = 3) -> dict[str, Any]:
    """Answers by question of a segment in which this surprise takes place, in 24 x 24 cells."""
    for number in range(seed, seed + 60):
        scene = build_scene(scene_name, number, 4 / 3)
        simulation = Simulation(scene, number, script={1: kind})
        simulation.step()
        if simulation.step().kind == kind:
            instants = [simulation.snapshot(1.25), simulation.snapshot(1.75)]
            choices, values = label_cells(Painter(scene, number, 160, 120), instants, 24)
            named = zip((*CHOICES, *VALUES), (*np.moveaxis(choices, -1, 0), *np.moveaxis(values, -1, 0)), strict=True)
            return dict(named)
    raise AssertionError(f"no {scene_name} in which {kind} is possible")


def test_what_comes_and_what_goes_is_marked() -> None:
    assert (label("appear")["change"] == 1 + CHANGES.index("comes")).any()
    assert (label("item_vanishes")["change"] == 1 + CHANGES.index("goes")).any()


def test_when_the_camera_moves_so_does_the_background() -> None:
    told = label("camera_moves")
    background = told["right"][told["kind"] == 0]
    assert (background == background[0]).all() and 24 * 0.06 <= abs(background[0]) <= 24 * 0.12
    told = label("fall")
    assert not told["right"][told["kind"] == 0].any() and told["right"][told["kind"] > 0].any()


def test_who_falls_is_told_by_pose_and_tilt() -> None:
    told = label("fall")
    body = told["kind"] == 1 + KINDS.index("person")
    assert (told["tilt"][body] > 0.3).any() and (told["distance"][body] > 0).all()
    assert (told["pose"][body] == 1 + POSES.index("lie")).any()


def test_what_somebody_carries_is_told_of_who_carries_it() -> None:
    """Of both pictures: what was let go is held in the first only."""
    told = label("drop", "street")
    body = told["kind"] == 1 + KINDS.index("person")
    held = {int(answer) for answer in np.unique(told["held_before"][body])}
    assert held & set(range(1, 1 + len(HELD)))
    assert (told["held_before"][body] != told["held"][body]).any()


def test_scripted_segments_were_improbable(clips: list[Clip]) -> None:
    surprising, quiet = clips
    assert quiet.scripted == () and surprising.scripted
    for index in surprising.scripted:
        assert dict(surprising.alternatives[index])[surprising.sentences[index]] < 0.05


@pytest.mark.slow
def test_workers_deliver_every_clip_in_order_of_its_number() -> None:
    with ClipFeed(0, 10, 2, *SHAPE) as feed:
        numbers = [feed.take().number for _ in range(5)]
    assert numbers == [10, 11, 12, 13, 14]


@pytest.mark.slow
def test_a_dead_worker_is_an_error_and_no_endless_wait() -> None:
    with ClipFeed(0, 0, 1, *SHAPE) as feed:
        feed.take()
        feed._workers[0].kill()
        with pytest.raises(RuntimeError, match="clip worker 0 ended"):
            for _ in range(200):  # what was made before it died can still be taken
                feed.take()


def _feed_for_ever(started: multiprocessing.Queue[int]) -> None:
    with ClipFeed(0, 0, 1, *SHAPE) as feed:
        feed.take()
        started.put(feed.pids[0])
        threading.Event().wait()


@pytest.mark.slow
def test_workers_of_a_killed_trainer_end() -> None:
    context = multiprocessing.get_context("spawn")
    started: multiprocessing.Queue[int] = context.Queue()
    trainer = context.Process(target=_feed_for_ever, args=(started,))
    trainer.start()
    worker = started.get(timeout=100)
    trainer.kill()
    trainer.join()
    deadline = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker), "an orphan goes on painting clips that nobody takes"


def _runs(pid: int) -> bool:
    """A zombie that nobody has buried yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
