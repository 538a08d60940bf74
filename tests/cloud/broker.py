"""The MQTT side: takes what boxes publish, answers with receipts, and plays the part of AWS IoT's shadows.

A payload is a canonical envelope, several as a JSON array or as NDJSON (gzip or not), or a message in the roadmap's form. A
message that is no good is said so in its receipt and otherwise left alone: a broker cannot be told that it is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import logging
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from daemon.contracts import topics
from daemon.contracts.envelope import Envelope, compact, read_lines
from daemon.contracts.faults import BadMessage
from daemon.contracts.times import instant
from tests.cloud import rows
from tests.cloud.api.devices import config_of, report
from tests.cloud.ingest import Way, take
from tests.cloud.state import State

LOG = logging.getLogger(__name__)
WAY = Way("mqtt", "mqtt")
SHADOW = "$aws/things/"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Address:
    """A broker. `tls` are aiomqtt's TLS parameters, `login` user and password."""

    host: str
    port: int
    login: tuple[str, str] | None = None
    tls: aiomqtt.TLSParameters | None = None
    topics: tuple[str, ...] = ("v1/#", "$aws/things/+/shadow/#")


@dataclass
class Receipt:
    """What became of one published message's records."""

    keys: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def listening(state: State, address: Address) -> AsyncIterator[None]:
    """Take part at this broker until the end of the block; it is up when this yields."""
    user, password = address.login or (None, None)
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=user,
        password=password,
        tls_params=address.tls,
        protocol=aiomqtt.ProtocolVersion.V5,
        identifier=f"cloud-{time.time_ns():x}",
    )
    async with client:
        for topic in address.topics:
            await client.subscribe(topic, qos=1)
        side = _Side(client, state)
        state.asked = side.ask
        task = asyncio.create_task(side.listen(), name="cloud: mqtt")
        try:
            yield
        finally:
            state.asked = None
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _Side:
    def __init__(self, client: aiomqtt.Client, state: State) -> None:
        self._client = client
        self._state = state

    async def listen(self) -> None:
        async for message in self._client.messages:
            topic = str(message.topic)
            data = message.payload if isinstance(message.payload, bytes) else b""
            try:
                if topic.startswith(SHADOW):
                    await self._shadow(topic, data)
                else:
                    await self._published(topic, data, message.properties)
            except Exception:
                LOG.exception("%s", topic)

    # -- data ---------------------------------------------------------------------------------------------

    async def _published(self, topic: str, data: bytes, properties: Properties | None) -> None:
        parts = topic.split("/")
        if len(parts) == 5 and parts[3:] == ["config", "reported"]:
            await self._reported(parts[2], data)
        if len(parts) != 4 or parts[3] not in topics.LANES.values():
            return
        said = dict(getattr(properties, "UserProperty", []))
        receipt = await self._stored(parts[1], parts[2], data, said)
        answer = getattr(properties, "ResponseTopic", None) or topics.receipts(parts[2])
        reply = Properties(PacketTypes.PUBLISH)
        if (correlation := getattr(properties, "CorrelationData", None)) is not None:
            reply.CorrelationData = correlation
        told = {"keys": receipt.keys, "refused": receipt.refused}
        await self._client.publish(answer, compact(told), qos=1, properties=reply)

    async def _stored(self, kind: str, serial: str, data: bytes, said: Mapping[str, str]) -> Receipt:
        """`said`: what MQTT 5 says beside it, the request's `key` and the `record`'s. Without, the payload is its own key."""
        receipt, key = Receipt(), said.get("key", "")
        own = said.get("record") or key or hashlib.sha256(f"{kind}/{serial}/".encode() + data).hexdigest()
        try:
            data = gzip.decompress(data) if data.startswith(_GZIP) else data
            envelopes, payload = _content(data)
        except (BadMessage, ValueError, OSError, EOFError, zlib.error) as bad:
            receipt.refused[own] = str(bad)
            return receipt
        if payload is not None:
            await self._one(receipt, own, self._roadmap(kind, serial, payload, own))
        for envelope in envelopes:
            await self._one(receipt, envelope.key, self._canonical(envelope))
        if key and not receipt.refused and key not in receipt.keys:
            receipt.keys.append(key)
        return receipt

    async def _one(self, receipt: Receipt, key: str, storing: Any) -> None:
        try:
            await storing
        except (BadMessage, KeyError, ValueError) as bad:
            receipt.refused[key] = str(bad)
        else:
            receipt.keys.append(key)

    async def _canonical(self, envelope: Envelope) -> None:
        async with self._state.pool.acquire() as db, db.transaction():
            await take(db, envelope, WAY)

    async def _roadmap(self, kind: str, serial: str, payload: Mapping[str, Any], key: str) -> None:
        """A message in the roadmap's form, without an envelope that would say more."""
        place = rows.Place(
            self._state.key_or_new(key),
            WAY.user_id,
            payload.get("serial", serial),
            "",
            payload.get("timestamp") or _now(),
        )
        async with self._state.pool.acquire() as db, db.transaction():
            if "metrics" in payload:
                await rows.store(db, [rows.metrics(place, kind, payload["metrics"])])
            elif "report" in payload:
                said = payload["report"]
                await rows.store(db, [rows.report(place, said["report_id"], said, None)])
            else:
                raise BadMessage("", "neither metrics nor a report")

    # -- configuration ------------------------------------------------------------------------------------

    async def ask(self, serial: str) -> None:
        """Tell the device what is desired of it: by the shadow, and retained on a topic of our own."""
        async with self._state.pool.acquire() as db:
            config = await config_of(db, serial)
            kind = await db.fetchval("SELECT kind FROM configs WHERE serial = $1", serial)
        if config is None:
            return
        delta = {"version": config.version, "timestamp": int(time.time()), "state": config.config}
        await self._client.publish(topics.config(kind, serial), compact(delta), qos=1, retain=True)
        await self._client.publish(topics.shadow(serial, "update/delta"), compact(delta), qos=1)

    async def _reported(self, serial: str, data: bytes) -> None:
        told = json.loads(data)
        async with self._state.pool.acquire() as db:
            await report(db, serial, told["state"]["reported"], told.get("version"))

    async def _shadow(self, topic: str, data: bytes) -> None:
        thing, _, what = topic.removeprefix(SHADOW).partition("/shadow/")
        if what == "get":
            await self._get(thing)
        elif what == "update":
            await self._update(thing, json.loads(data))

    async def _get(self, thing: str) -> None:
        async with self._state.pool.acquire() as db:
            config = await config_of(db, thing)
        if config is None:
            await self._answer(thing, "get/rejected", {"code": 404, "message": f"No shadow exists: {thing}"})
            return
        states = {"desired": config.config, "reported": config.reported or {}}
        delta = {n: v for n, v in config.config.items() if states["reported"].get(n) != v}
        document = {
            "state": {**states, "delta": delta},
            "version": config.version,
            "timestamp": int(time.time()),
        }
        await self._answer(thing, "get/accepted", document)

    async def _update(self, thing: str, said: Mapping[str, Any]) -> None:
        told, version = said["state"].get("reported"), said.get("version")
        if told is None:
            return
        async with self._state.pool.acquire() as db:
            config = await config_of(db, thing)
            if config is not None and version is not None and version != config.version:
                await self._answer(thing, "update/rejected", {"code": 409, "message": "Version conflict"})
                return
            await report(db, thing, told, version)
        await self._answer(thing, "update/accepted", {"state": {"reported": told}, "version": version or 1})

    async def _answer(self, thing: str, what: str, document: Mapping[str, Any]) -> None:
        await self._client.publish(topics.shadow(thing, what), compact(document), qos=1)


def _now() -> str:
    """The roadmap's reports carry no time of their own."""
    return instant(time.time_ns())


def _content(data: bytes) -> tuple[list[Envelope], Mapping[str, Any] | None]:
    """Canonical envelopes, or a payload in the roadmap's form (whose own envelopes, where it has them, are all it is)."""
    lines = data.splitlines()
    if len(lines) > 1 and lines[0].endswith(b"}"):
        return read_lines(data), None
    value = json.loads(data)
    if isinstance(value, list):
        return [_envelope(one) for one in value], None
    if not isinstance(value, dict):
        raise BadMessage("", "Input should be an object")
    if "schema" in value:
        return [_envelope(value)], None
    if "vitald" in value:
        return [_envelope(one) for one in value["vitald"]], None
    return [], value


def _envelope(value: Any) -> Envelope:
    (envelope,) = read_lines(compact(value))
    return envelope
