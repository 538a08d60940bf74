"""A simulated board on a pseudo-terminal: to the daemon it is a serial port like any other.

One outlet is one socket at the bed: plug, unplug, plug in again under another name. Nothing here waits for a reader:
what it does not take is lost and counted, as on a UART.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
import tty
from collections.abc import Callable
from pathlib import Path

from firmware_bridge.simulators.board import Nanos, SimulatedBoard
from firmware_bridge.simulators.faults import Faults

STEP_S = 0.01
READ_SIZE = 4096
# A terminal takes some 20 kB itself; the driver of a real port holds 64 to 640 KiB more while nobody reads.
DRIVER_BUFFER = 65_536
# After this much delay of our own (a suspended laptop, a debugger) the line starts afresh: no board catches up hours.
MOST_BEHIND_S = 30.0


class Outlet:
    """Serves `board` under the path `folder`/`name`, a link to a pseudo-terminal in raw mode.

        outlet = Outlet("ttyECG0", DmEcg(Patient()), folder)
        outlet.plug()
        task = asyncio.create_task(outlet.run())    # returns after outlet.close()

    Several may run in one loop. `lost_bytes` counts what an open but slow reader did not take, `unheard_bytes` what
    was sent while nobody had the port open.
    """

    def __init__(
        self,
        name: str,
        board: SimulatedBoard,
        folder: Path,
        *,
        faults: Faults | None = None,
        clock: Callable[[], Nanos] = time.monotonic_ns,
    ) -> None:
        self.board = board
        self.faults = faults or Faults()
        self.lost_bytes = 0
        self.unheard_bytes = 0
        self._folder = folder
        self._name = name
        self._clock = clock
        self._master: int | None = None
        self._poll = select.poll()
        self._closed = False
        self._backlog = b""

    @property
    def path(self) -> Path:
        """Where the port is, or will be when plugged in."""
        return self._folder / self._name

    @property
    def plugged(self) -> bool:
        return self._master is not None

    def plug(self, name: str | None = None) -> Path:
        """Plug the board in (under another name, if given): it gets power and a new port. Returns the port's path.

        Raises FileExistsError if the path is something else than a link, OSError where no terminal can be had.
        """
        if self._master is not None:
            self.unplug()
        if name is not None:
            if not name or Path(name).name != name:
                raise ValueError(f"a port's name must be a plain file name, not {name!r}")
            self._name = name
        master, slave = os.openpty()
        try:
            # Raw from the start: an echo would tell the board its own frames. The setting outlives our closing.
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._link(os.ttyname(slave))
        except OSError:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self._poll.register(master, select.POLLIN)
        self._master = master
        self.board.power_on(self._clock())
        return self.path

    def _link(self, target: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.path.is_symlink():
            self.path.unlink()  # left over from a process that was killed
        self.path.symlink_to(target)

    def unplug(self) -> None:
        """Pull the cable: the reader sees a hang-up, the path is gone."""
        if self._master is None:
            return
        self._poll.unregister(self._master)
        self.path.unlink(missing_ok=True)
        os.close(self._master)
        self._master = None
        self._backlog = b""

    def stall(self, seconds: float) -> None:
        """Keep the line silent for so long; what the board sends meanwhile is lost."""
        self.faults.stall(seconds, self._clock())

    def close(self) -> None:
        """Unplug, and let `run` return within its next step."""
        self.unplug()
        self._closed = True

    async def run(self) -> None:
        """Serve until closed (or cancelled), at absolute deadlines every 10 ms."""
        loop = asyncio.get_running_loop()
        deadline = loop.time()
        try:
            while not self._closed:
                self.serve()
                deadline += STEP_S
                if loop.time() > deadline + STEP_S:
                    deadline = (
                        loop.time()
                    )  # steps that were missed are not made up: `board.due` gives all at once
                await asyncio.sleep(max(deadline - loop.time(), 0))
        finally:
            self.close()

    def serve(self) -> None:
        """One step: take what the host has said, give what the board has sent by now."""
        if self._master is None:
            return
        now_ns = self._clock()
        behind = self.board.next_due_ns
        if behind is not None and now_ns - behind > MOST_BEHIND_S * 1e9:
            self.board.power_on(now_ns)
        heard = self._is_open()
        self.board.dtr = heard
        if heard and (said := self._read(self._master)):
            self.board.feed(said, now_ns)
        data = self.faults.apply(self.board.due(now_ns), now_ns)
        if heard:
            self._send(self._master, data)
        else:
            self.unheard_bytes += len(self._backlog) + len(data)
            self._backlog = b""

    def _send(self, master: int, data: bytes) -> None:
        """Give the terminal what it takes; keep a driver's worth of the rest, oldest first, and lose what is more."""
        waiting = self._backlog + data
        waiting = waiting[self._write(master, waiting) :] if waiting else waiting
        self._backlog = waiting[:DRIVER_BUFFER]
        self.lost_bytes += len(waiting) - len(self._backlog)

    def _is_open(self) -> bool:
        """Whether somebody has the other end open."""
        return not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    @staticmethod
    def _read(master: int) -> bytes:
        try:
            return os.read(master, READ_SIZE)
        except OSError:  # nothing said, or closed just now
            return b""

    @staticmethod
    def _write(master: int, data: bytes) -> int:
        try:
            return os.write(master, data)
        except OSError:  # full, or closed just now: a UART would not wait either
            return 0
