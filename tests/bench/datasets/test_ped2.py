"""UCSD Ped2: folders of numbered pictures, labels counted from 1, and addresses that our ingest plays."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.datasets.ped2 import picture_address
from streamspike.bench.datasets.runs import runs
from streamspike.clock import SystemClock
from streamspike.config import CameraConfig, IngestConfig
from streamspike.errors import DatasetError
from streamspike.ingest.frames import render
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats
from tests.support.layout import lay_out

TABLE = """% TestVideoFile{end+1}.gt_frame = [1:3]; was wrong
TestVideoFile = {};
TestVideoFile{end+1}.gt_frame = [3:8];
TestVideoFile{end+1}.gt_frame = [1:2, 6:9];
"""


def take_pictures(folder: Path, first: int = 1, count: int = 8, suffix: str = ".tif") -> list[Path]:
    """Grey pictures, each 20 levels brighter than the one before."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = cv2.imencode(suffix, np.full((48, 64, 3), 20 * number + 10, np.uint8))[1]
        (folder / f"{first + number:03d}{suffix}").write_bytes(picture.tobytes())
    return sorted(folder.iterdir())


def play(address: str) -> list[tuple[float, int]]:
    """Time and brightness of every frame."""
    camera = CameraConfig.model_validate({"id": "pictures", "source": address})
    source = open_source(camera, IngestConfig(), SystemClock(), CameraStats())
    try:
        return [(round(one.stream_seconds, 6), int(render(one).pixels.mean())) for one in source]
    finally:
        source.close()


def test_ranges_count_from_one_and_include_their_end(tmp_path: Path) -> None:
    test = tmp_path / "UCSDped2" / "Test"
    for name in ("Test001", "Test002", "Test001_gt"):
        take_pictures(test / name)
    take_pictures(tmp_path / "UCSDped2" / "Train" / "Train001")
    lay_out(test, {"UCSDped2.m": TABLE, "Test001/._001.tif": "left by macOS"})
    first, second = open_dataset(f"ped2:{tmp_path}").footage()
    assert (first.name, first.seconds) == ("Test001", 0.8)
    assert [(one.start_seconds, one.end_seconds) for one in first.surprises] == [(0.2, 0.8)]
    assert [(one.start_seconds, one.end_seconds) for one in second.surprises] == [(0.0, 0.2), (0.5, 0.8)]


@pytest.mark.parametrize("folder", ["Test001", "it's 50% [of, a; 0:01 \\ folder"])
@pytest.mark.parametrize(("first", "suffix"), [(1, ".tif"), (40, ".png")])
def test_pictures_play_at_ten_a_second(tmp_path: Path, folder: str, first: int, suffix: str) -> None:
    address = picture_address(tmp_path / folder, take_pictures(tmp_path / folder, first, 4, suffix), 10.0)
    assert address is not None
    assert play(address) == [(0.0, 10), (0.1, 30), (0.2, 50), (0.3, 70)]


def test_pictures_with_a_gap_cannot_be_played_and_are_counted(tmp_path: Path) -> None:
    take_pictures(tmp_path / "Test001")[3].unlink()
    take_pictures(tmp_path / "Test002")
    lay_out(tmp_path, {"UCSDped2.m": TABLE})
    dataset = open_dataset(f"ped2:{tmp_path}")
    assert [one.name for one in dataset.footage()] == ["Test002"]
    assert dataset.left_out == {"sequence whose pictures are not numbered one by one": 1}


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".npy"])
def test_a_zero_or_one_per_picture_will_do(tmp_path: Path, suffix: str) -> None:
    take_pictures(tmp_path / "Test001", suffix=".jpg")
    take_pictures(tmp_path / "Test002", suffix=".jpg")
    labels = [0, 1, 1, 0, 0, 0, 0, 1]
    if suffix == ".npy":
        np.save(tmp_path / "Test001.npy", np.array(labels))
    else:
        lay_out(tmp_path, {f"Test001{suffix}": "\n".join(map(str, labels))})
    dataset = open_dataset(f"ped2:{tmp_path}")
    (footage,) = dataset.footage()
    assert [(one.start_seconds, one.end_seconds) for one in footage.surprises] == [(0.1, 0.3), (0.7, 0.8)]
    assert dataset.left_out == {"sequence without labels": 1}


def test_rows_of_starts_and_ends_will_do(tmp_path: Path) -> None:
    take_pictures(tmp_path / "Test001")
    np.save(tmp_path / "Test001.npy", np.array([[1, 5], [2, 8]]))
    (footage,) = open_dataset(f"ped2:{tmp_path}").footage()
    assert [(one.start_seconds, one.end_seconds) for one in footage.surprises] == [(0.0, 0.2), (0.4, 0.8)]


def test_labels_of_another_length_are_an_error(tmp_path: Path) -> None:
    take_pictures(tmp_path / "Test001")
    lay_out(tmp_path, {"Test001.txt": "0 1 0"})
    with pytest.raises(DatasetError, match="3 labels for 8 pictures"):
        open_dataset(f"ped2:{tmp_path}").footage()


def test_runs_are_what_a_loop_finds() -> None:
    assert runs(np.zeros(4, bool)) == [] and runs(np.ones(4, bool)) == [(1, 4)] and runs(np.zeros(0, bool)) == []
    rng = np.random.default_rng(0)
    for _ in range(50):
        labelled = rng.random(12) < 0.5
        marked = np.zeros(12, bool)
        found = runs(labelled)
        for first, last in found:
            marked[first - 1 : last] = True
        assert (marked == labelled).all()
        assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
