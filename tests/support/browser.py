"""A real Chromium that tests drive, over a pipe with its DevTools protocol: nothing else needs to be installed.

A missing Chromium fails the test with what to install; it never skips, because a skipped test of a page proves nothing.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.servers import binary

FLAGS = [
    "--headless=new",
    "--no-sandbox",  # as root, which is what containers of tests run as
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--remote-debugging-pipe",
]
KEYS = {"Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, ""), "Tab": ("Tab", 9, "")}
"""(code, virtual key, text) of the keys that type nothing."""


class Browser:
    """One Chromium process with a profile of its own. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        chromium = binary("chromium", "chromium")
        to_read, self._write_end = os.pipe()
        self._read_end, to_write = os.pipe()

        def place_pipes() -> None:  # it reads descriptor 3 and writes 4
            os.dup2(to_read, 103)
            os.dup2(to_write, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)

        with (folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=False,
                preexec_fn=place_pipes,
                start_new_session=True,
            )
        os.close(to_read)
        os.close(to_write)
        self._numbers = itertools.count(1)
        self._answers: dict[int, Any] = {}
        self._arrived = threading.Condition()
        self._pages: dict[str, Page] = {}
        self._is_gone = False
        self._thread = threading.Thread(target=self._listen, name="browser", daemon=True)
        self._thread.start()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, url: str, width: int = 1280, height: int = 800, scheme: Literal["light", "dark"] = "light") -> Page:
        """A new page that begins to load; wait for what you need of it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.call("Emulation.setEmulatedMedia", features=[feature])
        page.call("Page.navigate", url=url)
        return page

    def close(self) -> None:
        """End the whole process group: Chromium is a family of processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._thread.join(10)
        os.close(self._write_end)
        os.close(self._read_end)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """One command of the protocol; fails the test when Chromium refuses it or does not answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write_end, json.dumps(message).encode() + b"\0")
        with self._arrived:
            assert self._arrived.wait_for(lambda: number in self._answers or self._is_gone, 30), f"no answer: {method}"
            assert not self._is_gone, "chromium has died; see chromium.log"
            answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _listen(self) -> None:
        rest = b""
        while chunk := os.read(self._read_end, 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for text in messages:
                self._take(json.loads(text))
        with self._arrived:
            self._is_gone = True
            self._arrived.notify_all()

    def _take(self, message: Any) -> None:
        if "id" in message:
            with self._arrived:
                self._answers[message["id"]] = message
                self._arrived.notify_all()
        elif page := self._pages.get(message.get("sessionId", "")):
            page.hear(message["method"], message["params"])


class Page:
    """One tab. Remembers what went wrong in it and what it asked for."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: deque[str] = deque()
        """What the console shows as errors or warnings: exceptions, failed requests, what the policy forbade."""
        self.urls: deque[str] = deque()
        """Everything that was requested, the page included."""

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self._session, **parameters)

    def hear(self, method: str, parameters: Any) -> None:
        """An event of the protocol."""
        if method == "Network.requestWillBeSent":
            self.urls.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"].get("exception", parameters)))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str) -> Any:
        """The value of an expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = 30.0) -> Any:
        """Until an expression is true; its value. Fails the test with what the page shows instead."""
        give_up = time.monotonic() + seconds
        probe = f"const value = {condition}; return value instanceof Node || value"
        while True:
            value = self.run(f"(() => {{ try {{ {probe} }} catch {{ return null }} }})()")
            if value:
                return value
            if time.monotonic() > give_up:
                pytest.fail(f"never: {condition}\n{list(self.errors)}\n{self.run('document.body.innerText')}")
            time.sleep(0.03)

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of it, once the page is loaded and it can be seen and stands still."""
        query = json.dumps(selector)
        find = (  # before a stylesheet has come, things stand still in another place
            "(() => { if (document.readyState !== 'complete') return null;"
            f" const e = document.querySelector({query}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return b.width && [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        box = None
        while box != (box := self.wait(find)):
            time.sleep(0.05)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        """One key, named as in KEYS, or the character it types."""
        code, number, text = KEYS[key] if key in KEYS else (f"Key{key.upper()}", ord(key.upper()), key)
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.call("Input.insertText", text=text)

    def close(self) -> None:
        self.call("Page.close")

    def photograph(self, path: Path) -> None:
        """A PNG of what is in view."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
