import json
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from streamspike.core import CameraState, EventKind, EventPhase
from streamspike.errors import StoreError
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.store import Store
from tests.support.messages import NOON, end_of, make_event, make_keyframe, make_observation

DAY = 86_400.0
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spike.db"


def test_messages_of_events_link_the_keyframes_so_far_and_a_clip_is_announced(path: Path) -> None:
    store, event = Store(path, topic="spike"), make_event()
    store.record_event(event, make_keyframe(event), NOON)
    store.record_event(end_of(event), None, NOON)
    clip = Clip(event.event_id, "door", "door.mp4", NOON, 9.5, 1000, "h264")
    store.clips.record(clip)
    store.announce_clip(clip, NOON)
    start, end, fetched = [json.loads(message.payload) for message in store.outbox.pending()]
    assert start["links"] == end["links"] == {"keyframes": [f"/events/{event.event_id}/keyframes/0.jpg"], "clip": None}
    assert fetched["clip"] == f"/events/{event.event_id}/clip.mp4" and fetched["seconds"] == 9.5
    assert [message.topic for message in store.outbox.pending()][-1] == "spike/door/clip"
    store.close()


def test_a_clip_that_is_there_before_the_event_ends_is_linked(path: Path) -> None:
    store, event = Store(path, topic="spike"), make_event()
    store.record_event(event, None, NOON)
    store.clips.record(Clip(event.event_id, "door", "door.mp4", NOON, 9.5, 1000, "h264"))
    store.record_event(end_of(event), None, NOON)
    links = [json.loads(message.payload)["links"]["clip"] for message in store.outbox.pending()]
    assert links == [None, f"/events/{event.event_id}/clip.mp4"]
    store.close()


def test_without_a_broker_no_clip_is_announced(path: Path) -> None:
    store, event = Store(path), make_event()
    store.record_event(event, None, NOON)
    store.announce_clip(Clip(event.event_id, "door", "door.mp4", NOON, 9.5, 1000, "h264"), NOON)
    assert store.outbox.count_pending() == 0
    store.close()


def test_observations_come_back_as_they_were(path: Path) -> None:
    store = Store(path)
    written = [make_observation(index) for index in range(4)]
    written.append(replace(make_observation(4), kind=EventKind.MOTION))
    for observation in written:
        store.record_observation(observation)
    store.close()
    store = Store(path)
    assert store.observations("door", NOON, NOON + 100) == written
    assert store.observations("door", NOON + 1, NOON + 3) == written[1:3]
    assert store.observations("door", NOON, NOON + 100, limit=2) == written[3:]
    assert store.observations("yard", NOON, NOON + 100) == []
    assert store.last_observed_at("door") == NOON + 5 and store.last_observed_at("yard") is None
    store.close()


def test_same_segment_written_twice_is_there_once(path: Path) -> None:
    store = Store(path)
    store.record_observation(make_observation(1, 0.5))
    store.record_observation(make_observation(1, 0.75))
    store.record_observation(replace(make_observation(1, 0.9), model="other"))
    assert [o.surprise_nats for o in store.observations("door", NOON, NOON + 9)] == [0.75, 0.9]
    assert store._database.query_value("SELECT count(*) FROM segments") == 1
    store.close()


def test_events_keep_every_revision_and_report_the_newest(path: Path) -> None:
    store, event = Store(path), replace(make_event(), kind=EventKind.MOTION)
    update = replace(event, revision=1, phase=EventPhase.UPDATE, surprise_nats=9.0)
    for revision in (event, update, end_of(update)):
        assert store.record_event(revision, None, NOON)
    store.record_event(make_event(7, "yard"), make_keyframe(make_event(7, "yard")), NOON)
    assert store.revisions(event.event_id) == [event, update, end_of(update)]
    assert store.events() == [end_of(update), make_event(7, "yard")]
    assert store.events("yard") == store.open_events() == [make_event(7, "yard")]
    assert store.keyframes.of_event(make_event(7, "yard").event_id) == [make_keyframe(make_event(7, "yard"))]
    store.close()


def test_event_outbox_row_and_sequence_are_written_together(path: Path) -> None:
    store = Store(path, topic="spike")
    for number in range(3):
        store.record_event(make_event(number), None, NOON)
    store.record_event(make_event(0, "yard"), None, NOON)
    pending = store.outbox.pending()
    assert [message.topic for message in pending] == ["spike/door/event"] * 3 + ["spike/yard/event"]
    assert [json.loads(message.payload)["sequence"] for message in pending] == [1, 2, 3, 1]
    assert all(message.qos == 1 and not message.retain for message in pending)
    store.close()


def test_event_scored_again_is_not_sent_again(path: Path) -> None:
    store = Store(path, topic="spike")
    assert store.record_event(make_event(), None, NOON)
    assert not store.record_event(make_event(), None, NOON + 1)
    assert store.outbox.count_pending() == 1
    store.close()


def test_event_that_cannot_be_queued_is_not_half_written(path: Path) -> None:
    store = Store(path, topic="spike")
    store._database.execute("DROP TABLE outbox")
    with pytest.raises(StoreError):
        store.record_event(make_event(), make_keyframe(make_event()), NOON)
    assert store.events() == [] and store.keyframes.of_event(make_event().event_id) == []
    assert store.cameras() == []
    store.close()


def test_sequence_goes_on_after_prune_and_restart(path: Path) -> None:
    store = Store(path, topic="spike")
    store.record_event(make_event(0), None, NOON)
    store.outbox.mark_published(store.outbox.pending()[0].row_id, NOON)
    store.prune(NOON, keep_days=1)
    store.close()
    store = Store(path, topic="spike")
    store.record_event(make_event(1), None, NOON)
    [message] = store.outbox.pending()
    assert json.loads(message.payload)["sequence"] == 2
    store.close()


def test_prune_deletes_old_observations_and_sent_messages_but_no_event(path: Path) -> None:
    store = Store(path, topic="spike")
    for index in range(10):
        store.record_observation(make_observation(index))
    for number in range(2):
        store.record_event(make_event(number), make_keyframe(make_event(number)), NOON)
    store.outbox.mark_published(store.outbox.pending()[0].row_id, NOON)
    assert store.prune(NOON + 4 + DAY, keep_days=1, limit=3) == 3
    assert store.prune(NOON + 4 + DAY, keep_days=1, limit=3) == 1
    assert [o.index for o in store.observations("door", NOON, NOON + 99)] == [4, 5, 6, 7, 8, 9]
    assert store._database.query_value("SELECT count(*) FROM observations") == 6
    assert len(store.events()) == 2 and store.outbox.count_pending() == 1
    assert store._database.query_value("SELECT count(*) FROM outbox") == 1
    assert store.keyframes.of_event(make_event().event_id) != []
    store.close()


def test_threshold_and_state_survive_a_restart(path: Path) -> None:
    store = Store(path)
    store.save_threshold("door", {"version": 1, "num_seen": 3, "surprises": [0.5]})
    store.record_state("door", CameraState.BLIND, "the lens is covered", NOON)
    store.close()
    store = Store(path)
    assert store.load_threshold("door") == {"version": 1, "num_seen": 3, "surprises": [0.5]}
    assert store.load_threshold("yard") is None
    [camera] = store.cameras()
    assert (camera.state, camera.reason, camera.reported_at) == (CameraState.BLIND, "the lens is covered", NOON)
    store.close()


def test_full_disk_is_said_and_the_store_goes_on_when_there_is_space(path: Path) -> None:
    store, event = Store(path, topic="spike"), make_event()
    pages = store._database.query_value("PRAGMA page_count")
    store._database.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full"):
        store.record_event(event, make_keyframe(event, jpeg=bytes(200_000)), NOON)
    assert store.events() == [] and store.outbox.count_pending() == 0
    store._database.query("PRAGMA max_page_count = 100000")
    assert store.record_event(event, make_keyframe(event, jpeg=bytes(200_000)), NOON)
    store.close()


def test_read_only_store_is_said(path: Path) -> None:
    store = Store(path)
    store._database.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="is read-only"):
        store.record_observation(make_observation())
    store.close()


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot make the folder"):
        Store(tmp_path / "file" / "below" / "spike.db")


def test_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open the store"):
        Store(tmp_path)


def test_damaged_file_is_said_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never a database" * 100)
    with pytest.raises(StoreError, match="damaged or not a database"):
        Store(path)
    assert path.read_bytes() == b"this was never a database" * 100


def test_store_of_a_newer_version_is_refused(path: Path) -> None:
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"newer streamspike \(schema 99, this one knows \d+\); upgrade"):
        Store(path)


def test_store_of_an_older_version_is_brought_up_to_date(path: Path) -> None:
    store = Store(path)
    store.record_event(make_event(), None, now=1.0)
    for number, model in ((1, "frame-difference"), (2, "camera-health")):
        store.record_event(replace(make_event(number), model=model), None, now=1.0)
    store.close()
    connection = sqlite3.connect(path)
    for table, column in (
        ("observations", "unrest_nats"),
        ("observations", "change_nats"),
        ("events", "change_nats"),
        ("observations", "kind"),
        ("events", "kind"),
        ("cameras", "scorer_state"),
        ("cameras", "fallback_state"),
        ("cameras", "refine"),
    ):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table, column in (("observations", "p_value"), ("observations", "threshold_nats"), ("events", "p_value")):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DROP TABLE feedback")
    connection.execute("ALTER TABLE cameras DROP COLUMN commanded")
    connection.executescript(
        "DROP TABLE promotions; DROP TABLE adapters; DROP TABLE clips; DROP TABLE keyframes;"
        " CREATE TABLE keyframes (event_id TEXT NOT NULL,"
        " camera_id TEXT NOT NULL REFERENCES cameras (id), number INTEGER NOT NULL, taken_at REAL NOT NULL,"
        " width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, jpeg BLOB NOT NULL,"
        " PRIMARY KEY (event_id, number)) STRICT"
    )
    keyframe = make_keyframe(make_event())
    connection.execute(
        "INSERT INTO keyframes VALUES (?, 'door', 0, ?, 480, 270, ?)",
        (keyframe.event_id, keyframe.taken_at, keyframe.jpeg),
    )
    connection.execute("UPDATE meta SET value = '1'")
    connection.commit()
    connection.close()
    store = Store(path)
    assert [(event.p_value, event.change_nats) for event in store.events()] == [(1.0, 0.0)] * 3
    assert [event.kind for event in store.events()] == [EventKind.SURPRISE, EventKind.MOTION, EventKind.MOVED]
    assert store.keyframes.of_event(keyframe.event_id) == [replace(keyframe, surprise_nats=None, saw="")]
    assert store.clips.list_oldest_first() == [] and store.kept_from_refine() == frozenset()
    ordinary = Clip("door-ordinary", "door", "door.mp4", NOON, 9.5, 1000, "h264", "ordinary")
    store.clips.record(ordinary)
    assert store.clips.list_oldest_first() == [ordinary]
    store.record_observation(make_observation(0, 1.0))
    assert store.feedback.record(make_event().event_id, True, NOON) == "door"
    assert store.adapters.list_all() == [] and store.adapters.promotions() == []
    store.save_commanded("door", {"paused": True})
    store.close()


def test_database_of_somebody_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not one of streamspike's"):
        Store(path)


WRITER = """
import sys
from pathlib import Path
from streamspike.outputs.store import Store
from tests.support.messages import NOON, make_event, make_keyframe, make_observation
store = Store(Path(sys.argv[1]), topic="spike")
number = 0
while True:
    store.record_observation(make_observation(number))
    event = make_event(number)
    store.record_event(event, make_keyframe(event, jpeg=bytes(50_000)), NOON)
    print(number, flush=True)
    number += 1
"""


def test_killed_in_the_middle_of_writing_loses_nothing_it_had_written(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(30)]
    writer.send_signal(signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().split()]  # what it said before the signal came
    writer.wait()
    writer.stdout.close()
    store = Store(path, topic="spike")
    assert store._database.query_value("PRAGMA integrity_check") == "ok"
    events = store.events(limit=100_000)
    assert [event.onset_index for event in events][: len(seen)] == seen
    assert len(events) - len(seen) in (0, 1)  # one may have been committed and not said
    assert store.outbox.count_pending() == len(events)
    assert all(len(store.keyframes.of_event(event.event_id)) == 1 for event in events)
    assert store.record_event(make_event(999_999), None, NOON)
    store.close()


async def test_recorder_writes_on_one_thread_of_its_own(path: Path) -> None:
    async with Recorder(Store(path), clock=lambda: NOON) as recorder:
        names = {await recorder.run(lambda: threading.current_thread().name) for _ in range(5)}
        assert len(names) == 1 and names.pop().startswith("store")
        await recorder.observe(make_observation())
        await recorder.report_state("door", CameraState.WATCHING, "")
        await recorder.alert(make_event(), None)
        await recorder.alert(make_event(), None)
        assert recorder.counts.num_observations == recorder.counts.num_events == 1
        assert recorder.counts.num_events_repeated == 1


async def test_full_disk_loses_observations_with_a_count_but_never_an_event(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Recorder(Store(path), clock=lambda: NOON) as recorder:
        recorder.store._database.execute("PRAGMA query_only = 1")
        for index in range(3):
            await recorder.observe(make_observation(index))
        assert recorder.counts.num_observations_lost == 3
        assert caplog.text.count("observations are lost") == 1
        with pytest.raises(StoreError):
            await recorder.alert(make_event(), None)


async def test_event_left_open_by_a_killed_process_is_ended_at_the_next_start(path: Path) -> None:
    store = Store(path, topic="spike")
    store.record_event(make_event(2), None, NOON)
    store.record_event(make_event(0, "yard"), None, NOON)
    store.record_event(end_of(make_event(0, "yard")), None, NOON)
    store.record_observation(make_observation(6))
    store.close()
    async with Recorder(Store(path, topic="spike"), clock=lambda: NOON) as recorder:
        [end] = await recorder.end_abandoned()
        assert (end.event_id, end.phase, end.revision) == (make_event(2).event_id, EventPhase.END, 1)
        assert end.end_at == NOON + 7
        assert recorder.store.outbox.count_pending() == 4
        assert await recorder.end_abandoned() == []


async def test_recorder_prunes_in_steps(path: Path) -> None:
    async with Recorder(Store(path), clock=lambda: NOON + 3 * DAY) as recorder:
        for index in range(4):
            await recorder.observe(make_observation(index))
        assert await recorder.prune(keep_days=1) == 4
