"""Deckmount's old ASCII firmware: one line of eight decimal numbers a sample, started by "1", stopped by "0".

Its rate was never published: 80 Hz is what its own application believed.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.dm_ecg import counts_of
from firmware_bridge.simulators.source import LEADS, Rows, Source

# Not the order of the binary firmware.
ORDER = ("I", "V4", "V5", "II", "V3", "V6", "V1", "V2")
LONGEST_COMMAND = 16


class DmEcgAscii(SimulatedBoard):
    """A DM-ECG board with the old firmware. Silent until asked; no lead-off, no counter, no reply."""

    kind: ClassVar[str] = "dm_ecg_ascii"
    RATE_HZ: ClassVar[float] = 80.0

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        separator: str = " ",
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self._separator = separator
        self._columns = np.array([LEADS.index(lead) for lead in ORDER])
        self._heard = b""

    def _begin(self, now_ns: Nanos) -> None:  # noqa: ARG002 - it waits to be asked
        self._heard = b""

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        *lines, rest = (self._heard + data).split(b"\n")
        self._heard = rest[-LONGEST_COMMAND:]
        for line in lines:
            match line.strip()[-1:]:  # it reads bytes: what came before is noise to it
                case b"1" if not self._clock.running:
                    self._clock.start(now_ns)
                case b"0":
                    self._clock.stop()

    def _encode(self, rows: Rows) -> bytes:
        counts = counts_of(rows[:, : len(LEADS)])[:, self._columns]
        return "".join(self._separator.join(map(str, row)) + "\r\n" for row in counts.tolist()).encode(
            "ascii"
        )
