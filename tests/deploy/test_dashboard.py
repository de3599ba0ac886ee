"""The Grafana dashboard: every query is asked of a real Prometheus that scrapes a run, and each has an answer."""

from __future__ import annotations

import asyncio
import io
import json
import math
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from streamspike.app import run_watch
from tests.support.fake_engine import surprising_at
from tests.support.metrics import DASHBOARD, RememberingEngine, dashboard_expressions, metric_names, panels
from tests.support.mosquitto import Mosquitto
from tests.support.pipeline import quick_config
from tests.support.prometheus import Prometheus, fetch, series_names
from tests.support.servers import free_port

ROWS = ["Cameras", "Surprise", "Latency", "Model", "Health", "Night shift"]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_query_has_an_answer(tmp_path: Path, broker: Mosquitto) -> None:
    port = free_port()
    config = quick_config(
        tmp_path,
        "world:street?seed=1&size=96x64&fps=8",
        "lavfi:testsrc2=size=96x64:rate=10",
        metrics={"port": port},
        web={"port": free_port()},
        mqtt=broker.config().model_dump(),
    )
    config = config.model_copy(update={"cameras": [c.model_copy(update={"pace": "realtime"}) for c in config.cameras]})
    engine = RememberingEngine(surprising_at(2, 5, 8, 11, 14, 17, 20))
    watching = asyncio.create_task(run_watch(config, Console(file=io.StringIO()), engine=engine))
    try:
        with Prometheus(tmp_path, port) as prometheus:
            await prometheus.until("streamspike_publish_latency_seconds_count > 2")
            await prometheus.until("sum(rate(streamspike_scored_segments_total[30s])) > 0")
            await prometheus.until("max(streamspike_last_frame_timestamp_seconds) > 0")
            for _, expression in dashboard_expressions():
                await prometheus.until(expression)
            p50 = await prometheus.value(
                "histogram_quantile(0.5, sum by (le) (rate(streamspike_score_latency_seconds_bucket[30s])))"
            )
            assert 0 < p50 < 30 and not math.isnan(p50)
            assert await prometheus.value('up{job="streamspike"}') == 1
            text = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    unknown = {name for _, expression in dashboard_expressions() for name in metric_names(expression)}
    assert unknown <= series_names(text)
    assert "somebody walks in" not in text, "a caption in a metric"


def test_rows_are_those_a_person_looks_for() -> None:
    shown = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert [panel["title"] for panel in shown if panel["type"] == "row"] == ROWS


def test_every_panel_says_what_it_shows_and_asks_the_chosen_source() -> None:
    titles = [panel["title"] for panel in panels()]
    assert len(titles) == len(set(titles)) > 20
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_panels_do_not_overlap() -> None:
    shown = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in shown)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    folder = DASHBOARD.parents[1] / "provisioning"
    [source] = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((folder / "dashboards" / "streamspike.yml").read_text())["providers"]
    compose = yaml.safe_load((DASHBOARD.parents[2] / "compose.yaml").read_text())
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090"
    mounts = compose["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
