from fractions import Fraction

from streamspike.ingest.ring import Packet, Ring, StreamHeader
from streamspike.stats import CameraStats
from tests.ingest.harness import make_frame

HEADER = StreamHeader("h264", b"", 160, 120, Fraction(1, 90_000), None)


def make_packet(number: int, gop: int = 10, size: int = 100) -> Packet:
    """Packet `number` of a camera with 10 frames per second."""
    return Packet(bytes(size), number * 9000, number * 9000, 9000, number % gop == 0, number / 10, 1000.0 + number / 10)


def fill(ring: Ring, numbers: range, gop: int = 10, size: int = 100) -> None:
    for number in numbers:
        ring.add_packet(make_packet(number, gop, size), HEADER)


def test_old_packets_go_in_whole_groups() -> None:
    stats = CameraStats()
    ring = Ring(3.0, 1 << 20, stats)
    fill(ring, range(100))
    footage = ring.snapshot_since(60.0)
    assert footage is not None and footage.packets[0].is_sync
    # 9.9 s is now and 3 s are promised: the group from 6.0 is needed for 6.9.
    assert footage.packets[0].stream_seconds == 6.0
    assert stats.ring_dropped_packets == {"age": 60}
    assert (stats.ring_packets, stats.ring_bytes) == (40, 4000)


def test_bytes_bound_the_ring_before_seconds_do() -> None:
    stats = CameraStats()
    ring = Ring(600.0, 2500, stats)
    fill(ring, range(100))
    assert stats.ring_bytes <= 2500
    assert stats.ring_dropped_packets["bytes"] == 80
    footage = ring.snapshot_since(600.0)
    assert footage is not None and footage.packets[0].stream_seconds == 8.0


def test_a_group_larger_than_the_ring_is_let_go_until_the_next_sync_packet() -> None:
    stats = CameraStats()
    ring = Ring(600.0, 2500, stats)
    fill(ring, range(30), gop=30)
    assert ring.snapshot_since(60.0) is None
    assert stats.ring_dropped_packets == {"bytes": 26, "no_sync": 4}
    fill(ring, range(30, 35), gop=30)
    footage = ring.snapshot_since(60.0)
    assert footage is not None and len(footage.packets) == 5


def test_nothing_is_kept_before_the_first_sync_packet() -> None:
    stats = CameraStats()
    ring = Ring(60.0, 1 << 20, stats)
    fill(ring, range(5, 10))
    assert ring.snapshot_since(60.0) is None
    assert stats.ring_dropped_packets == {"no_sync": 5}


def test_a_snapshot_starts_at_the_sync_packet_before() -> None:
    ring = Ring(60.0, 1 << 20, CameraStats())
    fill(ring, range(50))
    footage = ring.snapshot(0, 2.5, 3.2)
    assert footage is not None
    assert [packet.stream_seconds for packet in footage.packets] == [n / 10 for n in range(20, 32)]
    assert ring.snapshot(0, 99.0) is None
    assert ring.snapshot(1, 0.0) is None


def test_a_new_epoch_leaves_the_old_one_to_be_had_and_never_mixes_them() -> None:
    ring = Ring(60.0, 1 << 20, CameraStats())
    fill(ring, range(25))
    ring.start_epoch(1)
    fill(ring, range(5, 25))
    recent, old = ring.snapshot_since(60.0), ring.snapshot(0, 0.0)
    assert recent is not None and old is not None
    assert (recent.epoch, len(recent.packets), recent.packets[0].stream_seconds) == (1, 15, 1.0)
    assert (old.epoch, len(old.packets)) == (0, 25)


def test_a_change_of_header_ends_the_footage_before() -> None:
    ring = Ring(60.0, 1 << 20, CameraStats())
    fill(ring, range(20))
    other = StreamHeader("h264", b"", 320, 240, Fraction(1, 90_000), None)
    for number in range(20, 30):
        ring.add_packet(make_packet(number), other)
    footage = ring.snapshot_since(60.0)
    assert footage is not None and footage.header == other and len(footage.packets) == 10


def test_sampled_frames_are_bounded_too_and_repeats_are_kept_once() -> None:
    stats = CameraStats()
    frame_bytes = make_frame(0.0).pixels.nbytes
    ring = Ring(2.0, frame_bytes * 3, stats)
    for number in range(10):
        frame = make_frame(number / 2)
        ring.add_frame(frame)
        ring.add_frame(frame)
    assert [frame.stream_seconds for frame in ring.frames_since(60.0)] == [3.5, 4.0, 4.5]
    assert [frame.stream_seconds for frame in ring.frames_since(0.5)] == [4.0, 4.5]
    assert stats.ring_dropped_frames == {"bytes": 7}
    assert stats.ring_bytes == 3 * frame_bytes
