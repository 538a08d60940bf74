"""What stands beside the ECG: pulse waves, the airflow at a mask, an oximeter's numbers, a concentrator.

A bed follows one stream of each kind at once: the better one (a pleth before other pulse waves; flow with pressure before flow
alone; purity and both beds before less), and among equals the one that spoke first. Another of equal or lower rank is
followed only when the followed one has been silent for `SILENT_NS` (a pulse wave: two seconds). What a night adds up to belongs to the bed, and begins
anew with another patient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from daemon.dsp.oximetry.stage import Oximetry
from daemon.dsp.oxygen.channels import Outlet
from daemon.dsp.oxygen.stage import Gas, OxygenSegment
from daemon.dsp.pulse import PulseSegment, pulse_rank
from daemon.dsp.rate import NO_SIGNAL_NS
from daemon.dsp.respiration.channels import Airflow
from daemon.dsp.respiration.night import Night
from daemon.dsp.respiration.stage import RespirationSegment
from daemon.model.findings import Finding
from daemon.model.signals import (
    Command,
    DeviceStatus,
    Item,
    Nanos,
    Quantity,
    Reading,
    SampleBlock,
    Segment,
    Stream,
    Tick,
)

SILENT_NS: Nanos = 10_000_000_000
MOST_STREAMS = 32
LEAK = "cpap_leak"
PATIENT = {"admit", "discharge"}
"""Verbs of Commands after which another night, of another patient, begins."""

Rank = tuple[float, ...]


class _OfSegment(Protocol):
    """The analysis of one segment of one kind."""

    segment: Segment

    def push(self, block: SampleBlock) -> list[Finding]: ...


T = TypeVar("T", bound=_OfSegment)


class _Followed(Generic[T]):
    """The stream of one kind that is followed. `rank` None: not of this kind."""

    def __init__(
        self, rank: Callable[[Stream], Rank | None], make: Callable[[Segment], T], silent_ns: Nanos
    ) -> None:
        self._rank_of, self._make, self._silent_ns = rank, make, silent_ns
        self._ranks: dict[str, tuple[Stream, Rank | None]] = {}
        self._until_ns: Nanos = 0
        self.now: T | None = None

    def push(self, block: SampleBlock) -> list[Finding]:
        """What the block lets be said, if it is of the stream that is followed."""
        current, segment = self.now, block.segment
        if current is None or current.segment.id != segment.id:
            rank = self._rank(segment.stream)
            if rank is None or (current is not None and self._stays(current.segment.stream, block, rank)):
                return []
            current = self.now = self._make(segment)
        self._until_ns = block.time_of(block.first + block.n)
        return current.push(block)

    def _rank(self, stream: Stream) -> Rank | None:
        """Worked out once for each of the streams that a bed has."""
        known = self._ranks.get(stream.id)
        if known is None or known[0] != stream:
            if len(self._ranks) >= MOST_STREAMS:
                self._ranks.clear()
            known = self._ranks[stream.id] = (stream, self._rank_of(stream))
        return known[1]

    def _stays(self, followed: Stream, block: SampleBlock, rank: Rank) -> bool:
        """Whether another stream goes on being followed."""
        if followed.id == block.segment.stream.id:
            return False
        known = self._rank(followed)
        return block.t0_ns - self._until_ns <= self._silent_ns and known is not None and rank <= known


class Beside:
    """Takes all items of a bed and says what its devices beside the ECG let be said."""

    def __init__(self) -> None:
        self._night = Night()
        self._gas = Gas()
        self._oximetry = Oximetry()
        self._pulse = _Followed(pulse_rank, PulseSegment, NO_SIGNAL_NS)
        self._airflow = _Followed(
            _airflow_rank, lambda segment: RespirationSegment(segment, self._night), SILENT_NS
        )
        self._oxygen = _Followed(_outlet_rank, lambda segment: OxygenSegment(segment, self._gas), SILENT_NS)

    def push(self, item: Item) -> list[Finding]:
        """What this item lets be said, in order of `due_ns`."""
        match item:
            case SampleBlock():
                found = [*self._pulse.push(item), *self._airflow.push(item), *self._oxygen.push(item)]
                self._leak_of(item)
                return sorted(found, key=lambda finding: finding.due_ns)
            case Reading():
                if item.name == LEAK and item.value is not None:
                    self._note_leak(item.device, item.t_ns, item.value)
                return [*self._oximetry.reading(item), *self._gas.reading(item)]
            case DeviceStatus():
                self._gas.status(item)
                airflow = self._airflow.now
                if (
                    airflow is not None
                    and item.name == "mask"
                    and item.device == airflow.segment.stream.device
                ):
                    airflow.note_mask(off=item.text == "off")
                return self._oximetry.status(item)
            case Tick():
                return self._tick(item.t_ns)
            case Command() if item.verb in PATIENT:
                self._night.begin()
                self._oximetry.begin()
                self._gas.begin()
        return []

    def finish(self) -> list[Finding]:
        """The recording is over: what the night came to."""
        return [] if self._airflow.now is None else self._airflow.now.finish()

    def _tick(self, t_ns: Nanos) -> list[Finding]:
        found = self._oximetry.passed(t_ns)
        airflow = self._airflow.now
        if airflow is not None and t_ns - (airflow.heard_ns or airflow.segment.began_ns) > NO_SIGNAL_NS:
            found += airflow.silent(t_ns)
        return found

    def _leak_of(self, block: SampleBlock) -> None:
        """A leak that the device samples beside its flow, at a rate of its own."""
        stream = block.segment.stream
        airflow = self._airflow.now
        if (
            airflow is None
            or stream.device != airflow.segment.stream.device
            or stream.name == airflow.segment.stream.name
        ):
            return
        for row, channel in enumerate(stream.channels):
            if channel.quantity is Quantity.LEAK and channel.unit in _TO_LPM and block.n:
                value = (float(block.counts[row, -1]) - channel.offset) * channel.gain * _TO_LPM[channel.unit]
                self._note_leak(stream.device, block.time_of(block.first + block.n - 1), value)

    def _note_leak(self, device: str, t_ns: Nanos, lpm: float) -> None:
        airflow = self._airflow.now
        if airflow is not None and airflow.segment.stream.device == device:
            airflow.note_leak(t_ns, lpm)


_TO_LPM = {"L/s": 60.0, "L/min": 1.0, "mL/min": 1e-3}


def _airflow_rank(stream: Stream) -> Rank | None:
    airflow = Airflow.of(stream)
    return None if airflow is None else airflow.rank


def _outlet_rank(stream: Stream) -> Rank | None:
    outlet = Outlet.of(stream)
    return None if outlet is None else outlet.rank
