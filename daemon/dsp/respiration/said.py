"""What the stages of breathing found, as findings: names, units, times and the samples that they came from."""

from __future__ import annotations

from collections import deque
from statistics import median

from daemon.dsp.hops import Hop, Hops
from daemon.dsp.respiration.breaths import Breath
from daemon.dsp.respiration.disturbed import Disturbed
from daemon.dsp.respiration.leak import Leak
from daemon.dsp.respiration.limited import LimitedRun
from daemon.dsp.respiration.night import Night
from daemon.dsp.respiration.periodic import Periodic
from daemon.dsp.respiration.rates import Rates
from daemon.dsp.respiration.therapy import Turned
from daemon.model.findings import LIVE_STEP_NS, Event, Evidence, Finding, Metric, Why
from daemon.model.signals import Nanos
from daemon.units import OBSERVABLES

LEAD = "flow"
BREATH_RULE, LEAK_RULE, EVENT_RULE, RUN_RULE = "breath/1", "leak/1", "apnoea/1", "flow_limitation/1"
PERIODIC_RULE, THERAPY_RULE, NIGHT_RULE, SNORE_RULE = "cheyne_stokes/1", "therapy/1", "night/1", "snore/1"
SHAPES = 5  # breaths that flow limitation is taken of (Teschler)

Numbers = tuple[tuple[str, float, str], ...]


class Telling:
    """Of one segment. Means are numbered as `hops` does; smoothed flow is `late` means behind."""

    def __init__(self, segment: str, hops: Hops, late: float) -> None:
        self._segment = segment
        self._hops = hops
        self._late = late
        self._limited: deque[float] = deque(maxlen=SHAPES)

    def breath(self, hop: Hop, breath: Breath) -> list[Finding]:
        """Volumes and times of a breath, and how flat the last inspirations were."""
        values = {
            "tidal_volume": 1000 * breath.inspired_l,
            "expired_volume": 1000 * breath.expired_l,
            "inspiratory_time": breath.inspiratory_s,
        }
        if breath.limited is not None:
            self._limited.append(breath.limited)
            values["flow_limitation"] = median(self._limited)
        evidence = self._evidence(breath.onset, breath.end, BREATH_RULE)
        t_ns = self._time(breath.onset)
        return [self._metric(t_ns, hop.due_ns, name, value, evidence) for name, value in values.items()]

    def rates(self, hop: Hop, now: int, rates: Rates, *, learning: bool, worn: bool) -> list[Finding]:
        """Rate and minute volume as of now, or why there are none; while the mask is worn, how long ago a breath began."""
        found: list[Finding] = []
        since = rates.since_s(now)
        known = rates.at(now)
        if known is None:
            why = Why.LEARNING if learning else Why.NO_BREATHS
            found += self.absent(hop.t_ns, why, hop.due_ns)
        else:
            rate, volume, first, _ = known
            evidence = self._evidence(first.onset, now, BREATH_RULE)
            found.append(self._metric(hop.t_ns, hop.due_ns, "respiration_rate", rate, evidence))
            found.append(self._metric(hop.t_ns, hop.due_ns, "minute_volume", volume, evidence))
        if since is not None and worn:
            began = max(now - round(since * self._hops.hz), 0)
            evidence = self._evidence(began, now, BREATH_RULE)
            found.append(self._metric(hop.t_ns, hop.due_ns, "since_breath", since, evidence))
        return found

    def absent(self, t_ns: Nanos, why: Why, due_ns: Nanos | None = None) -> list[Finding]:
        """There is no rate and no minute volume."""
        due_ns = t_ns if due_ns is None else due_ns
        return [
            Metric(t_ns, due_ns, name, None, OBSERVABLES[name].unit, why, LEAD, 0.0, None)
            for name in ("respiration_rate", "minute_volume")
        ]

    def escaping(self, hop: Hop, escaping: Leak, leak_lpm: float | None) -> list[Finding]:
        """Leak, and where the flow holds the vent's too, all that escapes."""
        found: list[Finding] = []
        evidence = Evidence(self._segment, hop.first, hop.last, LEAK_RULE)
        if leak_lpm is not None:
            found.append(self._metric(hop.t_ns, hop.due_ns, "leak", leak_lpm, evidence))
        if escaping.total_lpm is not None:
            found.append(self._metric(hop.t_ns, hop.due_ns, "total_leak", escaping.total_lpm, evidence))
        return found

    def snore(self, hop: Hop, ripple: float) -> Finding:
        """Ripple of the pressure."""
        evidence = Evidence(self._segment, hop.first, hop.last, SNORE_RULE)
        return self._metric(hop.t_ns, hop.due_ns, "snore", ripple, evidence)

    def disturbed(self, hop: Hop, event: Disturbed) -> Finding:
        """An apnoea or hypopnoea, at its onset."""
        numbers: Numbers = (
            ("duration", (event.end - event.onset) / self._hops.hz, "s"),
            ("breathing_left", 100 * event.share, "%"),
        )
        if event.impedance is not None:
            numbers = (*numbers, ("airway_impedance", event.impedance, "cmH2O s/L"))
        detail = "large_leak" if event.leaking else ""
        return self._event(hop, event.onset, event.end, event.name, numbers, EVENT_RULE, detail)

    def run(self, hop: Hop, run: LimitedRun) -> Finding:
        """Flow-limited breaths that ended in a deep one."""
        numbers: Numbers = (
            ("duration", (run.end - run.onset) / self._hops.hz, "s"),
            ("breaths", float(run.breaths), "1"),
            ("flow_limitation", run.limited, "1"),
            ("deeper", run.deeper, "1"),
        )
        return self._event(hop, run.onset, run.end, "flow_limitation_run", numbers, RUN_RULE)

    def periodic(self, hop: Hop, found: Periodic) -> Finding:
        """Cheyne-Stokes breathing that is sure now, or over."""
        numbers: Numbers = (("cycles", float(found.cycles), "1"), ("cycle", found.cycle_s, "s"))
        now = (hop.number + 1) * self._hops.n
        if found.end is None:
            return self._event(hop, found.onset, now, "cheyne_stokes", numbers, PERIODIC_RULE)
        numbers = (("duration", (found.end - found.onset) / self._hops.hz, "s"), *numbers)
        return self._event(hop, found.onset, found.end, "cheyne_stokes_over", numbers, PERIODIC_RULE)

    def large_leak(self, hop: Hop, onset: int, end: int) -> Finding:
        """A stretch in which leak was too large to judge breathing."""
        numbers: Numbers = (("duration", (end - onset) / self._hops.hz, "s"),)
        return self._event(hop, onset, end, "large_leak", numbers, LEAK_RULE)

    def turned(self, turned: Turned, t_ns: Nanos, night: Night) -> Finding:
        """Therapy began or stopped, at the time at which it did."""
        due_ns = -(-t_ns // LIVE_STEP_NS) * LIVE_STEP_NS
        at_ns = min(self._time(turned.at), due_ns)
        name = "therapy_began" if turned.on else "therapy_stopped"
        numbers: Numbers = () if turned.on else (("usage_hours", night.therapy_s / 3600, "h"),)
        evidence = self._evidence(max(turned.at - self._hops.n, 0), turned.at, THERAPY_RULE)
        return Event(at_ns, due_ns, name, numbers, evidence, turned.cause)

    def night(self, night: Night, t_ns: Nanos, last: int) -> list[Finding]:
        """What the night has come to with sample `last`."""
        due_ns = -(-t_ns // LIVE_STEP_NS) * LIVE_STEP_NS
        values = {
            "usage_hours": night.therapy_s / 3600,
            "ahi": night.ahi(),
            "ahi_last_hour": night.ahi_of_last_hour(t_ns),
            "therapy_pressure_median": night.pressure.at(0.5),
            "therapy_pressure_p95": night.pressure.at(0.95),
            "leak_median": night.leak.at(0.5),
            "leak_p95": night.leak.at(0.95),
            "cheyne_stokes_share": 100 * night.periodic_s / night.therapy_s if night.therapy_s else None,
        }
        if not night.therapy_s:
            return []
        found: list[Finding] = []
        for name, value in values.items():
            if value is None and not name.startswith("ahi"):
                continue
            why = Why.LEARNING if value is None else None
            evidence = None if value is None else Evidence(self._segment, 0, last, NIGHT_RULE)
            found.append(Metric(t_ns, due_ns, name, value, OBSERVABLES[name].unit, why, LEAD, 1.0, evidence))
        return found

    def _metric(self, t_ns: Nanos, due_ns: Nanos, name: str, value: float, evidence: Evidence) -> Metric:
        return Metric(t_ns, due_ns, name, value, OBSERVABLES[name].unit, None, LEAD, 1.0, evidence)

    def _event(
        self, hop: Hop, onset: int, end: int, name: str, numbers: Numbers, rule: str, detail: str = ""
    ) -> Event:
        evidence = self._evidence(onset, end, rule)
        return Event(self._time(onset), hop.due_ns, name, numbers, evidence, detail)

    def _time(self, mean: int) -> Nanos:
        return self._hops.time_of(mean - self._late)

    def _evidence(self, onset: int, end: int, rule: str) -> Evidence:
        """Samples of means `onset` .. `end` - 1, with those that smoothing reached back to."""
        first = max(int(onset - 2 * self._late), 0) * self._hops.of
        return Evidence(self._segment, first, max(end * self._hops.of - 1, first), rule)
