"""A Gasboard 7500: oxygen and flow twice a second by itself, version and serial number when asked.

Whatever would set, calibrate or silence it is counted in `writes` and not done: nobody may ever send it.
"""

from __future__ import annotations

from typing import ClassVar

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.source import FLOW, OXYGEN, Numbers, Rows, Source

ROOM_PCT, ROOM_C = 20.9, 25.0
LATENCY_NS: Nanos = 15_000_000


class Gasboard(SimulatedBoard):
    """A sensor at the outlet of a concentrator; at any other source it stands in the room's air.

    `talking` False: it was set to answer only. `humidity_pct` set: it is the OCS model that says whole degrees.
    """

    kind: ClassVar[str] = "gasboard"
    RATE_HZ: ClassVar[float] = 2.0
    BAUD: ClassVar[int] = 9600

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        talking: bool = True,
        version: str = "1.00.003",
        serial: bytes = b"\x20\x19\x05\x00\x42",
        humidity_pct: int | None = None,
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self.talking = talking
        self.writes: list[bytes] = []
        self._version = version.encode("ascii")
        self._serial = serial
        self._humidity_pct = humidity_pct
        self._heard = b""
        self._last = self._values(Numbers(), 0.0, 0.0)

    @property
    def next_due_ns(self) -> Nanos | None:
        if self.talking:
            return super().next_due_ns
        return min((at_ns for at_ns, _ in self._replies), default=None)

    def _begin(self, now_ns: Nanos) -> None:
        self._heard = b""
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        numbers = self._source.numbers
        frames = [self._values(numbers, row[OXYGEN], 60 * row[FLOW]) for row in rows]
        self._last = frames[-1]
        return b"".join(frames) if self.talking else b""

    def _values(self, numbers: Numbers, oxygen_pct: float, lpm: float) -> bytes:
        if numbers.oxygen_pct is None:
            oxygen_pct, lpm = ROOM_PCT, 0.0
        celsius = ROOM_C if numbers.gas_temperature_c is None else numbers.gas_temperature_c
        if self._humidity_pct is None:
            warmth = round(celsius * 10).to_bytes(2, "big", signed=True)
        else:
            warmth = bytes((self._humidity_pct, round(celsius)))
        oxygen, flow = round(oxygen_pct * 10), round(lpm * 10)
        return answer(
            0x01, oxygen.to_bytes(2, "big") + flow.to_bytes(2, "big", signed=True) + warmth + b"\0\0"
        )

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        self._stream(now_ns)
        self._heard = (self._heard + data)[-64:]
        while len(self._heard) >= 2:
            size = self._heard[1] + 3
            if self._heard[0] != 0x11 or size > 16:
                self._heard = self._heard[1:]
                continue
            if len(self._heard) < size:
                return
            request, self._heard = self._heard[:size], self._heard[size:]
            if sum(request) & 0xFF == 0:
                self._obey(request, now_ns)

    def _obey(self, request: bytes, now_ns: Nanos) -> None:
        match request[2]:
            case 0x01:
                reply = self._last
            case 0x1E:
                reply = answer(0x1E, self._version)
            case 0x1F:
                reply = answer(0x1F, self._serial)
            case _:
                self.writes.append(request)
                return
        self._reply(now_ns + LATENCY_NS, reply)


def answer(command: int, data: bytes) -> bytes:
    """An answer as it goes over the line."""
    body = bytes((0x16, len(data) + 1, command)) + data
    return body + bytes((-sum(body) & 0xFF,))
