"""MQTT 5, made for AWS IoT Core and good for any broker: TLS with the box's own certificate, one acknowledged message a record.

`form` "envelope" sends the canonical envelope, "seed" the roadmap's payload, "batch" many envelopes as NDJSON, gzip. Every message
says its key, schema and place as user properties. An acknowledgement means that the broker has it; with `receipts` a message counts
as arrived only when the receiver's own word (`v1/<box>/ack`) is there. Settings that a cloud wishes for a device come in as an AWS
shadow's delta or on a topic of ours, and go to the daemon, which alone knows limits and consent. Jobs (firmware) are not taken part in.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from daemon.contracts import shadow, topics
from daemon.contracts.envelope import compact
from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import ConfigReport
from daemon.contracts.seeds import Sender, roadmap
from daemon.forward.destinations import Bounds, Outcome, Sealed, Verdict
from daemon.forward.destinations.place import Ended, Place, Service
from daemon.forward.destinations.sealing import JSON, NDJSON, envelope, fitting, lines
from daemon.forward.destinations.tls import TlsOptions, context
from daemon.forward.destinations.trouble import tried
from daemon.forward.record import Record
from daemon.model.outgoing import Lane

if TYPE_CHECKING:
    from paho.mqtt.properties import Properties

    from daemon.forward.destinations.mqtt_link import Broker, MqttLink

_LOG = logging.getLogger(__name__)

ALPN: Final = "x-amzn-mqtt-ca"
"""With which AWS IoT takes MQTT on port 443."""

EXPIRY_S: Final = {Lane.ALARMS: 300, Lane.METRICS: 3600}
"""How long a broker keeps a message for a receiver that is away: an old alarm is no news. The others: for ever."""

_NOTHING: Final = Sealed("", Lane.EVENTS, "", JSON, "", b"")

_SUCCESS: Final = {0x00, 0x10}  # 0x10: nobody listens; the broker has it all the same
_PARKED: Final = {
    0x84: "the broker does not speak MQTT 5",
    0x85: "the broker does not take the client id",
    0x86: "the broker does not accept name or password",
    0x87: "the broker does not allow this (0x87)",
    0x8A: "the broker has banned the box",
    0x8C: "the broker wants another way to sign in",
    0x8E: "somebody else is connected under the same client id (0x8E)",
    0x90: "the broker does not take the topic (0x90)",
    0x9C: "the broker is elsewhere now",
    0x9D: "the broker is elsewhere now",
}
_WAIT: Final = {0x89: "busy", 0x96: "rate too high", 0x97: "quota exceeded", 0x9F: "too many connections"}


class MqttOptions(TlsOptions):
    """Which broker, as whom, and in which form."""

    host: Annotated[str, Field(min_length=1, description="Name of the broker, as its certificate has it")]
    port: Annotated[int, Field(ge=1, le=65535, description="Its port")] = 8883
    client_id: Annotated[str, Field(max_length=128, description="Empty = the box's serial number")] = ""
    user: Annotated[str, Field(description="Name, where the broker wants one")] = ""
    password_file: Annotated[str, Field(description="Credential: password of that name")] = ""
    tls: Annotated[bool, Field(description="false sends patients' data in the clear")] = True
    alpn: Annotated[bool, Field(description=f"Ask for {ALPN}: MQTT on port 443 of AWS IoT")] = False
    form: Annotated[Literal["envelope", "seed", "batch"], Field(description="What a message holds")] = (
        "envelope"
    )
    prefix: Annotated[
        str, Field(pattern=r"^([^+#]+/)?$", description="Put before topics, with its slash")
    ] = ""
    largest_bytes: Annotated[int, Field(ge=1024, description="Largest packet; AWS IoT takes 128 KiB")] = (
        128 << 10
    )
    keepalive_s: Annotated[int, Field(ge=30, le=1200, description="Longest silence on the line")] = 60
    retain_status: Annotated[
        bool, Field(description="Keep online/offline for later listeners (AWS IoT: needs iot:RetainPublish)")
    ] = True
    receipts: Annotated[bool, Field(description="Wait for the receiver's word, not only the broker's")] = (
        False
    )
    settings_of: Annotated[
        dict[str, Service],
        Field(description="Devices whose wished settings come from here"),
    ] = Field(default_factory=dict)
    shadows: Annotated[bool, Field(description="They come as shadows of AWS IoT")] = False
    at_once: Annotated[int, Field(ge=1, le=20, description="Messages under way at the same time")] = 20

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file go together")
        if self.alpn and not self.tls:
            raise ValueError("alpn needs tls")
        return self


class Mqtt:
    def __init__(self, options: MqttOptions, place: Place) -> None:
        self.options = options
        self.place = place
        # Below the largest packet: room for topic and properties.
        self.bounds = Bounds(bytes=options.largest_bytes * 3 // 4, at_once=options.at_once)
        self._sender = Sender(place.box, place.box)
        self._largest = options.largest_bytes
        self._link: MqttLink | None = None
        self._opening: asyncio.Task[MqttLink] | None = None
        self._receipts: dict[str, asyncio.Future[str]] = {}
        self._versions: dict[str, int] = {}

    # -- what goes into a message -------------------------------------------------------------------------

    def takes(self, record: Record) -> bool:  # noqa: ARG002 - one answer for all
        """Everything; of a report what is said of it, not its file."""
        return True

    def gather(self, records: Sequence[Record]) -> int:
        """One, or for batches those of one device."""
        if self.options.form != "batch":
            return 1
        first = (records[0].service, records[0].device)
        same = next((n for n, r in enumerate(records) if (r.service, r.device) != first), len(records))
        return fitting(records[:same], self.bounds)

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        """`path` is the topic, then schema, seq and key of the (first) record."""
        first = records[0]
        named = self.options.named_patients
        made = envelope(key, first, named=named)
        topic = self.options.prefix + topics.data(first.service, first.device or self.place.box, first.lane)
        path = f"{topic} {made.schema_} {first.seq} {first.key}"
        if self.options.form == "batch":
            return Sealed(key, first.lane, path, NDJSON, "gzip", lines(key, records, named=named))
        value = made.as_dict()
        if self.options.form == "seed":
            try:
                value = roadmap.payload(made, self._sender)
            except BadMessage:
                value = made.as_dict()  # the receiver may make more of it than the adapter does
        return Sealed(key, first.lane, path, JSON, "", compact(value))

    # -- sending ------------------------------------------------------------------------------------------

    async def open(self) -> Outcome:
        """Connect, with the credentials as they are now."""
        await self.close()
        return await tried(self._open(), 2 * self.options.timeout_s, self._known)

    async def close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.wait({opening})
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def send(self, sealed: Sealed) -> Outcome:
        return await tried(self._send(sealed), self.options.timeout_s, self._known)

    @property
    def settings_of(self) -> Mapping[str, Service]:
        return self.options.settings_of

    async def ask_settings(self) -> Outcome:
        """They come by themselves for as long as the line is up."""
        return await tried(self._open(), 2 * self.options.timeout_s, self._known)

    async def report_settings(self, device: str, report: ConfigReport) -> Outcome:
        """To a shadow without its version: each report makes a new one, and what is so is so whatever was wished meanwhile."""
        service = self.options.settings_of[device]
        topic = (
            topics.shadow(device, "update")
            if self.options.shadows
            else topics.config_reported(service, device)
        )
        prefix = "" if self.options.shadows else self.options.prefix
        version = None if self.options.shadows else report.version
        document = shadow.reported(report.as_reported(), version)
        told = Sealed("", Lane.EVENTS, "", JSON, "", compact(document))
        return await tried(self._publish(prefix + topic, told, ()), self.options.timeout_s, self._known)

    async def _open(self) -> None:
        await self._connected()

    async def _send(self, sealed: Sealed) -> None:
        topic, schema, seq, record = sealed.path.rsplit(" ", 3)
        said = [("key", sealed.key), ("schema", schema), ("seq", seq), ("record", record)]
        if sealed.coding:
            said.append(("coding", sealed.coding))
        if not self.options.receipts:
            await self._publish(topic, sealed, said)
            return
        receipt: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        for key in (sealed.key, record):
            self._receipts[key] = receipt
        try:
            await self._publish(topic, sealed, said)
            refused = await receipt
        finally:
            for key in (sealed.key, record):
                self._receipts.pop(key, None)
        if refused:
            raise Ended(Verdict.REFUSED, "the receiver finds a fault in the data")

    async def _publish(self, topic: str, sealed: Sealed, said: Sequence[tuple[str, str]]) -> None:
        link = await self._connected()
        from daemon.forward.destinations.mqtt_link import Refused, size

        properties = _properties(sealed, said)
        if self.options.receipts:
            properties.ResponseTopic = self._acknowledged_on()
        packet = size(topic, sealed.data, properties)
        if packet > min(self._largest, link.largest or self._largest):
            raise Ended(Verdict.SPLIT, "larger than the broker takes")
        try:
            code = await link.publish(topic, sealed.data, properties)
        except asyncio.CancelledError:
            link.drop()  # a broker that does not answer in time is not trusted with the next message
            raise
        except Refused as refused:
            if refused.code == 0x95:  # one of those under way was too large, and the largest was
                self._largest = min(self._largest, max(1024, packet - 1))
            raise
        if (outcome := _meaning(code)) is not None:
            raise Ended(outcome.verdict, outcome.reason, outcome.wait_s)

    async def _connected(self) -> MqttLink:
        """The line; one try to make it serves all who wait, and goes on when they have given up."""
        if self._link is not None and self._link.up:
            return self._link
        if self._opening is None:
            self._opening = asyncio.create_task(self._make(), name=f"{self.place.name}: connect")
            self._opening.add_done_callback(self._made)
        return await asyncio.shield(self._opening)

    def _made(self, opening: asyncio.Task[MqttLink]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.cancelled():
            opening.exception()  # those who waited have it; if all had given up, nobody needs it

    async def _make(self) -> MqttLink:
        from daemon.forward.destinations.mqtt_link import MqttLink

        old, self._link = self._link, None
        if old is not None:
            await old.close()
        link = MqttLink(self._broker(), self._heard)
        try:
            await link.connect(self._topics())
        except BaseException:
            await link.close()
            raise
        if self.options.shadows:  # what was wished while we were away is in the document
            for device in self.options.settings_of:
                await link.publish(topics.shadow(device, "get"), b"", _properties(_NOTHING, ()))
        self._link = link
        return link

    def _broker(self) -> Broker:
        from daemon.forward.destinations.mqtt_link import Broker, Will

        options, place = self.options, self.place
        trust = context(options, place) if options.tls else None
        if trust is not None and options.alpn:
            trust.set_alpn_protocols([ALPN])
        status = options.prefix + topics.status("box", place.box)
        return Broker(
            options.host,
            options.port,
            options.client_id or place.box,
            options.user,
            place.secret(options.password_file) if options.password_file else None,
            trust,
            options.keepalive_s,
            options.timeout_s,
            Will(status, options.retain_status),
        )

    def _known(self, error: Exception) -> Outcome | None:
        from daemon.forward.destinations.mqtt_link import Refused

        return _meaning(error.code) if isinstance(error, Refused) else None

    # -- what comes in ------------------------------------------------------------------------------------

    def _topics(self) -> tuple[str, ...]:
        options = self.options
        wanted = [self._acknowledged_on()] if options.receipts else []
        for device, service in options.settings_of.items():
            if options.shadows:
                wanted += [topics.shadow(device, "update/delta"), topics.shadow(device, "get/accepted")]
            else:
                wanted.append(options.prefix + topics.config(service, device))
        return tuple(wanted)

    def _acknowledged_on(self) -> str:
        return self.options.prefix + topics.receipts(self.place.box)

    def _heard(self, topic: str, payload: bytes) -> None:
        if topic == self._acknowledged_on():
            self._receipt(payload)
            return
        for device, service in self.options.settings_of.items():
            if topic == topics.shadow(device, "get/accepted"):
                self._wish(device, payload, whole=True)
            elif topic in {
                topics.shadow(device, "update/delta"),
                self.options.prefix + topics.config(service, device),
            }:
                self._wish(device, payload)

    def _receipt(self, payload: bytes) -> None:
        try:
            told = json.loads(payload)
            told = told.get("body", told)
            here, refused = list(told["keys"]), dict(told.get("refused", {}))
        except (ValueError, KeyError, TypeError, AttributeError):
            _LOG.warning("a receipt that cannot be read was left out")
            return
        for key in [*here, *refused]:
            waiting = self._receipts.get(str(key))
            if waiting is not None and not waiting.done():
                waiting.set_result("refused" if key in refused else "")

    def _wish(self, device: str, payload: bytes, *, whole: bool = False) -> None:
        """Only a newer wish than the last one is passed on: brokers repeat themselves.

        A wish may name nothing: what was wished before is withdrawn. So it is too when its retained message is taken away, which
        comes as one without a word, and so without a version.
        """
        known = self._versions.get(device, 0)
        if not payload:
            if known:
                self.place.wishes(device, known, {})
            return
        try:
            if whole:
                document = shadow.shadow(payload)
                state, version = document.state.delta or {}, document.version
            else:
                delta = shadow.delta(payload)
                state, version = delta.state, delta.version
        except BadMessage as bad:
            _LOG.warning("a wished setting that cannot be read was left out: %s", bad)
            return
        if version > known:
            self._versions[device] = version
            self.place.wishes(device, version, state)


def _properties(sealed: Sealed, said: Sequence[tuple[str, str]]) -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = sealed.media
    if not sealed.coding:
        properties.PayloadFormatIndicator = 1  # UTF-8
    if sealed.lane in EXPIRY_S:
        properties.MessageExpiryInterval = EXPIRY_S[sealed.lane]
    if said:
        properties.UserProperty = list(said)
    return properties


def _meaning(code: int) -> Outcome | None:
    """What a reason code means; None for success."""
    if code in _SUCCESS:
        return None
    if code in _PARKED:
        return Outcome(Verdict.PARKED, _PARKED[code])
    if code in _WAIT:
        return Outcome(Verdict.WAIT, f"the broker asks for patience: {_WAIT[code]} (0x{code:02X})")
    if code == 0x95:
        return Outcome(Verdict.SPLIT, "larger than the broker takes (0x95)")
    if code == 0x99:
        return Outcome(Verdict.REFUSED, "the broker finds a fault in the data (0x99)")
    return Outcome(Verdict.AGAIN, f"the broker could not (0x{code:02X})")
