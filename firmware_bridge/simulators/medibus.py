"""A ventilator that speaks MEDIBUS.X: quiet until it is called, then curves and answers mixed byte by byte on one line.

It is called, or calls by itself (`calls`); it wants a sign of life every three seconds, and gives one. What it gets that is
no request is counted in `strange`.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from firmware_bridge.simulators.board import Cadence, Nanos, SimulatedBoard
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, FLOW, PLETH, Rows, Source

BYTE_NS: Nanos = 11 * 1_000_000_000 // 19_200
PIECE = 12  # bytes of an answer that go out together; real-time samples come in between
LINK_LOST_NS: Nanos = 3_000_000_000
ALIVE_S = 2.0
REMEMBERED_S = 5.0
INTERVAL_US = 16_000
MBAR = 1 / 1.019716  # of one cmH2O
# Code, lowest and highest value, and the count of the highest; column and factor of what is sent.
CURVES = {
    "00": (-50, 150, 0xFFF, AIRWAY_PRESSURE, MBAR),
    "01": (-200, 200, 0x5FA, FLOW, 60.0),
    "02": (0, 2, 0xFFF, PLETH, 1.0),
}
HEARD = frozenset(b"\x24\x2b\x25\x26\x2c\x2d\x27\x2e\x23\x28\x29\x2a\x30\x51\x52\x53\x54\x55")


def message(first: int, code: int, data: str = "") -> bytes:
    """A message with its check sum and CR."""
    body = bytes((first, code)) + data.encode("latin-1")
    total = 0
    for byte in body:
        total = (total + byte) % 256
    return body + f"{total:02X}\r".encode("ascii")


class Ventilator(SimulatedBoard):
    """A ventilator. `alarms` are (priority, code, text); `without` are commands that it refuses."""

    kind: ClassVar[str] = "medibus"
    RATE_HZ: ClassVar[float] = 1e6 / INTERVAL_US
    BAUD: ClassVar[int] = 19200

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        calls: bool = False,
        without: bytes = b"",
        mode: str = "BIPAP",
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self.calls = calls
        self.without = without
        self.mode = mode
        self.alarms: list[tuple[str, str, str]] = []
        self.strange: list[bytes] = []
        self.fio2_pct = 40
        self._life = Cadence(1 / ALIVE_S, crystal_ppm)
        self._buffer = b""
        self._switch: list[int] = []
        self._linked = False
        self._heard_ns: Nanos = 0
        self._free_ns: Nanos = 0  # when the line has carried what was answered so far
        self._chosen: list[str] = []
        self._on = 0  # mask of the streams that are switched on
        self._pressures: deque[float] = deque(maxlen=round(REMEMBERED_S * self.rate_hz))
        self._was_in = False

    def _begin(self, now_ns: Nanos) -> None:
        self._buffer, self._switch = b"", []
        self._linked, self._chosen, self._on = False, [], 0
        self._free_ns = now_ns
        self._clock.start(now_ns)
        self._life.start(now_ns)

    @property
    def next_due_ns(self) -> Nanos | None:
        """Samples are taken all the time, and sent only while they are switched on."""
        times = [at_ns for at_ns, _ in self._replies]
        if self._on and self._clock.next_ns is not None:
            times.append(self._clock.next_ns)
        if (self._linked or self.calls) and self._life.next_ns is not None:
            times.append(self._life.next_ns)
        return min(times, default=None)

    def due(self, now_ns: Nanos) -> bytes:
        if self._powered:
            while (at_ns := self._life.next_ns) is not None and at_ns <= now_ns:
                self._life.take(at_ns)
                self._give_life(at_ns)
        return super().due(now_ns)

    def _give_life(self, at_ns: Nanos) -> None:
        if self._linked and at_ns - self._heard_ns > LINK_LOST_NS:
            self._linked, self._on = False, 0
        if self._linked:
            self._say(message(0x1B, 0x30), at_ns)
        elif self.calls:
            self._say(message(0x1B, 0x51), at_ns)

    def _say(self, data: bytes, now_ns: Nanos) -> None:
        at_ns = max(now_ns, self._free_ns)
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            at_ns += len(piece) * BYTE_NS
            self._reply(at_ns, piece)
        self._free_ns = at_ns

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        self._heard_ns = now_ns
        for byte in data:
            if byte & 0x80:
                self._heard_switch(byte)
                continue
            if byte in {0x1B, 0x01}:
                self._buffer = b""
            self._buffer = (self._buffer + bytes((byte,)))[-256:]
            if byte == 0x0D:
                self._heard(self._buffer, now_ns)
                self._buffer = b""

    def _heard_switch(self, byte: int) -> None:
        """D0 C1 Cx C0 C0: streams on and off."""
        self._switch = [byte] if byte == 0xD0 else [*self._switch, byte]
        if len(self._switch) == 5:
            if self._switch[1] == 0xC1 and self._switch[3:] == [0xC0, 0xC0]:
                self._on = self._switch[2] & (1 << len(self._chosen)) - 1
            else:
                self.strange.append(bytes(self._switch))
            self._switch = []

    def _heard(self, heard: bytes, now_ns: Nanos) -> None:
        if len(heard) < 5 or message(heard[0], heard[1], heard[2:-3].decode("latin-1")) != heard:
            self._say(message(0x01, 0x15), now_ns)
            return
        code, data = heard[1], heard[2:-3].decode("latin-1")
        if heard[0] == 0x01:
            self._linked = self._linked or code == 0x51
            return
        if code not in HEARD:
            self.strange.append(heard)
            return
        if code in self.without:
            self._say(message(0x01, 0x15), now_ns)
            return
        if code == 0x51:
            self._linked = True
        elif not self._linked:
            return
        if code == 0x54:
            self._chosen = [data[at : at + 2] for at in range(0, len(data), 4)]
        if code == 0x55:
            self._linked, self._on = False, 0
        self._say(message(0x01, code, self._answer(code)), now_ns)

    def _answer(self, code: int) -> str:
        match code:
            case 0x52:
                return "8210'Evita 4'04.20:04.00"
            case 0x53:
                rows = ((c, *CURVES[c][:3]) for c in CURVES)
                return "".join(f"{c}{INTERVAL_US:8d}{low:5d}{high:5d}{n:03X}" for c, low, high, n in rows)
            case 0x24:
                return self._data()
            case 0x29:
                return f"01{self.fio2_pct:5d}0B{self._peep():5.1f}09{16:5d}"
            case 0x2A:
                return f"0E{chr(0x30 + len(self.mode))}{self.mode}\x03"
            case 0x27:
                return "".join(f"{priority}{code}{text:<12.12}" for priority, code, text in self.alarms)
        return ""

    def _data(self) -> str:
        says = self._source.numbers
        pressures = self._pressures or [0.0]
        mean = sum(pressures) / len(pressures)
        given: list[tuple[str, float | None, int]] = [
            ("73", mean, 0),
            ("78", self._peep(), 1),
            ("7D", max(pressures), 0),
            ("88", says.tidal_volume_ml, 0),
            ("D6", says.breaths_per_minute, 0),
            ("B8", says.minute_volume_lpm, 1),
            ("F0", float(self.fio2_pct), 0),
            ("EB", says.spo2_pct, 0),
            ("E1", says.pulse_bpm, 0),
        ]
        return "".join(
            code + (f"{value:4.{places}f}" if value is not None else "----") for code, value, places in given
        )

    def _peep(self) -> float:
        return min(self._pressures, default=0.0)

    def _encode(self, rows: Rows) -> bytes:
        out = bytearray()
        for row in rows.tolist():
            self._pressures.append(row[AIRWAY_PRESSURE] * MBAR)
            breathes_in = row[FLOW] > 0
            if self._on:
                out.append(0xD0 | self._on)
                if breathes_in != self._was_in:
                    out += bytes((0xC6, 0xC0 if breathes_in else 0xC1))
                for stream, code in enumerate(self._chosen):
                    if self._on >> stream & 1:
                        out += _sample(code, row)
            self._was_in = breathes_in
        return bytes(out)


def _sample(code: str, row: list[float]) -> bytes:
    if code not in CURVES:
        return b"\x80\x80"
    low, high, most, column, factor = CURVES[code]
    n = min(max(round((row[column] * factor - low) / (high - low) * most), 0), most)
    return bytes((0x80 | n & 0x3F, 0x80 | n >> 6))
