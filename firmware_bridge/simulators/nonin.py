"""A Nonin OEM III: frames of format 2 or 7, exactly 25 to a packet and 75 a second, or format 1 once a second.

The numbers of a packet are read when it begins. It hears nothing.
"""

from __future__ import annotations

from typing import ClassVar

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.source import PLETH, Numbers, Rows, Source

FORMATS = ("DF1", "DF2", "DF7")
FRAMES = 25
FIRMWARE = 48
NO_RATE, NO_SPO2 = 511, 127
WEAK_PCT, MIDDLING_PCT = 0.5, 1.0  # perfusion shown red, and yellow
IN_A_BEAT = 0.45  # of the pleth's height: the perfusion bits are set above it


class Nonin(SimulatedBoard):
    """An oximeter that speaks `form` (DF1, DF2 or DF7)."""

    kind: ClassVar[str] = "nonin"
    RATE_HZ: ClassVar[float] = 75.0
    BAUD: ClassVar[int] = 9600

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        form: str = "DF2",
    ) -> None:
        if form not in FORMATS:
            raise ValueError(f"no format {form!r}: one of {', '.join(FORMATS)}")
        self._form = form
        usual = 1.0 if form == "DF1" else self.RATE_HZ
        super().__init__(source, rate_hz=usual if rate_hz is None else rate_hz, crystal_ppm=crystal_ppm)
        self._place = 0
        self._timer = 0
        self._shown = Numbers()

    def _begin(self, now_ns: Nanos) -> None:
        self._place = self._timer = 0
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        if self._form == "DF1":
            return b"".join(self._of_format_1() for _ in rows)
        return b"".join(self._frame(float(pleth)) for pleth in rows[:, PLETH])

    def _rate_and_spo2(self) -> tuple[int, int]:
        rate, spo2 = self._shown.pulse_bpm, self._shown.spo2_pct
        return (
            NO_RATE if rate is None or spo2 is None else min(rate, NO_RATE - 1),
            NO_SPO2 if spo2 is None else spo2,
        )

    def _frame(self, pleth: float) -> bytes:
        if self._place == 0:
            self._shown = self._source.numbers
            self._timer = (self._timer + 1) & 0x3FFF
        self._place += 1
        status = 0x80 | (1 if self._place == 1 else 0) | self._perfusion(pleth)
        if self._shown.spo2_pct is None:
            status |= 0x18  # finger off, out of track
        beside = self._table().get(self._place, 0)
        self._place %= FRAMES
        if self._form == "DF2":
            body = bytes((1, status, min(max(round(pleth * 255), 0), 255), beside))
        else:
            wide = min(max(round(pleth * 65535), 0), 65535)
            body = bytes((status, wide >> 8, wide & 0xFF, beside))
        return body + bytes((sum(body) & 0xFF,))

    def _table(self) -> dict[int, int]:
        """The byte beside the pleth, by the frame's number in its packet. Displayed and averaged values are the same here."""
        rate, spo2 = self._rate_and_spo2()
        high, low = rate >> 7, rate & 0x7F
        table = dict.fromkeys((3, 9, 10, 11, 16, 17), spo2)
        table |= dict.fromkeys((1, 14, 20, 22), high) | dict.fromkeys((2, 15, 21, 23), low)
        return table | {4: FIRMWARE, 6: self._timer >> 7, 7: self._timer & 0x7F}

    def _perfusion(self, pleth: float) -> int:
        """Said for some frames of each beat only."""
        amount = self._shown.perfusion_pct
        if amount is None or pleth < IN_A_BEAT * min(amount, 1.0):
            return 0
        return 0b100 if amount < WEAK_PCT else 0b110 if amount < MIDDLING_PCT else 0b010

    def _of_format_1(self) -> bytes:
        self._shown = self._source.numbers
        rate, spo2 = self._rate_and_spo2()
        return bytes((0x80 | (0x40 if spo2 == NO_SPO2 else 0) | rate >> 7, rate & 0x7F, spo2))
