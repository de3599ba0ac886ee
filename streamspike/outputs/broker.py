"""How to reach the MQTT broker: the address, the login, one connection, and its failures as sentences.

MQTT 5, because pictures carry their metadata as user properties, and because a broker of MQTT 3.1.1 cannot say that it
refuses a message: it acknowledges what it throws away. The password is read here and handed to the client; no message
and no `repr` built here contains it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt
from aiomqtt.exceptions import MqttConnectError  # not exported at the top
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from streamspike.config import MqttConfig
from streamspike.errors import BrokerError
from streamspike.outputs.mailbox import Publication

PORTS = {"mqtt": 1883, "mqtts": 8883}
NOT_AUTHORISED = (134, 135)  # bad login, not authorised
UNSUPPORTED_VERSION = (1, 132)  # of a broker of MQTT 3, and of one that knows later ones
TAKEN_OVER = 142
MAX_INCOMING_BYTES = 64 << 10
"""The broker keeps larger messages to itself: nobody can fill our memory."""
MAX_INCOMING = 64
"""Messages waiting to be looked at."""
KEEPALIVE_SECONDS = 15
"""Half-open connections (a pulled cable) are noticed within 1.5 times this."""


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


class Connection:
    """What one connection can do. One task publishes, another one listens."""

    def __init__(self, client: aiomqtt.Client, address: Address) -> None:
        self._client = client
        self._address = address
        self._refusal: ReasonCode | None = None
        acknowledge: Any = client._client.on_publish  # aiomqtt's own, which does not look at the reason code

        def on_publish(paho: Any, userdata: Any, number: int, code: ReasonCode, properties: Properties) -> None:
            if code.is_failure:
                self._refusal = code
            acknowledge(paho, userdata, number, code, properties)

        client._client.on_publish = on_publish

    async def publish(self, message: Publication, timeout_seconds: float | None = None) -> None:
        """Returns when the broker has acknowledged it (QoS 0: when it was handed to the socket).

        Raises:
            BrokerError: the broker acknowledged that it does not take the message.
            aiomqtt.MqttError: the connection was lost; `connect` explains it.
        """
        properties = None
        if message.properties or message.content_type:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if message.content_type:
                properties.ContentType = message.content_type
            if message.properties:
                properties.UserProperty = list(message.properties)
        self._refusal = None
        await self._client.publish(
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            properties=properties,
            timeout=timeout_seconds,
        )
        if self._refusal is not None:
            raise BrokerError(
                f"the broker {self._address} refuses messages on {message.topic} ({self._refusal}); "
                "check its access rules"
            )

    async def subscribe(self, patterns: Sequence[str]) -> list[str]:
        """Listen, with QoS 1, to what is published from now on: a retained command is an old one.

        Returns:
            The patterns that the broker refuses.
        """
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        refused = []
        for pattern in patterns:
            codes = await self._client.subscribe(pattern, options=options)
            if any(code.is_failure for code in codes if isinstance(code, ReasonCode)):
                refused.append(pattern)
        return refused

    async def listen(self) -> AsyncIterator[tuple[str, bytes]]:
        """Topic and payload of what comes in, for ever. Raises aiomqtt.MqttError the moment the connection is gone."""
        async for message in self._client.messages:
            yield str(message.topic), message.payload if isinstance(message.payload, bytes) else b""


@asynccontextmanager
async def connect(
    config: MqttConfig, will: aiomqtt.Will | None = None, on_overflow: Callable[[], None] = lambda: None
) -> AsyncIterator[Connection]:
    """One connection; a new client every time, because an old one would send again, and out of order, what it failed
    to send before.

    Args:
        will: what the broker publishes when we are gone without a word.
        on_overflow: called for each message that is dropped, because they come faster than they are looked at.

    Raises:
        BrokerError: the broker cannot be reached or refuses; from the body: the connection was lost. One sentence.
    """
    address = parse_address(config)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_INCOMING_BYTES

    class Inbox(asyncio.Queue[aiomqtt.Message]):  # aiomqtt makes it itself, and when it is full tells only the log
        def put_nowait(self, item: aiomqtt.Message) -> None:
            if self.full():
                on_overflow()
            else:
                super().put_nowait(item)

    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=config.client_id,
        will=will,
        protocol=aiomqtt.ProtocolVersion.V5,
        properties=properties,
        timeout=config.timeout_seconds,
        keepalive=KEEPALIVE_SECONDS,
        queue_type=Inbox,
        max_queued_incoming_messages=MAX_INCOMING,
        tls_context=_tls_context(config) if address.tls else None,
    )
    try:
        async with client:
            yield Connection(client, address)
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
    if isinstance(error, MqttConnectError) and number in UNSUPPORTED_VERSION:
        return f"the broker {address} does not speak MQTT 5; upgrade it (mosquitto does since 1.6)"
    if number == TAKEN_OVER:
        return f"another client took over the connection to {address}; give each process a mqtt.client_id of its own"
    if "Errno 111" in text or "Connection refused" in text:
        return f"nothing listens at {address}; check that the broker runs and that host and port of mqtt.url are right"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"the certificate of {address} is not trusted; give its authority in mqtt.ca_file"
    if re.search(r"Errno -[2-5]\b|Name or service not known|getaddrinfo", text):
        return f"the host name of the broker {address} is unknown; check mqtt.url"
    if "timed out" in text:
        # With TLS 1.3 a client learns only after its handshake that its certificate is missed, and paho does not tell.
        certificate = ", and whether it asks for a certificate of ours (mqtt.cert_file)" if address.tls else ""
        return f"the broker {address} does not answer; check the host, the port and the firewall{certificate}"
    if "Disconnected" in text or "Unexpected disconnection" in text or number in (4, 7):
        return f"the connection to the broker {address} was lost"
    return f"the broker {address} cannot be used: {text}"


def _tls_context(config: MqttConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"cannot read mqtt.ca_file {config.ca_file}: {_reason(error)}") from error
    if config.cert_file is not None:
        try:
            # A key that asks for a password would ask on the terminal, and for ever: it gets none.
            context.load_cert_chain(config.cert_file, config.key_file, password="")
        except (OSError, ssl.SSLError) as error:
            files = " and ".join(dict.fromkeys((config.cert_file, config.key_file or config.cert_file)))
            raise BrokerError(
                f"cannot use the certificate and key of mqtt.cert_file and mqtt.key_file ({files}): {_reason(error)}"
            ) from error
    return context


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
