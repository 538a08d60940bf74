"""Kills of the real `vitald sound` and of its player program."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from daemon.model.alarms import Priority
from daemon.model.signals import FactState
from daemon.signals.link import SOUND, Loudspeaker
from daemon.signals.loudspeaker import boottime_ns
from daemon.signals.messages import Playing, Wanted
from tests.daemon.signals._device import until
from tests.daemon.signals._process import eventually, running

pytestmark = pytest.mark.slow


def test_a_killed_aplay_is_back_within_seconds(tmp_path):
    with running(tmp_path) as (process, device):
        process.well()
        killed = time.monotonic()
        os.kill(process.aplay()[0], signal.SIGKILL)
        answer = process.keep_saying(5, until=lambda a: device.first_sound(killed + 0.4), sound="high")
        assert device.first_sound(killed + 0.4)
        assert answer["speaker"]["restarts"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_takes_aplay_with_it(tmp_path, number):
    with running(tmp_path) as (process, _):
        process.well()
        (child,) = process.aplay()
        process.process.send_signal(number)
        assert process.process.wait(5) == (0 if number is signal.SIGTERM else -number)
        assert eventually(lambda: not Path(f"/proc/{child}").exists(), 3)
        assert process.socket.exists() is (number is signal.SIGKILL)


async def test_the_daemon_hears_that_all_is_well_and_that_the_sound_process_was_killed(tmp_path):
    with running(tmp_path) as (process, _):
        facts, ahead_s = [], [0]
        loudspeaker = Loudspeaker(process.socket, lambda: boottime_ns() + ahead_s[0] * 10**9, facts.append)
        task = asyncio.create_task(loudspeaker.run())

        def said(state, detail=""):
            loudspeaker.want(Wanted(sound=Priority.HIGH))
            return [f for f in facts if (f.source, f.state, f.detail) == (SOUND, state, detail)]

        assert await until(lambda: said(FactState.OK), 10)
        assert await until(lambda: said(FactState.OK) and loudspeaker.heard.playing is Playing.HIGH, 5)

        process.process.kill()
        process.process.wait()
        for _ in range(8):
            ahead_s[0] += 1
            assert len(facts) == 2 or said(FactState.FAILED, "silent")
            said(FactState.OK)
        assert said(FactState.FAILED, "silent")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
