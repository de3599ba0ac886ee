"""How to reach the MQTT broker: the address, the login, one connection, and its failures as sentences.

The password is read here and handed to the client; no message and no `repr` built here contains it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiomqtt
from aiomqtt.exceptions import MqttConnectError  # not exported at the top
from paho.mqtt.reasoncodes import ReasonCode

from streamspike.config import MqttConfig
from streamspike.errors import BrokerError

PORTS = {"mqtt": 1883, "mqtts": 8883}
NOT_AUTHORISED = (4, 5, 134, 135)  # bad login, not authorised: of MQTT 3.1.1, and as paho translates them


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and who we are to it."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_address(config: MqttConfig) -> Address:
    """Read the url and the password file.

    Raises:
        BrokerError: no url, not an mqtt:// or mqtts:// one, or an unreadable password file.
    """
    if config.url is None:
        raise BrokerError("no broker is configured; set mqtt.url, as in mqtt://user:password@host:1883")
    try:
        parts = urlsplit(config.url.get_secret_value())
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None  # the error would quote the url, password included
    if scheme not in PORTS or not host:
        raise BrokerError("mqtt.url must look like mqtt://host:1883 or mqtts://user:password@host:8883")
    password = None if parts.password is None else unquote(parts.password)
    if config.password_file is not None:
        try:
            password = Path(config.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BrokerError(f"cannot read mqtt.password_file {config.password_file}: {_reason(error)}") from error
    username = config.username if config.username is not None else parts.username and unquote(parts.username)
    return Address(host, port or PORTS[scheme], scheme == "mqtts", username, password)


@asynccontextmanager
async def connect(config: MqttConfig, will: aiomqtt.Will | None = None) -> AsyncIterator[aiomqtt.Client]:
    """One connection; a new client every time, because an old one would send again, and out of order, what it failed
    to send before.

    Raises:
        BrokerError: the broker cannot be reached or refuses; from the body: the connection was lost. One sentence.
    """
    address = parse_address(config)
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=config.client_id,
        will=will,
        timeout=config.timeout_seconds,
        keepalive=15,  # half-open connections (a pulled cable) are noticed within 1.5 times this
        max_queued_incoming_messages=1,  # nothing is subscribed to
        tls_context=_tls_context(config) if address.tls else None,
    )
    try:
        async with client:
            yield client
    except aiomqtt.MqttError as error:
        raise BrokerError(explain(error, address)) from error


async def probe(config: MqttConfig) -> None:
    """Connect and leave again, to tell a user at the start what is wrong.

    Raises:
        BrokerError: with a sentence that says what to check, never the password.
    """
    async with connect(config):
        pass


def explain(error: aiomqtt.MqttError, address: Address) -> str:
    """What went wrong and what to check."""
    code = getattr(error, "rc", None)
    number = code.value if isinstance(code, ReasonCode) else code
    text = str(error)
    if isinstance(error, MqttConnectError) and number in NOT_AUTHORISED:
        who = f"the user {address.username!r}" if address.username is not None else "a login without a user name"
        return f"the broker {address} refuses {who}; check mqtt.username, the password and the broker's access rules"
    if "Errno 111" in text or "Connection refused" in text:
        return f"nothing listens at {address}; check that the broker runs and that host and port of mqtt.url are right"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"the certificate of {address} is not trusted; give its authority in mqtt.ca_file"
    if re.search(r"Errno -[2-5]\b|Name or service not known|getaddrinfo", text):
        return f"the host name of the broker {address} is unknown; check mqtt.url"
    if "timed out" in text:
        return f"the broker {address} does not answer; check the host, the port and the firewall"
    if "Disconnected" in text or "Unexpected disconnection" in text or number in (4, 7):
        return f"the connection to the broker {address} was lost"
    return f"the broker {address} cannot be used: {text}"


def _tls_context(config: MqttConfig) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"cannot read mqtt.ca_file {config.ca_file}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
