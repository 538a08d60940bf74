"""The image's root in a minimal virtual machine: Linux as a program of this machine (Debian's user-mode-linux), which runs at its own speed.

Its disk has the same bytes as under qemu, slots, RAUC, the RAM disk's scripts, systemd and vitald are those of the image. What differs:
the kernel; and the boot loader, whose choice of a slot (seen under qemu by choice.py) is made here in its place. Its disk is served by qemu's
storage daemon (storage.py): the disk of that kernel's own forgets what it is asked to flush, and a log of its writes would say nothing of cuts.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from daemon.appliance import slots
from tests.image import boxes
from tests.image.choice import wanted
from tests.image.guest import GONE_S, Guest, Silent
from tests.image.storage import Storage

MODULES = Path("/usr/lib/uml/modules")
NEEDED = (
    "fs/squashfs",
    "fs/overlayfs",
    "fs/fat",
    "fs/nls",
    "fs/autofs",
    "drivers/block",
    "drivers/md",
    "crypto",
    "lib",
    "security",
)
LOADED = "virtio_blk squashfs overlay vfat nls_cp437 nls_ascii nls_iso8859_1 nls_utf8 loop dm_mod dm_crypt xts dm_verity autofs4"
WRITE_BACK = 'ACTION=="add", KERNEL=="vda", ATTR{cache_type}="write back"\n'
"""The storage daemon's disk writes through until it is told not to: as a disk with a cache, it is asked to flush."""

MEMORY_MB = 1024
ESP = boxes.medium.ALIGNED * boxes.medium.MB


def ram_disk(tree: Path, to: Path) -> Path:
    """The image's RAM disk with this kernel's modules in the place of Debian's."""
    if to.exists():
        return to
    place, version = to.with_name("ram-disk"), max(MODULES.iterdir()).name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    initrd = (tree / "boot/initrd.img").resolve()
    subprocess.run(f"zstd -qdc < {initrd} | cpio -idm --quiet", shell=True, check=True, cwd=place)
    shutil.rmtree(place / "usr/lib/modules")
    here = place / "usr/lib/modules" / version
    for name in NEEDED:
        shutil.copytree(MODULES / version / "kernel" / name, here / "kernel" / name)
    for file in MODULES.glob(f"{version}/modules.[ob]*"):
        shutil.copy(file, here)
    subprocess.run(["depmod", "-b", place, version], check=True, capture_output=True)
    (place / "usr/lib/udev/rules.d/90-cache.rules").write_text(WRITE_BACK)
    (place / "conf/modules").write_text(LOADED.replace(" ", "\n") + "\n")
    subprocess.run(f"find . | cpio -o -H newc --quiet | gzip -1 > {to}", shell=True, check=True, cwd=place)
    shutil.rmtree(place)
    return to


def copies(disk: Path) -> list[int]:
    """Where on the disk the states of the slots are kept: bytes."""
    with disk.open("rb") as file:
        file.seek(ESP)
        head = file.read(64)
    sector, cluster, reserved, fats, roots = struct.unpack_from("<HBHBH", head, 11)
    (per_fat,) = struct.unpack_from("<H", head, 22)
    first = reserved + fats * per_fat + roots * 32 // sector
    found = []
    for name in slots.COPIES:
        told = subprocess.run(
            ["mshowfat", "-i", f"{disk}@@{ESP}", f"::{name}"], capture_output=True, text=True, check=True
        )
        number = int(re.search(r"<(\d+)", told.stdout)[1])
        found.append(ESP + (first + (number - 2) * cluster) * sector)
    return found


def chosen(disk: Path, write: Callable[[int, bytes], None]) -> tuple[str, str]:
    """What slots.cfg does: slot and state of the start, a try less in the copy that was read. A slot whose kernel cannot be read is passed over."""
    with disk.open("rb") as file:
        for place in copies(disk):
            file.seek(place)
            try:
                states = slots.parsed(file.read(slots.SECTOR))
                break
            except ValueError:
                states = None
    for name, state in wanted(states):
        if states is not None and state != "spent":
            left = slots.Slot(state, states[name].left - 1)
            states = replace(states, **{name.lower(): left})
            write(place, slots.block(states))
        if kernel_is_read(disk, name):
            return name, state
    raise Silent("no slot can be read")


def kernel_is_read(disk: Path, name: str) -> bool:
    """Whether kernel and RAM disk can be read out of a slot."""
    start, size = boxes.slot_b()
    offset = start if name == "B" else start - size
    with tempfile.TemporaryDirectory() as to:
        words = [
            "unsquashfs",
            "-q",
            "-n",
            "-o",
            str(offset),
            "-d",
            f"{to}/read",
            disk,
            "boot/vmlinuz-*",
            "boot/initrd.img-*",
        ]
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0 and len(list(Path(to).glob("read/boot/*"))) == 2


class Small(Guest):
    """One box; a restart is a new start of the machine, with the slot chosen anew."""

    def __init__(
        self, folder: Path, disk: Path, initrd: Path, *, stick: Path, cable: Path, log: Path | None = None
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._disk, self._initrd = folder, disk, initrd
        self._stick, self._cable = stick, cable
        self.console = folder / "console.log"
        self.console.unlink(missing_ok=True)
        self._left, self._number, self.acks, self.installed_at = b"", 0, [], 0
        self.stick = "/dev/ubda"
        self._log, self._agent, self._ends = log, None, False
        self._storage = Storage(folder, disk, log)
        self.began = time.monotonic()
        try:
            self._start()
        except BaseException:
            self._storage.end()
            raise

    def _start(self) -> None:
        slot, state = chosen(self._disk, self._storage.write)
        ours, theirs = socket.socketpair()
        out = self.console.open("ab")
        words = [f"mem={MEMORY_MB}M", "noreboot", self._storage.option, f"initrd={self._initrd}"]
        words += [f"ubd0r={self._stick}"]
        words += [f"root=PARTLABEL=root{slot}", "ro", "rootfstype=squashfs", f"rauc.slot={slot}"]
        words += [
            f"vitald.state={state}",
            "panic=5",
            "loglevel=4",
            "systemd.watchdog_sec=0",
            "console=tty0",
            "con0=null,fd:1",
            "con=null",
        ]
        words += ["ssl=null", f"ssl1=fd:{theirs.fileno()}", f"ssl2=tty:{self._cable}"]
        self.process = subprocess.Popen(
            ["linux.uml", *words],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | {"TMPDIR": "/dev/shm"},  # noqa: S108 - its memory is a file there
        )
        theirs.close()
        out.close()
        self._agent, self._left = ours, b""

    def _line(self, until):
        try:
            return super()._line(until)
        except (Silent, OSError):
            if self._ends or not self._gone():
                raise
        self._start()
        return {}

    def _gone(self) -> bool:
        """Whether the machine has come to its end: its port closes some moments before."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GONE_S)
        return self.process.poll() is not None

    def cut(self):
        self._ends = True
        with_all = os.getpgid(self.process.pid) if self.process.poll() is None else 0
        if with_all:
            os.killpg(with_all, signal.SIGKILL)
        self.process.wait(GONE_S)
        if self._agent is not None:
            self._agent.close()
        self._storage.end()

    def power_off(self, within: float = 180.0):
        self._ends = True
        try:
            super().power_off(within)
        finally:
            self.cut()
