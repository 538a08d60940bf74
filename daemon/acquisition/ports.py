"""One thread, with its own event loop, for all ports: reads, stamps, decodes, makes the Ticks, fills the rings.

Main gives it the configuration and takes items; nothing else crosses. A blocked main loop costs nothing for 20 s, then
the rings count gaps.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.acquisition.claims import Claims, Place
from daemon.acquisition.link import Link
from daemon.acquisition.ring import Rings
from daemon.config import Bed
from daemon.model.signals import TICK_NS, DeviceReply, Item, Nanos, Tick
from daemon.model.transfer import Transfer
from firmware_bridge.boards import BOARDS, BoardKind

ROUND_NS: Nanos = 20_000_000
"""How often what has arrived is decoded and boards are asked what is due; divides `TICK_NS`."""
GIVE_NS: Nanos = 50_000_000
"""How often samples are given on and main is woken: the hop of the ECG's analysis; waking for less only costs."""
MAX_TICKS_AT_ONCE = 100
RESTART_S = 1.0
STOP_S = 3.0

_log = logging.getLogger(__name__)


def boottime_ns() -> Nanos:
    """CLOCK_BOOTTIME in nanoseconds: monotonic, and it counts while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Round:
    """How often a read loop has gone round with nothing left unread, and when last."""

    count: int
    t_ns: Nanos


class Acquisition:
    """All devices of all beds. `start` and `stop` once each; `drain` and `liveness` from main at any time between."""

    def __init__(
        self,
        beds: Mapping[str, Bed],
        boot: str,
        *,
        boards: Mapping[str, BoardKind] = BOARDS,
        now: Callable[[], Nanos] = boottime_ns,
    ) -> None:
        self._boot = boot
        self._boards = boards
        self._now = now
        self._places = [Place(bed, wanted) for bed, config in beds.items() for wanted in config.devices]
        self._rings = Rings(self._wake_main)
        self._rounds: dict[str, Round] = {}
        self._links: list[Link] = []
        self._claims: Claims | None = None
        self._assigned: dict[str, str] = {}
        self._next_tick: Nanos = 0
        self._main: tuple[asyncio.AbstractEventLoop, Callable[[], None]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._stop_asked: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="acquisition", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        """Start the thread. `wake` is called on `loop` when items wait, at most once between two `drain`s."""
        self._main = (loop, wake)
        self._thread.start()

    def drain(self, max_items: int = 256) -> list[tuple[str, Item]]:
        """The oldest waiting items as (bed, item), in order; ("", Tick) is for every bed. Empty when nothing waits.

        What a slice leaves wakes main again within 60 ms.
        """
        return self._rings.drain(max_items)

    def waiting(self) -> int:
        """Items that wait for main."""
        return self._rings.waiting()

    def overflowed(self) -> int:
        """Samples dropped because main was too late (each is in a `Gap`)."""
        return self._rings.overflowed()

    def liveness(self) -> dict[str, Round]:
        """The last round of the thread ("") and of each open port ("bed/label"). A port that is not open is absent."""
        return dict(self._rounds)

    def command(self, bed: str, device: str, request: str, name: str, value: float | Transfer) -> None:
        """Ask a device to take a setting, or new firmware. Its answer, or why there is none, comes as a `DeviceReply` of the bed."""
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._command, bed, device, request, name, value)
        except RuntimeError:  # stopping: the answer will be missed, and say so
            _log.debug("acquisition has ended: %s is not asked", device)

    def assign(self, assigned: Mapping[str, str]) -> None:
        """To which bed every device belongs that a person has put to one: serial number (or label of its port) -> bed."""
        self._assigned = dict(assigned)
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._assign)
        except RuntimeError:  # stopping: the next start knows it
            _log.debug("acquisition has ended: devices stay where they are")

    def _assign(self) -> None:
        if self._claims is not None:
            self._claims.assigned = self._assigned

    def _command(self, bed: str, device: str, request: str, name: str, value: float | Transfer) -> None:
        if not any(link.command(device, request, name, value) for link in self._links):
            reply = DeviceReply(bed, device, request, ok=False, text="not_attached", t_ns=self._now())
            self._rings.push(bed, "", reply)

    def tap(self, name: str, hear: Callable[[bytes, Nanos], None] | None) -> bool:
        """Whether there is a place of this name ("bed/label"): `hear` is called on the acquisition thread with all that arrives; None ends it."""
        for link in self._links:
            if link.name == name:
                link.tapped = hear
                return True
        return False

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Bring the devices to rest, close the ports, end the thread. False if it did not end in time."""
        self._stopping.set()
        loop, asked = self._loop, self._stop_asked
        if loop is not None and asked is not None:
            try:
                loop.call_soon_threadsafe(asked.set)
            except RuntimeError:  # the loop has just closed by itself
                _log.debug("acquisition had ended already")
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def advance(self, now_ns: Nanos) -> None:
        """Make the Ticks up to `now_ns`; called before anything that is stamped `now_ns`, so that order is time.

        After a suspend the Ticks of the sleep are left out, all but the last.
        """
        if now_ns < self._next_tick:
            return
        for link in self._links:
            link.flush()
        newest = now_ns // TICK_NS * TICK_NS
        if self._next_tick == 0:
            self._next_tick = newest
        self._next_tick = max(self._next_tick, newest - (MAX_TICKS_AT_ONCE - 1) * TICK_NS)
        while self._next_tick <= now_ns:
            self._rings.tick(Tick(self._next_tick))
            self._next_tick += TICK_NS

    def _wake_main(self) -> None:
        assert self._main is not None
        loop, wake = self._main
        try:
            loop.call_soon_threadsafe(wake)
        except RuntimeError:  # main's loop is closed: it takes nothing any more
            _log.debug("nobody to wake")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._serve())
            except Exception:  # noqa: BLE001 - acquisition is begun again, whatever it was
                _log.exception("acquisition failed; again in %.0f s", RESTART_S)
                self._stopping.wait(RESTART_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_unhandled)
        self._stop_asked = asyncio.Event()
        for place in self._places:
            place.held = None
        claims = self._claims = Claims(self._places)
        self._assign()
        self._links = [
            Link(place, claims, self._rings, self._boot, self._boards, self._now, self.advance)
            for place in self._places
        ]
        self._rounds.clear()
        tasks = [asyncio.create_task(link.run(), name=f"{link.name}: link") for link in self._links]
        rounds = asyncio.create_task(self._go_round(), name="acquisition: rounds")
        stop = asyncio.create_task(self._stop_asked.wait(), name="acquisition: stop")
        try:
            if not self._stopping.is_set():
                done, _ = await asyncio.wait([*tasks, rounds, stop], return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stop}:
                    task.result()
        finally:
            await asyncio.gather(*(link.close() for link in self._links), return_exceptions=True)
            for task in (*tasks, rounds, stop):
                task.cancel()
            await asyncio.gather(*tasks, rounds, stop, return_exceptions=True)
            self._rings.flush()

    async def _go_round(self) -> None:
        """Every 20 ms, at multiples of it: Ticks, and what boards have to say. In the first after each 50 ms: blocks, and a call to main."""
        count, given = 0, 0
        while True:
            now_ns = self._now()
            await asyncio.sleep((ROUND_NS - now_ns % ROUND_NS) / 1e9)
            now_ns = self._now()
            self.advance(now_ns)
            count += 1
            give, given = now_ns // GIVE_NS > given, now_ns // GIVE_NS
            for link in self._links:
                if link.round(now_ns, give=give):
                    before = self._rounds.get(link.name)
                    self._rounds[link.name] = Round(before.count + 1 if before else 1, now_ns)
                elif not link.is_open:
                    self._rounds.pop(link.name, None)
            self._rounds[""] = Round(count, now_ns)
            if give:
                self._rings.flush()


def _unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A write to a device that has just gone is a state, which its link tells; anything else is a bug."""
    error = context.get("exception")
    if "transport" in context and isinstance(error, OSError):
        _log.debug("%s: %s", context.get("message"), error)
    else:
        _log.error("acquisition: %s", context.get("message"), exc_info=error)
