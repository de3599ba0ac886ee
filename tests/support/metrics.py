"""What tests of metrics share: metrics of one camera, and the expressions of the shipped dashboard."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from streamspike.belief.events import EventTracker
from streamspike.config import EventConfig
from streamspike.outputs.clips import ClipCounts
from streamspike.outputs.metrics import Metrics
from streamspike.outputs.mqtt import MqttCounts
from streamspike.outputs.recorder import RecorderCounts
from streamspike.outputs.store import Store
from streamspike.outputs.web.hub import HubCounts
from streamspike.select.online import SelectorCounts
from streamspike.stats import CameraStats, EngineStats
from tests.support.fake_engine import FakeEngine
from tests.support.tree import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "streamspike.json"
GUIDE = ROOT / "deploy" / "README.md"
TABLE = re.compile(r"(?<=<!-- metrics -->\n).*?(?=<!-- /metrics -->)", re.DOTALL)
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


class RememberingEngine(FakeEngine):
    """A fake with the memory of a real one."""

    num_streams = 2
    cache_bytes = 4096
    feature_bytes = 512
    evicted: Mapping[str, int] = {"keys": 3}


@dataclass
class MeasuredCamera:
    """What the metrics read of a camera."""

    camera_id: str
    stats: CameraStats = field(default_factory=CameraStats)
    num_scored: int = 0
    events: EventTracker = field(default_factory=lambda: EventTracker("door", EventConfig()))
    keyframes: object = field(default_factory=lambda: SimpleNamespace(counts=SelectorCounts()))


class MetricsRig:
    """Metrics of one camera, and everything they read."""

    def __init__(self, folder: Path, *, mqtt: bool = True) -> None:
        self.now = 1000.0
        self.camera = MeasuredCamera("door")
        self.cameras = [self.camera]
        self.recorder, self.engine_stats = RecorderCounts(), EngineStats()
        self.mqtt = MqttCounts() if mqtt else None
        self.store = Store(folder / "spike.db", "spike")
        self.metrics = Metrics(lambda: self.now)
        self.metrics.watch(
            self.cameras,
            [self.engine_stats, self.recorder, ClipCounts(), HubCounts(), *([self.mqtt] if self.mqtt else [])],
            store_path=folder / "spike.db",
            engine=RememberingEngine(),
        )

    def text(self) -> str:
        return generate_latest(self.metrics.registry).decode()

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"streamspike_{name}", labels)


def panels() -> list[dict[str, Any]]:
    """Those with queries, without the rows."""
    shown = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in shown if panel["type"] != "row"]


def dashboard_expressions() -> Iterator[tuple[str, str]]:
    """Title of the panel, and what it asks, with Grafana's variables filled in."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$camera", ".*").replace("$__rate_interval", "30s")
            assert "$" not in expression, f"fill in this variable in the test as well: {expression}"
            yield panel["title"], expression


def metric_names(expression: str) -> set[str]:
    """Names of the series an expression reads."""
    return set(re.findall(r"\b(?:streamspike|process)_[a-z_]+\b", expression))


def render_table(registry: CollectorRegistry) -> str:
    """All metrics of a registry as the table of deploy/README.md."""
    rows = ["| metric | kind | labels | tells |", "|---|---|---|---|"]
    for metric in sorted(registry.collect(), key=lambda metric: metric.name):
        if not metric.name.startswith("streamspike_"):
            continue
        name = metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "")
        labels = {label for sample in metric.samples for label in sample.labels} - {"le"}
        labels |= {*getattr(metric, "_labelnames", ())}  # of one that has no sample yet
        rows.append(f"| `{name}` | {metric.type} | {', '.join(sorted(labels))} | {metric.documentation} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write the table anew."""
    with tempfile.TemporaryDirectory() as folder:
        rig = MetricsRig(Path(folder))
        rig.store.close()
        text = GUIDE.read_text(encoding="utf-8")
        assert len(TABLE.findall(text)) == 1, "the guide needs one block between <!-- metrics --> and <!-- /metrics -->"
        GUIDE.write_text(TABLE.sub(lambda _: render_table(rig.metrics.registry), text), encoding="utf-8")


if __name__ == "__main__":
    main()
