"""What a ResMed card says of its machine (Identification.tgt or .json) and of every therapy day (STR.edf)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from firmware_bridge.recordings import BadRecording
from firmware_bridge.recordings.edf_records import CHECK, EdfFile, EdfSignal, read_edf
from firmware_bridge.recordings.resmed_files import CardFiles
from firmware_bridge.recordings.resmed_labels import MODES

UNIX_DAY = date(1970, 1, 1)
MOST_IDENTITY_BYTES = 1 << 20


@dataclass(frozen=True)
class Machine:
    """Who recorded: `serial` "" where the card does not say. `values` are the identification's own keys and texts."""

    serial: str
    model: str
    product_code: str
    firmware: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class DaySummary:
    """One day of STR.edf. `values` have the file's own labels and units ("AHI" 1/h, "Leak.95" L/s, "Duration" min).

    None = the machine has no value. `mask` are the stretches with the mask on, in local time (at most ten a day stand
    there). `mode` is in the machine's own word, "" where unknown; `settings` are the day's "S.*" as text with unit.
    """

    day: date
    mode: str
    mask: tuple[tuple[datetime, datetime], ...]
    values: Mapping[str, float | None]
    settings: Mapping[str, str]

    def value(self, label: str) -> float | None:
        """A value by its label, whatever its spaces and case ("Mask Dur", "leak.95"); None where there is none."""
        wanted = _plain(label)
        return next((value for key, value in self.values.items() if _plain(key) == wanted), None)


def machine_of(files: CardFiles, notes: list[str]) -> Machine:
    """The machine by the first identification that can be read. Never raises: `notes` say what is wrong."""
    for name in files.names:
        if name.casefold() not in {"identification.tgt", "identification.json"}:
            continue
        try:
            data = files.read(name)
            if len(data) > MOST_IDENTITY_BYTES:
                raise ValueError(f"{len(data)} bytes")  # noqa: TRY301 - as what cannot be read
            values = _json_values(data) if name.lower().endswith("json") else _tgt_values(data)
        except (BadRecording, ValueError, RecursionError) as error:
            notes.append(f"{name}: cannot be read ({' '.join(str(error).split())[:120]})")
            continue
        return _machine(values)
    notes.append("no Identification file: the machine is known from its recordings only")
    return _machine({})


def _machine(values: dict[str, str]) -> Machine:
    def first(*keys: str) -> str:
        return next((values[key] for key in keys if values.get(key)), "")

    return Machine(
        serial=first("SRN", "SerialNumber"),
        model=first("PNA", "ProductName").replace("_", " "),
        product_code=first("PCD", "ProductCode"),
        firmware=first("SID", "ApplicationIdentifier", "SoftwareVersion"),
        values=MappingProxyType(values),
    )


def _tgt_values(data: bytes) -> dict[str, str]:
    """Lines "#KEY value"."""
    return dict(re.findall(r"^#(\w+) +(.*?)\s*$", data.decode("latin-1"), re.MULTILINE))


def _json_values(data: bytes) -> dict[str, str]:
    """The texts and numbers of the identification, by the last of their keys; the first of a name counts."""
    values: dict[str, str] = {}
    waiting: list[tuple[str, object]] = [("", json.loads(data))]
    while waiting:
        key, found = waiting.pop(0)
        if isinstance(found, dict):
            waiting += [(str(k), v) for k, v in found.items()]
        elif isinstance(found, str | int | float):
            values.setdefault(key, str(found))
    return values


def summaries_of(files: CardFiles, notes: list[str]) -> Mapping[date, DaySummary]:
    """The days of STR.edf that hold anything, by date. Never raises: `notes` say what is wrong."""
    name = next((name for name in files.names if name.casefold() == "str.edf"), None)
    if name is None:
        notes.append("no STR.edf: the days' summaries and settings are missing")
        return {}
    try:
        file = read_edf(name, files.read(name))
    except BadRecording as error:
        notes.append(str(error))
        return {}
    if file.header_signals_ok is False:
        notes.append(f"{name}: the check of its header fails: left out")
        return {}
    if file.damaged.any():
        notes.append(f"{name}: {int(file.damaged.sum())} of {len(file.records)} days fail their check")
    days = (_summary(file, record) for record, bad in zip(file.records, file.damaged, strict=True) if not bad)
    return {day.day: day for day in days if day is not None}


def _summary(file: EdfFile, record: npt.NDArray[np.int16]) -> DaySummary | None:
    """None for a day on which nothing is set: the running one, and days without use."""
    values: dict[str, float | None] = {}
    lists: dict[str, list[float | None]] = {}
    units: dict[str, str] = {}
    for signal in file.signals:
        if signal.label == CHECK or not signal.samples:
            continue
        found = [_physical(signal, int(n)) for n in record[signal.offset : signal.offset + signal.samples]]
        lists[_plain(signal.label)] = found
        values[signal.label] = found[0] if len(found) == 1 else None
        units[signal.label] = signal.unit
    number = (lists.get("date") or [None])[0]
    known = [value for key, found in lists.items() if key != "date" for value in found]
    if number is None or not number > 0 or all(value is None for value in known):
        return None
    day = UNIX_DAY + timedelta(days=round(number))
    mode = (lists.get("mode") or [None])[0]
    settings = {
        label: f"{value:.6g} {units[label]}".strip()
        for label, value in values.items()
        if label.startswith("S.") and value is not None
    }
    return DaySummary(
        day=day,
        mode=MODES[round(mode)] if mode is not None and 0 <= mode < len(MODES) else "",
        mask=_mask(day, lists.get("maskon", []), lists.get("maskoff", [])),
        values=MappingProxyType({k: v for k, v in values.items() if _plain(k) not in {"maskon", "maskoff"}}),
        settings=MappingProxyType(settings),
    )


def _physical(signal: EdfSignal, count: int) -> float | None:
    """None for a count outside of the signal's range, most of all -1: the machine's "no value"."""
    if not signal.digital_min <= count <= signal.digital_max:
        return None
    try:
        value = (count - signal.zero) * signal.gain
    except ValueError:
        return None
    return round(value, 6) if math.isfinite(value) else None


def _mask(
    day: date, on: list[float | None], off: list[float | None]
) -> tuple[tuple[datetime, datetime], ...]:
    """Minutes after noon, as the machine rounds them."""
    noon = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
    pairs = zip(on, off, strict=False)
    return tuple(
        (noon + timedelta(minutes=a), noon + timedelta(minutes=b))
        for a, b in pairs
        if a is not None and b is not None and b >= a
    )


def _plain(label: str) -> str:
    return label.replace(" ", "").casefold()
