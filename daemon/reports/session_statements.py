"""What a session comes to, in numbers and in sentences: each sentence from a template with an id, from numbers that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from daemon.control.reports import StatementMade
from daemon.model.signals import Nanos
from daemon.reports.session_source import Beats, Stretch
from daemon.store.answers import StoredEvent
from daemon.store.occurrences import Occurrence
from daemon.words import say

RATE_BEATS = 8
"""The lowest and the highest rate are those of so many beats in a row, as in the summary of a session."""

FIBRILLATION = frozenset({"AFIB", "AFL"})
RUNS, PAUSES = frozenset({"ventricular_run"}), frozenset({"pause"})
LITTLE = 0.5
"""Below this share of usable signal nothing is said to be absent."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of a session. Rates in beats/min, None where there are too few beats; times of the boot."""

    seconds: float
    stored_s: float
    usable_s: float
    beats: int
    hr_mean: float | None
    hr_low: float | None
    hr_high: float | None
    hr_low_ns: Nanos | None
    hr_high_ns: Nanos | None
    ventricular: int
    supraventricular: int
    first_v_ns: Nanos | None
    first_s_ns: Nanos | None
    af_s: float
    af_times: int
    runs: int
    pauses: int
    high_alarms: int


def sums_of(
    heart: Beats,
    found: Sequence[Stretch],
    events: Sequence[StoredEvent],
    alarms: Sequence[Occurrence],
    graded: Mapping[str, float],
    stored_s: float,
    seconds: float,
) -> Sums:
    """All that the sentences go by."""
    rr = heart.rr_ms
    known = np.isfinite(rr) & (rr > 0)
    low = high = low_ns = high_ns = None
    if len(rr) >= RATE_BEATS:
        windows = np.lib.stride_tricks.sliding_window_view(np.where(known, rr, np.nan), RATE_BEATS)
        whole = np.isfinite(windows).all(axis=1)
        if whole.any():
            rate = np.where(whole, 60_000 / np.where(whole, windows.mean(axis=1), 1.0), np.nan)
            at_low, at_high = int(np.nanargmin(rate)), int(np.nanargmax(rate))
            low, high = float(rate[at_low]), float(rate[at_high])
            low_ns, high_ns = (int(heart.t_ns[k + RATE_BEATS - 1]) for k in (at_low, at_high))
    names = [str(e.body["name"]) for e in events if e.kind == "event"]
    fibrillating = [one for one in found if one.label in FIBRILLATION]
    early = {label: heart.t_ns[heart.label == label] for label in ("V", "S")}
    return Sums(
        seconds=seconds,
        stored_s=stored_s,
        usable_s=graded.get("good", 0.0) + graded.get("acceptable", 0.0),
        beats=len(heart.t_ns),
        hr_mean=float(60_000 / rr[known].mean()) if known.any() else None,
        hr_low=low,
        hr_high=high,
        hr_low_ns=low_ns,
        hr_high_ns=high_ns,
        ventricular=len(early["V"]),
        supraventricular=len(early["S"]),
        first_v_ns=int(early["V"][0]) if len(early["V"]) else None,
        first_s_ns=int(early["S"][0]) if len(early["S"]) else None,
        af_s=sum(one.seconds for one in fibrillating),
        af_times=len(fibrillating),
        runs=sum(name in RUNS for name in names),
        pauses=sum(name in PAUSES for name in names),
        high_alarms=sum(one.priority == "high" for one in alarms),
    )


def statements(sums: Sums) -> tuple[StatementMade, ...]:
    """The sentences; each key is the id of its template."""
    made: list[StatementMade] = []

    def state(key: str, *criteria: str, **values: str) -> None:
        made.append(StatementMade(key=key, text=say(f"report.said.{key}", **values), criteria=criteria))

    share = sums.usable_s / sums.seconds if sums.seconds else 0.0
    if not sums.beats:
        state("S-ECG-00", say("report.based.beats", count="0"))
        return tuple(made)
    hours = max(sums.usable_s, 1.0) / 3600
    if sums.hr_mean is not None:
        range_ = (
            ""
            if sums.hr_low is None
            else say("report.said.range", low=f"{sums.hr_low:.0f}", high=f"{sums.hr_high:.0f}")
        )
        state(
            "S-HR-01",
            say("report.based.beats", count=str(sums.beats)),
            mean=f"{sums.hr_mean:.0f}",
            range=range_,
        )
    if sums.af_s > 0:
        percent = f"{100 * sums.af_s / max(sums.usable_s, 1.0):.1f}"
        state(
            "S-AF-01",
            say("report.based.usable", minutes=f"{sums.usable_s / 60:.1f}"),
            minutes=f"{sums.af_s / 60:.1f}",
            percent=percent,
            times=str(sums.af_times),
        )
    if sums.ventricular:
        per = f"{sums.ventricular / hours:.1f}"
        state(
            "S-V-01",
            say("report.based.per_hour", count=str(sums.ventricular), per=per),
            count=str(sums.ventricular),
        )
    if sums.supraventricular:
        per = f"{sums.supraventricular / hours:.1f}"
        state(
            "S-S-01",
            say("report.based.per_hour", count=str(sums.supraventricular), per=per),
            count=str(sums.supraventricular),
        )
    if sums.runs:
        state("S-V-02", count=str(sums.runs))
    if sums.pauses:
        state("S-P-01", count=str(sums.pauses))
    if (
        not (sums.af_s or sums.ventricular or sums.supraventricular or sums.runs or sums.pauses)
        and share >= LITTLE
    ):
        state("S-N-01", say("report.based.usable", minutes=f"{sums.usable_s / 60:.1f}"))
    if sums.high_alarms:
        state("S-A-01", count=str(sums.high_alarms))
    if share < LITTLE:
        state(
            "S-Q-01",
            say("report.based.usable", minutes=f"{sums.usable_s / 60:.1f}"),
            percent=f"{100 * share:.0f}",
        )
    return tuple(made)
