"""The real aplay on a device at a sound card's pace: what is rendered is what is played."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from daemon.model.alarms import Priority
from daemon.signals.aplay import Aplay
from daemon.signals.bursts import RATE
from daemon.signals.loudspeaker import boottime_ns
from daemon.signals.messages import SpeakerState, Wanted
from tests.daemon.signals._aplay import becomes, children, playing
from tests.daemon.signals._device import NAME, Device, needs_aplay, until
from tests.daemon.signals._measure import pulses, spaces

pytestmark = pytest.mark.slow


async def test_a_high_burst_at_the_device_is_the_burst(device):
    async with playing() as (player, aplay):
        await becomes(aplay, SpeakerState.WELL)
        asked = time.monotonic()
        player.want(Wanted(sound=Priority.HIGH, volume=100))
        assert await until(lambda: len(pulses(device.since(asked)[1], RATE)) >= 10, 15.0, 0.2)
        await asyncio.sleep(0.3)  # the last pulse to its end

    heard = device.first_sound(asked)
    assert heard - asked < 1.0  # pipes and buffers of 0.2 s, and a busy machine
    found = pulses(device.since(asked)[1], RATE)
    assert len(found) == 10
    assert all(0.075 <= p.td_s <= 0.200 for p in found)
    space = spaces(found)
    assert space[:2] + space[5:7] == pytest.approx([space[0]] * 4, rel=0.05)
    assert 0.35 <= space[4] <= 1.30


async def test_the_child_ends_with_us(device):
    async with playing() as (_, aplay):
        await becomes(aplay, SpeakerState.WELL)
        (child,) = children()
    assert not Path(f"/proc/{child}").exists()


async def test_a_null_device_is_no_loudspeaker(device):
    async with playing("nowhere") as (player, aplay):
        await becomes(aplay, SpeakerState.TOO_FAST)
        assert player.at < 20 * RATE


async def test_a_fault_of_our_own_is_not_hidden(device):
    def broken(frames):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Aplay(NAME, broken, lambda: None, boottime_ns).run(), 5.0)


async def test_the_devices_recording_is_no_matter_of_course(tmp_path, monkeypatch):
    """A control: silence is recorded as silence, and a device that was not opened has recorded nothing."""
    needs_aplay()
    running = Device(tmp_path)
    monkeypatch.setenv("ALSA_CONFIG_PATH", running.environment["ALSA_CONFIG_PATH"])
    assert running.since(0)[1].size == 0
    async with playing() as (_, aplay):
        await becomes(aplay, SpeakerState.WELL)
    samples = running.since(0)[1]
    assert samples.size > RATE
    assert not np.any(samples)
    assert running.first_sound(0) is None
    running.close()
