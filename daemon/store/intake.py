"""What happens within `offer`: items become entries that wait, on the event loop's thread and without any I/O."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from daemon.model.alarms import Change, ChangeKind
from daemon.model.findings import Beat, Conclusions, Event, Finding, Metric, Quality, Rhythm
from daemon.model.outgoing import Lane, Outgoing
from daemon.model.signals import (
    Command,
    DeviceReply,
    DeviceSeen,
    DeviceStatus,
    Fact,
    Gap,
    GapCause,
    Item,
    LeadState,
    Nanos,
    Reading,
    SampleBlock,
    Segment,
    Tick,
)
from daemon.store.backlog import Backlog, Batch, Waiting
from daemon.store.cutting import Chunk, Cutter
from daemon.store.entries import AlarmsKept, Ended, Entry, Opened, Stopped

log = logging.getLogger(__name__)

IDLE_NS: Nanos = 1_500_000_000
"""A chunk that nothing was added to for this long is stored as it is: its device is silent."""

METRICS_SHARE = 0.8
"""Of the places for rows, the share that metrics may take: the rest is for events."""


class Intake:
    """The backlog, and what has to be known to fill it. `urgent` is called when something should be committed at once."""

    def __init__(
        self, now: Callable[[], Nanos], urgent: Callable[[], None], *, max_rows: int, max_bytes: int
    ) -> None:
        self.backlog = Backlog(max_rows, max_bytes)
        self.samples_lost = 0
        self.rows_lost = 0
        self._now = now
        self._urgent = urgent
        self._seq = 0
        self._cutters: dict[tuple[str, str], Cutter] = {}
        self._refused: dict[str, Waiting] = {}
        self._last_numbers: dict[tuple[str, ...], tuple[int, str]] = {}
        self._last_devices: dict[tuple[str, str], tuple[object, ...]] = {}
        self._last_facts: dict[tuple[str, str], Fact] = {}

    def offer(
        self,
        bed: str,
        item: Item,
        findings: Sequence[Finding],
        changes: Sequence[Change] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> int:
        """Never raises: what cannot be taken is a bug, logged, and costs itself only."""
        self._seq += 1
        try:
            for change in changes:  # first: whatever is wrong with the rest costs no alarm
                self.row(bed, change)
                if change.kind is not ChangeKind.NEAR_MISS:
                    self._urgent()
            for message in outgoing:
                if message.lane is Lane.ALARMS:
                    self.row(bed, message)
            self._item(bed, item)
            for finding in findings:
                if isinstance(finding, Beat | Quality | Rhythm | Event | Conclusions):
                    self.row(bed, finding)
                elif isinstance(finding, Metric):
                    self._number(bed, finding)
            for message in outgoing:
                if message.lane is not Lane.ALARMS:
                    self.row(bed, message, share=METRICS_SHARE if message.lane is Lane.METRICS else 1.0)
        except Exception:
            log.exception("store: cannot take %s", type(item).__name__)
            self.rows_lost += 1
        return self._seq

    def keep(self, bed: str, kept: AlarmsKept) -> None:
        """How a bed's alarms stand now; another one follows soon, so that it gives way where room is short."""
        self._seq += 1
        self.row(bed, kept, share=METRICS_SHARE)

    def row(self, bed: str, entry: Entry, *, share: float = 1.0) -> None:
        if not self.backlog.row(Waiting(self._seq, bed, entry), share=share):
            self.rows_lost += 1

    def settle(self) -> None:
        """There is room again: what was refused goes in as gaps."""
        for gap in self._refused.values():
            self.backlog.samples(gap, must=True)
        self._refused.clear()

    def finish(self) -> None:
        """The end: what is pending goes in, and open segments and sessions end."""
        for cutter in self._cutters.values():
            self._flush(cutter)
        self.settle()
        self._cutters.clear()
        self.backlog.samples(Waiting(self._seq, "", Stopped(self._now())), must=True)

    def segments(self) -> list[Segment]:
        """The segments that are open now."""
        return [cutter.segment for cutter in self._cutters.values()]

    def written(self, batch: Batch, left_out: int) -> None:
        self.backlog.written(batch)
        self.rows_lost += left_out

    def saved_seq(self) -> int:
        """The number of the last offer up to which everything is written."""
        waiting = [c.pending_since for c in self._cutters.values() if c.pending]
        waiting += [gap.seq for gap in self._refused.values()]
        oldest = self.backlog.oldest()
        if oldest is not None:
            waiting.append(oldest)
        return min(waiting, default=self._seq + 1) - 1

    def _item(self, bed: str, item: Item) -> None:
        match item:
            case SampleBlock():
                if item.counts.dtype != np.int32 or len(item.counts) != len(item.segment.stream.channels):
                    raise ValueError("a block must hold int32 of shape (channels, n)")
                for entry in self._cutter(item.segment).push(item, self._seq):
                    self._samples(entry)
                    if entry.first == 0:  # a recording has begun: it shows at once
                        self._urgent()
            case Gap():
                for entry in self._cutter(item.segment).skip(item):
                    self._samples(entry)
            case Tick():
                for cutter in self._cutters.values():
                    if cutter.pending and item.t_ns - cutter.arrived_ns > IDLE_NS:
                        self._flush(cutter)
            case Reading():
                self._number(bed, item)
            case DeviceSeen():
                self._device(item)
            case Fact():
                # A Fact of the whole box comes once through every bed.
                if self._last_facts.get((item.bed, item.source)) != item:
                    self._last_facts[item.bed, item.source] = item
                    self.row(bed, item)
            case Command():
                self.row(bed, item)
                self._urgent()
            case DeviceStatus() | DeviceReply():
                self.row(bed, item)
            case LeadState():
                self._cutter(item.segment)
                self.row(bed, item)

    def _cutter(self, segment: Segment) -> Cutter:
        """The segment's cutter. A new segment ends the one before it of the same stream."""
        key = (segment.bed, segment.stream.id)
        cutter = self._cutters.get(key)
        if cutter is not None and cutter.segment.id == segment.id:
            return cutter
        if cutter is not None:
            self._flush(cutter)
            self.settle()
            self.backlog.samples(Waiting(self._seq, segment.bed, Ended(cutter.segment)), must=True)
        self._cutters[key] = Cutter(segment)
        self.row(segment.bed, Opened(segment))
        return self._cutters[key]

    def _flush(self, cutter: Cutter) -> None:
        for chunk in cutter.flush():
            self._samples(chunk)

    def _samples(self, entry: Chunk | Gap) -> None:
        """A chunk or gap into the backlog, behind the gap that stands for those refused before it."""
        segment = entry.segment
        chunk = entry if isinstance(entry, Chunk) else None
        waiting = Waiting(chunk.since if chunk else self._seq, segment.bed, entry)
        refused = self._refused.get(segment.id)
        if self.backlog.samples(*([refused] if refused else []), waiting):
            self._refused.pop(segment.id, None)
            return
        n = entry.n if isinstance(entry, Chunk) else entry.count
        self.samples_lost += chunk.n if chunk else 0
        if refused is not None:
            assert isinstance(refused.entry, Gap)
            gap = replace(refused.entry, count=refused.entry.count + n)
            self._refused[segment.id] = replace(refused, entry=gap)
        else:
            gap = Gap(segment, entry.first, n, entry.t0_ns, self._now(), GapCause.DISK)
            self._refused[segment.id] = replace(waiting, entry=gap)

    def _number(self, bed: str, number: Metric | Reading) -> None:
        """At most one row a second of each number, and one more when it goes or comes back."""
        source = number.device if isinstance(number, Reading) else number.lead
        key = (bed, type(number).__name__, source, number.name)
        last = (number.t_ns // 1_000_000_000, number.why or "")
        if self._last_numbers.get(key) != last:
            self._last_numbers[key] = last
            self.row(bed, number, share=METRICS_SHARE)

    def _device(self, seen: DeviceSeen) -> None:
        """A row when the device's state changes; its counters alone are none."""
        state = (seen.kind, seen.device, seen.firmware, seen.port, seen.state, seen.since_ns, seen.detail)
        key = (seen.bed, seen.label)
        if self._last_devices.get(key) != state:
            self._last_devices[key] = state
            self.row(seen.bed, seen)
