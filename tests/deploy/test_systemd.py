"""The systemd unit: systemd itself finds no fault with it, and it stops and restarts as the exit codes mean."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import typer.main

from streamspike.cli import app
from streamspike.errors import BrokerError, ConfigError, StoreError, WorldError
from tests.support.servers import binary
from tests.support.tree import ROOT

UNIT = ROOT / "deploy" / "streamspike.service"
TEXT = UNIT.read_text(encoding="utf-8")
ANALYZE = "systemd-analyze", "systemd"


def settings() -> dict[str, list[str]]:
    """Values of each key, in order."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", TEXT, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """It exits with 0 even for keys it does not know, so that anything it says is a fault."""
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/streamspike/bin/streamspike", sys.executable))  # it must exist
    command = [binary(*ANALYZE), "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert not done.returncode and not ours


def test_the_unit_has_few_rights() -> None:
    command = [binary(*ANALYZE), "security", "--offline=true", "--threshold=25", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout[-300:]


def test_the_command_exists() -> None:
    [command] = settings()["ExecStart"]
    _, name, *words = command.split()
    known = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_what_would_fail_again_is_not_tried_again() -> None:
    codes = {int(code) for code in settings()["RestartPreventExitStatus"][0].split()}
    assert codes == {2, ConfigError.exit_code, WorldError.exit_code}
    assert not codes & {BrokerError.exit_code, StoreError.exit_code} and settings()["Restart"] == ["on-failure"]


def test_secrets_stay_out_of_the_unit() -> None:
    assert settings()["EnvironmentFile"] == ["-/etc/streamspike/secrets.env"]
    assert settings()["LoadCredential"] == ["streamspike.yaml:/etc/streamspike/streamspike.yaml"]
