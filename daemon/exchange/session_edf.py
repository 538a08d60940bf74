"""A session's waveforms as EDF+ (16 bits) or BDF+ (24 bits), count for count.

Every stream is laid on the grid of its nominal rate: a segment begins at the sample nearest to its time, and goes on without
another one missing or twice. What is missing has the digital minimum (one below every sample, where there is room), and an
annotation says from when to when and why.
Rhythms, arrhythmias and alarms are annotations too.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from daemon.model.arrhythmias import BY_EVENT, BY_RHYTHM
from daemon.model.signals import Channel, Nanos, Quantity
from daemon.store.reader import ask
from daemon.store.recorded import RecordedSession

if TYPE_CHECKING:
    import edfio

MOST_VALUES = 100_000_000
"""One file holds no more (7 hours of 8 leads at 500 Hz): longer sessions are exported in parts."""

SLICE_NS: Nanos = 60_000_000_000
"""Read at once: nothing is held for long that would keep the -wal from shrinking."""

_LONGEST_FIELD = 30
"""Patient and recording have 80 letters each, for all of their parts."""

Format = Literal["edf", "bdf"]
_LOWEST = {"edf": -(2**15), "bdf": -(2**23)}


class NotExportable(Exception):
    """The session cannot be had in this format; the text says why and what can be done."""


@dataclass(slots=True)
class _Grid:
    """One stream: its samples by place in the file, int32 (channels, n), and where the segment at hand lies."""

    channels: tuple[Channel, ...]
    rate_hz: float
    counts: npt.NDArray[np.int32]
    present: npt.NDArray[np.bool_]
    shifts: dict[str, int] = field(default_factory=dict)
    until: int = 0


def write_edf(
    database: Path,
    session: RecordedSession,
    to: Path,
    form: Format,
    *,
    start_s: float = 0.0,
    end_s: float = math.inf,
    named: bool = True,
) -> int:
    """Write seconds `start_s` .. `end_s` of the session; the number of samples (of all channels) in the file.

    `named`: with the patient's name. Raises `NotExportable`, sqlite3.Error, OSError.
    """
    import edfio

    ended_ns = session.ended_ns if session.ended_ns is not None else _now(database, session)
    t0_ns = session.began_ns + round(start_s * 1e9)
    t1_ns = min(ended_ns, session.began_ns + (round(end_s * 1e9) if math.isfinite(end_s) else 2**62))
    if t1_ns <= t0_ns:
        raise NotExportable("the session has nothing in this span")
    grids: dict[str, _Grid] = {}
    gaps: dict[tuple[Nanos, Nanos, str], None] = {}
    lowest = _LOWEST[form]
    step_s = _step_s(database, session, t0_ns, t1_ns)
    seconds = step_s * math.ceil((t1_ns - t0_ns) / 1e9 / step_s)
    for slice_ns in range(t0_ns, t1_ns, SLICE_NS):
        _read(
            database, session, slice_ns, min(slice_ns + SLICE_NS, t1_ns), t0_ns, seconds, lowest, grids, gaps
        )
    if not grids:
        raise NotExportable("the session has no samples in this span")
    signals: list[Any] = list(_signals(form, grids, lowest))
    notes = [*_missing(gaps, t0_ns, t1_ns), *_said(database, session, t0_ns, t1_ns)]
    began = datetime.fromtimestamp((t0_ns + session.utc_offset_ns) / 1e9, UTC)
    annotations = [
        edfio.EdfAnnotation(onset, duration, text) for onset, duration, text in sorted(notes, key=_onset)
    ]
    file = (edfio.Edf if form == "edf" else edfio.Bdf)(
        signals,
        patient=_patient(session.patient if named else None, session.patient),
        recording=edfio.Recording(
            startdate=began.date() if began.year >= 1985 else None,
            equipment_code=_field(session.device),
            additional=(session.name,),
        ),
        starttime=began.time(),
        data_record_duration=1.0 if all(float(g.rate_hz).is_integer() for g in grids.values()) else None,
        annotations=annotations or [edfio.EdfAnnotation(0, None, "no annotation")],
    )
    file.write(to)
    return sum(int(grid.present.sum()) * len(grid.channels) for grid in grids.values())


def _step_s(database: Path, session: RecordedSession, t0_ns: Nanos, t1_ns: Nanos) -> int:
    """The fewest seconds that hold a whole number of samples of every stream: signals of a file end together."""
    segments = ask(database, lambda r: r.segments(session.boot, t0_ns, t1_ns, bed=session.bed))
    rates = {segment.rate_hz for segment in segments}
    fitting = (k for k in range(1, 61) if all(math.isclose(r * k, round(r * k), abs_tol=1e-6) for r in rates))
    return next(fitting, 1)


def _read(
    database: Path,
    session: RecordedSession,
    from_ns: Nanos,
    to_ns: Nanos,
    t0_ns: Nanos,
    seconds: int,
    lowest: int,
    grids: dict[str, _Grid],
    gaps: dict[tuple[Nanos, Nanos, str], None],
) -> None:
    """A slice of every stream of the bed into its grid."""
    for trace in ask(database, lambda r: r.read(session.boot, from_ns, to_ns, bed=session.bed)):
        for missing in trace.missing:
            gaps[missing.t0_ns, missing.t1_ns, missing.cause] = None
        if not trace.counts.shape[1]:
            continue
        key = f"{trace.segment.stream} {trace.segment.rate_hz} {trace.channels}"
        grid = grids.get(key)
        if grid is None:
            n = math.ceil(seconds * trace.segment.rate_hz)
            if (sum(g.counts.size for g in grids.values()) + n * len(trace.channels)) > MOST_VALUES:
                raise NotExportable("the span is too long for one file: export it in parts (--start, --end)")
            empty = np.full((len(trace.channels), n), lowest, np.int32)
            grid = grids[key] = _Grid(trace.channels, trace.segment.rate_hz, empty, np.zeros(n, np.bool_))
        _place(
            grid, trace.segment.id, trace.first, int(trace.times_ns()[0]) - t0_ns, trace.counts, trace.present
        )


def _place(
    grid: _Grid,
    segment: str,
    first: int,
    after_ns: Nanos,
    counts: npt.NDArray[np.int32],
    present: npt.NDArray[np.bool_],
) -> None:
    """Samples `first` .. of a segment, the first of them `after_ns` after the beginning of the file."""
    if segment not in grid.shifts:
        grid.shifts[segment] = max(round(after_ns * grid.rate_hz / 1e9), grid.until) - first
    at = grid.shifts[segment] + first
    n = min(counts.shape[1], grid.counts.shape[1] - at)
    if n <= 0:
        return
    there = present[:n]
    grid.counts[:, at : at + n][:, there] = counts[:, :n][:, there]
    grid.present[at : at + n] |= there
    grid.until = at + n


def _signals(
    form: Format, grids: Mapping[str, _Grid], lowest: int
) -> Iterator[edfio.EdfSignal | edfio.BdfSignal]:
    import edfio

    highest = -lowest - 1
    for grid in grids.values():
        if grid.counts.min() < lowest or grid.counts.max() > highest:
            raise NotExportable("the samples have more bits than the format: take bdf")
        for channel, row in zip(grid.channels, grid.counts, strict=True):
            # As narrow as the samples are: the header has eight letters for each end, and they are to be worth something.
            there = row[grid.present]
            bottom = max(int(there.min()) - 1, lowest)
            top = max(int(there.max()), bottom + 1)
            row[~grid.present] = bottom
            ends = [(end - channel.offset) * channel.gain for end in (bottom, top)]
            label = f"ECG {channel.name}" if channel.quantity is Quantity.ECG else channel.name
            kind, word = (edfio.EdfSignal, np.int16) if form == "edf" else (edfio.BdfSignal, np.int32)
            yield kind.from_digital(
                row.astype(word),
                grid.rate_hz,
                label=_ascii(label)[:16],
                physical_dimension=_ascii(channel.unit)[:8],
                physical_range=(ends[0], ends[1]),
                digital_range=(bottom, top),
            )


def _missing(
    gaps: Mapping[tuple[Nanos, Nanos, str], None], t0_ns: Nanos, t1_ns: Nanos
) -> Iterator[tuple[float, float, str]]:
    for begin_ns, end_ns, cause in gaps:
        begin, end = max(begin_ns, t0_ns), min(end_ns, t1_ns)
        if begin < end:
            yield (begin - t0_ns) / 1e9, (end - begin) / 1e9, f"missing: {cause}"


def _said(
    database: Path, session: RecordedSession, t0_ns: Nanos, t1_ns: Nanos
) -> Iterator[tuple[float, None, str]]:
    """Rhythms, arrhythmias and alarms when they began."""
    kinds = ["rhythm", "event", "alarm"]
    events = ask(database, lambda r: r.events(session.boot, t0_ns, t1_ns, bed=session.bed, kinds=kinds))
    for event in events:
        match event.kind, event.body:
            case "rhythm", {"label": str(label), "end_ns": None}:
                text = f"rhythm: {BY_RHYTHM.get(label, label)}"
            case "event", {"name": str(name)}:
                text = f"event: {BY_EVENT.get(name, name)}"
            case "alarm", {"kind": "began", "row": str(row)}:
                text = f"alarm: {row}"
            case _:
                continue
        yield (event.t_ns - t0_ns) / 1e9, None, text


def _onset(note: tuple[float, float | None, str]) -> float:
    return note[0]


def _patient(known: Mapping[str, Any] | None, coded: Mapping[str, Any] | None) -> edfio.Patient:
    """Without a name where `known` is None; the id of `coded` stays: it names nobody by itself."""
    import edfio

    code = _field((coded or {}).get("patient_id"))
    if known is None:
        return edfio.Patient(code=code)
    born = known.get("birth_date")
    sex = {"m": "M", "f": "F"}.get(str(known.get("gender") or "")[:1].lower(), "X")
    return edfio.Patient(
        code=code,
        sex=sex,  # type: ignore[arg-type]  # one of its three letters
        birthdate=date.fromisoformat(born) if born else None,
        name=_field(known.get("full_name")),
    )


def _ascii(text: str) -> str:
    """EDF's header is ASCII without control characters: accents fall off, other letters become question marks."""
    parts = [letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)]
    bare = "".join(parts).encode("ascii", "replace").decode()
    return "".join(letter for letter in bare if " " <= letter <= "~")


def _field(text: object) -> str:
    """A part of EDF+'s patient or recording: spaces are underscores, and what is not known is X."""
    return _ascii(str(text or "")).strip().replace(" ", "_")[:_LONGEST_FIELD] or "X"


def _now(database: Path, session: RecordedSession) -> Nanos:
    """The end of what is stored of a session that goes on."""
    segments = ask(database, lambda r: r.segments(session.boot, session.began_ns, 2**62, bed=session.bed))
    return max((s.stored_until_ns for s in segments), default=session.began_ns)
