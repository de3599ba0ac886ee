"""An RTSP server for tests: H.264 over TCP or UDP, digest login, and every kind of failure a camera has.

Runs an asyncio loop in a thread of its own. One feed of access units goes to all clients, each from its next sync
frame on, stamped with one continuing clock, so that a looped clip looks like a camera.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import ssl
import threading
from collections.abc import Iterable, Iterator
from itertools import chain, cycle
from pathlib import Path
from random import Random
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.clips import AccessUnit, encode, make_encoder, paint_many


class RtspServer:
    """`with RtspServer() as server: av.open(server.url)`. Methods may be called from any thread.

    Args:
        units: a clip to be looped; default: 2 s of a walking square.
        login: (user, password) for digest authentication.
        drop_rate: share of RTP packets that are lost.
        max_rtp_bytes: payload of a packet; with little, a small picture takes many packets that can be lost.
        certificate: files of a certificate and its key; with them the server speaks RTSPS.
    """

    def __init__(
        self,
        units: list[AccessUnit] | None = None,
        *,
        fps: int = 20,
        login: tuple[str, str] | None = None,
        drop_rate: float = 0.0,
        max_rtp_bytes: int = 1200,
        path: str = "/cam",
        seed: int = 0,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.fps = fps
        self.login = login
        self.drop_rate = drop_rate
        self.max_rtp_bytes = max_rtp_bytes
        self.path = path
        self.scheme = "rtsps" if certificate else "rtsp"
        self.port = 0
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self.num_logins_refused = 0
        self._units: Iterator[AccessUnit] = cycle(units or encode(paint_many(40), fps=fps, gop=5))
        self._random = Random(seed)
        self._sessions: set[_Session] = set()
        self._stalled = False
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtsp-server", daemon=True)
        self.first = next(self._units)
        assert self.first.is_sync

    @property
    def url(self) -> str:
        """Of the stream, with the login."""
        return self.url_for(*self.login) if self.login else f"{self.scheme}://127.0.0.1:{self.port}{self.path}"

    def url_for(self, user: str, password: str) -> str:
        return f"{self.scheme}://{user}:{password}@127.0.0.1:{self.port}{self.path}"

    @property
    def num_clients(self) -> int:
        """Clients that play right now."""
        return sum(session.plays for session in self._sessions)

    def __enter__(self) -> RtspServer:
        self._thread.start()
        self.restart()
        self._feeding = asyncio.run_coroutine_threadsafe(self._feed(), self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._feeding.cancel():
            self._feeding.result()  # it ended by itself: raise what broke it, if it was not just the end of the frames
        self.kill()
        self._run(asyncio.sleep(0.01))  # let the aborted connections' tasks end
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def stall(self) -> None:
        """Stay connected and send nothing more, as a camera whose encoder hangs."""
        self._stalled = True

    def resume(self) -> None:
        self._stalled = False

    def kill(self) -> None:
        """Cut all connections and stop listening, as a camera without power."""
        self._run(self._kill())

    def restart(self) -> None:
        """Listen again, on the same port."""
        self._run(self._listen())

    def serve_frames(self, pictures: Iterable[NDArray[np.uint8]], gop: int = 10) -> None:
        """Feed these pictures (height, width, 3) instead of the clip, encoded as they are drawn, from now on."""
        units = _encode_live(iter(pictures), self.fps, gop)
        first = next(units)
        self.first, self._units = first, chain([first], units)

    def _run(self, coroutine: object) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in tuple(self._sessions):
            session.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, writer)
        self._sessions.add(session)
        try:
            await session.serve(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client left
        finally:
            session.close()
            self._sessions.discard(session)

    async def _feed(self) -> None:
        number = 0
        began = self._loop.time()
        for unit in self._units_in_order():
            await asyncio.sleep(max(0.0, began + number / self.fps - self._loop.time()))
            number += 1
            if self._stalled:
                continue
            for session in tuple(self._sessions):
                session.send(unit, number * 90_000 // self.fps)

    def _units_in_order(self) -> Iterator[AccessUnit]:
        while True:  # asks anew each time, because serve_frames may have changed the feed
            unit = next(self._units, None)
            if unit is None:
                return
            yield unit

    def is_lost(self) -> bool:
        return self._random.random() < self.drop_rate


class _Session:
    """One client: its RTSP requests, and its RTP packets."""

    def __init__(self, server: RtspServer, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._writer = writer
        self._nonce = secrets.token_hex(8)
        self._udp: asyncio.DatagramTransport | None = None
        self._sequence = 0
        self._waits_for_sync = True
        self.plays = False

    def close(self) -> None:
        self.plays = False
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        self._writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        while True:
            first = await reader.readexactly(1)
            if first == b"$":  # the client's RTCP
                header = await reader.readexactly(3)
                await reader.readexactly(int.from_bytes(header[1:], "big"))
                continue
            request = (first + await reader.readuntil(b"\r\n\r\n")).decode()
            await self._answer(request)

    async def _answer(self, request: str) -> None:
        method, url, _ = request.split("\r\n", 1)[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in request.split("\r\n")[1:])}
        status, extra, body = "200 OK", "", b""
        if method == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif not self._may(method, headers.get("authorization", "")):
            status, extra = "401 Unauthorized", f'WWW-Authenticate: Digest realm="camera", nonce="{self._nonce}"\r\n'
        elif not re.sub(r"^rtsps?://[^/]*", "", url).startswith(self._server.path):
            status = "404 Not Found"
        elif method == "DESCRIBE":
            body = _describe(self._server.first).encode()
            extra = f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\n"
        elif method == "SETUP":
            extra = f"Transport: {await self._set_up(headers['transport'])}\r\nSession: 1;timeout=60\r\n"
        elif method in ("PLAY", "GET_PARAMETER", "TEARDOWN"):
            extra = "Session: 1\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{extra}{length}\r\n".encode() + body)
        self.plays = self.plays or (method == "PLAY" and status == "200 OK")

    def _may(self, method: str, authorization: str) -> bool:
        if self._server.login is None:
            return True
        user, password = self._server.login
        fields = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        secret = _md5(f"{user}:camera:{password}")
        expected = _md5(f"{secret}:{self._nonce}:{_md5(f'{method}:' + fields.get('uri', ''))}")
        if fields:
            self._server.num_logins_refused += fields.get("response") != expected
        return fields.get("username") == user and fields.get("response") == expected

    async def _set_up(self, transport: str) -> str:
        ports = re.search(r"client_port=(\d+)", transport)
        if ports is None:
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", int(ports[1]))
        self._udp, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
        port = self._udp.get_extra_info("sockname")[1]
        return f"RTP/AVP;unicast;client_port={address[1]}-{address[1] + 1};server_port={port}-{port + 1}"

    def send(self, unit: AccessUnit, timestamp: int) -> None:
        if not self.plays or (self._waits_for_sync and not unit.is_sync):
            return
        self._waits_for_sync = False
        payloads = [payload for nal in split_nals(unit.data) for payload in _packetise(nal, self._server.max_rtp_bytes)]
        for number, payload in enumerate(payloads):
            self._sequence += 1
            if self._server.is_lost():
                continue
            marker = 0x80 if number == len(payloads) - 1 else 0
            header = bytes([0x80, 96 | marker]) + (self._sequence & 0xFFFF).to_bytes(2, "big")
            packet = header + (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + b"test" + payload
            if self._udp is not None:
                self._udp.sendto(packet)
            else:
                self._writer.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)


def split_nals(data: bytes) -> list[bytes]:
    """NAL units of an Annex B access unit, without start codes."""
    return [nal.rstrip(b"\0") for nal in re.split(rb"\x00\x00\x00?\x01", data) if nal]


def _packetise(nal: bytes, max_bytes: int) -> Iterator[bytes]:
    """One RTP payload, or fragments (FU-A, RFC 6184 5.8)."""
    if len(nal) <= max_bytes:
        yield nal
        return
    indicator, kind, rest = nal[0] & 0xE0 | 28, nal[0] & 0x1F, nal[1:]
    pieces = [rest[i : i + max_bytes] for i in range(0, len(rest), max_bytes)]
    for number, piece in enumerate(pieces):
        edge = 0x80 if number == 0 else 0x40 if number == len(pieces) - 1 else 0
        yield bytes([indicator, edge | kind]) + piece


def _describe(unit: AccessUnit) -> str:
    sets = [nal for nal in split_nals(unit.data) if nal[0] & 0x1F in (7, 8)]
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=control:*\r\n"
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sprop}\r\na=control:trackID=0\r\n"
    )


def _encode_live(pictures: Iterator[NDArray[np.uint8]], fps: int, gop: int) -> Iterator[AccessUnit]:
    encoder: av.VideoCodecContext | None = None
    for number, pixels in enumerate(pictures):
        if encoder is None:
            encoder = make_encoder(pixels.shape[1], pixels.shape[0], fps, gop)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = number
        for packet in encoder.encode(frame):
            yield AccessUnit(bytes(packet), packet.is_keyframe)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
