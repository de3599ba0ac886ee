"""Kubernetes manifests: whole, in agreement with each other and the config, and without rights they do not need."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from streamspike import __version__
from streamspike.config import Config
from streamspike.config_file import parse_config
from tests.support.tree import ROOT

FOLDER = ROOT / "deploy" / "k8s"
NAMES = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
OBJECTS: dict[str, dict[str, Any]] = {
    each["kind"]: each for name in NAMES for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
}
POD = OBJECTS["Deployment"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
JOB = OBJECTS["CronJob"]["spec"]["jobTemplate"]["spec"]
NIGHT_POD = JOB["template"]["spec"]
[NIGHT] = NIGHT_POD["containers"]
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("STREAMSPIKE_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("MQTT_URL", "mqtt://broker:1883")
    [text] = OBJECTS["ConfigMap"]["data"].values()
    return parse_config(yaml.safe_load(text), "config.yaml")


def test_every_manifest_is_listed() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*NAMES, "kustomization.yaml"}
    assert set(OBJECTS) == {"ConfigMap", "PersistentVolumeClaim", "Deployment", "CronJob", "Service", "NetworkPolicy"}


def test_the_image_has_the_version_of_the_code() -> None:
    assert CONTAINER["image"] == f"streamspike:{__version__}"
    gpu = yaml.safe_load((ROOT / "deploy" / "k8s-gpu" / "kustomization.yaml").read_text())
    assert gpu["images"] == [{"name": "streamspike", "newTag": f"{__version__}-cuda"}]


def test_one_process_at_a_time_writes_the_store() -> None:
    spec = OBJECTS["Deployment"]["spec"]
    assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}


def test_the_container_runs_without_root_and_writes_only_its_volumes(config: Config) -> None:
    assert POD["securityContext"]["runAsNonRoot"] and POD["securityContext"]["runAsUser"] == 10001
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [mount["mountPath"] for mount in CONTAINER["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/data", "/tmp"] and config.store.path.startswith("/data/")


def test_ports_are_those_of_the_config(config: Config) -> None:
    assert {"page": config.web.port, "metrics": config.metrics.port} == PORTS
    assert {port["name"]: port["port"] for port in OBJECTS["Service"]["spec"]["ports"]} == PORTS
    annotations = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(config.metrics.port)
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe")} == {"metrics"}


def test_volumes_and_labels_meet() -> None:
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert mounted == set(volumes)
    assert volumes["config"]["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    assert OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels


def test_the_night_runs_as_the_monitor_does_beside_it_and_one_at_a_time() -> None:
    assert OBJECTS["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid" and NIGHT_POD["restartPolicy"] == "Never"
    for key in ("securityContext", "volumes"):
        assert NIGHT_POD[key] == POD[key]
    for key in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert NIGHT[key] == CONTAINER[key]
    [near] = NIGHT_POD["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert near == {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    assert OBJECTS["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert JOB["template"]["metadata"]["labels"] != labels, "else the service would send it visitors"
    assert NIGHT["args"][:2] == ["refine", "nightly"]
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert dockerfile.count("'.[refine]'") == 2, "what the night needs is in both images"


def test_secrets_come_from_a_secret(config: Config) -> None:
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": "streamspike"}}]
    comments = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    assert all(f"--from-literal={name}=" in comments for name in ("STREAMSPIKE_TOKEN", "MQTT_URL", "CAMERA_PASSWORD"))
    assert config.mqtt.url is not None


def test_the_gpu_overlay_changes_what_is_there() -> None:
    overlay = yaml.safe_load((ROOT / "deploy" / "k8s-gpu" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert overlay["resources"] == ["../k8s"]
    [patch] = overlay["patches"]
    assert patch["target"] == {"kind": "Deployment", "name": OBJECTS["Deployment"]["metadata"]["name"]}
    changed = {step["path"].rpartition("/limits/")[2]: step["op"] for step in yaml.safe_load(patch["patch"])}
    assert changed == {"nvidia.com~1gpu": "add", "memory": "replace"} and "memory" in CONTAINER["resources"]["limits"]
