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

from streamspike.refine.pretrain.clips import CHANGES, POSES, Clip, ClipFeed, label_cells, make_clip
from streamspike.world.painter import Painter
from streamspike.world.scene import KINDS, build_scene
from streamspike.world.simulation import Simulation

SHAPE = (3, 48, 6, 24)


def equal(a: Clip, b: Clip) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in fields(Clip)]
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def test_a_clip_is_determined_by_its_number_and_the_seed() -> None:
    first = make_clip(5, 0, *SHAPE)
    assert equal(first, make_clip(5, 0, *SHAPE))
    assert not np.array_equal(first.frames, make_clip(6, 0, *SHAPE).frames)
    assert not np.array_equal(first.frames, make_clip(5, 1, *SHAPE).frames)


def test_shapes_and_labels_fit(clips: list[Clip]) -> None:
    for clip in clips:
        assert clip.frames.shape == (9, 2, 96, 96, 3) and clip.frames.dtype == np.uint8
        assert clip.kinds.shape == clip.poses.shape == (9, 12, 12) and clip.motion.shape == (9, 12, 12, 2)
        assert clip.kinds.max() <= len(KINDS) and clip.poses.max() <= len(POSES)
        assert clip.changes.shape == (9, 12, 12) and clip.changes.max() <= len(CHANGES)
        assert not clip.poses[clip.kinds == 0].any()
        assert len(clip.sentences) == len(clip.alternatives) == 9
        for sentence, table in zip(clip.sentences, clip.alternatives, strict=True):
            chances = dict(table)
            assert sum(chances.values()) == pytest.approx(1) and sentence in chances
    assert any(clip.kinds.any() for clip in clips)


def label(kind: str, seed: int = 3) -> tuple[Any, ...]:
    """Kinds, poses, changes and motion of a segment in which this surprise takes place, in 24 x 24 cells."""
    for number in range(seed, seed + 60):
        scene = build_scene("yard", number, 4 / 3)
        simulation = Simulation(scene, number, script={1: kind})
        simulation.step()
        if simulation.step().kind == kind:
            instants = [simulation.snapshot(1.25), simulation.snapshot(1.75)]
            return label_cells(Painter(scene, number, 160, 120), scene, instants, 24)
    raise AssertionError(f"no yard in which {kind} is possible")


def test_what_comes_and_what_goes_is_marked() -> None:
    _, _, changes, _ = label("appear")
    assert (changes == 1 + CHANGES.index("comes")).any()
    _, _, changes, _ = label("item_vanishes")
    assert (changes == 1 + CHANGES.index("goes")).any()


def test_when_the_camera_moves_so_does_the_background() -> None:
    kinds, _, _, motion = label("camera_moves")
    background = motion[kinds == 0]
    assert (background == background[0]).all() and 24 * 0.06 <= abs(background[0, 0]) <= 24 * 0.12
    kinds, _, _, motion = label("fall")
    assert not motion[kinds == 0].any() and motion[kinds > 0].any()


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
