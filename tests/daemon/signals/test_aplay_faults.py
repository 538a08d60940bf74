"""Every fault on the way to the loudspeaker has its name, and is got over when its cause has gone."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from daemon.model.alarms import Priority
from daemon.signals.bursts import RATE
from daemon.signals.messages import SpeakerState, Wanted
from tests.daemon.signals._aplay import becomes, children, playing
from tests.daemon.signals._device import until
from tests.daemon.signals._measure import pulses

pytestmark = pytest.mark.slow


async def test_a_killed_player_program_is_started_again_and_the_alarm_begins_anew(device):
    async with playing() as (player, aplay):
        await becomes(aplay, SpeakerState.WELL)
        player.want(Wanted(sound=Priority.HIGH))
        await asyncio.sleep(1.0)
        killed = time.monotonic()
        os.kill(children()[0], signal.SIGKILL)
        assert await until(lambda: aplay.state.state is SpeakerState.ENDED, 2.0)
        await becomes(aplay, SpeakerState.WELL)
        await asyncio.sleep(1.5)

    assert aplay.state.restarts == 1
    _, samples = device.since(killed + 0.3)
    assert len(pulses(samples, RATE)) >= 10  # a whole burst, though one was under way


async def test_a_device_that_stops_taking_samples_is_a_fault(device):
    async with playing() as (_, aplay):
        await becomes(aplay, SpeakerState.WELL)
        device.stop()
        stopped = time.monotonic()
        await becomes(aplay, SpeakerState.STALLED)
        assert time.monotonic() - stopped < 5.0
        device.go_on()
        await becomes(aplay, SpeakerState.WELL, within_s=10)


async def test_a_device_that_comes_is_found(device):
    device.unplug()
    async with playing() as (_, aplay):
        await becomes(aplay, SpeakerState.NO_DEVICE)
        assert "audio open error" in aplay.state.detail
        device.plug()
        await becomes(aplay, SpeakerState.WELL, within_s=12)


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("aplay: main:831: audio open error: Device or resource busy", SpeakerState.BUSY),
        ("aplay: main:831: audio open error: Permission denied", SpeakerState.DENIED),
        ("aplay: main:831: audio open error: No such device", SpeakerState.NO_DEVICE),
        ("aplay: pcm_write:2127: write error: Input/output error", SpeakerState.ENDED),
    ],
)
async def test_what_the_player_program_says_is_understood(says, state, tmp_path):
    program = tmp_path / "player"
    program.write_text(f"#!/bin/sh\necho 'ALSA lib: more' >&2\necho '{says}' >&2\nexit 1\n")
    program.chmod(0o755)
    async with playing(program=str(program)) as (_, aplay):
        await becomes(aplay, state)
    assert aplay.state.detail == says


async def test_underruns_are_counted(tmp_path):
    program = tmp_path / "player"
    program.write_text("#!/bin/sh\necho 'underrun!!! (at least 12.300 ms long)' >&2\nexec cat >/dev/null\n")
    program.chmod(0o755)
    async with playing(program=str(program)) as (_, aplay):
        assert await until(lambda: aplay.state.underruns == 1, 5.0)


async def test_a_player_program_that_is_not_installed_is_said():
    async with playing(program="/nowhere/aplay") as (_, aplay):
        await becomes(aplay, SpeakerState.NO_PROGRAM)
