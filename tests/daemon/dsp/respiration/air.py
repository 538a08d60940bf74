"""Airflow made by hand: breaths of a known size and shape, pressure, leak, and what a bed's analysis says of them."""

from __future__ import annotations

import numpy as np

from daemon.dsp.beside import Beside
from daemon.model.findings import Event, Metric
from daemon.model.signals import Channel, Quantity, SampleBlock, Segment, Stream

S = 1_000_000_000
FLOW = Channel("flow", Quantity.FLOW, "L/s", 0.0005)
PRESSURE = Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.005)
LEAK = Channel("leak", Quantity.LEAK, "L/s", 0.001)


def segment(rate_hz=25.0, channels=(FLOW, PRESSURE), device="cpap", number=1, began_s=0.0):
    stream = Stream(device, "flow", rate_hz, tuple(channels))
    return Segment(f"{device}-{number}", "1", stream, "boot", number, round(began_s * S))


def breath(rate_hz, volume_l=0.5, period_s=4.0, share_in=0.4, flat=0.0):
    """Flow of one breath: in as half a sine (`flat` 1: a plateau with steep flanks), out the same volume as a decay."""
    n = round(period_s * rate_hz)
    n_in = round(share_in * n)
    t = (np.arange(n_in) + 0.5) / n_in
    plateau = np.minimum(np.minimum(t, 1 - t) / 0.06, 1.0)
    inward = (1 - flat) * np.sin(np.pi * t) + flat * plateau
    out = np.exp(-(np.arange(n - n_in) + 0.5) / (0.28 * (n - n_in)))
    inward *= volume_l * rate_hz / inward.sum()
    return np.concatenate([inward, -volume_l * rate_hz / out.sum() * out])


def breaths(rate_hz, seconds, **of):
    one = breath(rate_hz, **of)
    return np.tile(one, int(np.ceil(seconds * rate_hz / len(one))))[: round(seconds * rate_hz)]


def still(rate_hz, seconds):
    return np.zeros(round(rate_hz * seconds))


def blocks(of, values, cuts=(), first=0, lost=()):
    """Blocks of physical values (channels, n), cut at these samples; samples first .. stop of `lost` never come."""
    counts = np.stack([np.rint(row / c.gain) for row, c in zip(values, of.stream.channels, strict=True)])
    counts = counts.astype(np.int32)
    period_ns = S / of.stream.rate_hz
    edges = sorted({0, counts.shape[1], *cuts, *(edge for gap in lost for edge in gap)})
    for at, stop in zip(edges, edges[1:], strict=False):
        if any(gap[0] <= at < gap[1] for gap in lost):
            continue
        part, number = np.ascontiguousarray(counts[:, at:stop]), first + at
        t0_ns = of.began_ns + round(number * period_ns)
        yield SampleBlock(of, number, t0_ns, period_ns, part, t0_ns + round((stop - at) * period_ns))


def said(items, bed=None):
    bed = bed or Beside()
    return [finding for item in items for finding in bed.push(item)]


def events(findings, *names):
    found = [f for f in findings if isinstance(f, Event)]
    return [f for f in found if f.name in names] if names else found


def values(findings, name, from_s=0.0, to_s=1e9):
    return np.array(
        [
            f.value
            for f in findings
            if isinstance(f, Metric)
            and f.name == name
            and f.value is not None
            and from_s * S <= f.t_ns < to_s * S
        ]
    )


def number(event, name):
    return next(value for key, value, _ in event.numbers if key == name)
