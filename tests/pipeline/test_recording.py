"""A clip in the making: begins before the onset, takes what comes, ends when it should, and says why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from streamspike.config import ClipConfig
from streamspike.core import Event, Frame, Segment
from streamspike.ingest.ring import Footage, Packet, Ring
from streamspike.pipeline.recording import Recording, want_event
from streamspike.stats import CameraStats
from tests.support.clips import paint
from tests.support.footage import B_FRAMES, FPS, HEIGHT, OPEN_GROUPS, WIDTH, fill_ring, play, take_footage, write_movie
from tests.support.messages import NOON, make_event

AROUND = ClipConfig(pre_seconds=1.0, post_seconds=0.5)


def make_segment(start_seconds: float, epoch: int = 0, frame: Frame | None = None) -> Segment:
    """The one that starts an event, one second long; it began at NOON + start_seconds."""
    frame = frame or Frame(paint(0, WIDTH, HEIGHT), start_seconds, NOON + start_seconds)
    return Segment(
        "door", epoch, round(start_seconds), start_seconds, start_seconds + 1, NOON + start_seconds, (frame,)
    )


def event_at(segment: Segment) -> Event:
    return replace(make_event(segment.index), onset_at=segment.started_at)


def record(ring: Ring, part: Path, segment: Segment, config: ClipConfig = AROUND) -> Recording:
    return Recording(ring, want_event(event_at(segment), config), segment, part)


def add(ring: Ring, footage: Footage, packets: Sequence[Packet]) -> None:
    for packet in packets:
        ring.add_packet(packet, footage.header)


@pytest.fixture
def ring() -> Ring:
    return Ring(30.0, 1 << 26, CameraStats())


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "event.mp4.1.part"


@pytest.mark.parametrize("options", [{"bf": "0"}, B_FRAMES, OPEN_GROUPS], ids=["plain", "b-frames", "open-groups"])
def test_a_clip_reaches_from_before_the_onset_to_after_the_end(
    tmp_path: Path, ring: Ring, part: Path, options: dict[str, str]
) -> None:
    footage = take_footage(write_movie(tmp_path / "a.mkv", num_frames=70, options=options, first_seconds=12.3))
    add(ring, footage, footage.packets[:38])
    recording = record(ring, part, make_segment(3.2))
    num_added = 38
    while not recording.advance():  # as packets come, a few at a time
        add(ring, footage, footage.packets[num_added : num_added + 5])
        num_added += 5
        if num_added == 48:
            recording.end(NOON + 4.2)
    assert recording.outcome == "whole" and num_added < 60
    clip = recording.close()
    assert clip is not None
    played = play(part)
    # The sync frame at or before 3.2 - 1.0 is at 2.0; the event ended at 4.2, and 0.5 s later is 4.7.
    assert played.numbers[0] == 20 and {*range(20, 47)} <= {*played.numbers} and max(played.numbers) <= 50
    assert played.numbers == sorted(played.numbers) and played.times[0] == 0.0
    assert clip.started_at == pytest.approx(NOON + 2.0, abs=1e-6)
    assert clip.seconds == pytest.approx(played.seconds, abs=0.25)  # the last B-frames may be missing between others
    assert (clip.num_bytes, clip.codec, clip.camera_id) == (part.stat().st_size, "h264", "door")


def test_an_event_longer_than_the_bound_has_a_clip_of_the_bound(tmp_path: Path, ring: Ring, part: Path) -> None:
    fill_ring(ring, write_movie(tmp_path / "a.mp4", num_frames=70, options={"bf": "0"}))
    recording = record(ring, part, make_segment(2.0), ClipConfig(pre_seconds=1.0, max_clip_seconds=3.0))
    assert recording.advance() and recording.outcome == "bound"
    assert recording.close() is not None
    assert play(part).numbers == list(range(10, 40))


def test_a_lost_connection_ends_the_clip_at_the_break(tmp_path: Path, ring: Ring, part: Path) -> None:
    movie = write_movie(tmp_path / "a.mp4", num_frames=35)
    fill_ring(ring, movie)
    recording = record(ring, part, make_segment(2.0))
    assert not recording.advance()
    fill_ring(ring, movie, epoch=1)  # it came back, and its time starts at 0 again
    assert not recording.advance(), "nothing more comes, but only the camera knows"
    assert recording.close() is not None
    assert play(part).numbers == list(range(10, 35))


def test_an_event_of_a_lost_connection_can_still_be_cut_out(tmp_path: Path, ring: Ring, part: Path) -> None:
    movie = write_movie(tmp_path / "a.mp4", num_frames=35)
    fill_ring(ring, movie)
    fill_ring(ring, movie, epoch=1)
    recording = record(ring, part, make_segment(2.0))
    assert not recording.advance()
    assert recording.close() is not None
    assert play(part).numbers == list(range(10, 35))


def test_another_size_of_picture_ends_the_clip(tmp_path: Path, ring: Ring, part: Path) -> None:
    fill_ring(ring, write_movie(tmp_path / "a.mp4", num_frames=35))
    recording = record(ring, part, make_segment(2.0))
    recording.advance()
    wide = take_footage(write_movie(tmp_path / "b.mp4", num_frames=20, size=(640, 240)))
    add(ring, wide, [replace(packet, stream_seconds=packet.stream_seconds + 3.5) for packet in wide.packets])
    assert recording.advance() and recording.outcome == "picture"
    recording.close()
    assert play(part).numbers == list(range(10, 35))


def test_a_gap_ends_the_clip_instead_of_looking_like_a_jump(tmp_path: Path, part: Path) -> None:
    ring = Ring(2.0, 1 << 26, CameraStats())
    footage = take_footage(write_movie(tmp_path / "a.mp4", num_frames=70))
    add(ring, footage, footage.packets[:30])
    recording = record(ring, part, make_segment(2.0))
    assert not recording.advance()
    add(ring, footage, footage.packets[30:])  # so slow a disk that the ring has moved on
    assert recording.advance() and recording.outcome == "gap"
    recording.close()
    assert max(play(part).numbers) == 29


def test_cameras_without_packets_have_clips_of_their_sampled_frames(ring: Ring, part: Path) -> None:
    frames = [Frame(paint(n, WIDTH, HEIGHT), n / 2, NOON + n / 2) for n in range(20)]
    for frame in frames[:9]:
        ring.add_frame(frame)
    recording = record(ring, part, make_segment(4.0, frame=frames[8]))
    assert not recording.advance()
    for frame in frames[9:]:
        ring.add_frame(frame)
    recording.end(NOON + 6.0)
    assert recording.advance() and recording.outcome == "whole"
    clip = recording.close()
    played = play(part)
    assert clip is not None and clip.codec == "h264" and clip.started_at == NOON + 3.0
    assert played.numbers == list(range(6, 13)) and played.times == [n / 2 for n in range(7)]


def test_frames_of_another_connection_are_not_taken_for_this_one(ring: Ring, part: Path) -> None:
    frame = Frame(paint(0, WIDTH, HEIGHT), 0.0, NOON)
    ring.add_frame(frame)
    recording = record(ring, part, make_segment(0.0, frame=frame))
    recording.advance()
    ring.start_epoch(1)
    for number in range(5):
        ring.add_frame(Frame(paint(number + 9, WIDTH, HEIGHT), number / FPS, NOON))
    assert recording.advance() and recording.outcome == "gap"
    late = record(ring, part.with_name("late.part"), make_segment(0.0, frame=frame))
    assert not late.advance()
    assert late.close() is None and not late.part.exists()


def test_an_event_without_any_picture_left_has_no_clip(ring: Ring, part: Path) -> None:
    recording = record(ring, part, make_segment(0.0))
    assert not recording.advance()
    assert recording.close() is None and not part.exists()


def test_what_was_before_the_end_of_a_pause_is_in_no_clip(tmp_path: Path, ring: Ring, part: Path) -> None:
    footage = take_footage(write_movie(tmp_path / "a.mp4", num_frames=60, options={"bf": "0"}))
    add(ring, footage, footage.packets[:29])
    segment = make_segment(2.5)
    recording = Recording(ring, want_event(event_at(segment), AROUND), segment, part, not_before_seconds=2.3)
    assert not recording.advance() and not part.exists(), "it begins with a sync frame, and the only one is hidden"
    add(ring, footage, footage.packets[29:])
    recording.end(NOON + 4.0)
    assert recording.advance() and recording.close() is not None
    assert play(part).numbers == list(range(30, 45))


def test_an_event_may_have_begun_before_the_segment_that_tells_of_it(tmp_path: Path, ring: Ring, part: Path) -> None:
    fill_ring(ring, write_movie(tmp_path / "a.mp4", num_frames=60, options={"bf": "0"}))
    segment = make_segment(5.0)
    event = replace(event_at(segment), onset_at=NOON + 3.0)
    recording = Recording(ring, want_event(event, AROUND), segment, part)
    recording.end(NOON + 5.0)
    assert recording.advance()
    clip = recording.close()
    assert clip is not None and clip.started_at == pytest.approx(NOON + 2.0, abs=1e-6)
    assert play(part).numbers == list(range(20, 55))
