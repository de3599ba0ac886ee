"""Configuration that names its own mistakes, and never a password."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from streamspike.config import Config
from streamspike.config_file import load_config, parse_config
from streamspike.errors import ConfigError

SECRET = "hunter2"
SOURCE = f"rtsp://viewer:{SECRET}@192.0.2.10/stream"


def camera(**settings: Any) -> dict[str, Any]:
    return {"id": "door", "source": SOURCE, **settings}


def error_of(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(tree, "my.yaml")
    # What a log would show: the whole chain, not only the sentence.
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    message = str(caught.value)
    assert message.startswith("my.yaml: ") and "\n" not in message
    return message.removeprefix("my.yaml: ")


def error_of_text(folder: Path, text: str) -> str:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "my.yaml" in str(caught.value)
    return str(caught.value)


def test_nothing_is_needed() -> None:
    assert parse_config({}, "my.yaml") == Config()


def test_settings_arrive() -> None:
    config = parse_config({"cameras": [camera(transport="udp")], "events": {"floor_nats": 3}}, "my.yaml")
    assert config.cameras[0].source.get_secret_value() == SOURCE
    assert (config.cameras[0].transport, config.events.floor_nats) == ("udp", 3.0)


def test_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().belief.tau = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"camera": []}, "unknown key 'camera'; did you mean 'cameras'?"),
        ({"mqtt": {"uri": SECRET}}, "unknown key 'mqtt.uri'; did you mean 'url'?"),
        ({"cameras": [camera(), camera(id="b", transprt="tcp")]}, "unknown key 'cameras.1.transprt'; did you mean 't"),
        ({"segment": {"second": 1}}, "unknown key 'segment.second'; did you mean 'seconds'?"),
        ({"tau": 2}, "unknown key 'tau'; did you mean 'belief.tau'?"),
        ({"mqtt": {"keep_days": 2}}, "unknown key 'mqtt.keep_days'; did you mean 'store.keep_days'?"),
        (
            {"qqq": SOURCE},
            "unknown key 'qqq'; valid keys: cameras, ingest, segment, health, scorer, belief, model, engine",
        ),
        ({"belief": {"scorer": "middle"}}, "unknown key 'belief.scorer'; 'scorer' stands at the top level"),
    ],
)
def test_unknown_key_names_the_nearest_valid_one(tree: dict[str, Any], message: str) -> None:
    assert error_of(tree).startswith(message)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"segment": {"seconds": 0}}, "segment.seconds: must be greater than 0"),
        ({"segment": {"frames": "two"}}, "segment.frames: must be a valid integer"),
        ({"events": {"floor_nats": float("nan")}}, "events.floor_nats: must be greater than or equal to 0"),
        ({"belief": {"posterior": SECRET}}, "belief.posterior: must be 'nll' or 'verify'"),
        ({"scorer": SECRET}, "scorer: must be 'surprise', 'frame-difference', "),
        ({"ingest": {"backoff_min_seconds": 50}}, "ingest: backoff_min_seconds must not exceed backoff_max_seconds"),
        ({"cameras": SOURCE}, "cameras: must be a list"),
        ({"cameras": {"door": SOURCE}}, "cameras: must be a list"),
        ({"cameras": [SOURCE]}, "cameras.0: must be a mapping of settings"),
        ({"cameras": [{"id": "door"}]}, "cameras.0.source: Field required"),
        ({"cameras": [camera(id="front door")]}, "cameras.0.id: must be: letters, digits, - and _"),
        ({"cameras": [camera(id=SOURCE)]}, "cameras.0.id: must be: letters, digits, - and _"),
        ({"cameras": [camera(transport=SOURCE)]}, "cameras.0.transport: must be 'tcp' or 'udp'"),
        ({"cameras": [camera(source=[SOURCE])]}, "cameras.0.source: must be a valid string"),
        ({"mqtt": None}, "mqtt: must be a mapping of settings"),
        ({"mqtt": SOURCE}, "mqtt: must be a mapping of settings"),
        ({"mqtt": {"url": {"host": SECRET}}}, "mqtt.url: must be a valid string"),
        ({1: 2}, "1: Keys should be strings"),
    ],
)
def test_bad_value_says_where_and_what_would_be_valid(tree: dict[str, Any], message: str) -> None:
    assert error_of(tree).startswith(message)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("frame-diff", "frame-difference"), ("optical flow", "optical-flow"), ("itti", "itti-baldi"), ("suprise", "surp")],
)
def test_unknown_scorer_names_the_nearest(name: str, nearest: str) -> None:
    assert f"did you mean '{nearest}" in error_of({"scorer": name})
    assert f"did you mean '{nearest}" in error_of({"cameras": [camera(scorer=name)]})
    assert "did you mean" not in error_of({"scorer": "entropy of everything"})


def test_a_camera_may_have_a_scorer_of_its_own() -> None:
    tree = {"cameras": [camera(), camera(id="b", scorer="surprise")], "scorer": "optical-flow"}
    config = parse_config(tree, "my.yaml")
    assert [config.scorer_of(each) for each in config.cameras] == ["optical-flow", "surprise"]
    assert [config.looks_of(each) for each in config.cameras] == [1, 2], "who compares pixels looks once"
    assert config.model_scorers == {"surprise"}
    assert not parse_config({"cameras": [camera()], "scorer": "uniform"}, "my.yaml").model_scorers


def test_two_questions_to_one_model_need_two_runs() -> None:
    message = error_of({"cameras": [camera(), camera(id="b", scorer="zero-shot")]})
    assert "need a run each" in message


def test_all_mistakes_are_named_at_once() -> None:
    message = error_of({"segment": {"seconds": -1, "frmes": 2}, "modell": {}})
    assert "segment.seconds" in message and "'frames'" in message and "'model'" in message


def test_two_cameras_with_one_id_are_refused() -> None:
    assert error_of({"cameras": [camera(), camera()]}) == "two cameras are called 'door'; ids must be unique"


@pytest.mark.parametrize("topic", ["", "/", "home/", "/home", "home/#", "a+b", "a b"])
def test_topic_that_a_broker_would_refuse_is_refused_here(topic: str) -> None:
    assert error_of({"mqtt": {"topic": topic}}).startswith("mqtt.topic: must be: prefix of all topics")


@pytest.mark.parametrize("topic", ["s", "streamspike", "home/cameras"])
def test_topic_may_have_levels(topic: str) -> None:
    assert parse_config({"mqtt": {"topic": topic}}, "my.yaml").mqtt.topic == topic


def test_repr_hides_passwords() -> None:
    config = parse_config({"cameras": [camera()], "mqtt": {"url": f"mqtt://u:{SECRET}@broker"}}, "my.yaml")
    assert SECRET not in repr(config) and SECRET not in str(config) and SECRET not in config.model_dump_json()


def test_environment_variables_are_filled_in_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "p$${x}")  # a value is not expanded again
    monkeypatch.setenv("FRAMES", "4")
    tree = {
        "cameras": [camera(source="rtsp://u:${CAMERA_PASSWORD}@${CAMERA_PASSWORD}/")],
        "segment": {"frames": "${FRAMES}"},
    }
    config = parse_config(tree, "my.yaml")
    assert config.cameras[0].source.get_secret_value() == "rtsp://u:p$${x}@p$${x}/"
    assert config.segment.frames == 4


def test_dollar_signs_that_name_no_variable_stay() -> None:
    source = "rtsp://u:pa$$w0rd$@host/${"
    assert parse_config({"cameras": [camera(source=source)]}, "my.yaml").cameras[0].source.get_secret_value() == source


def test_missing_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    assert error_of({"mqtt": {"url": "${NOT_THERE}"}}) == "the environment variable NOT_THERE is not set"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "{}"])
def test_empty_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "my.yaml").write_text(text)
    assert load_config(tmp_path / "my.yaml") == Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "the top level must be a mapping"),
        ("cameras: [\n", "is not valid YAML (line 2)"),
        (f"cameras:\n  - id: door\n    source: rtsp://u:{SECRET}@h/: x\n", "is not valid YAML (line 3)"),
        (f"mqtt: {{url: *{SECRET}}}\n", "must stand in quotes"),
        (f"mqtt:\n  url: !{SECRET}\n", "must stand in quotes"),
        ("mqtt: {}\nmqtt: {}\n", "the key 'mqtt' stands here twice"),
        ("mqtt: {topic: a, topic: b}\n", "the key 'topic' stands here twice"),
        ("mqtt: \0\n", "a character that YAML does not allow"),
        ("!!python/object/apply:os.getcwd []\n", "must stand in quotes"),
    ],
)
def test_broken_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    assert message in error_of_text(tmp_path, text)


def test_missing_file_and_folder_are_clear(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the config file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot read the config file"):
        load_config(tmp_path)


def test_file_that_is_not_text_is_clear(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="cannot read the config file"):
        load_config(tmp_path / "my.yaml")
