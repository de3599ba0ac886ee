"""Calls the command line within the process, and tells what a shell would have seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from streamspike.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str

    def error(self) -> str:
        """The one line of an error that was meant; fails when there is more, less, or a traceback."""
        lines = self.err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("streamspike: error: "), self.err
        return lines[0].removeprefix("streamspike: error: ")


Call = Callable[..., Outcome]


def make_call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """A function that takes words. The file descriptors are captured, as FFmpeg writes past Python."""

    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["streamspike", *map(str, words)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return call
