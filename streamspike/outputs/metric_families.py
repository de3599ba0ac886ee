"""The names of the metrics: which number that somebody counts is exposed as what, with which label.

After the conventions of Prometheus: base units, `_total` for what only counts up, and no label whose values nobody can
list. A test holds that every field of the counted dataclasses stands in a table here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamspike.core import CameraState

PREFIX = "streamspike_"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, read from one attribute of an object."""

    attribute: str
    """A number; a mapping from values of `label` to numbers; or a text, which becomes 1 for itself and 0 for others."""
    name: str
    """Without the prefix; with `_total` it is a counter, else a gauge."""
    help: str
    label: str = ""
    known: tuple[str, ...] = ()
    """Values of the label that are exposed before they occur, so that the first occurrence is an increase."""

    def values(self, source: object) -> dict[str, float]:
        """By value of the label; the empty text for a metric without one."""
        value = attrgetter(self.attribute)(source)
        if isinstance(value, Mapping):
            counted = dict(value)  # a copy in one go: the writing thread may add a key meanwhile
            return {key: counted.get(key, 0.0) for key in (*self.known, *(counted.keys() - {*self.known}))}
        if isinstance(value, str):
            return {key: float(key == value) for key in self.known}
        return {"": value + 0.0}  # never -0.0


def collect(families: Iterable[Family], rows: Iterable[tuple[Mapping[str, str], object]]) -> Iterator[Metric]:
    """The metrics of objects of one kind.

    Args:
        rows: labels that all metrics of an object have, and the object; the same label names in every row.
    """
    rows = list(rows)
    for family in families if rows else ():
        label_names = [*rows[0][0], *([family.label] if family.label else [])]
        kind = CounterMetricFamily if family.name.endswith("_total") else GaugeMetricFamily
        metric = kind(PREFIX + family.name, family.help, labels=label_names)
        for labels, source in rows:
            for key, value in family.values(source).items():
                metric.add_metric([*labels.values(), *([key] if family.label else [])], value)
        yield metric


REASON = "reason"
CAMERA = (
    Family("packets", "packets_total", "Packets read from the camera."),
    Family("packet_bytes", "packet_bytes_total", "Bytes of compressed video read from the camera."),
    Family("bad_packets", "bad_packets_total", "Packets that the decoder refused."),
    Family("read_errors", "read_errors_total", "Times the demuxer stumbled inside a file and went on."),
    Family("frames", "frames_total", "Frames decoded."),
    Family("corrupt_frames", "corrupt_frames_total", "Frames decoded with errors concealed; they are used."),
    Family("resolution_changes", "resolution_changes_total", "Times the size of the picture changed."),
    Family(
        "time_repairs",
        "time_repairs_total",
        "Timestamps that had to be mended.",
        REASON,
        ("missing", "backward", "duplicate", "jump"),
    ),
    Family("segments", "segments_total", "Segments cut from the stream."),
    Family("gap_segments", "gap_segments_total", "Segments without a frame of their own."),
    Family("partial_segments", "partial_segments_total", "Segments shorter than configured."),
    Family(
        "dropped_segments",
        "dropped_segments_total",
        "Segments that were not scored.",
        REASON,
        ("queue_full", "partial", "stopped", "still", "skipped", "engine_failed", "paused"),
    ),
    Family(
        "ring_dropped_packets",
        "ring_dropped_packets_total",
        "Packets that left the ring; age is as intended.",
        REASON,
        ("age", "bytes", "no_sync"),
    ),
    Family(
        "ring_dropped_frames",
        "ring_dropped_frames_total",
        "Sampled frames that left the ring; age is as intended.",
        REASON,
        ("age", "bytes"),
    ),
    Family("epochs", "epochs_total", "Connections that opened."),
    Family("reconnects", "reconnects_total", "Times a connection was lost or refused and tried again."),
    Family(
        "connection_failures",
        "connection_failures_total",
        "Connections that could not be opened, broke, or fell silent.",
        REASON,
        ("open", "read", "silence"),
    ),
    Family("state", "camera_state", "1 for the state the camera is in.", "state", tuple(CameraState)),
    Family("hardware_decode", "hardware_decode", "1 while the GPU decodes."),
    Family("queued_segments", "queued_segments", "Segments waiting to be scored."),
    Family("ring_packets", "ring_packets", "Packets held for clips."),
    Family("ring_bytes", "ring_bytes", "Bytes of packets and sampled frames held for clips."),
    Family("ring_seconds", "ring_seconds", "Stream time that the packets held cover."),
    Family("last_frame_at", "last_frame_timestamp_seconds", "UTC of the last frame; 0 before the first."),
    Family("still_segments", "still_segments_total", "Segments in which nothing moved."),
    Family("blind_segments", "blind_segments_total", "Segments that were black or uniform."),
    Family("camera_moves", "camera_moves_total", "Times the camera was moved."),
    Family("degraded", "camera_degraded", "1 while a score without a model stands in for the model."),
    Family("degraded_segments", "degraded_segments_total", "Segments scored without the model because it failed."),
    Family("model_retries", "model_retries_total", "Segments the model was asked about again while it was down."),
)
"""Of `stats.CameraStats`."""
SCORED = (
    Family("num_scored", "scored_segments_total", "Segments whose surprise is known."),
    Family("keyframes.counts.kept", "keyframes_kept_total", "Keyframes chosen under the budget."),
    Family("keyframes.counts.alike", "keyframes_alike_total", "Candidates for a keyframe that look like a better one."),
    Family(
        "keyframes.counts.unsurprising",
        "keyframes_unsurprising_total",
        "Candidates for a keyframe that were not surprising enough.",
    ),
    Family(
        "keyframes.counts.over_budget",
        "keyframes_over_budget_total",
        "Candidates for a keyframe that came when the budget of the hour was used up.",
    ),
)
"""Of a camera itself."""
EVENTS = (
    Family("num_started", "events_started_total", "Events that began: alerts."),
    Family("num_truncated", "events_truncated_total", "Events cut because they went on for too long."),
    Family("num_interrupted", "events_interrupted_total", "Events ended by a lost or blind camera or by the end."),
    Family("num_cooled", "cooled_segments_total", "Surprising segments that began nothing because of the cooldown."),
)
"""Of `belief.events.EventCounts`."""
BUDGET = (
    Family("alerts_per_day", "alert_budget_per_day", "Alerts a day that the camera may give."),
    Family(
        "budget_use", "alert_budget_use_ratio", "Alerts beyond the budget, in budgets of a day; negative: below it."
    ),
    Family("progress", "learning_ratio", "How far the camera is known, from 0 to 1."),
)
"""Of `belief.calibrate.Calibrator`; its level is set on the loop, because asking for it computes it."""
ENGINE = (
    Family("requests", "engine_requests_total", "Requests submitted."),
    Family("failed_requests", "engine_failed_requests_total", "Requests at which the model failed."),
    Family("sampled_requests", "engine_sampled_requests_total", "Requests for which hypotheses were drawn anew."),
    Family("segments", "engine_scored_requests_total", "Requests that were answered."),
    Family("steps", "engine_steps_total", "Batches handed to the model."),
    Family("batched_requests", "engine_batched_requests_total", "Requests in the batches."),
    Family(
        "shed_requests",
        "engine_shed_requests_total",
        "Requests answered cheaply (reuse) or given up (skip), for want of time.",
        REASON,
        ("reuse", "skip"),
    ),
    Family("waiting_seconds", "engine_waiting_seconds_total", "How long requests waited, summed."),
    Family("longest_wait_seconds", "engine_longest_wait_seconds", "Longest wait of the last step."),
    Family(
        "stage_seconds",
        "engine_stage_seconds_total",
        "Wall time of the model by stage.",
        "stage",
        ("vision", "prefill", "sample", "caption", "score"),
    ),
    Family("refills", "engine_refills_total", "Fast windows that were filled again, which measures the drift."),
    Family("drift_nats", "engine_drift_nats", "The drift measured last."),
    Family(
        "adapter_swaps",
        "engine_adapter_swaps_total",
        "Times the model was to wear another adapter; when it fails, the one before goes on.",
        "result",
        ("swapped", "failed"),
    ),
    Family("queued_requests", "engine_queued_requests", "Requests waiting or being answered."),
    Family("degraded", "engine_degraded", "1 while the model fails at everything."),
)
"""Of `stats.EngineStats`."""
MEMORY = (
    Family(
        "num_streams", "engine_streams", "Streams the engine remembers: two of each camera that is looked at twice."
    ),
    Family("cache_bytes", "engine_cache_bytes", "Keys and values of all cameras."),
    Family("feature_bytes", "engine_feature_bytes", "Features of the frames in all windows."),
    Family(
        "evicted",
        "engine_evicted_streams_total",
        "Cameras that had to give memory back.",
        REASON,
        ("keys", "stream", "in_use"),
    ),
)
"""Of an engine that remembers streams."""
STORE = (
    Family("num_observations", "store_observations_total", "Observations written."),
    Family("num_observations_lost", "store_observations_lost_total", "Observations that could not be written."),
    Family("num_events", "store_events_total", "Revisions of events written."),
    Family("num_events_repeated", "store_events_repeated_total", "Revisions that were in the store already."),
    Family("num_keyframes", "store_keyframes_total", "Keyframes of the budget written."),
    Family("num_keyframes_lost", "store_keyframes_lost_total", "Keyframes of the budget that could not be written."),
)
"""Of `outputs.recorder.RecorderCounts`."""
MQTT = (
    Family("connected", "mqtt_connected", "1 while there is a connection to the broker."),
    Family("num_connections", "mqtt_connections_total", "Connections made."),
    Family("num_failures", "mqtt_failures_total", "Connections that could not be made or were lost."),
    Family("num_events_published", "mqtt_events_published_total", "Outbox messages the broker acknowledged."),
    Family("num_surprises_published", "mqtt_surprises_published_total", "Messages about segments sent."),
    Family("num_keyframes_published", "mqtt_keyframes_published_total", "Pictures sent."),
    Family(
        "num_dropped",
        "mqtt_dropped_messages_total",
        "Messages that were not sent: no connection, or newer ones came first.",
        "kind",
        ("surprise", "error", "keyframe"),
    ),
    Family("num_commands", "mqtt_commands_total", "Commands obeyed.", "command"),
    Family(
        "num_refused",
        "mqtt_refused_commands_total",
        "Commands refused.",
        REASON,
        (
            "topic",
            "too_long",
            "not_text",
            "bad_value",
            "unknown_command",
            "unknown_camera",
            "unknown_event",
            "no_picture",
            "overflow",
        ),
    ),
)
"""Of `outputs.mqtt.MqttCounts`."""
CLIPS = (
    Family("num_written", "clips_written_total", "Clips written."),
    Family("num_bytes_written", "clip_bytes_written_total", "Bytes of clips written."),
    Family(
        "num_shortened",
        "clips_shortened_total",
        "Clips that end before their time.",
        REASON,
        ("bound", "connection", "gap", "picture", "crowded", "disk_full", "paused", "end"),
    ),
    Family("num_lost", "clips_lost_total", "Events without a clip.", REASON, ("disk_full", "failed", "nothing")),
    Family(
        "num_ordinary_dropped",
        "ordinary_clips_dropped_total",
        "Stretches of ordinary footage that were drawn and not kept.",
        REASON,
        ("event", "connection", "gap", "picture", "disk_full", "paused", "end", "failed", "nothing"),
    ),
    Family("num_deleted", "clips_deleted_total", "Clips deleted.", REASON, ("age", "bytes", "disk_full")),
    Family("held_bytes", "clip_bytes", "Bytes of all clips."),
    Family("paused", "clips_paused", "1 while the disk is full and no clip is begun."),
)
"""Of `outputs.clips.ClipCounts`."""
WEB = (
    Family("num_streams", "web_streams", "Pages that are open."),
    Family("num_refused", "web_refused_streams_total", "Pages that were one too many."),
    Family("num_messages", "web_messages_total", "Messages put into the queues of pages."),
    Family("num_dropped", "web_dropped_messages_total", "Messages that a page was too slow to take."),
)
"""Of `outputs.web.hub.HubCounts`."""
THREADS = (
    Family("by_camera", "ingest_cpu_seconds_total", "Processor time of reading, decoding and scaling.", "camera"),
    Family("by_thread", "thread_cpu_seconds_total", "Processor time of the loop, the model and the disk.", "thread"),
)
"""Of `outputs.thread_times.ThreadTimes`."""
OUTBOX = (
    Family("num_waiting", "outbox_messages", "Messages that the broker has not acknowledged yet."),
    Family("oldest_seconds", "outbox_oldest_seconds", "Age of the oldest message that waits; 0 when none does."),
)
"""Of `outputs.outbox_watch.OutboxView`."""
NIGHT = (
    Family("progress", "night_shift_progress_ratio", "How far the night shift is, from 0 to 1; 1 between two nights."),
    Family("updated_at", "night_shift_updated_timestamp_seconds", "UTC of its last word; 0: there was no night yet."),
    Family(
        "adapters",
        "adapters",
        "Adapters by what became of them.",
        "state",
        ("candidate", "refused", "promoted", "retired"),
    ),
)
"""Of `outputs.night_watch.NightView`."""
