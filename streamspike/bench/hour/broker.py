"""A mosquitto of our own, for as long as a measurement takes."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from streamspike.errors import BrokerError

START_SECONDS = 10.0
MORE_PLACES = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
"""Where packages put it, which is not on the path of every user."""


@contextlib.contextmanager
def own_broker() -> Iterator[str]:
    """Start it on a free port of this machine, yield its url, and end it.

    Raises:
        BrokerError: mosquitto is not installed, or does not start.
    """
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=MORE_PLACES)
    if program is None:
        raise BrokerError(
            "there is no mosquitto on this machine; install it (apt install mosquitto, brew install mosquitto), "
            "or name a broker of your own with --mqtt mqtt://host:1883"
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings, log = Path(folder) / "mosquitto.conf", Path(folder) / "mosquitto.log"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
        with log.open("wb") as output:
            process = subprocess.Popen([program, "-c", str(settings)], stdout=output, stderr=output)
        try:
            _wait_for(process, port, log)
            yield f"mqtt://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > give_up:
                last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise BrokerError(f"mosquitto does not start: {''.join(last) or 'it says nothing'}") from error
            time.sleep(0.02)
