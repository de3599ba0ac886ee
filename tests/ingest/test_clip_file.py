"""The file of a clip: plays from its first frame in a browser, whatever the camera's packets are."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from streamspike.errors import SourceError
from streamspike.ingest.clip_file import EncodedFile, PacketFile, TranscodedFile, check_whole, open_packet_file
from streamspike.ingest.ring import Footage
from tests.support.clips import paint
from tests.support.footage import B_FRAMES, FPS, OPEN_GROUPS, QUIET_HEVC, play, take_footage, write_movie


def write(footage: Footage, path: Path) -> PacketFile | TranscodedFile:
    file = open_packet_file(path, footage.header)
    for packet in footage.packets:
        file.add(packet)
    file.close()
    return file


@pytest.mark.parametrize(
    ("suffix", "codec", "options", "first_seconds"),
    [
        (".mp4", "libx264", {}, 0.0),
        (".mp4", "libx264", B_FRAMES, 7.5),
        (".ts", "libx264", B_FRAMES, 7.5),
        (".mkv", "libx264", OPEN_GROUPS, 95_443.7),  # as long as MPEG-TS counts before it wraps
        (".mp4", "libx265", QUIET_HEVC, 0.0),
        (".ts", "libx265", QUIET_HEVC, 3.0),
    ],
)
def test_what_browsers_play_is_copied_and_starts_at_zero_with_a_sync_frame(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str], first_seconds: float
) -> None:
    movie = write_movie(tmp_path / f"a{suffix}", codec, options=options, first_seconds=first_seconds)
    footage = take_footage(movie, 3.05)
    file = write(footage, tmp_path / "clip.mp4")
    played = play(tmp_path / "clip.mp4")
    assert isinstance(file, PacketFile)
    assert played.codec == file.codec == footage.header.codec
    assert played.tag == ("hvc1" if codec == "libx265" else "avc1")
    assert played.numbers == list(range(30, 60)), "nothing is lost, nothing refers to what was before"
    assert played.times == pytest.approx([n / FPS for n in range(30)], abs=0.002)
    assert file.seconds == pytest.approx(played.seconds, abs=0.05) and played.seconds == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "size"),
    [
        (".avi", "mjpeg", "yuvj420p", (320, 120)),
        (".avi", "mjpeg", "yuvj444p", (321, 121)),
        (".mkv", "libvpx-vp9", "yuv420p", (320, 120)),
    ],
)
def test_what_browsers_do_not_play_is_encoded_picture_by_picture(
    tmp_path: Path, suffix: str, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    movie = write_movie(tmp_path / f"a{suffix}", codec, pixel_format=pixel_format, size=size)
    file = write(take_footage(movie, 3.0), tmp_path / "clip.mp4")
    played = play(tmp_path / "clip.mp4")
    assert isinstance(file, TranscodedFile) and played.codec == file.codec == "h264"
    assert played.size == (320, 120), "H.264 has no odd sizes"
    assert played.numbers == list(range(30, 60))
    assert played.times == pytest.approx([n / FPS for n in range(30)], abs=0.002)


def test_frames_keep_their_times_and_may_change_their_size(tmp_path: Path) -> None:
    file = EncodedFile(tmp_path / "clip.mp4")
    times = [100.25, 100.75, 101.25, 103.0]
    for number, seconds in enumerate(times):
        file.add_pixels(paint(number, *((320, 120) if number < 3 else (640, 240))), seconds)
    file.add_pixels(paint(9, 320, 120), 103.0)  # not later than the last: left out
    file.close()
    played = play(tmp_path / "clip.mp4")
    assert played.times == [0.0, 0.5, 1.0, 2.75] and played.numbers[:3] == [0, 1, 2]
    assert played.seconds == pytest.approx(file.seconds, abs=0.01)


def test_damaged_packets_cost_no_more_than_themselves(tmp_path: Path) -> None:
    footage = take_footage(write_movie(tmp_path / "a.avi", "mjpeg", 20, pixel_format="yuvj420p"))
    packets = list(footage.packets)
    packets[7] = replace(packets[7], data=b"\x00" * 40)
    write(replace(footage, packets=tuple(packets)), tmp_path / "clip.mp4")
    assert play(tmp_path / "clip.mp4").numbers == [n for n in range(20) if n != 7]


def test_a_clock_that_jumps_or_says_nothing_does_not_spoil_the_clip(tmp_path: Path) -> None:
    footage = take_footage(write_movie(tmp_path / "a.mp4", num_frames=30, options={"bf": "0"}))
    hour = int(3600 / footage.header.time_base)
    packets = [
        replace(packet, pts=None, dts=None) if number == 5 else
        replace(packet, pts=packet.pts - hour, dts=packet.dts - hour) if 10 <= number < 20 else packet
        for number, packet in enumerate(footage.packets)
    ]  # fmt: skip
    write(replace(footage, packets=tuple(packets)), tmp_path / "clip.mp4")
    played = play(tmp_path / "clip.mp4")
    assert played.numbers == list(range(30)) and played.times[-1] == pytest.approx(2.9, abs=0.3)


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path, codec: str) -> None:
    suffix, pixel_format = (".avi", "yuvj420p") if codec == "mjpeg" else (".mp4", "yuv420p")
    footage = take_footage(write_movie(tmp_path / f"a{suffix}", codec, pixel_format=pixel_format))
    (tmp_path / "clip.mp4").symlink_to("/dev/full")  # takes nothing, as a disk without a free block
    file = open_packet_file(tmp_path / "clip.mp4", footage.header)
    with pytest.raises(OSError) as caught:
        for packet in footage.packets * 50:
            file.add(packet)
        file.close()
    assert caught.value.errno == errno.ENOSPC
    file.abandon()


def test_what_is_no_video_is_an_error_that_says_so(tmp_path: Path) -> None:
    footage = take_footage(write_movie(tmp_path / "a.mp4", num_frames=10))
    with pytest.raises(SourceError, match=r"the clip clip\.mp4 cannot be written"):
        open_packet_file(tmp_path / "clip.mp4", replace(footage.header, template=b"no template"))


def test_a_file_that_lacks_its_end_or_its_index_is_not_whole(tmp_path: Path) -> None:
    path, cut = tmp_path / "clip.mp4", tmp_path / "cut.mp4"
    write(take_footage(write_movie(tmp_path / "a.mp4", num_frames=20)), path)
    check_whole(path)
    whole = path.read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], b"", whole[:32], whole[whole.find(b"mdat") - 4 :]):
        cut.write_bytes(data)
        with pytest.raises(SourceError, match=r"cut\.mp4 was not written whole"):
            check_whole(cut)


def test_an_abandoned_file_does_not_look_whole(tmp_path: Path) -> None:
    footage = take_footage(write_movie(tmp_path / "a.mp4"))
    file = open_packet_file(tmp_path / "clip.mp4", footage.header)
    for packet in footage.packets:
        file.add(packet)
    with pytest.raises(SourceError):
        check_whole(tmp_path / "clip.mp4")
    file.abandon()
