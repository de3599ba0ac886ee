"""Answers every request of the API and the page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from streamspike import __version__
from streamspike.core import CameraState
from streamspike.errors import StoreError
from streamspike.outputs.commands import MAX_ALERTS_PER_DAY
from streamspike.outputs.recorder import Recorder
from streamspike.outputs.web import asked
from streamspike.outputs.web.answers import (
    Answer,
    CameraList,
    ControlAnswer,
    EventPage,
    HealthAnswer,
    KeyframePage,
    ObservationList,
    VerdictAnswer,
    event_answer,
    event_detail,
    observation_answer,
    stored_answer,
)
from streamspike.outputs.web.archive import Archive
from streamspike.outputs.web.asked import Mistaken
from streamspike.outputs.web.entry import COOKIE, COOKIE_SECONDS, Entry
from streamspike.outputs.web.guard import explain
from streamspike.outputs.web.hub import Hub, Stream
from streamspike.outputs.web.model import ModelInService
from streamspike.outputs.web.pictures import Pictures
from streamspike.outputs.web.static_files import StaticFile
from streamspike.outputs.web.wall import Wall

UNWELL = (CameraState.OFFLINE, CameraState.BLIND)
HISTORY_SECONDS = 600.0
MAX_NUMBER = 2**53
"""Of a keyframe: milliseconds since 1970, and what JavaScript can count to."""
KEPT = {"cache-control": "private, max-age=86400"}


class Handlers:
    """One method for each operation, of its name."""

    def __init__(
        self,
        archive: Archive,
        recorder: Recorder,
        wall: Wall,
        hub: Hub,
        pictures: Pictures,
        entry: Entry,
        model: ModelInService,
        clips_folder: Path,
        num_refused: Callable[[], int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._archive = archive
        self._recorder = recorder
        self._wall = wall
        self._hub = hub
        self._pictures = pictures
        self._entry = entry
        self._model = model
        self._clips_folder = clips_folder
        self._num_refused = num_refused
        self._now = now
        self._started_at = now()

    async def list_cameras(self, request: Request) -> Response:
        records = await self._archive.run(self._archive.store.cameras)
        return _answer(CameraList(cameras=self._wall.answers(records)))

    async def show_picture(self, request: Request) -> Response:
        camera_id = asked.read_id(request, "camera_id")
        if camera_id not in self._wall.states():
            raise Mistaken(404, "no such camera is watched")
        picture = await self._pictures.newest(camera_id)
        if picture is None:
            return Response(status_code=204)
        headers = {"etag": picture.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == picture.tag:
            return Response(status_code=304, headers=headers)
        return Response(picture.jpeg, media_type="image/jpeg", headers=headers)

    async def control_camera(self, request: Request) -> Response:
        camera_id = asked.read_id(request, "camera_id")
        control = self._wall.control_of(camera_id)
        if control is None:
            raise Mistaken(404, "no such camera is watched")
        body = await asked.read_body(request, {"paused", "alerts_per_day"})
        budget, paused = body.get("alerts_per_day"), body.get("paused", control.paused)
        if not isinstance(paused, bool):
            raise Mistaken(400, "paused must be true or false")
        is_number = isinstance(budget, int | float) and not isinstance(budget, bool)
        if budget is not None and not (is_number and 0 < budget <= MAX_ALERTS_PER_DAY):
            raise Mistaken(400, f"alerts_per_day must be above 0 and at most {MAX_ALERTS_PER_DAY:.0f}, or null")
        if "alerts_per_day" in body:
            control.set_budget(None if budget is None else float(budget))
        if paused != control.paused:
            control.pause(paused)
        # Written before it is acknowledged, as for commands over MQTT.
        await self._recorder.run(self._recorder.store.save_commanded, camera_id, control.export())
        return _answer(ControlAnswer(id=camera_id, paused=control.paused, alerts_per_day=control.alerts_per_day))

    async def list_observations(self, request: Request) -> Response:
        camera_id, archive = asked.read_id(request, "camera_id"), self._archive
        end = asked.read_time(request, "end", self._now() + 1.0)
        start = asked.read_time(request, "start", end - HISTORY_SECONDS)
        limit, beliefs = asked.read_number(request, "limit", 600, 3600), asked.read_flag(request, "beliefs")
        await self._know(camera_id)
        found = await archive.run(archive.store.observations, camera_id, start, end, limit)
        return _answer(ObservationList(observations=[observation_answer(each, beliefs=beliefs) for each in found]))

    async def list_keyframes(self, request: Request) -> Response:
        camera_id, archive = asked.read_id(request, "camera_id"), self._archive
        before = asked.read_optional_number(request, "before", MAX_NUMBER)
        limit = asked.read_number(request, "limit", 40, 200)
        await self._know(camera_id)
        found = await archive.run(archive.store.keyframes.list_budgeted, camera_id, before, limit + 1)
        frames = [stored_answer(frame) for frame in found[:limit]]
        return _answer(KeyframePage(keyframes=frames, before=frames[-1].number if len(found) > limit else None))

    async def show_budgeted_keyframe(self, request: Request) -> Response:
        camera_id, number = asked.read_id(request, "camera_id"), request.path_params["number"]
        return await self._send_jpeg("", min(number, MAX_NUMBER), camera_id)

    async def list_events(self, request: Request) -> Response:
        limit = asked.read_number(request, "limit", 50, 200)
        found = await self._archive.run(
            self._archive.search,
            asked.read_words(request, "words"),
            asked.read_optional_id(request, "camera"),
            asked.read_optional_id(request, "before"),
            limit + 1,
        )
        events = [event_answer(each.event, each.frame.number if each.frame else None) for each in found[:limit]]
        return _answer(EventPage(events=events, before=events[-1].id if len(found) > limit else None))

    async def show_event(self, request: Request) -> Response:
        event_id, archive = asked.read_id(request, "event_id"), self._archive
        revisions, frames = await archive.run(archive.find, event_id)
        if not revisions:
            raise Mistaken(404, "there is no such event")
        clip = await archive.run(archive.store.clips.find, event_id)
        useful = await archive.run(archive.store.feedback.of_event, event_id)
        return _answer(event_detail(revisions, frames, clip, useful))

    async def judge_event(self, request: Request) -> Response:
        event_id = asked.read_id(request, "event_id")
        body = await asked.read_body(request, {"useful"})
        if not isinstance(body["useful"], bool):
            raise Mistaken(400, "useful must be true or false")
        recorder = self._recorder
        known = await recorder.run(recorder.store.feedback.record, event_id, body["useful"], self._now())
        if known is None:
            raise Mistaken(404, "there is no such event")
        return _answer(VerdictAnswer(id=event_id, useful=body["useful"]))

    async def show_keyframe(self, request: Request) -> Response:
        return await self._send_jpeg(asked.read_id(request, "event_id"), min(request.path_params["number"], MAX_NUMBER))

    async def show_clip(self, request: Request) -> Response:
        event_id, archive = asked.read_id(request, "event_id"), self._archive
        clip = await archive.run(archive.store.clips.find, event_id)
        path = None if clip is None else self._clips_folder / Path(clip.file_name).name
        if path is None or not path.is_file():
            raise Mistaken(404, "there is no clip of this event")
        return FileResponse(path, media_type="video/mp4", headers=KEPT)

    async def stream(self, request: Request) -> Response:
        stream = self._hub.open()
        if stream is None:
            return explain(503, "too many pages are open (web.max_streams)", {"retry-after": "30"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._send(stream), media_type="text/event-stream", headers=headers)

    async def show_health(self, request: Request) -> Response:
        states = self._wall.states()
        status = "degraded" if any(state in UNWELL for state in states.values()) else "ok"
        try:
            await self._archive.run(self._archive.store.cameras)
        except StoreError:
            status = "failing"
        answer = HealthAnswer(
            status=status,
            version=__version__,
            uptime_seconds=round(self._now() - self._started_at, 3),
            cameras={camera_id: state.value for camera_id, state in states.items()},
            num_streams=self._hub.counts.num_streams,
            num_messages_dropped=self._hub.counts.num_dropped,
            num_requests_refused=self._num_refused(),
            needs_token=self._entry.needs_token,
        )
        return _answer(answer)

    async def show_model(self, request: Request) -> Response:
        return _answer(self._model.answer(await self._archive.run(self._archive.store.night_shift)))

    async def log_in(self, request: Request) -> Response:
        """The form sends the token; the browser keeps a cookie for it."""
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        if not self._entry.accepts(fields.get("token", [""])[0]):
            return RedirectResponse("/login#wrong", 303)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, self._entry.cookie(), COOKIE_SECONDS, httponly=True, samesite="strict")
        return answer

    async def log_out(self, request: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def explain_mistake(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Mistaken)
        return explain(error.status, str(error))

    async def explain_store(self, request: Request, error: Exception) -> Response:
        return explain(503, str(error))

    async def _know(self, camera_id: str) -> None:
        """Raises Mistaken: nobody has ever watched such a camera."""
        known = {record.camera_id for record in await self._archive.run(self._archive.store.cameras)}
        if camera_id not in known | self._wall.states().keys():
            raise Mistaken(404, "there is no such camera")

    async def _send_jpeg(self, event_id: str, number: int, camera_id: str | None = None) -> Response:
        jpeg = await self._archive.run(self._archive.store.keyframes.jpeg, event_id, number, camera_id)
        if jpeg is None:
            raise Mistaken(404, "there is no such keyframe")
        return Response(jpeg, media_type="image/jpeg", headers=KEPT)

    async def _send(self, stream: Stream) -> AsyncIterator[bytes]:
        try:
            async for message in stream.messages():
                yield message
        finally:
            self._hub.close(stream)


def show_file(file: StaticFile) -> Callable[[Request], Response]:
    """A handler for one file of the page."""

    def handle(request: Request) -> Response:
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media, headers=headers)

    return handle


def show_document(document: dict[str, object]) -> Callable[[Request], Response]:
    """A handler for JSON that never changes."""
    return lambda request: JSONResponse(document)


def _answer(answer: Answer) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")
