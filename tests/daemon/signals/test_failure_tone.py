"""Hazard: the daemon dies or hangs, and nobody hears that there are no alarms any more."""

from __future__ import annotations

import time

import numpy as np
import pytest

from daemon.signals.bursts import RATE
from tests.daemon.signals._measure import components
from tests.daemon.signals._process import eventually, running

pytestmark = pytest.mark.slow


def notes(samples):
    """The fundamentals of half-second halves of a tone."""
    half = RATE // 4
    return {round(components(samples[i : i + half], RATE)[0][0]) for i in range(0, len(samples) - half, half)}


def test_when_the_daemon_falls_silent_the_failure_tone_is_at_the_device_within_5_s_until_it_speaks(tmp_path):
    with running(tmp_path) as (process, device):
        process.well()
        assert process.keep_saying(5)["failures"] == 0  # the control: a living daemon
        quiet_until = time.monotonic()
        assert device.first_sound(quiet_until - 2) is None

        heard = eventually(lambda: device.first_sound(quiet_until), 10)
        assert heard is not None
        assert 2.0 < heard - process.heartbeat_s <= 5.0
        time.sleep(1.6)
        _, tone = device.since(heard + 0.3)
        assert np.abs(tone.astype(int)).reshape(-1)[: RATE // 2].max() > 20_000
        assert {440, 588} <= notes(tone[:RATE])
        process._lines.readline()

        spoken = time.monotonic()
        answer = process.keep_saying(1.5)
        assert (answer["failures"], answer["playing"]) == (1, "nothing")
        assert device.first_sound(spoken + 1.0) is None
