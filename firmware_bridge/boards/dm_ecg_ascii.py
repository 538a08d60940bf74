"""Deckmount's old ASCII firmware: lines of eight numbers, in an order of its own, with no counter and no electrode bits.

Nothing on the wire tells this line from that of many hobby sketches, so this kind is configured, never recognised.
Gain and rate were never published: both are options, and until they are given the settings say so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.dialogue import MS
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    PortSettings,
    Quantity,
    Samples,
    Settings,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
WIRE_ORDER = ("I", "V4", "V5", "II", "V3", "V6", "V1", "V2")
NOMINAL_RATE_HZ = 80.0  # what the makers' application took it for; never measured
NOMINAL_COUNTS_PER_MV = 1423.0  # that of the binary firmware on the same converter
SILENT_NS: Nanos = 1_000 * MS
LISTEN_NS: Nanos = 300 * MS


def _facts(rate_hz: float, counts_per_mv: float) -> Facts:
    channels = tuple(Channel(lead, Quantity.ECG, "mV", 1.0 / counts_per_mv, 2048, 0, 4095) for lead in LEADS)
    return Facts(
        kind="dm_ecg_ascii",
        title="Deckmount ECG, old ASCII firmware",
        port=PortSettings(baud=115200),
        line_bytes_per_second=11_520,
        streams=(StreamSpec("ecg", rate_hz, channels),),
    )


FACTS = _facts(NOMINAL_RATE_HZ, NOMINAL_COUNTS_PER_MV)

# --- frames ----------------------------------------------------------------------------------------------

START, STOP = b"1\r\n", b"0\r\n"
LONGEST_LINE = 80  # eight numbers of four digits and their separators are 41 bytes
_LINE = re.compile(rb"[ \t]*" + rb"(?:[ \t]*,[ \t]*|[ \t]+)".join([rb"(\d{1,4})"] * 8) + rb"[ \t]*")
_FROM_WIRE = tuple(WIRE_ORDER.index(lead) for lead in LEADS)

# --- decoder ---------------------------------------------------------------------------------------------


class _Lines:
    """Strict lines: exactly eight integers from 0 to 4095. The first one, which may be torn, is thrown away."""

    def __init__(self) -> None:
        self._rest = b""
        self._whole = False  # the bytes in `_rest` began at the beginning of a line
        self._overlong = False

    def decode(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        # Either end of a line ends it, so that the loss of one does not join two lines.
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        frames: list[Frame] = []
        rows: list[list[int]] = []
        for line in lines:
            if not line and self._whole:
                self._overlong = False
                continue
            row = self._row(line) if self._whole and not self._overlong else None
            if row is not None:
                rows.append(row)
            else:
                frames += _samples(rows, now_ns)
                rows = []
                frames += [Damage(len(line))] if line else []
            self._whole, self._overlong = True, False
        frames += _samples(rows, now_ns)
        if len(rest) > LONGEST_LINE:
            self._overlong = True
        if self._overlong and rest:
            frames.append(Damage(len(rest)))
            rest = b""
        self._rest = rest
        return frames

    def _row(self, line: bytes) -> list[int] | None:
        match = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if match is None:
            return None
        row = [int(number) for number in match.groups()]
        return row if max(row) <= 4095 else None


def _samples(rows: list[list[int]], now_ns: Nanos) -> list[Frame]:
    if not rows:
        return []
    wire = np.array(rows, np.int32)
    return [Samples("ecg", np.ascontiguousarray(wire.T[_FROM_WIRE, :]), now_ns)]


class DmEcgAscii:
    """The board: started with "1", and started again whenever it has been silent for a second."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("dm_ecg_ascii", options)
        rate_hz = read.number("rate_hz", NOMINAL_RATE_HZ, 1.0, 1000.0)
        counts_per_mv = read.number("counts_per_mv", NOMINAL_COUNTS_PER_MV, 100.0, 100_000.0)
        read.done()
        self._facts = _facts(rate_hz, counts_per_mv)
        settings = (
            ("counts_per_mv", f"{counts_per_mv:g}"),
            ("calibration", "configured" if read.has("counts_per_mv") else "none"),
            ("rate_hz", f"{rate_hz:g}"),
            ("rate", "configured" if read.has("rate_hz") else "assumed"),
        )
        self._first: list[Frame] = [
            Settings(settings),
            Identity("dm_ecg_ascii", model="DM-ECG, old firmware"),
            Leads(()),
        ]
        self._lines = _Lines()
        self._ask_ns: Nanos | None = None

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        self._ask_ns = now_ns + LISTEN_NS

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames, self._first = self._first + self._lines.decode(data, now_ns), []
        if self._ask_ns is not None and any(isinstance(frame, Samples) for frame in frames):
            self._ask_ns = now_ns + SILENT_NS
        return frames

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if self._ask_ns is None or now_ns < self._ask_ns:
            return None
        self._ask_ns = now_ns + SILENT_NS
        return START

    def closing(self) -> bytes:
        return STOP


def board(options: Mapping[str, str]) -> DmEcgAscii:
    """Options: `rate_hz` (default 80, assumed), `counts_per_mv` (default 1423, uncalibrated)."""
    return DmEcgAscii(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """At most 0.3, a hint that no probe accepts: many sketches write such lines."""
    lines = data.replace(b"\r", b"").split(b"\n")[1:-1]
    fitting = sum(_LINE.fullmatch(line) is not None for line in lines)
    return 0.3 if fitting >= 5 and fitting == len(lines) else 0.0


def questions() -> Sequence[tuple[bytes, int]]:
    """None: its answer would prove nothing."""
    return ()
