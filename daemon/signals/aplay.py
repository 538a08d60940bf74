"""The way to the sound device: `aplay` of alsa-utils as a child, watched, and begun again for as long as we live.

The device stays open and is fed silence between sounds, so that a lost one is known before it is needed. What lies between
us and the loudspeaker is short (pipe 93 ms, device buffer 100 ms): a high alarm is heard that soon.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import struct
import termios
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from daemon.model.signals import Nanos
from daemon.signals.bursts import RATE
from daemon.signals.messages import Speaker, SpeakerState
from daemon.signals.pace import STALL_S, Pace, Verdict

log = logging.getLogger(__name__)

PROGRAM = "aplay"
BUFFER_US, PERIOD_US = 100_000, 25_000

BLOCK = 2048
"""Frames a write, a page of the pipe: 46 ms."""

PIPE_BYTES = 8192
FRAME_BYTES = 2

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
"""A loudspeaker plugged in again is heard within so long."""

END_S = 1.0

_SAID: tuple[tuple[str, SpeakerState], ...] = (
    ("No such file or directory", SpeakerState.NO_DEVICE),
    ("No such device", SpeakerState.NO_DEVICE),
    ("resource busy", SpeakerState.BUSY),
    ("Permission denied", SpeakerState.DENIED),
    ("Operation not permitted", SpeakerState.DENIED),
)
_PACE = {
    Verdict.WELL: SpeakerState.WELL,
    Verdict.TOO_SLOW: SpeakerState.STALLED,
    Verdict.TOO_FAST: SpeakerState.TOO_FAST,
}


class Aplay:
    """Plays what `render(frames)` gives (int16, mono, at `RATE`) on a device of ALSA's configuration.

    `opened` is called when a new child begins, before the first `render`. `state` says how it is doing.
    """

    def __init__(
        self,
        device: str,
        render: Callable[[int], NDArray[np.int16]],
        opened: Callable[[], None],
        now: Callable[[], Nanos],
        program: str = PROGRAM,
    ) -> None:
        self._device = device
        self._program = program
        self._render = render
        self._opened = opened
        self._now = now
        self._said = ""
        self._played_s = 0.0
        self.state = Speaker(since_ns=now())

    async def run(self) -> None:
        """Until cancelled; the child ends with it."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            await self._play_once()
            if self._played_s > 2 * LONGEST_BACKOFF_S:
                backoff_s = FIRST_BACKOFF_S
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
            self.state = self.state.model_copy(update={"restarts": self.state.restarts + 1})

    async def _play_once(self) -> None:
        """One child, until it ends or its device stops."""
        began_ns = self._now()
        self._said = ""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            os.set_blocking(writing, False)
            try:
                child = await self._start(reading)
            except FileNotFoundError:
                self._is(SpeakerState.NO_PROGRAM, f"{self._program} is not installed")
                return
            except OSError as error:
                self._is(SpeakerState.NO_PROGRAM, str(error))
                return
            finally:
                os.close(reading)
            await self._feed_until_it_ends(child, writing)
        finally:
            os.close(writing)
            self._played_s = (self._now() - began_ns) / 1e9

    async def _start(self, reading: int) -> Process:
        return await asyncio.create_subprocess_exec(
            self._program,
            *("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE), "-D", self._device),
            *(f"--buffer-time={BUFFER_US}", f"--period-time={PERIOD_US}", "-"),
            stdin=reading,
            stdout=DEVNULL,
            stderr=PIPE,
            env=_environment(os.environ),
        )

    async def _feed_until_it_ends(self, child: Process, writing: int) -> None:
        self._opened()
        assert child.stderr is not None
        feeding = asyncio.create_task(self._feed(writing), name="feed aplay")
        hearing = asyncio.create_task(self._hear(child.stderr), name="hear aplay")
        try:
            await asyncio.wait({feeding, hearing}, return_when=asyncio.FIRST_COMPLETED)
            # A child that ends closes its errors; a broken pipe is told a moment before what it said.
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(hearing), 0.0 if not feeding.done() else 0.2)
            stalled = feeding.done() and feeding.result()  # a fault of our own goes on to our owner
            if stalled:  # said before the child is ended, which may take its time
                self._is(SpeakerState.STALLED, f"the device took nothing for {STALL_S:g} s")
        finally:
            for task in (feeding, hearing):
                task.cancel()
            await asyncio.gather(feeding, hearing, return_exceptions=True)
            await _end(child)
        if not stalled:
            state = next((state for text, state in _SAID if text in self._said), SpeakerState.ENDED)
            self._is(state, self._said or f"{self._program} ended with code {child.returncode}")

    async def _feed(self, pipe: int) -> bool:
        """Write until the child is gone (False) or takes nothing any more (True).

        A full pipe or the pace's limit is reached within `AHEAD_S` of samples: others have their turn then.
        """
        pace = Pace(RATE, self._now() / 1e9)
        block = b""
        while True:
            if not block:
                block = self._render(BLOCK).tobytes()
            if wait_s := pace.wait_s(len(block) // FRAME_BYTES, self._now() / 1e9):
                await asyncio.sleep(wait_s)
                continue
            ran_empty = _unread(pipe) == 0
            try:
                written = os.write(pipe, block)
            except BlockingIOError:
                try:
                    async with asyncio.timeout(STALL_S):
                        await _writable(pipe)
                except TimeoutError:
                    return True
                continue
            except BrokenPipeError:
                return False
            block = block[written:]
            pace.took(written // FRAME_BYTES, self._now() / 1e9, ran_empty=ran_empty)
            if pace.verdict in _PACE:
                self._is(_PACE[pace.verdict], "")

    async def _hear(self, errors: asyncio.StreamReader) -> None:
        """What the child says: underruns are counted, the last other line is why it ended."""
        async for raw in errors:
            line = raw.decode(errors="replace").strip()
            if "underrun" in line:
                self.state = self.state.model_copy(update={"underruns": self.state.underruns + 1})
            elif line:
                self._said = line[-200:]

    def _is(self, state: SpeakerState, detail: str) -> None:
        if (state, detail) == (self.state.state, self.state.detail):
            return
        if state is not self.state.state:
            level = logging.INFO if state is SpeakerState.WELL else logging.WARNING
            log.log(level, "loudspeaker %s: %s %s", self._device, state, detail)
        update = {"state": state, "detail": detail, "since_ns": self._now()}
        self.state = self.state.model_copy(update=update)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {**ours, "LC_ALL": "C"}  # what aplay says is compared


def _unread(pipe: int) -> int:
    """Bytes in the pipe that its reader has not taken yet."""
    number: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return number


async def _writable(pipe: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(pipe, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(pipe)


async def _end(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), END_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
