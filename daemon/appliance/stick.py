"""First settings from a USB stick: looked at only while nobody has an account on the box (docs/first-start.md).

Until then whoever stands before the box may set it up at its screen anyway; a stick gives them no more. From the first account
on a stick is never mounted, whatever is on it. It is mounted read-only, without programs and devices, where no other process sees it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.appliance.first_settings import FILE_NAME, LARGEST
from daemon.appliance.system_steps import CannotDo, Program, run_program

OPTIONS = "ro,nosuid,nodev,noexec,noatime"
KINDS = ("vfat", "exfat")

COPY = Path("/run/vitald-stick/stick")
"""Where the unit that may mount puts what was on the stick, for the one that may change the box."""

BESIDE = ("certificates", "credentials")
"""Folders that are copied beside the file: what it names is looked for there."""

MOST_FILES = 64
FAILED = "failed.txt"


@contextmanager
def mounted(device: Path, program: Program = run_program) -> Iterator[Path]:
    """A stick's folder, while it is mounted. Raises `CannotDo`."""
    with tempfile.TemporaryDirectory(prefix="vitald-stick-") as folder:
        failed = []
        for kind in KINDS:
            if not (said := program(("mount", "-t", kind, "-o", OPTIONS, str(device), folder))):
                break
            failed.append(said.replace(folder, kind))
        else:
            raise CannotDo(f"{device} cannot be read as a stick with FAT: {'; '.join(failed)}")
        try:
            yield Path(folder)
        finally:
            program(("umount", folder))


def copied(stick: Path, to: Path = COPY) -> None:
    """The file of first settings and what it may name, as root's own. What is wrong with a stick is left as `FAILED` instead."""
    fresh = to.with_name(f".{to.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    try:
        _copy(stick, fresh)
    except (OSError, CannotDo) as error:
        shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        (fresh / FAILED).write_text(str(error), encoding="utf-8")
    shutil.rmtree(to, ignore_errors=True)
    fresh.rename(to)


def _copy(stick: Path, to: Path) -> None:
    files = [stick / FILE_NAME, *(one for name in BESIDE for one in sorted((stick / name).glob("*")))]
    if not files[0].is_file():
        raise CannotDo(f"there is no {FILE_NAME} on the stick")
    if len(files) > MOST_FILES:
        raise CannotDo(f"more than {MOST_FILES} files beside {FILE_NAME}")
    for file in files:
        if file.is_symlink() or not file.is_file():
            continue
        if file.stat().st_size > LARGEST:
            raise CannotDo(f"{file.relative_to(stick)}: larger than {LARGEST} bytes")
        target = to / file.relative_to(stick)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        target.write_bytes(file.read_bytes())
