"""A mirrored or reversed clip: its frames, and the sentence that is true of it."""

from __future__ import annotations

import numpy as np
import pytest

from streamspike.refine.crpo.counterfactual import flip, reverse, turn_all, turn_index, turn_segments
from streamspike.refine.crpo.grammar import read_saying
from streamspike.world.scene import build_scene
from streamspike.world.sentences import all_sentences
from streamspike.world.simulation import Simulation

SENTENCES = all_sentences()

ONE_WAY = {"start", "bend", "lie_down", "fall", "run", "item_vanishes", "wrong_way", "intrude", "enter"}
"""Their reversal has another reversal, or none."""


def test_every_sentence_of_the_world_can_be_read_and_said_again() -> None:
    for sentence in SENTENCES:
        saying = read_saying(sentence)
        assert saying is not None and saying.text == sentence
    assert read_saying("a man walks his dog") is None


@pytest.mark.parametrize(
    ("sentence", "mirrored", "reversed_"),
    [
        ("on the left a person walks to the right", "on the right a person walks to the left",
         "on the left a person walks to the left"),
        ("a dog enters from the left", "a dog enters from the right", "a dog leaves to the left"),
        ("a person leaves to the right", "a person leaves to the left", "a person enters from the right"),
        ("on the right a cat sits down", "on the left a cat sits down", "on the right a cat gets up"),
        ("on the right a person gets up", "on the left a person gets up", "on the right a person sits down"),
        ("in the middle a person quickly carries a box to the left among others",
         "in the middle a person quickly carries a box to the right among others",
         "in the middle a person quickly carries a box to the right among others"),
        ("in the middle a person puts down a box", "in the middle a person puts down a box",
         "in the middle a person picks up a box"),
        ("on the left a person picks up a bag", "on the right a person picks up a bag",
         "on the left a person leaves a bag behind"),
        ("the lights go out", "the lights go out", "the lights come back"),
        ("the street is quiet", "the street is quiet", "the street is quiet"),
        ("on the left a dog stands still beside a cat", "on the right a dog stands still beside a cat",
         "on the left a dog stands still beside a cat"),
        # The rule of the road is not in the picture: nobody can say whether a mirrored car goes the wrong way.
        ("a car enters from the left", None, "a car leaves to the left"),
        ("a car leaves to the right", "a car leaves to the left", None),
        ("a car drives the wrong way to the left", None, "a car leaves to the right"),
        # Which way somebody walks on who stops, a sentence does not tell; that a box rises, none can.
        ("on the left a person stops", "on the right a person stops", None),
        ("a box falls from the shelf", "a box falls from the shelf", None),
    ],
)  # fmt: skip
def test_what_is_true_of_the_branches(sentence: str, mirrored: str | None, reversed_: str | None) -> None:
    assert (flip(sentence), reverse(sentence)) == (mirrored, reversed_)


def test_a_mirror_of_a_mirror_is_the_clip() -> None:
    mirrored = {sentence: flip(sentence) for sentence in SENTENCES}
    assert all(flip(other) == sentence for sentence, other in mirrored.items() if other is not None)
    assert sum(other != sentence for sentence, other in mirrored.items() if other is not None) > len(SENTENCES) / 2


def test_a_reversal_of_a_reversal_is_the_clip_where_it_says_anything() -> None:
    for sentence in SENTENCES:
        back = reverse(sentence)
        saying = read_saying(sentence)
        assert saying is not None
        if back is not None and saying.kind not in ONE_WAY:
            assert reverse(back) == sentence, sentence


def test_who_gets_up_does_in_reverse_what_brought_them_down() -> None:
    up = "on the left a person gets up"
    for before, after in (
        ("on the left a person sits", "on the left a person sits down"),
        ("on the left a person crouches", "on the left a person bends down"),
        ("on the left a person rests beside a cat", "on the left a person lies down"),
        ("on the left a person falls down", None),
        ("the street is quiet", None),  # nobody knows
    ):
        assert turn_all([before, up], "reverse")[0] == after, before


def test_frames_are_turned_exactly() -> None:
    rng = np.random.default_rng(0)
    segments = tuple(tuple(rng.integers(0, 256, (4, 6, 3), np.uint8) for _ in range(2)) for _ in range(3))
    mirrored, backwards = turn_segments(segments, "flip"), turn_segments(segments, "reverse")
    assert (mirrored[1][0][:, 0] == segments[1][0][:, -1]).all()
    assert [frame is other for frame, other in zip(backwards[0], reversed(segments[2]), strict=True)] == [True, True]
    for branch in ("flip", "reverse"):
        twice = turn_segments(turn_segments(segments, branch), branch)
        assert all(
            (a == b).all() for one, two in zip(twice, segments, strict=True) for a, b in zip(one, two, strict=True)
        )
    assert [turn_index(0, 3, branch) for branch in ("flip", "reverse")] == [0, 2]


def test_reversed_sentences_agree_with_how_bodies_move() -> None:
    """Whoever goes on as before moves the other way in reverse, and whoever enters is there after and not before."""
    checked = dict.fromkeys(("on:move", "enter", "leave"), 0)
    for seed in range(12):
        simulation = Simulation(build_scene("room", seed), seed, script={})
        for _ in range(40):
            foremost = simulation.state.foremost()
            subject = foremost.actor_id if foremost is not None else None
            truth = simulation.step()
            saying = read_saying(truth.sentence)
            assert saying is not None
            if saying.kind not in checked:
                continue
            early, late = (simulation.snapshot(truth.start_seconds + part) for part in (0.0, 0.99))
            count = [len(snapshot.bodies) for snapshot in (early, late)]
            backwards = read_saying(reverse(truth.sentence) or "")
            assert backwards is not None
            if saying.kind == "on:move":
                body = next(b for b in early.bodies if b.body_id == subject)
                assert body.kind == saying["who"]
                moved = next(b for b in late.bodies if b.body_id == body.body_id).x - body.x
                assert (backwards["side"] == "left") == (-moved < 0)
            else:
                edge = early if saying.kind == "leave" else late
                half = simulation.state.scene.camera.half_width
                inside = [sum(abs(b.x) < half(b.z) for b in snapshot.bodies) for snapshot in (early, late)]
                assert edge is not None and count and (inside[0] > inside[1]) == (backwards.kind == "enter")
            checked[saying.kind] += 1
    assert min(checked.values()) > 10
