"""The pulse in a pleth or arterial pressure wave: its rate, and how far it can be trusted.

An oximeter's own pleth goes up with each beat as a pressure does. The light of a raw photoplethysmogram dips, for blood takes it; boards
and recordings give either under that name, so it is turned over where its falls are clearly steeper than its rises: a beat
comes fast and goes slowly.

Every half second the last 14 s are looked at, in means of about 20 ms. A pulse is a steep rise: the sum of the rises within
128 ms (Zong 2003), its peaks at least 270 ms apart and 0.4 of the usual ones. What is said is how regular the rises are and
how alike in size; a pulse that stays away is none at once, so that a heart that stops is not held up by what was before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.ring import Ring
from daemon.model.findings import LIVE_STEP_NS, Evidence, Finding, Metric, Why
from daemon.model.signals import Channel, Counts, Nanos, Quantity, SampleBlock, Segment, Stream

Floats = npt.NDArray[np.float64]

RULE = "pulse/2"
NAME, UNIT = "pulse_rate", "bpm"
QUALITY = "pleth_quality"
MEAN_HZ, EVERY_S, SPAN_S, SLOWEST_HZ = 50.0, 0.5, 14.0, 25.0
SMOOTH_S, RISE_S, REFRACTORY_S, SHARE = 0.1, 0.128, 0.27, 0.4
RISES_A_PULSE = 1.5
LEAST, COUNTED, RATED = 5, 12, 4  # pulses: to say anything, for the quality, intervals for the rate
LATE, LATE_S = 1.5, 0.2  # of the usual interval, and s: then the next pulse has stayed away
STEEPER, STEEPEST = 1.5, 0.03  # falls against rises, of the share of the steepest of each
LIGHT = {Quantity.PPG_INFRARED, Quantity.PPG_RED}
SPREAD_RR, SPREAD_SIZE, STEEP = 0.25, 0.40, 4.0
VENOUS = ("cvp", "rap", "icp")  # pressures whose waves are not those of an artery


def pulses(x: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Places (samples) and sizes of the steep rises of x (n,), in order; none where there are more rises than pulses."""
    smooth = max(round(SMOOTH_S * rate_hz), 1)
    width = max(round(RISE_S * rate_hz), 1)
    sums = np.concatenate([[0.0], x]).cumsum()
    even = (sums[smooth:] - sums[:-smooth]) / smooth
    rises = np.concatenate([np.zeros(width), np.maximum(np.diff(even), 0.0)]).cumsum()
    steep = rises[width:] - rises[:-width]
    middle = steep[1:-1]
    tops = np.flatnonzero((middle >= steep[:-2]) & (middle > steep[2:])) + 1
    order = tops[np.argsort(-steep[tops], kind="stable")]
    kept: list[int] = []
    for top in order.tolist():
        if all(abs(top - other) >= REFRACTORY_S * rate_hz for other in kept):
            kept.append(top)
    at = np.array(sorted(kept), dtype=np.int64)
    if not len(at):
        return np.zeros(0), np.zeros(0)
    size = steep[at]
    usual = float(np.median(size[size > 0.25 * np.quantile(size, 0.9)])) if size.max() > 0 else 0.0
    bar = max(SHARE * usual, 1e-9)
    real = size > bar
    if (steep[tops] > bar).sum() > RISES_A_PULSE * real.sum():
        return np.zeros(0), np.zeros(0)  # a hum: what stands apart by the least distance alone is no pulse
    return at[real] + smooth - 1.0, size[real]


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a channel shows: rate (None: no pulse now), quality 0 .. 1."""

    bpm: float | None
    quality: float


NONE = Pulse(None, 0.0)


def dips(x: Floats, rate_hz: float) -> bool:
    """Whether x (n,) falls with each beat: its falls are clearly steeper than its rises."""
    smooth = max(round(SMOOTH_S * rate_hz), 1)
    if len(x) <= smooth + 1:
        return False
    slopes = x[smooth:] - x[:-smooth]
    down, up = np.quantile(slopes, [STEEPEST, 1 - STEEPEST])
    return bool(-down > STEEPER * up > 0)


def judge(x: Floats, rate_hz: float) -> Pulse:
    """The pulse at the end of x (n,). Quality falls with the spread of intervals and of sizes, each over its mean."""
    at, size = pulses(x, rate_hz)
    at, size = at[-COUNTED:], size[-COUNTED:]
    if len(at) < LEAST:
        return NONE
    rr = np.diff(at) / rate_hz
    since_s = (len(x) - 1 - at[-1]) / rate_hz
    if since_s > LATE * float(np.median(rr)) + LATE_S:
        return NONE
    doubt = STEEP * (rr.std() / rr.mean() - SPREAD_RR) + STEEP * (size.std() / size.mean() - SPREAD_SIZE)
    return Pulse(60.0 / float(rr[-RATED:].mean()), float(1.0 / (1.0 + np.exp(doubt))))


def is_pulse(channel: Channel) -> bool:
    """Whether a channel shows the pulse of an artery."""
    if channel.quantity is Quantity.PRESSURE:
        return not channel.name.lower().startswith(VENOUS)
    return channel.quantity in {Quantity.PPG_INFRARED, Quantity.PPG_RED, Quantity.PLETH}


def has_pulse(stream: Stream) -> bool:
    """Whether a stream shows a pulse, sampled often enough."""
    return stream.rate_hz >= SLOWEST_HZ and any(is_pulse(channel) for channel in stream.channels)


def pulse_rank(stream: Stream) -> tuple[float, ...] | None:
    """Of two streams the one with the greater rank is followed: an oximeter's pleth first. None: no pulse in it."""
    if not has_pulse(stream):
        return None
    return (float(any(channel.quantity is Quantity.PLETH for channel in stream.channels)),)


class PulseSegment:
    """The pulse waves of one segment; the best of its channels speaks. ValueError for a stream that shows none."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        rate_hz = segment.stream.rate_hz
        self._rows = [k for k, channel in enumerate(segment.stream.channels) if is_pulse(channel)]
        if not has_pulse(segment.stream):
            raise ValueError("no pulse wave, or too few samples of it")
        self._light = [segment.stream.channels[k].quantity in LIGHT for k in self._rows]
        self._pleth = [segment.stream.channels[k].quantity is Quantity.PLETH for k in self._rows]
        self._gain = np.array([[segment.stream.channels[k].gain] for k in self._rows])
        self._of = max(round(rate_hz / MEAN_HZ), 1)  # samples that a mean is taken of
        self._mean_hz = rate_hz / self._of
        self._span = round(SPAN_S * self._mean_hz)
        self._every = max(round(EVERY_S * self._mean_hz), 1)
        self._next: int | None = None

    def _restart(self, first: int) -> int:
        """Begin (again) with the first whole mean from sample `first` on; the sample that it begins with."""
        mean = -(-first // self._of)
        self._means = Ring(len(self._rows), 4096)
        self._means.begin(mean, np.zeros((len(self._rows), 0)))
        self._rest: Counts = np.zeros((len(self._rows), 0), dtype=np.int32)
        self._decision = mean // self._every + 1
        return mean * self._of

    def push(self, block: SampleBlock) -> list[Finding]:
        """Take the next block: the pulse at each half second that it completes, and how good a pleth is."""
        counts, first = block.counts[self._rows], block.first
        if self._next is None or first > self._next:
            self._next = self._restart(first)
        counts = counts[:, max(self._next - first, 0) :]
        if not counts.shape[1]:
            return []
        self._next += counts.shape[1]
        held = np.concatenate([self._rest, counts], axis=1)
        n = held.shape[1] // self._of * self._of
        means = held[:, :n].reshape(len(held), -1, self._of).mean(axis=2) * self._gain
        self._rest = held[:, n:]
        said: list[Finding] = []
        for at in range(0, means.shape[1], self._span):  # so that what is held stays bounded
            self._means.append(means[:, at : at + self._span])
            said += self._decide(block)
            self._means.forget(self._means.end - 2 * self._span)
        return said

    def _decide(self, block: SampleBlock) -> list[Finding]:
        said: list[Finding] = []
        while self._decision * self._every <= self._means.end:
            stop = self._decision * self._every
            self._decision += 1
            x = self._means.view(max(stop - self._span, self._means.first), stop)
            found = [
                self._judge(row, is_light=is_light) for row, is_light in zip(x, self._light, strict=True)
            ]
            best = max(found, key=lambda pulse: pulse.quality)
            last = stop * self._of - 1
            pulse = self._metric(best, block.time_of(last), last)
            said.append(pulse)
            pleth = [one.quality for one, is_pleth in zip(found, self._pleth, strict=True) if is_pleth]
            if pleth:
                said.append(replace(pulse, name=QUALITY, value=max(pleth), unit="1", why=None))
        return said

    def _judge(self, x: Floats, *, is_light: bool) -> Pulse:
        if len(x) <= 2:
            return NONE
        return judge(-x if is_light and dips(x, self._mean_hz) else x, self._mean_hz)

    def _metric(self, pulse: Pulse, t_ns: Nanos, last: int) -> Metric:
        due_ns = -(-t_ns // LIVE_STEP_NS) * LIVE_STEP_NS
        first = max(last - round(SPAN_S * self.segment.stream.rate_hz), 0)
        evidence = None if pulse.bpm is None else Evidence(self.segment.id, first, last, RULE)
        why = Why.NO_BEATS if pulse.bpm is None else None
        return Metric(t_ns, due_ns, NAME, pulse.bpm, UNIT, why, "", pulse.quality, evidence)
