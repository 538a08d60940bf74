"""The sound process: plays what the daemon wants, and by itself the failure tone when the daemon falls silent.

`Desk` decides and is given the time; `run_sound` owns the socket, the device and the outputs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from daemon import journal
from daemon.config import BadConfig, Config, Sound
from daemon.model.alarms import Priority
from daemon.model.signals import Nanos
from daemon.signals.aplay import Aplay
from daemon.signals.gpio import Line
from daemon.signals.lamp import Lamp
from daemon.signals.messages import (
    LARGEST_LINE,
    SILENT_AFTER_NS,
    Heard,
    OnceKind,
    SelfTest,
    Speaker,
    SpeakerState,
    Wanted,
)
from daemon.signals.player import Player
from daemon.signals.relay import Relay

log = logging.getLogger(__name__)

Alive = Callable[[], Coroutine[Any, Any, None]]
"""Tells whoever started the process that it is ready and lives (appliance/notify.py)."""

STARTS_WITHIN_NS: Nanos = 30_000_000_000
"""After our own start the daemon may take so long to speak first: it starts with us, and recovers its store."""

TEST_WITHIN_NS: Nanos = 15_000_000_000
"""A self-test that could not be played by then has failed. It waits for an alarm's burst, 3.5 s, and 2.5 s after it."""

TEST_AGAIN_NS: Nanos = 60_000_000_000
"""A self-test that was not passed is made again after so long, and when the device comes back."""

LOOK_S = 0.05
SAY_S = 1.0
START = "start"


class Desk:
    """What is wanted, what is played, and what is to be told. `speaker` and `output_fault` are set by the process."""

    def __init__(self, now_ns: Nanos) -> None:
        self.speaker = Speaker(since_ns=now_ns)
        self.output_fault = ""
        self._player = Player()
        self._wanted = Wanted()
        self._deadline_ns = now_ns + STARTS_WITHIN_NS
        self._failing = False
        self._failures = 0
        self._self_test: SelfTest | None = None
        self._asked: tuple[str, Nanos] | None = None
        self._underruns = 0
        self._was_well = False
        self._test(START, now_ns)

    def heartbeat(self, wanted: Wanted, now_ns: Nanos) -> None:
        """The daemon has spoken."""
        once = wanted.once
        if once.id != self._wanted.once.id and once.kind is OnceKind.TEST:
            self._test(once.id, now_ns)
        self._wanted = wanted
        self._player.want(wanted)
        self._deadline_ns = now_ns + SILENT_AFTER_NS
        self._fail(failing=False)

    def look(self, now_ns: Nanos) -> None:
        """Time goes on: judge the heartbeat and a self-test under way."""
        if now_ns > self._deadline_ns:
            self._fail(failing=True)
        well = self.speaker.state is SpeakerState.WELL
        came_back, self._was_well = well and not self._was_well, well
        if self._asked is None:
            last = self._self_test
            if last is not None and not last.passed and (came_back or now_ns > last.t_ns + TEST_AGAIN_NS):
                self._test(last.id, now_ns)
            return
        id_, asked_ns = self._asked
        if self._player.tested == id_ and well:
            short = self.speaker.underruns > self._underruns
            self._judge(id_, now_ns, "the device ran out of samples" if short else "")
        elif now_ns > asked_ns + TEST_WITHIN_NS:
            self._judge(id_, now_ns, f"{self.speaker.state} {self.speaker.detail}".strip())

    def opened(self) -> None:
        """The device is opened anew; what it had is lost."""
        self._player.restart()
        if self._asked is not None:
            self._test(*self._asked)

    def render(self, frames: int) -> NDArray[np.int16]:
        """The next samples."""
        return self._player.render(frames)

    @property
    def shown(self) -> Priority | None:
        """For the lamp: the worst condition; the highest priority when the alarms themselves have failed."""
        return Priority.HIGH if self._failing else self._wanted.shown

    @property
    def well(self) -> bool:
        """For the nurse call: nothing here asks for a person who is not at the bed."""
        urgent = self._wanted.sound in {Priority.HIGH, Priority.MEDIUM}
        return not (self._failing or urgent or self.speaker.state is not SpeakerState.WELL)

    def heard(self, now_ns: Nanos) -> Heard:
        """What the daemon is told."""
        return Heard(
            n=self._wanted.n,
            t_ns=now_ns,
            playing=self._player.playing,
            speaker=self.speaker,
            self_test=self._self_test,
            failures=self._failures,
            output_fault=self.output_fault,
        )

    def _fail(self, *, failing: bool) -> None:
        if failing is self._failing:
            return
        self._failing = failing
        self._player.fail(failing)
        if failing:
            self._failures += 1
            log.error("the daemon is silent: failure tone")
        else:
            log.warning("the daemon speaks again")

    def _test(self, id_: str, now_ns: Nanos) -> None:
        self._asked = (id_, now_ns)
        self._underruns = self.speaker.underruns
        self._player.test(id_)

    def _judge(self, id_: str, now_ns: Nanos, why: str) -> None:
        before, self._asked = self._self_test, None
        self._self_test = SelfTest(id=id_, t_ns=now_ns, passed=not why, why=why)
        if before is None or (before.id, before.why) != (id_, why):
            log.log(logging.ERROR if why else logging.INFO, "self-test %s: %s", id_, why or "passed")


class SoundProcess:
    """The process: a desk, its device, its outputs and its socket."""

    def __init__(
        self, socket: Path, device: str, outputs: Sequence[Lamp | Relay], now: Callable[[], Nanos]
    ) -> None:
        self._socket = socket
        self._now = now
        self._desk = Desk(now())
        self._aplay = Aplay(device, self._desk.render, self._desk.opened, now)
        self._outputs = outputs
        self._speaking: asyncio.StreamWriter | None = None

    async def run(self, alive: Alive | None = None) -> None:
        """Until SIGTERM or SIGINT. `alive` is told as long as this loop goes round."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, self._socket, limit=LARGEST_LINE)
        self._socket.chmod(0o660)
        log.info("listening on %s", self._socket)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self._aplay.run(), name="aplay"),
                    tasks.create_task(self._look(), name="look"),
                    tasks.create_task(self._say(), name="say"),
                ]
                if alive is not None:
                    running.append(tasks.create_task(alive(), name="alive"))
                await stop.wait()
                for task in running:
                    task.cancel()
        finally:
            server.close()
            for output in self._outputs:
                output.release()
            if self._speaking is not None:
                self._speaking.close()
                with contextlib.suppress(OSError):
                    await self._speaking.wait_closed()
                await asyncio.sleep(
                    0
                )  # its `_serve` ends by itself: cancelled, it would be logged as an error
            self._socket.unlink(missing_ok=True)

    async def _look(self) -> None:
        while True:
            now_ns = self._now()
            self._desk.speaker = self._aplay.state
            self._desk.look(now_ns)
            self._show(now_ns)
            await asyncio.sleep(LOOK_S)

    def _show(self, now_ns: Nanos) -> None:
        """Lamp and relay. One that fails is told and tried again: it takes no sound with it."""
        fault = ""
        for output in self._outputs:
            try:
                output.show(self._desk.shown, now_ns, well=self._desk.well)
            except OSError as error:
                fault = f"{type(output).__name__.lower()}: {error.strerror}"
        if fault != self._desk.output_fault:
            self._desk.output_fault = fault
            log.log(logging.ERROR if fault else logging.INFO, "outputs: %s", fault or "well")

    async def _say(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(SAY_S)

    def _tell(self) -> None:
        """Answer the daemon. One that does not read is let go: it comes back when it is well."""
        daemon = self._speaking
        if daemon is None or daemon.is_closing():
            return
        if daemon.transport.get_write_buffer_size() > LARGEST_LINE:
            daemon.transport.abort()
            return
        daemon.write(self._desk.heard(self._now()).model_dump_json().encode() + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the daemon; a newer one takes its place."""
        if self._speaking is not None:
            self._speaking.close()
        self._speaking = writer
        understood = True
        try:
            while line := await reader.readline():
                try:
                    wanted = Wanted.model_validate_json(line)
                except ValidationError as error:
                    if understood:
                        log.warning("not understood, and no heartbeat: %s", error)
                    understood = False
                    continue
                understood = True
                if self._speaking is writer:
                    self._desk.heartbeat(wanted, self._now())
                    self._tell()
        except (OSError, ValueError) as error:
            log.warning("connection lost: %s", error)
        finally:
            writer.close()
            if self._speaking is writer:
                self._speaking = None


def run_sound(config: Config, alive: Alive | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises `BadConfig` where the socket cannot be had."""
    journal.begin()
    socket = config.sound_socket
    with ExitStack() as held:
        try:
            socket.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            _hold_alone(socket, held)
        except OSError as error:
            raise BadConfig(f"sound.socket: {socket}: {error.strerror}") from None
        process = SoundProcess(socket, config.sound.device, outputs_of(config.sound), boottime_ns)
        asyncio.run(process.run(alive))
    return 0


def _hold_alone(socket: Path, held: ExitStack) -> None:
    """Two processes would sound over each other: the second one ends here."""
    file = held.enter_context(socket.with_suffix(".lock").open("w"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadConfig(f"sound.socket: another vitald sound is running here ({file.name} is held)") from None


def outputs_of(sound: Sound) -> list[Lamp | Relay]:
    """The outputs that are wired. One that cannot be had is told when it is set: no sound is lost for a lamp."""
    lines = {Priority.HIGH: sound.lamp_high, Priority.MEDIUM: sound.lamp_medium, Priority.LOW: sound.lamp_low}
    colours = {p: Line(sound.gpio_chip, n, "vitald lamp") for p, n in lines.items() if n is not None}
    outputs: list[Lamp | Relay] = [Lamp(colours)] if colours else []
    if sound.nurse_call is not None:
        outputs.append(Relay(Line(sound.gpio_chip, sound.nurse_call, "vitald nurse call")))
    return outputs


def boottime_ns() -> Nanos:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
