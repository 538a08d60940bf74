"""From a heart that stops to the alarm on the socket, over a real serial line, and through the death of the daemon.

The times asserted here are safety deadlines, measured by the clock of the machine from the moment of the fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from benchmarks._box import Box
from daemon.control.client import ControlClient, Said
from daemon.control.messages import Act, AlarmsSeen, AlarmState, State
from daemon.store.reader import ask

pytestmark = pytest.mark.slow


@pytest.fixture
def box(tmp_path):
    running = Box(tmp_path)
    running.start_simulators()
    running.start_daemon()
    yield running
    running.__exit__()


class Screen:
    """What a screen hears on the socket."""

    def __init__(self, box: Box) -> None:
        self._socket = box.folder / "run" / "control.sock"

    async def until(self, heard: Callable[[object], bool], within_s: float) -> float:
        """Seconds until a message comes that is wanted; TimeoutError after `within_s`."""
        began = time.monotonic()
        async with asyncio.timeout(within_s), ControlClient(self._socket) as client:
            async for event in client.live():
                if isinstance(event, Said) and heard(event.message):
                    return time.monotonic() - began
        raise AssertionError

    async def act(self, number: int, verb: str, **values: str):
        act = Act(id=f"act-{number:08}", bed="1", verb=verb, values={"screen": "bed 1", **values})
        async with ControlClient(self._socket) as client:
            return await client.act(act)


def beats(message) -> bool:
    """A heart rate is shown: alarms are armed."""
    if not isinstance(message, State):
        return False
    rate = message.beds[0].metrics.get("heart_rate")
    return rate is not None and rate.value is not None and 60 < rate.value < 80


def asystole(phase: str) -> Callable[[object], bool]:
    def heard(message) -> bool:
        return isinstance(message, AlarmsSeen) and any(of(message, phase))

    return heard


def of(message: AlarmsSeen, phase: str) -> list[AlarmState]:
    rows = {"asystole", "flat_ecg"}
    return [a for a in message.picture.alarms if a.row in rows and a.phase == phase]


def log_of(box):
    return ask(box.database, lambda r: r.events(r.boots()[-1].boot, 0, 2**62, kinds=["alarm"]))


async def saved(box, kind, within_s=5.0):
    async with asyncio.timeout(within_s):
        while kind not in {entry.body["kind"] for entry in log_of(box)}:
            await asyncio.sleep(0.05)


async def test_asystole_is_an_alarm_can_be_acknowledged_and_outlives_the_daemon(box):
    screen = Screen(box)
    await screen.until(beats, 25)
    box.steer("ecg rhythm asystole")
    shown_s = await screen.until(asystole("active"), 15)

    box.kill("daemon")
    box.start_daemon()
    again_s = await screen.until(asystole("active"), 10)

    done = await screen.act(1, "acknowledge")
    told_s = await screen.until(asystole("acknowledged"), 5)
    refused = await screen.act(2, "limits", **{"hr_low.below": "500"})
    moved = await screen.act(3, "limits", **{"hr_low.below": "55"})
    await saved(
        box, "limits_set"
    )  # done at once, on the disk a moment later: what is saved must outlive the kill

    box.kill("daemon")
    box.start_daemon()
    kept_s = await screen.until(
        lambda m: asystole("acknowledged")(m) and "hr_low" in m.picture.differing,  # type: ignore[attr-defined]
        10,
    )

    assert shown_s < 10
    assert again_s < 5
    assert told_s < 1
    assert kept_s < 5
    assert (done.acted, done.error) == (True, "")
    assert (refused.acted, refused.error) == (False, "Choose 16 to 120 bpm.")
    assert moved.acted

    box.steer("ecg rhythm sinus")
    await screen.until(beats, 25)
    assert box.stop("daemon") == 0
    log = log_of(box)
    one = [e.body for e in log if e.body["row"] in {"asystole", "flat_ecg"}]
    kinds = [body["kind"] for body in one]
    assert len({body["occurrence"] for body in one if body["kind"] != "near_miss"}) == 1
    assert kinds[0] in {
        "began",
        "resumed",
    }  # the kill may come before the first row is on the disk, and no screen knows
    assert kinds.count("resumed") == 2
    [acknowledged] = [body for body in one if body["kind"] == "acknowledged"]
    assert (acknowledged["actor"][:9], acknowledged["screen"]) == ("console (", "bed 1")
    assert [e.body["values"]["new"] for e in log if e.body["kind"] == "limits_set"] == [55.0]
    assert [e.body["kind"] for e in log].count("refused") == 1
