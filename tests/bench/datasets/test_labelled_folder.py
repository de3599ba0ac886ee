"""A folder with a labels.csv: what counts as a surprise, and several sources for one happening."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.errors import DatasetError
from streamspike.measures.interval import Interval
from tests.support.layout import lay_out

LABELS = """file,start_seconds,end_seconds,kind,source,description
clips/adl.mp4,,,normal,gt,Reading book while walking in the room
clips/fall.mp4,6.9,12.0,fall,gt,Drinking water from the water bottle then falling backwards
clips/fall.mp4,7.2,8.3,fall_motion,eye,"visible fall motion (read off a contact sheet, +-0.2 s)"
clips/bottles.mp4,11.1,13.7,state_change,eye,left bottle returned
clips/bottles.mp4,5.8,7.2,state_change,eye,left bottle removed
clips/cars.mp4,4.5,7.8,car_pass,eye,car(s) cross (+-0.3 s)
clips/bad.mp4,9,3,fall,gt,the wrong way round
clips/bad.mp4,,3,fall,gt,half of it
clips/bad.mp4,,,fall,gt,nobody looked
clips/gone.mp4,1,2,fall,gt,was deleted
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ("adl", "fall", "bottles", "cars", "bad", "nobody labelled this")
    return lay_out(tmp_path, {"LABELS.csv": LABELS} | {f"clips/{name}.mp4": "" for name in names})


def test_falls_are_surprises_and_comings_and_goings_are_not(root: Path) -> None:
    footage = {one.name: one for one in open_dataset(str(root)).footage()}
    assert set(footage) == {"clips/adl", "clips/fall", "clips/bottles", "clips/cars", "clips/bad"}
    assert footage["clips/adl"].surprises == footage["clips/adl"].ordinary == ()
    assert footage["clips/cars"].surprises == ()
    assert footage["clips/cars"].ordinary == (Interval(4.5, 7.8, "car(s) cross (+-0.3 s)", "car_pass"),)
    assert [one.text for one in footage["clips/bottles"].surprises] == ["left bottle removed", "left bottle returned"]
    assert footage["clips/fall"].address == str(root / "clips/fall.mp4")


def test_two_sources_of_one_fall_are_one_surprise_with_two_onsets(root: Path) -> None:
    (fall,) = (one for one in open_dataset(str(root)).footage() if one.name == "clips/fall")
    assert [(one.start_seconds, one.end_seconds, one.kind) for one in fall.surprises] == [(7.2, 8.3, "fall_motion")]
    assert fall.onsets == ((6.9, 7.2),)


def test_one_source_may_label_surprises_that_overlap(tmp_path: Path) -> None:
    rows = "a.mp4,1,5,fall,eye,first\na.mp4,2,3,fall,eye,second\n"
    lay_out(tmp_path, {"labels.csv": LABELS.partition("\n")[0] + "\n" + rows, "a.mp4": ""})
    (footage,) = open_dataset(str(tmp_path)).footage()
    assert [one.text for one in footage.surprises] == ["first", "second"] and footage.onsets == ()


def test_what_cannot_be_used_is_counted(root: Path) -> None:
    dataset = open_dataset(str(root))
    dataset.footage()
    assert dataset.left_out == {
        "video that is not there": 1,
        "video without a label": 1,
        "label without times": 1,
        "label whose times are no interval": 2,
    }
    dataset.footage()
    assert dataset.left_out["video that is not there"] == 1, "asking twice does not count twice"


def test_a_table_of_another_kind_says_which_columns_it_lacks(tmp_path: Path) -> None:
    lay_out(tmp_path, {"labels.csv": "file,label\na.mp4,1\n", "a.mp4": ""})
    with pytest.raises(DatasetError, match="lacks the columns start_seconds, end_seconds, kind"):
        open_dataset(str(tmp_path)).footage()
