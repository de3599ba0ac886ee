"""Folders of videos, with and without captions, from the command line to examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.errors import DatasetError
from streamspike.refine.dataset.reading import read_examples
from streamspike.refine.dataset.videos import read_captions
from streamspike.refine.examples import Example
from tests.support.cli import make_call
from tests.support.footage import find_number, write_movie


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five films of other sizes and times, one of them no film."""
    films = tmp_path / "films"
    (films / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.mp4", "b.mkv", "deep/a.mp4", "long film.mp4")):
        write_movie(films / name, num_frames=90 if "long" in name else 40, size=(320, 120 + 16 * number))
    (films / "broken.mp4").write_bytes(b"no film")
    (films / "notes.txt").write_text("not a film either")
    return films


def all_examples(out: Path) -> dict[str, Example]:
    examples = [example for split in ("train", "held_out") for example in read_examples(out, split)]  # type: ignore[arg-type]
    return {example.example_id: example for example in examples}


def test_videos_become_examples_and_captions_their_references(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    call = make_call(monkeypatch, capfd)
    (folder / "captions.csv").write_text(
        'video,caption,surprising\na.mp4,"a square walks, slowly",1\ndeep/a.mp4,another,0\nlost.mp4,gone,\n'
    )
    outcome = call("refine", "export", "--from-folder", folder, "--out", tmp_path / "set", "--max-segments", 4)
    assert outcome.code == 0, outcome.err
    assert "1 damaged" in outcome.out and "1 no_video" in outcome.out
    examples = all_examples(tmp_path / "set")
    told = {name: (example.reference, example.surprising) for name, example in examples.items() if example.reference}
    assert len(told) == 2 and ("a square walks, slowly", True) in told.values() and ("another", False) in told.values()
    long = [example for name, example in examples.items() if name.startswith("long")]
    assert [len(example.segments) for example in long] == [4, 4], "nine segments of one second, and one is too few"
    shown = [find_number(frame) for example in long for frames in example.segments for frame in frames]
    assert shown == [(10 * segment + k) % 75 for segment in range(8) for k in (2, 7)]
    cameras = [
        {example.camera_id for example in read_examples(tmp_path / "set", split)} for split in ("train", "held_out")
    ]  # type: ignore[arg-type]
    assert len(cameras[1]) == 1 and not cameras[0] & cameras[1], "a film is on one side of the split"
    assert all(example.captions == () and example.surprise_nats == () for example in examples.values())


def test_a_captioned_video_is_never_cut_in_two(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "said.jsonl"
    table.write_text('{"video": "long film", "caption": "a long way"}\n\n{"video": "b", "caption": "a short one"}\n')
    call = make_call(monkeypatch, capfd)
    words = ("refine", "export", "--from-folder", folder, "--captions", table, "--out", tmp_path / "set")
    outcome = call(*words, "--max-segments", 4)
    assert outcome.code == 0 and "1 too_long" in outcome.out
    assert not any(name.startswith("long") for name in all_examples(tmp_path / "set"))
    assert call(*words).code == 0
    (long,) = [example for name, example in all_examples(tmp_path / "set").items() if name.startswith("long")]
    assert long.reference == "a long way" and len(long.segments) == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title,caption\na,b\n", "entry 1 of .* has no video and caption"),
        ("video,caption,surprising\na,b,perhaps\n", "surprising is 0 or 1, not 'perhaps'"),
    ],
)
def test_a_table_that_says_nothing_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_captions(tmp_path / "captions.csv")


def test_a_folder_without_videos_is_an_error_that_says_what_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    call = make_call(monkeypatch, capfd)
    outcome = call("refine", "export", "--from-folder", tmp_path, "--out", tmp_path / "set")
    assert outcome.code == 10 and ".mp4" in outcome.error()
