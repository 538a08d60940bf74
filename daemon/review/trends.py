"""Trends: what was measured of a bed over an hour or a month, in buckets of lowest, median and highest value.

A number is a row a second, so a month of a bed is tens of millions of rows, found by time alone. Where the span holds more
than are read in about a second, of each bucket one stretch is read, a minute at least (whatever is measured is said once a
minute), and the answer says which share was looked at: short peaks may then be missing from the band, alarms never are.
Of a bucket that two patients share only the values of the later one stand in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.control.review import BandTold, MissingTold, SeriesTold, StayTold, TrendAsked, TrendTold
from daemon.model.signals import Nanos
from daemon.review import line_of_time
from daemon.review.gaps import SETTLED_NS, losses
from daemon.review.line_of_time import MS
from daemon.review.load import Span
from daemon.store.places import span as places
from daemon.store.reader import Reader

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_ROWS = 500_000
"""Rows looked at in one answer, about."""

LEAST_S = 60.0
"""What is measured at all is said once in so long (dsp/ecg/measures/telling.py); older numbers are thinned to that (store/dropping.py)."""

PROBED_S = 120
PVC_RATE = 0
"""Id of the series that is counted from beats: ventricular beats a minute."""

VENTRICULAR = "V"
JOINED = ("heart_rate", "rr_interval")
"""What is counted in the best lead of the moment is one series, whichever lead that was; its id is the first of theirs."""

EVERY_BEAT = (
    "heart_rate",
    "rr_interval",
    "pr_interval",
    "qrs_duration",
    "qt_interval",
    "qtc_bazett",
    "qtc_fridericia",
    "qtc_framingham",
    "qtc_hodges",
    "pulse_rate",
)
BEAT_STANDS_S, DEVICE_STANDS_S, ANALYSED_STANDS_S = 5.0, 15.0, 66.0
"""What is said with every beat, by a device, or at least once a minute stands so long; then the line is broken."""

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Buckets:
    """`n` equal buckets from `from_ns` (UTC); of each the first `read_ns` are read."""

    from_ns: int
    to_ns: int
    n: int
    read_ns: int

    @property
    def step_ns(self) -> float:
        return (self.to_ns - self.from_ns) / self.n

    def windows(self, span: Span) -> Iterator[tuple[Nanos, Nanos]]:
        """What is read of a boot, in its own time."""
        if self.read_ns >= self.step_ns:
            yield span.t0_ns, span.t1_ns
            return
        first = int((span.t0_ns + span.utc_offset_ns - self.from_ns) // self.step_ns)
        last = int((span.t1_ns + span.utc_offset_ns - self.from_ns) // self.step_ns)
        for k in range(max(first, 0), min(last, self.n - 1) + 1):
            begin_ns = self.from_ns + round(k * self.step_ns) - span.utc_offset_ns
            t0_ns, t1_ns = max(begin_ns, span.t0_ns), min(begin_ns + self.read_ns, span.t1_ns)
            if t0_ns < t1_ns:
                yield t0_ns, t1_ns

    def of(self, utc_ns: Ints) -> Ints:
        """The bucket of each moment."""
        at: Ints = ((utc_ns - self.from_ns) / self.step_ns).astype(np.int64)
        return np.clip(at, 0, self.n - 1)


def trend(reader: Reader, asked: TrendAsked, now_ns: int) -> TrendTold:
    """The answer; nothing later than `now_ns` (UTC) is asked of the store."""
    from_ns, to_ns = line_of_time.ns(asked.from_ms), line_of_time.ns(asked.to_ms)
    recorded = line_of_time.recorded(reader, asked.bed, from_ns, min(to_ns, now_ns))
    boots = line_of_time.boots(recorded)
    stays = line_of_time.stays(reader, asked.bed, from_ns, min(to_ns, now_ns))
    buckets = _buckets(reader, asked, boots, from_ns, to_ns)
    known = series(reader, asked.bed)
    wanted = [one for one in known if one.id in asked.series]
    present = stays[-1:] if asked.patients == "present" else stays
    since_ns = line_of_time.ns(present[0].from_ms) if present and asked.patients == "present" else from_ns
    values = _values(reader, asked.bed, [one.id for one in wanted], boots, buckets)
    bands = [_band(one, *values[one.id], buckets, stays, since_ns) for one in wanted]
    marks, left_out = line_of_time.marks(reader, asked.bed, _since(boots, since_ns))
    since_ns = max(from_ns, since_ns)
    gaps = losses(reader, asked.bed, since_ns, max(since_ns, min(to_ns, now_ns - SETTLED_NS)))
    return TrendTold(
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        step_ms=buckets.step_ns / MS,
        points=buckets.n,
        read=min(1.0, buckets.read_ns / buckets.step_ns),
        clock=line_of_time.clock(reader, recorded),
        series=tuple(known),
        bands=tuple(bands),
        marks=tuple(marks),
        left_out=left_out,
        stays=tuple(stays),
        gaps=tuple(together(gaps, buckets.step_ns / MS)),
    )


def series(reader: Reader, bed: str) -> list[SeriesTold]:
    """Every measurement that was ever stored of a bed, by name; that of ventricular beats where any beat was."""
    rows = reader.db.execute(
        "SELECT s.id, name, lead, device, unit FROM series s JOIN bedsides b ON b.id = s.bed WHERE b.bed = ?"
        " ORDER BY name, lead, device",
        (bed,),
    )
    told: list[SeriesTold] = []
    for i, name, lead, device, unit in rows:
        if name in JOINED and not device:
            if any(one.name == name and not one.device for one in told):
                continue
            lead = ""  # noqa: PLW2901 - of whichever lead it was counted in
        told.append(SeriesTold(id=i, name=name, lead=lead, device=device, unit=unit))
    if any(one.name == "heart_rate" and not one.device for one in told):
        told.append(SeriesTold(id=PVC_RATE, name="pvc_rate", lead="", device="", unit="/min"))
    return told


def _buckets(reader: Reader, asked: TrendAsked, boots: Sequence[Span], from_ns: int, to_ns: int) -> Buckets:
    """As many as were asked for, and how much of each can be read."""
    rows_per_s = max((_rows_per_s(reader, span) for span in boots), default=0.0)
    span_s = sum(span.t1_ns - span.t0_ns for span in boots) / 1e9
    if rows_per_s * span_s <= MOST_ROWS:
        return Buckets(from_ns, to_ns, asked.points, to_ns - from_ns)
    n = max(2, min(asked.points, int(MOST_ROWS / (rows_per_s * LEAST_S))))
    read_s = max(LEAST_S, MOST_ROWS / (rows_per_s * n))
    return Buckets(from_ns, to_ns, n, round(read_s * 1e9))


def _rows_per_s(reader: Reader, span: Span) -> float:
    """How many numbers a second are stored of all beds, at the end of a span."""
    sql = "SELECT count(*) FROM metrics WHERE boot = (SELECT id FROM boots WHERE boot = ?) AND t_ns >= ? AND t_ns < ?"
    newest_ns = min(span.t1_ns, reader.newest_ns(span.boot))
    (count,) = reader.db.execute(sql, (span.boot, newest_ns - PROBED_S * 10**9, newest_ns)).fetchone()
    return float(count) / PROBED_S


def _values(
    reader: Reader, bed: str, wanted: Sequence[int], boots: Sequence[Span], buckets: Buckets
) -> dict[int, tuple[Ints, Floats]]:
    """Of each series its times (UTC) and values, NaN = absent."""
    found: dict[int, list[tuple[int, float | None]]] = {one: [] for one in wanted}
    members = _members(reader, bed, [one for one in wanted if one != PVC_RATE])
    sql = (
        "SELECT series, t_ns, value FROM metrics WHERE boot = (SELECT id FROM boots WHERE boot = ?)"
        " AND t_ns >= ? AND t_ns < ? AND series IN (SELECT value FROM json_each(?))"
    )
    asked = json.dumps(list(members))
    for span in boots:
        for t0_ns, t1_ns in buckets.windows(span):
            if members:
                for one, t_ns, value in reader.db.execute(sql, (span.boot, t0_ns, t1_ns, asked)):
                    found[members[one]].append((t_ns + span.utc_offset_ns, value))
            if PVC_RATE in found:
                found[PVC_RATE] += _ventricular(reader, bed, span, t0_ns, t1_ns)
    return {one: _columns(rows) for one, rows in found.items()}


def _members(reader: Reader, bed: str, wanted: Sequence[int]) -> dict[int, int]:
    """Ids of all that is read for the series that are wanted -> the series that it belongs to."""
    members = {one: one for one in wanted}
    for name in JOINED:
        rows = reader.db.execute(
            "SELECT s.id FROM series s JOIN bedsides b ON b.id = s.bed WHERE b.bed = ? AND name = ? AND device = ''",
            (bed, name),
        )
        own = [one for (one,) in rows]
        joined = next((one for one in own if one in members), None)
        if joined is not None:
            members |= dict.fromkeys(own, joined)
    return members


def _columns(rows: Sequence[tuple[int, float | None]]) -> tuple[Ints, Floats]:
    times = np.array([t for t, _ in rows], np.int64)
    values = np.array([np.nan if value is None else value for _, value in rows], np.float64)
    order = np.argsort(times, kind="stable")
    return times[order], values[order]


def _ventricular(
    reader: Reader, bed: str, span: Span, t0_ns: Nanos, t1_ns: Nanos
) -> list[tuple[int, float | None]]:
    """Ventricular beats of each minute in which beats were counted, at the minute's middle."""
    times: list[Nanos] = []
    labels: list[str] = []
    for segment in reader.segments(span.boot, t0_ns, t1_ns, bed=bed):
        low, high = places(segment.key)
        begin, end = reader.seek(segment, t0_ns), reader.seek(segment, t1_ns) + segment.chunk_n
        for t_ns, label in reader.db.execute(
            "SELECT t_ns, label FROM beats WHERE place >= ? AND place < ?", (max(low, begin), min(high, end))
        ):
            if t0_ns <= t_ns < t1_ns:
                times.append(t_ns)
                labels.append(label)
    minute_ns = round(LEAST_S * 1e9)
    at = (np.array(times, np.int64) - t0_ns) // minute_ns
    counts = np.bincount(at, weights=np.array([label == VENTRICULAR for label in labels], np.float64))
    out: list[tuple[int, float | None]] = []
    for minute in np.unique(at).tolist():
        begin_ns = t0_ns + minute * minute_ns
        lasted_ns = min(minute_ns, t1_ns - begin_ns)
        if lasted_ns >= minute_ns / 2:  # less is too short for a rate
            rate = float(counts[minute]) * minute_ns / lasted_ns
            out.append((begin_ns + lasted_ns // 2 + span.utc_offset_ns, rate))
    return out


def _band(
    series: SeriesTold,
    times: Ints,
    values: Floats,
    buckets: Buckets,
    stays: Sequence[StayTold],
    since_ns: int,
) -> BandTold:
    keep = times > since_ns  # what is said at a border was measured before it
    if len(stays) > 1:
        keep &= _later(times, buckets, stays)
    times, values = times[keep], values[keep]
    at = buckets.of(times)
    out = np.full((3, buckets.n), np.nan)
    last = _last(at, values, buckets.n)
    at, values = at[np.isfinite(values)], values[np.isfinite(values)]
    if len(values):
        order = np.lexsort((values, at))
        at, values = at[order], values[order]
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        ends = np.append(starts[1:], len(at))
        into = at[starts]
        out[0, into], out[2, into] = values[starts], values[ends - 1]
        out[1, into] = (values[(starts + ends - 1) // 2] + values[(starts + ends) // 2]) / 2
    stands = int(_stands_s(series) * 1e9 // buckets.step_ns)
    held = _held(last, stands, _edges(buckets, stays))
    empty = np.isnan(out[1])
    out[:, empty] = held[empty]
    low, mid, high = (tuple(None if np.isnan(v) else round(float(v), DIGITS) for v in row) for row in out)
    return BandTold(id=series.id, low=low, mid=mid, high=high)


def _last(at: Ints, values: Floats, n: int) -> Floats:
    """The last that was said in each bucket (n,): a value, infinity for "absent", NaN for nothing."""
    out = np.full(n, np.nan)
    out[at] = np.where(np.isnan(values), np.inf, values)  # in order of time: the last one stays
    return out


def _held(last: Floats, stands: int, edges: Sequence[int]) -> Floats:
    """Of each bucket the last value before it that stands still (n,), at most `stands` buckets long and not over an edge."""
    places = np.arange(len(last))
    said = np.maximum.accumulate(np.where(np.isnan(last), -1, places))
    border = np.zeros(len(last), np.int64)
    for edge in edges:
        border[edge:] = edge
    near = (said >= border) & (said >= 0) & (places - said <= stands)
    values = np.where(near, last[np.maximum(said, 0)], np.nan)
    return np.where(np.isinf(values), np.nan, values)


def _edges(buckets: Buckets, stays: Sequence[StayTold]) -> list[int]:
    """Buckets in which a stay after the first begins."""
    return [int(buckets.of(np.array([line_of_time.ns(one.from_ms)]))[0]) for one in stays[1:]]


def _stands_s(series: SeriesTold) -> float:
    """How long a number stands without being said again."""
    if series.name in EVERY_BEAT:
        return BEAT_STANDS_S
    return DEVICE_STANDS_S if series.device else ANALYSED_STANDS_S


def _later(times: Ints, buckets: Buckets, stays: Sequence[StayTold]) -> npt.NDArray[np.bool_]:
    """Which moments may stand in their bucket: those of the last stay that touches it."""
    edges = np.array([line_of_time.ns(one.from_ms) for one in stays], np.int64)
    stay = np.searchsorted(edges, times, side="left")
    ends = buckets.from_ns + ((buckets.of(times) + 1) * buckets.step_ns).astype(np.int64)
    last: npt.NDArray[np.bool_] = stay == np.searchsorted(edges, ends, side="left")
    return last


def _since(boots: Sequence[Span], since_ns: int) -> list[Span]:
    cut = [
        Span(one.boot, max(one.t0_ns, since_ns - one.utc_offset_ns), one.t1_ns, one.utc_offset_ns)
        for one in boots
    ]
    return [one for one in cut if one.t0_ns < one.t1_ns]


def together(gaps: Sequence[MissingTold], within_ms: float) -> list[MissingTold]:
    """Gaps of one stream that are closer than `within_ms` as one, by the cause of the longest; in order of time."""
    out: list[MissingTold] = []
    by_stream: dict[str, list[MissingTold]] = {}
    for gap in gaps:
        by_stream.setdefault(gap.stream, []).append(gap)
    for own in by_stream.values():
        run: list[MissingTold] = []
        ordered = sorted(own, key=lambda gap: gap.from_ms)
        for gap, following in zip(ordered, [*ordered[1:], None], strict=True):
            run.append(gap)
            if following is None or following.from_ms - max(one.to_ms for one in run) > within_ms:
                longest = max(run, key=lambda one: one.to_ms - one.from_ms)
                ends = {"from_ms": run[0].from_ms, "to_ms": max(one.to_ms for one in run)}
                out.append(MissingTold(stream=gap.stream, cause=longest.cause, **ends))
                run = []
    return sorted(out, key=lambda gap: gap.from_ms)
