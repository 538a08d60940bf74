"""The alarms of one bed as the screens are told of them: what stands, what can be set, what could be."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.alarms.limits import DELAY, ON, Limits, range_of
from daemon.alarms.table import ROWS, TABLE
from daemon.alarms.watch import LIMITS_MOVED, Watch
from daemon.control.messages import (
    AlarmsSeen,
    LimitRowState,
    LimitsSeen,
    LimitState,
    LimitsTold,
    PictureState,
    ProposalState,
)
from daemon.model.alarms import Change
from daemon.model.signals import Nanos
from daemon.units import CODED

AGAIN_EVERY_NS: Nanos = 1_000_000_000
"""An alarm engine that is silent must not look like a quiet patient: it is heard every second."""

PRESENT_S = {"respiration_rate": 70.0}
"""How old a value may be from which limits are proposed, where it is not said every second."""


class AlarmBoard:
    """`alarms` and `limits` are the newest messages; `take` gives those that a Tick made new, by kind."""

    def __init__(self, bed: str, alarms: Watch) -> None:
        self.alarms = self.limits = ""
        self._bed = bed
        self._watch = alarms
        self._limits: Limits | None = None
        self._rows: tuple[LimitRowState, ...] = ()
        self._said_ns: Nanos = 0
        self._write()

    def take(self, now_ns: Nanos, changes: Sequence[Change]) -> dict[str, str]:
        """A Tick with what it changed."""
        if any(change.kind in LIMITS_MOVED for change in changes):
            self._limits = None
        if not changes and 0 <= now_ns - self._said_ns < AGAIN_EVERY_NS:
            return {}
        self._said_ns = now_ns
        before = self.limits
        self._write()
        new = {"alarms": self.alarms}
        return new if self.limits == before else {"limits": self.limits, **new}

    def told(self) -> LimitsTold:
        """The limits, and what the present values would make of them."""
        limits, seen = self._watch.limits, self._watch.engine.seen
        metrics = {limit.auto.metric for row in TABLE for limit in row.limits if limit.auto is not None}
        present: dict[str, float] = {}
        for metric in metrics:
            known = seen.value(metric, PRESENT_S[metric]) if metric in PRESENT_S else seen.value(metric)
            if known is not None and known.value is not None:
                present[metric] = known.value
        proposed = [_proposal(row, key, limit, present) for row, key, limit in limits.proposals(present)]
        return LimitsTold(bed=self._bed, limits=limit_rows(limits), proposed=tuple(proposed))

    def _write(self) -> None:
        if self._limits is not self._watch.limits:
            self._limits = self._watch.limits
            self._rows = limit_rows(self._limits)
            self.limits = LimitsSeen(bed=self._bed, limits=self._rows).model_dump_json()
        state = PictureState.model_validate(self._watch.picture(), from_attributes=True)
        judged_ns = max(self._watch.judged_ns, 0)
        self.alarms = AlarmsSeen(bed=self._bed, now_ns=judged_ns, picture=state).model_dump_json()


def _proposal(row: str, key: str, limit: float, present: dict[str, float]) -> ProposalState:
    """A proposal with the rule that made it."""
    auto = next(one.auto for one in ROWS[row].limits if one.key == key)
    assert auto is not None
    return ProposalState(
        row=row,
        key=key,
        limit=limit,
        metric=auto.metric,
        value=present[auto.metric],
        unit=CODED[auto.metric].unit,
        times=auto.times,
        plus=auto.plus,
        least=auto.least,
        most=auto.most,
    )


def limit_rows(limits: Limits) -> tuple[LimitRowState, ...]:
    """What can be set of every row of the alarm table, as it is set now."""
    return tuple(
        LimitRowState(
            row=row.name,
            priority=row.priority.value,
            on=limits.is_on(row.name),
            may_be_off=row.may_be_off,
            on_default=not row.may_be_off or bool(limits.default(row.name, ON)),
            delay=_limit(limits, row.name, DELAY) if row.delay.adjustable else None,
            limits=tuple(_limit(limits, row.name, limit.key) for limit in row.limits),
            in_force=dict(limits.of(row.name)),
        )
        for row in TABLE
    )


def _limit(limits: Limits, row: str, key: str) -> LimitState:
    span = range_of(row, key)
    assert span is not None
    return LimitState(
        key=key,
        value=float(limits.value(row, key)),
        default=float(limits.default(row, key)),
        low=span.low,
        high=span.high,
        step=span.step,
        unit=span.unit,
    )
