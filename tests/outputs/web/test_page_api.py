"""The API over real HTTP: what it answers, that it is what OpenAPI says, and what the stream tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamspike.core import CameraState, EventKind
from streamspike.outputs.clip_table import Clip
from streamspike.outputs.web.openapi import plain_path
from streamspike.outputs.web.operations import OPERATIONS
from tests.support.messages import NOON, end_of, make_event, make_observation
from tests.support.page import FakeCamera, PageRun, budgeted_keyframe, frame_at, page_run, real_keyframe


@pytest.fixture
def camera() -> FakeCamera:
    return FakeCamera("door")


@pytest.fixture
def page(tmp_path: Path, camera: FakeCamera) -> Iterator[PageRun]:
    with page_run(tmp_path, camera) as run:
        yield run


def test_a_camera_says_its_state_what_it_sees_and_what_it_has_learned(page: PageRun) -> None:
    page.report_state("door", CameraState.OFFLINE, "no frame for 9 s")
    page.observe(make_observation(1))
    [door] = page.get("/api/cameras")["cameras"]
    assert (door["id"], door["state"], door["reason"]) == ("door", "offline", "no frame for 9 s")
    assert door["watched"] and door["learning_progress"] == 0.0 and door["alerts_per_day"] == 5.0
    assert door["latest"]["saw"] == "the gate falls over"
    assert {b["text"]: (b["prior"], b["posterior"]) for b in door["latest"]["beliefs"]} == {
        "a car passes": (0.62, 0.1),
        "a cat sits": (0.38, 0.9),
    }


def test_a_camera_of_an_earlier_run_is_remembered_but_not_watched(page: PageRun) -> None:
    page.observe(make_observation(1, camera_id="attic"))
    attic, door = page.get("/api/cameras")["cameras"]
    assert (attic["id"], attic["watched"], attic["picture"]) == ("attic", False, None)
    assert door["watched"]


def test_the_picture_is_the_newest_frame_and_a_known_one_is_not_sent_again(page: PageRun, camera: FakeCamera) -> None:
    assert page.request("/api/cameras/door/picture.jpg").status == 204
    camera.latest_frame = frame_at(1.0, level=200)
    first = page.request("/api/cameras/door/picture.jpg")
    pixels = cv2.imdecode(np.frombuffer(first.body, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None and pixels.shape == (180, 320, 3)
    assert page.request("/api/cameras/door/picture.jpg", headers={"If-None-Match": first.headers["etag"]}).status == 304
    camera.latest_frame = frame_at(2.0, level=90)
    assert page.request("/api/cameras/door/picture.jpg").body != first.body


def test_nobody_looks_through_a_paused_camera(page: PageRun, camera: FakeCamera) -> None:
    camera.latest_frame = frame_at(1.0)
    assert page.request("/api/cameras/door/picture.jpg").status == 200
    page.report_state("door", CameraState.PAUSED, "paused by command")
    assert page.request("/api/cameras/door/picture.jpg").status == 204


def test_a_camera_is_paused_and_given_a_budget_that_outlive_a_restart(page: PageRun, camera: FakeCamera) -> None:
    path = "/api/cameras/door/control"
    assert page.request(path, "POST", b'{"paused": true}').json() == {"id": "door", "paused": True, "alerts_per_day": 5}
    assert page.request(path, "POST", b'{"alerts_per_day": 8}').json()["alerts_per_day"] == 8
    assert camera.control.paused and camera.events.calibrator.alerts_per_day == 8.0
    assert page.recorder.store.load_commanded("door") == {"paused": True, "alerts_per_day": 8.0}
    assert page.request(path, "POST", b'{"alerts_per_day": null, "paused": false}').json()["alerts_per_day"] == 5
    assert page.get("/api/cameras")["cameras"][0]["paused"] is False


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"paused": 1}',
        b'{"alerts_per_day": 0}',
        b'{"alerts_per_day": -1}',
        b'{"alerts_per_day": NaN}',
        b'{"alerts_per_day": 1e99}',
        b'{"alerts_per_day": true}',
        b'{"alerts_per_day": "8"}',
        b'{"paused": true, "alerts_per_day": 0}',
        b'{"source": "x"}',
        b"[" * 4000,
    ],
)
def test_a_command_that_makes_no_sense_changes_nothing(page: PageRun, camera: FakeCamera, body: bytes) -> None:
    assert page.request("/api/cameras/door/control", "POST", body).status == 400
    assert page.request("/api/cameras/yard/control", "POST", b'{"paused": true}').status == 404
    assert not camera.control.paused and camera.events.calibrator.alerts_per_day == 5.0


def test_observations_of_a_time_range_come_oldest_first(page: PageRun) -> None:
    for index in range(5):
        page.observe(make_observation(index))
    path = "/api/cameras/door/observations?start=2026-07-27T10:00:01Z&end=2026-07-27T12:00:04%2B02:00"
    found = page.get(path)["observations"]
    assert [each["started_at"][17:19] for each in found] == ["01", "02", "03"] and found[0]["beliefs"] == []
    assert len(page.get(path + "&limit=2&beliefs=true")["observations"]) == 2
    assert page.get(path + "&beliefs=true")["observations"][0]["beliefs"][0]["text"] == "a cat sits"


def test_events_come_page_by_page_and_by_camera_newest_first(page: PageRun) -> None:
    for number in range(5):
        page.alert(make_event(number, "door" if number % 2 else "yard"))
    first = page.get("/api/events?limit=2")
    assert [event["id"][-1] for event in first["events"]] == ["4", "3"]
    second = page.get(f"/api/events?limit=3&before={first['before']}")
    assert [event["id"][-1] for event in second["events"]] == ["2", "1", "0"] and second["before"] is None
    assert [event["id"][-1] for event in page.get("/api/events?camera=door")["events"]] == ["3", "1"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gate", ["0"]),
        ("GATE%20car", ["0"]),  # seen and expected
        ("cat%20dog", []),  # each of them
        ("62", []),  # not the probabilities
        ("100%25", ["1"]),  # no pattern
        ("10_%25", []),
        ("%25", ["1"]),
        ("!", ["1"]),
        ("%27%20OR%20%271%27=%271", []),
    ],
)
def test_events_are_found_by_what_was_seen_expected_or_believed(page: PageRun, words: str, found: list[str]) -> None:
    page.alert(make_event(0))
    page.alert(replace(make_event(1), saw="stop! 100% full", expected=(("dog", 1.0),), believed=(("dog", 1.0),)))
    assert [event["id"][-1] for event in page.get(f"/api/events?words={words}")["events"]] == found


def test_an_event_has_its_revisions_keyframes_and_verdict(page: PageRun) -> None:
    event = make_event()
    page.alert(event, real_keyframe(event))
    page.alert(end_of(event))
    detail = page.get(f"/api/events/{event.event_id}")
    assert [revision["phase"] for revision in detail["revisions"]] == ["start", "end"]
    assert detail["event"]["end_at"] == "2026-07-27T10:00:03.000Z" and detail["useful"] is None
    [keyframe] = detail["keyframes"]
    assert keyframe["url"] == detail["event"]["picture"]
    picture = page.request(keyframe["url"])
    assert picture.headers["content-type"] == "image/jpeg" and picture.body == real_keyframe(event).jpeg


def test_a_verdict_is_kept_and_can_be_changed(page: PageRun) -> None:
    event = make_event()
    page.alert(event)
    path = f"/api/events/{event.event_id}"
    for useful in (True, False):
        reply = page.request(f"{path}/verdict", "POST", f'{{"useful": {str(useful).lower()}}}'.encode())
        assert (reply.status, reply.json()["useful"]) == (200, useful)
        assert page.get(path)["useful"] is useful


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"useful": 1}', b'{"useful": true, "x": 1}', b"null"])
def test_a_verdict_that_is_none_is_refused(page: PageRun, body: bytes) -> None:
    page.alert(make_event())
    assert page.request(f"/api/events/{make_event().event_id}/verdict", "POST", body).status == 400
    assert page.get(f"/api/events/{make_event().event_id}")["useful"] is None


def test_a_clip_is_sent_in_the_ranges_a_browser_asks_for(page: PageRun, tmp_path: Path) -> None:
    event = make_event()
    page.alert(event)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(bytes(range(100)))
    page.recorder.store.clips.record(Clip(event.event_id, "door", "a.mp4", NOON, 9.0, 100, "h264"))
    clip = page.get(f"/api/events/{event.event_id}")["clip"]
    assert (clip["url"], clip["bytes"]) == (f"/events/{event.event_id}/clip.mp4", 100)
    part = page.request(clip["url"], headers={"Range": "bytes=10-19"})
    assert (part.status, part.body, part.headers["content-type"]) == (206, bytes(range(10, 20)), "video/mp4")
    (tmp_path / "clips" / "a.mp4").unlink()
    assert page.request(clip["url"]).status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/events?limit=0", 400),
        ("/api/events?limit=1e9", 400),
        ("/api/events?camera=a%20b", 400),
        ("/api/events?words=" + "x" * 201, 400),
        ("/api/cameras/door/observations?start=yesterday", 400),
        ("/api/cameras/door/observations?start=2026-07-27T10:00:01", 400),
        ("/api/cameras/door/observations?beliefs=2", 400),
        ("/api/cameras/nowhere/observations", 404),
        ("/api/cameras/nowhere/picture.jpg", 404),
        ("/api/events/nothing", 404),
        ("/events/nothing/clip.mp4", 404),
        ("/events/nothing/keyframes/0.jpg", 404),
        ("/cameras/nothing/keyframes/0.jpg", 404),
        ("/cameras/door/keyframes/99999999999999999999999.jpg", 404),
        ("/api/cameras/nothing/keyframes", 404),
        ("/api/cameras/door/keyframes?before=yesterday", 400),
        ("/api/cameras/door/keyframes?before=99999999999999999", 400),
        ("/api/cameras/door/keyframes?limit=201", 400),
        ("/events/nothing/keyframes/99999999999999999999999.jpg", 404),
        ("/nothing", 404),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(page: PageRun, path: str, status: int) -> None:
    page.observe(make_observation())
    reply = page.request(path)
    assert reply.status == status
    if path != "/nothing":
        assert len(reply.json()["error"].split()) > 3


def test_health_is_degraded_while_a_camera_is_offline(page: PageRun) -> None:
    page.report_state("door", CameraState.WATCHING)
    assert page.get("/api/health")["status"] == "ok"
    page.report_state("door", CameraState.OFFLINE, "no route")
    health = page.get("/api/health")
    assert health["status"] == "degraded" and health["cameras"] == {"door": "offline"}


def test_openapi_describes_every_operation_and_its_answers(page: PageRun, camera: FakeCamera) -> None:
    document = page.get("/openapi.json")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert described == {(plain_path(each.path), each.method) for each in OPERATIONS}
    event = make_event()
    page.alert(event, real_keyframe(event))
    page.observe(make_observation())
    camera.latest_frame = frame_at(0.0)
    page.show(replace(budgeted_keyframe(0), index=0))
    known = {"camera_id": "door", "event_id": event.event_id, "number:int": "0"}
    for operation in OPERATIONS:
        if operation.method == "POST" or operation.name in ("stream", "show_clip"):
            continue
        path = operation.path
        for name, value in known.items():
            path = path.replace(f"{{{name}}}", value)
        reply = page.request(path)
        assert reply.status == 200 and reply.headers["content-type"] == operation.media, path
        if operation.answer is not None:
            answer = operation.answer.model_validate_json(reply.body, strict=True)
            schema = document["components"]["schemas"][operation.answer.__name__]
            assert set(answer.model_dump()) >= set(schema["required"])


def test_keyframes_of_the_budget_come_page_by_page_newest_first(page: PageRun) -> None:
    page.alert(make_event(), real_keyframe(make_event()))  # keyframes of events are not among them
    assert page.get("/api/cameras/door/keyframes") == {"keyframes": [], "before": None}
    for number in range(5):
        page.show(budgeted_keyframe(number))
    page.show(budgeted_keyframe(5, camera_id="yard"))
    first = page.get("/api/cameras/door/keyframes?limit=3")
    rest = page.get(f"/api/cameras/door/keyframes?limit=3&before={first['before']}")
    assert [frame["saw"] for frame in first["keyframes"]] == ["thing 4", "thing 3", "thing 2"]
    assert [frame["saw"] for frame in rest["keyframes"]] == ["thing 1", "thing 0"] and rest["before"] is None
    newest = first["keyframes"][0]
    assert (newest["camera"], newest["surprise_nats"], newest["taken_at"]) == ("door", 2.5, "2026-07-27T10:04:00.000Z")
    picture = page.request(newest["url"])
    assert picture.headers["content-type"] == "image/jpeg" and picture.body == budgeted_keyframe(4).jpeg
    assert page.request(newest["url"].replace("door", "yard")).status == 404, "another camera has none of that number"


def test_a_camera_whose_model_fails_says_so_whatever_its_state(page: PageRun, camera: FakeCamera) -> None:
    assert page.get("/api/cameras")["cameras"][0]["degraded"] is False
    camera.stats.degraded = True
    stream = page.open_stream()
    page.report_state("door", CameraState.STILL)
    page.alert(replace(make_event(), kind=EventKind.MOTION, expected=(), believed=()))
    assert stream.take()[1]["degraded"] is True
    assert stream.take()[1]["kind"] == "motion"
    stream.close()
    assert page.get("/api/cameras")["cameras"][0]["degraded"] is True
    assert page.get("/api/events")["events"][0]["kind"] == "motion"


def test_the_model_in_service_is_told_and_another_one_is_noticed(page: PageRun) -> None:
    told = page.get("/api/model")
    assert told == {"model": "nano@f57a99d5", "adapter": None, "since": "2026-07-27T10:00:00.000Z", "night_shift": None}
    stream = page.open_stream()
    page.model_name = "nano@f57a99d5+night-3@0011aabb"
    page.recorder.store.report_night_shift(0.25, "drawing pairs", NOON + 60)
    page.observe(make_observation())
    assert [stream.take()[0] for _ in range(2)] == ["observation", "model"]
    page.observe(make_observation(1))
    page.report_state("door", CameraState.WATCHING)
    assert [stream.take()[0] for _ in range(2)] == ["observation", "state"], "it is told once"
    stream.close()
    told = page.get("/api/model")
    assert (told["model"], told["adapter"]) == ("nano@f57a99d5", "night-3@0011aabb")
    assert told["night_shift"] == {"progress": 0.25, "words": "drawing pairs", "at": "2026-07-27T10:01:00.000Z"}
    page.model_name = None
    assert page.get("/api/model")["model"] is page.get("/api/model")["since"] is None


def test_the_stream_tells_of_observations_events_states_and_keyframes(page: PageRun) -> None:
    stream = page.open_stream()
    page.report_state("door", CameraState.BLIND, "the picture is black")
    page.observe(make_observation(1))
    page.alert(make_event(), real_keyframe(make_event()))
    kind, state = stream.take()
    assert (kind, state["camera"], state["state"], state["reason"]) == (
        "state",
        "door",
        "blind",
        "the picture is black",
    )
    kind, seen = stream.take()
    assert kind == "observation" and len(seen["beliefs"]) == 2 and seen["learning_progress"] == 0.0
    kind, event = stream.take()
    assert kind == "event" and page.request(event["picture"]).status == 200
    page.show(budgeted_keyframe(1))
    kind, frame = stream.take()
    assert kind == "keyframe" and page.request(frame["url"]).status == 200
    assert frame == page.get("/api/cameras/door/keyframes")["keyframes"][0]
    stream.close()


def test_one_stream_too_many_is_refused_until_another_one_ends(tmp_path: Path) -> None:
    with page_run(tmp_path, FakeCamera("door"), max_streams=1) as page:
        first = page.open_stream()
        second = page.open_stream()
        assert second.status == 503
        second.close()
        first.close()
        while page.get("/api/health")["num_streams"]:
            page.observe(make_observation())  # a gone reader is noticed when it is written to, at the latest
        page.open_stream().close()


def test_streams_end_when_the_page_does(tmp_path: Path) -> None:
    with page_run(tmp_path, FakeCamera("door")) as page:
        stream = page.open_stream()
    assert stream.is_over()
    stream.close()


def test_everything_is_told_again_by_the_store_after_a_restart(tmp_path: Path) -> None:
    with page_run(tmp_path, FakeCamera("door")) as page:
        page.alert(make_event(), real_keyframe(make_event()))
    with page_run(tmp_path) as page:
        assert [event["saw"] for event in page.get("/api/events")["events"]] == ["the gate falls over"]
        assert page.get("/api/cameras")["cameras"][0]["watched"] is False
