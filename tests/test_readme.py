"""README says what the code does: its tree, commands, exit codes, event and links are compared with the code."""

from __future__ import annotations

import inspect
import json
import math
import os
import re

import pytest
import typer.main
from typer.core import TyperGroup

from streamspike import errors
from streamspike.cli import app
from streamspike.outputs.messages import event_payload, percent
from tests.support.messages import make_event
from tests.support.tree import BLOCK, README, ROOT, render_tree

TEXT = README.read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))


def command_lines() -> list[list[str]]:
    """Every `streamspike ...` in the shell blocks, without its comment."""
    lines = [line.partition("   #")[0].strip() for line in SHELL.splitlines()]
    return [re.findall(r'"[^"]*"|\S+', line)[1:] for line in lines if re.match(r"(\.venv/bin/)?streamspike ", line)]


def test_tree_is_the_code() -> None:
    (block,) = BLOCK.findall(TEXT)
    assert block == render_tree(), "README's list of modules is old; `make tree` writes it anew"


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_command_and_its_options_exist(words: list[str]) -> None:
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and not words[0].startswith("-"):
        assert words[0] in command.commands
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_command_is_in_the_readme() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    shown = {words[0] for words in command_lines()} | ({"demo"} if "make demo" in SHELL else set())
    assert set(root.commands) <= shown


def test_make_targets_exist_and_ci_runs_one_of_them() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"(?<=make )[a-z]+(?=`|\s{2,}#)", TEXT)) <= targets
    assert {"demo", "test", "check", "bench", "help"} <= targets
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^exec make .*\btest$", ci, re.MULTILINE) and "make test     # what CI runs (.ci/run)" in TEXT
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_exit_codes_are_those_of_the_errors() -> None:
    codes = {
        error.exit_code
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, errors.StreamspikeError)
    }
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT.partition("## Exit codes")[2], re.MULTILINE)}
    assert documented == codes | {0, 2, 130}


def test_event_has_the_keys_that_are_sent_and_adds_up() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    event = json.loads(block)
    assert list(event) == list(json.loads(event_payload(make_event(), sequence=7)))
    prior = {item["text"]: item["probability"] for item in event["expected"]}
    posterior = {item["text"]: item["probability"] for item in event["believed_after"]}
    assert sum(prior.values()) == pytest.approx(1, abs=1e-3) and sum(posterior.values()) == pytest.approx(1, abs=1e-3)
    surprise = sum(belief * math.log(belief / prior[text]) for text, belief in posterior.items())
    assert event["surprise_nats"] - event["change_nats"] == pytest.approx(surprise, abs=0.05)
    first, second = event["expected"][:2]
    expected = f"{first['text']} {percent(first['probability'])}, {second['text']} {percent(second['probability'])}"
    assert event["sentence"] == f"expected: {expected}; saw: {event['saw']}"


def test_nats_are_logarithms() -> None:
    table = TEXT.partition("a probability of |")[2].partition("\n\n")[0]
    odds = {"one half": 2, "1 in 10": 10, "1 in 100": 100, "1 in 1000": 1000}
    rows = {what: float(nats) for nats, what in re.findall(r"\| ([\d.]+) \| (.*?) \|", table) if what in odds}
    assert rows == {what: round(math.log(number), 1) for what, number in odds.items()}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT))))
def test_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
