"""A forwarder in a folder, as a task here or as a process of its own, for measurements."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.config import Config, load
from daemon.forward.process import Forwarder

_CONFIG = """\
[box]
data = "{folder}/data"
run = "{folder}/run"
serial = "BOX-0001-0042"
"""

_DESTINATION = """\
[forward.destinations.{name}]
kind = "rest"
form = "records"
url = "{url}"
api_key_file = "key"
{more}
"""


def configure(folder: Path, urls: Mapping[str, str], **more: Any) -> Config:
    """A box in a folder that sends to these addresses; `more` is said of every destination."""
    for name in ("data", "run", "run-forward", "data-forward", "credentials"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "credentials" / "key").write_text("key")
    lines = "\n".join(f"{key} = {value!r}".replace("'", '"').lower() for key, value in more.items())
    text = _CONFIG.format(folder=folder) + f'[forward]\ncredentials = "{folder}/credentials"\n'
    text += "".join(_DESTINATION.format(name=name, url=url, more=lines) for name, url in urls.items())
    path = folder / "vitald.toml"
    path.write_text(text)
    return load(path)


@asynccontextmanager
async def forwarding(config: Config, **more: Any) -> AsyncIterator[Forwarder]:
    """The forwarder as a task of this process."""
    forwarder = Forwarder(config, **more)
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def behind(forwarder: Forwarder, name: str) -> bool:
    """Whether a destination does not have everything yet."""
    sender = forwarder.senders.get(name)
    if sender is None:
        return True
    lanes = sender.delivery.lanes
    return any(lanes.confirmed(lane) < head for lane, head in forwarder.heads.heads.items())


async def until(condition: Callable[[], bool], within_s: float = 600.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


class ForwardProcess:
    """`vitald forward` as a process of its own, and what it costs."""

    def __init__(self, config: Config) -> None:
        self._folder = config.box.data.parent
        self._socket = config.forward_socket
        began_s = time.monotonic()
        with (self._folder / "forward.log").open("a") as log:
            command = [
                sys.executable,
                "-m",
                "daemon.cli",
                "forward",
                "--config",
                str(self._folder / "vitald.toml"),
            ]
            self._process = subprocess.Popen(command, stderr=log)
        while not self._socket.exists():
            if self._process.poll() is not None or time.monotonic() > began_s + 30:
                raise RuntimeError((self._folder / "forward.log").read_text())
            time.sleep(0.01)
        self.started_s = time.monotonic() - began_s

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, field: str) -> float:
        """VmRSS, or VmHWM: the most that it ever was."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
        raise LookupError(field)

    def kill(self) -> None:
        """As a crash does."""
        self._process.kill()
        self._process.wait()
        self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ReceiverProcess:
    """`benchmarks._receiver` as a process of its own."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "benchmarks._receiver", str(path)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the receiver did not start")

    @property
    def port(self) -> int:
        return int(self.url.split(":")[2].split("/")[0])

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
