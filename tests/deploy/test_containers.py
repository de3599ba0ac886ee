"""Dockerfile and compose files: pinned, without rights they do not need, and in agreement with config and code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamspike import __version__
from streamspike.config import Config
from streamspike.config_file import load_config
from tests.support.tree import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
STEPS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
GPU = yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TOKEN = "0123456789abcdef"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("STREAMSPIKE_TOKEN", TOKEN)
    return load_config(DEPLOY / "streamspike.yaml")


def stages() -> dict[str, str]:
    """Image or stage that each stage begins with."""
    return {name: base for base, name in (text.split(" AS ") for word, text in STEPS if word == "FROM")}


def in_stage(name: str) -> list[tuple[str, str]]:
    """Steps of a stage, without those of the one it begins with."""
    begin = STEPS.index(("FROM", f"{stages()[name]} AS {name}"))
    rest = STEPS[begin + 1 :]
    ends = [place for place, (word, _) in enumerate(rest) if word == "FROM"]
    return rest[: ends[0]] if ends else rest


def test_every_image_is_pinned_to_a_release() -> None:
    bases = {base for base in stages().values() if base not in stages()}
    images = {service["image"] for service in SERVICES.values()} | {GPU["services"]["streamspike"]["image"]}
    for image in bases | images:
        assert re.search(r":v?\d+\.\d+\.\d+(-[a-z-]+)?$", image), image
    assert len(bases) == 1, "what is built and what runs it share one base"


def test_our_image_has_the_version_of_the_code() -> None:
    assert SERVICES["streamspike"]["image"] == f"streamspike:{__version__}"
    assert GPU["services"]["streamspike"]["image"] == f"streamspike:{__version__}-cuda"
    assert f"-t streamspike:{__version__} ." in DOCKERFILE


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_target_takes_only_what_was_installed_and_runs_without_root(target: str) -> None:
    assert stages()[target] == "runtime" and stages()[f"build-{target}"] == "source"
    assert ("COPY", f"--from=build-{target} /opt/streamspike /opt/streamspike") in in_stage(target)
    assert ("USER", "10001:10001") in in_stage("runtime")
    assert not [text for word, text in in_stage(target) if word == "USER"]


def test_only_the_cpu_image_is_pinned_to_a_torch_without_cuda() -> None:
    [(_, cpu)], [(_, cuda)] = in_stage("build-cpu"), in_stage("build-cuda")
    assert "-c constraints-cpu.txt" in cpu and "whl/cpu" in cpu and "constraints" not in cuda


def test_what_the_image_is_made_of_is_there_and_not_ignored() -> None:
    copied = [text.split()[:-1] for word, text in in_stage("source") if word == "COPY"]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    names = [name.removeprefix("./") for names in copied for name in names]
    for name in names:
        assert (ROOT / name).exists() and f"!{name}" in ignored, name
    assert "*" in ignored


def test_the_image_asks_for_its_health_where_the_config_serves_it(config: Config) -> None:
    assert f"http://127.0.0.1:{config.metrics.port}/healthz" in DOCKERFILE
    assert f"EXPOSE {config.web.port} {config.metrics.port}" in DOCKERFILE
    assert any(word == "HEALTHCHECK" for word, _ in in_stage("runtime"))
    [command] = [text for word, text in in_stage("runtime") if word == "CMD"]
    mounts = SERVICES["streamspike"]["volumes"]
    assert "./streamspike.yaml:/etc/streamspike/streamspike.yaml:ro" in mounts
    assert '"/etc/streamspike/streamspike.yaml"' in command


def test_compose_publishes_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_and_config_mean_the_same_ports(config: Config) -> None:
    assert f"127.0.0.1:{config.web.port}:{config.web.port}" in SERVICES["streamspike"]["ports"]
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [f"streamspike:{config.metrics.port}"]}]
    assert config.mqtt.url is not None
    broker = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    assert config.mqtt.url.get_secret_value() == "mqtt://mosquitto:1883" and "listener 1883\n" in broker
    assert config.web.token is not None and config.web.token.get_secret_value() == TOKEN


def test_what_is_mounted_exists_and_cannot_be_written() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service["volumes"]]
    for source, _, *mode in mounts:
        if source.startswith("."):
            assert (DEPLOY / source).exists() and mode == ["ro"], source
        else:
            assert source in COMPOSE["volumes"]


def test_what_streamspike_writes_is_on_a_volume(config: Config) -> None:
    service = SERVICES["streamspike"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert "data:/data" in service["volumes"] and Path(config.store.path).parent == Path("/data")


def test_passwords_are_asked_for_and_have_no_default() -> None:
    variables = {**SERVICES["streamspike"]["environment"], **SERVICES["grafana"]["environment"]}
    for name in ("STREAMSPIKE_TOKEN", "GF_SECURITY_ADMIN_PASSWORD"):
        assert ":?" in variables[name], name


def test_the_gpu_file_changes_only_the_image_and_asks_for_a_gpu() -> None:
    assert list(GPU["services"]) == ["streamspike"] and GPU["services"]["streamspike"]["build"] == {"target": "cuda"}
    [device] = GPU["services"]["streamspike"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and "gpu" in device["capabilities"]
