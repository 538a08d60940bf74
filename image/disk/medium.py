# ruff: noqa: S603, S607
"""The disk of a box: partitions, what starts it, a root in slot A. No loop device and no root is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.appliance import slots
from disk.description import MB, Machine

HERE = Path(__file__).resolve().parent
GRUB_MODULES = (
    "part_gpt part_msdos fat squash4 linux loadenv test echo normal configfile search search_fs_file serial gzio xzio lzopio "
    "terminal regexp sleep reboot"
)
ALIGNED = 1
"""Megabytes before the first partition, and after the last."""


@dataclass(frozen=True, slots=True)
class Part:
    """A partition: its name, size, kind for sfdisk, and the file that it begins with."""

    name: str
    megabytes: int
    kind: str
    content: Path | None = None


def first_partition(
    machine: Machine, to: Path, work: Path, *, made: bool = False, encrypted: bool = False
) -> Path:
    """What the firmware reads: the boot loader, the states of the slots, and the word to make the data partition.

    `made`: the data partition is there already. `encrypted`: it is not made before there is a key or a TPM.
    """
    folder = work / "first"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    slots.write(slots.States(), folder)
    if not made:
        (folder / "make-data").write_text("encrypted" if encrypted else "")
    if machine.boot == "grub":
        text = (HERE / "amd64/slots.cfg").read_text().replace("@CONSOLE@", machine.console)
        (folder / "slots.cfg").write_text(text)
        (folder / "EFI/BOOT").mkdir(parents=True)
        _run(
            "grub-mkstandalone",
            "-O",
            "x86_64-efi",
            f"--modules={GRUB_MODULES}",
            "-o",
            folder / "EFI/BOOT/BOOTX64.EFI",
            f"boot/grub/grub.cfg={HERE / 'amd64/embed.cfg'}",
        )
    else:
        (folder / slots.AUTOBOOT).write_bytes(slots.autoboot(slots.States()))
    return fat(folder, to, machine.first_mb, "VITALDESP")


def fat(folder: Path, to: Path, megabytes: int, label: str) -> Path:
    """A FAT file system with what is in the folder; the same folder gives the same bytes."""
    to.unlink(missing_ok=True)
    with to.open("wb") as file:
        file.truncate(megabytes * MB)
    _run("mkfs.vfat", "-n", label, "-i", "56544C44", "--invariant", to)
    for place in sorted(folder.rglob("*")):
        inside = f"::{place.relative_to(folder)}"
        os.utime(place, (_epoch(), _epoch()))
        _run(*(("mmd", "-i", to, inside) if place.is_dir() else ("mcopy", "-m", "-i", to, place, inside)))
    return to


def data_partition(to: Path, megabytes: int, folder: Path) -> Path:
    """A data partition that holds already what is in the folder: for trials, and for boxes that are set up alike."""
    to.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-t", "ext4", "-L", "VITALDDATA", "-d", folder, to, f"{megabytes}M")
    return to


def parts(
    machine: Machine, first: Path, root: Path, root_mb: int, data_mb: int, boot: Path | None = None
) -> list[Part]:
    """All partitions in their order; slot B is empty. The numbers are those of slots.cfg and slots.PI_PARTITIONS."""
    found = [Part("esp", machine.first_mb, "U", first)]
    found += [
        Part(f"boot{name}", size, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", boot if name == "A" else None)
        for name, size in zip("AB", machine.further_mb, strict=False)
    ]
    return [
        *found,
        Part("rootA", root_mb, "L", root),
        Part("rootB", root_mb, "L"),
        Part("data", data_mb, "L"),
    ]


def disk(to: Path, listed: Sequence[Part]) -> Path:
    """The file to write to a disk. Raises ValueError where a content is larger than its partition."""
    to.unlink(missing_ok=True)
    table, place = ["label: gpt", "label-id: 56544C44-0000-4000-8000-000000000000"], ALIGNED
    contents: list[tuple[int, Path]] = []
    for number, part in enumerate(listed, 1):
        uuid = f"56544C44-0000-4000-8000-{number:012d}"
        table.append(
            f"start={place}MiB, size={part.megabytes}MiB, type={part.kind}, name={part.name}, uuid={uuid}"
        )
        if part.content is not None:
            if part.content.stat().st_size > part.megabytes * MB:
                raise ValueError(f"{part.content.name} does not fit into {part.name}: {part.megabytes} MB")
            contents.append((place, part.content))
        place += part.megabytes
    with to.open("wb") as file:
        file.truncate((place + ALIGNED) * MB)
    subprocess.run(["sfdisk", "--quiet", str(to)], input="\n".join(table) + "\n", text=True, check=True)
    for start, content in contents:
        _run("dd", f"if={content}", f"of={to}", "bs=1M", f"seek={start}", "conv=notrunc,sparse")
    return to


def _epoch() -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH", "1750000000"))


def _run(*words: str | Path) -> None:
    subprocess.run(
        [str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
