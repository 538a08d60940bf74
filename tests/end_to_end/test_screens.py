"""A bed whose last screen went says so by itself, and says so no more when one is back: over the daemon's own socket."""

from __future__ import annotations

import asyncio
import time

import pytest

from benchmarks._box import Box
from daemon.control.client import ControlClient, Said
from daemon.control.messages import AlarmsSeen, ScreensSeen, ScreenState

pytestmark = pytest.mark.slow

ONE = ScreensSeen(screens=(ScreenState(bed="1", visible=True, draws=True, sound="on"),))


@pytest.fixture
def box(tmp_path):
    running = Box(tmp_path)
    running.start_simulators()
    running.start_daemon()
    yield running
    running.__exit__()


async def until(client: ControlClient, *, lost: bool, within_s: float) -> float:
    """Seconds until SCREEN LOST is there, or is not, of a heart that is seen."""
    began = time.monotonic()
    async with asyncio.timeout(within_s):
        async for event in client.live():
            if isinstance(event, Said) and isinstance(event.message, AlarmsSeen):
                picture = event.message.picture
                rows = {alarm.row for alarm in picture.alarms}
                if ("screen_lost" in rows) == lost and "no_heart_rate" not in picture.unarmed:
                    return time.monotonic() - began
    raise AssertionError


async def test_a_screen_that_went_is_an_alarm_after_15_s_until_one_is_back(box):
    async with ControlClient(box.folder / "run" / "control.sock") as client:
        assert await until(client, lost=False, within_s=40) >= 0
        await client.screens(ONE)
        lost_s = await until(client, lost=True, within_s=25)
        await client.screens(ONE)
        back_s = await until(client, lost=False, within_s=5)

    assert 14 < lost_s < 20
    assert back_s < 3
