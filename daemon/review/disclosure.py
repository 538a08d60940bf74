"""Full disclosure: every lead of every minute that is stored, row under row, as Holter pages show it.

Of each column of the screen the lowest and the highest value are sent, so that no beat is lost between two pixels. The line of
each row is levelled (a moving median of a second is taken off): rows are for finding; the strip that opens from a row is
filtered as the screen filters, and that is where one measures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.control.review import MOST_COLUMNS, DisclosureAsked, DisclosureTold
from daemon.dsp.leads import Montage
from daemon.model.signals import Nanos
from daemon.review import line_of_time
from daemon.review.gaps import SETTLED_NS, losses
from daemon.review.line_of_time import MS
from daemon.review.load import Span
from daemon.review.stored import segment_of
from daemon.review.trends import together
from daemon.store.answers import StoredSegment
from daemon.store.reader import Reader

Floats = npt.NDArray[np.float64]

NOTHING = -32768
"""Of both ends of a column: nothing is stored there."""

LEVEL_S = 1.0
MOST_UV = 32767.0
MOST_BEATS = 2000
HEADER = struct.Struct("<I")
_PLAIN = ("N", "/", "Q")
"""Classes of beats that are not marked one by one."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a page is drawn from; `columns` int16 (rows, leads, 2, width) in uV: lowest, then highest values."""

    told: DisclosureTold
    columns: npt.NDArray[np.int16]

    def encoded(self) -> bytes:
        """For a page: the length of the JSON (u32), the JSON with spaces up to an even place, the columns, little-endian."""
        told = self.told.model_dump_json().encode()
        told += b" " * (len(told) % 2)
        return HEADER.pack(len(told)) + told + self.columns.astype("<i2").tobytes()


def decode(body: bytes) -> Disclosure:
    """The inverse of `encoded`."""
    (length,) = HEADER.unpack_from(body)
    told = DisclosureTold.model_validate_json(body[HEADER.size : HEADER.size + length])
    shape = (told.rows, len(told.leads), 2, told.width)
    return Disclosure(told, np.frombuffer(body, "<i2", offset=HEADER.size + length).reshape(shape))


def disclosure(reader: Reader, asked: DisclosureAsked, now_ns: int) -> Disclosure:
    """Rows of a bed. Rows are left out at the end where there would be more columns than one answer may have."""
    from_ns = line_of_time.ns(asked.from_ms)
    row_ns = round(asked.row_s * 1e9)
    ends = _ends(reader, asked.bed)
    parts = list(_parts(reader, asked.bed, from_ns, from_ns + asked.rows * row_ns))
    available = max((montage.all for _, _, montage in parts), key=len, default=())
    leads = tuple(lead for lead in available if lead in asked.leads) or available
    rows = max(1, min(asked.rows, MOST_COLUMNS // (2 * asked.width * max(len(leads), 1))))
    to_ns = min(from_ns + rows * row_ns, max(now_ns, from_ns))
    columns = np.full((rows, len(leads), 2, asked.width), NOTHING, np.int16)
    for span, segment, montage in parts:
        for row in range(rows):
            _fill(reader, span, segment, montage, leads, columns[row], from_ns + row * row_ns, row_ns)
    recorded = line_of_time.recorded(reader, asked.bed, from_ns, to_ns)
    boots = line_of_time.boots(recorded)
    marks, left_out = line_of_time.marks(reader, asked.bed, boots)
    streams = {segment.stream for _, segment, _ in parts}
    lost = losses(reader, asked.bed, from_ns, max(from_ns, min(to_ns, now_ns - SETTLED_NS)))
    gaps = [gap for gap in lost if gap.stream in streams or not streams]
    told = DisclosureTold(
        from_ms=asked.from_ms,
        row_ms=row_ns / MS,
        rows=rows,
        width=asked.width,
        available=available,
        leads=leads,
        oldest_ms=None if ends is None else ends[0] / MS,
        newest_ms=None if ends is None else ends[1] / MS,
        clock=line_of_time.clock(reader, recorded),
        gaps=tuple(together(gaps, row_ns / MS / asked.width)),
        marks=tuple(marks),
        left_out=left_out,
        stays=tuple(line_of_time.stays(reader, asked.bed, from_ns, to_ns)),
        beats=tuple(_beats(reader, asked.bed, boots)),
        boots=tuple(
            (
                one.boot,
                (one.t0_ns + one.utc_offset_ns) / MS,
                (one.t1_ns + one.utc_offset_ns) / MS,
                one.utc_offset_ns / MS,
            )
            for one in boots
        ),
    )
    return Disclosure(told, columns)


def _ends(reader: Reader, bed: str) -> tuple[int, int] | None:
    """UTC of the first and the last sample of a bed that was recorded here."""
    found = line_of_time.recorded(reader, bed, 0, 2**62)
    if not found:
        return None
    last = found[-1]
    segments = reader.segments(last.boot, last.t0_ns, last.t1_ns, bed=bed)
    until_ns = max((one.stored_until_ns for one in segments), default=last.t0_ns)
    return found[0].t0_ns + found[0].utc_offset_ns, until_ns + last.utc_offset_ns


def _parts(
    reader: Reader, bed: str, from_ns: int, to_ns: int
) -> Iterator[tuple[Span, StoredSegment, Montage]]:
    """Segments of an ECG within a span of UTC; of several streams at once that with the most leads."""
    for span in line_of_time.boots(line_of_time.recorded(reader, bed, from_ns, to_ns)):
        found = []
        for segment in reader.segments(span.boot, span.t0_ns, span.t1_ns, bed=bed):
            montage = Montage.of(segment_of(segment).stream)
            if montage is not None:
                found.append((span, segment, montage))
        most = max((len(montage.all) for _, _, montage in found), default=0)
        yield from (one for one in found if len(one[2].all) == most)


def _fill(
    reader: Reader,
    span: Span,
    segment: StoredSegment,
    montage: Montage,
    leads: Sequence[str],
    row: npt.NDArray[np.int16],
    from_ns: int,
    row_ns: int,
) -> None:
    """The columns of one row, int16 (leads, 2, width), from one segment."""
    t0_ns = max(from_ns - span.utc_offset_ns, span.t0_ns)
    t1_ns = min(from_ns + row_ns - span.utc_offset_ns, span.t1_ns)
    if t0_ns >= t1_ns or segment.began_ns >= t1_ns or segment.stored_until_ns <= t0_ns:
        return
    width = row.shape[2]
    index = [montage.all.index(lead) for lead in leads if lead in montage.all]
    into_leads = [k for k, lead in enumerate(leads) if lead in montage.all]
    for trace in reader.read(span.boot, t0_ns, t1_ns, bed=segment.bed, stream=segment.stream):
        if trace.segment.key != segment.key or not trace.present.any():
            continue
        uv = 1000.0 * montage.every(montage.millivolts(trace.counts))[index][:, trace.present]
        times = trace.times_ns()[trace.present]
        column = np.clip((times + span.utc_offset_ns - from_ns) * width // row_ns, 0, width - 1)
        starts = np.flatnonzero(np.diff(column, prepend=-1))
        low = np.minimum.reduceat(uv, starts, axis=1)
        high = np.maximum.reduceat(uv, starts, axis=1)
        sizes = np.diff(starts, append=len(column))
        level = _level(
            np.add.reduceat(uv, starts, axis=1) / sizes, max(3, round(LEVEL_S * 1e9 * width / row_ns))
        )
        into = column[starts]
        for lead, k in enumerate(into_leads):
            row[k, 0, into] = np.rint(np.clip(low[lead] - level[lead], -MOST_UV, MOST_UV))
            row[k, 1, into] = np.rint(np.clip(high[lead] - level[lead], -MOST_UV, MOST_UV))


def _level(mean: Floats, width: int) -> Floats:
    """Moving median of the columns' means over `width` of them (leads, n), the ends repeated."""
    half = width // 2
    padded = np.pad(mean, ((0, 0), (half, half)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)
    return np.asarray(np.median(windows, axis=2))


def _beats(reader: Reader, bed: str, boots: Sequence[Span]) -> list[tuple[float, str]]:
    """Beats that are not normal, by time in ms of UTC."""
    found: list[tuple[float, str]] = []
    for span in boots:
        t0_ns: Nanos = span.t0_ns
        found += [
            ((beat.t_ns + span.utc_offset_ns) / MS, beat.label)
            for beat in reader.beats(span.boot, t0_ns, span.t1_ns, bed=bed)
            if beat.label not in _PLAIN
        ]
    return found[:MOST_BEATS]
