"""Events of the measurements: what must hold for half a minute to be more than a movement.

| event | while it holds |
|---|---|
| st_elevation, st_depression | in two neighbouring leads of a territory: the limits of the universal definition at J, or 0.1 mV from the patient's own baseline at J + 80 (60) ms, as the European ST-T database counts episodes |
| qt_prolonged | QTc above its limit (`statements.repolarisation`) |
| low_voltage, limb_lead_reversal | the conclusion's own criteria |

An event is said once; again only after its criteria did not hold for as long. A recording that ends before half a minute says
what held in all of it. The baseline is the median of the first half minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from daemon.dsp.ecg.measures.measurement import Measurement
from daemon.dsp.ecg.rhythm.said import EventSaid, Numbers
from daemon.dsp.ecg.statements import placement, repolarisation, ventricles
from daemon.dsp.ecg.statements.recording import GROUPS, TWELVE, Recording, side_by_side
from daemon.model.findings import Criterion

HOLD_S = 30.0
MOVED_MV = 0.1
FEW_LEADS = 3  # a stream with no more than these has no neighbours: one lead is enough there
ST_RULE, QT_RULE, VOLTAGE_RULE, PLACEMENT_RULE = "st/1", "qt/1", "voltage/1", "placement/1"
Key = tuple[str, str, str]  # name, detail, rule


@dataclass(slots=True)
class _Held:
    """Since when a condition holds, or no longer holds, and whether it was said."""

    since: int
    holds: bool
    said: bool = False


@dataclass(slots=True)
class _Baseline:
    """ST of one lead in the first measurements, then their median."""

    first: list[float] = field(default_factory=list)
    level: float | None = None


class Episodes:
    """One measurement after the other, `every` samples apart; a gap changes nothing, for the patient is the same."""

    def __init__(self, rate_hz: float, every: int) -> None:
        self._hold = round(HOLD_S * rate_hz)
        self._learning = self._hold // every
        self._held: dict[Key, _Held] = {}
        self._baselines: dict[tuple[str, int], _Baseline] = {}
        self._began: int | None = None

    def step(self, rec: Recording, due: int, *, ending: bool = False) -> list[EventSaid]:
        """What has held long enough as of sample `due`; at the end of a short recording, what held in all of it."""
        m = rec.measured
        now = dict(self._conditions(rec))
        began = self._began = m.first if self._began is None else self._began
        short = ending and due - began < self._hold
        said: list[EventSaid] = []
        for key in [*now, *(key for key in self._held if key not in now)]:
            holds = key in now
            held = self._held.get(key)
            if held is None or held.holds != holds:
                since = m.first if held is None and m.first == began else due
                held = self._held[key] = _Held(since, holds, held is not None and held.said)
            lasted = due - held.since >= self._hold
            if not holds and lasted:
                del self._held[key]
            elif holds and not held.said and (lasted or (short and held.since == began)):
                held.said = True
                name, detail, rule = key
                said.append(EventSaid(name, held.since, m.first, m.last, due, now[key], rule, detail))
        return said

    def _conditions(self, rec: Recording) -> Iterator[tuple[Key, Numbers]]:
        """What holds now, with its numbers."""
        yield from self._st(rec)
        long = repolarisation.long_qt(rec)
        if long is not None:
            yield ("qt_prolonged", "", QT_RULE), _numbers([long])
        if not rec.measured.consistent:
            return
        for statement in ventricles.low_voltage(rec) if len(rec.measured.leads) >= len(TWELVE) else ():
            yield ("low_voltage", "", VOLTAGE_RULE), _numbers(statement.criteria)
        for statement in placement.reversal(rec):
            detail = statement.key.removeprefix("limb_lead_reversal_")
            yield ("limb_lead_reversal", detail, PLACEMENT_RULE), _numbers(statement.criteria)

    def _st(self, rec: Recording) -> Iterator[tuple[Key, Numbers]]:
        moved = self._moved(rec.measured)
        if not rec.measured.consistent:
            return
        for name, rule, sign in (
            ("st_elevation", repolarisation.elevation, 1),
            ("st_depression", repolarisation.depression, -1),
        ):
            absolute = {} if ventricles.reached_another_way(rec) else repolarisation.territories(rec, rule)
            relative = {lead: by for lead, by in moved.items() if sign * by >= MOVED_MV}
            for territory, rows in GROUPS.items():
                leads = [lead for row in rows for lead in side_by_side(row, list(relative))]
                if len(rec.measured.leads) <= FEW_LEADS:
                    leads = [lead for row in rows for lead in row if lead in relative]
                numbers = [(f"st_change.{lead}", relative[lead], "mV") for lead in leads]
                criteria = absolute.get(territory, ())
                if criteria or numbers:
                    yield (name, territory, ST_RULE), (*_numbers(criteria), *numbers)

    def _moved(self, m: Measurement) -> dict[str, float]:
        """How far each lead's ST has moved from its baseline, mV; leads whose baseline is not known yet are left out."""
        point, moved = m.st_point, {}
        for lead, levels in m.leads.items():
            for at in (1, 2):  # both are learned: which of them is watched depends on the rate
                st = levels.st_mv[at]
                baseline = self._baselines.setdefault((lead, at), _Baseline())
                if st is None:
                    continue
                if baseline.level is None:
                    baseline.first.append(st)
                    if len(baseline.first) >= self._learning:
                        baseline.level = median(baseline.first)
                elif at == point:
                    moved[lead] = st - baseline.level
        return moved


def _numbers(criteria: Sequence[Criterion]) -> Numbers:
    return tuple((f"{c.name}.{c.lead}" if c.lead else c.name, c.value, c.unit) for c in criteria)
