"""When the clock is believed, and who hears of it when it is set or steps."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from benchmarks._box import Box
from daemon.model.signals import FactState
from daemon.store.reader import ask
from daemon.wallclock import (
    EARLIEST_NS,
    STEP_NS,
    Seen,
    WallClock,
    believed,
    kernel_is_synchronised,
    read,
    utc_offset_ns,
)

S = 10**9
NOW = EARLIEST_NS + 400 * 86_400 * S


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def battery(folder, started_from):
    (folder / "rtc0").mkdir(parents=True)
    (folder / "rtc0" / "hctosys").write_text(f"{int(started_from)}\n")
    return folder


def test_a_year_that_cannot_be_is_never_believed(run, tmp_path):
    rtc = battery(tmp_path / "rtc", started_from=True)
    assert not believed(0, True, run, rtc)
    assert not believed(EARLIEST_NS - 1, True, run, rtc)
    assert believed(EARLIEST_NS, True, run, rtc)


def test_where_nobody_keeps_the_time_the_clock_is_as_good_as_its_year(run, tmp_path):
    assert believed(NOW, False, run, tmp_path / "none")


@pytest.mark.parametrize("service", ["systemd/timesync", "chrony"])
def test_where_a_service_keeps_the_time_it_must_have_set_it(run, tmp_path, service):
    (run / service).mkdir(parents=True)
    assert not believed(NOW, False, run, battery(tmp_path / "rtc", started_from=False))
    assert believed(NOW, True, run, tmp_path / "none")
    assert believed(NOW, False, run, battery(tmp_path / "other", started_from=True))
    if service.startswith("systemd"):
        (run / service / "synchronized").touch()
        assert believed(NOW, False, run, tmp_path / "none")


@pytest.mark.parametrize(("said", "status", "kept"), [(0, 0, True), (5, 0x40, False), (-1, 0, False)])
def test_a_kernel_that_may_not_be_asked_does_not_say_that_the_clock_is_kept(monkeypatch, said, status, kept):
    """A sandbox forbids the question: then nothing was written, and nothing looks like well."""

    class Kernel:
        def adjtimex(self, timex):
            timex[40:44] = status.to_bytes(4, "little")
            return said

    monkeypatch.setattr("daemon.wallclock.ctypes.CDLL", lambda *_, **__: Kernel())
    assert kernel_is_synchronised() is kept


def test_the_offset_is_that_of_the_two_clocks():
    offsets = [utc_offset_ns() for _ in range(20)]
    assert max(offsets) - min(offsets) < STEP_NS
    assert abs(time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) - offsets[-1]) < STEP_NS
    assert abs(read().offset_ns - offsets[-1]) < STEP_NS


def test_who_listens_hears_of_the_first_setting_and_of_every_step_and_of_nothing_else():
    now = [Seen(5 * S, False)]
    changes, facts = [], []
    clock = WallClock(changes.append, facts.append, lambda: 7, lambda: now[0])
    for offset_ns, is_set in (
        (5 * S + STEP_NS // 2, False),  # noise
        (NOW, True),  # set for the first time
        (NOW + STEP_NS, True),  # no more than noise
        (NOW - 3600 * S, True),  # somebody sets it back
        (NOW - 3600 * S, False),  # its service takes its word back
    ):
        now[0] = Seen(offset_ns, is_set)
        clock.step()

    assert changes == [Seen(NOW, True), Seen(NOW - 3600 * S, True), Seen(NOW - 3600 * S, False)]
    assert [(fact.source, fact.state) for fact in facts] == [
        ("clock", FactState.OK),
        ("clock", FactState.FAILED),
    ]
    assert clock.utc()[1] is False


async def test_a_box_that_wakes_without_the_time_says_so_at_once():
    facts = []
    clock = WallClock(lambda _: None, facts.append, lambda: 7, lambda: Seen(0, False))
    task = asyncio.create_task(clock.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [fact.state for fact in facts] == [FactState.FAILED]


LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.slow
async def test_a_daemon_that_wakes_in_1970_writes_down_what_the_time_is_once_it_is_set(tmp_path):
    """The process itself, its wall time faked; then somebody sets it, and sets it back by an hour."""
    if LIBRARY is None:
        if os.environ.get("CI") == "true":
            pytest.fail("libfaketime is not installed")
        pytest.skip("libfaketime is not installed")
    fake = tmp_path / "time"
    faked = {
        "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(fake), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_XRESET": "0",
    }  # fmt: skip
    box = Box(tmp_path)

    def offsets():
        try:
            return ask(
                box.database,
                lambda r: r.db.execute(
                    "SELECT utc_offset_ns, state FROM clock_offsets ORDER BY id"
                ).fetchall(),
            )
        except Exception:  # noqa: BLE001 - there is no store yet
            return []

    async def until(count):
        async with asyncio.timeout(40):
            while len(offsets()) < count:
                await asyncio.sleep(0.1)

    fake.write_text("@1970-01-02 00:00:00\n")
    try:
        box._start("daemon", "run", "--config", str(box.config), environment=faked)
        await until(1)
        fake.write_text("+0\n")
        await until(2)
        fake.write_text("-3600\n")
        await until(3)
    finally:
        await asyncio.to_thread(box.__exit__)

    (woke, first), (true, second), (back, third) = offsets()
    assert [first, second, third] == ["unset", "set", "set"]
    assert woke + time.clock_gettime_ns(time.CLOCK_BOOTTIME) < 3 * 86_400 * S
    assert abs(true - utc_offset_ns()) < 50_000_000
    assert abs(back - true + 3600 * S) < 50_000_000
