"""ResMed AirSense 10 at its edge connector: says nothing by itself, answers one "get" at a time.

Whatever would set or erase something is refused, and counted in `writes`: nobody may ever send it.
"""

from __future__ import annotations

import re
from typing import ClassVar

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.source import AIRWAY_PRESSURE, FLOW, Rows, Source

BITS_PER_BYTE = 10
LATENCY_NS: Nanos = 2_000_000
UNKNOWN = b"0003"
TEXTS = {"BID": "SX577-020079BA", "PNA": "AirSense_10_AutoSet", "MID": "0024", "VID": "0027", "BLS": "0000"}


class AirSense10(SimulatedBoard):
    """An AirSense 10. `running` False is standby; `without` are variables that it does not know."""

    kind: ClassVar[str] = "resmed"
    RATE_HZ: ClassVar[float] = 50.0
    BAUD: ClassVar[int] = 57600

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        serial: str = "22181234567",
        running: bool = True,
        without: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self.serial = serial
        self.running = running
        self.without = without
        self.writes: list[bytes] = []
        self._heard = b""
        self._row: list[float] = []

    @property
    def next_due_ns(self) -> Nanos | None:
        """It samples without a word: only answers come."""
        return min((at_ns for at_ns, _ in self._replies), default=None)

    def _begin(self, now_ns: Nanos) -> None:
        self._heard = b""
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        """It samples, and waits to be asked."""
        self._row = rows[-1].tolist()
        return b""

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        self._stream(now_ns)
        self._heard = (self._heard + data)[-2048:]
        while (at := self._heard.find(b"U")) >= 0:
            match = re.match(rb"U([QRELFPKOTf])([0-9A-F]{3})", self._heard[at:])
            if match is None:
                if len(self._heard) - at < 5:
                    return
                self._heard = self._heard[at + 1 :]
                continue
            size = int(match[2], 16)
            if len(self._heard) - at < size:
                return
            frame, self._heard = self._heard[at : at + size], self._heard[at + size :]
            if b"%04X" % crc16(frame[:-4]) == frame[-4:]:
                self._answer(frame[5:-4].replace(b"UU", b"U"), now_ns)

    def _answer(self, request: bytes, now_ns: Nanos) -> None:
        match = re.fullmatch(rb"G S #([A-Z0-9]{3})", request)
        if match is None:
            self.writes.append(request)
            answer = frame("E", request + b" = " + UNKNOWN)
        else:
            value = self._value(match[1].decode())
            kind = "E" if value is None else "R"
            answer = frame(kind, request + b" = " + (UNKNOWN if value is None else value.encode()))
        line_ns = len(answer) * BITS_PER_BYTE * 1_000_000_000 // self.BAUD
        self._reply(now_ns + LATENCY_NS + line_ns, answer)

    def _value(self, variable: str) -> str | None:
        if variable in self.without:
            return None
        if variable == "SRN":
            return self.serial
        if variable in TEXTS:
            return TEXTS[variable]
        number = self._number(variable)
        return None if number is None else f"{round(number) & 0xFFFF:04X}"

    def _number(self, variable: str) -> float | None:
        """The raw number of a variable: physical value times its scale."""
        says = self._source.numbers
        row = self._row if self.running and self._row else [0.0] * (max(FLOW, AIRWAY_PRESSURE) + 1)
        table = {
            "ZRM": 4 if self.running else 1,
            "MST": 1 if says.mask_on is False else 0,
            "RFL": row[FLOW] * 500,
            "MKP": row[AIRWAY_PRESSURE] * 50,
            "LKF": (says.leak_lpm or 0) / 60 * 50,
            "MV5": (says.minute_volume_lpm or 0) * 8,
            "RR1": (says.breaths_per_minute or 0) * 5,
            "TID": (says.tidal_volume_ml or 0) / 1000 * 50,
            "SNI": (says.snore or 0) * 50,
            "FFL": (says.flow_limitation or 0) * 100,
            "SAO": says.spo2_pct or 0,
            "HRT": says.pulse_bpm or 0,
        }
        return table.get(variable)


def frame(kind: str, payload: bytes) -> bytes:
    """A frame as it goes over the line: 0x55 in the payload doubled, length, and check."""
    doubled = payload.replace(b"U", b"UU")
    head = f"U{kind}{9 + len(doubled):03X}".encode("ascii") + doubled
    return head + b"%04X" % crc16(head)


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE, bit by bit: written apart from the decoder's."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
