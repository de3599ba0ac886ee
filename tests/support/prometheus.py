"""A private Prometheus that scrapes one target on loopback, and promtool; the real ones, as child processes.

A missing binary fails the test with what to install; see `servers.binary`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import binary, free_port

READY_SECONDS = 30.0
SCRAPE_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: streamspike
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def promtool(*words: str | Path, text: str | None = None) -> str:
    """What it prints; fails the test when it finds a fault."""
    command = [binary("promtool", "prometheus"), *map(str, words)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"promtool {' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def fetch(url: str, seconds: float = 10.0) -> str:
    """The body of an answer; blocking."""
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return str(answer.read().decode())


def series_names(exposition: str) -> set[str]:
    """Names of all series in a text that Prometheus reads."""
    return set(re.findall(r"^([a-z_]+)(?=[{ ])", exposition, re.MULTILINE))


class Prometheus:
    """One server; use as a context manager."""

    def __init__(self, folder: Path, target_port: int) -> None:
        """
        Args:
            folder: for its files; must be there.
            target_port: scraped every second, on /metrics.
        """
        self._folder = folder
        self._port = free_port()
        (folder / "prometheus.yml").write_text(SCRAPE_CONFIG.format(port=target_port))

    def __enter__(self) -> Prometheus:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary("prometheus", "prometheus"),
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        give_up = time.monotonic() + READY_SECONDS
        while True:
            try:
                fetch(f"{self._url}/-/ready", 1.0)
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    self._process.kill()
                    self._process.wait(5)
                    pytest.fail("prometheus does not start: " + (self._folder / "prometheus.log").read_text())
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(5)

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector an expression gives now; fails the test when Prometheus refuses it."""
        parameters = urllib.parse.urlencode({"query": expression})
        try:
            text = await asyncio.to_thread(fetch, f"{self._url}/api/v1/query?{parameters}")
        except urllib.error.HTTPError as error:
            pytest.fail(f"{expression}: {error.read().decode()}")
        answer: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return answer

    async def value(self, expression: str) -> float:
        """The only value of an expression; nan when there is none yet."""
        samples = await self.query(expression)
        return float(samples[0]["value"][1]) if len(samples) == 1 else float("nan")

    async def until(self, expression: str, seconds: float = 60.0) -> None:
        """Wait for an expression that gives anything, as an alert does."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.query(expression):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"not within {seconds:.0f} s: {expression}")
