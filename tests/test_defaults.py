"""configs/default.yaml states every setting with its default; the example next to it is valid."""

from __future__ import annotations

import re

import pytest
import yaml

from streamspike.config import CameraConfig, Config, Section
from streamspike.config_file import load_config, parse_config
from streamspike.errors import ConfigError
from tests.support.tree import ROOT

DEFAULTS = ROOT / "configs" / "default.yaml"
EXAMPLE = ROOT / "configs" / "rtsp-camera.yaml"
TEXT = DEFAULTS.read_text(encoding="utf-8")


def commented_camera() -> str:
    """The example of a camera, with its comment signs taken off."""
    lines = [line[1:] for line in TEXT.splitlines() if line.startswith("#  ")]
    return "cameras:\n" + "\n".join(lines)


def test_default_file_equals_the_schema() -> None:
    assert load_config(DEFAULTS) == Config()


@pytest.mark.parametrize("section", Config.model_fields)
def test_default_file_states_every_key_in_the_order_of_the_schema(section: str) -> None:
    tree = yaml.safe_load(TEXT)
    assert list(tree) == list(Config.model_fields)
    annotation = Config.model_fields[section].annotation
    if isinstance(annotation, type) and issubclass(annotation, Section):
        assert list(tree[section]) == list(annotation.model_fields)


def test_commented_camera_states_every_default_of_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "any")
    tree = yaml.safe_load(commented_camera())
    (camera,) = parse_config(tree, "default.yaml").cameras
    assert list(tree["cameras"][0]) == list(CameraConfig.model_fields)
    assert camera == CameraConfig(id=camera.id, source=camera.source)


def test_every_key_has_a_comment() -> None:
    bare = [line for line in TEXT.splitlines() if re.match(r"\s*\w+:", line) and "#" not in line]
    assert not bare


def test_camera_example_takes_its_passwords_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "c4mera")
    monkeypatch.setenv("MQTT_PASSWORD", "br0ker")
    config = load_config(EXAMPLE)
    assert config.mqtt.url is not None
    assert "viewer:c4mera@" in config.cameras[0].source.get_secret_value()
    assert "streamspike:br0ker@" in config.mqtt.url.get_secret_value()
    monkeypatch.delenv("CAMERA_PASSWORD")
    with pytest.raises(ConfigError, match="CAMERA_PASSWORD is not set"):
        load_config(EXAMPLE)
