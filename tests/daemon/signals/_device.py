"""A sound device for the real aplay: ALSA's file plugin writes into a pipe that is read at the pace of a sound card."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import threading
import time

import numpy as np
import pytest

from daemon.signals.bursts import RATE

NAME = "bedside"
BYTES_A_SECOND = 2 * RATE
PERIOD = 1764  # bytes: 20 ms
_PCM = """
pcm.%s {
  type file
  slave.pcm { type null }
  file "%s"
  format raw
  truncate true
}
pcm.nowhere { type null }
"""


def needs_aplay():
    if shutil.which("aplay") is None:
        assert os.environ.get("CI") != "true", "aplay (alsa-utils) is not installed"
        pytest.skip("aplay (alsa-utils) is not installed")


class Device:
    """What aplay has played, with the time at which it was taken. It can be slow, stuck, unplugged."""

    def __init__(self, folder):
        needs_aplay()
        self.environment = {"ALSA_CONFIG_PATH": str(folder / "asound.conf")}
        self._config = folder / "asound.conf"
        self._fifo = folder / "device"
        os.mkfifo(self._fifo)
        self._taken = []
        self._takes = threading.Event()
        self._ended = False
        self._fd = os.open(self._fifo, os.O_RDWR)  # so that neither end waits for the other
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, 4096)
        self.plug()
        self.go_on()
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def plug(self):
        self._config.write_text(_PCM % (NAME, self._fifo))

    def unplug(self):
        """From now on it cannot be opened."""
        self._config.write_text("pcm.nowhere { type null }\n")

    def stop(self):
        """Open, but taking nothing."""
        self._takes.clear()

    def go_on(self):
        self._takes.set()

    def since(self, start_s):
        """(seconds of time.monotonic of the first sample, samples) taken from then on; the pace makes up for gaps."""
        taken = [(t, b) for t, b in list(self._taken) if t >= start_s]
        if not taken:
            return start_s, np.zeros(0, np.int16)
        return taken[0][0], np.frombuffer(b"".join(b for _, b in taken), np.int16)

    def forget(self):
        """What was taken until now: hours of it are large."""
        self._taken.clear()

    def first_sound(self, start_s, at_least=500):
        """Seconds of time.monotonic at which sound was first taken, None = not yet."""
        for t, taken in list(self._taken):
            if t >= start_s and np.abs(np.frombuffer(taken, np.int16).astype(int)).max() >= at_least:
                return t
        return None

    def _take(self):
        began, count = time.monotonic(), 0
        while not self._ended:
            taken = os.read(self._fd, PERIOD)
            if len(taken) % 2:
                taken += os.read(self._fd, 1)
            now = time.monotonic()
            self._taken.append((now, taken))
            count += len(taken)
            ahead = began + count / BYTES_A_SECOND - now
            if ahead < -0.1 or not self._takes.is_set():  # nothing was offered, or it was stopped
                self._takes.wait()
                began, count = time.monotonic(), 0
            elif ahead > 0:
                time.sleep(ahead)

    def close(self):
        self._ended = True
        self._takes.set()
        writer = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            os.write(writer, bytes(PERIOD))
        os.close(writer)
        self._thread.join(2)
        os.close(self._fd)


async def until(condition, within_s, step_s=0.02):
    """Wait for a condition; its value, or the last one when it did not come true in time."""
    end = time.monotonic() + within_s
    while not (value := condition()) and time.monotonic() < end:
        await asyncio.sleep(step_s)
    return value
