"""`vitald sound` as it runs at a bed: the real process, the real aplay, and the daemon's side of the socket by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from daemon.signals.messages import Wanted
from tests.daemon.signals._device import NAME, Device

ROOT = Path(__file__).parents[3]


class Process:
    """The process, and the daemon's side of its socket, by hand."""

    def __init__(self, folder, environment):
        self.config = folder / "vitald.toml"
        self.config.write_text(
            f'[box]\ndata = "{folder}/data"\nrun = "{folder}/run"\n[sound]\ndevice = "{NAME}"\nvolume = 100\n'
        )
        self.socket = folder / "run-sound" / "sound.sock"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon.cli", "sound", "--config", self.config],
            cwd=ROOT,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
        )
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The socket is there a moment before anybody listens at it.
        assert eventually(lambda: self.connection.connect_ex(str(self.socket)) == 0, 20)
        self.connection.settimeout(5)
        self._lines = self.connection.makefile("rb")
        self._n = 0
        self.heartbeat_s = 0.0

    def say(self, **wanted):
        """A heartbeat; the answer to it."""
        self._n += 1
        self.heartbeat_s = time.monotonic()
        self.connection.sendall(Wanted(n=self._n, volume=100, **wanted).model_dump_json().encode() + b"\n")
        while (answer := self.hear())["n"] != self._n:
            pass
        return answer

    def hear(self):
        return json.loads(self._lines.readline())

    def keep_saying(self, seconds, until=lambda answer: False, **wanted):
        """A heartbeat every half second; the last answer."""
        end = time.monotonic() + seconds
        while not until(answer := self.say(**wanted)) and time.monotonic() < end:
            time.sleep(0.5)
        return answer

    def well(self):
        answer = self.keep_saying(20, until=lambda a: a["speaker"]["state"] == "well")
        assert answer["speaker"]["state"] == "well"

    def aplay(self):
        """Process ids of its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def close(self):
        self._lines.close()
        self.connection.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=5)


@contextmanager
def running(tmp_path, plugged=True):
    device = Device(tmp_path)
    if not plugged:
        device.unplug()
    process = Process(tmp_path, device.environment)
    try:
        yield process, device
    finally:
        process.close()
        device.close()


def eventually(condition, within_s):
    end = time.monotonic() + within_s
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value
