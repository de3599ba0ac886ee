"""GMDCSA24: real rows, with the brackets, times and capitals they came with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.datasets.gmdcsa24 import parse_classes
from tests.support.layout import lay_out

HEADER = "File Name,Length (seconds),Time of Recording,Attire,Description, Classes\n"
FALLS = """11.mp4,10,Night,Full Shirt & Jeans,Falling from bed to ground, Falling (BW[5.9 to 10]; Walking[0 to 1.3]
12.mp4,12,Night,Full Shirt & Jeans,Drinking, then falling backwards, Falling (BW)[6.9 to 12]; Drinking[3.5 to 5.3]
15.mp4,04,Day (Lights On),T-Shirt & Pant,Falling (FW) on the floor, Falling (FW); Sitting[0 to 1.7]
16.mp4,07,Day (Lights On),T-Shirt & Pant,Walking then falling, Falling (FW)[3.2 to 7]; Walking[0 to 2.9]
"""
DAYS = "01.mp4,11,Day,Full Shirt & Pant,Talking on the mobile phone, Sitting [0 to 7]; Standing [7.3 to 8.1];\n"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (" Falling (BW[5.9 to 10]; Walking[0 to 1.3]", [("fall", 5.9, 10), ("walking", 0, 1.3)]),
        ("Falling (FW)[8.2 to 15]; Eating[0.9 4.6]", [("fall", 8.2, 15), ("eating", 0.9, 4.6)]),
        (" Fall (FW)[0 to 3]", [("fall", 0, 3)]),
        (" Falling (SW)[1.8 to 5]:; Walking[0 to 1.8]", [("fall", 1.8, 5), ("walking", 0, 1.8)]),
        ("Falling (SW) [ 2.8 to 6]; Sitting [0 to 2.9]", [("fall", 2.8, 6), ("sitting", 0, 2.9)]),
        (
            " Standing[2.4 to 3.6; 6.6 to 7.9; Walking[3.6 to 5.2; 7.9 to 9.2] ",
            [("standing", 2.4, 3.6), ("standing", 6.6, 7.9), ("walking", 3.6, 5.2), ("walking", 7.9, 9.2)],
        ),
        ("Standing[4.6 to 8.1];Walking[0 to 4.6]", [("standing", 4.6, 8.1), ("walking", 0, 4.6)]),
    ],
)
def test_classes_are_read_as_they_are_written(text: str, labels: list[tuple[str, float, float]]) -> None:
    left_out: Counter[str] = Counter()
    assert [(one.kind, one.start_seconds, one.end_seconds) for one in parse_classes(text, "", left_out)] == labels
    assert not left_out


def test_what_has_no_times_or_times_the_wrong_way_round_is_counted() -> None:
    left_out: Counter[str] = Counter()
    labels = parse_classes(" Reading; Sitting[9.7 to 3]; Standing[0 to 0.5; 4.2]; Walking[6 to 8.7]", "", left_out)
    assert [one.kind for one in labels] == ["standing", "walking"]
    assert left_out == {"label without times": 1, "label whose times are no interval": 2}


def test_falls_are_surprises_and_daily_activities_are_not(tmp_path: Path) -> None:
    lay_out(tmp_path, {"Subject 4/fall.csv": HEADER + FALLS, "Subject 4/ADL.csv": HEADER + DAYS})
    lay_out(tmp_path, {f"Subject 4/Fall/{number}.mp4": "" for number in (11, 12, 15)} | {"Subject 4/ADL/01.MP4": ""})
    dataset = open_dataset(f"gmdcsa24:{tmp_path}")
    footage = {one.name: one for one in dataset.footage()}
    assert set(footage) == {"Subject 4/Fall/11", "Subject 4/Fall/12", "Subject 4/ADL/01"}
    drinking = footage["Subject 4/Fall/12"]
    assert [(one.start_seconds, one.end_seconds, one.text) for one in drinking.surprises] == [
        (6.9, 12.0, "Drinking, then falling backwards")
    ]
    assert [one.kind for one in drinking.ordinary] == ["drinking"] and drinking.seconds is None
    assert footage["Subject 4/ADL/01"].surprises == () and len(footage["Subject 4/ADL/01"].ordinary) == 2
    assert dataset.left_out == {"video that is not there": 1, "label without times": 1, "fall without times": 1}
