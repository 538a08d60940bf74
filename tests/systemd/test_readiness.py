"""Every process as systemd starts it: it says that it is ready, feeds the watchdog, and the pages take the socket they are given."""

import http.client
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

VERBS = ("sound", "web", "work", "forward")
"""The daemon's own readiness asks more: tests/daemon/appliance."""

WITHIN_S = 90.0

START = "import os, sys\nos.environ['LISTEN_PID'] = str(os.getpid())\nfrom daemon.cli import main\nsys.exit(main())"


@pytest.mark.slow
def test_each_process_is_ready_and_feeds_the_watchdog(tmp_path: Path) -> None:
    configuration = tmp_path / "vitald.toml"
    configuration.write_text(
        f'[box]\ndata = "{tmp_path}/data"\nrun = "{tmp_path}/run"\n[sound]\ndevice = "null"\n[web]\nport = 1\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = {verb: _bound(tmp_path / f"{verb}.sock") for verb in VERBS}
        started = [_start(verb, tmp_path, configuration, listening) for verb in VERBS]
        try:
            words = _heard(told)
            page = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=WITHIN_S)
            page.request("GET", "/")
            answered = page.getresponse().status
            page.close()
        finally:
            for process in started:
                process.terminate()
            codes = [process.wait(WITHIN_S) for process in started]
            for one in told.values():
                one.close()

    assert {verb: {"READY=1", "WATCHDOG=1"} <= said for verb, said in words.items()} == dict.fromkeys(
        VERBS, True
    )
    assert answered < 500, "on the socket that was handed over, not on port 1"
    assert codes == [0] * len(VERBS)


def _bound(path: Path) -> socket.socket:
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.bind(str(path))
    return to


def _start(verb: str, folder: Path, configuration: Path, listening: socket.socket) -> subprocess.Popen[bytes]:
    environment = os.environ | {"NOTIFY_SOCKET": str(folder / f"{verb}.sock"), "WATCHDOG_USEC": "2000000"}
    given = verb == "web"
    if given:  # descriptor 3, as systemd hands it over
        environment["LISTEN_FDS"] = "1"
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            START if given else START.replace("LISTEN_PID", "NOBODYS"),
            verb,
            "--config",
            str(configuration),
        ],
        env=environment,
        pass_fds=(3,) if given else (),
        preexec_fn=(lambda: os.dup2(listening.fileno(), 3)) if given else None,  # noqa: PLW1509
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _heard(told: dict[str, socket.socket]) -> dict[str, set[str]]:
    """What each has said, as soon as all have said both words."""
    said: dict[str, set[str]] = {verb: set() for verb in told}
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and not all({"READY=1", "WATCHDOG=1"} <= words for words in said.values()):
        for one in select.select(list(told.values()), [], [], 1.0)[0]:
            verb = next(verb for verb, sock in told.items() if sock is one)
            said[verb] |= set(one.recv(4096).decode().splitlines())
    return said
