"""The signal half of a bed: items in, findings out, in the order in which they are due.

A bed's analysis follows one ECG stream: the one with the most leads of those that speak. A stream with more leads takes
over from one with fewer; any other has to wait until the followed one has been silent for two seconds. Pulse waves, airflow,
oximeter and concentrator are followed at the same time (beside.py). Other streams and the box's Facts pass by. A new segment
begins everything anew, except the screen's settings and what a night adds up to.
"""

from __future__ import annotations

from daemon.dsp.beside import Beside
from daemon.dsp.display import DisplaySettings
from daemon.dsp.ecg.detect import QrsTable
from daemon.dsp.ecg.trees import ClassTable
from daemon.dsp.interpret import Tables
from daemon.dsp.leads import Montage
from daemon.dsp.rate import NO_SIGNAL_NS
from daemon.dsp.segment import EcgSegment
from daemon.dsp.traces import Traces
from daemon.model.findings import Finding, Metric, Why
from daemon.model.signals import Command, Item, LeadState, Nanos, SampleBlock, Segment, Tick


class Pipeline:
    """The analysis of one bed. `display` None = no waves are made (an analysis of recordings); without `classes` beats have none."""

    def __init__(
        self,
        table: QrsTable,
        display: DisplaySettings | None,
        classes: ClassTable | None = None,
        further: Tables | None = None,
    ) -> None:
        self._table = table
        self._classes = classes
        self._further = further
        self.display = display
        self._current: EcgSegment | None = None
        self._beside = Beside()
        self._traces = None if display is None else Traces()
        self._silent = False
        self._unattached = False

    def push(self, item: Item) -> list[Finding]:
        """What this item lets be said. Gaps are seen in the sample numbers; values that cannot be are ignored."""
        beside = self._beside.push(item)
        found = self._of_ecg(item)
        if isinstance(item, SampleBlock) and self._traces is not None:
            beside += self._traces.push(item)
        return sorted([*found, *beside], key=lambda finding: finding.due_ns) if beside else found

    def _of_ecg(self, item: Item) -> list[Finding]:
        """What the ECG and the screen's settings have to do with it."""
        if isinstance(item, SampleBlock):
            current = self._following(item.segment)
            if current is None:
                return []
            self._silent = False
            return current.push(item)
        if isinstance(item, LeadState):
            current = self._following(item.segment)
            if current is not None:
                current.note_electrodes(item.first, item.attached)
        elif isinstance(item, Tick):
            return self._tick(item.t_ns)
        elif isinstance(item, Command) and item.verb == "display":
            self._set_display(dict(item.values))
        return []

    def finish(self) -> list[Finding]:
        """The recording is over: what was still open, as far as it is known."""
        found = [] if self._current is None else self._current.finish()
        return sorted([*found, *self._beside.finish()], key=lambda finding: finding.due_ns)

    def _following(self, segment: Segment) -> EcgSegment | None:
        """The analysis of this segment, begun if it is the one to follow; None if it is not."""
        current = self._current
        if current is not None and current.segment.id == segment.id:
            return current
        montage = Montage.of(segment.stream)
        if montage is None:
            return None
        if current is not None and current.segment.stream.id != segment.stream.id and not self._silent:
            followed = Montage.of(current.segment.stream)
            if followed is not None and len(montage.measured) <= len(followed.measured):
                return None
        self._current = EcgSegment(segment, montage, self._table, self.display, self._classes, self._further)
        self._silent = False
        return self._current

    def _tick(self, t_ns: Nanos) -> list[Finding]:
        if self._current is None:
            if self._unattached:
                return []
            self._unattached = True
            return [Metric(t_ns, t_ns, "heart_rate", None, "bpm", Why.NO_DEVICE, "", 0.0, None)]
        heard_ns = self._current.heard_ns
        if t_ns - (self._current.segment.began_ns if heard_ns is None else heard_ns) <= NO_SIGNAL_NS:
            return []
        self._silent = True
        return self._current.silent(t_ns)

    def _set_display(self, values: dict[str, str]) -> None:
        if self.display is None:
            return
        try:
            self.display = self.display.with_values(values)
        except ValueError:
            return
        if self._current is not None:
            self._current.use(self.display)
