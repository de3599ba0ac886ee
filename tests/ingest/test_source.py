from __future__ import annotations

import functools
import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel

from streamspike.clock import ManualClock, SystemClock
from streamspike.config import IngestConfig
from streamspike.errors import SourceError, UnsupportedSource
from streamspike.ingest import source as source_module
from streamspike.ingest.hardware import find_hardware
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats
from tests.ingest.harness import QUICK, camera_for, open_quickly, read_all
from tests.support.clips import paint, rot, truncate, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", num_frames=30)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi", ".gif"])
def test_every_frame_of_a_file_comes_out_in_order_from_zero(tmp_path: Path, suffix: str) -> None:
    stats = CameraStats()
    frames = read_all(write_clip(tmp_path / f"a{suffix}", num_frames=20), stats)
    assert [frame.stream_seconds for frame in frames] == pytest.approx([n / 10 for n in range(20)], abs=0.011)
    assert (stats.frames, stats.corrupt_frames, stats.bad_packets) == (20, 0, 0)
    assert stats.time_repairs.total() == 0
    assert stats.packet_bytes > 1000


def test_pixels_are_rgb_and_the_right_ones(clip: Path) -> None:
    frame = read_all(clip)[3].render()
    assert frame.pixels.shape == (120, 160, 3)
    assert not frame.pixels.flags.writeable
    assert np.abs(frame.pixels.astype(int) - paint(3)).mean() < 12
    assert frame.pixels[45, 22, 0] > 220 > 100 > frame.pixels[45, 22, 2]  # the square is yellow


def test_taller_pictures_are_scaled_down_with_their_shape(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "tall.mp4", num_frames=1, width=320, height=240)
    ingest = IngestConfig(max_frame_height_px=60, hardware_decode="off")
    source = open_source(camera_for(path), ingest, SystemClock(), CameraStats())
    (frame,) = source
    source.close()
    assert frame.render().pixels.shape == (60, 80, 3)


def test_a_first_timestamp_other_than_zero_is_taken_off(tmp_path: Path) -> None:
    frames = read_all(write_clip(tmp_path / "late.mkv", num_frames=5, first_seconds=73.5))
    assert [frame.stream_seconds for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.002)


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.51, 1.7, 4.0]
    frames = read_all(write_clip(tmp_path / "vfr.mp4", times=times))
    assert [frame.stream_seconds for frame in frames] == pytest.approx(times, abs=0.002)


def test_files_joined_end_to_end_go_on_through_the_jump_and_the_new_size(tmp_path: Path) -> None:
    """Two transport streams as one file: the size changes, and the clock starts again."""
    small = write_clip(tmp_path / "small.ts", num_frames=20)
    large = write_clip(tmp_path / "large.ts", num_frames=20, width=320, height=240)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    stats = CameraStats()
    source = open_quickly(joined, stats)
    frames = [frame.render() for frame in source]
    source.close()
    assert len(frames) >= 39
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3), (240, 320, 3)}
    assert stats.resolution_changes == 1
    assert stats.time_repairs["jump"] == 1
    steps = np.diff([frame.stream_seconds for frame in frames])
    assert (steps > 0).all() and steps.max() < 0.3


def test_a_clock_stamps_a_file_from_when_it_began(clip: Path) -> None:
    source = open_source(camera_for(clip), QUICK, ManualClock(started_at=5000.0), CameraStats())
    frames = list(source)
    source.close()
    assert [frame.arrived_at for frame in frames[:3]] == pytest.approx([5000.0, 5000.1, 5000.2])


def test_bit_rot_costs_few_frames(tmp_path: Path, clip: Path) -> None:
    long = write_clip(tmp_path / "long.mp4", num_frames=100)
    stats = CameraStats()
    frames = read_all(rot(long, every_bytes=1500), stats)
    assert len(frames) >= 90
    assert stats.corrupt_frames == sum(frame.corrupt for frame in frames) > 0
    assert stats.bad_packets + len(frames) >= 99


def test_a_truncated_file_gives_what_is_left(tmp_path: Path) -> None:
    faststart = write_clip(tmp_path / "fast.mp4", num_frames=60, options={"movflags": "faststart"})
    matroska = write_clip(tmp_path / "a.mkv", num_frames=60)
    stats = CameraStats()
    assert 25 <= len(read_all(truncate(faststart, 0.6), stats)) < 60
    assert stats.read_errors + stats.bad_packets > 0
    assert 25 <= len(read_all(truncate(matroska, 0.6))) < 60


def test_a_file_that_is_no_video_is_a_clear_error(tmp_path: Path, clip: Path) -> None:
    bad = {
        "empty.mp4": b"",
        "text.txt": b"to whom it may concern\n" * 50,
        "noise.mp4": bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
        "headless.mp4": clip.read_bytes()[: clip.stat().st_size // 2],  # the index of an mp4 is at its end
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=rf"{name}: not a video that FFmpeg can read$"):
            read_all(tmp_path / name)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="there is no video in it"):
        read_all(path)


def test_a_file_of_which_nothing_can_be_decoded_is_an_error(tmp_path: Path, clip: Path) -> None:
    rotten = bytearray(clip.read_bytes())
    begin = rotten.index(b"mdat") + 4
    end = rotten.index(b"moov") - 4
    rotten[begin:end] = bytes(end - begin)
    (tmp_path / "hollow.mp4").write_bytes(rotten)
    stats = CameraStats()
    with pytest.raises(SourceError, match=r"no frame of .*hollow\.mp4 can be decoded"):
        read_all(tmp_path / "hollow.mp4", stats)
    assert stats.bad_packets == 30


@pytest.mark.parametrize("seed", range(12))
def test_no_damage_whatever_raises_anything_but_a_source_error(tmp_path: Path, clip: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(clip.read_bytes(), np.uint8).copy()
    hits = random.integers(0, len(data), int(random.integers(1, 200)))
    data[hits] = random.integers(0, 256, len(hits), dtype=np.uint8)
    path = tmp_path / "hit.mp4"
    path.write_bytes(data.tobytes())
    try:
        frames = read_all(path)
    except SourceError as error:
        assert "hit.mp4" in str(error)
    else:
        assert 0 < len(frames) <= 30 + 2
        assert frames[-1].render().pixels.size


def test_a_test_pattern_is_a_source() -> None:
    frames = read_all("lavfi:testsrc2=size=64x48:rate=5:duration=2")
    assert [frame.stream_seconds for frame in frames] == pytest.approx([n / 5 for n in range(10)])
    assert frames[0].render().pixels.shape == (48, 64, 3)


def test_a_bad_test_pattern_is_a_clear_error() -> None:
    with pytest.raises(SourceError, match="cannot open nosuchfilter=1"):
        read_all("lavfi:nosuchfilter=1")


def test_a_webcam_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match=r"cannot open /dev/video97: No such file or directory"):
        open_quickly("webcam:97")


def test_a_simulated_camera_is_opened_elsewhere() -> None:
    with pytest.raises(UnsupportedSource, match=r"streamspike\.world"):
        open_quickly("world:street")


def test_a_gpu_that_cannot_be_opened_after_all_means_software(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A device of which this FFmpeg knows nothing but the name fails in av.open, as a missing driver does.
    monkeypatch.setattr(source_module, "find_hardware", lambda: HWAccel("cuda", device="99"))
    stats = CameraStats()
    source = open_source(camera_for(clip), QUICK.model_copy(update={"hardware_decode": "auto"}), SystemClock(), stats)
    assert len(list(source)) == 30
    source.close()
    assert stats.hardware_decode is False


def test_hardware_is_looked_for_once_and_may_be_missing() -> None:
    assert find_hardware() is find_hardware()


def test_a_gpu_that_refuses_the_stream_is_given_up_for_software(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stats = CameraStats()
    source = open_quickly(clip, stats)
    stats.hardware_decode = True
    decode = source._decode
    refused = []

    def refuse(packet: av.Packet) -> list[av.VideoFrame]:
        if not stats.hardware_decode:
            return decode(packet)
        refused.append(packet)
        source._num_refused += 1
        return []

    monkeypatch.setattr(source, "_decode", refuse)
    frames = list(source)
    source.close()
    assert len(refused) == source_module.MAX_HARDWARE_FAILURES
    assert len(frames) == 30


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is not for access logs."""

    def do_GET(self) -> None:
        if self.path != "/mjpeg":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for number in range(30):
            jpeg = cv2.imencode(".jpg", paint(number)[:, :, ::-1])[1].tobytes()
            part = b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
            self.wfile.write(part)
            time.sleep(0.02)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """(base URL with a login, folder served)"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://joe:pa55word@127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_finished_video_over_http_is_not_live(web: tuple[str, Path], clip: Path) -> None:
    url, folder = web
    shutil.copy(clip, folder / "clip.mp4")
    source = open_quickly(f"{url}/clip.mp4")
    assert not source.is_live
    assert len(list(source)) == 30
    source.close()


def test_an_http_error_is_named_without_the_password(web: tuple[str, Path]) -> None:
    with pytest.raises(SourceError, match="404") as caught:
        open_quickly(f"{web[0]}/nothing.mp4")
    assert "pa55word" not in str(caught.value)


def test_mjpeg_over_http_is_live_and_keeps_the_time_of_arrival(web: tuple[str, Path]) -> None:
    began = time.monotonic()
    stats = CameraStats()
    source = open_quickly(f"{web[0]}/mjpeg", stats)
    assert source.is_live
    frames = []
    with pytest.raises(SourceError, match=r"lost http://\*\*\*@127"):
        frames.extend(source)
    source.close()
    lasted = time.monotonic() - began
    assert len(frames) >= 28
    assert np.abs(frames[3].render().pixels.astype(int) - paint(3)).mean() < 12
    # FFmpeg itself would say 25 frames per second: 1.16 s, whatever the camera does.
    assert frames[-1].stream_seconds <= lasted
    assert stats.time_repairs["missing"] == len(frames)
