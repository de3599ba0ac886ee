"""FunQA: answers that are two frame numbers in a string, asked several times over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from tests.support.layout import lay_out


def answer(video: str, output: str, task: str = "H1") -> dict[str, str]:
    return {"instruction": "Locate the moment.", "visual_input": video, "output": output, "task": task, "ID": "test_80"}


ANSWERS = [
    answer("H_A_112_0000_0432.mp4", "[0120,0425]"),
    answer("H_A_112_0000_0432.mp4", "[0120, 0425]"),
    answer("H_A_112_0000_0432.mp4", "A man slips on ice.", "H2"),
    answer("C_KT_5_4320_6120.mp4", "[0000,  0195]", "C1"),
    answer("C_KT_5_4320_6120.mp4", "[4325, 4500]", "C1"),
    answer("M_C_9_0000_0300.mp4", "[0290]", "M1"),
    answer("M_C_9_0000_0300.mp4", "[0200, 0100]", "M1"),
    answer("M_gone_0000_0300.mp4", "[0030, 0060]", "M1"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    videos = {f"videos/test/{one['visual_input']}": "" for one in ANSWERS if "gone" not in one["visual_input"]}
    return lay_out(tmp_path, {"annotation/test.json": json.dumps(ANSWERS), **videos})


def test_frames_at_thirty_a_second_become_seconds_once_per_span(root: Path) -> None:
    humor, creative = open_dataset(f"funqa:{root}").footage()
    assert [(one.start_seconds, one.end_seconds, one.kind) for one in humor.surprises] == [(4.0, 425 / 30, "humor")]
    assert humor.seconds == pytest.approx(14.4)
    assert [(one.start_seconds, one.end_seconds) for one in creative.surprises] == [(0.0, 6.5)]
    assert creative.seconds == 60.0 and creative.onsets == ()


def test_answers_that_are_no_span_of_the_video_are_counted(root: Path) -> None:
    dataset = open_dataset(f"funqa:{root}")
    dataset.footage()
    assert dataset.left_out == {"answer that is no span of the video": 3, "video that is not there": 1}
