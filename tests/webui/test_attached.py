"""Devices that are no ECG on the bed's page: their rows of waves, their panels, what is set of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

import webui
from daemon.words import say
from tests.webui._attached import cpap, oximeter, oxygen
from webui.assets import Assets, foreign

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

DRAWS = "d.link === 'live' && +d.rowsDrawn > 50"


@pytest_asyncio.fixture(loop_scope="session")
async def bedside(page: Page, site: str, feeder, until):
    """A tablet before a patient with everything attached."""
    feeder.others = (oximeter(), cpap(), oxygen())
    await page.goto(site)
    await until(page, DRAWS)
    return page


def value(page: Page, figure: str):
    return page.locator(f"#{figure} .value")


async def test_the_page_is_made_of_what_is_attached(bedside, feeder, findings) -> None:
    panels = bedside.locator(".panel:not([hidden])")
    assert await panels.evaluate_all("(all) => all.map((e) => e.dataset.panel)") == [
        "oximeter",
        "cpap",
        "oxygen",
    ]
    for figure, text in {
        "spo2": "97",
        "pulse-rate": "75",
        "perfusion-index": "4.2",
        "cpap-pressure": "9.6",
        "cpap-leak": "12",
        "cpap-set-pressure": "10.0",
        "cpap-minute-volume": "7.2",
        "cpap-ahi": "2.4",
        "o2-purity": "93.2",
        "o2-flow": "2.5",
        "o2-hours": "1204",
    }.items():
        await expect(value(bedside, figure)).to_have_text(text)
    said = bedside.locator("[data-panel=cpap] .said")
    await expect(said).to_have_text("AutoCPAP · mask on · humidity 3")
    assert await bedside.locator(".lane.row").evaluate_all("(all) => all.map((e) => e.dataset.quantity)") == [
        "pleth",
        "flow",
        "airway_pressure",
    ]
    flow = bedside.locator(".lane[data-quantity=flow]")
    await expect(flow).to_have_attribute("data-high", "60")
    await expect(flow.locator(".low")).to_have_text("−60")
    await expect(bedside.locator(".lane[data-quantity=airway_pressure] .high")).to_have_text("20")
    await expect(bedside.locator("#o2-pressure")).to_be_hidden()  # nobody says one
    assert await bedside.evaluate(findings) == []
    feeder.others = feeder.others[:1]
    await feeder.say()
    await expect(bedside.locator(".lane.row")).to_have_count(1, timeout=3000)
    await expect(bedside.locator("[data-panel=cpap]")).to_be_hidden()


async def test_a_phone_shows_all_of_it_too(phone, site, feeder, until, findings) -> None:
    feeder.others = (oximeter(), cpap(), oxygen())
    await phone.goto(site)
    await until(phone, DRAWS)
    for figure in ("spo2", "cpap-pressure", "o2-purity"):
        await expect(value(phone, figure)).to_be_in_viewport()
    await expect(phone.locator("#waves .lane")).to_have_count(1)  # one lead, that the others have their room
    assert await phone.evaluate(findings) == []


async def test_without_an_ecg_its_place_is_given_to_the_others(page, site, feeder, until) -> None:
    feeder.ecg, feeder.others = False, (oximeter(), cpap())
    await page.goto(site)
    await until(page, DRAWS + " && d.stalled === 'false'")
    await expect(page.locator("#waves")).to_be_hidden()
    await expect(page.locator("#heart-rate")).to_be_hidden()
    height = await page.locator("#rows").evaluate("(e) => e.getBoundingClientRect().height / innerHeight")
    assert height > 0.5
    feeder.ecg = True
    feeder.replug()
    await feeder.say()
    await expect(page.locator("#waves")).to_be_visible(timeout=3000)
    await expect(page.locator("#heart-rate .value")).to_have_text("75")


async def test_a_number_that_is_not_said_again_goes_after_three_seconds_and_says_why(bedside, feeder) -> None:
    feeder.others[0].silent = True
    await expect(bedside.locator("#spo2")).to_have_attribute("data-state", "blank", timeout=4500)
    await expect(value(bedside, "spo2")).to_have_text(say("tile.none"))
    await expect(bedside.locator("#spo2 .why")).to_have_text(say("why.old"))
    feeder.others[0].silent = False
    feeder.others[0].numbers["spo2"] = (None, "%")
    await feeder.say()
    await expect(bedside.locator("#spo2 .why")).to_have_text(say("why.not_given"), timeout=3000)
    await expect(value(bedside, "pulse-rate")).to_have_text("75")


async def test_a_row_says_why_nothing_is_drawn_in_it(bedside, feeder) -> None:
    row = bedside.locator(".lane[data-quantity=pleth]")
    await expect(row).to_have_attribute("data-empty", "false")
    feeder.others[0].link = "lost"
    await feeder.say()
    await expect(row).to_have_attribute("data-empty", "true", timeout=5000)
    await expect(row.locator(".trouble")).to_have_text(say("link.lost"))
    feeder.others[0].words["signal"] = "finger out"
    await feeder.say()
    await expect(row.locator(".trouble")).to_have_text(say("status.signal.finger_out"), timeout=3000)
    await expect(bedside.locator(".lane[data-quantity=flow]")).to_have_attribute("data-empty", "false")


async def test_what_a_device_says_is_wrong_stands_out(bedside, feeder) -> None:
    feeder.others[2].words["alarm_code"] = "E04"
    feeder.others[1].words["mask"] = "off"
    await feeder.say()
    said = bedside.locator("[data-panel=oxygen] .said")
    await expect(said).to_have_text("ALARM E04", timeout=3000)
    await expect(said).to_have_attribute("data-alarm", "true")
    await expect(bedside.locator("[data-panel=cpap] .said")).to_contain_text("MASK OFF")


async def test_an_alarm_of_a_device_is_worn_by_its_number_with_the_limit_beside_it(
    attended, ward, bed_box
) -> None:
    for _ in range(20):
        ward.reading("spo2", 86.0, "%")
        ward.run(1)
    async with attended(wait=False) as page:
        bed_box.others = (oximeter(),)
        bed_box.others[0].numbers["spo2"] = (86.0, "%")
        await bed_box.say()
        figure = page.locator("#spo2")
        await expect(figure).to_have_attribute("data-alarm", "medium", timeout=8000)
        await expect(figure).to_have_attribute("data-flash", "medium")
        await expect(figure.locator(".limits .low")).to_have_text("90")
        await expect(figure.locator(".limits .low")).to_have_attribute("data-broken", "true")
        await expect(figure.locator(".value")).to_have_text("86")
        await expect(page.locator("#pulse-rate")).to_have_attribute("data-alarm", "")


def setting(page: Page, name: str):
    return page.locator(f".settable[data-setting={name}]")


async def opened(page: Page) -> None:
    await page.click(".keys [aria-controls=sheet-devices]")


async def test_a_setting_takes_two_steps_and_stands_when_the_device_has_confirmed(bedside, feeder) -> None:
    feeder.answered.clear()
    await opened(bedside)
    pressure = setting(bedside, "target_pressure")
    await expect(pressure.locator("small")).to_have_text("4.0 cmH₂O to 20.0 cmH₂O, steps of 0.5")
    await expect(pressure.locator(".now")).to_have_text("now 10.0 cmH₂O")
    go = pressure.get_by_role("button", name=say("settable.set"))
    await expect(go).to_be_disabled()  # nothing is chosen yet
    await pressure.get_by_role("button", name="More: Target pressure").click()
    await expect(pressure.locator(".chosen")).to_have_text("10.5 cmH₂O")
    await go.press("Enter")
    await expect(pressure.locator(".confirm")).to_contain_text("Target pressure: set 10.5 cmH₂O?")
    assert feeder.acts == []
    await bedside.keyboard.press("Enter")  # the focus is on Confirm
    await expect(pressure.locator(".note")).to_have_text(say("settable.asked"))
    feeder.answered.set()
    await expect(pressure.locator(".note")).to_have_text("The device confirmed: Target pressure 10.5 cmH₂O.")
    (act,) = feeder.acts
    values = dict(act.values)
    assert values.pop("screen")
    assert (act.bed, act.verb, values) == (
        "1",
        "set_device",
        {"device": "CPAP-2301-9912", "name": "target_pressure", "value": "10.5"},
    )


async def test_a_refusal_is_told_in_the_words_of_the_device(bedside, feeder) -> None:
    feeder.refuse = "The device refused: not while the mask is off"
    await opened(bedside)
    humidity = setting(bedside, "humidity_level")
    await humidity.get_by_role("button", name="Less: Humidity level").click()
    await humidity.get_by_role("button", name=say("settable.set")).click()
    await humidity.get_by_role("button", name=say("settable.confirm")).click()
    await expect(humidity.locator(".note")).to_have_text(f"Not set. {feeder.refuse}")
    await expect(humidity.locator(".chosen")).to_have_text("3")


async def test_a_choice_can_be_taken_back_and_a_switch_has_two_values(bedside, feeder) -> None:
    await opened(bedside)
    night = setting(bedside, "night_mode")
    await expect(night.locator(".now")).to_have_text(say("settable.unknown"))
    await night.get_by_role("button", name="More: Night mode").click()
    await expect(night.locator(".chosen")).to_have_text("on")
    await night.get_by_role("button", name=say("settable.set")).click()
    await night.get_by_role("button", name=say("settable.cancel")).click()
    await expect(night.locator(".confirm")).to_be_hidden()
    await expect(night.locator(".chosen")).to_have_text("--")
    assert feeder.acts == []


async def test_a_device_that_takes_no_settings_says_so_and_one_that_is_away_takes_none(
    bedside, feeder, findings
) -> None:
    await opened(bedside)
    cards = bedside.locator("#sheet-devices .devices article")
    await expect(cards.nth(1)).to_contain_text(say("settable.read_only"))
    feeder.others[1].link = "lost"
    await feeder.say()
    pressure = setting(bedside, "target_pressure")
    await expect(pressure.locator(".note")).to_have_text(say("settable.away"), timeout=3000)
    await expect(pressure.get_by_role("button", name="More: Target pressure")).to_be_disabled()
    assert await bedside.evaluate(findings) == []


async def test_ranges_grow_at_once_shrink_late_and_fill_a_lane_without_a_unit(page, site) -> None:
    assets = Assets(Path(webui.__file__).parent / "static", foreign())
    await page.goto(f"{site}calibrate")
    ranges = await page.evaluate(
        """async (url) => {
          const { rangeOf } = await import(url);
          const flow = rangeOf("flow");
          const seen = [flow.range];
          flow.step(-20, 75);
          seen.push(flow.range);
          let seconds = 0;
          while (flow.range[1] > 60 && seconds < 60) { flow.step(-20, 40); seconds += 1; }
          const pressure = rangeOf("airway_pressure");
          pressure.step(4, 24);
          const free = rangeOf("pleth");
          free.step(100, 200);
          const [low, high] = free.range;
          const changed = free.step(102, 198);
          return { seen, seconds, pressure: pressure.range, fill: 100 / (high - low), changed };
        }""",
        assets.url("js/ranges.js"),
    )

    assert ranges["seen"] == [[-60, 60], [-90, 90]]
    assert 10 <= ranges["seconds"] <= 16
    assert ranges["pressure"] == [0, 30]
    assert ranges["fill"] > 0.75
    assert not ranges["changed"]
