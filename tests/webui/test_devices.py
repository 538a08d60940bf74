"""The page of all devices, and what the page of all beds shows of them."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import expect

from daemon.words import say
from tests.webui._attached import cpap, oximeter, oxygen
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ward_of_two(tmp_path_factory, feeder_of, config_for):
    """A box with two beds; everything is at the first."""
    folder = tmp_path_factory.mktemp("devices")
    async with (
        feeder_of(folder / "control.sock", ("1", "2")) as box,
        serving(config_for(folder, ("1", "2"))) as site,
    ):
        yield box, site.address


@pytest_asyncio.fixture(loop_scope="session")
async def devices(ward_of_two, page, until):
    box, address = ward_of_two
    box.reset()
    dated = oximeter()
    dated.words["maintenance_due_date"] = "2026-03-01"
    box.others = (dated, cpap())
    await page.goto(f"{address}devices")
    await until(page, "d.devices === '4'")
    return page


def row(page, device):
    return page.locator(f'.one-device[data-device="{device}"]')


async def test_a_device_is_put_to_another_bed_in_two_steps(devices, ward_of_two, findings) -> None:
    box, _ = ward_of_two
    one = row(devices, "CPAP-2301-9912")
    await expect(one.locator(".facts")).to_have_text("VLP · CPAP-2301-9912 · /dev/ttyCPAP · firmware 1.2")
    await expect(one.locator(".link")).to_contain_text("Sending for")
    move = one.get_by_role("button", name=say("devices.move"))
    await move.press("Enter")
    await expect(one.locator(".ask")).to_contain_text("Put cpap (CPAP-2301-9912) from Bed 1 to Bed 2?")
    assert await devices.evaluate(findings) == []
    await one.get_by_role("button", name=say("settable.cancel")).click()
    assert box.acts == []
    await move.click()
    await one.get_by_role("button", name=say("settable.confirm")).click()
    await expect(devices.locator("#summary")).to_have_text("cpap belongs to Bed 2 now.")
    (act,) = box.acts
    assert (act.bed, act.verb) == ("1", "assign_device")
    assert {name: act.values[name] for name in ("device", "to")} == {"device": "CPAP-2301-9912", "to": "2"}
    box.others = box.others[:1]
    await box.say()
    await expect(one).to_have_count(0, timeout=3000)


async def test_the_day_of_the_next_maintenance_is_seen_and_set(devices, ward_of_two, findings) -> None:
    box, _ = ward_of_two
    one = row(devices, "OXI-1")
    day = one.get_by_label(say("setting.maintenance_due_date"))
    await expect(day).to_have_value("2026-03-01")
    await expect(
        row(devices, "CPAP-2301-9912").get_by_label(say("setting.maintenance_due_date"))
    ).to_have_value("")
    await day.fill("2027-01-15")
    await one.get_by_role("button", name=say("devices.due.save")).press("Enter")
    await expect(one.locator(".note")).to_have_text("Next maintenance on 2027-01-15.")
    (act,) = box.acts
    assert (act.bed, act.verb) == ("1", "set_device")
    wanted = {"device": "OXI-1", "name": "maintenance_due_date", "value": "2027-01-15"}
    assert {name: act.values[name] for name in wanted} == wanted
    assert await devices.evaluate(findings) == []


async def test_a_move_that_was_refused_is_told_with_its_reason(devices, ward_of_two, findings) -> None:
    box, _ = ward_of_two
    box.refuse = "There is no bed 2."
    one = row(devices, "OXI-1")
    await one.get_by_role("button", name=say("devices.move")).click()
    await one.get_by_role("button", name=say("settable.confirm")).click()
    await expect(one.locator(".note")).to_have_text("oximeter was not moved. There is no bed 2.")
    await devices.set_viewport_size({"width": 390, "height": 844})
    assert await devices.evaluate(findings) == []


async def test_a_silent_box_leaves_no_link_standing(devices, ward_of_two, until) -> None:
    box, _ = ward_of_two
    box.talking = False
    await until(devices, "d.link === 'silent'", timeout_s=5)
    await expect(row(devices, "OXI-1").locator(".link")).to_have_text(say("link.unknown"))
    await expect(row(devices, "OXI-1").get_by_role("button", name=say("devices.move"))).to_be_disabled()
    box.talking = True
    await until(devices, "d.link === 'live'", timeout_s=5)


async def test_the_card_of_a_bed_has_the_numbers_of_its_devices(ward_of_two, page, findings) -> None:
    box, address = ward_of_two
    box.reset()
    box.others = (oximeter(), cpap(), oxygen())
    await page.goto(address)
    card = page.locator('.card[data-bed="1"] .also')
    await expect(card.locator("li")).to_have_count(6, timeout=5000)
    await expect(card).to_contain_text("97 %")
    assert await card.locator("li").evaluate_all(
        "(all) => all.map((e) => [e.dataset.figure, e.querySelector('b').textContent])"
    ) == [
        ["spo2", "97 %"],
        ["pulse_rate", "75 bpm"],
        ["cpap_pressure", "9.6 cmH₂O"],
        ["cpap_leak", "12 L/min"],
        ["o2_purity", "93.2 %"],
        ["o2_flow", "2.5 L/min"],
    ]
    await expect(page.locator('.card[data-bed="2"] .also')).to_be_hidden()
    box.others[0].silent = True
    await expect(card.locator("[data-figure=spo2] b")).to_have_text(say("tile.none"), timeout=4500)
    assert await page.evaluate(findings) == []
