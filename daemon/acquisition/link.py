"""One configured device's link: find its port, open it, read and write, lose it, begin again. A lost device is a state.

All of it runs on the acquisition thread's loop. A fault in a board's code is logged, told as a Fact, and the link
begins again; the other links do not notice.
"""

from __future__ import annotations

import asyncio
import logging
import termios
from collections.abc import Callable, Mapping

from serial_asyncio_fast import SerialTransport

from daemon.acquisition import hotplug
from daemon.acquisition.belonging import Belonging
from daemon.acquisition.claims import Claims, Place
from daemon.acquisition.device import Counters, Device, Value
from daemon.acquisition.hotplug import POLL_S, Port
from daemon.acquisition.line import CannotOpen, Line, Receiver, open_line
from daemon.acquisition.listening import Listening
from daemon.acquisition.ring import Rings
from daemon.acquisition.telling import Telling
from daemon.model.signals import DeviceSeen, Item, LinkState, Nanos
from firmware_bridge.boards import Board, BoardKind
from firmware_bridge.frames import StreamSpec

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = (
    2.0  # waves must be back within 3 s of the board speaking, so a port is never left alone for longer
)
MAX_FAULT_BACKOFF_S = 30.0
MAX_UNSENT_BYTES = 4096
MAX_UNREAD_BYTES = 16_384
FAREWELL_S = 0.3

REFUSE_NS: Nanos = 10_000_000_000
SILENT_NS: Nanos = 3_000_000_000
"""After so long without a word another port is tried, where the configuration names several."""
BEGIN_AGAIN_NS: Nanos = 5_000_000_000
"""A device that has been silent for so long is greeted anew."""
LEAST_RATE_HZ = 100.0
"""Samples a second that room is made for before a device has said what it gives."""
RECOVERED_NS: Nanos = 5_000_000_000

_log = logging.getLogger(__name__)


class Link:
    """The link of one place. `advance` is called with each arrival's stamp before the arrival is taken."""

    def __init__(
        self,
        place: Place,
        claims: Claims,
        rings: Rings,
        boot: str,
        boards: Mapping[str, BoardKind],
        now: Callable[[], Nanos],
        advance: Callable[[Nanos], None],
    ) -> None:
        self.name = place.name
        self._place = place
        self._claims = claims
        self._rings = rings
        self._boot = boot
        self._boards = boards
        self._now = now
        self._advance = advance
        self._counters = Counters()
        self._telling = Telling(place, boards, self._counters, self._give, now())
        self._device: Device | None = None
        self._listening: Listening | None = None
        self._line: Line | None = None
        self._transport: SerialTransport | None = None
        self._gone: asyncio.Future[str] | None = None
        self._opened_ns: Nanos = 0
        self._drained = False
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._arrived_ns: Nanos = 0
        self._looked_ns: Nanos = 0
        self._belonging: Belonging | None = None
        self._why_lost = ""
        self._sized: tuple[StreamSpec, ...] | None = None
        self._closing = False
        self.tapped: Callable[[bytes, Nanos], None] | None = None  # a technician's capture hears what arrives

    @property
    def is_open(self) -> bool:
        """Whether the port is open and not being let go, so that its read loop must go round."""
        return not self._ending

    async def run(self) -> None:
        """Until `close`: one connection after the other, with a pause that grows while they fail."""
        pause_s = FIRST_BACKOFF_S
        while not self._closing:
            port = await self._search()
            try:
                streamed = await self._connection(port)
            except CannotOpen as error:
                self._tell(error.state, str(error))
                streamed = False
            except Exception as error:  # noqa: BLE001 - a fault is logged and told; this link begins again
                self._failed(error)
                streamed = False
            faulty = self._telling.faulty
            longest_s = MAX_FAULT_BACKOFF_S if faulty else MAX_BACKOFF_S
            pause_s = FIRST_BACKOFF_S if streamed and not faulty else min(2 * pause_s, longest_s)
            await asyncio.sleep(pause_s)

    def round(self, now_ns: Nanos, *, give: bool) -> bool:
        """What is due each 20 ms; samples are given on where `give`. True if the port is open and everything that had arrived was read."""
        self._telling.look(now_ns, self._claims)
        if self._line is None or self._transport is None or self._transport.is_closing():
            return False
        try:
            backlog = self._line.backlog()
        except OSError as error:
            self._lose(f"the port went away: {error}")
            return False
        self.flush(give=give)
        try:
            self._work(now_ns)
        except Exception as error:  # noqa: BLE001 - as in run
            self._failed(error)
            return False
        went_round = backlog == 0 or self._drained
        self._drained = False
        return went_round

    def received(self, data: bytes) -> None:
        """Bytes from the port. The stamp comes first: it is what all times rest on. Decoding waits for the round."""
        now_ns = self._now()
        self._advance(now_ns)
        self._drained = True
        if self.tapped is not None:
            self.tapped(data, now_ns)
        self._unread.append(data)
        self._unread_bytes += len(data)
        self._arrived_ns = now_ns
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.flush()

    def flush(self, *, give: bool = True) -> None:
        """Decode what has arrived, and give on the samples."""
        try:
            if self._unread:
                data, self._unread, self._unread_bytes = b"".join(self._unread), [], 0
                self._decode(data, self._arrived_ns)
            if give and self._device is not None:
                self._device.flush()
        except Exception as error:  # noqa: BLE001 - as in run
            self._failed(error)

    def lost(self, error: Exception | None) -> None:
        """The port is closed."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(str(error) if error else "")

    async def close(self) -> None:
        """For good: bring the device to rest and close the port, within a second or so."""
        self._closing = True
        if self._line is None or self._transport is None or self._transport.is_closing():
            return
        gone = self._gone
        try:
            if self._device is not None:
                self._transport.write(self._device.board.closing())
            until_ns = self._now() + FAREWELL_S * 1e9
            while self._line.unsent() and self._now() < until_ns:  # noqa: ASYNC110 - the kernel signals it to nobody
                await asyncio.sleep(0.01)
        except Exception:  # noqa: BLE001 - as in run; and the port must be closed all the same
            _log.exception("%s: could not be brought to rest", self.name)
        self.flush()
        self._lose("closed")
        if gone is not None:
            await asyncio.wait([gone], timeout=1.0)

    # --- finding and opening ---------------------------------------------------------------------------------

    async def _search(self) -> Port:
        """The likeliest port, as soon as there is one; it is this place's from now on."""
        while True:
            ports = self._claims.candidates(self._place, self._now())
            if ports:
                self._claims.take(self._place, ports[0])
                return ports[0]
            if self._telling.state not in {LinkState.LOST, LinkState.SEARCHING}:
                self._tell(LinkState.LOST if self._telling.had_device else LinkState.SEARCHING, "")
            await asyncio.sleep(POLL_S)

    async def _connection(self, port: Port) -> bool:
        """One connection, from opening to loss; whether samples came."""
        loop = asyncio.get_running_loop()
        self._telling.port_path = port.path
        if self._telling.state in {LinkState.SEARCHING, LinkState.LOST}:
            self._tell(LinkState.OPENING, "")
        wanted = self._place.wanted
        try:
            board = None if wanted.kind == "auto" else self._boards[wanted.kind].board(wanted.options)
            listening = None if board else Listening(self._boards, ask=wanted.ask)
            settings = listening.settings if listening else board.facts.port  # type: ignore[union-attr]  # one of the two
            line = await loop.run_in_executor(None, open_line, port.node, settings)
            now_ns = self._now()
            self._why_lost = ""
            self._line, self._opened_ns, self._gone = line, now_ns, loop.create_future()
            self._tell(LinkState.SILENT, "")
            if board is not None:
                self._attach(board, port, now_ns)
            self._listening = listening
            self._transport = SerialTransport(loop, Receiver(self.received, self.lost), line)
            reason = await self._gone
            streamed = self._device is not None and self._device.last_heard_ns is not None
            self.flush()
            if not self._telling.faulty and not self._closing:
                self._tell(LinkState.LOST, self._why_lost or reason)
            return streamed
        finally:
            if self._transport is None and self._line is not None:
                self._line.close()
            self._unread, self._unread_bytes = [], 0
            if self._device is not None:
                self._device.gone(self._now())
            self._telling.device = None
            self._device = self._listening = self._line = self._transport = self._gone = None
            self._claims.release(self._place)

    def _attach(self, board: Board, port: Port, now_ns: Nanos) -> None:
        self._belonging = Belonging(self._place, self._claims, port, self._opened_ns)
        self._size(board)
        board.opened(now_ns)
        self._device = Device(self._telling.bed, self._boot, board, port.label(), self._counters, self._give)
        self._telling.device = self._device
        self._device.held = self._claims.must_identify(self._place, port)

    def _size(self, board: Board) -> None:
        """Room for what the board gives: some devices say only in their own words what that is."""
        streams = board.facts.streams
        if streams is not self._sized:
            self._sized = streams
            rate_hz = sum(stream.rate_hz for stream in streams) or LEAST_RATE_HZ
            self._rings.size(self._telling.bed, self._place.name, rate_hz)

    def command(self, device: str, request: str, name: str, value: Value) -> bool:
        """Ask the device of this name to take a setting; False if it is not the one that is attached here."""
        attached, now_ns = self._device, self._now()
        if attached is None or attached.held or attached.name != device or self._ending:
            return False
        attached.command(request, name, value, now_ns)
        return True

    def _recognise(self, now_ns: Nanos) -> None:
        """Once the probe knows whose bytes these are, that board takes over, with what was heard.

        A probe that gives up is followed by another one. A port that has spoken is not asked any more.
        """
        listening, port, line = self._listening, self._place.held, self._line
        if listening is None or port is None or line is None:
            return
        verdict = listening.verdict(now_ns)
        if verdict is None:
            return
        heard = listening.probe.heard
        if not verdict.kind:
            if verdict.why != "silent":
                self._counters.bytes_damaged += len(heard)
            self._tell(LinkState.SILENT, verdict.why)
            listening.again(verdict)
            line.adopt(listening.settings)
            return
        board = self._boards[verdict.kind].board(self._place.wanted.options)
        line.adopt(board.facts.port)
        self._listening = None
        self._attach(board, port, now_ns)
        assert self._device is not None
        self._device.feed(heard, now_ns)

    # --- an open port ----------------------------------------------------------------------------------------

    def _decode(self, data: bytes, arrived_ns: Nanos) -> None:
        self._counters.bytes_in += len(data)
        if self._listening is not None:
            self._listening.probe.feed(data, arrived_ns)
            self._recognise(arrived_ns)
        elif self._device is not None:
            self._device.feed(data, arrived_ns)
            self._size(self._device.board)
            self._check_identity(self._device, arrived_ns)

    def _work(self, now_ns: Nanos) -> None:
        """What the board has to say, and whether this is still the right device and streams."""
        if self._listening is not None:
            self._send(self._listening.probe.due(now_ns))
            self._recognise(now_ns)
        if self._device is not None:
            self._send(self._device.board.due(now_ns))
            self._device.lapse(now_ns)
            self._check_identity(self._device, now_ns)
            self._judge(self._device, now_ns)
        if now_ns - self._looked_ns >= POLL_S * 1e9:
            self._looked_ns = now_ns
            self._look_around(now_ns)

    def _send(self, data: bytes | None) -> None:
        """Write, unless the device has stopped taking bytes: boards send again after their time-outs."""
        assert self._transport is not None
        if data and self._transport.get_write_buffer_size() + len(data) <= MAX_UNSENT_BYTES:
            self._transport.write(data)

    def _judge(self, device: Device, now_ns: Nanos) -> None:
        """Whether it streams."""
        if device.last_heard_ns is None or device.held or self._ending:
            return
        if not device.stalled(now_ns):
            self._tell(LinkState.STREAMING, "")
            if self._telling.faulty and now_ns - self._opened_ns > RECOVERED_NS:
                self._telling.recovered(now_ns)
        else:
            self._tell(LinkState.STALLED, "")
            if (
                now_ns - device.last_heard_ns > BEGIN_AGAIN_NS + device.stall_ns
                and self._place.held is not None
            ):
                # It may have been switched off behind a bridge that was not: greet it as a new one.
                device.flush()
                device.gone(now_ns)
                board = self._boards[device.board.facts.kind].board(self._place.wanted.options)
                self._opened_ns = now_ns
                self._attach(board, self._place.held, now_ns)

    def _look_around(self, now_ns: Nanos) -> None:
        """Twice a second: is the port still there, and is it the right one?"""
        port, wanted = self._place.held, self._place.wanted
        if port is None or self._ending:
            return
        if not port.present():
            self._lose("the port went away")
        elif self._telling.state is LinkState.STREAMING:
            return
        elif not hotplug.matches(wanted.port, port):
            self._lose(f"{wanted.port} is another port now")
        elif self._telling.state is LinkState.SILENT and now_ns - self._opened_ns > SILENT_NS:
            others = [p for p in self._claims.candidates(self._place, now_ns) if p.node != port.node]
            if others and not (self._device and self._device.identity.serial):
                self._refuse(f"{port.path} is silent: trying {others[0].path}", now_ns)

    def _check_identity(self, device: Device, now_ns: Nanos) -> None:
        """Whether it is the device that belongs here, and to which bed."""
        if self._belonging is None or self._ending:
            return
        held = device.held
        if why := self._belonging.check(device, now_ns):
            self._refuse(why, now_ns)
        elif not device.held:
            if (bed := self._belonging.bed(device)) != device.bed:
                self._move(device, bed, now_ns)
            elif held:
                self._telling.report(now_ns)

    def _move(self, device: Device, bed: str, now_ns: Nanos) -> None:
        device.flush()
        device.gone(now_ns)
        device.move(bed)
        self._telling.moved(bed, now_ns)
        self._sized = None
        self._size(device.board)

    @property
    def _ending(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _refuse(self, why: str, now_ns: Nanos) -> None:
        assert self._place.held is not None
        self._claims.refuse(self._place, self._place.held, now_ns + REFUSE_NS)
        self._lose(why)

    def _lose(self, why: str) -> None:
        """Let the port go, without waiting for what it has not taken."""
        if self._transport is None or self._line is None or self._transport.is_closing():
            return
        self._why_lost = why
        try:
            if self._line.unsent():
                self._line.discard()
        except (OSError, termios.error) as error:  # the device may have gone
            _log.debug("%s: %s", self.name, error)
        self._transport.abort()

    def _give(self, item: Item) -> None:
        bed = item.bed if isinstance(item, DeviceSeen) else self._telling.bed
        self._rings.push(bed, self._place.name, item)

    def _tell(self, state: LinkState, detail: str) -> None:
        self._telling.tell(state, detail, self._now())

    def _failed(self, error: Exception) -> None:
        self._lose(self._telling.failed(error, self._now()))
