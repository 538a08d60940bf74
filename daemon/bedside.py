"""The way of a sample through one bed, readable in one function: `Bedside.push`.

A Bedside does no I/O and reads no clock. The daemon feeds it from ports, `vitald analyse` from recordings: one pipeline,
so that what is measured is what runs at the bed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

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
    """Where items and findings go. Bounded; never waits, never raises."""

    def __call__(self, bed: str, item: Item, findings: Sequence[Finding]) -> None: ...


class Bedside:
    """One bed. `live` and `store` are sinks; `analysis` makes a fresh analysis; `failed` hears of an analysis that broke."""

    def __init__(
        self,
        bed: str,
        *,
        analysis: Callable[[], Analysis],
        live: Sink,
        store: Sink,
        failed: Callable[[Exception], None],
    ) -> None:
        self.bed = bed
        self._make = analysis
        self._live = live
        self._store = store
        self._failed = failed
        self._dsp: Analysis | None = analysis()
        self._broken_since_ns: Nanos | None = None
        self._retry_at_ns: Nanos = 0
        self._backoff_ns = FIRST_RETRY_NS

    def push(self, item: Item) -> None:
        """Take one item: analyse it, show it, store it."""
        if self._dsp is None and isinstance(item, Tick) and item.t_ns >= self._retry_at_ns:
            self._dsp = self._make()
        findings = self._analyse(item)
        self._live(self.bed, item, findings)
        self._store(self.bed, item, findings)
        if isinstance(item, Tick):
            self._judge_recovery(item.t_ns)

    def _analyse(self, item: Item) -> list[Finding]:
        if self._dsp is None:
            return []
        try:
            return self._dsp.push(item)
        except Exception as error:  # noqa: BLE001 - a bug in analysis must cost the analysis only; it is logged and said
            self._failed(error)
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
        fact = Fact(ANALYSIS, state, since_ns=now_ns, t_ns=now_ns, detail=detail, bed=self.bed)
        self._live(self.bed, fact, ())
        self._store(self.bed, fact, ())


def _time_of(item: Item) -> Nanos:
    return getattr(item, "arrived_ns", None) or item.t_ns  # type: ignore[union-attr]  # a block has arrived_ns, all others t_ns
