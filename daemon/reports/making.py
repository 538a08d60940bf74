"""One report in a process of its own, which may fail without harm: it is started, listened to, and ended when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable

from pydantic import ValidationError

from daemon.control.reports import ReportGiven
from daemon.reports.job import Job, Line, NotMakeable

LONGEST_S = {"ecg": 60.0, "session": 300.0, "night": 300.0, "oxygen": 120.0}
"""On a busy box; a page takes a second or two."""

LONGEST_LINE = 4 << 20

log = logging.getLogger(__name__)


class Failed(Exception):
    """The process ended without a result; the text says how."""


async def made(job: Job, told: Callable[[float], None]) -> tuple[ReportGiven, int]:
    """The report's row, and how many letters no font had. Raises `NotMakeable`, `Failed`. Cancelled, it ends the process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemon.reports",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read(), name="report: errors")
    try:
        async with asyncio.timeout(LONGEST_S[job.asked.kind]):
            process.stdin.write(job.model_dump_json().encode())
            process.stdin.close()
            return await _result(process.stdout, told)
    except TimeoutError:
        raise Failed(f"it took longer than {LONGEST_S[job.asked.kind]:.0f} s") from None
    except (BrokenPipeError, ConnectionResetError, EOFError):
        text = (await errors).decode(errors="replace")
        log.error("reports: the process failed: %s", text[-4000:])  # noqa: TRY400 - it is the other process's
        raise Failed("the process that makes it failed") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        errors.cancel()
        (job.folder / f".{job.file}.part").unlink(missing_ok=True)


async def _result(lines: asyncio.StreamReader, told: Callable[[float], None]) -> tuple[ReportGiven, int]:
    while text := await lines.readline():
        try:
            line = Line.model_validate_json(text)
        except ValidationError:
            continue  # a library that prints
        if line.refused:
            raise NotMakeable(line.refused)
        if line.given is not None:
            return line.given, line.missing
        told(line.progress)
    raise EOFError
