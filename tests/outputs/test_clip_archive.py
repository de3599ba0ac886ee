"""The folder of clips: whole files only, room made by the oldest, and a full disk that costs clips but no event."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from streamspike.clock import ManualClock
from streamspike.config import ClipConfig, StoreConfig
from streamspike.errors import SinkError, StoreError
from streamspike.outputs import clips as clips_module
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.clips import ClipArchive, clips_folder, name_clip, open_archive
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.messages import NOON, make_event

DAY = 86_400.0


class Disk:
    """A disk of a given size: what is free is what the files in the folder leave."""

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes

    def measure_free(self, folder: Path) -> int:
        return self.num_bytes - sum(path.stat().st_size for path in folder.iterdir())


@pytest_asyncio.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with Recorder(Store(tmp_path / "spike.db"), lambda: NOON) as recorder:
        yield recorder


def make_archive(
    recorder: Recorder, folder: Path, disk: Disk | None = None, clock: ManualClock | None = None, **settings: object
) -> ClipArchive:
    config = ClipConfig.model_validate({"min_free_bytes": 0, **settings})
    measure = (disk or Disk(1 << 40)).measure_free
    return ClipArchive(config, folder, recorder, clock or ManualClock(NOON), measure)


async def add_clip(archive: ClipArchive, number: int, size: int = 100, started_at: float = NOON) -> Path | None:
    """As a camera does; the file is of zeros. The path it has in the end, None when it was not kept."""
    event = make_event(number)
    part = await archive.reserve(event.event_id)
    if part is None:
        return None
    part.write_bytes(bytes(size))
    name = name_clip(event.event_id)
    await archive.keep(part, Clip(event.event_id, "door", name, started_at + number, 1.0, size, "h264"))
    return archive.folder / name if (archive.folder / name).exists() else None


async def rows(recorder: Recorder) -> list[str]:
    return [clip.file_name for clip in await recorder.run(recorder.store.clips.list_oldest_first)]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path, recorder: Recorder) -> None:
    async with make_archive(recorder, tmp_path / "deep" / "clips") as archive:
        part = await archive.reserve(make_event().event_id)
        assert part is not None and part.suffix == ".part" and await rows(recorder) == []
        path = await add_clip(archive, 0)
        assert path is not None and files(archive.folder) == await rows(recorder) == [path.name]
        found = await recorder.run(recorder.store.clips.find, make_event().event_id)
        assert found is not None and (found.num_bytes, found.started_at, found.codec) == (100, NOON, "h264")
        assert (archive.counts.num_written, archive.counts.num_bytes_written, archive.counts.held_bytes) == (
            1,
            100,
            100,
        )


async def test_the_same_event_again_replaces_its_clip(tmp_path: Path, recorder: Recorder) -> None:
    async with make_archive(recorder, tmp_path / "clips") as archive:
        await add_clip(archive, 0, 100)
        path = await add_clip(archive, 0, 300)
        assert path is not None and path.stat().st_size == 300 and len(await rows(recorder)) == 1
        assert archive.counts.held_bytes == 300


@pytest.mark.parametrize("event_id", ["../../etc/passwd", "/tmp/x", "a\x00b", "", ".", "ü" * 300, "door 1", "\ud800"])
def test_no_event_id_leads_out_of_the_folder(event_id: str) -> None:
    name = name_clip(event_id)
    assert Path(name).name == name and name.isascii() and len(name) < 200 and not name.startswith(".")


def test_names_are_readable_and_differ_where_ids_differ() -> None:
    assert name_clip("door-20260727T101500Z-12") == "door-20260727T101500Z-12.mp4"
    assert len({name_clip(text) for text in ("a/b", "a_b", "a b", "a" * 200, "a" * 201)}) == 5


async def test_what_a_crash_left_is_cleaned_up_and_nothing_else(tmp_path: Path, recorder: Recorder) -> None:
    folder = tmp_path / "clips"
    async with make_archive(recorder, folder) as archive:
        await add_clip(archive, 0)
        lost = await add_clip(archive, 1)
    assert lost is not None
    lost.unlink()  # as after a crash between the row and the file
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f"e.mp4.{dead.pid}.part", f"e.mp4.{os.getpid()}.part", f"e.mp4.{os.getppid()}.part"):
        (folder / name).write_bytes(b"half")
    (folder / "holiday.mp4").write_bytes(b"not ours")
    async with make_archive(recorder, folder):
        kept = name_clip(make_event(0).event_id)
        assert await rows(recorder) == [kept]
        assert files(folder) == sorted([kept, f"e.mp4.{os.getppid()}.part", "holiday.mp4"]), "another process writes"


async def test_clips_that_are_too_old_go_at_the_start_and_later(tmp_path: Path, recorder: Recorder) -> None:
    clock = ManualClock(NOON)
    async with make_archive(recorder, tmp_path / "clips", clock=clock, keep_days=2.0) as archive:
        for number in range(3):
            await add_clip(archive, number, started_at=NOON + number * DAY)
        clock.advance(2.5 * DAY)
        await archive.make_room()
        assert await rows(recorder) == files(archive.folder) == [name_clip(make_event(n).event_id) for n in (1, 2)]
        assert archive.counts.num_deleted == {"age": 1}
    clock.advance(30 * DAY)
    async with make_archive(recorder, tmp_path / "clips", clock=clock, keep_days=2.0) as archive:
        assert files(archive.folder) == [] and archive.counts.held_bytes == 0


async def test_all_clips_together_stay_below_their_bound(tmp_path: Path, recorder: Recorder) -> None:
    size = 300_000
    async with make_archive(recorder, tmp_path / "clips", max_bytes=1 << 20) as archive:
        for number in range(6):
            assert await add_clip(archive, number, size) is not None
            assert sum(path.stat().st_size for path in archive.folder.iterdir()) <= 1 << 20
        assert await rows(recorder) == [name_clip(make_event(n).event_id) for n in (3, 4, 5)]
        assert archive.counts.num_deleted == {"bytes": 3} and archive.counts.held_bytes == 3 * size


async def test_a_full_disk_costs_the_oldest_clips_then_clips_pause_then_they_go_on(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, clips_module.__name__)
    disk = Disk(1000)
    async with make_archive(recorder, tmp_path / "clips", disk, min_free_bytes=300) as archive:
        for number in range(9):
            assert await add_clip(archive, number) is not None
            assert disk.measure_free(archive.folder) >= 300
        assert archive.counts.num_deleted == {"disk_full": 2} and not archive.counts.paused
        (archive.folder / "others.bin").write_bytes(bytes(800))  # somebody else fills the disk
        for number in range(9, 12):
            assert await add_clip(archive, number) is None
        assert await rows(recorder) == [] and archive.counts.paused
        assert archive.counts.num_lost == {"disk_full": 3} and archive.counts.num_deleted == {"disk_full": 9}
        (archive.folder / "others.bin").unlink()
        assert await add_clip(archive, 12) is not None and not archive.counts.paused
    spoken = [record.getMessage() for record in caplog.records]
    assert len(spoken) == 2 and "less than 300 bytes left" in spoken[0] and "clips go on" in spoken[1]


async def test_ordinary_footage_never_makes_the_clip_of_an_event_go(tmp_path: Path, recorder: Recorder) -> None:
    disk = Disk(1000)
    async with make_archive(recorder, tmp_path / "clips", disk, min_free_bytes=300) as archive:
        for number in range(7):
            await add_clip(archive, number)
        (archive.folder / "others.bin").write_bytes(bytes(50))
        assert await archive.reserve("door-ordinary", "ordinary") is None
        assert archive.counts.num_ordinary_dropped == {"disk_full": 1} and not archive.counts.num_lost
        assert not archive.counts.num_deleted and len(await rows(recorder)) == 7


async def test_events_are_written_while_clips_cannot_be(tmp_path: Path, recorder: Recorder) -> None:
    async with make_archive(recorder, tmp_path / "clips", Disk(0), min_free_bytes=1) as archive:
        for number in range(20):
            await recorder.alert(make_event(number), None)
            assert await add_clip(archive, number) is None
        assert archive.counts.num_lost == {"disk_full": 20}
    assert len(recorder.store.events()) == 20


async def test_a_disk_that_is_full_in_the_middle_costs_that_clip_and_as_much_of_the_oldest(
    tmp_path: Path, recorder: Recorder
) -> None:
    async with make_archive(recorder, tmp_path / "clips") as archive:  # a quota: free bytes say nothing of it
        for number in range(3):
            await add_clip(archive, number)
        part = await archive.reserve(make_event(9).event_id)
        assert part is not None
        part.write_bytes(bytes(150))
        await archive.discard(part, OSError(errno.EDQUOT, "Disk quota exceeded"))
        assert files(archive.folder) == [name_clip(make_event(2).event_id)] == await rows(recorder)
        assert archive.counts.num_lost == {"disk_full": 1} and archive.counts.num_deleted == {"disk_full": 2}
        assert not archive.counts.paused and await add_clip(archive, 4) is not None


async def test_a_clip_that_cannot_be_kept_leaves_nothing_behind(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    async with make_archive(recorder, tmp_path / "clips") as archive:
        monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        assert await add_clip(archive, 0) is None
        monkeypatch.undo()
        monkeypatch.setattr(recorder.store.clips, "record", refuse)
        assert await add_clip(archive, 1) is None
        assert files(archive.folder) == await rows(recorder) == []
        assert archive.counts.num_lost == {"failed": 2} and archive.counts.num_written == 0


async def test_a_clip_that_cannot_be_deleted_keeps_its_row_and_is_tried_again(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(NOON)
    async with make_archive(recorder, tmp_path / "clips", clock=clock) as archive:
        await add_clip(archive, 0)
        clock.advance(20 * DAY)
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "not allowed")))
        await archive.make_room()
        monkeypatch.undo()
        assert len(await rows(recorder)) == 1 and archive.counts.held_bytes == 100
        await archive.make_room()
        assert await rows(recorder) == files(archive.folder) == [] and archive.counts.num_deleted == {"age": 1}


async def test_a_folder_that_cannot_be_made_is_told_before_anything_runs(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(
        SinkError, match=r"folder of clips .*file/clips cannot be used: .*; choose another clips\.folder"
    ):
        async with make_archive(recorder, tmp_path / "file" / "clips"):
            pass


async def test_clips_lie_beside_the_store_and_can_be_switched_off(tmp_path: Path, recorder: Recorder) -> None:
    store = StoreConfig(path=str(tmp_path / "spike.db"))
    assert clips_folder(ClipConfig(), store) == tmp_path / "clips"
    assert clips_folder(ClipConfig(folder="/media/clips"), store) == Path("/media/clips")
    async with open_archive(ClipConfig(enabled=False), store, recorder, ManualClock()) as archive:
        assert archive is None and not (tmp_path / "clips").exists()
    async with open_archive(ClipConfig(), store, recorder, ManualClock()) as archive:
        assert archive is not None and archive.folder.is_dir()
