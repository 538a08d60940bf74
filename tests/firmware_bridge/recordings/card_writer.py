"""Writes ResMed cards: what the real card lacks, byte for byte as machines write. Written from the layout, not from the reader."""

from __future__ import annotations

import gzip
import json
import struct
from binascii import crc_hqx
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
SERIAL = "22222222222"


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE."""
    return crc_hqx(data, 0xFFFF)


assert crc16(b"123456789") == 0x29B1


@dataclass
class Signal:
    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[int, int]
    samples: int  # a record


FLOW = Signal("Flow.40ms", "L/s", (-2, 3), (-1000, 1500), 1500)
PRESS = Signal("Press.40ms", "cmH2O", (0, 40), (0, 2000), 1500)
BRP = (FLOW, PRESS)
PLD = (
    Signal("MaskPress.2s", "cmH2O", (0, 40), (0, 2000), 30),
    Signal("Press.2s", "cmH2O", (0, 30), (0, 1500), 30),
    Signal("EprPress.2s", "cmH2O", (0, 30), (0, 1500), 30),
    Signal("Leak.2s", "L/s", (0, 2), (0, 100), 30),
    Signal("RespRate.2s", "bpm", (0, 50), (0, 250), 30),
    Signal("TidVol.2s", "L", (0, 4), (0, 200), 30),
    Signal("MinVent.2s", "L/min", (0, 30), (0, 240), 30),
    Signal("Snore.2s", "", (0, 5), (0, 250), 30),
    Signal("FlowLim.2s", "", (0, 1), (0, 100), 30),
)
SAD = (Signal("Pulse.1s", "bpm", (18, 300), (18, 300), 60), Signal("SpO2.1s", "%", (0, 100), (0, 100), 60))
CRC = Signal("Crc16", "", (-32768, 32767), (-32768, 32767), 1)
NOTES = Signal("EDF Annotations", "", (-32768, 32767), (-32768, 32767), 19)


def number(value: float) -> str:
    return f"{value:g}"


def header(signals, start: datetime, records: int, seconds: float, serial: str, kind: str = "EDF") -> bytes:
    signals = (*signals, CRC)
    rows = [
        (16, [s.label for s in signals]),
        (80, ["" for _ in signals]),
        (8, [s.unit for s in signals]),
        (8, [number(s.physical[0]) for s in signals]),
        (8, [number(s.physical[1]) for s in signals]),
        (8, [number(s.digital[0]) for s in signals]),
        (8, [number(s.digital[1]) for s in signals]),
        (80, ["" for _ in signals]),
        (8, [str(s.samples) for s in signals]),
        (32, ["" for _ in signals]),
    ]
    second = b"".join(text.encode("utf-8").ljust(width) for width, texts in rows for text in texts)
    day = f"{start:%d}-{MONTHS[start.month - 1]}-{start:%Y}"
    recording = f"Startdate {day} X X X SRN={serial}  MID=36  VID=39".ljust(80)
    rest = (
        f"{start:%d.%m.%y}{start:%H.%M.%S}{256 + len(second):<8}{kind:<44}"
        f"{records:<8}{seconds:<8.2f}{len(signals):<4}"
    )
    patient = f"X X X X 0000 {crc16(second):04X}"
    behind = (" " * (80 - len(patient)) + recording + rest).encode("ascii")
    patient = f"X X X X {crc16(behind):04X} {crc16(second):04X}"
    return b"0".ljust(8) + patient.encode() + behind + second


def edf(signals, start, columns, *, serial=SERIAL, promised=None) -> bytes:
    """`columns`: int arrays of whole minutes, one a signal."""
    n = len(columns[0]) // signals[0].samples if columns else 0
    records = []
    for k in range(n):
        parts = [
            np.asarray(c)[k * s.samples : (k + 1) * s.samples] for s, c in zip(signals, columns, strict=True)
        ]
        body = b"".join(part.astype("<i2").tobytes() for part in parts)
        records.append(body + struct.pack("<H", crc16(body)))
    return header(signals, start, n if promised is None else promised, 60.0, serial) + b"".join(records)


def annotations(start: datetime, texts, serial=SERIAL) -> bytes:
    """`texts`: (seconds after the start, duration or None, text); "Recording starts" comes first by itself."""
    records = []
    for onset, duration, text in ((0, 0, "Recording starts"), *texts):
        lasts = b"" if duration is None else b"\x15%d" % duration
        tal = b"+0\x14\x14\0" + b"+%d" % onset + lasts + b"\x14" + text.encode() + b"\x14\0"
        body = tal.ljust(2 * NOTES.samples, b"\0")
        records.append(body + struct.pack("<H", crc16(body)))
    return header((NOTES,), start, len(records), 0.0, serial, "EDF+D") + b"".join(records)


STR = (
    Signal("Date", "", (0, 24836), (0, 24836), 1),
    Signal("MaskOn", "min.", (0, 1440), (0, 1440), 10),
    Signal("MaskOff", "min.", (0, 1440), (0, 1440), 10),
    Signal("Duration", "min.", (0, 1440), (0, 1440), 1),
    Signal("Mode", "", (0, 16), (0, 16), 1),
    Signal("S.C.Press", "cmH2O", (4, 20), (200, 1000), 1),
    Signal("S.Temp", "°C", (16, 30), (160, 300), 1),
    Signal("Leak.95", "L/s", (0, 2), (0, 100), 1),
    Signal("AHI", "", (0, 240), (0, 2400), 1),
)


def summary(days, serial=SERIAL) -> bytes:
    """`days`: one list of ten columns a day (lists of counts, padded with -1); None = the running day, all unset."""
    records = []
    for columns in days:
        parts = []
        for s, column in zip(STR, columns or [[] for _ in STR], strict=True):
            parts += [*column, *[-1] * (s.samples - len(column))]
        body = np.array(parts, "<i2").tobytes()
        records.append(body + struct.pack("<H", crc16(body)))
    start = datetime(2024, 1, 1, 12)  # noqa: DTZ001 - a card has no time zone
    return header(STR, start, len(records), 86400.0, serial) + b"".join(records)


def day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


class CardWriter:
    """A card that grows in a folder."""

    def __init__(self, root: Path, serial: str = SERIAL, *, packed: bool = False) -> None:
        self.root, self.serial, self._packed = root, serial, packed

    def identify(self, generation: int = 10, model: str = "AirSense_10_AutoSet") -> None:
        if generation == 11:
            product = {"SerialNumber": self.serial, "ProductCode": "39485", "ProductName": model}
            profiles = {"Product": product, "Software": {"ApplicationIdentifier": "SW04600"}}
            text = json.dumps({"FlowGenerator": {"IdentificationProfiles": profiles}})
            self.put("Identification.json", text.encode())
        else:
            lines = f"#IMF 0001\r\n\r\n#SRN {self.serial}\r\n\r\n#PNA {model}\r\n\r\n#PCD 37028\r\n"
            self.put("Identification.tgt", lines.encode())

    def put(self, name: str, data: bytes) -> Path:
        path = self.root / (name + ".gz" if self._packed and name.endswith(".edf") else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        return path

    def file(self, day: date, start: datetime, kind: str, data: bytes) -> Path:
        return self.put(f"DATALOG/{day:%Y%m%d}/{start:%Y%m%d_%H%M%S}_{kind}.edf", data)

    def session(self, day, start, minutes, *, seed=0, oximeter=False, kinds=("BRP", "PLD", "SAD")) -> dict:
        """A session of whole minutes with random values in range. Returns the counts written, by kind."""
        random = np.random.default_rng(seed)
        written = {}
        for kind, signals in (("BRP", BRP), ("PLD", PLD), ("SAD", SAD), ("SA2", SAD)):
            if kind not in kinds:
                continue
            columns = [random.integers(s.digital[0], s.digital[1] + 1, s.samples * minutes) for s in signals]
            if signals is SAD and not oximeter:
                columns = [np.full(60 * minutes, -1) for _ in signals]
            at = start if kind == "BRP" else start + timedelta(seconds=1)
            promised = -1 if minutes == 0 else minutes
            self.file(day, at, kind, edf(signals, at, columns, serial=self.serial, promised=promised))
            written[kind] = columns
        return written
