"""The strip around an alarm: stored samples through the filters of the screen, as wave frames that a page draws like live ones."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

import numpy as np

from daemon.control.waves import encode_waves
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.trees import QrsTable
from daemon.dsp.filters import Floats
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import DisplayBlock
from daemon.model.signals import LeadState, Nanos, SampleBlock, Segment, Stream
from daemon.review.stored import blocks, happenings
from daemon.store.reader import Reader

BEFORE_NS: Nanos = 10_000_000_000
AFTER_NS: Nanos = 20_000_000_000
SETTLE_NS: Nanos = 10_000_000_000
"""Filters run over so much before the strip begins: three time constants of the slowest."""

DELAYED_NS: Nanos = 1_000_000_000
"""More than the filters and their hops hold back."""

MOST_A_FRAME = 30_000


@dataclass(frozen=True, slots=True)
class Strip:
    """All leads from `t0_ns` to `t1_ns` around `t_ns`: values float32 (leads, n) in mV, NaN where nothing is stored.

    `beats`: (time, class, segment, sample). `chain` names the filters, as printed. Without any stored sample there are no leads.
    """

    t_ns: Nanos
    t0_ns: Nanos
    t1_ns: Nanos
    period_ns: float
    leads: tuple[str, ...]
    values: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    chain: tuple[str, ...]
    beats: tuple[tuple[Nanos, str, str, int], ...]

    def encoded(self) -> bytes:
        """For a page: each part with its length before it (u32, little-endian); first JSON, then wave frames."""
        facts = {"t_ns": self.t_ns, "t0_ns": self.t0_ns, "t1_ns": self.t1_ns, "leads": self.leads}
        told = json.dumps({**facts, "chain": self.chain, "beats": self.beats}).encode()
        segment = Segment("", "", Stream("", "", 1e9 / self.period_ns, ()), "", 1, self.t0_ns)
        parts = [told]
        for first in range(0, self.values.shape[1], MOST_A_FRAME):
            values = np.ascontiguousarray(self.values[:, first : first + MOST_A_FRAME])
            t_ns = self.t0_ns + round(first * self.period_ns)
            when = (first, t_ns, self.period_ns, t_ns)
            parts.append(encode_waves(0, DisplayBlock(segment, *when, self.leads, values, self.chain)))
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def strip(
    reader: Reader, boot: str, bed: str, t_ns: Nanos, settings: DisplaySettings, table: QrsTable
) -> Strip:
    """From 10 s before `t_ns` to 20 s after it, or as far as there is something."""
    t0_ns, t1_ns = t_ns - BEFORE_NS, t_ns + AFTER_NS
    from_ns = t0_ns - SETTLE_NS
    items: list[tuple[Nanos, SampleBlock | LeadState]] = [
        (block.arrived_ns, block)
        for trace in reader.read(boot, from_ns, t1_ns + DELAYED_NS, bed=bed)
        for block in blocks(trace)
    ]
    told = happenings(reader, boot, bed, from_ns, t1_ns)
    items += [(due_ns, one) for due_ns, one in told if isinstance(one, LeadState)]
    pipeline = Pipeline(table, settings)
    drawn: list[DisplayBlock] = []
    for _, item in sorted(items, key=lambda due: due[0]):
        drawn += [
            found for found in pipeline.push(item) if isinstance(found, DisplayBlock) and not found.units
        ]
    beats = tuple(
        (beat.t_ns, beat.label, beat.segment, beat.sample)
        for beat in reader.beats(boot, t0_ns, t1_ns, bed=bed)
    )
    if not drawn:
        nothing = np.zeros((0, 0), np.float32)
        return Strip(t_ns, t0_ns, t1_ns, 1e9, (), nothing, (), beats)
    names, period_ns = drawn[-1].leads, drawn[-1].period_ns
    values = _placed([one for one in drawn if one.leads == names], t0_ns, t1_ns, period_ns)
    return Strip(t_ns, t0_ns, t1_ns, period_ns, names, values, drawn[-1].chain, beats)


def _placed(
    drawn: list[DisplayBlock], t0_ns: Nanos, t1_ns: Nanos, period_ns: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Blocks of one or several segments on one line of time."""
    n = round((t1_ns - t0_ns) / period_ns)
    values: Floats = np.full((len(drawn[0].leads), n), np.nan)
    offsets: dict[
        str, int
    ] = {}  # of a segment: its samples stay neighbours, whatever the fits say of each block
    for one in drawn:
        at = round((one.t0_ns - t0_ns) / period_ns)
        begin = offsets.setdefault(one.segment.id, at - one.first) + one.first
        part = one.values[:, max(-begin, 0) : max(n - begin, 0)]
        begin = max(begin, 0)
        values[:, begin : begin + part.shape[1]] = part
    return values.astype(np.float32)
