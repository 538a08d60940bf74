"""An alarm engine that is watched over: when it breaks, a fresh one goes on where it stood, and it is said.

An error in one row must not leave a bed without all others, and a failed alarm engine must not look like a quiet patient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daemon.alarms import resume
from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits, Settings
from daemon.alarms.observed import SECOND_NS
from daemon.alarms.standing import Standing
from daemon.model.alarms import AlarmPicture, Change, ChangeKind
from daemon.model.findings import Finding
from daemon.model.signals import Fact, FactState, Item, Nanos, Tick

ALARMS = "alarms"
"""Source of the Fact that the engine has broken."""

WELL_AFTER_NS: Nanos = 30 * SECOND_NS
"""It counts as well again when it has run for so long."""

KEPT_EVERY_NS: Nanos = SECOND_NS

LIMITS_MOVED = frozenset({ChangeKind.LIMITS_SET, ChangeKind.ADMITTED, ChangeKind.DISCHARGED})
"""After these the limits in force may be others."""


class Watch:
    """One bed's engine. `make` gives a fresh one for own limits and the first number; `failed` hears of errors.

    `kept` is the engine's state as of a Tick less than `KEPT_EVERY_NS` ago, as it was after the last change.
    """

    def __init__(
        self,
        bed: str,
        make: Callable[[Settings, int], AlarmEngine],
        failed: Callable[[Exception], None],
    ) -> None:
        self.engine = make({}, 1)
        self.judged_ns: Nanos = -1  # the last Tick that went well
        self._bed = bed
        self._make = make
        self._failed = failed
        self._standing = Standing()
        self._own: Settings = {}
        self.kept: dict[str, Any] = resume.saved(self.engine)
        self._broken_ns: Nanos | None = None
        self._news: list[Fact] = []

    @property
    def limits(self) -> Limits:
        """Those in force."""
        return self.engine.limits

    @property
    def armed(self) -> bool:
        """Whether anything has been measured of this patient, so that alarms wait for it."""
        return bool(self.engine.seen.valid)

    @property
    def own(self) -> Settings:
        """This patient's own settings as of the last Tick."""
        return self._own

    def adopt(self, preset: Settings, *, pinned: bool) -> None:
        """The ward's limits are others now; never refused (`Limits.adopt`)."""
        self.engine.adopt(preset, pinned=pinned)
        self._own = self.engine.limits.as_dict()

    def step(self, item: Item, findings: Sequence[Finding] = ()) -> list[Change]:
        """As `AlarmEngine.step`; never raises."""
        try:
            self._standing.note(item, findings)
            changes = self.engine.step(item, findings)
            if isinstance(item, Tick):
                self._judged(item.t_ns, changes)
        except Exception as error:  # noqa: BLE001 - a bug in a row must not take the bed's other alarms; it is logged and said
            self._begin_anew(error)
            return []
        return changes

    def picture(self) -> AlarmPicture:
        """How things stand as of the last Tick."""
        try:
            return self.engine.picture()
        except Exception as error:  # noqa: BLE001 - as above
            self._begin_anew(error)
            return self.engine.picture()

    def news(self) -> list[Fact]:
        """What is to be said of the engine itself, once."""
        news, self._news = self._news, []
        return news

    def restore(self, own: Settings, state: dict[str, Any], now_ns: Nanos) -> list[Change]:
        """At the start: with the limits and the state that the last process kept.

        Gives for the log what became of the alarms that it had listed: RESUMED, or ENDED where all is judged anew.
        """
        self._own = own
        self.kept = {**self.kept, **state}
        told: list[Change] = []
        kind = ChangeKind.RESUMED if self._fresh(now_ns) else ChangeKind.ENDED
        try:
            told = resume.told(self.kept, kind, now_ns)
        except Exception as error:  # noqa: BLE001 - it was written by another version, perhaps
            self._failed(error)
        self.kept = resume.saved(self.engine) | {"t_ns": now_ns}
        return told

    def _judged(self, now_ns: Nanos, changes: Sequence[Change]) -> None:
        self.judged_ns = now_ns
        if changes or now_ns - self.kept["t_ns"] >= KEPT_EVERY_NS:
            self.kept = resume.saved(self.engine)
        if any(c.kind in LIMITS_MOVED for c in changes):
            self._own = self.engine.limits.as_dict()
        if self._broken_ns is not None and now_ns - self._broken_ns >= WELL_AFTER_NS:
            self._broken_ns = None
            self._say(FactState.OK, now_ns)

    def _begin_anew(self, error: Exception) -> None:
        now_ns = max(self.judged_ns, self.engine.seen.now_ns)
        if self._broken_ns is None:
            self._failed(error)
            self._say(FactState.FAILED, now_ns, type(error).__name__)
        self._broken_ns = now_ns
        self._fresh(now_ns)

    def _fresh(self, now_ns: Nanos) -> bool:
        """A fresh engine with all that is known; what it cannot bear of that is left out. Whether it goes on as it stood."""
        for state, standing in ((True, True), (True, False), (False, False)):
            try:
                self.engine = self._make(self._own, self.kept["number"])
                resumed = state and resume.resume(self.engine, self.kept, now_ns)
                if standing:
                    self._standing.tell(self.engine)
            except Exception as error:  # noqa: BLE001 - what is kept may be the very thing that broke it
                self._failed(error)
            else:
                return resumed
        self.engine = self._make({}, 1)
        return False

    def _say(self, state: FactState, now_ns: Nanos, detail: str = "") -> None:
        self._news.append(Fact(ALARMS, state, since_ns=now_ns, t_ns=now_ns, detail=detail, bed=self._bed))
