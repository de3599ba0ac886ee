"""UCF-Crime and XD-Violence: pairs of frames, with -1 for none, and rates that differ from file to file."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.datasets.choice import open_dataset
from streamspike.bench.footage import Footage
from streamspike.errors import DatasetError
from tests.support.clips import write_clip
from tests.support.layout import lay_out

UCF = """Abuse028_x264.mp4  Abuse  165  240  -1  -1
Arson011_x264.mp4  Arson  150  420  680  1267
Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1
Robbery102_x264.mp4  Robbery  10  20  -1  -1

Shooting008_x264.mp4  Shooting  -1  -1  -1  -1
Stealing019_x264.mp4  Stealing  300  200  5  15
""".replace("\n", "  \n")
XD = """v=S-7rRLrxnVQ__#1_label_B4-0-0 0 1517 1970 3038
v=u5SF4SlqNDQ__#00-00-00_00-01-00_label_G-0-0 624 912 950 1441
Bad.Boys.1995__#01-33-51_01-34-37_label_B2-0-0 10 20 30
Gone.1995__#1_label_B1-B2-0 10 20
"""


def spans(footage: Footage) -> list[tuple[float, float]]:
    return [(one.start_seconds, one.end_seconds) for one in footage.surprises]


def test_ucf_crime_lines_have_up_to_two_anomalies(tmp_path: Path) -> None:
    videos = ("Abuse/Abuse028", "Arson/Arson011", "Normal/Normal_Videos_003", "Shooting008", "Stealing019")
    lay_out(tmp_path, {f"{name}_x264.mp4": "" for name in videos})
    lay_out(tmp_path, {"Temporal_Anomaly_Annotation_for_Testing_Videos.txt": UCF})
    dataset = open_dataset(f"ucf-crime:{tmp_path}")
    abuse, arson, normal, stealing = dataset.footage()
    assert spans(abuse) == [(5.5, 8.0)] and abuse.surprises[0].kind == "Abuse" and abuse.name == "Abuse028_x264"
    assert spans(arson) == [(5.0, 14.0), (680 / 30, 1267 / 30)]
    assert spans(normal) == [] and spans(stealing) == [(5 / 30, 0.5)]
    assert dataset.left_out == {
        "video that is not there": 1,
        "anomalous video without times": 1,
        "label whose frames are no interval": 1,
    }


def test_frames_are_those_of_the_file_whatever_the_nominal_rate(tmp_path: Path) -> None:
    write_clip(tmp_path / "Arson011_x264.mp4", num_frames=12, fps=12)
    lay_out(tmp_path, {"Temporal_Anomaly_Annotation.txt": "Arson011_x264.mp4  Arson  3  9  -1  -1\n"})
    (arson,) = open_dataset(f"ucf-crime:{tmp_path}").footage()
    assert spans(arson) == [(0.25, 0.75)]


def test_xd_violence_has_its_normal_videos_by_name_only(tmp_path: Path) -> None:
    names = [line.split()[0] for line in XD.splitlines()[:3]]
    normal, training = "A.Beautiful.Mind.2001__#00-25-20_00-29-20_label_A", "Avatar.2009__#1_label_A"
    lay_out(tmp_path, {"annotations.txt": XD, f"train/{training}.mp4": ""})
    lay_out(tmp_path, {f"videos/{name}.mp4": "" for name in [*names, normal]})
    dataset = open_dataset(f"xd-violence:{tmp_path}")
    riot, explosion, boys, quiet = dataset.footage()
    assert spans(riot) == [(0.0, 1517 / 24), (1970 / 24, 3038 / 24)] and riot.surprises[0].kind == "riot"
    assert explosion.surprises[0].kind == "explosion" and riot.name == "v=S-7rRLrxnVQ__#1_label_B4-0-0"
    assert spans(boys) == [(10 / 24, 20 / 24)], "a frame without a partner is no interval"
    assert (quiet.name, quiet.surprises) == (normal, ())
    assert dataset.left_out == {"video that is not there": 1, "label whose frames are no interval": 1}


def test_a_line_with_nothing_but_a_name_is_told(tmp_path: Path) -> None:
    lay_out(tmp_path, {"annotations.txt": "v=S-7rRLrxnVQ__#1_label_B4-0-0\n"})
    with pytest.raises(DatasetError, match="has a name and nothing else"):
        open_dataset(f"xd-violence:{tmp_path}").footage()
