"""ProtoCentral HealthyPi v4: one ECG lead, respiration, two pulse waves and its own numbers at 125 Hz, 27-byte frames.

Talks from power-on (banner, two seconds, frames) and hears nothing.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.simulators.board import Nanos, SimulatedBoard, quantised
from firmware_bridge.simulators.source import LEADS, PPG_INFRARED, PPG_RED, RESPIRATION, Rows, Source

BANNER = b"Setting up Healthy pI V4...\r\nmode: wired\r\nInitialization is complete\r\n"
SILENCE_NS: Nanos = 2_000_000_000

MV_PER_COUNT = 0.024618  # 24-bit step of 24.04 nV, times 256, times 4
RESPIRATION_COUNTS = 400.0
INFRARED_LIGHT, RED_LIGHT = 81_000.0, 65_000.0  # counts of a 22-bit converter

FRAME = np.dtype(
    [
        ("head", "u1", 5),
        ("ecg", "<i2"),
        ("respiration", "<i2"),
        ("infrared", "<i4"),
        ("red", "<i4"),
        ("temperature", "<u2"),
        ("respiration_rate", "u1"),
        ("spo2", "u1"),
        ("heart_rate", "u1"),
        ("dummy", "u1", 2),
        ("status", "u1"),
        ("tail", "u1", 2),
    ]
)


class HealthyPi4(SimulatedBoard):
    """A HealthyPi v4 in its wired mode. `lead` is what its cable is put on (it cannot know).

    `status_works` sends the lead-off byte that the firmware has but does not switch on: any bit set then zeroes ECG,
    respiration and both rates.
    """

    kind: ClassVar[str] = "healthypi4"
    RATE_HZ: ClassVar[float] = 125.0

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        lead: str = "II",
        status_works: bool = False,
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self._lead = LEADS.index(lead)
        self.status_works = status_works

    def _begin(self, now_ns: Nanos) -> None:
        self._reply(now_ns, BANNER)
        self._clock.start(now_ns + SILENCE_NS)

    def _encode(self, rows: Rows) -> bytes:
        frames = np.zeros(len(rows), dtype=FRAME)
        numbers = self._source.numbers
        frames["head"] = (0x0A, 0xFA, 20, 0, 0x02)
        frames["tail"] = (0x00, 0x0B)
        frames["infrared"] = np.clip(np.rint(rows[:, PPG_INFRARED] * INFRARED_LIGHT), 0, 2**22 - 1)
        frames["red"] = np.clip(np.rint(rows[:, PPG_RED] * RED_LIGHT), 0, 2**22 - 1)
        frames["temperature"] = round((numbers.temperature_c or 0.0) * 100)
        frames["spo2"] = numbers.spo2_pct or 0
        frames["dummy"] = (80, 120)
        frames["status"] = status = self._status()
        if not status:
            frames["ecg"] = quantised(rows[:, self._lead], 1 / MV_PER_COUNT, -(2**15), 2**15 - 1)
            frames["respiration"] = quantised(rows[:, RESPIRATION], RESPIRATION_COUNTS, -(2**15), 2**15 - 1)
            frames["respiration_rate"] = min(numbers.breaths_per_minute or 0, 255)
            frames["heart_rate"] = min(numbers.heart_rate_bpm or 0, 255)
        return frames.tobytes()

    def _status(self) -> int:
        """Bits 0-3: the four inputs of the converter, bit 4: right leg."""
        if not self.status_works:
            return 0
        bits = {"RA": 0x05, "LA": 0x02, "LL": 0x08, "RL": 0x10}
        return sum(bits.get(name, 0) for name in self._source.electrodes_off)
