"""Conditions of devices other than the ECG: what a device says itself, and what two of them show together."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.alarms.conditions import OTHERS, UNKNOWN, Beyond, Limited, Verdict, Verdicts, Was, beyond, one
from daemon.alarms.observed import Observed


@dataclass(frozen=True, slots=True)
class EachBeyond:
    """A number that several devices may say, `above` or `below` its limit; one instance a device."""

    metrics: tuple[str, ...]
    side: str
    hysteresis: float
    stale_s: float

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        found: dict[str, Verdict] = {OTHERS: UNKNOWN}
        for name in self.metrics:
            for device, metric in seen.leads(name, self.stale_s).items():
                if metric.value is not None:
                    limit = limits[self.side]
                    found[device] = beyond(
                        metric, metric.value, self.side, limit, self.hysteresis, was(device), device
                    )
        return found


@dataclass(frozen=True, slots=True)
class Together:
    """Two numbers are beyond their limits at once: what happened to the patient, and what may be its cause.

    The value told is the patient's; the cause stands in the row's words.
    """

    effect: Beyond
    cause: Beyond

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        effect = self.effect.judge(seen, limits, was)[""]
        cause = self.cause.judge(seen, limits, was)[""]
        if effect.holds is False or cause.holds is False:
            return one(Verdict(False))
        if effect.holds is None or cause.holds is None:
            return one(UNKNOWN)
        number = 0.0 if cause.value is None else round(cause.value, 1)
        values = (*effect.values, ("cause", number), ("cause_unit", cause.unit))
        return one(
            Verdict(True, effect.onset_ns, effect.value, effect.limit, effect.unit, values, effect.evidence)
        )


@dataclass(frozen=True, slots=True)
class SaysAlarm:
    """A device shows an alarm of its own (its status word `alarm_code`); one instance a device."""

    word: str = "alarm_code"

    def judge(self, seen: Observed, limits: Limited, was: Was) -> Verdicts:
        del limits, was
        found: dict[str, Verdict] = {}
        for (device, name), status in seen.statuses.items():
            if name == self.word:
                values = (("device", device), ("code", status.text))
                found[device] = Verdict(bool(status.text), status.t_ns, values=values)
        return found
