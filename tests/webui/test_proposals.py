"""The card of proposed settings before the real control server and the real box.db: a person accepts or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.control.server import Server
from daemon.control.wishes import WishRoutes
from daemon.wishes import Reply
from daemon.words import say
from tests.daemon._wishing import CPAP, WishingBox
from tests.webui._signed import Roles
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class House:
    address: str
    box: WishingBox


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path, config_for) -> AsyncIterator[House]:
    async with WishingBox(tmp_path) as box, serving(config_for(tmp_path)) as site:
        ready = asyncio.Event()
        server = Server(box.hub, lambda _act: None, more=[WishRoutes(box.wishes), Roles()], known=Roles())
        task = asyncio.create_task(server.run(tmp_path / "control.sock", ready.set))
        ticks = asyncio.create_task(time_goes_on(box))
        await ready.wait()
        yield House(site.address, box)
        for one in (task, ticks):
            one.cancel()
        await asyncio.gather(task, ticks, return_exceptions=True)


async def time_goes_on(box: WishingBox) -> None:
    while True:
        box.tick()
        await asyncio.sleep(0.25)


async def test_a_person_accepts_one_and_refuses_the_other(house: House, page: Page, until, findings) -> None:
    box = house.box
    box.arrive(CPAP)
    box.devices.can[CPAP] = {"target_pressure_cm_h2o", "humidity_level"}
    box.devices.is_set[CPAP] = {"target_pressure_cm_h2o": 9.0}
    await box.wish(
        1, {"target_pressure": 12, "humidity_level": 4, "alerts": {"leak_threshold": 30}}, origin="<b>ward"
    )
    await page.goto(f"{house.address}bed/1/proposals")
    await until(page, "d.proposals === '2'")
    name = say("setting.target_pressure_cm_h2o")
    rows = page.locator("#proposals li")
    await expect(rows.nth(0)).to_contain_text(
        say("proposals.change_from", name=name, value="12", present="9")
    )
    await expect(rows.nth(0)).to_contain_text("<b>ward")
    assert await page.evaluate(findings) == []
    assert box.devices.told == []

    await rows.nth(0).get_by_role("button", name=say("proposals.accept")).click()
    await expect(page.locator("#proposals .said")).to_have_text(say("proposals.done.applied"))
    await expect(rows).to_have_count(1)
    await rows.nth(0).get_by_role("button", name=say("proposals.refuse")).click()
    await expect(page.locator("#proposals .said")).to_have_text(say("proposals.done.refused"))
    await until(page, "d.proposals === '0'")
    await expect(page.locator("#none")).to_have_text(say("proposals.none"))

    assert box.devices.told == [(CPAP, "target_pressure_cm_h2o", 12)]
    acts = {(act, about) for act, actor, about in await box.audited() if actor == "Nora Clinician"}
    assert acts == {
        ("wish_accepted", "target_pressure_cm_h2o"),
        ("wish_applied", "target_pressure_cm_h2o"),
        ("wish_refused", "humidity_level"),
    }


async def test_a_device_that_does_not_do_it_says_why(house: House, page: Page, until) -> None:
    house.box.arrive(CPAP)
    house.box.devices.can[CPAP] = {"humidity_level"}
    house.box.devices.answer = Reply(applied=False, reason="its lid is open")
    await house.box.wish(1, {"humidity_level": 4})
    await page.goto(f"{house.address}bed/1/proposals")
    await until(page, "d.proposals === '1'")
    await page.get_by_role("button", name=say("proposals.accept")).click()

    await expect(page.locator("#proposals .said")).to_have_text(
        say("proposals.failed", reason="its lid is open")
    )


async def test_pages_of_other_beds_and_nonsense_are_turned_down(house: House, page: Page) -> None:
    for path, status in (("bed/9/proposals", 404), ("api/proposals?bed=9", 404)):
        assert (await page.request.get(house.address + path)).status == status
    origin = {"Origin": house.address.rstrip("/")}
    reply = await page.request.post(f"{house.address}api/proposals", data={"id": "x"}, headers=origin)
    assert reply.status == 400
