"""A session's waveforms as EDF+ (16 bits) or BDF+ (24 bits), count for count, in bounded memory however long it is.

Every stream is laid on the grid of its nominal rate: a segment begins at the sample nearest to its time, and goes on without
another one missing or twice. What is missing has the digital minimum (one below every sample, where there is room), and an
annotation says from when to when and why.
Rhythms, arrhythmias and alarms are annotations too. The samples are read twice: once for their ends, once to be written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from daemon.exchange.edf_file import EdfFile, Form, Head, Note, Signal
from daemon.exchange.letters import ascii_of
from daemon.exchange.stretch import NotExportable, Stretch, bounds
from daemon.exchange.waves import Line, Waves, lines
from daemon.model.arrhythmias import BY_EVENT, BY_RHYTHM
from daemon.model.signals import Counts, Quantity
from daemon.store.recorded import RecordedSession

_LONGEST_FIELD = 30
"""Patient and recording have 80 letters each, for all of their parts."""

_LOWEST = {"edf": -(2**15), "bdf": -(2**23)}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def write_edf(
    database: Path,
    session: RecordedSession,
    to: Path,
    form: Form,
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    named: bool = True,
) -> int:
    """Write seconds `start_s` .. `end_s` of the session; the number of samples (of all channels) in the file.

    `named`: with the patient's name. Raises `NotExportable`, sqlite3.Error, OSError.
    """
    return write_stretch(
        Stretch(database, session, *bounds(database, session, start_s, end_s), named=named), to, form
    )


@dataclass(slots=True)
class _Ends:
    """The lowest and the highest count of every channel, how long the line is, and how many samples there are."""

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    n: int = 0
    values: int = 0


def write_stretch(stretch: Stretch, to: Path, form: Form) -> int:
    """The same of a stretch, as it may be told."""
    found = [
        (waves, ends)
        for waves in (Waves(stretch, line) for line in lines(stretch))
        if (ends := _ends(waves)).n
    ]
    if not any(ends.values for _, ends in found):
        raise NotExportable("the session has no samples in this span")
    record_s = _record_s([waves.line for waves, _ in found])
    records = max(math.ceil(ends.n / (waves.line.rate_hz * record_s) - 1e-9) for waves, ends in found)
    signals = [signal for waves, ends in found for signal in _signals(waves.line, ends, record_s, form)]
    gaps = {gap: None for waves, _ in found for gap in waves.gaps}
    notes = [*_missing(gaps, stretch), *_said(stretch)] or [(0.0, None, "no annotation")]
    with to.open("wb") as out:
        file = EdfFile(out, form, _head(stretch, record_s), signals, notes, records)
        parts = [
            _parts(waves, round(waves.line.rate_hz * record_s), signals_of)
            for waves, signals_of in _with_signals(found, signals)
        ]
        for _ in range(records):
            file.record([row for part in parts for row in next(part)])
        file.finish()
    return sum(ends.values for _, ends in found)


def _ends(waves: Waves) -> _Ends:
    channels = len(waves.line.channels)
    ends = _Ends(np.full(channels, 2**31 - 1, np.int64), np.full(channels, -(2**31), np.int64))
    for piece in waves.pieces():
        there = piece.counts[:, piece.present]
        if there.size:
            ends.low = np.minimum(ends.low, there.min(axis=1))
            ends.high = np.maximum(ends.high, there.max(axis=1))
            ends.values += int(there.size)
    ends.n = waves.n
    return ends


def _record_s(found: list[Line]) -> float:
    """The fewest seconds that hold a whole number of samples of every stream: signals of a file end together."""
    rates = [line.rate_hz for line in found]
    fitting = (k for k in range(1, 61) if all(math.isclose(r * k, round(r * k), abs_tol=1e-6) for r in rates))
    fewest = next(fitting, None)
    if fewest is None:
        raise NotExportable("the rates of these streams have no record in common: export them as wfdb or csv")
    return float(fewest)


def _signals(line: Line, ends: _Ends, record_s: float, form: Form) -> Iterator[Signal]:
    lowest = _LOWEST[form]
    highest = -lowest - 1
    for channel, low, high in zip(line.channels, ends.low.tolist(), ends.high.tolist(), strict=True):
        if ends.values and (low < lowest or high > highest):
            raise NotExportable(
                "the samples have more bits than the format: take bdf"
                + (", or wfdb" if form == "bdf" else "")
            )
        # As narrow as the samples are: the header has eight letters for each end, and they are to be worth something.
        bottom, top = (max(low - 1, lowest), max(high, low)) if ends.values else (-1, 0)
        top = max(top, bottom + 1)
        physical = tuple((end - channel.offset) * channel.gain for end in (bottom, top))
        label = f"ECG {channel.name}" if channel.quantity is Quantity.ECG else channel.name
        samples = round(line.rate_hz * record_s)
        yield Signal(label, channel.unit, samples, (bottom, top), (physical[0], physical[1]))


def _with_signals(
    found: list[tuple[Waves, _Ends]], signals: list[Signal]
) -> Iterator[tuple[Waves, list[Signal]]]:
    at = 0
    for waves, _ in found:
        n = len(waves.line.channels)
        yield waves, signals[at : at + n]
        at += n


def _parts(waves: Waves, n: int, signals: list[Signal]) -> Iterator[Counts]:
    """Rows of `n` samples, without an end: what is missing has each signal's lowest number."""
    bottom = np.array([signal.digital[0] for signal in signals], np.int32)[:, None]
    held: list[Counts] = []
    have = 0
    for piece in waves.pieces():
        held.append(np.where(piece.present, piece.counts, bottom))
        have += piece.present.size
        if have < n:
            continue
        joined = np.concatenate(held, axis=1)
        whole = have - have % n
        yield from np.split(joined[:, :whole], whole // n, axis=1)
        held, have = [joined[:, whole:]], have - whole
    nothing = np.repeat(bottom, n, axis=1)
    if have:
        yield np.concatenate([*held, nothing], axis=1)[:, :n]
    while True:
        yield nothing


def _head(stretch: Stretch, record_s: float) -> Head:
    session = stretch.session
    began = stretch.at(stretch.t0_ns)
    known = 1985 <= began.year < 2085
    day = _dated(began) if known else "X"
    recording = f"Startdate {day} X X {_field(session.device)} {_field(session.name)}"
    start = f"{began:%d.%m.%y%H.%M.%S}" if known else f"01.01.85{began:%H.%M.%S}"
    patient = _patient(session.patient if stretch.named else None, session.patient)
    return Head(patient, recording, start, record_s, began.microsecond / 1e6)


def _missing(gaps: Mapping[tuple[int, int, str], None], stretch: Stretch) -> Iterator[Note]:
    for begin_ns, end_ns, cause in gaps:
        yield (begin_ns - stretch.t0_ns) / 1e9, (end_ns - begin_ns) / 1e9, f"missing: {cause}"


def _said(stretch: Stretch) -> Iterator[Note]:
    """Rhythms, arrhythmias and alarms when they began."""
    for event in stretch.events(["rhythm", "event", "alarm"]):
        match event.kind, event.body:
            case "rhythm", {"label": str(label), "end_ns": None}:
                text = f"rhythm: {BY_RHYTHM.get(label, label)}"
            case "event", {"name": str(name)}:
                text = f"event: {BY_EVENT.get(name, name)}"
            case "alarm", {"kind": "began", "row": str(row)}:
                text = f"alarm: {row}"
            case _:
                continue
        yield (event.t_ns - stretch.t0_ns) / 1e9, None, text


def _patient(known: Mapping[str, Any] | None, coded: Mapping[str, Any] | None) -> str:
    """Without a name where `known` is None; the id of `coded` stays: it names nobody by itself."""
    code = _field((coded or {}).get("patient_id"))
    if known is None:
        return f"{code} X X X"
    born = known.get("birth_date")
    sex = {"m": "M", "f": "F"}.get(str(known.get("gender") or "")[:1].lower(), "X")
    return (
        f"{code} {sex} {_dated(date.fromisoformat(born)) if born else 'X'} {_field(known.get('full_name'))}"
    )


def _dated(day: date | datetime) -> str:
    return f"{day.day:02d}-{_MONTHS[day.month - 1]}-{day.year}"


def _field(text: object) -> str:
    """A part of EDF+'s patient or recording: spaces are underscores, and what is not known is X."""
    return ascii_of(str(text or "")).strip().replace(" ", "_")[:_LONGEST_FIELD] or "X"
