"""What hot paths count: plain numbers that the metrics read, one object per camera and engine.

No locks: each field has one writing thread, and a reader may see a number that is one event old. Everything counts up
from 0 and never back, unless its docstring says that it is a gauge.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class CameraStats:
    """One camera, over all its epochs. Written by its reading thread, except where noted."""

    packets: int = 0
    packet_bytes: int = 0
    bad_packets: int = 0
    """The decoder refused them."""
    read_errors: int = 0
    """The demuxer stumbled inside a file and was told to go on."""
    frames: int = 0
    """Decoded."""
    corrupt_frames: int = 0
    """Decoded, with errors concealed. They are used, and flagged."""
    resolution_changes: int = 0
    time_repairs: Counter[str] = field(default_factory=Counter)
    """Timestamps that had to be mended, by reason: missing, backward, duplicate, jump."""
    segments: int = 0
    """Cut from the stream, whether or not anybody had time for them."""
    gap_segments: int = 0
    """Segments without a frame of their own: they repeat the last one."""
    partial_segments: int = 0
    """Segments shorter than configured, at the end of a file or a connection."""
    dropped_segments: Counter[str] = field(default_factory=Counter)
    """By reason: queue_full (nobody took it in time), partial (a connection broke early in it), stopped, still (nothing
    moved, and others waited), skipped (the model was too busy), engine_failed, paused (by command)."""
    ring_dropped_packets: Counter[str] = field(default_factory=Counter)
    """Packets that left the ring, by reason: age (as intended), bytes (it was full before its seconds), no_sync."""
    ring_dropped_frames: Counter[str] = field(default_factory=Counter)
    """Sampled frames that left the ring, by reason: age, bytes."""
    epochs: int = 0
    """Connections that opened."""
    reconnects: int = 0
    """Times a connection was lost or refused and tried again."""
    connection_failures: Counter[str] = field(default_factory=Counter)
    """By reason: open (refused, timed out, not a video), read (broke or ended), silence (no frame for too long)."""
    state: str = "connecting"
    """Gauge: what a user sees of the camera. Written on the loop."""
    hardware_decode: bool = False
    """Gauge: the GPU's decoder is at work."""
    queued_segments: int = 0
    """Gauge: segments waiting in the channel."""
    ring_packets: int = 0
    """Gauge."""
    ring_bytes: int = 0
    """Gauge: compressed packets and sampled frames held."""
    ring_seconds: float = 0.0
    """Gauge: stream time the packets held cover."""
    last_frame_at: float = 0.0
    """Gauge, UTC; 0.0 before the first frame."""
    still_segments: int = 0
    """Written by the gate."""
    blind_segments: int = 0
    """Written by the gate."""
    camera_moves: int = 0
    """Times the camera was moved. Written by the gate."""
    degraded: bool = False
    """Gauge: the model fails, and a score without a model stands in. Written on the loop."""
    degraded_segments: int = 0
    """Scored without the model because it failed. Written on the loop."""
    model_retries: int = 0
    """Segments the model was asked about again while it was down. Written on the loop."""


@dataclass(slots=True)
class EngineStats:
    """The Video-LLM, for all cameras. Written on the loop."""

    requests: int = 0
    """Submitted. Each is scored, fails or is shed, unless its camera went away meanwhile."""
    failed_requests: int = 0
    sampled_requests: int = 0
    """Requests for which hypotheses were drawn anew."""
    segments: int = 0
    """Scored."""
    steps: int = 0
    """Batches handed to the model."""
    batched_requests: int = 0
    """Requests in those steps."""
    shed_requests: Counter[str] = field(default_factory=Counter)
    """By reason: reuse (scored the last hypotheses instead of new ones), skip (given up)."""
    waiting_seconds: float = 0.0
    """Summed over the requests that were batched or given up: from when their segment began to wait to that step."""
    longest_wait_seconds: float = 0.0
    """Gauge: the longest such wait in the last step."""
    stage_seconds: Counter[str] = field(default_factory=Counter)
    """Wall time by stage, summed: vision, sample, prior, posterior, verify, caption."""
    refills: int = 0
    """Fast windows: how often one was filled again and its drift measured."""
    drift_nats: float = 0.0
    """Gauge: the drift that was measured last."""
    adapter_swaps: Counter[str] = field(default_factory=Counter)
    """Times the model was to wear another adapter, by result: swapped, failed (the one before goes on)."""
    queued_requests: int = 0
    """Gauge: waiting or being answered."""
    degraded: bool = False
    """Gauge: the model failed at every request of the last step."""

    def add_stages(self, stage_seconds: dict[str, float]) -> None:
        """Add the wall times of one request."""
        for stage, seconds in stage_seconds.items():
            self.stage_seconds[stage] += seconds  # type: ignore[assignment]  # a Counter of floats, on purpose

    def add_drift(self, drift_nats: float | None) -> None:
        """Note a drift, if it was measured."""
        if drift_nats is not None:
            self.refills += 1
            self.drift_nats = drift_nats
