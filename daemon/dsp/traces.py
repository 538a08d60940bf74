"""Waves of everything that is no ECG, for the screen: airway flow and pressure, pleth, breathing, tank pressure.

They are shown as they come, in the unit that people read, in hops of a tenth of a second counted from sample 0 of the
segment. What a board gives as bare counts around some level (impedance, light) loses that level by a high-pass, which is
named in `chain`. Light that came through a finger falls with each beat: it is drawn upside down, as a pleth goes, and only
where no oximeter draws one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.filters import Cascade, high_pass
from daemon.dsp.hops import Hop, Hops
from daemon.model.findings import DisplayBlock
from daemon.model.signals import Channel, Nanos, Quantity, SampleBlock, Segment, Stream

HOP_S = 0.1
MOST_STREAMS = 16
PLETH_HOLDS_NS: Nanos = 3_000_000_000
"""A pleth that was heard so lately stands for the light of another device."""


SHOWN = {
    Quantity.FLOW: 0.0,
    Quantity.AIRWAY_PRESSURE: 0.0,
    Quantity.PLETH: 0.0,
    Quantity.PPG_INFRARED: 0.5,
    Quantity.RESPIRATION: 0.1,
    Quantity.TANK_PRESSURE: 0.0,
}
"""Quantities that are drawn, and the cut-off of their high-pass in Hz (0 = none): below any pulse (30 bpm) or breath (6 /min)."""

INVERTED = frozenset({Quantity.PPG_INFRARED})
"""Quantities that are drawn upside down."""

READ_AS = {"L/s": ("L/min", 60.0)}
"""Unit of a channel -> unit on the screen, and the factor."""


def shown_rows(stream: Stream) -> list[int]:
    """Places of the channels that are drawn; light only where the stream has no pleth of its own."""
    quantities = [channel.quantity for channel in stream.channels]
    light = Quantity.PLETH not in quantities
    return [
        k
        for k, quantity in enumerate(quantities)
        if quantity in SHOWN and (light or quantity is not Quantity.PPG_INFRARED)
    ]


class TraceSegment:
    """The drawn channels of one segment. ValueError for a stream that has none."""

    def __init__(self, segment: Segment) -> None:
        rows = shown_rows(segment.stream)
        if not rows:
            raise ValueError("nothing of this stream is drawn")
        self.segment = segment
        self._channels = [segment.stream.channels[k] for k in rows]
        self._hops = Hops(segment, rows, None, HOP_S)
        self._cuts = [SHOWN[channel.quantity] for channel in self._channels]
        self._filters = {
            k: Cascade(self._hops.n, 1, high_pass(1, cut_hz, segment.stream.rate_hz))
            for k, cut_hz in enumerate(self._cuts)
            if 0 < cut_hz < segment.stream.rate_hz / 4
        }
        self._next: int | None = None
        self.has_pleth = any(channel.quantity is Quantity.PLETH for channel in self._channels)
        self.leads = tuple(channel.name for channel in self._channels)
        self.units = tuple(_read_as(channel)[0] for channel in self._channels)
        self.chain = tuple(
            f"{channel.name} ≥ {self._cuts[k]:g} Hz{', inverted' if channel.quantity in INVERTED else ''}"
            for k, channel in enumerate(self._channels)
            if k in self._filters
        )

    def push(self, block: SampleBlock, *, light: bool) -> list[DisplayBlock]:
        """The hops that the block completes; without `light`, channels of light are empty."""
        return [self._drawn(hop, block.period_ns, light=light) for hop in self._hops.push(block)]

    def _drawn(self, hop: Hop, period_ns: float, *, light: bool) -> DisplayBlock:
        values: npt.NDArray[np.float64] = np.empty_like(hop.values)
        restart = np.array([hop.number != self._next])
        self._next = hop.number + 1
        for k, channel in enumerate(self._channels):
            row, rails = hop.values[k], _rails(channel)
            x = np.clip(row, *rails)
            if k in self._filters:
                x = self._filters[k].step(x[:, None], restart if restart[0] else None)[:, 0]
            # A converter at its rail, or a count that it does not have, says nothing about the wave.
            hidden = (
                (row < rails[0])
                | (row > rails[1])
                | (not light and channel.quantity is Quantity.PPG_INFRARED)
            )
            sign = -1.0 if channel.quantity in INVERTED else 1.0
            values[k] = np.where(hidden, np.nan, sign * x * _read_as(channel)[1])
        return DisplayBlock(
            self.segment,
            hop.first,
            self._hops.time_of(hop.first),
            period_ns,
            hop.due_ns,
            self.leads,
            values.astype(np.float32),
            self.chain,
            self.units,
        )


class Traces:
    """The waves of a bed that are no ECG, stream by stream; a new segment of a stream begins it anew."""

    def __init__(self) -> None:
        self._streams: dict[str, TraceSegment | None] = {}
        self._pleth_ns: Nanos | None = None

    def push(self, block: SampleBlock) -> list[DisplayBlock]:
        """What the block completes."""
        stream = block.segment.stream
        known = self._streams.get(stream.id)
        if known is None or known.segment.id != block.segment.id:
            if not shown_rows(stream) or (
                stream.id not in self._streams and len(self._streams) >= MOST_STREAMS
            ):
                return []
            known = self._streams[stream.id] = TraceSegment(block.segment)
        end_ns = block.time_of(block.first + block.n)
        if known.has_pleth:
            self._pleth_ns = end_ns
        light = self._pleth_ns is None or end_ns - self._pleth_ns > PLETH_HOLDS_NS
        return known.push(block, light=light)


def _read_as(channel: Channel) -> tuple[str, float]:
    return READ_AS.get(channel.unit, (channel.unit, 1.0))


def _rails(channel: Channel) -> tuple[float, float]:
    """The converter's range in the channel's unit."""
    ends = [(count - channel.offset) * channel.gain for count in (channel.low, channel.high)]
    return min(ends), max(ends)
