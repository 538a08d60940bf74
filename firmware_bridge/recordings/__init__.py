"""Files of signals as one more wire: EDF, WFDB, SCP-ECG and CSV, read lazily, counts bit for bit as the file has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_bridge.frames import Channel, Counts, Quantity

__all__ = ["BadRecording", "Recording", "open_recording"]

Mask = npt.NDArray[np.bool_]

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MODIFIED_LEADS = ("MLII", "MLI", "MLIII", "MCL", "MCL1", "MV2", "CM5", "V")

# Names alone do not tell a pressure of the airway from one of blood or of a tank, nor oxygen in a gas from that in blood.
GAS_UNITS = {
    "cmh2o": (("p", "mask"), Quantity.AIRWAY_PRESSURE),
    "mbar": (("p", "mask"), Quantity.AIRWAY_PRESSURE),
    "pa": (("p", "bed", "tank"), Quantity.TANK_PRESSURE),
    "kpa": (("p", "bed", "tank"), Quantity.TANK_PRESSURE),
    "%": (("o2", "oxygen", "fio2"), Quantity.OXYGEN),
}

BLOCK = 1 << 18  # samples looked through at a time
GAP_S = 0.25
MOST_HZ = 1e6


class BadRecording(Exception):
    """A recording that cannot be used; the message is one line that says which file and why."""


@dataclass(frozen=True)
class Recording:
    """A recording's signals of one rate.

    `left_out` says in words what the file has beside them. `read(start, stop)` gives the file's own digital values,
    int32 of shape (channels, stop - start). `invalid` is each channel's code for "no sample here", where its format
    has one: such a sample stays as it is in `counts`, and is below the channel's `low`, so that it is taken for a rail
    and never measured. Long stretches of them are `gaps`.
    """

    name: str
    rate_hz: float
    channels: tuple[Channel, ...]
    n: int
    read: Callable[[int, int], Counts]
    left_out: tuple[str, ...] = ()
    invalid: tuple[int | None, ...] = ()

    @property
    def seconds(self) -> float:
        return self.n / self.rate_hz

    def counts(self, start: int, stop: int) -> Counts:
        """Samples `start` .. `stop` - 1 as int32 of shape (channels, stop - start), C order.

        ValueError beyond the recording; BadRecording where the file turns out to be damaged there.
        """
        if not 0 <= start <= stop <= self.n:
            raise ValueError(f"samples {start} to {stop} are not within 0 to {self.n}")
        if start == stop:
            return np.zeros((len(self.channels), 0), dtype=np.int32)
        counts = np.ascontiguousarray(self.read(start, stop), dtype=np.int32)
        if counts.shape != (len(self.channels), stop - start):
            raise BadRecording(f"{self.name}: ends before sample {stop} (truncated)")
        return counts

    def missing(self, start: int, stop: int) -> Mask:
        """Which samples are not there: bool of shape (channels, stop - start)."""
        counts = self.counts(start, stop)
        out = np.zeros(counts.shape, dtype=np.bool_)
        for place, code in enumerate(self.invalid):
            if code is not None:
                out[place] = counts[place] == code
        return out

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges (first, one past the last) in which no channel has a value for `GAP_S` or longer, in order.

        Shorter ones are left to the rails: in a record that uses its format's whole range (cudb), the code for "no
        sample" is also what a clipped wave reads. Reads the whole recording, in blocks, where its format has such a code.
        """
        if None in self.invalid or not self.invalid:
            return []
        edges: list[int] = []
        for start in range(0, self.n, BLOCK):
            gone = self.missing(start, min(start + BLOCK, self.n)).all(axis=0)
            before = bool(len(edges) % 2)
            changes = np.flatnonzero(np.diff(gone, prepend=before))
            edges += [start + int(k) for k in changes]
        edges += [self.n] * (len(edges) % 2)
        runs = zip(edges[::2], edges[1::2], strict=True)
        return [(first, stop) for first, stop in runs if stop - first >= GAP_S * self.rate_hz]


def open_recording(path: str | Path) -> Recording:
    """Open an EDF file, an SCP-ECG file, a CSV file or a WFDB record (its path without suffix, or its .hea or .dat file).

    Raises BadRecording, with one clear line, for whatever cannot be read.
    """
    path = Path(path)
    recording = _opened(path)
    if not 0 < recording.rate_hz <= MOST_HZ:
        raise BadRecording(f"{path}: {recording.rate_hz:g} Hz is no rate of samples")
    return recording


def _opened(path: Path) -> Recording:
    suffix = path.suffix.lower()
    if suffix == ".edf":
        from firmware_bridge.recordings import edf

        return edf.read(_existing(path))
    if suffix == ".scp":
        from firmware_bridge.recordings import scp

        return scp.read(_existing(path))
    if suffix in (".csv", ".tsv", ".txt"):
        from firmware_bridge.recordings import csv

        return csv.read(_existing(path))
    record = path.with_suffix("") if suffix in (".hea", ".dat", ".mat") else path
    if record.with_name(record.name + ".hea").is_file():
        from firmware_bridge.recordings import wfdb

        return wfdb.read(record)
    if path.is_dir():
        raise BadRecording(f"{path}: is a folder, not a recording")
    if path.is_file():
        raise BadRecording(
            f"{path}: not a recording known here (EDF, SCP-ECG, WFDB with its .hea file, or CSV)"
        )
    raise BadRecording(f"{path}: no such file, and no WFDB header {record.name}.hea")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BadRecording(
            f"{path}: " + ("is a folder, not a recording" if path.is_dir() else "no such file")
        )
    if path.stat().st_size == 0:
        raise BadRecording(f"{path}: the file is empty")
    return path


def one_line(error: BaseException) -> str:
    """An error's text, or its kind where it has none, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def lead_name(label: str) -> str:
    """A channel's label as vitald writes leads: "ECG I" -> "I", "avr" -> "aVR"; other labels stay as they are."""
    text = " ".join(label.split())
    bare = text
    for prefix in ("ECG", "EKG", "Lead"):
        if bare.lower().startswith(prefix.lower()) and bare[len(prefix) :].strip(" -_:"):
            bare = bare[len(prefix) :].strip(" -_:")
            break
    known = {lead.lower(): lead for lead in (*LEADS, *MODIFIED_LEADS)}
    return known.get(bare.lower(), text)


def quantity_of(name: str, unit: str) -> Quantity:
    """What a channel measures, by its name as `lead_name` gives it, and its unit."""
    low, of_gas = name.lower(), GAS_UNITS.get(unit.lower())
    if of_gas is not None and low.startswith(of_gas[0]):
        return of_gas[1]
    if name in LEADS or name in MODIFIED_LEADS or low.startswith(("ecg", "ekg")):
        return Quantity.ECG
    for words, quantity in (
        (("resp", "impedance", "thor", "abdo"), Quantity.RESPIRATION),
        (("pleth", "ppg"), Quantity.PPG_INFRARED),
        (("acc",), Quantity.ACCELERATION),
        (("flow",), Quantity.FLOW),
        (("leak",), Quantity.LEAK),
        (("press", "abp", "art", "cvp", "pap"), Quantity.PRESSURE),
    ):
        if low.startswith(words):
            return quantity
    return Quantity.ECG if unit.lower() in ("mv", "uv", "µv") else Quantity.OTHER


def in_millivolts(unit: str) -> float | None:
    """How many mV one `unit` is, or None where it is no voltage."""
    return {"v": 1000.0, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6}.get(unit.strip().lower())


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number behind the second and further ones of the same name."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return out


def same_rate(rates: Sequence[float], are_ecg: Sequence[bool]) -> float:
    """The rate to read at where channels differ: the highest of the ECG channels, else the highest."""
    ecg = [rate for rate, is_ecg in zip(rates, are_ecg, strict=True) if is_ecg]
    return max(ecg or rates)
