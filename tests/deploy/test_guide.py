"""deploy/README.md: its table is what a run exposes, and its list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.support.metrics import ALERTS, GUIDE, TABLE, MetricsRig, render_table

TEXT = GUIDE.read_text(encoding="utf-8")


def test_the_table_of_metrics_is_the_code(tmp_path: Path) -> None:
    rig = MetricsRig(tmp_path)
    rig.store.close()
    [table] = TABLE.findall(TEXT)
    assert table == render_table(rig.metrics.registry), "it is old: python -m tests.support.metrics writes it anew"


def test_every_file_is_in_the_list() -> None:
    rows = re.findall(r"^\| (`.*?) \|", TEXT.partition("## One machine")[0], re.MULTILINE)
    listed = {name.strip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    there = {path.name for path in GUIDE.parent.iterdir()} - {GUIDE.name, "Dockerfile.dockerignore", "mosquitto"}
    assert listed == there


@pytest.mark.parametrize(
    "name", [rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
)
def test_every_alert_is_named(name: str) -> None:
    assert f"`{name}`" in TEXT or f"`{name.removeprefix('Streamspike')}`" in TEXT
