"""`vitald test-alarm --chain` on a whole box: a sound device that takes what is played, and a real browser that shows it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest

from benchmarks._box import Box
from daemon.audit import entries
from daemon.store.box import ask_box
from tests.daemon.signals._device import NAME, Device

pytestmark = pytest.mark.slow

STARTED_MS = 60_000


@pytest.fixture
def sounding(tmp_path):
    """A box whose loudspeaker is a file that is read at the pace of a sound card."""
    device = Device(tmp_path)
    box = Box(tmp_path, sound=(NAME, device.environment))
    with contextlib.ExitStack() as held:
        held.callback(device.close)
        held.enter_context(box)
        yield box, device


def shown(page, fact):
    page.wait_for_selector(f"html{fact}", state="attached", timeout=STARTED_MS)


def proved(box, *more):
    command = [sys.executable, "-m", "daemon.cli", "test-alarm", "--chain", *more, "--config", box.config]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


@pytest.mark.timeout(240)
def test_from_bytes_to_the_loudspeaker_and_the_browser(sounding, page):
    box, device = sounding
    page.goto(f"{box.url}bed/1")
    shown(page, '[data-stalled="false"]')

    ended = proved(box, "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["state"]) == (0, "passed"), (told, ended.stderr, box.said("daemon"))
    stages = {stage["name"]: stage for stage in told["stages"]}
    assert {stage["state"] for stage in stages.values()} == {"ok"}, stages
    assert stages["screens"]["why"] == "1"
    assert device.first_sound(0.0, at_least=3000) is not None

    (entry,) = [
        one for one in ask_box(box.folder / "data" / "box.db", entries) if one["act"] == "alarm_chain"
    ]
    assert entry["body"]["state"] == "passed"
