"""The device's end of VLP: what every simulated VLP device does on the line, whatever it measures.

It says who it is, keeps what it has sent for `KEPT_S` seconds to send it again, answers for its clock, and takes settings
in two steps. Numbers of frames are given when they are sent. Samples are sent in blocks at fixed sample numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from firmware_bridge.simulators.board import Cadence, Nanos, SimulatedBoard
from firmware_bridge.simulators.source import Rows, Source
from firmware_bridge.simulators.vlp_banks import Banks
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import CONFIRM, PROPOSE, SAY_HELLO, SAY_SETTINGS, Entry, Hello, Offer
from firmware_bridge.vlp.wire import (
    ACK_WANTED,
    AGAIN,
    DEFAULT_MTU,
    Letter,
    Opener,
    Status,
    Type,
    sealed,
)

ANSWER_AFTER_NS: Nanos = 1_000_000
KEPT_S = 3.0
MOST_KEPT, MOST_RESENT = 1024, 64
PROPOSAL_NS: Nanos = 5_000_000_000
"""A proposal that is not confirmed within this time is forgotten."""
ANSWERS_KEPT = 4
DICTIONARY = 1
LONGEST_WHOLE = 128


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was echoed and not yet confirmed."""

    request: int
    offer: Offer
    value: int
    at_ns: Nanos


class VlpDevice(SimulatedBoard):
    """One VLP device. A kind of device says its channels, its settings, and how rows become frames.

    `unsafe`, when it says why, makes the device refuse every setting with these words.
    """

    BLOCK: ClassVar[int]
    NAME: ClassVar[str]
    SERIAL: ClassVar[str]
    ENTRIES: ClassVar[tuple[Entry, ...]]
    OFFERS: ClassVar[tuple[Offer, ...]] = ()

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        serial: str | None = None,
        firmware: str = "1.0",
        mtu: int = DEFAULT_MTU,
        seed: int = 0,
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self.unsafe = ""
        self._clock = Cadence(self.rate_hz / self.BLOCK, crystal_ppm)
        self._pace = 1 + crystal_ppm * 1e-6
        self._serial = self.SERIAL if serial is None else serial
        self.banks = Banks(firmware)
        self._mtu = mtu
        self._rng = np.random.default_rng(seed)
        self.offers = self.OFFERS
        self.entries = tuple(
            replace(e, rate_hz=self.rate_hz) if e.rate_hz == self.RATE_HZ else e for e in self.ENTRIES
        )
        self._begin(0)
        self._clock.stop()
        self._replies.clear()

    def _begin(self, now_ns: Nanos) -> None:
        self.banks.started(now_ns)
        self._born_ns = now_ns
        self._boot = int(self._rng.integers(2**32))
        self._opener = Opener()
        self._sequence = 0
        self._rows = 0  # since the boot
        self._kept: deque[tuple[Nanos, int, int, bytes]] = deque(maxlen=MOST_KEPT)
        self._proposal: Proposal | None = None
        self._answered: deque[tuple[int, bytes]] = deque(maxlen=ANSWERS_KEPT)
        self._introduce(now_ns)
        self._clock.start(now_ns)

    @property
    def device_us(self) -> int:
        """Device time of the next row: when the converter has it, a period after the one before."""
        return round((self._rows + 1) * 1e6 / self.rate_hz)

    # --- sending -----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes:
        if not self._powered:
            self.power_on(now_ns)
        elif self.banks.watch(now_ns):
            self._replies.clear()
            self._begin(now_ns)
        out = []
        while self._replies and self._replies[0][0] <= now_ns:
            at_ns, letter = self._replies.pop(0)
            out += [self._stream(at_ns), self._post(letter, at_ns)]
        out.append(self._stream(now_ns))
        return b"".join(out)

    def _stream(self, until_ns: Nanos) -> bytes:
        out = []
        for _ in range(self._clock.take(until_ns)):
            rows = self._source.take(self.BLOCK)
            if len(rows) < self.BLOCK:
                self._clock.stop()
            if len(rows):
                out.append(self._encode(rows) if self.banks.healthy else b"")
                self._rows += len(rows)
            if not self._clock.running:
                break
        return b"".join(out)

    def _post(self, letter: bytes, at_ns: Nanos) -> bytes:
        """Send what `_say` or a RESEND has put aside: a frame to be sent again is whole, others get their number now."""
        kind, payload = letter[0], letter[1:]
        if kind == 0:
            return payload
        if kind == Type.PONG:
            payload += self._us(at_ns).to_bytes(8, "little")
        return self._seal(Type(kind), payload)

    def _seal(self, kind: Type, payload: bytes) -> bytes:
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFFFFFF
        self._kept.append((self._rows, sequence, kind, payload))
        while self._rows - self._kept[0][0] > KEPT_S * self.rate_hz:
            self._kept.popleft()
        return sealed(kind, sequence, payload)

    def _say(self, kind: Type, payload: bytes, now_ns: Nanos) -> None:
        self._reply(now_ns, bytes([kind]) + payload)

    def _introduce(self, now_ns: Nanos) -> None:
        unit = self._serial.encode("ascii")[:16].ljust(16, b"\0")
        caps = messages.CAP_RESEND | messages.CAP_CLOCK | messages.CAP_FIRMWARE
        caps |= messages.CAP_SETTINGS if self.offers else 0
        self._say(
            Type.HELLO,
            messages.hello(Hello(self._mtu, caps, unit, self._boot, self.NAME, self.banks.running)),
            now_ns,
        )
        # Short frames survive a bad line: a long dictionary goes channel by channel.
        whole = messages.dictionary(DICTIONARY, self.entries)
        if len(whole) <= LONGEST_WHOLE:
            self._say(Type.DICT, whole, now_ns)
        else:
            for place, entry in enumerate(self.entries):
                self._say(Type.PART, messages.part(DICTIONARY, place, len(self.entries), (entry,)), now_ns)
        self._tell_settings(now_ns)

    def _tell_settings(self, now_ns: Nanos) -> None:
        for offer in self.offers:
            self._say(Type.SETTINGS, messages.settings((offer,), len(self.offers)), now_ns)

    def log(self, level: int, text: str, now_ns: Nanos) -> None:
        """Say a line for the technician."""
        self._say(Type.LOG, messages.log(level, self._us(now_ns), text), now_ns)

    def _us(self, now_ns: Nanos) -> int:
        return round((now_ns - self._born_ns) * self._pace / 1000)

    # --- what it is told ---------------------------------------------------------------------------------

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        for piece in self._opener.cut(data):
            if isinstance(piece, Letter):
                try:
                    self._obey(piece, now_ns)
                except ValueError:
                    continue
            elif piece.foreign is not None:
                self._say(Type.ACK, messages.ack(piece.foreign, Status.VERSION), now_ns + ANSWER_AFTER_NS)

    def _obey(self, letter: Letter, now_ns: Nanos) -> None:
        at_ns = now_ns + ANSWER_AFTER_NS
        match letter.type:
            case Type.PING:
                t1 = messages.read_ping(letter.payload)
                self._say(Type.PONG, messages.pong(t1, self._us(now_ns), 0)[:16], at_ns)
            case Type.RESEND:
                self._send_again(*messages.read_resend(letter.payload), at_ns)
            case Type.COMMAND:
                known = next((a for s, a in self._answered if s == letter.sequence), None)
                if not (letter.flags & AGAIN and known is not None):
                    known = self._commanded(letter, now_ns)
                    self._answered.append((letter.sequence, known))
                if letter.flags & ACK_WANTED:
                    self._say(Type.ACK, known, at_ns)
            case Type.FIRMWARE:
                told = self.banks.obey(letter.payload, self.unsafe or self._refuses_firmware(), now_ns)
                if letter.flags & ACK_WANTED:
                    self._say(Type.ACK, messages.ack(letter.sequence, *told), at_ns)
            case _ if letter.flags & ACK_WANTED:
                self._say(Type.ACK, messages.ack(letter.sequence, Status.UNKNOWN), at_ns)

    def _send_again(self, first: int, last: int, at_ns: Nanos) -> None:
        count = (last - first) % 2**32 + 1
        wanted = {(first + k) % 2**32 for k in range(min(count, MOST_RESENT))}
        for _, sequence, kind, payload in self._kept:
            if sequence in wanted:
                self._reply(at_ns, b"\0" + sealed(kind, sequence, payload, AGAIN))

    def _commanded(self, letter: Letter, now_ns: Nanos) -> bytes:
        """The ACK's payload."""
        number, request, argument = messages.read_command(letter.payload)
        if number == SAY_HELLO:
            self._introduce(now_ns + ANSWER_AFTER_NS)
            return messages.ack(letter.sequence, Status.OK)
        if number == SAY_SETTINGS:
            self._tell_settings(now_ns + ANSWER_AFTER_NS)
            return messages.ack(letter.sequence, Status.OK)
        if number == PROPOSE:
            return messages.ack(letter.sequence, *self._proposed(request, argument, now_ns))
        if number == CONFIRM:
            return messages.ack(letter.sequence, *self._confirmed(request, argument, now_ns))
        return messages.ack(letter.sequence, Status.UNKNOWN)

    def _proposed(self, request: int, argument: str, now_ns: Nanos) -> tuple[Status, str]:
        """Keep a proposal and echo what was understood."""
        self._proposal = None
        wanted = messages.read_wish(argument)
        offer = next((o for o in self.offers if wanted is not None and o.name == wanted[0]), None)
        if wanted is None or offer is None:
            return Status.UNKNOWN, "no such setting"
        value = wanted[1]
        if not offer.low <= value <= offer.high or (value - offer.low) % offer.step:
            return Status.BAD_ARGUMENT, "out of range"
        if why := self.unsafe or self._refuses(offer.name, value):
            return Status.REFUSED, why
        self._proposal = Proposal(request, offer, value, now_ns)
        return Status.OK, messages.wish(offer.name, value)

    def _confirmed(self, request: int, argument: str, now_ns: Nanos) -> tuple[Status, str]:
        """Do what was proposed, if it is still what is meant."""
        proposal, self._proposal = self._proposal, None
        if proposal is None or now_ns - proposal.at_ns > PROPOSAL_NS:
            return Status.REFUSED, "nothing proposed"
        if (proposal.request, messages.wish(proposal.offer.name, proposal.value)) != (request, argument):
            return Status.REFUSED, "not what was proposed"
        if why := self.unsafe or self._refuses(proposal.offer.name, proposal.value):
            return Status.REFUSED, why
        self._set(proposal.offer.name, proposal.value)
        self._tell_settings(now_ns + ANSWER_AFTER_NS)
        return Status.OK, argument

    def _set(self, name: str, value: int) -> None:
        self.offers = tuple(replace(o, value=value) if o.name == name else o for o in self.offers)
        self._apply(name, value / messages.THOUSANDTHS)

    def _remember(self, name: str, value: int) -> None:
        """How the machine is set already, where that is one of the steps."""
        self.offers = tuple(
            replace(o, value=value if o.low <= value <= o.high else None) if o.name == name else o
            for o in self.offers
        )

    def setting(self, name: str) -> float:
        """How it is set now."""
        value = next(o.value for o in self.offers if o.name == name)
        return (value or 0) / messages.THOUSANDTHS

    # --- what a kind of device says ----------------------------------------------------------------------

    def _refuses(self, name: str, value: int) -> str:  # noqa: ARG002 - most devices refuse nothing
        """Why this setting would not be safe now; "" = it is."""
        return ""

    def _refuses_firmware(self) -> str:
        """Why new firmware would not be safe now; "" = it is."""
        return ""

    def _apply(self, name: str, value: float) -> None:
        """Let a setting act."""

    @abstractmethod
    def _encode(self, rows: Rows) -> bytes:
        """The frames of one block."""
