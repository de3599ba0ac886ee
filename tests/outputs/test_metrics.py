"""Metrics: nothing that is counted is missing, names keep the conventions, and a scrape tells what the run counted."""

from __future__ import annotations

import asyncio
import io
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from rich.console import Console

from streamspike.app import run_watch
from streamspike.belief.events import EventCounts
from streamspike.config import MetricsConfig
from streamspike.core import CameraState
from streamspike.errors import SinkError
from streamspike.outputs import metric_families, metrics_server
from streamspike.outputs.metric_families import Family
from streamspike.outputs.metrics import COUNTED, EngineMemory
from streamspike.outputs.metrics_server import serve
from streamspike.outputs.registry import AdapterRecord, AdapterState
from streamspike.outputs.store import Store
from streamspike.select.online import SelectorCounts
from streamspike.stats import CameraStats
from tests.support.fake_engine import FakeEngine
from tests.support.messages import make_event, make_observation
from tests.support.metrics import MetricsRig, RememberingEngine
from tests.support.pipeline import quick_config
from tests.support.prometheus import fetch, promtool, series_names
from tests.support.servers import free_port
from tests.support.tree import modules

LABELS = {
    "camera",
    "reason",
    "stage",
    "state",
    "kind",
    "command",
    "thread",
    "le",
    "version",
    "python",
    "model",
    "adapter",
    "result",
}


@pytest.fixture
def rig(tmp_path: Path) -> MetricsRig:
    rig = MetricsRig(tmp_path)
    rig.store.close()
    return rig


@pytest.mark.parametrize(
    ("counted", "families"),
    [
        (CameraStats, metric_families.CAMERA),
        (EventCounts, metric_families.EVENTS),
        (SelectorCounts, metric_families.SCORED),
        *COUNTED.items(),
    ],
)
def test_whatever_is_counted_has_a_metric(counted: type, families: tuple[Family, ...]) -> None:
    named = [family.attribute.rpartition(".")[-1] for family in families]
    assert len(named) == len(set(named))
    missing = {each.name for each in fields(counted)} - {*named} - {"last_error"}  # a text
    assert not missing, f"give these fields of {counted.__name__} a line in outputs/metric_families.py"


def test_every_reason_that_the_code_counts_is_known() -> None:
    """Else its first occurrence would be a new series, and no increase."""
    families = [*metric_families.CAMERA, *(family for table in COUNTED.values() for family in table)]
    known = {family.attribute: set(family.known) for family in families if family.label}
    counted = [
        (attribute, reason)
        for path in modules()
        for attribute, reason in re.findall(r"\.(\w+)\[\"(\w+)\"\] \+= ", path.read_text(encoding="utf-8"))
        if attribute in known
    ]
    assert len(counted) > 5
    assert not [(attribute, reason) for attribute, reason in counted if reason not in known[attribute]]


def test_names_keep_the_conventions(rig: MetricsRig) -> None:
    text = rig.text()
    assert not promtool("check", "metrics", text=text)
    own = {name for name in series_names(text) if not name.startswith("process_")}
    assert len(own) > 60 and all(name.startswith("streamspike_") for name in own)


def test_labels_are_few_and_their_values_can_be_listed(rig: MetricsRig) -> None:
    samples = [sample for metric in rig.metrics.registry.collect() for sample in metric.samples]
    assert {label for sample in samples for label in sample.labels} <= LABELS
    assert {sample.labels["state"] for sample in samples if "state" in sample.labels} == {*CameraState, *AdapterState}


def test_a_scrape_tells_what_was_counted(rig: MetricsRig) -> None:
    stats = rig.camera.stats
    stats.frames, stats.queued_segments, rig.camera.num_scored = 7, 2, 5
    stats.dropped_segments["queue_full"] += 4
    stats.dropped_segments["a new reason"] += 1
    rig.engine_stats.add_stages({"vision": 0.25})
    rig.engine_stats.degraded = True
    rig.recorder.num_events = 3
    assert rig.mqtt is not None
    rig.mqtt.connected = True
    assert rig.value("frames_total", camera="door") == 7
    assert rig.value("queued_segments", camera="door") == 2
    assert rig.value("scored_segments_total", camera="door") == 5
    assert rig.value("dropped_segments_total", camera="door", reason="queue_full") == 4
    assert rig.value("dropped_segments_total", camera="door", reason="a new reason") == 1
    assert rig.value("dropped_segments_total", camera="door", reason="skipped") == 0
    assert rig.value("engine_stage_seconds_total", stage="vision") == 0.25
    assert rig.value("engine_degraded") == 1
    assert rig.value("store_events_total") == 3
    assert rig.value("mqtt_connected") == 1


def test_a_camera_is_in_one_state(rig: MetricsRig) -> None:
    rig.camera.stats.state = "offline"
    values = {state: rig.value("camera_state", camera="door", state=state) for state in CameraState}
    assert values.pop(CameraState.OFFLINE) == 1
    assert set(values.values()) == {0}


def test_what_the_engine_remembers_is_told(rig: MetricsRig) -> None:
    assert isinstance(RememberingEngine(), EngineMemory) and not isinstance(FakeEngine(), EngineMemory)
    assert rig.value("engine_cache_bytes") == 4096
    assert rig.value("engine_evicted_streams_total", reason="keys") == 3


def test_memory_that_changes_during_the_scrape_is_told_as_it_was(
    rig: MetricsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.value("engine_cache_bytes") == 4096

    def changing(_: object) -> int:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(RememberingEngine, "cache_bytes", property(changing))
    assert rig.value("engine_cache_bytes") == 4096


def test_without_a_broker_there_are_no_numbers_of_one(tmp_path: Path) -> None:
    rig = MetricsRig(tmp_path, mqtt=False)
    rig.store.close()
    assert rig.value("mqtt_connected") is None and "streamspike_mqtt" not in rig.text()


async def test_latency_runs_from_the_end_of_the_segment(rig: MetricsRig) -> None:
    observation = replace(make_observation(), camera_id="door", started_at=999.0, start_seconds=4.0, end_seconds=4.5)
    rig.now = 999.75
    await rig.metrics.observe(observation)
    rig.now = 1000.0
    await rig.metrics.alert(make_event(camera_id="door"), None)
    assert rig.value("score_latency_seconds_sum", camera="door") == pytest.approx(0.25)
    assert rig.value("event_latency_seconds_sum", camera="door") == pytest.approx(0.5)


async def test_a_file_that_plays_faster_than_life_has_no_latency(rig: MetricsRig) -> None:
    await rig.metrics.observe(replace(make_observation(), camera_id="door", started_at=2000.0))
    assert rig.value("score_latency_seconds_count", camera="door") == 0
    assert rig.value("surprise_nats_count", camera="door") == 1


async def test_observations_fill_surprise_threshold_and_inference(rig: MetricsRig) -> None:
    sampled = replace(
        make_observation(),
        camera_id="door",
        surprise_nats=2.5,
        threshold_nats=3.5,
        stage_seconds={"vision": 0.25, "sample": 0.5},
    )
    await rig.metrics.observe(sampled)
    assert rig.value("hypothesis_cache_hits_total", camera="door") == 0
    await rig.metrics.observe(replace(sampled, stage_seconds={"vision": 0.25}))
    assert rig.value("hypothesis_cache_hits_total", camera="door") == 1
    assert rig.value("surprise_nats_bucket", camera="door", le="2.0") == 0
    assert rig.value("surprise_nats_bucket", camera="door", le="3.0") == 2
    assert rig.value("threshold_nats", camera="door") == 3.5
    assert rig.value("inference_seconds_sum", camera="door") == 1.0


async def test_a_camera_that_is_taken_out_is_forgotten(rig: MetricsRig) -> None:
    await rig.metrics.observe(make_observation(camera_id="door"))
    await rig.metrics.report_state("door", CameraState.WATCHING, "")
    assert 'camera="door"' in rig.text()
    rig.cameras.clear()
    await rig.metrics.report_state("door", CameraState.OFFLINE, "taken out of the configuration")
    assert 'camera="door"' not in rig.text()
    await rig.metrics.report_state("door", CameraState.OFFLINE, "a second word")


def test_every_class_of_counts_is_known() -> None:
    """In what runs; benches and tests count for themselves."""
    found = {
        name
        for path in modules()
        if "bench" not in path.parts
        for name in re.findall(r"^class (\w+(?:Counts|Stats))\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    known = {CameraStats, EventCounts, SelectorCounts, *COUNTED}
    assert found == {each.__name__ for each in known}, "give the new ones a table in outputs/metric_families.py"


def test_the_outbox_is_told_and_each_delivery_once(tmp_path: Path) -> None:
    rig = MetricsRig(tmp_path)
    rig.store.record_event(make_event(), None, 1000.0)
    rig.store.record_event(replace(make_event(), revision=1), None, 1002.0)
    rig.now = 1004.0
    assert rig.value("outbox_messages") == 2 and rig.value("outbox_oldest_seconds") == 4.0
    for message, at in zip(rig.store.outbox.pending(), (1004.0, 1005.0), strict=True):
        rig.store.outbox.mark_published(message.row_id, at)
    rig.text()
    assert rig.value("outbox_messages") == 0 and rig.value("outbox_oldest_seconds") == 0.0
    assert rig.value("publish_latency_seconds_count") == 2
    assert rig.value("publish_latency_seconds_sum") == pytest.approx(4.0 + 3.0)
    rig.store.close()


def test_the_night_shift_is_told_by_other_processes(tmp_path: Path) -> None:
    rig = MetricsRig(tmp_path)
    assert rig.value("night_shift_updated_timestamp_seconds") == 0.0 == rig.value("adapters", state="promoted")
    rig.store.report_night_shift(0.25, "train step 3", 1003.5)
    record = AdapterRecord("night", "nano@1", "0", "", "spike-rl", {}, "", {}, registered_at=1.0)
    rig.store.adapters.register(record)
    rig.store.adapters.register(replace(record, name="other"))
    rig.store.adapters.promote("other", 2.0, force=True)
    assert rig.value("night_shift_progress_ratio") == 0.25
    assert rig.value("night_shift_updated_timestamp_seconds") == 1003.5
    counts = {state: rig.value("adapters", state=state) for state in ("candidate", "refused", "promoted", "retired")}
    assert counts == {"candidate": 1, "refused": 0, "promoted": 1, "retired": 0}
    rig.store.close()


def test_deliveries_of_an_earlier_run_are_not_told_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "spike.db", "spike")
    store.record_event(make_event(), None, 1000.0)
    store.outbox.mark_published(store.outbox.pending()[0].row_id, 1001.0)
    store.close()
    rig = MetricsRig(tmp_path)
    rig.store.close()
    rig.text()
    assert rig.value("publish_latency_seconds_count") == 0


async def test_metrics_and_health_are_served() -> None:
    port = free_port()
    with serve(MetricsConfig(port=port)) as metrics:
        assert metrics is not None
        text = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")
        assert "streamspike_build_info" in text and "process_resident_memory_bytes" in text
        assert await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/healthz") == "ok\n"
        with pytest.raises(OSError, match="404"):
            await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/")
    with pytest.raises(OSError, match="refused"):
        fetch(f"http://127.0.0.1:{port}/metrics")


async def test_a_loop_that_hangs_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "HEALTH_SECONDS", 0.05)
    port = free_port()
    with serve(MetricsConfig(port=port)), pytest.raises(OSError, match="503"):
        fetch(f"http://127.0.0.1:{port}/healthz")  # on the loop, which is therefore busy


async def test_port_0_serves_nothing() -> None:
    with serve(MetricsConfig()) as metrics:
        assert metrics is None


async def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    config = MetricsConfig(port=free_port())
    with (
        serve(config),
        pytest.raises(SinkError, match=r"in use; set metrics\.host .* metrics\.port to a free port"),
        serve(config),
    ):
        pytest.fail("two listen on one port")


async def test_a_wrong_port_ends_the_run_before_the_model_is_loaded(tmp_path: Path) -> None:
    config = quick_config(tmp_path, "world:street?seed=1", metrics={"host": "192.0.2.1", "port": 9108})
    with pytest.raises(SinkError, match=r"cannot serve metrics on 192\.0\.2\.1:9108"):
        await run_watch(config, Console(file=io.StringIO()))


def test_histograms_reach_beyond_what_is_usual() -> None:
    """A latency alert at 5 s and a floor of 2 nats need buckets on both sides."""
    from streamspike.outputs import metrics

    assert min(metrics.LATENCY_BUCKETS) < 1 and 5.0 in metrics.LATENCY_BUCKETS and max(metrics.LATENCY_BUCKETS) >= 30
    assert 2.0 in metrics.SURPRISE_BUCKETS and not math.isinf(metrics.SURPRISE_BUCKETS[-1])
