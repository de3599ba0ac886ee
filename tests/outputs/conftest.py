from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mosquitto import Mosquitto


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
