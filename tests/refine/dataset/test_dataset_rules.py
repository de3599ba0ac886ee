"""The rules of a dataset one by one: what is alike, how it is split and mixed, what is kept how long."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.core import Pixels
from streamspike.refine.dataset.candidate import Candidate
from streamspike.refine.dataset.journal import without_overlaps
from streamspike.refine.dataset.likeness import SeenClips, take_print
from streamspike.refine.dataset.mix import MIN_CLIPS, Mix
from streamspike.refine.dataset.retention import delete_expired
from streamspike.refine.dataset.split import SplitRule
from streamspike.refine.dataset.video import ExampleVideo, read_video
from streamspike.refine.dataset.world import WorldClips, world_examples
from streamspike.world.painter import Painter
from streamspike.world.scene import build_scene
from streamspike.world.simulation import Simulation


def make_clip(number: int, camera_id: str = "door", started_at: float = 0.0, seconds: float = 10.0) -> Candidate:
    return Candidate(f"{camera_id}-{number}", camera_id, Path("none.mp4"), started_at, seconds, False, 1.0)


def life(seed: int, first: int, count: int) -> list[Pixels]:
    """Frames of one camera, one per segment, from segment `first` on."""
    scene = build_scene("street", 5, 4 / 3)
    simulation, painter = Simulation(scene, seed, script={}), Painter(scene, 5, 320, 240)
    frames = []
    for number in range(first + count):
        truth = simulation.step()
        if number >= first:
            frames.append(painter.paint(simulation.snapshot(truth.start_seconds + 0.5)))
    return frames


def prints(frames: list[Pixels]) -> list[np.ndarray]:
    return [take_print(frame) for frame in frames]


def as_jpeg(frame: Pixels) -> Pixels:
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def test_the_same_scene_is_alike_only_while_nobody_does_anything_else() -> None:
    seen, frames = SeenClips(), life(seed=1, first=0, count=8)
    seen.add(prints(frames))
    noise = np.random.default_rng(0).normal(0, 6, frames[0].shape)
    noisy = [np.clip(as_jpeg(frame) + noise, 0, 255).astype(np.uint8) for frame in frames]
    assert seen.has_alike(prints(noisy)), "what a codec and a sensor do"
    assert seen.has_alike(prints(frames[3:7]))
    others = [life(seed, first=0, count=8) for seed in range(2, 12)]
    assert sum(seen.has_alike(prints(other)) for other in others) <= 1, "the same place, other people"
    empty = [frames[0]] * 8
    assert seen.has_alike(prints(empty))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5000), st.floats(3, 120)), max_size=40),
       st.floats(0, 0.8), st.floats(0, 300))  # fmt: skip
def test_a_split_never_leaks(clips: list[tuple[str, float, float]], held_out: float, gap_seconds: float) -> None:
    made = [make_clip(number, *clip) for number, clip in enumerate(clips)]
    dropped: Counter[str] = Counter()
    candidates = without_overlaps(made, dropped)
    assert len(candidates) + dropped["same_footage"] == len(made)
    for camera_id in "abc":
        shown = sorted(candidate.taken_at for candidate in candidates if candidate.camera_id == camera_id)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(shown))
    rule = SplitRule(held_out, gap_seconds, frozenset("c"))
    parts, num_in_gap = rule.divide(candidates)
    train, evaluated = parts["train"], parts["held_out"]
    assert len(train) + len(evaluated) + num_in_gap == len(candidates)
    assert not any(candidate.camera_id == "c" for candidate in train)
    for one, other in itertools.product(train, evaluated):
        if one.camera_id == other.camera_id:
            assert one.taken_at[1] + gap_seconds <= other.taken_at[0] + 1e-6


def test_an_event_whose_peak_was_shown_before_is_the_same_footage() -> None:
    first, dropped = make_clip(0, seconds=20.0), Counter[str]()
    late = replace(make_clip(1, started_at=15.0, seconds=20.0), peak_seconds=8.0)
    early = replace(late, peak_seconds=3.0)
    (_, kept) = without_overlaps([first, late], dropped)
    assert kept.from_seconds == 5.0 and not dropped
    assert without_overlaps([first, early], dropped) == [first] and dropped == {"same_footage": 1}


def test_videos_are_split_whole_and_the_same_each_time() -> None:
    clips = [make_clip(part, f"film{film}") for film in range(10) for part in range(3)]
    parts, _ = SplitRule(0.3, by="camera", seed=4).divide(clips)
    films = {split: {clip.camera_id for clip in part} for split, part in parts.items()}
    assert len(films["held_out"]) == 3 and len(films["train"]) == 7 and not films["train"] & films["held_out"]
    assert SplitRule(0.3, by="camera", seed=4).divide(clips[::-1])[0].keys() == parts.keys()
    assert {clip.camera_id for clip in SplitRule(0.3, by="camera", seed=5).divide(clips)[0]["held_out"]} != films[
        "held_out"
    ]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9, 1.0])
def test_a_mix_is_kept_where_there_is_enough_of_both(share: float) -> None:
    mix = Mix(share, max_clips=200)
    for num_surprising, num_ordinary in itertools.product((0, 5, 40, 1000), (0, 5, 40, 1000)):
        surprising = min(num_surprising, mix.max_surprising)
        ordinary = min(num_ordinary, mix.num_ordinary(surprising))
        surprising = min(surprising, mix.num_surprising(ordinary))
        total = surprising + ordinary
        assert total <= 200
        if total > MIN_CLIPS:
            assert abs(surprising - share * total) <= 1
        elif total:
            assert total <= max(MIN_CLIPS, 2) and surprising <= num_surprising
    assert Mix(0.3, 200).num_ordinary(30) == 70


@pytest.mark.parametrize("size", [(64, 48), (63, 49), (31, 2)])
def test_frames_come_back_from_a_video_without_a_loss_that_can_be_seen(tmp_path: Path, size: tuple[int, int]) -> None:
    clips = WorldClips(num_segments=5, num_frames=3, size_px=size)
    example = world_examples(3, 1, clips)[0]
    video = ExampleVideo(tmp_path / "a.mp4", example.segment_seconds)
    for frames in example.segments:
        video.add(frames)
    video.close()
    back = read_video(tmp_path / "a.mp4", video.width_px, video.height_px, 3)
    assert [len(frames) for frames in back] == [3] * 5
    for was, now in zip(itertools.chain(*example.segments), itertools.chain(*back), strict=True):
        assert now.shape == was.shape and not now.flags.writeable
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(float) for frame in (was, now)]
        assert 10 * np.log10(255.0**2 / np.square(grey[0] - grey[1]).mean()) > 36


def test_datasets_past_their_time_and_of_cameras_that_opted_out_are_deleted(tmp_path: Path) -> None:
    for name, keep_until, cameras in (("old", 10.0, ["a"]), ("new", 99.0, ["a"]), ("out", 99.0, ["a", "b"])):
        (tmp_path / name).mkdir()
        said = {"keep_until": keep_until, "cameras": cameras}
        (tmp_path / name / "dataset.json").write_text(json.dumps(said))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("do not delete")
    gone = [(path.name, reason) for path, reason in delete_expired(tmp_path, 50.0, {"b"})]
    assert gone == [("old", "age"), ("out", "opted_out")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new"]
