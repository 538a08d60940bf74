"""What a twelve-lead page shows, from the store: the stretch, its leads through the filters of the screen, what was measured and concluded.

The stretch is the one that was asked for; else the last one that was concluded from; else the last that is whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from daemon.control.reports import ReportAsked, StatementMade
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.leads import Montage
from daemon.model.signals import Nanos, Quantity
from daemon.reports.job import NotMakeable
from daemon.reports.quantities import criterion
from daemon.reports.whose import Whose
from daemon.review.stored import segment_of
from daemon.review.strip import strip
from daemon.store.answers import StoredSegment
from daemon.store.reader import Reader
from daemon.words import say

S: Nanos = 1_000_000_000
MEASURED_WITHIN_NS: Nanos = 60 * S
"""Numbers are printed where they were said no longer than this before the page begins."""

HELD_BACK_NS: Nanos = 200_000_000
"""The filters give the last samples of a segment only when more come: a page ends so much before it does."""

STEP_BACK_NS: Nanos = 2 * S
MOST_STEPS = 900

NUMBERS = (
    "heart_rate",
    "rr_interval",
    "pr_interval",
    "qrs_duration",
    "qt_interval",
    "qtc_bazett",
    "qtc_fridericia",
    "p_axis",
    "qrs_axis",
    "t_axis",
    "sdnn",
    "rmssd",
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Leads from `t0_ns` on: `values` float32 (leads, n) in mV, NaN where nothing is stored. `chain`: the filters, as applied.

    `samples`: what is printed, by segment: (its id, first, last). `sha256`: over the stored counts of all channels of these samples.
    """

    t0_ns: Nanos
    t1_ns: Nanos
    period_ns: float
    leads: tuple[str, ...]
    values: npt.NDArray[np.float32]
    chain: tuple[str, ...]
    rate_hz: float
    resolution_uv: float
    samples: tuple[tuple[str, int, int], ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Numbers by name (None: could not be measured), the ST level at J by lead in mV, statements, and which rule made them."""

    numbers: Mapping[str, float | None]
    st_mv: Mapping[str, float | None]
    statements: tuple[StatementMade, ...]
    exchanged: bool
    rule: str


def stretch(reader: Reader, whose: Whose, seconds: float) -> Stretch:
    """Raises `NotMakeable` where no ECG is stored."""
    asked = whose.job.asked
    segments = _segments(reader, whose)
    begin_ns = _begin(reader, whose, segments, seconds)
    end_ns = begin_ns + round(seconds * S)
    mains = asked.mains_hz if asked.mains_hz is not None else whose.job.box.mains.get(whose.bed, 50)
    settings = DisplaySettings(asked.mode, cast("Literal[0, 50, 60]", mains if mains in {0, 50, 60} else 0))
    drawn = strip(reader, whose.boot, whose.bed, begin_ns, settings, load_qrs_table())
    if not drawn.leads:
        raise NotMakeable(say("report.no_ecg"))
    first, n = round((begin_ns - drawn.t0_ns) / drawn.period_ns), round((end_ns - begin_ns) / drawn.period_ns)
    values = drawn.values[:, first : first + n]
    if not np.isfinite(values).any():
        raise NotMakeable(say("report.no_ecg"))
    digest, samples, of = hashlib.sha256(), [], segments[-1]
    for segment in segments:
        for trace in reader.read(whose.boot, begin_ns, end_ns, bed=whose.bed, stream=segment.stream):
            if trace.segment.id == segment.id and trace.counts.shape[1]:
                digest.update(np.ascontiguousarray(trace.counts, dtype="<i4").tobytes())
                samples.append((segment.id, trace.first, trace.first + trace.counts.shape[1] - 1))
                of = segment
    gain_mv = next(c.gain for c in of.channels if c.quantity is Quantity.ECG)
    return Stretch(
        begin_ns,
        end_ns,
        drawn.period_ns,
        drawn.leads,
        values,
        drawn.chain,
        of.rate_hz,
        1000 * abs(gain_mv),
        tuple(samples),
        digest.hexdigest(),
    )


def _segments(reader: Reader, whose: Whose) -> list[StoredSegment]:
    """Those of the stream with the most leads, in order."""
    leads: dict[str, int] = {}
    found = reader.segments(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed)
    for segment in found:
        montage = Montage.of(segment_of(segment).stream)
        if montage is not None:
            leads[segment.stream] = len(montage.measured)
    if not leads:
        raise NotMakeable(say("report.no_ecg"))
    best = max(leads, key=lambda stream: leads[stream])
    return [segment for segment in found if segment.stream == best]


def _begin(reader: Reader, whose: Whose, segments: Sequence[StoredSegment], seconds: float) -> Nanos:
    asked = whose.job.asked
    if asked.at_ms:
        at_ns = round(asked.at_ms * 1e6) - whose.session.utc_offset_ns
        if not whose.t0_ns <= at_ns < whose.t1_ns:
            raise NotMakeable(say("report.outside"))
        return at_ns
    length_ns = round(seconds * S)
    earliest = max(whose.t0_ns, segments[0].began_ns)
    last_ns = min(whose.t1_ns, segments[-1].stored_until_ns) - HELD_BACK_NS
    said = reader.events(whose.boot, whose.t0_ns, whose.t1_ns, bed=whose.bed, kinds=["conclusions"])
    for event in reversed(said):
        begin_ns = min(event.t_ns, last_ns) - length_ns
        if (
            event.body["statements"]
            and begin_ns >= earliest
            and _whole(reader, segments, begin_ns, length_ns)
        ):
            return begin_ns
    latest = last_ns - length_ns
    for step in range(MOST_STEPS):
        begin_ns = latest - step * STEP_BACK_NS
        if begin_ns < earliest:
            break
        if _whole(reader, segments, begin_ns, length_ns):
            return begin_ns
    return max(latest, earliest)


def _whole(reader: Reader, segments: Sequence[StoredSegment], begin_ns: Nanos, length_ns: Nanos) -> bool:
    """Whether one segment has all of it."""
    end_ns = begin_ns + length_ns
    for segment in segments:
        if segment.began_ns <= begin_ns and end_ns <= segment.stored_until_ns + S:
            return not reader.gaps_of(segment, begin_ns, end_ns)
    return False


def measured(reader: Reader, whose: Whose, begin_ns: Nanos, end_ns: Nanos) -> Measured:
    """What was last said up to the end of the page, and not long before it."""
    from_ns = max(begin_ns - MEASURED_WITHIN_NS, whose.t0_ns)
    numbers: dict[str, float | None] = dict.fromkeys(NUMBERS)
    st: dict[str, float | None] = {}
    for one in reader.metrics(whose.boot, from_ns, end_ns, bed=whose.bed, names=[*NUMBERS, "st_j"]):
        if one.device:
            continue
        if one.name == "st_j":
            st[one.lead] = one.value
        else:
            numbers[one.name] = one.value
    said = reader.events(whose.boot, from_ns, end_ns + S, bed=whose.bed, kinds=["conclusions"])
    body: Mapping[str, Any] = said[-1].body if said else {}
    statements = tuple(_made(one) for one in body.get("statements", ()))
    exchanged = any(one.key.startswith("limb_lead_reversal") for one in statements)
    return Measured(numbers, st, statements, exchanged, str(body.get("evidence", {}).get("rule", "")))


def _made(statement: Mapping[str, Any]) -> StatementMade:
    key = str(statement["key"])
    return StatementMade(
        key=key, text=say(f"statement.{key}"), criteria=tuple(criterion(one) for one in statement["criteria"])
    )


def seconds_of(asked: ReportAsked) -> tuple[float, int]:
    """How much is printed, and on how many pages: ten seconds, or all that a page holds."""
    page = 250.0 / float(asked.speed_mm_s)
    pages = max(1, round(10.0 / page))
    return pages * page, pages
