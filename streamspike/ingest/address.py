"""Source addresses: what kind of source a text means, and how to show it without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from streamspike.errors import SourceError, UnsupportedSource

Kind = Literal["rtsp", "http", "file", "webcam", "lavfi", "world"]

KINDS = "rtsp:// or rtsps://, http:// or https://, a file, webcam:0, lavfi:testsrc2=size=320x240, world:street"

_SCHEMES: dict[str, Kind] = {
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "http": "http",
    "https": "http",
    "webcam": "webcam",
    "lavfi": "lavfi",
    "world": "world",
}
_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"]*@")
_SECRET_PARAMETER = re.compile(
    r"(?i)([?&;](?:password|passwd|pass|pwd|psw|user|username|usr|token|access_token|auth|key|api_key|apikey|secret|sig|signature)=)"
    r"[^&;#\s'\"]*"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where pictures come from. Printing it shows no credentials; `url` has them."""

    kind: Kind
    url: str = field(repr=False)
    """What FFmpeg is given: the URL, the path, the device or the filter graph. Secret."""
    is_live: bool
    """Its end is a loss. For http this is a guess until it is open: it may turn out to be a finished video."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """User and password as written and as decoded, for redaction."""

    def __str__(self) -> str:
        return self.redact(self.url)

    def redact(self, text: str) -> str:
        """`text` without this address's credentials, however FFmpeg quoted them."""
        text = redact(text)
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def redact(text: str) -> str:
    """Hide user, password and tokens of every URL in `text`."""
    return _SECRET_PARAMETER.sub(r"\1***", _USERINFO.sub("***@", text))


def parse_address(source: str) -> Address:
    """Tell what kind of source `source` is.

    Raises:
        UnsupportedSource: not of a kind we know.
        SourceError: a file that is not there, or a folder.
    """
    source = source.strip()
    if not source:
        raise UnsupportedSource(f"the source is empty; it can be {KINDS}")
    scheme, colon, rest = source.partition(":")
    kind = _SCHEMES.get(scheme.lower()) if colon else None
    if kind in ("rtsp", "http"):
        return _parse_url(kind, source)
    if kind == "webcam":
        return Address("webcam", f"/dev/video{rest}" if rest.isdigit() else rest, is_live=True)
    if kind is not None:
        if not rest:
            raise UnsupportedSource(f"nothing follows {scheme}: in the source; it can be {KINDS}")
        return Address(kind, rest, is_live=False)
    return _parse_path(source)


def _parse_url(kind: Kind, source: str) -> Address:
    try:
        parts = urlsplit(source)
        host, password = parts.hostname, parts.password
    except ValueError:
        host, password = None, None
    if not host:
        raise UnsupportedSource(f"{redact(source)} names no host")
    # Only the password is replaced wherever it stands: a user called "admin" would tear up harmless words.
    found = [text for text in (password, unquote(password or "")) if text]
    return Address(kind, source, is_live=True, secrets=tuple(sorted(set(found), key=len, reverse=True)))


def _parse_path(source: str) -> Address:
    path = Path(unquote(source.removeprefix("file://")) if source.startswith("file://") else source).expanduser()
    if path.is_dir():
        raise SourceError(f"{path} is a folder, not a video file")
    if path.exists():
        return Address("file", str(path), is_live=False)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", source)
    if scheme and scheme[1].lower() != "file":
        raise UnsupportedSource(f"{scheme[1]}: is not a kind of source; it can be {KINDS}")
    raise SourceError(f"no such file: {path}")
