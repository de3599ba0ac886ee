"""What a killed run kept is found again, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspike.bench.records import Records, code_digest
from streamspike.errors import ConfigError

HEADER = {"model": "nano@1", "frames": (4, 8)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records = Records(tmp_path / "new" / "records.jsonl", HEADER)
    records.add({"film": 0})
    records.add({"film": 1})
    return records.path


def test_what_was_kept_is_read_again_in_order(path: Path) -> None:
    assert Records(path, HEADER).lines == [{"film": 0}, {"film": 1}]


@pytest.mark.parametrize("cut", [1, 5])
def test_a_line_that_was_cut_off_is_taken_out(path: Path, cut: int) -> None:
    text = path.read_text()
    path.write_text(text[:-cut])
    again = Records(path, HEADER)
    assert again.lines == [{"film": 0}]
    again.add({"film": 1})
    assert path.read_text() == text


def test_a_header_that_was_cut_off_is_written_again(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[:10])
    assert Records(path, HEADER).lines == []
    assert text.startswith(path.read_text())


def test_records_of_something_else_are_refused_and_left(path: Path) -> None:
    text = path.read_text()
    with pytest.raises(ConfigError, match="another model;"):
        Records(path, {**HEADER, "model": "nano@2"})
    path.write_text("hello\n" + text)
    with pytest.raises(ConfigError, match=r"records\.jsonl does not hold such records"):
        Records(path, HEADER)
    assert path.read_text() == "hello\n" + text


@pytest.mark.parametrize("text", ["hello", "hello\nworld", '{"model": "nano@2"}\n{"film": 0}\n{"fi', "7"])
def test_a_file_of_somebody_else_keeps_its_last_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"notes\.txt"):
        Records(path, HEADER)
    assert path.read_text() == text


def test_more_code_has_another_digest_and_the_same_the_same() -> None:
    assert code_digest("engine") != code_digest() == code_digest()


def test_a_disk_that_is_full_is_said(path: Path) -> None:
    records = Records(path, HEADER)
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(ConfigError, match="No space left"):
        records.add({"film": 2})
    assert len(records.lines) == 2
