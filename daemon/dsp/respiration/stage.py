"""The breathing of one segment of airflow: seconds in, findings out.

Whole seconds of the segment go through the stages in their order, in about 25 means a second; what they let be said is due
with the end of their second. Flow is smoothed over 0.24 s, a period of the 4 Hz that devices press with. Breaths and what
follows from them are the segment's; the night is the bed's and outlives it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from daemon.dsp.hops import Hop, Hops
from daemon.dsp.respiration.breaths import Breath, Breaths
from daemon.dsp.respiration.channels import Airflow
from daemon.dsp.respiration.disturbed import LARGE_LEAK_LPM, Disturbances, Disturbed
from daemon.dsp.respiration.leak import LPM, SHORT_S, Leak, MaskCurve
from daemon.dsp.respiration.limited import LimitedRuns
from daemon.dsp.respiration.night import SECOND_NS, Night
from daemon.dsp.respiration.periodic import Periodic, PeriodicBreathing
from daemon.dsp.respiration.rates import Rates
from daemon.dsp.respiration.said import Telling
from daemon.dsp.respiration.snore import SLOWEST_HZ as SNORE_HZ
from daemon.dsp.respiration.snore import Snore
from daemon.dsp.respiration.therapy import SILENT_S, Therapy, Turned
from daemon.model.findings import Finding, Why
from daemon.model.signals import Nanos, SampleBlock, Segment

Floats = npt.NDArray[np.float64]

MEAN_HZ, SECOND_S = 25.0, 1.0
SMOOTH_S = 0.24
KEEPS_S = 10  # of a gap: what is usual is kept over a shorter one
HELD_NS: Nanos = 10_000_000_000  # so long a leak that the device told holds
SAID_S = 60  # of silence, for which its reason is said again
EVERY_S = 60  # seconds between what a night adds up to


class RespirationSegment:
    """Push its blocks in order. ValueError for a stream that shows no airflow."""

    def __init__(self, segment: Segment, night: Night) -> None:
        airflow = Airflow.of(segment.stream)
        if airflow is None:
            raise ValueError("no airflow, or too few samples of it")
        self.segment = segment
        self.night = night
        self._factors = np.array([[row[1]] for row in _rows(airflow)])
        rows = [row[0] for row in _rows(airflow)]
        self._hops = Hops(segment, rows, MEAN_HZ, SECOND_S)
        self._airflow = airflow
        self._hz = self._hops.hz
        self._smooth = max(round(SMOOTH_S * self._hz), 1)
        self._tell = Telling(segment.id, self._hops, (self._smooth - 1) / 2)
        self._curve = MaskCurve()
        self._breaths = Breaths(self._hz)
        self._disturbances = Disturbances(self._hz)
        self._runs = LimitedRuns(self._hz)
        self._periodic = PeriodicBreathing(self._hz)
        self._rates = Rates(self._hz)
        self._therapy = Therapy(self._hops.n)
        self._ripple: tuple[Hops, Snore] | None = None
        if segment.stream.rate_hz >= SNORE_HZ and airflow.pressure is not None:
            snore = Snore(segment.stream.rate_hz)
            self._ripple = (Hops(segment, [airflow.pressure[0]], None, SECOND_S), snore)
        self._snored: int | None = None
        self._expected: int | None = None
        self._tail: Floats = np.zeros(self._smooth - 1)
        self._seconds = 0  # since what comes joined
        self._told_leak: tuple[Nanos, float] | None = None
        self._mask_off = False
        self._disturbed_until = -1
        self._leaking_from: int | None = None

    @property
    def heard_ns(self) -> Nanos | None:
        """Time of the last sample that came, None before the first."""
        return self._hops.heard_ns

    def note_leak(self, t_ns: Nanos, lpm: float) -> None:
        """Unintended leak as the device tells it."""
        self._told_leak = (t_ns, lpm)

    def note_mask(self, *, off: bool) -> None:
        """The device's own word on its mask."""
        self._mask_off = off

    def push(self, block: SampleBlock) -> list[Finding]:
        """What the block lets be said, in order of `due_ns`."""
        found: list[Finding] = []
        for hop in self._hops.push(block):
            found += self._second(hop)
        return sorted([*found, *self._snore(block)], key=lambda finding: finding.due_ns)

    def silent(self, t_ns: Nanos) -> list[Finding]:
        """Nothing has come for some seconds, as of the Tick `t_ns`."""
        heard_ns = self._hops.heard_ns
        since_ns = t_ns - (self.segment.began_ns if heard_ns is None else heard_ns)
        again = t_ns % SECOND_NS == 0 and since_ns <= SAID_S * SECOND_NS
        found = self._tell.absent(t_ns, Why.NO_SIGNAL) if again else []
        if since_ns >= SILENT_S * SECOND_NS:
            turned = self._therapy.stop(self._breaths_end(), "no_data")
            if turned is not None:
                found += self._turned(turned, t_ns, self._hops.heard)
        return found

    def finish(self) -> list[Finding]:
        """The recording is over: what the night came to."""
        heard_ns = self._hops.heard_ns
        return [] if heard_ns is None else self._tell.night(self.night, heard_ns, self._hops.heard)

    def _breaths_end(self) -> int:
        return 0 if self._expected is None else self._expected * self._hops.n

    def _begin(self, at: int, gap_s: float) -> None:
        """Second `at` does not join what was before."""
        first = at * self._hops.n
        if gap_s > KEEPS_S:
            self._curve.begin()
            self._rates.begin()
            self._seconds = 0
        self._breaths.begin(first)
        self._disturbances.begin(first)
        self._runs.begin()
        self._periodic.begin()
        self._therapy.begin()
        self._tail = np.zeros(self._smooth - 1)
        self._disturbed_until, self._leaking_from = -1, None

    def _second(self, hop: Hop) -> list[Finding]:
        values = hop.values * self._factors
        if hop.number != self._expected:
            gap = 0 if self._expected is None else hop.number - self._expected
            self._begin(hop.number, gap * self._hops.seconds if self._expected is not None else np.inf)
        self._expected = hop.number + 1
        self._seconds += 1
        felt = values[0]
        pressure = values[1] if self._airflow.pressure is not None else None
        root = None if pressure is None else np.sqrt(np.maximum(pressure, 0.0))
        escaping = self._curve.step(_mean(felt), None if root is None else _mean(root))
        flow = self._flow(felt, root, escaping)
        now = (hop.number + 1) * self._hops.n
        leak_lpm = self._leak(hop, values, escaping)
        found = self._tell.escaping(hop, escaping, leak_lpm)
        ended: list[Breath] = []
        if self._seconds > SHORT_S:  # before it the zero of flow is not known
            ended = self._breaths.push(flow)
            found += self._breathe(hop, flow, felt, pressure, ended, leak_lpm or 0.0)
        else:
            self._breaths.begin(now)
            self._disturbances.begin(now)
        found += self._count(hop, pressure, ended, leak_lpm, now)
        found += self._tell.rates(
            hop, now, self._rates, learning=self._seconds <= SHORT_S + EVERY_S, worn=self._therapy.on
        )
        if hop.number % EVERY_S == EVERY_S - 1:
            found += self._tell.night(self.night, hop.t_ns, hop.last)
        return found

    def _flow(self, felt: Floats, root: Floats | None, escaping: Leak) -> Floats:
        """Flow of the patient alone, smoothed: (n,), (smooth - 1) / 2 means late."""
        own = felt if root is None or not escaping.vent else felt - escaping.vent * root
        n, held = len(own), np.concatenate([self._tail, own])
        self._tail = held[n:]
        flow: Floats = held[:n].copy()
        for k in range(1, self._smooth):
            flow += held[k : k + n]
        flow *= 1 / self._smooth
        flow -= escaping.offset_lps
        return flow

    def _leak(self, hop: Hop, values: Floats, escaping: Leak) -> float | None:
        """Unintended leak in L/min: the device's own where it tells it, else what the mask's vent does not explain."""
        if self._airflow.leak is not None:
            return _mean(values[-1]) * LPM
        if self._told_leak is not None and abs(hop.t_ns - self._told_leak[0]) <= HELD_NS:
            return self._told_leak[1]
        return escaping.unintended_lpm

    def _breathe(
        self,
        hop: Hop,
        flow: Floats,
        felt: Floats,
        pressure: Floats | None,
        ended: list[Breath],
        leak_lpm: float,
    ) -> list[Finding]:
        """Breaths, and what disturbs them."""
        found: list[Finding] = []
        pressed = np.zeros_like(felt) if pressure is None else pressure
        for event in self._disturbances.push(flow, felt, pressed, ended, leak_lpm):
            found += self._disturbed(hop, event)
        for breath in ended:
            self._rates.push(breath)
            self._periodic.breath(breath)
            found += self._tell.breath(hop, breath)
            run = self._runs.push(breath)
            if run is not None and run.onset >= self._disturbed_until:
                found.append(self._tell.run(hop, run))
        passed = self._periodic.passed((hop.number + 1) * self._hops.n)
        return found if passed is None else [*found, self._tell.periodic(hop, passed)]

    def _disturbed(self, hop: Hop, event: Disturbed) -> list[Finding]:
        if not self._therapy.on:
            return []  # nobody wears the mask
        self._disturbed_until = max(self._disturbed_until, event.end)
        found: list[Finding] = [self._tell.disturbed(hop, event)]
        if not event.leaking:
            self.night.event(hop.t_ns, event.name)
        said: Periodic | None = self._periodic.event(event)
        if said is not None:
            found.append(self._tell.periodic(hop, said))
        return found

    def _count(
        self, hop: Hop, pressure: Floats | None, ended: list[Breath], leak_lpm: float | None, now: int
    ) -> list[Finding]:
        """Therapy, and what the night adds up to."""
        mean_p = None if pressure is None else _mean(pressure)
        breath_at = ended[-1].end if ended else None
        large = leak_lpm is not None and leak_lpm > LARGE_LEAK_LPM
        found = self._large_leak(hop, large, now)
        turned = self._therapy.step(now, mean_p, breath_at, leak_lpm or 0.0, self._mask_off)
        if turned is not None:
            found += self._turned(turned, hop.t_ns, hop.last)
            if not turned.on:
                self._disturbances.begin(now)
                self._rates.begin()
        if self._therapy.on:
            periodic = self._periodic.on
            self.night.second(
                hop.t_ns, self._hops.seconds, mean_p, leak_lpm, valid=not large, periodic=periodic
            )
        return found

    def _turned(self, turned: Turned, t_ns: Nanos, last: int) -> list[Finding]:
        found: list[Finding] = [self._tell.turned(turned, t_ns, self.night)]
        return found if turned.on else [*found, *self._tell.night(self.night, t_ns, last)]

    def _large_leak(self, hop: Hop, large: bool, now: int) -> list[Finding]:
        """A stretch of large leak is said when it is over."""
        if large:
            self._leaking_from = now - self._hops.n if self._leaking_from is None else self._leaking_from
            return []
        onset, self._leaking_from = self._leaking_from, None
        if onset is None or now - self._hops.n - onset < SILENT_S * self._hops.n:
            return []
        return [self._tell.large_leak(hop, onset, now - self._hops.n)]

    def _snore(self, block: SampleBlock) -> list[Finding]:
        if self._ripple is None or self._airflow.pressure is None:
            return []
        hops, snore = self._ripple
        found: list[Finding] = []
        for hop in hops.push(block):
            if hop.number != self._snored:
                snore.begin()
            self._snored = hop.number + 1
            ripple = snore.push(hop.values[0] * self._airflow.pressure[1])
            if ripple is not None:
                found.append(self._tell.snore(hop, ripple))
        return found


def _mean(values: Floats) -> float:
    return float(np.add.reduce(values)) / len(values)


def _rows(airflow: Airflow) -> list[tuple[int, float]]:
    return [row for row in (airflow.flow, airflow.pressure, airflow.leak) if row is not None]
