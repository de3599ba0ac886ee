"""Oops!: three workers, some of whom saw nothing, and names that file systems and encodings spell in their own way."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.errors import DatasetError
from tests.support.layout import lay_out

NOMINEES = "34 Funny Kid Nominees - FailArmy Hall Of Fame (May 2017)0"
TIMES = {
    NOMINEES: {"t": [2.714329, 2.96886, 3.202136], "len": 3.75, "stdev": 0.24398, "n_notfound": 0},
    "One saw it12": {"t": [-1.0, 4.25, -1.0], "len": 8.0, "n_notfound": 2},
    "Nobody saw it3": {"t": [-1.0, -1.0, -1.0], "len": 5.0, "n_notfound": 3},
    "Pok\u00e9mon fails7": {"t": [1.0, 2.0, -1.0], "len": 9.0, "n_notfound": 1},
    "CafÃ© fails8": {"t": [1.0, 1.5, 2.0], "len": 9.0, "n_notfound": 0},
    "Not filtered1": {"t": [1.0, 1.0, 1.0], "len": 9.0, "n_notfound": 0},
    "Deleted2": {"t": [1.0, 1.0, 1.0], "len": 9.0, "n_notfound": 0},
}
FILES = [NOMINEES, "One saw it12", "Nobody saw it3", unicodedata.normalize("NFD", "Pok\u00e9mon fails7"), "Café fails8"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    chosen = [name for name in TIMES if name != "Not filtered1"] + ["Never annotated5"]
    videos = {f"oops_video/val/{name}.mp4": "" for name in [*FILES, "Not filtered1"]}
    return lay_out(
        tmp_path,
        {
            "annotations/transition_times.json": json.dumps(TIMES),
            "annotations/val_filtered.txt": "\n".join(chosen) + "\n",
            **videos,
        },
    )


def test_the_onset_is_the_median_and_every_worker_keeps_a_say(root: Path) -> None:
    first, second, *_ = open_dataset(f"oops:{root}").footage()
    assert first.name == NOMINEES and first.address.endswith(f"oops_video/val/{NOMINEES}.mp4")
    assert first.onsets == ((2.714329, 2.96886, 3.202136),) and first.seconds == 3.75
    (surprise,) = first.surprises
    assert (surprise.start_seconds, surprise.end_seconds) == (2.96886, 3.75), "unintentional to the end"
    assert second.onsets == ((4.25,),), "-1 is no moment"


def test_only_published_clips_that_can_be_used_are_there_and_the_others_are_counted(root: Path) -> None:
    dataset = open_dataset(f"oops:{root}")
    assert [one.name for one in dataset.footage()] == [NOMINEES, "One saw it12", "Pokémon fails7", "CafÃ© fails8"]
    assert dataset.left_out == {
        "video in which nobody saw a failure": 1,
        "video that is not there": 1,
        "video without an annotation": 1,
    }


def test_without_a_list_all_annotated_clips_count(root: Path) -> None:
    (root / "annotations/val_filtered.txt").unlink()
    assert "Not filtered1" in {one.name for one in open_dataset(f"oops:{root}").footage()}


def test_broken_json_is_an_error_that_names_the_file(root: Path) -> None:
    (root / "annotations/transition_times.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"transition_times\.json is not JSON"):
        open_dataset(f"oops:{root}").footage()
