"""The alarms of one bed as the screens are told of them: what stands, and what can be set."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.alarms.limits import DELAY, ON, Limits, range_of
from daemon.alarms.table import TABLE
from daemon.alarms.watch import LIMITS_MOVED, Watch
from daemon.control.messages import AlarmsSeen, LimitRowState, LimitState, PictureState
from daemon.model.alarms import AlarmPicture, Change
from daemon.model.signals import Nanos

AGAIN_EVERY_NS: Nanos = 1_000_000_000
"""While an alarm is listed or a pause is on: values move, and who waits for a countdown must see that it is alive."""


class AlarmBoard:
    """`text` is the newest message; `take` says at every Tick whether there is a new one."""

    def __init__(self, bed: str, alarms: Watch) -> None:
        self.text = ""
        self._bed = bed
        self._alarms = alarms
        self._limits: Limits | None = None
        self._rows: tuple[LimitRowState, ...] = ()
        self._said: AlarmPicture | None = None
        self._said_ns: Nanos = 0
        self._write(alarms.picture())

    def take(self, now_ns: Nanos, changes: Sequence[Change]) -> bool:
        """A Tick with what it changed; whether `text` is a new one."""
        if any(change.kind in LIMITS_MOVED for change in changes):
            self._limits = None
        if not changes and now_ns - self._said_ns < AGAIN_EVERY_NS:
            return False
        picture = self._alarms.picture()
        self._said_ns = now_ns
        if not changes and not picture.alarms and not picture.pauses and _same(picture, self._said):
            return False
        self._write(picture)
        return True

    def _write(self, picture: AlarmPicture) -> None:
        if self._limits is not self._alarms.limits:
            self._limits = self._alarms.limits
            self._rows = limit_rows(self._limits)
        self._said = picture
        state = PictureState.model_validate(picture, from_attributes=True)
        seen = AlarmsSeen(bed=self._bed, now_ns=picture.t_ns, picture=state, limits=self._rows)
        self.text = seen.model_dump_json()


def _same(now: AlarmPicture, before: AlarmPicture | None) -> bool:
    """Whether two pictures without alarms and pauses look the same."""
    return (
        before is not None
        and not before.alarms
        and not before.pauses
        and ((now.off, now.unarmed, now.differing) == (before.off, before.unarmed, before.differing))
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
