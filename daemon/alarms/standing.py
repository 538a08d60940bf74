"""What is said once and stays so until the opposite is said: a fresh engine has to hear it again, for nobody will repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from daemon.alarms.engine import AlarmEngine
from daemon.model.findings import Finding, Quality, Rhythm
from daemon.model.signals import DeviceSeen, DeviceStatus, Fact, Item, LeadState, LinkState, SampleBlock, Tick

MOST = 64
"""Of items and of findings each; the oldest go first."""

T = TypeVar("T")
_Key = tuple[object, ...]


class Standing:
    """The latest Fact of every source, state and word of every device, state of every electrode, quality of every lead, rhythm that goes on."""

    def __init__(self) -> None:
        self._items: dict[_Key, Item] = {}
        self._findings: dict[_Key, Finding] = {}

    def note(self, item: Item, findings: Sequence[Finding]) -> None:
        """Keep what stands of an item and of what analysis said of it."""
        match item:
            case Fact():
                _keep(self._items, ("fact", item.source), item)
            case DeviceSeen(state=LinkState.MOVED):
                gone = {("device", item.label), ("leads", item.device), ("samples", item.device)}
                for key in [k for k in self._items if k in gone or k[:2] == ("status", item.device)]:
                    del self._items[key]
            case DeviceSeen():
                _keep(self._items, ("device", item.label), item)
            case DeviceStatus():
                _keep(self._items, ("status", item.device, item.name), item)
            case LeadState():
                _keep(self._items, ("leads", item.segment.stream.device), item)
            case SampleBlock():
                if ("samples", item.segment.stream.device) not in self._items:  # tells what the device brings
                    _keep(self._items, ("samples", item.segment.stream.device), item)
        for finding in findings:
            if isinstance(finding, Quality):
                _keep(self._findings, ("quality", finding.lead), finding)
            elif isinstance(finding, Rhythm):
                key = ("rhythm", finding.label, finding.evidence.segment, finding.evidence.first)
                if finding.end_ns is None:
                    _keep(self._findings, key, finding)
                else:
                    self._findings.pop(key, None)

    def tell(self, engine: AlarmEngine) -> None:
        """Say it all again, in the order in which it was said."""
        for item in self._items.values():
            engine.step(item)
        engine.seen.collect(Tick(0), tuple(self._findings.values()))


def _keep(held: dict[_Key, T], key: _Key, value: T) -> None:
    held.pop(key, None)
    held[key] = value
    if len(held) > MOST:
        del held[next(iter(held))]
