"""Labelled footage as such, and which data set a text means."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import STORED, open_dataset
from streamspike.bench.footage import Footage
from streamspike.errors import DatasetError, StreamspikeError
from streamspike.measures.interval import Interval
from tests.support.layout import lay_out

LABELS = "file,start_seconds,end_seconds,kind,source,description\n"


@pytest.mark.parametrize("times", [(-1.0, 2.0), (3.0, 2.0), (0.0, math.inf), (math.nan, 1.0)])
def test_what_is_no_interval_is_refused(times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        Interval(*times)


def test_onsets_come_one_group_per_surprise() -> None:
    with pytest.raises(ValueError, match="2 groups of onsets for 1 surprises"):
        Footage("a", "b", "c", (Interval(1, 2),), onsets=((1.0,), (2.0,)))


def test_a_folder_with_labels_needs_no_name(tmp_path: Path) -> None:
    lay_out(tmp_path, {"labels.csv": LABELS + "a.mp4,1,2,fall,gt,\n", "a.mp4": ""})
    for spec in (str(tmp_path), f"folder:{tmp_path}"):
        dataset = open_dataset(spec)
        assert dataset.name == "folder" and [one.name for one in dataset.footage()] == ["a"]


@pytest.mark.parametrize("spec", ["", "kinetics:/data", "/no/such/folder"])
def test_an_unknown_data_set_is_told_what_there_is(spec: str) -> None:
    with pytest.raises(DatasetError, match=r"there are world, .* oops:PATH, .* gmdcsa24:PATH"):
        open_dataset(spec)


@pytest.mark.parametrize("name", STORED)
def test_a_missing_folder_is_told_where_to_get_it_and_how_to_lay_it_out(name: str, tmp_path: Path) -> None:
    missing = tmp_path / "not there"
    with pytest.raises(DatasetError) as caught:
        open_dataset(f"{name}:{missing}").footage()
    text = str(caught.value)
    assert text.startswith(f"{name}: there is no folder {missing}; ")
    assert name == "folder" or "http" in text
    assert any(word in text for word in ("labels.csv", ".mp4", ".tif"))
    with pytest.raises(DatasetError, match=f"say where {name} lies"):
        open_dataset(f"{name}:")


@pytest.mark.parametrize("name", STORED)
def test_a_folder_without_annotations_says_which_are_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=rf"^{name}: no .* in .*; "):
        open_dataset(f"{name}:{tmp_path}").footage()


def test_annotations_without_any_video_are_an_error_that_counts_them(tmp_path: Path) -> None:
    lay_out(tmp_path, {"labels.csv": LABELS + "a.mp4,1,2,fall,gt,\nb.mp4,1,2,fall,gt,\n"})
    with pytest.raises(DatasetError, match=r"no labelled video in .* \(2 x video that is not there\)"):
        open_dataset(str(tmp_path)).footage()


def test_the_error_is_one_the_command_line_knows() -> None:
    assert issubclass(DatasetError, StreamspikeError)
