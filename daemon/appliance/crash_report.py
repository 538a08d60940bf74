"""What is told of an error: its type, where in the program it was, and what the process was doing. Nothing of what it worked on.

Scrubbed by allow-list: names of types, modules and functions, line numbers, error numbers, names of our own enums and keys of our
own words. Every other value is told as its type, text with its length. No local variables, no source lines, no formatted logs.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import platform
import re
import resource
import sqlite3
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from daemon import __version__
from daemon.words import ENGLISH

FORMAT = "vitald.crash/1"
OWN = ("daemon", "webui", "firmware_bridge")
MOST_FRAMES, MOST_STEPS, MOST_CAUSES, OWN_FRAMES = 60, 50, 5, 3
LONGEST_NAME = 120

_NAME = re.compile(r"[A-Za-z_<][\w.<>\[\]]*")
_FAULT_FRAME = re.compile(r'File "([^"]*)", line (\d+) in (\S+)')
_FATAL = re.compile(r"(?:Fatal Python error|Windows fatal exception): ([A-Za-z ]{1,40})")


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the program, outermost first in a list."""

    module: str
    function: str
    line: int

    @property
    def is_own(self) -> bool:
        return self.module.partition(".")[0] in OWN


@dataclass(frozen=True, slots=True)
class CrashReport:
    """One kind of error. `kind`: "exception", "ended" (the process went without a word), "stopped" (systemd says how), "sound".

    Times are UTC, RFC 3339. `steps`: the last things that the process logged, without what they were about.
    """

    fingerprint: str
    process: str
    kind: str
    error_type: str
    error_message: str
    frames: tuple[Frame, ...]
    first_at: str
    last_at: str
    count: int = 1
    steps: tuple[tuple[str, str, int], ...] = ()
    version: str = __version__
    system: Mapping[str, Any] | None = None
    format: str = FORMAT

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; `report_of` reads it."""
        return asdict(self)

    def again(self, newer: CrashReport) -> CrashReport:
        """The newer one, counted on."""
        return replace(newer, first_at=self.first_at, count=self.count + newer.count)


def report_of(row: Mapping[str, Any]) -> CrashReport:
    """The report of `CrashReport.as_dict`. Raises KeyError, TypeError, ValueError for what is none."""
    if row["format"] != FORMAT:
        raise ValueError(row["format"])
    frames = tuple(Frame(**frame) for frame in row["frames"])
    steps = tuple((str(a), str(b), int(c)) for a, b, c in row["steps"])
    return CrashReport(**{**row, "frames": frames, "steps": steps})


class Steps:
    """The last things that the process logged: logger, level and line, never what was said. `errors` hears of those with one."""

    def __init__(self, errors: Callable[[BaseException], None]) -> None:
        self.kept: deque[tuple[str, str, int]] = deque(maxlen=MOST_STEPS)
        self._errors = errors

    def take(self, record: logging.LogRecord) -> None:
        """Something is logged."""
        self.kept.append((named(record.name), record.levelname, record.lineno))
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and record.levelno >= logging.ERROR:
            self._errors(error)


def of_error(
    process: str, error: BaseException, steps: Iterable[tuple[str, str, int]] = ()
) -> list[CrashReport]:
    """What is told of an error; of a group, one of each in it."""
    return [_of_one(process, one, trace, tuple(steps)) for one, trace in _leaves(error, [])]


def of_end(
    process: str, kind: str, error_type: str, message: str, frames: Iterable[Frame] = ()
) -> CrashReport:
    """Of a process that has ended, or of what is no exception. The texts must be ours."""
    return _made(process, kind, error_type, message, tuple(frames), ())


def fault_of(text: str) -> tuple[str, tuple[Frame, ...]]:
    """The kind of fatal error and the frames of the thread that had it, from what faulthandler wrote."""
    found = _FATAL.search(text)
    first = text[found.end() :] if found else text
    current = first.split("\n\n")
    body = next((part for part in current if "File" in part), "")
    frames = [
        Frame(_module_of(path), named(name), int(line)) for path, line, name in _FAULT_FRAME.findall(body)
    ]
    return (found[1].strip() if found else ""), tuple(reversed(frames[:MOST_FRAMES]))


def message_of(error: BaseException) -> str:
    """What an error says, without a value of anything."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, f"errno {error.errno}")
    if isinstance(error, sqlite3.Error) and (code := getattr(error, "sqlite_errorname", None)):
        return str(code)
    if isinstance(error, ValidationError):
        kinds = sorted({str(one["type"]) for one in error.errors(include_url=False, include_input=False)})
        return ", ".join(named(kind) for kind in kinds)
    return ", ".join(value_of(value) for value in error.args[:8])


def value_of(value: object) -> str:
    """A value as it may be told: names of our own, else its type."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, Enum) and type(value).__module__.partition(".")[0] in OWN:
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, str):
        return value if value in ENGLISH else f"<str {len(value)}>"
    if isinstance(value, (bytes, bytearray, list, tuple, set, frozenset, dict)):
        return f"<{type(value).__name__} {len(value)}>"
    return f"<{named(type(value).__name__)}>"


def named(name: str) -> str:
    """A name of the program; what is none is not told."""
    return name[:LONGEST_NAME] if _NAME.fullmatch(name) else "?"


def instant(seconds: float) -> str:
    """UTC as RFC 3339 with seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _leaves(
    error: BaseException, before: list[TracebackType]
) -> Iterator[tuple[BaseException, list[TracebackType]]]:
    trace = [*before, *([error.__traceback__] if error.__traceback__ else [])]
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions[:MOST_CAUSES]:
            yield from _leaves(one, trace)
    else:
        yield error, trace


def _of_one(
    process: str, error: BaseException, traces: list[TracebackType], steps: tuple[tuple[str, str, int], ...]
) -> CrashReport:
    frames = [frame for trace in traces for frame in _frames(trace)]
    message = message_of(error)
    cause, seen = error.__cause__ or error.__context__, 0
    while cause is not None and seen < MOST_CAUSES:
        message += f"; after {_type(cause)}({message_of(cause)})"
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return _made(process, "exception", _type(error), message, tuple(frames[-MOST_FRAMES:]), steps)


def _frames(trace: TracebackType) -> Iterator[Frame]:
    for frame, line in traceback.walk_tb(trace):
        module = str(frame.f_globals.get("__name__", "?"))
        yield Frame(named(module), named(frame.f_code.co_qualname), line)


def _made(
    process: str,
    kind: str,
    error_type: str,
    message: str,
    frames: tuple[Frame, ...],
    steps: tuple[tuple[str, str, int], ...],
) -> CrashReport:
    own = [f"{f.module}:{f.function}" for f in frames if f.is_own][-OWN_FRAMES:]
    text = "\n".join((process, kind, error_type, *own))
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    now = instant(time.time())
    return CrashReport(
        fingerprint, process, kind, error_type, message, frames, now, now, steps=steps, system=_system()
    )


def _type(error: BaseException) -> str:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{named(kind.__module__)}."
    return module + named(kind.__qualname__)


def _system() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "os": f"{platform.system().lower()} {platform.release()}",
        "python_version": platform.python_version(),
        "memory_usage_mb": used.ru_maxrss // 1024,
        "uptime_s": round(time.clock_gettime(time.CLOCK_BOOTTIME)),
        "machine": platform.machine(),
    }


def _module_of(path: str) -> str:
    """The module of a file: of ours with its dots, of others the file's name."""
    parts = Path(path).with_suffix("").parts
    for at, part in enumerate(parts):
        if part in OWN:
            return named(".".join(parts[at:]))
    known = {str(getattr(m, "__file__", "")): name for name, m in list(sys.modules.items())}
    return named(known.get(path, parts[-1] if parts else "?"))
