"""Alert rules: valid, tested one by one with promtool, and about metrics that exist."""

from __future__ import annotations

import pytest
import yaml

from tests.support.metrics import ALERTS, MetricsRig, metric_names
from tests.support.prometheus import promtool, series_names

FOLDER = ALERTS.parent
RULES = [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]


def test_prometheus_takes_its_config_and_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", FOLDER / "prometheus.yml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", FOLDER / "alerts_test.yml")


@pytest.mark.parametrize("name", [rule["alert"] for rule in RULES])
def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(name: str) -> None:
    cases = [case for test in TESTS for case in test["alert_rule_test"] if case["alertname"] == name]
    assert any(case["exp_alerts"] for case in cases) and any(not case["exp_alerts"] for case in cases)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do_about_a_metric_that_exists(rule: dict[str, object], exposition: str) -> None:
    annotations, labels = rule["annotations"], rule["labels"]
    assert isinstance(annotations, dict) and {*annotations} == {"summary", "description"}
    assert isinstance(labels, dict) and labels["severity"] in ("critical", "warning", "info")
    assert metric_names(str(rule["expr"])) <= series_names(exposition)


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> str:
    rig = MetricsRig(tmp_path_factory.mktemp("metrics"))
    rig.store.close()
    return f'{rig.text()}\nup{{job="streamspike"}} 1\n'
