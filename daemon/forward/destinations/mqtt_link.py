"""One connection to an MQTT 5 broker, over aiomqtt: what it does not say itself is asked of it here, and nowhere else.

aiomqtt 2 takes any PUBACK for a success and forgets why a connection failed; `_Client` keeps both. A successor is a change of this
file alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiomqtt
from aiomqtt.exceptions import MqttCodeError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

IN_FLIGHT: Final = 20
"""Publications without an acknowledgement; AWS IoT takes 100, aiomqtt grows slow above."""

_LOG = logging.getLogger("vitald.forward.mqtt")
_LOG.setLevel(logging.CRITICAL)  # its lines hold topics; what went wrong is said by the outcome
_ALERT: Final = re.compile(r"\[SSL: (\w+)\]")
_PACKET_ID = 2
_HEADER_MOST = 5


class Refused(Exception):
    """The broker said no, with this reason code (MQTT 5, 2.4). `where` is "connect", "subscribe" or "disconnect"."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"{where}: 0x{code:02X}")
        self.code = code
        self.where = where


@dataclass(frozen=True, slots=True)
class Will:
    """Where the broker says "offline" when we are gone without a word, and we say "online" when we are there."""

    topic: str
    retain: bool


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to, and as whom."""

    host: str
    port: int
    client_id: str
    user: str
    password: SecretStr | None
    trust: ssl.SSLContext | None
    keepalive_s: int
    timeout_s: float
    will: Will


class Heard(Protocol):
    """Takes what comes on a topic that was subscribed to. Must not wait."""

    def __call__(self, topic: str, payload: bytes) -> None: ...


class MqttLink:
    """Connected from `connect` on until `lost`; never again after."""

    def __init__(self, broker: Broker, heard: Heard) -> None:
        self._broker = broker
        self._heard = heard
        self._client: _Client | None = None
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._listening: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._client is not None and not self._client.lost.done()

    @property
    def largest(self) -> int:
        """Bytes of the largest packet that the broker takes; 0 = it has not said."""
        return 0 if self._client is None else self._client.largest

    async def connect(self, topics: tuple[str, ...]) -> None:
        """Connect, listen to `topics`, say that we are here. Raises OSError, TimeoutError, `Refused`."""
        client = _client(self._broker)
        try:
            await client.__aenter__()
        except aiomqtt.MqttError as error:
            lost = client.lost.done()
            client.abandon()
            if client.failed is not None:
                raise client.failed from None
            if isinstance(error, MqttCodeError) and isinstance(error.rc, ReasonCode):
                raise Refused(error.rc.value, "connect") from None
            raise (ConnectionResetError if lost else TimeoutError) from None
        except BaseException:
            client.abandon()
            raise
        self._client = client
        self._places = asyncio.Semaphore(min(IN_FLIGHT, client.receives or IN_FLIGHT))
        self._listening = asyncio.create_task(self._listen(client), name="mqtt: listen")
        for topic in topics:
            await self._subscribe(client, topic)
        await self._say(client, b"online")

    async def publish(self, topic: str, payload: bytes, properties: Properties) -> int:
        """The reason code of the acknowledgement. Raises ConnectionError when the line is lost before it came, or `Refused`."""
        async with self._places:
            if self._client is None or self._client.lost.done():
                raise ConnectionResetError
            return await self._client.acknowledged(topic, payload, properties)

    async def close(self) -> None:
        """Say goodbye where that can be heard; the will is then not sent."""
        client, self._client = self._client, None
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        if client is None:
            return
        if not client.lost.done():
            try:
                async with asyncio.timeout(min(2.0, self._broker.timeout_s)):
                    await self._say(client, b"offline")
                    await client.__aexit__(None, None, None)
            except (aiomqtt.MqttError, Refused, TimeoutError, OSError):
                _LOG.debug("no goodbye")
        client.abandon()

    def drop(self) -> None:
        """Cut the line: a broker that does not answer keeps nothing of ours."""
        if self._client is not None:
            self._client.abandon()

    async def _subscribe(self, client: _Client, topic: str) -> None:
        try:
            answers = await client.subscribe(topic, qos=1, timeout=self._broker.timeout_s)
        except aiomqtt.MqttError:
            raise TimeoutError from None
        for granted in answers:
            if isinstance(granted, ReasonCode) and granted.is_failure:
                raise Refused(granted.value, "subscribe")

    async def _say(self, client: _Client, status: bytes) -> None:
        will = self._broker.will
        await client.acknowledged(will.topic, status, Properties(PacketTypes.PUBLISH), retain=will.retain)

    async def _listen(self, client: _Client) -> None:
        try:
            async for message in client.messages:
                if isinstance(message.payload, bytes):
                    self._heard(message.topic.value, message.payload)
        except aiomqtt.MqttError:
            return  # the line is lost: whoever publishes finds out


def size(topic: str, payload: bytes, properties: Properties) -> int:
    """Bytes of the packet that publishes this, at most."""
    return _HEADER_MOST + 2 + len(topic.encode()) + _PACKET_ID + len(properties.pack()) + len(payload)


class _Socket(ssl.SSLSocket):
    """Closes itself when nothing comes of the handshake; paho leaves that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _client(broker: Broker) -> _Client:
    if broker.trust is not None:
        broker.trust.sslsocket_class = _Socket
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0
    client = _Client(
        broker.host,
        broker.port,
        logger=_LOG,
        identifier=broker.client_id,
        username=broker.user or None,
        password=broker.password.get_secret_value() if broker.password else None,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(broker.will.topic, b"offline", qos=1, retain=broker.will.retain),
        clean_start=True,
        keepalive=broker.keepalive_s,
        timeout=broker.timeout_s,
        properties=properties,
        tls_context=broker.trust,
        max_queued_incoming_messages=100,
        max_inflight_messages=IN_FLIGHT,
    )
    client.pending_calls_threshold = IN_FLIGHT
    return client


class _Client(aiomqtt.Client):
    """aiomqtt's client with its ears open."""

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        self.failed: OSError | None = None
        self._abandoned = False
        self.largest = 0
        self.receives = 0
        self.lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._codes: dict[int, asyncio.Future[int]] = {}
        self._client.on_log = self._on_log
        self._client.connect_timeout = min(self.timeout, 5.0)
        self._watch()

    async def acknowledged(
        self, topic: str, payload: bytes, properties: Properties, *, retain: bool = False
    ) -> int:
        info = self._client.publish(topic, payload, 1, retain, properties)
        if info.rc != 0:
            raise ConnectionResetError
        code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._codes[info.mid] = code
        try:
            return await code
        finally:
            self._codes.pop(info.mid, None)

    def abandon(self) -> None:
        """Close the socket, whatever state the line is in."""
        self._abandoned = True
        self._client._sock_close()  # noqa: SLF001 - paho has no public way to end a line that does not answer
        self._lose(0)

    def _watch(self) -> None:
        """Aiomqtt notes the end of a connection in one of three ways; all end in this future."""

        def ended(future: asyncio.Future[None]) -> None:
            error = None if future.cancelled() else future.exception()
            code = (
                error.rc.value if isinstance(error, MqttCodeError) and isinstance(error.rc, ReasonCode) else 0
            )
            self._lose(code)

        self._disconnected.add_done_callback(ended)

    def _lose(self, code: int) -> None:
        if not self.lost.done():
            self.lost.set_result(code)
        if not self._connected.done():
            # aiomqtt would wait for an answer to CONNECT until its time is up.
            self._connected.set_exception(aiomqtt.MqttError("lost"))
            self._connected.exception()  # whoever waits for it gets it; if nobody does, that is no news
        for waiting in self._codes.values():
            if not waiting.done():
                waiting.set_exception(Refused(code, "disconnect") if code >= 0x80 else ConnectionResetError())

    def _client_connect(self) -> None:
        try:
            super()._client_connect()
        except OSError as error:
            self.failed = error.with_traceback(None)  # which holds the socket
            raise
        if self._abandoned:  # while this thread was connecting
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the process about to end
                self._loop.call_soon_threadsafe(self.abandon)

    def _on_connect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.largest = int(getattr(properties, "MaximumPacketSize", 0))
        self.receives = int(getattr(properties, "ReceiveMaximum", 0))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        self._lose(reason_code.value)

    def _on_log(self, _client: Any, _userdata: Any, _level: int, text: str) -> None:
        """With TLS 1.3 a server turns our certificate down after the handshake; paho says why in its log alone."""
        alert = _ALERT.search(text)
        if alert is not None and not self._connected.done():
            self.failed = ssl.SSLError(1, "alert")
            self.failed.reason = alert[1]

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        waiting = self._codes.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason_code.value)
        super()._on_publish(client, userdata, mid, reason_code, properties)
