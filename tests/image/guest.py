"""A box under qemu (no hardware help is taken), steered over its second serial port by tests/image/agent.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
MEMORY_MB = 2048
GONE_S = 20.0


class Silent(Exception):
    """The guest did not answer within the time given."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Guest:
    """One run of a machine. Writes to `disk` go through to the file; with `log` they are kept there too, in their order (cuts.py)."""

    def __init__(
        self,
        folder: Path,
        disk: Path,
        *,
        stick: Path | None = None,
        log: Path | None = None,
        web: int = 0,
        cable: Path | None = None,
        tpm: Path | None = None,
    ):
        self.folder = folder
        self.console = folder / "console.log"
        self._socket = folder / "agent.sock"
        folder.mkdir(parents=True, exist_ok=True)
        variables = folder / "variables.fd"
        if not variables.exists():
            shutil.copy(VARIABLES, variables)
        self._left = b""
        self._number = 0
        self.acks: list[tuple[int, dict]] = []
        self._log = log
        self.installed_at = 0
        self._agent: socket.socket | None = None
        self.stick = "/dev/vdb"
        for old in (self.console, self._socket):
            old.unlink(missing_ok=True)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", *self._words(disk, variables, stick, log, web, cable, tpm)],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "qemu.err").open("w"),
        )

    def _words(self, disk, variables, stick, log, web, cable, tpm):
        inner = f"driver=raw,node-name=inner,file.driver=file,file.filename={disk},file.locking=off"
        words = [
            "-machine",
            "q35",
            "-m",
            str(MEMORY_MB),
            "-accel",
            "tcg,thread=multi",
            "-smp",
            "2",
            "-cpu",
            "max",
        ]
        words += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
        words += ["-drive", f"if=pflash,format=raw,file={variables}", "-blockdev", inner]
        node = "inner"
        if log is not None:
            log.unlink(missing_ok=True)
            log.touch()
            words += ["-blockdev", f"driver=file,node-name=kept,filename={log}"]
            words += [
                "-blockdev",
                "driver=blklogwrites,node-name=disk,file=inner,log=kept,log-sector-size=512",
            ]
            node = "disk"
        words += ["-device", f"virtio-blk-pci,drive={node},bootindex=0"]
        if stick is not None:
            words += [
                "-blockdev",
                f"driver=raw,node-name=stick,read-only=on,file.driver=file,file.filename={stick}",
            ]
            words += ["-device", "virtio-blk-pci,drive=stick"]
        forward = f",hostfwd=tcp:127.0.0.1:{web}-:8090" if web else ""
        words += [
            "-nic",
            f"user,model=virtio,restrict=on{forward}",
            "-device",
            "i6300esb",
            "-action",
            "watchdog=reset",
        ]
        if cable is not None:
            words += ["-chardev", f"serial,id=cable,path={cable}", "-device", "pci-serial,chardev=cable"]
        if tpm is not None:
            words += ["-chardev", f"socket,id=tpm,path={tpm}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"]
            words += ["-device", "tpm-crb,tpmdev=tpm0"]
        words += ["-display", "none", "-monitor", "none", "-serial", f"file:{self.console}"]
        return [*words, "-serial", f"unix:{self._socket},server=on,wait=off"]

    # --- its agent ----------------------------------------------------------------------------------------------

    def _connected(self):
        while self._agent is None:
            one = socket.socket(socket.AF_UNIX)
            try:
                one.connect(str(self._socket))
                self._agent = one
            except OSError:
                one.close()
                if self.process.poll() is not None:
                    raise Silent((self.folder / "qemu.err").read_text()) from None
                time.sleep(0.1)
        return self._agent

    def _line(self, until):
        agent = self._connected()
        while b"\n" not in self._left:
            agent.settimeout(max(until - time.monotonic(), 0.01))
            try:
                came = agent.recv(65536)
            except TimeoutError:
                raise Silent(f"nothing for the time given; the console ends with\n{self.tail()}") from None
            if not came:
                raise Silent(f"qemu has ended: {(self.folder / 'qemu.err').read_text()}")
            self._left += came
        line, self._left = self._left.split(b"\n", 1)
        with suppress(ValueError):
            told = json.loads(line)
            if "ack" in told:
                self.acks.append((self.logged(), told["ack"]))
            return told
        return {}

    def hello(self, within: float) -> float:
        """Wait until the agent of a start speaks; seconds since the beginning of this run."""
        until = time.monotonic() + within
        while not self._line(until).get("hello"):
            pass
        return time.monotonic() - self.began

    def ask(self, do: str, *, within: float = 120.0, **told):
        """One answer of the agent."""
        self._number += 1
        line = json.dumps({"id": self._number, "do": do, "within": within, **told}) + "\n"
        self._connected().sendall(line.encode())
        until = time.monotonic() + within + 10
        while True:
            answer = self._line(until)
            if answer.get("to") in {self._number, -1}:
                if "error" in answer:
                    raise Silent(answer["error"])
                return answer

    def run(self, *words: str, within: float = 120.0) -> tuple[int, str]:
        """A program in the guest: exit code, and what it said."""
        answer = self.ask("run", words=list(words), within=within)
        return answer["code"], answer["out"]

    def slot(self) -> str:
        """The letter of the slot that was started."""
        _, line = self.run("cat", "/proc/cmdline")
        return next((word[-1] for word in line.split() if word.startswith("rauc.slot=")), "")

    def logged(self) -> int:
        """Bytes of the log of writes so far."""
        return self._log.stat().st_size if self._log else 0

    def listen(self, seconds: float):
        """Hear acknowledgements for so long."""
        until = time.monotonic() + seconds
        with suppress(Silent):
            while time.monotonic() < until and self.process.poll() is None:
                self._line(until)

    def tail(self, lines: int = 12) -> str:
        return (
            "\n".join(self.console.read_text(errors="replace").splitlines()[-lines:])
            if self.console.exists()
            else ""
        )

    # --- its end ------------------------------------------------------------------------------------------------

    def cut(self):
        """The plug is drawn. What had not been synced is in this machine's memory still: cuts.py takes it away again."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(GONE_S)
        if self._agent is not None:
            self._agent.close()

    def power_off(self, within: float = 180.0):
        """As a person would."""
        self.ask("start", words=["systemctl", "poweroff"])
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.cut()
            raise Silent(f"it does not end\n{self.tail()}") from None
        if self._agent is not None:
            self._agent.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()
