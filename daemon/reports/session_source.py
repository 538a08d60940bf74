"""What a session report tells, from the store: numbers in columns of time, beats, rhythms, alarms, and how good the signal was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from daemon.model.signals import Nanos, Quantity
from daemon.reports.whose import Whose
from daemon.store.answers import Missing, StoredEvent
from daemon.store.occurrences import Occurrence
from daemon.store.places import around
from daemon.store.reader import Reader

Floats = npt.NDArray[np.float64]

S: Nanos = 1_000_000_000
TRENDS = (
    "heart_rate",
    "spo2",
    "pulse_rate",
    "respiration_rate",
    "cpap_pressure",
    "cpap_leak",
    "o2_purity",
    "o2_flow",
)
"""What is drawn over time, as far as it was measured."""

NEWEST_GRADES = 200
"""So many events on the signal are looked at for the one that stood when a session began: each lead has its own."""

QUIET = frozenset({"N", "SARRH", "SBR", "STACH"})
"""Rhythms that are no arrhythmia to be counted."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Columns of equal length: the median in each, the lowest and the highest; NaN where nothing was measured."""

    name: str
    unit: str
    middle: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Beats:
    """All beats: time (ns of the boot), class, RR before it in ms (NaN: not known)."""

    t_ns: npt.NDArray[np.int64]
    label: npt.NDArray[np.str_]
    rr_ms: Floats

    @property
    def normal_pairs(self) -> npt.NDArray[np.bool_]:
        """Where this beat and the one before are normal and nothing lies between them: its RR is an NN interval."""
        good = (self.label == "N") & np.isfinite(self.rr_ms)
        before = np.concatenate([[False], self.label[:-1] == "N"])
        gap_ms = np.concatenate([[np.inf], np.diff(self.t_ns) / 1e6])
        pairs: npt.NDArray[np.bool_] = good & before & (np.abs(gap_ms - self.rr_ms) < 0.2 * self.rr_ms)
        return pairs


@dataclass(frozen=True, slots=True)
class Stretch:
    """A rhythm that lasted from `t0_ns` to `t1_ns`."""

    label: str
    t0_ns: Nanos
    t1_ns: Nanos

    @property
    def seconds(self) -> float:
        return (self.t1_ns - self.t0_ns) / 1e9


def trends(
    reader: Reader, bed: str, boot: str, t0_ns: Nanos, t1_ns: Nanos, n: int, names: Sequence[str] = TRENDS
) -> list[Trend]:
    """Those of `names` that have any value, in `n` columns."""
    series = reader.db.execute(
        "SELECT series.id, name, unit FROM series JOIN bedsides ON bedsides.id = series.bed WHERE bedsides.bed = ?"
        " AND name IN (SELECT value FROM json_each(?))",
        (bed, json.dumps(list(names))),
    ).fetchall()
    known = {row[0]: (row[1], row[2]) for row in series}
    rows = reader.db.execute(
        "SELECT t_ns, series, value FROM metrics WHERE boot = (SELECT id FROM boots WHERE boot = ?) AND t_ns >= ? AND t_ns < ?"
        " AND value IS NOT NULL AND series IN (SELECT value FROM json_each(?))",
        (boot, t0_ns, t1_ns, json.dumps(list(known))),
    )
    found: dict[str, tuple[list[int], list[float], str]] = {}
    for t_ns, which, value in rows:
        name, unit = known[which]
        times, values, _ = found.setdefault(name, ([], [], unit))
        times.append(t_ns)
        values.append(value)
    step = (t1_ns - t0_ns) / n
    out = []
    for name in names:
        if name not in found:
            continue
        times, values, unit = found[name]
        at = np.minimum(((np.array(times) - t0_ns) / step).astype(np.int64), n - 1)
        out.append(Trend(name, unit, *_columns(at, np.array(values), n)))
    return out


def _columns(at: npt.NDArray[np.int64], values: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    order = np.argsort(at, kind="stable")
    at, values = at[order], values[order]
    middle, low, high = (np.full(n, np.nan) for _ in range(3))
    edges = np.flatnonzero(np.diff(at)) + 1
    for part in np.split(np.arange(len(at)), edges):
        if len(part):
            column, inside = at[part[0]], values[part]
            middle[column], low[column], high[column] = np.median(inside), inside.min(), inside.max()
    return middle, low, high


def beats(reader: Reader, whose: Whose) -> Beats:
    """All beats of the session, in order of time."""
    rows: list[tuple[int, str, float | None]] = []
    for segment in reader.segments(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed):
        low, high = around(reader.db, segment.key, whose.t0_ns, whose.t1_ns)
        rows += reader.db.execute(
            "SELECT t_ns, label, rr_ms FROM beats WHERE place >= ? AND place < ? AND t_ns >= ? AND t_ns < ? ORDER BY place",
            (low, high, whose.t0_ns, whose.t1_ns),
        ).fetchall()
    rows.sort(key=lambda row: row[0])
    return Beats(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], dtype="U1"),
        np.array([np.nan if row[2] is None else row[2] for row in rows], np.float64),
    )


def rhythms(events: Sequence[StoredEvent], until_ns: Nanos) -> list[Stretch]:
    """Each rhythm once, with the end that was said last; one that has none went on to the end."""
    found: dict[tuple[int, str], Nanos | None] = {}
    for event in events:
        if event.kind == "rhythm":
            end = event.body.get("end_ns")
            found[event.t_ns, str(event.body["label"])] = int(end) if isinstance(end, int) else None
    return [
        Stretch(label, t_ns, min(until_ns if end is None else end, until_ns))
        for (t_ns, label), end in sorted(found.items())
    ]


def alarms(reader: Reader, whose: Whose) -> list[Occurrence]:
    """The alarms that were shown for themselves, tests left out."""
    found = reader.log.between(whose.bed, whose.boot, whose.t0_ns, whose.t1_ns)
    return [one for one in found if not one.covered_by and not one.row.startswith("test_")]


def graded_before(reader: Reader, whose: Whose) -> list[StoredEvent]:
    """What was last said of the signal before the session began: it stands until something else is said."""
    kinds = ["quality"]
    return reader.events(whose.boot, 0, whose.t0_ns, bed=whose.bed, kinds=kinds, newest=NEWEST_GRADES)


def quality(events: Sequence[StoredEvent], t0_ns: Nanos, t1_ns: Nanos) -> Mapping[str, float]:
    """Seconds by grade of all leads together; `events` from before the session too."""
    said = [
        (e.t_ns, str(e.body["grade"]))
        for e in events
        if e.kind == "quality" and e.body.get("lead") == "global"
    ]
    told: Counter[str] = Counter()
    for (t_ns, grade), (next_ns, _) in pairwise([*said, (t1_ns, "")]):
        told[grade] += max(0, min(next_ns, t1_ns) - max(t_ns, t0_ns))
    return {grade: ns / 1e9 for grade, ns in told.items()}


def recorded(reader: Reader, whose: Whose) -> tuple[float, list[Missing]]:
    """Seconds of ECG that are stored (of anything, where there is none), and what is missing within."""
    segments = reader.segments(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed)
    ecg = [s for s in segments if any(c.quantity is Quantity.ECG for c in s.channels)] or segments
    streams = {s.stream for s in ecg}
    best = 0.0
    for stream in streams:
        of = [s for s in ecg if s.stream == stream]
        spans = sum(min(s.stored_until_ns, whose.t1_ns) - max(s.began_ns, whose.t0_ns) for s in of) / 1e9
        lost = sum(g.t1_ns - g.t0_ns for s in of for g in reader.gaps_of(s, whose.t0_ns, whose.t1_ns)) / 1e9
        best = max(best, spans - lost)
    gaps = [gap for s in ecg for gap in reader.gaps_of(s, whose.t0_ns, whose.t1_ns)]
    return best, gaps
