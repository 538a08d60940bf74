"""Servers as processes of their own: started on a free port, waited for, ended for certain."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

PATIENCE_S = 40.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def missing(what: str) -> None:
    """In CI a server that is not installed is a failure; elsewhere its tests are skipped, and say so."""
    text = f"{what} is not installed: its destination was not tried"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


@contextlib.contextmanager
def served(
    command: Sequence[str | Path], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command's process, once its port answers. Its words are in `folder`/server.log."""
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
        try:
            _wait(process, port, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    pytest.fail(f"{process.args[0]} did not come up: {log.read_text(errors='replace')[-2000:]}")
