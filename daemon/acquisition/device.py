"""One attached device, from the opening of its port to its loss: what its board decodes becomes items.

No I/O and no clock here: bytes and times come in, items go out. A segment is one stretch of one stream; it begins with
the first sample of a connection, and anew when the device says another serial number or other channels. Sample numbers
run on over samples that never came, so a number is always a time.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from daemon.acquisition.clock import DeviceClock
from daemon.model.signals import (
    Counts,
    DeviceReply,
    DeviceStatus,
    Gap,
    GapCause,
    Item,
    LeadState,
    Nanos,
    Reading,
    SampleBlock,
    Segment,
    Stream,
)
from daemon.model.transfer import Transfer
from firmware_bridge.boards import Board, Commanded, Updated
from firmware_bridge.frames import (
    Damage,
    Frame,
    Identity,
    Leads,
    Number,
    Progress,
    Quantity,
    Reply,
    Samples,
    Settings,
    Status,
    StreamSpec,
)

MAX_BLOCK_NS: Nanos = 200_000_000
Value = float | Transfer
"""What a device can be asked to take."""

_MAX_TEXT, _MAX_SETTINGS = 200, 64


@dataclass(slots=True)
class _Stretch:
    """A segment being received. `pending` are samples not yet given on, the last of them number `next` - 1."""

    segment: Segment
    clock: DeviceClock
    last_ns: Nanos
    next: int = 0
    pending: list[Counts] = field(default_factory=list)
    pending_n: int = 0
    arrived_ns: Nanos = 0
    stalled: bool = False


@dataclass(slots=True)
class Counters:
    """What is counted over all connections of a configured device."""

    connections: int = 0
    bytes_in: int = 0
    bytes_damaged: int = 0
    samples_lost: int = 0


class Device:
    """A connection to one device. `give` receives the items in order; `port_label` names a device without serial number.

    While `held` is True nothing is given: it is not yet known whether this is the device that belongs here.
    """

    def __init__(
        self,
        bed: str,
        boot: str,
        board: Board,
        port_label: str,
        counters: Counters,
        give: Callable[[Item], None],
    ) -> None:
        self.board = board
        # Asked once: the question looks at every attribute, and the answer is wanted fifty times a second.
        self.commanded = board if isinstance(board, Commanded) else None
        self.updated = board if isinstance(board, Updated) else None
        self.identity = Identity(board.facts.kind, model=board.facts.title)
        self.settings: dict[str, str] = {}
        self.refusal = ""
        self.held = False
        self.last_heard_ns: Nanos | None = None
        self.stall_ns: Nanos = round(board.facts.silent_after_s * 1e9)
        self._statuses: dict[str, str] = {}
        self._asked: set[str] = set()
        self._transfers: dict[str, Transfer] = {}
        self.bed = bed
        self._boot = boot
        self._port_label = port_label
        self._counters = counters
        self._give = give
        self._connection = 0
        self._stretches: dict[str, _Stretch] = {}
        self._attached: Leads | None = None
        self._damaged = False

    @property
    def name(self) -> str:
        """The serial number, or the port's label where the device has none."""
        return self.identity.serial or self._port_label

    def stalled(self, now_ns: Nanos) -> bool:
        """Whether it gave samples (or, where it has none, numbers) and has been silent for longer than a stall takes."""
        return self.last_heard_ns is not None and now_ns - self.last_heard_ns > self.stall_ns

    def command(self, request: str, name: str, value: Value, now_ns: Nanos) -> None:
        """Ask the device to take a setting or new firmware; what becomes of it comes as a `DeviceReply`."""
        if isinstance(value, Transfer):
            self._update(request, value, now_ns)
            return
        board = self.commanded
        if board is None:
            self._replied(Reply(request, ok=False, text="read_only"), now_ns)
        elif refused := board.command(request, name, value, now_ns):
            self._replied(Reply(request, ok=False, text=refused), now_ns)
        else:
            self._asked.add(request)

    @property
    def takes_firmware(self) -> bool:
        return self.updated is not None and self.updated.takes_firmware

    def _update(self, request: str, transfer: Transfer, now_ns: Nanos) -> None:
        board = self.updated
        if board is None:
            refused = "read_only"
        elif transfer.verb == "send":
            refused = board.update(request, transfer.image, transfer.version, now_ns)
        else:
            refused = board.told(request, transfer.verb, now_ns)
        if refused:
            self._replied(Reply(request, ok=False, text=refused), now_ns)
        else:
            self._asked.add(request)
            self._transfers[request] = transfer

    def lapse(self, now_ns: Nanos) -> None:
        """What time alone brings: frames that waited for one that never came, settings left without an answer."""
        if self.commanded is not None:
            self.feed(b"", now_ns)
            for reply in self.commanded.lapsed(now_ns) if self._asked else ():
                self._take(reply, now_ns)

    def move(self, bed: str) -> None:
        """It belongs to another bed from now on: there everything begins anew."""
        self._end_segments()
        self.bed = bed
        self._statuses.clear()

    def gone(self, now_ns: Nanos) -> None:
        """The device is no longer here: what it was asked will not be answered."""
        for request in sorted(self._asked):
            self._replied(Reply(request, ok=False, text="device_gone"), now_ns)

    def _replied(self, reply: Reply, now_ns: Nanos) -> None:
        self._asked.discard(reply.request)
        self._transfers.pop(reply.request, None)
        text = reply.text[:_MAX_TEXT]
        self._give(DeviceReply(self.bed, self.name, reply.request, reply.ok, text, now_ns))

    def measured(self) -> tuple[float, float | None]:
        """(samples per second, drift in ppm) of the first stream by our clock; (0, None) before any came."""
        for stretch in self._stretches.values():
            return 1e9 / stretch.clock.period_ns, stretch.clock.drift_ppm
        return 0.0, None

    def feed(self, data: bytes, now_ns: Nanos) -> None:
        """Bytes that were in hand at `now_ns`. Raises whatever a faulty board raises."""
        for frame in self.board.feed(data, now_ns):
            self._take(frame, now_ns)

    def flush(self) -> None:
        """Give the samples received so far as blocks, one for each stream."""
        for stretch in self._stretches.values():
            self._flush(stretch)

    def _take(self, frame: Frame, now_ns: Nanos) -> None:
        match frame:
            case Samples():
                if not self.held:
                    self._samples(frame)
                self.last_heard_ns = frame.arrived_ns
                self._damaged = False
            case Leads():
                self._attached = frame
                if not self.held:
                    self._lead_state(frame, now_ns)
            case Identity():
                self._identify(frame)
            case Number():
                self._heard(now_ns)
                if not self.held:
                    why = "" if frame.value is not None else "not_given"
                    self._give(Reading(self.bed, self.name, frame.name, frame.value, frame.unit, now_ns, why))
            case Status():
                self._heard(now_ns)
                self._status(frame, now_ns)
            case Settings():
                for name, value in frame.values[:_MAX_SETTINGS]:
                    if name in self.settings or len(self.settings) < _MAX_SETTINGS:
                        self.settings[name[:_MAX_TEXT]] = value[:_MAX_TEXT]
            case Progress() if frame.request in self._transfers:
                self._transfers[frame.request].done = frame.done
            case Reply() if frame.request in self._asked:
                self._replied(frame, now_ns)
            case Reply():
                self.refusal = "" if frame.ok else f"{frame.request}: {frame.text or 'no answer'}"[:_MAX_TEXT]
            case Damage():
                self._counters.bytes_damaged += frame.byte_count
                self._damaged = True

    def _heard(self, now_ns: Nanos) -> None:
        """A device that has samples is judged by them alone: numbers that go on do not make up for waves that stand still."""
        if not self._stretches:
            self.last_heard_ns = now_ns

    def _status(self, said: Status, now_ns: Nanos) -> None:
        name, text = said.name[:_MAX_TEXT], said.text[:_MAX_TEXT]
        if self.held or self._statuses.get(name) == text:
            return
        if name in self._statuses or len(self._statuses) < _MAX_SETTINGS:
            self._statuses[name] = text
            self._give(DeviceStatus(self.bed, self.name, name, text, now_ns))

    def _identify(self, said: Identity) -> None:
        """Words already known stay known: a board may say its serial number and its version in two frames."""
        known = self.identity
        self.identity = replace(
            said,
            serial=said.serial or known.serial,
            firmware=said.firmware or known.firmware,
            model=said.model or known.model,
        )
        if self.identity.serial != known.serial:
            self._end_segments()

    def _end_segments(self) -> None:
        self.flush()
        self._stretches.clear()
        self._connection = 0

    def _stretch(self, spec: StreamSpec, now_ns: Nanos) -> _Stretch:
        """The segment that samples of this stream belong to; begun here when it is new or its channels have changed."""
        known = self._stretches.get(spec.name)
        if known is not None and (known.segment.stream.channels, known.segment.stream.rate_hz) == (
            spec.channels,
            spec.rate_hz,
        ):
            return known
        if known is not None:
            self._end_segments()
        if self._connection == 0:
            self._counters.connections += 1
            self._connection = self._counters.connections
        stream = Stream(self.name, spec.name, spec.rate_hz, spec.channels)
        segment = Segment(str(uuid.uuid4()), self.bed, stream, self._boot, self._connection, now_ns)
        stretch = _Stretch(segment, DeviceClock(spec.rate_hz), now_ns)
        self._stretches[spec.name] = stretch
        if self._attached is not None and spec.name == self._ecg():
            self._give(LeadState(segment, 0, now_ns, self._attached.attached))
        return stretch

    def _samples(self, frame: Samples) -> None:
        spec = next(s for s in self.board.facts.streams if s.name == frame.stream)
        stretch = self._stretch(spec, frame.arrived_ns)
        n = int(frame.counts.shape[1])
        lost = frame.lost if stretch.next else 0
        cause = GapCause.NOISE if self._damaged else GapCause.UNKNOWN
        if stretch.next and frame.arrived_ns - stretch.last_ns > self.stall_ns:
            cause = GapCause.STALL
            stretch.stalled = True
        if lost:
            self._lose(stretch, lost, frame.arrived_ns, cause)
        stretch.pending.append(frame.counts)
        stretch.pending_n += n
        stretch.next += n
        stretch.arrived_ns = stretch.last_ns = frame.arrived_ns
        stretch.clock.observe(stretch.next - 1, frame.arrived_ns)
        if missing := stretch.clock.missing():
            # A device that does not count: what comes after a silence may have been kept back by the host or lost
            # by the device. It was lost if all that follows stays late; the clock knows after some seconds.
            late = GapCause.STALL if stretch.stalled else GapCause.UNKNOWN
            self._lose(stretch, missing, frame.arrived_ns, late)
            stretch.stalled = False
        if stretch.pending_n * stretch.clock.period_ns > MAX_BLOCK_NS:
            self._flush(stretch)

    def _lose(self, stretch: _Stretch, count: int, now_ns: Nanos, cause: GapCause) -> None:
        """The next `count` samples of a stream never came."""
        self._flush(stretch)
        self._counters.samples_lost += count
        t0_ns = min(round(stretch.clock.time_of(stretch.next)), now_ns)
        self._give(Gap(stretch.segment, stretch.next, count, t0_ns, now_ns, cause))
        stretch.next += count

    def _flush(self, stretch: _Stretch) -> None:
        if not stretch.pending:
            return
        counts = stretch.pending[0] if len(stretch.pending) == 1 else np.concatenate(stretch.pending, axis=1)
        n, first = stretch.pending_n, stretch.next - stretch.pending_n
        line = stretch.clock.serve(first, n, stretch.arrived_ns)
        stretch.pending, stretch.pending_n = [], 0
        self._give(
            SampleBlock(
                stretch.segment,
                first,
                line.t0_ns,
                line.period_ns,
                counts,
                stretch.arrived_ns,
                line.error_ns,
            )
        )

    def _lead_state(self, leads: Leads, now_ns: Nanos) -> None:
        """Leads hold from the next sample on. Before the first one they are kept, and given when the segment begins."""
        stretch = self._stretches.get(self._ecg())
        if stretch is not None:
            self._flush(stretch)
            self._give(LeadState(stretch.segment, stretch.next, now_ns, leads.attached))

    def _ecg(self) -> str:
        """The stream that electrodes belong to; "" where the device has not said yet what it has."""
        streams = self.board.facts.streams
        for spec in streams:
            if any(c.quantity is Quantity.ECG for c in spec.channels):
                return spec.name
        return streams[0].name if streams else ""
