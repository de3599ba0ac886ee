"""Who may come in: the token, the cookie that stands for it, and which names the page answers to."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from streamspike.config import WebConfig
from streamspike.errors import ConfigError

COOKIE = "streamspike"
COOKIE_SECONDS = 30 * 86_400
MIN_TOKEN_LENGTH = 16
"""Long enough that guessing over a network is hopeless."""


class Entry:
    """Answers for one server whether a request may pass. Tokens are compared in constant time.

    Without a token the page listens on loopback only, and answers only to the names of loopback: another site that
    points its own name at 127.0.0.1 (DNS rebinding) would otherwise read along through the browser of this machine.
    """

    def __init__(self, config: WebConfig) -> None:
        """Raises ConfigError: a token that cannot be read or is too short, or none where one is needed."""
        token = _read_token(config)
        if token is None and not is_loopback(config.host):
            raise ConfigError(
                f"web.host {config.host} can be reached from other machines, so the page needs a token: "
                "set web.token or web.token_file (openssl rand -hex 16 makes one), or web.host 127.0.0.1"
            )
        self._token = token

    @property
    def needs_token(self) -> bool:
        return self._token is not None

    def accepts(self, token: str) -> bool:
        """It is the token."""
        return self._token is None or hmac.compare_digest(token.encode(), self._token)

    def cookie(self) -> str:
        """What a browser keeps after it has shown the token: a proof, not the token. A new token makes it worthless."""
        return hmac.new(self._token or b"", b"streamspike page", hashlib.sha256).hexdigest()

    def admits(self, headers: Mapping[str, str]) -> bool:
        """The request has the token in its Authorization header, or the cookie."""
        if self._token is None:
            return True
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.accepts(value.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self.cookie().encode())

    def answers_to(self, host: str) -> bool:
        """The Host header names this server. With a token any name may: a foreign site does not have the cookie."""
        if self._token is not None:
            return True
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and is_loopback(name)


def is_loopback(host: str) -> bool:
    """An address or name that never leaves this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _read_token(config: WebConfig) -> bytes | None:
    token = config.token.get_secret_value() if config.token is not None else None
    if config.token_file is not None:
        try:
            token = Path(config.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read web.token_file {config.token_file}: {error}") from error
    if token is None:
        return None
    if len(token) < MIN_TOKEN_LENGTH:
        raise ConfigError(
            f"the token of the page has {len(token)} characters; it takes at least {MIN_TOKEN_LENGTH} "
            "(openssl rand -hex 16 makes one)"
        )
    return token.encode()
