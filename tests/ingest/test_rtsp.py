"""A real RTSP camera on the loopback, through FFmpeg, with everything that goes wrong with cameras."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from streamspike.errors import SourceError
from streamspike.ingest.address import parse_address
from streamspike.ingest.clip_file import PacketFile
from streamspike.ingest.container import SilentSource
from streamspike.stats import CameraStats
from tests.ingest.harness import Rig, camera_for, make_rig, open_quickly, wait_until
from tests.support.clips import encode, paint, paint_many
from tests.support.rtsp import RtspServer
from tests.support.servers import make_certificate

LOGIN = ("joe", "pa55/w@rd")
ENCODED = "pa55%2Fw%40rd"


@pytest.fixture(scope="module")
def camera() -> Iterator[RtspServer]:
    """A healthy camera that wants a login. Do not break it: it is shared."""
    with RtspServer(login=("joe", "pa55word")) as server:
        yield server


def live_rig(server: RtspServer, **settings: object) -> Rig:
    return make_rig(camera_for(server.url, **settings), is_live=True, seconds=0.2, max_queued=64)


async def take(rig: Rig, count: int) -> list[tuple[int, float]]:
    """(epoch, start_seconds) of the next segments."""
    async with asyncio.timeout(15):
        segments = [await rig.channel.get() for _ in range(count)]
    return [(segment.epoch, segment.start_seconds) for segment in segments if segment is not None]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_come_over_both_transports_after_a_digest_login(camera: RtspServer, transport: str) -> None:
    stats = CameraStats()
    source = open_quickly(camera.url, stats, transport=transport)
    frames = list(itertools.islice(source, 8))
    source.close()
    assert source.is_live
    assert [frame.stream_seconds for frame in frames] == pytest.approx([n / 20 for n in range(8)], abs=0.002)
    assert frames[0].render().pixels.shape == (120, 160, 3)
    assert (stats.corrupt_frames, stats.bad_packets, stats.time_repairs.total()) == (0, 0, 0)


def test_rtsps_cameras_are_read_whose_certificate_nobody_signed(tmp_path: Path) -> None:
    with RtspServer(login=("joe", "pa55word"), certificate=make_certificate(tmp_path)) as server:
        assert server.url.startswith("rtsps://")
        source = open_quickly(server.url, CameraStats())
        assert [frame.render().pixels.shape for frame in itertools.islice(source, 4)] == [(120, 160, 3)] * 4
        source.close()


@pytest.mark.parametrize(
    ("make_url", "message"),
    [
        (lambda camera: camera.url_for("joe", "wr0ngpa55"), "refuses user or password"),
        (lambda camera: camera.url_for("joe", "wr0ngpa55") + "?password=wr0ngpa55", "refuses user or password"),
        (lambda camera: camera.url.replace("/cam", "/attic"), "404"),
        (lambda camera: f"rtsp://joe:wr0ngpa55@127.0.0.1:{_closed_port()}/cam", "Connection refused"),
    ],
)
def test_an_open_error_says_what_is_wrong_and_nowhere_shows_the_password(
    camera: RtspServer, make_url: object, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError, match=message) as caught:
        open_quickly(make_url(camera))  # type: ignore[operator]
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + caplog.text
    assert "wr0ngpa55" not in shown
    assert "pa55word" not in shown
    assert "***@127.0.0.1" in shown


def test_a_password_with_odd_letters_logs_in_and_stays_hidden() -> None:
    with RtspServer(login=LOGIN) as server:
        url = server.url_for("joe", ENCODED)
        source = open_quickly(url)
        assert len(list(itertools.islice(source, 2))) == 2
        source.close()
        server.kill()
        with pytest.raises(SourceError) as caught:
            open_quickly(url)
    assert ENCODED not in str(caught.value) and LOGIN[1] not in str(caught.value)
    assert str(parse_address(url)) == f"rtsp://***@127.0.0.1:{server.port}/cam"


@pytest.mark.slow
def test_a_mute_camera_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(SourceError, match="no answer"):
        open_quickly(f"rtsp://127.0.0.1:{mute.getsockname()[1]}/cam")


@pytest.mark.slow
async def test_a_camera_that_was_off_comes_back_as_a_new_epoch(tmp_path: Path) -> None:
    with RtspServer() as server:
        rig = live_rig(server)
        task = asyncio.create_task(rig.reader.run())
        before = await take(rig, 2)
        server.kill()
        await wait_until(lambda: rig.stats.state == "offline")
        await wait_until(lambda: rig.stats.connection_failures["open"] >= 1)
        server.restart()
        after = await take(rig, 4)
        rig.reader.stop()
        await task
    assert before == [(0, 0.0), (0, pytest.approx(0.2))]
    assert [start for epoch, start in after if epoch == 1][:2] == [0.0, pytest.approx(0.2)]
    assert rig.state_names[:3] == ["connecting", "watching", "offline"]
    assert rig.stats.connection_failures["read"] == 1
    # What led up to the loss can still be made into a clip, and is not mixed with what came after.
    old = rig.ring.snapshot(0, 0.0)
    assert old is not None
    clip = PacketFile(tmp_path / "clip.mp4", old.header)
    for packet in old.packets:
        clip.add(packet)
    clip.close()
    with av.open(tmp_path / "clip.mp4") as container:
        assert sum(not frame.is_corrupt for frame in container.decode(video=0)) == len(old.packets)


@pytest.mark.slow
async def test_a_camera_that_stays_connected_but_falls_silent_is_left_and_tried_again() -> None:
    with RtspServer() as server:
        rig = live_rig(server)
        task = asyncio.create_task(rig.reader.run())
        await take(rig, 1)
        server.stall()
        await wait_until(lambda: rig.stats.connection_failures["silence"] >= 1)
        server.resume()
        await wait_until(lambda: rig.stats.epochs >= 2 and rig.stats.state == "watching")
        rig.reader.stop()
        await task
    assert any("no answer in time" in reason for state, reason in rig.states if state.value == "offline")


@pytest.mark.slow
async def test_stopping_a_stalled_camera_does_not_wait_for_ever() -> None:
    with RtspServer() as server:
        rig = live_rig(server)
        task = asyncio.create_task(rig.reader.run())
        await take(rig, 1)
        server.stall()
        await asyncio.sleep(0.1)
        rig.reader.stop()
        await asyncio.wait_for(task, 5.0)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_packet_loss_costs_some_frames_and_marks_others(transport: str) -> None:
    with RtspServer(encode(paint_many(40), gop=20), fps=50, drop_rate=0.04, max_rtp_bytes=100, seed=1) as server:
        stats = CameraStats()
        source = open_quickly(server.url, stats, transport=transport)
        frames = list(itertools.islice(source, 60))
        source.close()
    assert len(frames) == 60
    assert stats.corrupt_frames == sum(frame.corrupt for frame in frames) > 0
    assert all(a.stream_seconds < b.stream_seconds for a, b in itertools.pairwise(frames))


def test_packets_without_frames_are_silence_too() -> None:
    units = encode(paint_many(10), fps=20, gop=5)
    broken = [type(unit)(unit.data[:6] + bytes(len(unit.data) - 6), unit.is_sync) for unit in units]
    with RtspServer(units) as server:
        source = open_quickly(server.url)
        next(iter(source))
        server._units = itertools.cycle(broken)
        with pytest.raises(SilentSource):
            list(source)
        source.close()


async def test_a_simulated_camera_can_be_served_and_watched() -> None:
    with RtspServer() as server:
        server.serve_frames(paint(number, 64, 48) for number in itertools.count())
        rig = live_rig(server)
        task = asyncio.create_task(rig.reader.run())
        async with asyncio.timeout(10):
            segment = await rig.channel.get()
        rig.reader.stop()
        await task
    assert segment is not None and segment.frames[0].pixels.shape == (48, 64, 3)


def test_two_cameras_do_not_share_a_connection() -> None:
    with RtspServer() as server:
        first, second = open_quickly(server.url), open_quickly(server.url, transport="udp")
        assert len(list(itertools.islice(first, 2))) == len(list(itertools.islice(second, 2))) == 2
        assert server.num_clients == 2
        first.close()
        assert len(list(itertools.islice(second, 2))) == 2
        second.close()


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
