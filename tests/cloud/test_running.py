"""The cloud as a program: by itself, and beside the demo."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def line(process, pattern):
    """What the first line that fits says."""
    for said in process.stdout:
        if found := re.search(pattern, said):
            return found.group(1)
    raise AssertionError(f"{process.args} ended without saying {pattern}")


def shown(url, table):
    with urllib.request.urlopen(url, timeout=5) as reply:
        found = re.search(rf"id={table}>(\d+)", reply.read().decode())
    return int(found.group(1))


def ended(process):
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(30)
    finally:
        process.kill()
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.usefixtures("dsn")
def test_it_runs_by_itself_and_keeps_its_folder():
    folder = Path(tempfile.mkdtemp(prefix="vitald-cloud-"))
    folder.chmod(0o755)
    try:
        for users in (1, 2):
            cloud = started("tests.cloud", "--port", "0", "--folder", str(folder / "pg"))
            try:
                base = line(cloud, r"REST: (\S+)")
                said = f'{{"full_name": "x", "password": "p", "device_serial": "E-{users}"}}'.encode()
                urllib.request.urlopen(f"{base}/auth/register", said, timeout=5).close()
                assert shown(base.replace("/api/v1", "/"), "users") == users
            finally:
                assert ended(cloud) == 0
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("dsn")
def test_the_demo_with_a_cloud_shows_data_arriving(tmp_path):
    demo = started("tests.cloud.demo", "--with-cloud", "--port", "0", "--folder", str(tmp_path))
    try:
        url = line(demo, r"cloud: (\S+)")
        deadline = time.monotonic() + 60
        while not (shown(url, "waveforms") and shown(url, "metrics") and shown(url, "sessions")):
            assert time.monotonic() < deadline, "nothing arrived"
            time.sleep(0.3)
    finally:
        assert ended(demo) == 0
