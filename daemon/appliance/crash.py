"""Every process of the box keeps a report of what it did not expect: an error nobody caught, one that was logged, its own end.

`watch` is called once, first thing. Nothing here waits, or raises, in the way of what the process is for: reports are written by a
thread of their own, the same one not more often than every ten seconds, and what does not fit its queue is only counted.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.appliance.crash_report import CrashReport, Steps, fault_of, of_end, of_error
from daemon.appliance.crash_spool import Spool
from daemon.model.signals import Fact, FactState

QUEUED = 50
WRITTEN_EVERY_S = 10.0
"""A report of one kind; how often it came meanwhile is in its count."""

LAST_WORD_S = 3.0
"""A process that ends waits so long for its report to be on the disk."""

PROCESSES = {"run": "daemon", "web": "web", "work": "worker", "forward": "forwarder", "sound": "sound"}
"""Verb of `vitald` -> the process."""

UNITS = {f"vitald{f'-{name}' if name else ''}": process for name, process in {
    "": "daemon", "web": "web", "worker": "worker", "forward": "forwarder", "sound": "sound",
}.items()}  # fmt: skip
RESULTS = frozenset(
    {"protocol", "timeout", "exit-code", "signal", "core-dump", "watchdog", "start-limit-hit", "resources", "oom-kill"}
)  # fmt: skip
"""$SERVICE_RESULT of systemd.exec(5), but for success."""

PLAYER_GONE = frozenset({"ended", "silent", "stalled"})
"""First words of the Fact of the sound that say that what plays it has died (daemon/signals/link.py)."""


class Watch:
    """The reports of one process. `clock` is seconds that go on."""

    def __init__(self, process: str, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.process = process
        self.spool = Spool(folder)
        self.steps = Steps(self.hear)
        self._clock = clock
        self._queue: queue.Queue[CrashReport | None] = queue.Queue(QUEUED)
        self._waiting: dict[str, tuple[float, int]] = {}
        self._seen: list[BaseException] = []
        self._thread = threading.Thread(target=self._write, name="crash reports", daemon=True)

    def hear(self, error: BaseException) -> None:
        """An error that nobody expected. Never raises."""
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)) or any(
            error is one for one in self._seen
        ):
            return
        self._seen = [*self._seen[-3:], error]  # logged, raised again and uncaught is one
        with contextlib.suppress(Exception):
            for report in of_error(self.process, error, self.steps.kept):
                self.offer(report)

    def offer(self, report: CrashReport) -> None:
        """Have a report written, now or with the next one of its kind. Never waits."""
        now = self._clock()
        since, more = self._waiting.get(report.fingerprint, (-WRITTEN_EVERY_S, 0))
        if now - since < WRITTEN_EVERY_S:
            self._waiting[report.fingerprint] = (since, more + 1)
            return
        counted = replace(report, count=1 + more)
        try:
            self._queue.put_nowait(counted)
        except queue.Full:
            self._waiting[report.fingerprint] = (since, more + 1)
            return
        self._waiting[report.fingerprint] = (now, 0)
        while len(self._waiting) > 4 * QUEUED:
            self._waiting.pop(next(iter(self._waiting)))

    def heard(self, fact: Fact) -> None:
        """A Fact of the box: that of a player which has died is kept."""
        word = (fact.detail.split() or [""])[0]
        if fact.source == "sound" and fact.state is FactState.FAILED and word in PLAYER_GONE:
            self.offer(of_end("sound", "sound", f"player {word}", ""))

    def start(self) -> None:
        """Write what is offered, and hear of everything from now on."""
        self._thread.start()
        sys.excepthook = self._then(sys.excepthook, lambda _kind, error, _trace: error)
        sys.unraisablehook = self._then(sys.unraisablehook, lambda said: said.exc_value)
        threading.excepthook = self._then(threading.excepthook, lambda said: said.exc_value)
        made = logging.getLogRecordFactory()

        def record(*said: Any, **more: Any) -> logging.LogRecord:
            one = made(*said, **more)
            self.steps.take(one)
            return one

        logging.setLogRecordFactory(record)  # not a handler: whoever sets up logging finds it as it was
        with contextlib.suppress(OSError):
            self.spool.folder.mkdir(parents=True, exist_ok=True, mode=0o770)
            self._account_for_last()
        atexit.register(self.end)

    def end(self) -> None:
        """The process ends as it should: what is offered is written, and its mark is taken away."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        if self._thread.is_alive():
            self._thread.join(LAST_WORD_S)
        if _text(self.mark) == self._own_mark:
            with contextlib.suppress(OSError):
                self.mark.unlink(missing_ok=True)

    @property
    def mark(self) -> Path:
        """There while the process runs."""
        return self.spool.folder / f"{self.process}.running"

    @property
    def fault(self) -> Path:
        """What faulthandler writes."""
        return self.spool.folder / f"{self.process}.fault"

    @property
    def _own_mark(self) -> str:
        return f"{_boot()} {os.getpid()}"

    def _account_for_last(self) -> None:
        """What systemd has noted of the last process of this name; else one that left its mark behind, in this boot, ended without a word."""
        if (report := noted(self.process, self.spool.folder)) is not None:
            self.offer(report)
        boot, _, pid = _text(self.mark).partition(" ")
        if boot == _boot() and pid.isdecimal():
            if _lives(int(pid)):
                return  # this one will find that it is not alone
            self.offer(ended(self.process, _text(self.fault)))
        self.mark.write_text(self._own_mark, encoding="ascii")
        self._file = self.fault.open("w", encoding="utf-8")  # for as long as the process lives
        faulthandler.enable(self._file)

    def _then(self, before: Any, error_of: Callable[..., BaseException | None]) -> Any:
        """A hook that hears first and then does what was done before."""

        def hook(*said: Any) -> None:
            error = error_of(*said)
            if error is not None:
                self.hear(error)
            before(*said)

        return hook

    def _write(self) -> None:
        while (report := self._queue.get()) is not None:
            with contextlib.suppress(Exception):  # a disk that is full or gone: the process has better to do
                self.spool.add(report)


_watch: Watch | None = None


def watch(verb: str, folder: Path) -> Watch:
    """Keep reports of this process, one of `PROCESSES` by its verb. Never raises."""
    global _watch  # noqa: PLW0603 - one a process, as its hooks are
    _watch = Watch(PROCESSES[verb], folder)
    _watch.start()
    return _watch


def heard(fact: Fact) -> None:
    """A Fact of the box (`Watch.heard`), where this process is watched."""
    if _watch is not None:
        _watch.heard(fact)


def ended(process: str, fault: str) -> CrashReport:
    """A process has ended without a word; `fault` is what faulthandler wrote."""
    kind, frames = fault_of(fault)
    return of_end(process, "ended", kind or "killed", "", frames)


def noted(process: str, folder: Path) -> CrashReport | None:
    """What the unit of a process has left in the folder when it last stopped badly (ExecStopPost=), once; None where it has not.

    A line for the shell to write: another Python would have to be started for it between the end of a process and its new beginning.
    """
    unit = next(name for name, known in UNITS.items() if known == process)
    file = folder / f"{unit}.stopped"
    result, code, status = [*_text(file).split(), "", "", ""][:3]
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
    return stopped(unit, result, code, status, folder)


def stopped(unit: str, result: str, code: str, status: str, folder: Path) -> CrashReport | None:
    """What systemd says of a unit that has stopped ($SERVICE_RESULT, $EXIT_CODE, $EXIT_STATUS); None where all is well.

    Its mark is taken away: the next start need not account for it.
    """
    process = UNITS.get(unit.removesuffix(".service"))
    if process is None or result not in RESULTS:
        return None
    own = Watch(process, folder)
    kind, frames = fault_of(_text(own.fault))
    with contextlib.suppress(OSError):
        own.mark.unlink(missing_ok=True)
    how = status if status.isalnum() and len(status) <= 8 else ""
    word = code if code in {"exited", "killed", "dumped"} else ""
    return of_end(process, "stopped", result, " ".join(filter(None, (word, how, kind))), frames)


def _boot() -> str:
    return _text(Path("/proc/sys/kernel/random/boot_id")).strip()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(64 * 1024)
    except OSError:
        return ""
