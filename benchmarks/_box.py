"""A whole box running in a folder: simulators, daemon and pages as processes of their own. For measurements and end-to-end tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from firmware_bridge.simulators.control import ask

_CONFIG = """\
[box]
name = "Box under test"
data = "{folder}/data"
run = "{folder}/run"
demo = true
[store]
ballast_mb = 4
[web]
port = 0
[proof]
every_h = 0
[sound]
{sound}
[beds.1]
name = "Bed 1"
[[beds.1.devices]]
label = "ecg"
kind = "{kind}"
port = "{folder}/ports/ttyECG*"
ask = true
"""


class Box:
    """`with Box(folder) as box:` starts simulators, daemon and pages; whatever is still running at the end is stopped.

    `source` is a recording's path, or "patient" for a simulated one; `kind` the simulated board, also in the configuration
    unless `configured` says otherwise ("auto"). `sound`: the name of an ALSA device and the environment in which it is found;
    without it the box has no sound process and misses none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str = "dm_ecg",
        source: str = "patient",
        configured: str = "",
        sound: tuple[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.source = source
        self.url = ""
        self.config = folder / "vitald.toml"
        self.sound = sound
        heard = "enabled = false" if sound is None else f'device = "{sound[0]}"\nvolume = 100'
        text = _CONFIG.format(folder=folder, kind=configured or kind, sound=heard)
        self.config.write_text(text, encoding="utf-8")
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        self.start_simulators()
        self.start_daemon()
        self.start_web()
        self.start_sound()
        return self

    def __exit__(self, *_error: object) -> None:
        for name in list(self.processes):
            self.stop(name)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "vitald.db"

    def start_simulators(self) -> None:
        port = self.folder / "ports" / "ttyECG0"
        self._start("simulators", "replay", self.source, "--as", self.kind, "--port", str(port))
        self._line("simulators")

    def start_daemon(self) -> None:
        self._start("daemon", "run", "--config", str(self.config))

    def start_web(self) -> None:
        self._start("web", "web", "--config", str(self.config))
        self.url = self._line("web").removeprefix("pages: ").strip()

    def start_worker(self) -> None:
        self._start("worker", "work", "--config", str(self.config))

    def start_forwarder(self) -> None:
        self._start("forwarder", "forward", "--config", str(self.config))

    def start_sound(self) -> None:
        """Where the box has a sound device."""
        if self.sound is not None:
            self._start("sound", "sound", "--config", str(self.config), environment=self.sound[1])

    def steer(self, command: str) -> str:
        """Say a line to the simulators, as a person would ("ecg rate 120"); raises RuntimeError where they refuse."""
        answer = ask(self.folder / "ports" / "ttyECG0.sock", command)
        if not answer.startswith("ok"):
            raise RuntimeError(f"{command}: {answer}")
        return answer

    def pid(self, name: str) -> int:
        return self.processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL, as if the process had crashed."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self._close(process)

    def stop(self, name: str, within_s: float = 10.0) -> int:
        """SIGTERM; the exit code. A process that does not end in time is killed, and TimeoutExpired raised."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            self._close(process)

    def said(self, name: str) -> str:
        """What a process has logged so far."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def _start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "daemon.cli", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            )

    def _line(self, name: str) -> str:
        """The first line that a process prints: it is ready then."""
        stdout = self.processes[name].stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended at once: {self.said(name)}")
        return line

    @staticmethod
    def _close(process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            process.stdout.close()


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
