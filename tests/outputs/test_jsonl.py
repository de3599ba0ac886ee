import json
from pathlib import Path

import pytest

from streamspike.errors import SinkError
from streamspike.outputs.jsonl import JsonlSink
from tests.support.messages import end_of, make_event


async def test_each_revision_is_a_line_that_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    with JsonlSink(path) as sink:
        await sink.alert(make_event(), None)
        assert json.loads(path.read_text())["phase"] == "start"
        await sink.alert(end_of(make_event()), None)
        assert [json.loads(line)["phase"] for line in path.read_text().splitlines()] == ["start", "end"]


async def test_existing_file_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for number in range(2):
        with JsonlSink(path) as sink:
            await sink.alert(make_event(number), None)
    messages = [json.loads(line) for line in path.read_text().splitlines()]
    assert [message["id"] for message in messages] == [make_event(0).event_id, make_event(1).event_id]
    assert all("sequence" not in message for message in messages)


def test_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write events to .*: Is a directory"):
        JsonlSink(tmp_path)


async def test_full_disk_is_said() -> None:
    sink = JsonlSink(Path("/dev/full"))
    with pytest.raises(SinkError, match="No space left"):
        await sink.alert(make_event(), None)
    with pytest.raises(OSError, match="No space left"):  # the line is still in the buffer
        sink.close()
