"""upCam: events with words, as Markdown or as a table, or nothing but a 0 or 1 per frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.measures.interval import Interval
from tests.support.layout import lay_out

EVENTS = """# 00 Evaluation Video

**Time:** 20:21 - 21:21

**Events:**
- 000001 - 000020: **(N)** Working, eating at the Desk.
- 000021 - 000030: **(A)** Laying down on bed.
- 000031 - 000040: **(N)** "Sleeping".
"""
TABLE = """start_frame,end_frame,start_seconds,end_seconds,label,description
1,20,0.0,4.0,N,"Working, eating at the Desk."
21,30,4.0,6.0,A,Laying down on bed.
31,40,6.0,8.0,N,"""
FRAMES = "0\n" * 20 + "1\n" * 10 + "0\n" * 10
NUMBERED = "".join(f"{number},{label}\n" for number, label in enumerate(FRAMES.split()))

LYING = (4.0, 6.0)


@pytest.mark.parametrize("labels", [{"labels/00.md": EVENTS, "labels/00.csv": FRAMES}, {"labels/00.csv": TABLE}])
def test_abnormal_events_are_surprises_and_normal_ones_are_ordinary(labels: dict[str, str], tmp_path: Path) -> None:
    lay_out(tmp_path, {**labels, "preprocessed_128_64/00.mp4": ""})
    (footage,) = open_dataset(f"upcam:{tmp_path}").footage()
    assert footage.surprises == (Interval(*LYING, "Laying down on bed.", "abnormal"),)
    assert [(one.start_seconds, one.end_seconds) for one in footage.ordinary] == [(0.0, 4.0), (6.0, 8.0)]
    assert footage.ordinary[0].text == "Working, eating at the Desk." and footage.seconds == 8.0


@pytest.mark.parametrize("frames", [FRAMES, "label\n" + FRAMES, NUMBERED], ids=["bare", "header", "numbered"])
def test_frames_alone_give_the_same_times_without_words(frames: str, tmp_path: Path) -> None:
    lay_out(tmp_path, {"labels/00.csv": frames, "00.mp4": "", "01.mp4": ""})
    (footage,) = open_dataset(f"upcam:{tmp_path}").footage()
    assert footage.surprises == (Interval(*LYING, "", "abnormal"),) and len(footage.ordinary) == 2


def test_a_missing_hour_is_counted(tmp_path: Path) -> None:
    lay_out(tmp_path, {"labels/00.md": EVENTS, "labels/01.md": EVENTS.replace("000031", "000050"), "01.mp4": ""})
    dataset = open_dataset(f"upcam:{tmp_path}")
    (footage,) = dataset.footage()
    assert len(footage.ordinary) == 1
    assert dataset.left_out == {"video that is not there": 1, "label whose frames are no interval": 1}
