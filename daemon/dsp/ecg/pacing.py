"""Pulses of a pacemaker, from the signal alone.

A pulse lasts 0.5 to 2 ms. A front end of 500 Hz shows it as one or two samples, an old tape (mitdb) as a bump of 10 ms; either
is narrower than any wave of a heart. So a spike is a narrow bump that rises out of quiet and is not followed by something as
steep: a small Q or R wave at the beginning of a narrow QRS is, the wide beat that a pulse makes is not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.clusters import CLUSTERS
from daemon.dsp.ecg.ring import Ring

Floats = npt.NDArray[np.float64]

SLOWEST_HZ = 240.0  # below, a pulse and a narrow R wave are the same two samples
SIDE_S, FOOT_S = 0.008, 0.020  # where a bump is lower by half, and where it is over
HOP_S = 0.16
LOW_MV = 0.08  # of the fall on both sides within SIDE_S; what is lower is not looked at
QUIET_S = (-0.050, -0.014)  # before the bump; its median is the level that the bump rises from
RISE_S = -0.012  # by here nothing of the bump has risen
AFTER_S = (0.010, 0.110)  # where a QRS as steep as the bump would stand
SIZE_MV, RISEN, UNQUIET, BODY, STEEP = 0.1, 0.35, 0.25, 0.25, 1.0
# At half its height: the samples that a filter spreads a pulse over, and no less or more than the times.
WIDTH_SAMPLES, WIDTH_S = 4.3, (0.006, 0.012)
SAME_S = 0.015  # bumps closer together, in whatever leads, are one pulse (the tape of mitdb shifts its leads by 10 ms)
SEEN_IN = 2  # leads, where there are more than two
TINY = 1e-9

PULSE_S = (-0.150, 0.025)  # of the middle of its QRS: where the pulse of a ventricle stands
REMEMBERED, AGREEING, AGREE_S = (
    16,
    2,
    0.025,
)  # of so many beats so many others have their pulse as long before
PROVEN = 0.15  # share of a shape's beats that show a pulse from which the shape is a paced one
SHARE_MIN = 1 / 32
WIDE_S = 0.13  # half-height width of the envelope; the pulse of a ventricle makes a wide beat


@dataclass(frozen=True, slots=True)
class Spike:
    """A pacing pulse: input sample number from 0, the lead (row) it is largest in, and its height there in mV, with its sign."""

    sample: int
    lead: int
    mv: float


class PacingSpikes:
    """Finds pulses in `leads` signals of `rate_hz`; under SLOWEST_HZ it finds none."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        self._rate_hz = rate_hz
        self._side, self._foot, self._hop = (max(1, round(at * rate_hz)) for at in (SIDE_S, FOOT_S, HOP_S))
        self._wide = float(np.clip(WIDTH_SAMPLES, WIDTH_S[0] * rate_hz, WIDTH_S[1] * rate_hz))
        self._before = max(round(-QUIET_S[0] * rate_hz), self._foot + self._side)
        self._after = max(round(AFTER_S[1] * rate_hz), self._foot) + self._side
        self._seen_in = SEEN_IN if leads > SEEN_IN else 1
        self._x = Ring(leads, 4096)
        self._next = self._before + self._foot
        self._last = -self._before

    @property
    def ahead(self) -> int:
        """Samples after a pulse that must have come before it is said, at most."""
        return self._hop + self._foot + self._after

    def push(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> list[Spike]:
        """Take the next samples: mV (leads, n) and whether each can be used. Give the pulses that have become certain."""
        if self._rate_hz < SLOWEST_HZ:
            return []
        # What cannot be used is no number, and with no number no comparison holds.
        self._x.append(np.where(usable & np.isfinite(mv), mv, np.nan))
        hops = (self._x.end - self._next - self._foot - self._after) // self._hop
        if hops < 1:
            return []
        spikes = self._search(self._next, self._next + hops * self._hop)
        self._next += hops * self._hop
        self._x.forget(self._next - self._before - self._foot)
        return spikes

    def _search(self, first: int, stop: int) -> list[Spike]:
        """The pulses of whole hops, samples `first` .. `stop` - 1."""
        side, foot = self._side, self._foot
        x = self._x.view(first - foot - side, stop + foot + side)
        middle = x[:, side:-side]
        left, right = middle - x[:, : -2 * side], middle - x[:, 2 * side :]
        # How far it falls on both sides, or rises from a trough; nothing on a slope.
        tall = np.where(left * right > 0.0, np.minimum(np.abs(left), np.abs(right)), 0.0)
        lead, at = np.nonzero(tall[:, foot:-foot] > LOW_MV)
        if not len(at):
            return []
        near = tall[lead[:, None], at[:, None] + np.arange(2 * foot + 1)]
        top = near.argmax(axis=1) == foot
        if not top.any():
            return []
        lead, at = lead[top], at[top]
        is_pulse, mv = self._judge(lead, at + first, np.sign(left[lead, at + foot]))
        lead, at, mv = lead[is_pulse], at[is_pulse], mv[is_pulse]
        hops = at // self._hop  # each by itself, however many come at once
        return [
            spike
            for hop in sorted(set(hops.tolist()))
            for spike in self._merged(lead[hops == hop], at[hops == hop] + first, mv[hops == hop])
        ]

    def _judge(
        self, lead: npt.NDArray[np.int64], at: npt.NDArray[np.int64], sign: Floats
    ) -> tuple[npt.NDArray[np.bool_], Floats]:
        """Whether each bump is a pulse (k,), and its height in mV (k,)."""
        before, foot, side, rate = self._before, self._foot, self._side, self._rate_hz
        first, stop = int(at.min()) - before, int(at.max()) + self._after + 1
        place = (at - first - before)[:, None] + np.arange(before + 1 + self._after)
        y = self._x.view(first, stop)[lead[:, None], place] * sign[:, None]
        quiet = y[:, before + round(QUIET_S[0] * rate) : before + round(QUIET_S[1] * rate) + 1]
        top = y[:, before]
        level = np.sort(quiet, axis=1)[:, quiet.shape[1] // 2]
        height = np.maximum(top - level, TINY)
        ground = np.maximum(y[:, before - foot], y[:, before + foot])
        body = top - ground
        step = np.abs(y[:, side:] - y[:, :-side])
        own = step[:, before - foot : before + side].max(axis=1)
        later = step[:, before + round(AFTER_S[0] * rate) : before + round(AFTER_S[1] * rate)].max(axis=1)
        is_pulse = (
            (height > SIZE_MV)
            & (np.abs(y[:, before + round(RISE_S * rate)] - level) < RISEN * height)
            & (np.ptp(quiet, axis=1) < UNQUIET * height)
            & (body > BODY * height)
            & (self._width(y, top - body / 2) < self._wide)
            & (later < STEEP * own)
        )
        return is_pulse, height * sign

    def _width(self, y: Floats, half: Floats) -> Floats:
        """Samples (k,) that a bump is over `half` of its body, between samples by a straight line."""
        foot, before = self._foot, self._before
        width = np.zeros(len(y))
        rows = np.arange(len(y))
        for run in (y[:, before : before + foot + 1], y[:, before - foot : before + 1][:, ::-1]):
            below = run <= half[:, None]
            k = np.where(below.any(axis=1), below.argmax(axis=1), foot)
            above, under = run[rows, np.maximum(k - 1, 0)], run[rows, k]
            width += k - 1 + np.clip((above - half) / np.maximum(above - under, TINY), 0.0, 1.0)
        return width

    def _merged(
        self,
        lead: npt.NDArray[np.int64],
        at: npt.NDArray[np.int64],
        mv: Floats,
    ) -> list[Spike]:
        """One spike for all leads that show a pulse at about the same time."""
        same = round(SAME_S * self._rate_hz)
        spikes = []
        for k in np.lexsort((-np.abs(mv), at)):
            together = np.abs(at - at[k]) <= same
            if at[k] - self._last <= same or len(set(lead[together].tolist())) < self._seen_in:
                continue
            best = int(np.flatnonzero(together)[np.abs(mv[together]).argmax()])
            self._last = int(at[best])
            spikes.append(Spike(self._last, int(lead[best]), float(mv[best])))
        return spikes


class Pulses:
    """The pulses of the last seconds, to be asked for by the beats that they made."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        self._rate_hz = rate_hz
        self._spikes = PacingSpikes(rate_hz, leads)
        self._known: deque[int] = deque()

    def push(self, mv: npt.NDArray[np.float32], usable: npt.NDArray[np.bool_]) -> None:
        """Take the next samples: mV (leads, n) and whether each can be used."""
        self._known.extend(spike.sample for spike in self._spikes.push(mv, usable))

    def of(self, at: int) -> float | None:
        """Where the pulse of the beat with its middle at input sample `at` stands, s from there; older pulses are let go."""
        first, stop = (at + round(place * self._rate_hz) for place in PULSE_S)
        while self._known and self._known[0] < first:
            self._known.popleft()
        last = None
        for sample in self._known:
            if sample > stop:
                break
            last = sample
        return None if last is None else (last - at) / self._rate_hz


class PacedShapes:
    """Which of the patient's shapes a pacemaker makes: those whose beats show a pulse, again and again at the same place."""

    def __init__(self) -> None:
        self._places: deque[float | None] = deque(maxlen=REMEMBERED)
        self._share = np.zeros(CLUSTERS)
        self._beats = np.zeros(CLUSTERS)

    def learn(self, shape: int, pulse_s: float | None, *, new: bool, early: bool, width_s: float) -> bool:
        """Take a beat of cluster `shape` (`new`: its first; `width_s`: its mean) with its pulse; True: it is paced.

        A pulse may be too small to see in one beat of a paced shape; not in an `early` one, for a pacemaker waits.
        """
        if new:
            self._share[shape] = self._beats[shape] = 0.0
        agreeing = 0
        if pulse_s is not None:
            agreeing = sum(abs(place - pulse_s) < AGREE_S for place in self._places if place is not None)
        pulsed = agreeing >= AGREEING
        self._places.append(pulse_s)
        self._beats[shape] += 1
        share = max(SHARE_MIN, 1 / self._beats[shape])
        self._share[shape] += share * (pulsed - self._share[shape])
        return bool(width_s > WIDE_S and self._share[shape] > PROVEN and (pulsed or not early))
