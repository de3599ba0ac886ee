"""What holds for every test: no network but loopback, and tests of a GPU that say so when there is none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import Mosquitto

# Before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"

LOOPBACK = ("127.", "::1", "localhost")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip `gpu` tests without a GPU, unless a machine that ought to have one says STREAMSPIKE_FAIL_WITHOUT_GPU=1."""
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if torch.cuda.is_available():
        return
    if os.environ.get("STREAMSPIKE_FAIL_WITHOUT_GPU") == "1":
        pytest.fail("STREAMSPIKE_FAIL_WITHOUT_GPU=1, and torch finds no GPU")
    pytest.skip("needs a GPU")


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """A test that talks to the world would pass on one machine and fail on another."""
    patch = pytest.MonkeyPatch()
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not address[0].startswith(LOOPBACK):
            raise AssertionError(f"tests stay on loopback; this one wanted {address[0]}")
        connect(self, address)

    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets everybody in and forgets everything when it is killed."""
    folder = tmp_path / "broker"
    folder.mkdir()
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def guarded_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that wants a login."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    mosquitto = Mosquitto(folder, ("spike", "s3cret-w0rd"))
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()
