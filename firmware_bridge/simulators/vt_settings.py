"""A VT-30 or VT-60 controller: its settings as one record every half minute, and the ways records have been seen damaged."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.source import Rows, Source

VT30 = "{mode},G,{cpap:.1f},1.0,H,{low:.1f},{low:.1f},{high:.1f},1.0,I,{ramp:.1f},2.0,1.0,0.0,0.0,1.0,0.0"
VT60 = (
    "{mode},A,{cpap:.1f},1.0,B,{ipap:.1f},{cpap:.1f},4.0,10.0,20.0,1.0,50.0,1.0,"
    "C,{ipap:.1f},{cpap:.1f},4.0,10.0,10.0,20.0,1.0,200.0,1.0,"
    "D,{ipap:.1f},{cpap:.1f},4.0,10.0,10.0,20.0,3.0,200.0,1.0,"
    "E,20.0,10.0,5.0,10.0,10.0,20.0,3.0,200.0,1.0,170.0,500.0,F,{ramp:.1f},2.0,1.0,0.0,0.0,1.0,0.0"
)
LEAST_CM_H2O, USUAL_CM_H2O = 4.0, 10.0
QUIRKS = ("cut", "glued", "double end", "date", "time", "no comma", "no serial", "no mode", "blank")


class VtSettings(SimulatedBoard):
    """A controller of model "VT-30" or "VT-60" that composes a record every `period_s` (1 to 60).

    `quirks` are taken from its front, one a record; each of `QUIRKS` is a damage seen in the field.
    """

    kind: ClassVar[str] = "vt_settings"
    RATE_HZ: ClassVar[float] = 1 / 30

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        model: str = "VT-30",
        mode: str = "",
        serial: str = "12345678",
        period_s: float = 30.0,
    ) -> None:
        if model not in {"VT-30", "VT-60"}:
            raise ValueError(f"no model {model!r}: VT-30 or VT-60")
        if not 1 <= period_s <= 60:
            raise ValueError(f"period_s must be 1 to 60, not {period_s:g}")
        super().__init__(source, rate_hz=rate_hz or 1 / period_s, crystal_ppm=crystal_ppm)
        self.mode = mode or ("MANUALMODE" if model == "VT-30" else "S_MODE")
        self.quirks: deque[str] = deque()
        self._form, self._suffix = (VT30, "C") if model == "VT-30" else (VT60, "B")
        self._serial = serial
        self._minutes = 0.0

    def _begin(self, now_ns: Nanos) -> None:
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        return b"".join(self._record() for _ in rows)

    def _record(self) -> bytes:
        pressure = self._source.numbers.set_pressure_cm_h2o
        cpap = max(USUAL_CM_H2O if pressure is None else pressure, LEAST_CM_H2O)
        self._minutes += 1 / (60 * self.rate_hz)
        clock = divmod(int(self._minutes) % 1440, 60)
        body = self._form.format(mode=self.mode, cpap=cpap, ipap=cpap + 4, low=cpap, high=20.0, ramp=5.0)
        return self._quirked("011225", f"{clock[0]:02d}{clock[1]:02d}", body, self._serial + self._suffix)

    def _quirked(self, date: str, time: str, body: str, serial: str) -> bytes:
        quirk = self.quirks.popleft() if self.quirks else ""
        date = "142225" if quirk == "date" else date
        time = "17444403" if quirk == "time" else time
        body = body.partition(",")[2] if quirk == "no mode" else body
        serial = f"{serial[:-1]} {serial[-1]}" if quirk == "blank" else serial
        end = {"no serial": ",#", "no comma": f",{serial}#"}.get(quirk, f",{serial},#")
        text = f"*,R,{date},{time},{body}{end}"
        text = {"cut": text[: len(text) // 2], "glued": text + text, "double end": text + "#"}.get(
            quirk, text
        )
        return text.encode("ascii") + b"\r\n"
