"""What is done to the machine itself, as steps that can be shown before they are carried out: files written whole, programs run.

A step that fails takes back the files of those before it: nothing stays half done. Programs that only make use of what was
written may fail (a cable that is not plugged); that is told, and what was written stays.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemon.appliance.whole_file import replace_whole

PROGRAM_WITHIN_S = 30.0

Program = Callable[[Sequence[str]], str]
"""Runs a program with its arguments; "" where it ended well, else what it said."""


class CannotDo(Exception):
    """It cannot be done on this machine, or failed; the text says why and what a person can do."""


@dataclass(frozen=True, slots=True)
class Write:
    """A file with this text, in the place of the one before. `secret`: the text is not shown."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644
    secret: bool = False

    def shown(self) -> str:
        """What a person reads of it."""
        lines = ["  (secret)"] if self.secret else [f"  {line}" for line in self.text.splitlines()]
        return "\n".join([f"write {self.path}", *lines])


@dataclass(frozen=True, slots=True)
class Run:
    """A program. One that `may_fail` is told of and undoes nothing."""

    words: tuple[str, ...]
    may_fail: bool = False

    def shown(self) -> str:
        """What a person reads of it."""
        return f"run {' '.join(self.words)}"


Step = Write | Run


def run_program(words: Sequence[str]) -> str:
    """Run it and wait; "" where it ended well, else its last line (of mount(8): the one before its hint)."""
    path = shutil.which(words[0])
    if path is None:
        return f"{words[0]} is not installed"
    try:
        done = subprocess.run(  # noqa: S603 - our own words, values checked by their models
            [path, *words[1:]], capture_output=True, text=True, timeout=PROGRAM_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{words[0]}: {error}"
    lines = (done.stderr or done.stdout).strip().splitlines()
    said = [line for line in lines if not line.lstrip().startswith("dmesg(1) may")]
    return "" if done.returncode == 0 else f"{words[0]}: {said[-1] if said else f'code {done.returncode}'}"


def carry_out(
    steps: Sequence[Step], program: Program = run_program, last: Callable[[], None] = lambda: None
) -> list[str]:
    """All of them, in order, and `last`; what was told by those that may fail. Raises `CannotDo`, and then nothing was written."""
    before: list[tuple[Path, bytes | None, int]] = []
    told: list[str] = []
    try:
        for step in steps:
            if isinstance(step, Write):
                before.append(_kept(step.path))
                step.path.parent.mkdir(parents=True, exist_ok=True)
                replace_whole(step.path, step.text.encode(), step.mode)
            else:
                told += _ran(step, program)
        last()
    except (OSError, CannotDo) as error:
        for path, data, mode in reversed(before):
            with suppress(OSError):
                if data is None:
                    path.unlink(missing_ok=True)
                else:
                    replace_whole(path, data, mode)
        if isinstance(error, PermissionError):
            raise CannotDo(f"{error.filename}: only root may write there: say it with sudo") from None
        raise CannotDo(str(error)) from None
    return told


def _ran(step: Run, program: Program) -> list[str]:
    said = program(step.words)
    if said and not step.may_fail:
        raise CannotDo(said)
    return [said] if said else []


def _kept(path: Path) -> tuple[Path, bytes | None, int]:
    try:
        return path, path.read_bytes(), path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return path, None, 0
