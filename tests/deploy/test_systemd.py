"""The systemd units: systemd itself finds no fault with them, and they stop and restart as the exit codes mean."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from streamspike.cli import app
from streamspike.errors import BrokerError, ConfigError, StoreError, WorldError
from tests.support.servers import binary
from tests.support.tree import ROOT

FOLDER = ROOT / "deploy"
WATCH, NIGHTLY = "streamspike.service", "streamspike-nightly.service"
TIMER = "streamspike-nightly.timer"
ANALYZE = "systemd-analyze", "systemd"


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def settings(name: str = WATCH) -> dict[str, list[str]]:
    """Values of each key, in order."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", text_of(name), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", [WATCH, NIGHTLY, TIMER])
def test_systemd_finds_no_fault(name: str, tmp_path: Path) -> None:
    """It exits with 0 even for keys it does not know, so that anything it says is a fault."""
    for each in (WATCH, NIGHTLY, TIMER):
        (tmp_path / each).write_text(text_of(each).replace("/opt/streamspike/bin/streamspike", sys.executable))
    command = [binary(*ANALYZE), "verify", "--man=no", str(tmp_path / name)]  # what it starts must exist
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "streamspike" in line]
    assert not done.returncode and not ours


@pytest.mark.parametrize("name", [WATCH, NIGHTLY])
def test_the_unit_has_few_rights(name: str) -> None:
    command = [binary(*ANALYZE), "security", "--offline=true", "--threshold=25", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout[-300:]


@pytest.mark.parametrize("name", [WATCH, NIGHTLY])
def test_the_command_exists(name: str) -> None:
    [command] = settings(name)["ExecStart"]
    _, *words = command.split()
    known = typer.main.get_command(app)
    while not words[0].startswith("--"):
        known = known.commands[words.pop(0)]  # type: ignore[attr-defined]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_night_steps_aside_and_shares_only_the_folder_of_the_monitor() -> None:
    watch, night = settings(WATCH), settings(NIGHTLY)
    assert (night["Nice"], night["IOSchedulingClass"], night["Type"]) == (["19"], ["idle"], ["oneshot"])
    assert "Restart" not in night and night["TimeoutStartSec"] == ["infinity"]
    shared = ("StateDirectory", "WorkingDirectory", "LoadCredential", "DynamicUser", "ProtectSystem", "UMask")
    assert all(night[key] == watch[key] for key in shared)
    assert night["User"] == [WATCH.removesuffix(".service")], "a dynamic user has the name of its unit"
    assert settings(TIMER)["Persistent"] == ["true"]


def test_what_would_fail_again_is_not_tried_again() -> None:
    codes = {int(code) for code in settings()["RestartPreventExitStatus"][0].split()}
    assert codes == {2, ConfigError.exit_code, WorldError.exit_code}
    assert not codes & {BrokerError.exit_code, StoreError.exit_code} and settings()["Restart"] == ["on-failure"]


def test_secrets_stay_out_of_the_unit() -> None:
    assert settings()["EnvironmentFile"] == ["-/etc/streamspike/secrets.env"]
    assert settings()["LoadCredential"] == ["streamspike.yaml:/etc/streamspike/streamspike.yaml"]
