"""The disk of a minimal machine, served by qemu's storage daemon: what the guest flushes is flushed, and with a log each write is kept in it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.image.guest import GONE_S, Silent

READY_S = 20.0
BLOCK_DEVICE = 2
"""Virtio's number of it."""


class Storage:
    """`option` is the word for the guest's kernel. The guest may come and go; the log goes on."""

    def __init__(self, folder: Path, disk: Path, log: Path | None) -> None:
        self._guests, self._ours = folder / "disk.sock", folder / "choice.sock"
        for old in (self._guests, self._ours):
            old.unlink(missing_ok=True)
        node = "inner" if log is None else "logged"
        words = ["--blockdev", f"driver=file,node-name=file,filename={disk},locking=off"]
        words += ["--blockdev", "driver=raw,node-name=inner,file=file"]
        if log is not None:
            log.unlink(missing_ok=True)
            log.touch()
            words += ["--blockdev", f"driver=file,node-name=kept,filename={log}"]
            logged = "driver=blklogwrites,node-name=logged,file=inner,log=kept,log-sector-size=512"
            words += ["--blockdev", logged]
        export = f"node-name={node},writable=on"
        words += ["--export", f"vhost-user-blk,id=guest,{export},addr.type=unix,addr.path={self._guests}"]
        words += ["--nbd-server", f"addr.type=unix,addr.path={self._ours}"]
        words += ["--export", f"nbd,id=choice,name=disk,{export}"]
        self._said = folder / "storage.log"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(["qemu-storage-daemon", *words], stdout=said, stderr=said)
        until = time.monotonic() + READY_S
        while not (self._guests.exists() and self._ours.exists()):
            if self._process.poll() is not None or time.monotonic() > until:
                raise Silent(f"the disk is not served: {self._said.read_text()}")
            time.sleep(0.05)
        self.option = f"virtio_uml.device={self._guests}:{BLOCK_DEVICE}"

    def write(self, place: int, block: bytes) -> None:
        """As the boot loader does, which writes before there is a kernel: kept in the log too."""
        source = self._said.with_name("block")
        source.write_bytes(block)
        command = ["qemu-io", "-f", "raw", "-c", f"write -f -s {source} {place} {len(block)}"]
        done = subprocess.run(
            [*command, f"nbd+unix:///disk?socket={self._ours}"], capture_output=True, text=True
        )
        if done.returncode or "wrote" not in done.stdout:
            raise Silent(f"a slot's state is not written: {done.stdout}{done.stderr}")

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(GONE_S)
