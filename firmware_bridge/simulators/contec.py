"""Contec CMS50 oximeters: the old one streams five bytes sixty times a second, the newer one only while it is asked to."""

from __future__ import annotations

from typing import ClassVar

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.source import PLETH, Numbers, Rows, Source

STRENGTH_PCT = 0.5  # perfusion for one step of signal strength, of eight
BEEP_AT = 0.8  # of the pleth's height
ASLEEP_NS: Nanos = 10_000_000_000  # the newer one stops so long after it was last asked
LATENCY_NS: Nanos = 5_000_000


class Contec(SimulatedBoard):
    """The old one: CMS50D+, CMS50E and F before 4.6."""

    kind: ClassVar[str] = "contec"
    RATE_HZ: ClassVar[float] = 60.0
    BAUD: ClassVar[int] = 19200

    def _begin(self, now_ns: Nanos) -> None:
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        numbers = self._source.numbers
        return b"".join(self._frame(float(pleth), numbers) for pleth in rows[:, PLETH])

    def _frame(self, pleth: float, numbers: Numbers) -> bytes:
        if numbers.spo2_pct is None:
            return b"\x80\x00\x10\x00\x00"
        rate = min(numbers.pulse_bpm or 0, 254)
        first = 0x80 | (0x40 if pleth > BEEP_AT else 0) | strength(numbers)
        wave, bar = drawn(pleth)
        return bytes((first, wave, (0x40 if rate & 0x80 else 0) | bar, rate & 0x7F, numbers.spo2_pct))


class Contec7(SimulatedBoard):
    """The newer one, "V7.0". What would erase or set something is counted in `writes` and not done."""

    kind: ClassVar[str] = "contec7"
    RATE_HZ: ClassVar[float] = 60.0

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        model: str = "CMS50F",
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self._model = model.ljust(12)[:12].encode("ascii")
        self._heard = b""
        self._until_ns: Nanos = 0
        self.writes: list[bytes] = []

    def _begin(self, now_ns: Nanos) -> None:  # noqa: ARG002 - it waits to be asked
        self._heard = b""

    def due(self, now_ns: Nanos) -> bytes:
        if self._clock.running and now_ns >= self._until_ns:
            last = super().due(self._until_ns)
            self._clock.stop()
            return last + super().due(now_ns)
        return super().due(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        numbers = self._source.numbers
        return b"".join(self._packet(float(pleth), numbers) for pleth in rows[:, PLETH])

    def _packet(self, pleth: float, numbers: Numbers) -> bytes:
        if numbers.spo2_pct is None:
            return packet(0x01, bytes((0, 0, 0x10, 0xFF, 0x7F, 0, 0)))
        wave, bar = drawn(pleth)
        index = round((numbers.perfusion_pct or 0) * 100)
        beep = 0x40 if pleth > BEEP_AT else 0
        said = (strength(numbers) | beep, wave, bar, min(numbers.pulse_bpm or 0, 254), numbers.spo2_pct)
        return packet(0x01, bytes(said) + index.to_bytes(2, "little"))

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        self._heard = (self._heard + data)[-256:]
        while (at := self._heard.find(b"\x7d\x81")) >= 0 and len(self._heard) - at >= 9:
            request, self._heard = self._heard[at : at + 9], self._heard[at + 9 :]
            self._obey(request, now_ns)

    def _obey(self, request: bytes, now_ns: Nanos) -> None:
        acknowledged = packet(0x0C, b"\0")[:2]
        match request[2]:
            case 0xA1 | 0xAF:
                self._until_ns = now_ns + ASLEEP_NS
                if not self._clock.running and request[2] == 0xA1:
                    self._clock.start(now_ns)
            case 0xA2:
                self._clock.stop()
                self._reply(now_ns + LATENCY_NS, acknowledged)
            case 0xA7:
                self._reply(now_ns + LATENCY_NS, acknowledged)
            case 0xA8:
                for part in (0, 1):
                    text = self._model[6 * part : 6 * part + 6]
                    self._reply(now_ns + LATENCY_NS, packet(0x02, bytes((part,)) + text))
            case 0xA9:
                self._reply(now_ns + LATENCY_NS, packet(0x03, b"Contec "))
            case _:
                self.writes.append(request)


def packet(kind: int, data: bytes) -> bytes:
    """A packet as it goes over the line: the bits 7 of up to seven bytes travel in the second one."""
    high = sum((byte >> 7) << k for k, byte in enumerate(data))
    return bytes((kind, 0x80 | high)) + bytes(0x80 | byte for byte in data)


def strength(numbers: Numbers) -> int:
    """Signal strength, 0 to 8."""
    return min(round((numbers.perfusion_pct or 0) / STRENGTH_PCT), 8)


def drawn(pleth: float) -> tuple[int, int]:
    """The pleth and the bar graph, as the display has them."""
    return min(max(round(pleth * 127), 0), 127), min(max(round(pleth * 15), 0), 15)
