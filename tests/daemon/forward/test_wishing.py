"""The way down within the forwarder: each destination for itself, nothing told twice, nothing while a person keeps it shut."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiohttp import web

from daemon.control.firmware import FirmwareRoutes, FirmwareTold
from daemon.control.wishes import WishRoutes, WishTold
from daemon.forward.destinations import DONE
from daemon.forward.wishing import Wishing
from tests.daemon.forward.kit import AGAIN
from tests.daemon.forward.running import until

CPAP = "CPAP-2301-9912"


class Cloud:
    """A destination from which wishes come; `reports` are those that it has taken."""

    settings_of = {CPAP: "cpap"}

    def __init__(self, ask=lambda: DONE, takes=lambda: DONE):
        self.ask, self.takes = ask, takes
        self.asked, self.reports = 0, []

    async def ask_settings(self):
        self.asked += 1
        return self.ask()

    async def report_settings(self, device, report):
        outcome = self.takes()
        if outcome is DONE:
            self.reports.append((device, report.version, dict(report.pending)))
        return outcome


class Daemon:
    """Hears wishes; answers that they wait, until `applied`."""

    def __init__(self):
        self.heard, self.applied = [], False

    async def hear(self, wished):
        self.heard.append((wished.origin, wished.version))
        pending = {} if self.applied else {"target_pressure": "waits"}
        return WishTold(version=wished.version, hash="h", pending=pending)


@pytest.fixture
def quick(monkeypatch):
    for name in ("EVERY_S", "ASKED_EVERY_S", "SOON_S"):
        monkeypatch.setattr(f"daemon.forward.wishing.{name}", 0.02)


@asynccontextmanager
async def wishing(tmp_path, daemon, more=(), **clouds):
    """The wishing of these destinations before that daemon; gives it and their standings."""
    standings = {name: SimpleNamespace(paused_by="", parked="") for name in clouds}
    senders = {
        name: SimpleNamespace(destination=cloud, delivery=SimpleNamespace(standing=standings[name]))
        for name, cloud in clouds.items()
    }
    app = web.Application()
    for routes in (WishRoutes(daemon), *more):
        routes.add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    socket = tmp_path / "control.sock"
    made = Wishing(
        socket, SimpleNamespace(wanted=dict.fromkeys(clouds), senders=senders), tmp_path / "firmware"
    )
    task = asyncio.create_task(made.run())
    try:
        await web.UnixSite(runner, str(socket)).start()
        yield made, standings
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


async def test_a_cloud_is_told_when_it_is_another_thing_and_only_then(quick, tmp_path):
    daemon, ward = Daemon(), Cloud()
    async with wishing(tmp_path, daemon, ward=ward) as (made, _):
        made.heard("ward")(CPAP, 4, {"target_pressure": 12})
        await until(lambda: len(daemon.heard) >= 5)
        assert ward.reports == [(CPAP, 4, {"target_pressure": "waits"})]
        made.heard("ward")(CPAP, 3, {"target_pressure": 9})  # older: it is not even handed in
        daemon.applied = True
        await until(lambda: len(ward.reports) == 2)

    assert ward.reports[1] == (CPAP, 4, {})
    assert set(daemon.heard) == {("ward", 4)}


async def test_one_that_breaks_or_hangs_costs_the_others_nothing(quick, tmp_path):
    hanging = Cloud()
    hanging.ask_settings = asyncio.Event().wait

    def broken():
        raise RuntimeError("a bug")

    bad, ward = Cloud(ask=broken), Cloud()
    async with wishing(tmp_path, Daemon(), bad=bad, hanging=hanging, ward=ward) as (made, _):
        for name in ("bad", "ward"):
            made.heard(name)(CPAP, 1, {"humidity_level": 2})
        await until(lambda: ward.reports and bad.asked >= 3)

    assert bad.reports == []


async def test_a_report_that_is_not_taken_is_said_again(quick, tmp_path):
    ward = Cloud(takes=lambda: AGAIN)
    daemon = Daemon()
    async with wishing(tmp_path, daemon, ward=ward) as (made, _):
        made.heard("ward")(CPAP, 1, {"humidity_level": 2})
        await until(lambda: len(daemon.heard) >= 3)
        ward.takes = lambda: DONE
        await until(lambda: ward.reports)

    assert len(ward.reports) == 1


async def test_who_is_paused_or_parked_is_not_asked(quick, tmp_path):
    paused, parked = Cloud(), Cloud()
    async with wishing(tmp_path, Daemon(), paused=paused, parked=parked) as (_, standings):
        await until(lambda: paused.asked and parked.asked)
        standings["paused"].paused_by = "nurse"
        standings["parked"].parked = "the password"
        await asyncio.sleep(0.1)
        before = paused.asked, parked.asked
        await asyncio.sleep(0.2)
        assert (paused.asked, parked.asked) == before


async def test_a_daemon_that_is_away_hears_of_it_when_it_is_back(quick, tmp_path):
    ward = Cloud()
    made = Wishing(
        tmp_path / "nobody.sock",
        SimpleNamespace(
            wanted={"ward": None},
            senders={
                "ward": SimpleNamespace(
                    destination=ward,
                    delivery=SimpleNamespace(standing=SimpleNamespace(paused_by="", parked="")),
                )
            },
        ),
        tmp_path / "firmware",
    )
    made.heard("ward")(CPAP, 1, {"humidity_level": 2})
    task = asyncio.create_task(made.run())
    await until(lambda: ward.asked >= 3)
    daemon, app = Daemon(), web.Application()
    WishRoutes(daemon).add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "nobody.sock")).start()
    await until(lambda: ward.reports)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await runner.cleanup()

    assert daemon.heard[0] == ("ward", 1)


class Firmwares:
    """Hears of new firmware; says what `state` is."""

    def __init__(self):
        self.heard, self.state = [], "offered"

    async def hear(self, wished):
        self.heard.append(wished)
        told = {
            name: getattr(wished, name) for name in ("origin", "device", "job", "version", "size", "sha256")
        }
        more = {"bed": "1", "running": "1.0", "percent": 0, "reason": "", "since_ms": 0, "decided_by": ""}
        return FirmwareTold(**told, **more, state=self.state)


async def test_firmware_beside_settings_is_a_matter_of_its_own_and_is_reported_with_them(quick, tmp_path):
    ward, daemon, firmwares = Cloud(), Daemon(), Firmwares()
    reports = []

    async def report(_device, told):
        reports.append(told)
        return DONE

    ward.report_settings = report
    wish = {
        "job": "j1",
        "version": "2.0",
        "url": "http://127.0.0.1:1/x",
        "size": 10,
        "sha256": "ab" * 32,
    }
    async with wishing(tmp_path, daemon, ward=ward, more=[FirmwareRoutes(firmwares)]) as (made, _):
        made.heard("ward")(CPAP, 4, {"target_pressure": 9, "firmware": wish})
        await until(lambda: reports and reports[-1].firmware is not None)
        assert (reports[-1].firmware.job, reports[-1].firmware.state) == ("j1", "offered")
        assert reports[-1].pending == {"target_pressure": "waits"}
        assert "firmware" not in reports[-1].as_reported()
        assert reports[-1].as_reported()["vitald"]["firmware"]["state"] == "offered"
        firmwares.state = "done"
        await until(lambda: reports[-1].firmware.state == "done")
        assert reports[-1].as_reported()["firmware"] == wish, "a shadow has no difference any more"
        made.heard("ward")(CPAP, 5, {"target_pressure": 9})
        await until(lambda: firmwares.heard[-1].job == "")
