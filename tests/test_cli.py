"""What a person meets first: help that teaches, and errors of one line with an exit code, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamspike import __version__
from tests.support.checkpoints import save_checkpoint
from tests.support.cli import Call, make_call
from tests.support.clips import truncate, write_clip
from tests.support.mosquitto import Mosquitto
from tests.support.servers import free_port

COMMANDS = [
    "watch", "score", "sample", "check", "demo", "world render", "refine pretrain",
    "bench surprise", "bench engine", "bench variants", "bench budget", "bench cues",
]  # fmt: skip
PASSWORD = "pa55word"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)  # what is written without a path stays here
    monkeypatch.setenv("COLUMNS", "120")
    return make_call(monkeypatch, capfd)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "model", "qwen2_5_vl")


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.mark.parametrize("command", ["", *COMMANDS, "world", "refine", "bench"])
def test_help_of_every_command_says_what_it_does(call: Call, command: str) -> None:
    outcome = call(*command.split(), "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Usage: streamspike" in outcome.out and len(outcome.out.splitlines()) > 5


def test_help_teaches_the_first_steps(call: Call) -> None:
    root, watch = " ".join(call("--help").out.split()), " ".join(call("watch", "--help").out.split())
    assert "streamspike demo" in root and "streamspike watch rtsp://user:password@camera/stream" in root
    for word in ("rtsp://", "webcam:0", "world:street", "mqtt://broker", "Ctrl-C", "--for"):
        assert word in watch


def test_without_words_the_help_is_shown(call: Call) -> None:
    outcome = call()
    assert "Usage: streamspike" in outcome.out + outcome.err and outcome.code in (0, 2)


def test_version_is_the_packages(call: Call) -> None:
    outcome = call("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"streamspike {__version__}\n", "")


def test_help_needs_neither_torch_nor_video_nor_drawing() -> None:
    heavy = "torch transformers av cv2 matplotlib aiomqtt numpy"
    code = """
import sys
import streamspike.cli

def show(): print(sorted(set(HEAVY.split()) & set(sys.modules)), file=sys.stderr)

show()
sys.argv = ["streamspike", "watch", "--help"]
try:
    streamspike.cli.main()
finally:
    show()
"""
    done = python(code.replace("HEAVY", repr(heavy)))
    assert done.stderr.splitlines() == ["[]", "[]"] and "Usage" in done.stdout and done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("watch", 4, "there is no camera"),
        ("watch missing.mp4", 4, "no such file: missing.mp4"),
        ("score missing.mp4", 4, "no such file: missing.mp4"),
        ("score .", 4, "is a folder"),
        ("watch gopher://hole", 4, "gopher: is not a kind of source; it can be rtsp://"),
        ("watch rtsp://", 4, "names no host"),
        ("watch world:moon", 9, "no simulated scene 'moon'; there are street, room, yard"),
        ("score world:street?seeds=3", 9, "no setting 'seeds'; it has seed"),
        ("world render moon --out moon.mp4", 9, "no simulated scene"),
        ("world render street?size=65x64 --out odd.mp4 --seconds 1", 9, "even size"),
        ("world render street --out street.avi --seconds 1", 9, ".mp4"),
        ("world render street?surprise=inf --out street.mp4", 9, "no negative numbers"),
        ("watch world:street --config missing.yaml", 3, "missing.yaml"),
        ("check --config missing.yaml", 3, "missing.yaml"),
        ("watch bad:name=world:street", 4, "not a kind of source"),
        ("watch world:street --mqtt http://broker", 7, "mqtt://host:1883"),
        ("score world:street?seconds=1 --out /dev/null/scores.jsonl", 1, "cannot make the folder /dev/null"),
        ("score world:street?seconds=1 --out /dev", 1, "cannot write /dev"),
        ("demo --folder /dev/null/demo", 1, "cannot make the folder /dev/null/demo"),
        ("bench surprise --clips 1 --json /dev", 1, "cannot write /dev"),
        ("refine pretrain --out /dev/null/run", 1, "cannot make the folder /dev/null/run"),
        ("refine pretrain --keep 0.5", 3, "--keep is a share of the model that --from names; give both"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(call: Call, words: str, code: int, says: str) -> None:
    outcome = call(*words.split())
    assert says in outcome.error() and outcome.code == code


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("events: {alerts_per_dy: 9}", "unknown key 'events.alerts_per_dy'; did you mean 'alerts_per_day'?"),
        ("event: {alerts_per_day: 9}", "did you mean 'events'?"),
        ("cameras: [{id: a, source: 'world:street', pase: fast}]", "did you mean 'pace'?"),
        ("floor_nats: 3", "did you mean 'events.floor_nats'?"),
        ("events: {alerts_per_day: 0}", "events.alerts_per_day: must be greater than 0"),
        ("cameras: [", "is not valid YAML (line"),
        ("- 1", "the top level must be a mapping"),
    ],
)
def test_a_wrong_config_names_the_place_and_the_nearest_key(call: Call, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "spike.yaml").write_text(text)
    outcome = call("watch", "--config", "spike.yaml")
    assert says in outcome.error() and outcome.code == 3


def test_a_config_is_checked_without_showing_its_passwords(call: Call, tmp_path: Path) -> None:
    (tmp_path / "spike.yaml").write_text(
        f"cameras:\n- {{id: door, source: 'rtsp://joe:{PASSWORD}@192.0.2.7/live'}}\n"
        "- {id: yard, source: 'world:yard'}\n"
        f"mqtt: {{url: 'mqtt://joe:{PASSWORD}@192.0.2.8'}}\n"
    )
    outcome = call("check", "--config", "spike.yaml")
    assert (outcome.code, outcome.err) == (0, "")
    assert "door: rtsp, rtsp://***@192.0.2.7/live" in outcome.out and "mqtt://192.0.2.8:1883" in outcome.out
    assert "2 cameras" in outcome.out and PASSWORD not in outcome.out
    (tmp_path / "spike.yaml").write_text("cameras: [{id: yard, source: 'world:moon'}]")
    assert call("check", "--config", "spike.yaml").code == 9


def test_a_broker_that_is_not_there_is_told_before_the_model_is_loaded(call: Call) -> None:
    url = f"mqtt://joe:{PASSWORD}@127.0.0.1:{free_port()}"
    outcome = call("watch", "world:street", "--mqtt", url, "--model", "/nowhere/model")
    assert "nothing listens at mqtt://127.0.0.1" in outcome.error() and outcome.code == 7
    assert PASSWORD not in outcome.out + outcome.err


def test_a_wrong_login_at_the_broker_is_told_without_the_password(call: Call, guarded_broker: Mosquitto) -> None:
    outcome = call("watch", "world:street", "--mqtt", f"mqtt://spike:{PASSWORD}@127.0.0.1:{guarded_broker.port}")
    assert "refuses the user 'spike'" in outcome.error() and outcome.code == 7
    assert PASSWORD not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("/nowhere/model", "no model '/nowhere/model'"),
        ("nanno", "no model 'nanno': neither 'nano', nor a folder"),
        ("empty", "a folder without a config.json"),
        ("pickled", "pickled ones (.bin, .pt) are never loaded"),
        ("nobody/nothing", "cannot read the model nobody/nothing"),
    ],
)
def test_a_model_that_is_none_is_an_error_of_one_line(call: Call, tmp_path: Path, model: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"boom")
    outcome = call("score", "world:street?seconds=1&size=96x64", "--model", model)
    assert says in outcome.error() and outcome.code == 5


def test_a_device_that_is_not_there_is_an_error_of_one_line(call: Call, tiny: Path) -> None:
    outcome = call("score", "world:street?seconds=1&size=96x64", "--model", tiny, "--device", "cuda:99")
    assert "no device 'cuda:99'" in outcome.error() and outcome.code == 5
    assert "unknown device 'toaster'" in call("watch", "world:street", "--model", tiny, "--device", "toaster").error()


@pytest.mark.parametrize("command", ["score", "watch --fast"])
@pytest.mark.parametrize("kind", ["empty", "text", "headless"])
def test_what_is_no_video_is_an_error_of_one_line(
    call: Call, tiny: Path, tmp_path: Path, command: str, kind: str
) -> None:
    path = tmp_path / f"{kind}.mp4"
    if kind == "headless":  # an mp4 whose index stood at its end, and is gone
        path = truncate(write_clip(tmp_path / "whole.mp4", 20), 0.5)
    else:
        path.write_bytes(b"" if kind == "empty" else b"this is a letter to my landlord\n" * 100)
    outcome = call(*command.split(), path, "--model", tiny)
    assert path.name in outcome.error() and outcome.code == 4


def test_a_store_that_cannot_be_used_is_an_error_of_one_line(call: Call, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("dear diary, this is no database\n" * 100)
    outcome = call("watch", "world:street", "--model", tiny, "--store", "notes.db", "--for", 1)
    assert "notes.db" in outcome.error() and outcome.code == 8


def test_an_events_file_that_cannot_be_written_is_an_error_of_one_line(call: Call, tiny: Path) -> None:
    outcome = call("watch", "world:street", "--model", tiny, "--events", "/dev/null/events.jsonl", "--for", 1)
    assert "/dev/null/events.jsonl" in outcome.error() and outcome.code == 7


def test_an_option_nobody_knows_is_bad_usage(call: Call) -> None:
    outcome = call("watch", "--modle", "nano")
    assert outcome.code == 2 and "--model" in outcome.err


def test_a_wrong_file_leaves_the_scores_of_another_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "scores.jsonl").write_text("precious\n")
    assert call("score", "missing.mp4").code == 4
    assert (tmp_path / "scores.jsonl").read_text() == "precious\n"
