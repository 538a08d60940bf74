"""ProtoCentral HealthyPi 5: one ECG lead, bio-impedance, two pulse waves and its own numbers at 128 Hz, 29-byte frames.

Silent until the host asserts DTR; discards everything it is told. Firmware since February 2025.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.simulators.board import Nanos, SimulatedBoard, quantised
from firmware_bridge.simulators.source import LEADS, PPG_INFRARED, PPG_RED, RESPIRATION, Numbers, Rows, Source

COUNTS_PER_MV = 2**17 * 80 / 1000.0  # 18 bits at 80 V/V and 1.0 V; sent shifted left by 8
IMPEDANCE, IMPEDANCE_SWING = 15_000.0, 300.0  # 20 bits
INFRARED_LIGHT, RED_LIGHT = 6_144.0, 5_120.0  # the upper 14 of 22 bits

FRAME = np.dtype(
    [
        ("head", "u1", 5),
        ("ecg", "<i4"),
        ("impedance", "<i4"),
        ("skip", "u1"),
        ("red", "<i4"),
        ("infrared", "<i4"),
        ("temperature", "<i2"),
        ("spo2", "u1"),
        ("heart_rate", "u1"),
        ("respiration_rate", "u1"),
        ("tail", "u1", 2),
    ]
)


class HealthyPi5(SimulatedBoard):
    """A HealthyPi 5 on USB. `dtr` False makes it discard every frame, as the real one does."""

    kind: ClassVar[str] = "healthypi5"
    RATE_HZ: ClassVar[float] = 128.0

    def __init__(
        self, source: Source, *, rate_hz: float | None = None, crystal_ppm: float = 0.0, lead: str = "II"
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self._lead = LEADS.index(lead)
        self._odd = False
        self._impedance = round(IMPEDANCE)
        self._shown = Numbers()

    def _begin(self, now_ns: Nanos) -> None:
        self._odd = False
        self._shown = Numbers()
        self._clock.start(now_ns)

    def _encode(self, rows: Rows) -> bytes:
        frames = np.zeros(len(rows), dtype=FRAME)
        frames["head"] = (0x0A, 0xFA, 22, 0, 0x02)
        frames["tail"] = (0x00, 0x0B)
        frames["ecg"] = quantised(rows[:, self._lead], COUNTS_PER_MV, -(2**17), 2**17 - 1) << 8
        frames["impedance"] = self._half_rate(np.rint(IMPEDANCE + IMPEDANCE_SWING * rows[:, RESPIRATION]))
        frames["red"] = np.clip(np.rint(rows[:, PPG_RED] * RED_LIGHT), -(2**13), 2**13 - 1)
        frames["infrared"] = np.clip(np.rint(rows[:, PPG_INFRARED] * INFRARED_LIGHT), -(2**13), 2**13 - 1)
        shown = self._last_valid()
        frames["temperature"] = round((shown.temperature_c or 0.0) * 100)
        frames["spo2"] = shown.spo2_pct or 0
        frames["heart_rate"] = min(shown.heart_rate_bpm or 0, 255)
        frames["respiration_rate"] = min(shown.breaths_per_minute or 0, 255)
        return frames.tobytes() if self.dtr else b""

    def _half_rate(self, impedance: Rows) -> Rows:
        """Bio-impedance is measured at every second frame and sent twice."""
        out = impedance.copy()
        for k in range(len(out)):
            if self._odd:
                out[k] = self._impedance
            self._impedance = round(float(out[k]))
            self._odd = not self._odd
        return out

    def _last_valid(self) -> Numbers:
        """Its numbers stand still, and do not go away, when an electrode or the finger does."""
        now, old = self._source.numbers, self._shown
        limbs_on = not self._source.electrodes_off & {"RA", "LA", "LL", "RL"}
        self._shown = Numbers(
            now.heart_rate_bpm if limbs_on and now.heart_rate_bpm else old.heart_rate_bpm,
            now.breaths_per_minute if limbs_on and now.breaths_per_minute else old.breaths_per_minute,
            now.spo2_pct or old.spo2_pct,
            now.temperature_c or old.temperature_c,
        )
        return self._shown
