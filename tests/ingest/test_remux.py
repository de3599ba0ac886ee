import io
from dataclasses import replace
from pathlib import Path

import av
import pytest

from streamspike.clock import SystemClock
from streamspike.errors import SourceError
from streamspike.ingest.remux import write_footage
from streamspike.ingest.ring import Footage, Ring
from streamspike.ingest.source import open_source
from streamspike.stats import CameraStats
from tests.ingest.harness import QUICK, camera_for
from tests.support.clips import write_clip


def take_footage(path: Path, seconds: float = 2.0) -> Footage:
    """The last seconds of a file, by way of source and ring; the source is closed by then."""
    stats = CameraStats()
    ring = Ring(seconds, 1 << 20, stats)
    source = open_source(camera_for(path), QUICK, SystemClock(), stats, ring)
    for _ in source:
        pass
    source.close()
    footage = ring.snapshot_since(seconds)
    assert footage is not None
    return footage


def play(file: io.BytesIO) -> list[av.VideoFrame]:
    file.seek(0)
    with av.open(file) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("container_format", ["mp4", "matroska"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_footage_becomes_a_clip_that_plays_from_its_first_frame(
    tmp_path: Path, suffix: str, container_format: str
) -> None:
    footage = take_footage(write_clip(tmp_path / f"a{suffix}", num_frames=60, first_seconds=5.0))
    assert 20 <= len(footage.packets) <= 31
    file = io.BytesIO()
    assert write_footage(footage, file, container_format) == len(footage.packets)
    frames = play(file)
    assert len(frames) == len(footage.packets)
    assert not any(frame.is_corrupt for frame in frames)
    assert frames[0].time == pytest.approx(0.0, abs=0.01)
    assert frames[-1].time == pytest.approx((len(frames) - 1) / 10, abs=0.02)


def test_a_clock_that_jumps_or_says_nothing_does_not_spoil_the_clip(tmp_path: Path) -> None:
    footage = take_footage(write_clip(tmp_path / "a.mp4", num_frames=30), 60.0)
    hour = int(3600 / footage.header.time_base)
    packets = [
        replace(packet, pts=None, dts=None) if number == 5 else
        replace(packet, pts=packet.pts + hour, dts=packet.dts + hour) if 10 <= number < 20 else packet
        for number, packet in enumerate(footage.packets)
    ]  # fmt: skip
    file = io.BytesIO()
    write_footage(replace(footage, packets=tuple(packets)), file)
    frames = play(file)
    assert len(frames) == 30
    assert frames[-1].time == pytest.approx(2.9, abs=0.3)


def test_a_container_that_cannot_hold_the_codec_is_an_error_that_says_so(tmp_path: Path) -> None:
    footage = take_footage(write_clip(tmp_path / "a.gif", num_frames=10))
    with pytest.raises(SourceError, match="cannot write gif into mp4"):
        write_footage(footage, io.BytesIO())
