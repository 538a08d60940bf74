"""The way of a sample through one bed, readable in one function: `Bedside.push`.

Samples become findings, findings become changes of alarms, and all of it goes to three sinks. A Bedside does no I/O and
reads no clock. The daemon feeds it from ports, `vitald analyse` feeds the same parts from recordings: one pipeline, so that
what is measured is what runs at the bed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Settings
from daemon.alarms.watch import Watch
from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Finding
from daemon.model.signals import Fact, FactState, Item, Nanos, Tick

ANALYSIS = "analysis"
"""Source of the Fact that says whether analysis runs at this bed."""

FIRST_RETRY_NS: Nanos = 1_000_000_000
LONGEST_RETRY_NS: Nanos = 30_000_000_000


class Analysis(Protocol):
    """What a bed asks of its signal processing."""

    def push(self, item: Item) -> list[Finding]: ...


class Sink(Protocol):
    """Where items, findings and changes of alarms go. Bounded; never waits, never raises."""

    def __call__(
        self, bed: str, item: Item, findings: Sequence[Finding], changes: Sequence[Change]
    ) -> None: ...


class Signals(Protocol):
    """What makes alarms heard. Bounded; never waits, never raises."""

    def __call__(self, bed: str, item: Item, changes: Sequence[Change]) -> None: ...


class Bedside:
    """One bed. `signals`, `live` and `store` are sinks.

    `analysis` makes a fresh analysis, `alarms` a fresh engine for a patient's own limits and the first number of an
    occurrence; `failed` hears of whichever broke, and of the error.
    """

    def __init__(
        self,
        bed: str,
        *,
        analysis: Callable[[], Analysis],
        alarms: Callable[[Settings, int], AlarmEngine],
        signals: Signals,
        live: Sink,
        store: Sink,
        failed: Callable[[str, Exception], None],
    ) -> None:
        self.bed = bed
        self.alarms = Watch(bed, alarms, lambda error: failed("alarms", error))
        self._make = analysis
        self._signals = signals
        self._live = live
        self._store = store
        self._failed = failed
        self._dsp: Analysis | None = analysis()
        self._broken_since_ns: Nanos | None = None
        self._retry_at_ns: Nanos = 0
        self._backoff_ns = FIRST_RETRY_NS

    def push(self, item: Item) -> None:
        """Take one item: analyse it, judge alarms, and make them heard, shown and stored with it."""
        findings = self._analyse(item)
        changes = self.alarms.step(item, findings)
        self._signals(self.bed, item, changes)
        self._live(self.bed, item, findings, changes)
        self._store(self.bed, item, findings, changes)
        for fact in self.alarms.news():
            self.push(fact)
        if isinstance(item, Tick):
            self._judge_recovery(item.t_ns)

    def restore(self, own: Settings, state: dict[str, Any], now_ns: Nanos) -> bool:
        """At the start, with what the last process kept of the alarms. False where alarms were lost: they are judged anew."""
        told = self.alarms.restore(own, state, now_ns)
        if told:
            self._store(self.bed, Tick(now_ns), (), told)
        return all(change.kind is not ChangeKind.ENDED for change in told)

    def _analyse(self, item: Item) -> list[Finding]:
        if self._dsp is None and isinstance(item, Tick) and item.t_ns >= self._retry_at_ns:
            self._dsp = self._make()
        if self._dsp is None:
            return []
        try:
            return self._dsp.push(item)
        except Exception as error:  # noqa: BLE001 - a bug in analysis must cost the analysis only; it is logged and said
            self._failed(ANALYSIS, error)
            self._dsp = None
            now_ns = _time_of(item)
            self._retry_at_ns = now_ns + self._backoff_ns
            self._backoff_ns = min(2 * self._backoff_ns, LONGEST_RETRY_NS)
            if self._broken_since_ns is None:
                self._broken_since_ns = now_ns
                self._say(FactState.FAILED, now_ns, type(error).__name__)
            return []

    def _judge_recovery(self, now_ns: Nanos) -> None:
        """Analysis counts as well again after it has run for as long as its last wait."""
        if (
            self._broken_since_ns is None
            or self._dsp is None
            or now_ns < self._retry_at_ns + self._backoff_ns
        ):
            return
        self._broken_since_ns = None
        self._backoff_ns = FIRST_RETRY_NS
        self._say(FactState.OK, now_ns)

    def _say(self, state: FactState, now_ns: Nanos, detail: str = "") -> None:
        """A Fact goes the way of all items, alarms included."""
        self.push(Fact(ANALYSIS, state, since_ns=now_ns, t_ns=now_ns, detail=detail, bed=self.bed))


def _time_of(item: Item) -> Nanos:
    return getattr(item, "arrived_ns", None) or item.t_ns  # type: ignore[union-attr]  # a block has arrived_ns, all others t_ns
