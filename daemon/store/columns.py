"""The zoomed-out view: lowest and highest value of every column, from the envelopes where columns are wide.

Where columns are narrower than two bins every sample is looked at; above, each bin (about a second of samples) goes
wholly into the column in which it begins. A minute without an envelope row is taken from its chunks, by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from daemon.model.signals import Channel, Counts, Nanos
from daemon.store import codec, envelope
from daemon.store.answers import Columns, StoredSegment
from daemon.store.places import span
from daemon.store.reader import Reader, chosen

Part = tuple[npt.NDArray[np.floating[Any]], Counts, Counts]
"""Times in ns (n,), lowest and highest counts (channels of the stream, n)."""


def columns(
    reader: Reader,
    boot: str,
    t0_ns: Nanos,
    t1_ns: Nanos,
    count: int,
    *,
    bed: str | None = None,
    stream: str | None = None,
    channels: Sequence[str] | None = None,
) -> Columns:
    """`count` >= 1 columns over t0_ns .. t1_ns. A channel name that several segments have is one channel of the answer."""
    width_ns = (t1_ns - t0_ns) / count
    low: dict[str, npt.NDArray[np.float32]] = {}
    high: dict[str, npt.NDArray[np.float32]] = {}
    found: dict[str, Channel] = {}
    step_ns = 0
    for segment in reader.segments(boot, t0_ns, t1_ns, bed=bed, stream=stream):
        index = chosen(segment, channels)
        if not index:
            continue
        bin_ns = round(segment.chunk_n * 1e9 / segment.rate_hz)
        by_bins = width_ns >= 2 * bin_ns
        step_ns = max(step_ns, bin_ns if by_bins else 0)
        parts = _bins(reader, segment, t0_ns, t1_ns) if by_bins else _samples(reader, segment, t0_ns, t1_ns)
        chosen_channels = tuple(segment.channels[i] for i in index)
        lows, highs = _physical(chosen_channels, *_extremes(index, parts, t0_ns, width_ns, count))
        for row, channel in enumerate(chosen_channels):
            name = channel.name
            found.setdefault(name, channel)
            low[name] = np.fmin(low[name], lows[row]) if name in low else lows[row]
            high[name] = np.fmax(high[name], highs[row]) if name in high else highs[row]
    empty = np.zeros((0, count), np.float32)
    return Columns(
        tuple(found.values()),
        t0_ns,
        t1_ns,
        np.stack([low[name] for name in found]) if found else empty,
        np.stack([high[name] for name in found]) if found else empty,
        step_ns,
    )


def _samples(reader: Reader, segment: StoredSegment, t0_ns: Nanos, t1_ns: Nanos) -> Iterator[Part]:
    """Every sample, as its own lowest and highest."""
    begin, end = reader.seek(segment, t0_ns), span(segment.key)[1]
    for fit, n, counts in reader.chunks(segment, begin, end, t1_ns):
        if counts is not None:
            yield fit.t0_ns + np.arange(n) * fit.period_ns, counts, counts


def _bins(reader: Reader, segment: StoredSegment, t0_ns: Nanos, t1_ns: Nanos) -> Iterator[Part]:
    """Every bin, from envelope rows, and from chunks wherever no row is."""
    low, beyond = span(segment.key)
    chunk_n = segment.chunk_n
    at = low + envelope.row_span(reader.seek(segment, t0_ns) - low, chunk_n)
    for place, bins, row_t0_ns, period_ns, crc32, coding, data in reader.envelope_rows(segment, at):
        if row_t0_ns >= t1_ns:
            break
        try:
            lows, highs = envelope.decode(data, len(segment.channels), bins, crc32, coding)
        except codec.Damaged:
            continue  # the chunks have it still
        yield from _bins_of_chunks(reader, segment, at, place, t1_ns)
        yield row_t0_ns + np.arange(bins) * (chunk_n * period_ns), lows, highs
        at = place + bins * chunk_n
    yield from _bins_of_chunks(reader, segment, at, beyond, t1_ns)


def _bins_of_chunks(
    reader: Reader, segment: StoredSegment, begin: int, end: int, t1_ns: Nanos
) -> Iterator[Part]:
    for fit, _, counts in reader.chunks(segment, begin, end, t1_ns) if begin < end else ():
        if counts is not None:
            into_bin = fit.first % segment.chunk_n
            bin_t_ns = np.array([fit.t0_ns - into_bin * fit.period_ns])
            yield bin_t_ns, counts.min(axis=1, keepdims=True), counts.max(axis=1, keepdims=True)


def _extremes(
    index: list[int], parts: Iterator[Part], t0_ns: Nanos, width_ns: float, count: int
) -> tuple[Counts, Counts]:
    """Lowest and highest counts per column, int32 (len(index), count); lowest above highest where there is nothing."""
    low = np.full((len(index), count), envelope.NONE_LOW, np.int32)
    high = np.full((len(index), count), envelope.NONE_HIGH, np.int32)
    for t_ns, lows, highs in parts:
        column = np.floor((t_ns - t0_ns) / width_ns).astype(np.intp)  # never decreases
        begin, end = np.searchsorted(column, (0, count))
        if begin == end:
            continue
        starts = begin + np.flatnonzero(np.diff(column[begin:end], prepend=-1))
        into = column[starts]
        low[:, into] = np.minimum(low[:, into], np.minimum.reduceat(lows[index, :end], starts, axis=1))
        high[:, into] = np.maximum(high[:, into], np.maximum.reduceat(highs[index, :end], starts, axis=1))
    return low, high


def _physical(
    channels: Sequence[Channel], low: Counts, high: Counts
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Extremes in the channels' units, float32, NaN where there is nothing."""
    gain = np.array([c.gain for c in channels])[:, None]
    offset = np.array([c.offset for c in channels])[:, None]
    ends = [
        np.where(low <= high, (counts - offset) * gain, np.nan).astype(np.float32) for counts in (low, high)
    ]
    # A negative gain turns the lowest count into the highest value.
    return np.minimum(*ends), np.maximum(*ends)
