"""All beds on one page: each its worst alarm with its words, its two keys, what it lacks; heard and flashing like at the bed."""

from __future__ import annotations

import time

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.control.messages import AlarmsSeen
from daemon.words import say
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

BEDS = ("1", "2")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two_beds(tmp_path_factory, feeder_of, config_for):
    """A box with two beds; the alarms of the first are those of a ward."""
    folder = tmp_path_factory.mktemp("beds")
    async with feeder_of(folder / "control.sock", BEDS) as box, serving(config_for(folder, BEDS)) as site:
        yield box, site.address


@pytest_asyncio.fixture(loop_scope="session")
async def beds(two_beds, ward, page: Page):
    """The page of all beds, the ward behind the first."""
    box, address = two_beds
    box.reset()
    box.heart_rate = ward.rate
    await box.attend(ward)
    await page.goto(address)
    await page.click("#time")
    await expect(card(page, "1").locator(".alarms")).to_have_attribute("data-state", "none", timeout=8000)
    return page


def card(page: Page, bed: str):
    return page.locator(f'.card[data-bed="{bed}"]')


async def test_the_worst_alarm_of_a_bed_stands_on_its_card_alone_and_is_heard(
    beds, ward, until, findings
) -> None:
    await until(beds, "d.sound === 'on'")
    ward.rhythm("VFL")
    first = card(beds, "1").locator(".alarm").first
    await expect(first.locator(".text")).to_have_text("VENT FIB", timeout=8000)
    await expect(first.locator(".mark")).to_have_text("***")
    await expect(first.locator(".help")).to_have_text(say("alarm.vent_fib.check"))
    await expect(first).to_have_attribute("data-flash", "high")
    await expect(card(beds, "1")).to_have_attribute("data-worst", "high")
    await expect(card(beds, "1").locator(".assertive")).to_contain_text("High priority: VENT FIB.")
    await until(beds, "d.sounding === 'high' && d.bursts === '1'", timeout_s=3)
    await expect(card(beds, "2").locator(".alarms")).to_have_attribute("data-state", "none")
    await expect(card(beds, "2")).to_have_attribute("data-worst", "")
    assert await beds.evaluate(findings) == []
    await beds.set_viewport_size({"width": 390, "height": 844})
    assert await beds.evaluate(findings) == []


async def test_the_keys_of_a_card_act_on_its_bed_and_reach_the_bed_page_within_a_second(
    beds, two_beds, ward, browser, until, shown
) -> None:
    box, address = two_beds
    ward.rate = box.heart_rate = 132.0
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    bedside = await context.new_page()
    await shown(bedside, f"{address}bed/1")
    chip = bedside.locator("#alarms .alarm").first
    await expect(chip).to_have_attribute("data-flash", "medium", timeout=8000)
    pressed = time.monotonic()
    await card(beds, "1").locator(".acknowledge").click()
    await expect(chip).to_have_attribute("data-phase", "acknowledged", timeout=1000)
    assert time.monotonic() - pressed < 1
    await until(beds, "d.sounding === ''", timeout_s=1)
    pause = card(beds, "1").locator(".audio-pause")
    await pause.focus()
    await beds.keyboard.press("Space")
    await expect(bedside.locator("#audio-pause .name")).to_have_text("AUDIO PAUSED", timeout=1000)
    await expect(pause).to_contain_text("AUDIO PAUSED 1:5")
    box_of = await card(beds, "1").locator(".alarm").bounding_box()
    assert box_of is not None
    assert box_of["width"] > 250  # what is paused leaves the alarm its room
    await expect(card(beds, "2").locator(".audio-pause")).to_have_attribute("aria-pressed", "false")
    assert [(act.bed, act.verb) for act in box.acts] == [("1", "acknowledge"), ("1", "audio_pause")]
    await context.close()


async def test_a_bed_whose_device_is_lost_says_so_and_one_without_alarms_is_not_quiet(
    beds, two_beds, until
) -> None:
    box, _ = two_beds
    box.link = "lost"
    box.heart_rate, box.why = None, "no_signal"
    for bed in BEDS:
        await expect(card(beds, bed).locator(".trouble")).to_contain_text("NO DATA ECG", timeout=3000)
        await expect(card(beds, bed).locator(".big")).to_have_text("--")
    box.quiet = False  # nothing is said of the second bed's alarms any more
    await expect(card(beds, "2").locator(".alarm .text")).to_have_text("ALARMS NOT UPDATING", timeout=6000)
    await until(beds, "d.sounding === 'high'", timeout_s=1)
    await card(beds, "2").locator(".acknowledge").click()
    await until(beds, "d.sounding === ''", timeout_s=1)
    assert box.acts == []
    box.quiet = True
    await expect(card(beds, "2").locator(".alarms")).to_have_attribute("data-state", "none", timeout=3000)


async def test_without_the_box_all_cards_are_covered_and_it_is_an_alarm(beds, two_beds, until) -> None:
    box, _ = two_beds
    await until(beds, "d.sound === 'on'")
    box.talking = False
    await until(beds, "d.link === 'silent' && d.sounding === 'high'", timeout_s=5)
    loss = beds.locator("#loss")
    await expect(loss).to_contain_text("NO CONNECTION")
    covered = await loss.evaluate("(e) => e.getBoundingClientRect().height / innerHeight")
    assert covered > 0.9
    await beds.keyboard.press("F1")
    await until(beds, "d.sounding === ''", timeout_s=1)
    box.talking = True
    await until(beds, "d.link === 'live'", timeout_s=4)


async def test_the_relay_tells_who_watches_all_beds_of_all_alarms_and_of_no_waves(two_beds) -> None:
    import aiohttp

    _, address = two_beds
    seen: set[str] = set()
    headers = {"Origin": address.rstrip("/")}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}live", headers=headers) as ws,
    ):
        while seen != set(BEDS):
            message = await ws.receive(timeout=4)
            assert message.type is aiohttp.WSMsgType.TEXT
            if '"type":"alarms"' in message.data:
                seen.add(AlarmsSeen.model_validate_json(message.data).bed)
