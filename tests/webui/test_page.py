"""What a nurse sees, in a real browser, in front of a real web process."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from daemon.control.messages import FactSeen, QualityState
from daemon.words import say
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


def off(*electrodes: str) -> QualityState:
    return QualityState(grade="off", trouble="electrode_off", electrodes=electrodes)


async def test_waves_move_and_the_heart_rate_is_shown(live: Page, until) -> None:
    await expect(live.locator("#heart-rate .value")).to_have_text("75")
    await expect(live.locator("#heart-rate .source")).to_have_text("lead II")
    await expect(live.locator("#rr-interval .value")).to_have_text("800")
    await expect(live.locator("#caption")).to_have_text("25 mm/s · 10 mm/mV · 0.5–40 Hz · notch 50 Hz")
    await expect(live.locator("#device-chips")).to_contain_text("Sending")
    await expect(live.locator("#line")).to_have_text(say("page.quiet"))
    assert await live.locator(".lane").count() == 13
    drawn = int(await live.evaluate("document.documentElement.dataset.samplesDrawn"))
    await until(live, f"+d.samplesDrawn > {drawn + 6000}")


async def test_a_simulated_patient_wears_demo_and_a_real_one_does_not(live: Page, feeder) -> None:
    await expect(live.locator("#waves .watermark")).to_be_visible()
    await expect(live.locator(".badge.demo")).to_be_visible()
    feeder.demo = False
    await feeder.say()
    await expect(live.locator("#waves .watermark")).to_be_hidden()
    await expect(live.locator(".badge.demo")).to_be_hidden()


async def test_an_absent_number_is_blank_with_its_reason(live: Page, feeder) -> None:
    feeder.heart_rate, feeder.why = None, "learning"
    await feeder.say()
    tile = live.locator("#heart-rate")
    await expect(tile).to_have_attribute("data-state", "blank")
    await expect(tile.locator(".value")).to_have_text("--")
    await expect(tile.locator(".why")).to_have_text("Learning")
    await expect(live.locator("#line")).to_have_text(say("page.quiet"))


async def test_a_good_signal_without_beats_is_told_first(live: Page, feeder) -> None:
    feeder.heart_rate, feeder.why = None, "no_beats"
    feeder.quality = {**feeder.quality, "V4": off("V4")}
    await feeder.say()
    first = live.locator("#line .message").first
    await expect(first).to_contain_text("NO BEATS FOUND")
    await expect(first).to_contain_text("Look at the patient.")


async def test_three_digits_fit_their_tile(live: Page, phone: Page, site: str, feeder, shown) -> None:
    feeder.heart_rate = 288.0
    await shown(phone, site)
    for page in (live, phone):
        value = page.locator("#heart-rate .value")
        await expect(value).to_have_text("288")
        assert await value.evaluate("(e) => e.scrollWidth <= e.clientWidth")


async def test_an_electrode_that_is_off_leaves_its_lane_empty_and_says_so(live: Page, feeder) -> None:
    feeder.off = frozenset({"V4"})
    feeder.quality = {**feeder.quality, "V4": off("V4")}
    await feeder.say()
    lane = live.locator('.lane[data-lead="V4"]')
    await expect(lane.locator(".trouble")).to_have_text("ELECTRODE OFF V4")
    await expect(lane).to_have_attribute("data-empty", "true")
    await expect(live.locator("#line")).to_contain_text("ELECTRODE OFF V4")
    await expect(live.locator("#line")).to_contain_text("Press on or replace V4.")
    await expect(live.locator("#spoken")).to_contain_text("ELECTRODE OFF V4")


async def test_one_electrode_that_takes_every_lead_with_it_is_named(live: Page, feeder) -> None:
    feeder.quality = dict.fromkeys(feeder.leads, off("RA"))
    await feeder.say()
    await expect(live.locator("#line")).to_have_text("ELECTRODE OFF RAPress on or replace RA.")
    feeder.quality = dict.fromkeys(feeder.leads, off("RA", "LA", "LL", "V1"))
    await feeder.say()
    await expect(live.locator("#line")).to_contain_text("ECG LEADS OFF")


async def test_noise_in_all_leads_is_one_short_message(live: Page, feeder) -> None:
    feeder.quality = dict.fromkeys(feeder.leads, QualityState(grade="poor", trouble="muscle"))
    await feeder.say()
    await expect(live.locator("#line")).to_contain_text("NOISY ECG ALL LEADS")
    await expect(live.locator('.lane[data-lead="V1"] .trouble')).to_have_text("MUSCLE NOISE")


async def test_only_facts_of_the_box_and_of_this_bed_are_shown(live: Page, feeder) -> None:
    seen = {"state": "failed", "since_ns": 0}
    feeder.facts = (
        FactSeen(source="analysis", bed="2", **seen),
        FactSeen(source="store", **seen),
        FactSeen(source="acquisition_failed", bed="1", **seen),
    )
    await feeder.say()
    await expect(live.locator("#line .message")).to_have_count(2)
    await expect(live.locator("#line")).to_contain_text("RECORDING STOPPED")
    await expect(live.locator("#line")).to_contain_text("DEVICES STOPPED")


async def test_no_samples_stop_the_pen_and_say_no_signal_and_waves_come_back(
    live: Page, feeder, until
) -> None:
    feeder.flowing, feeder.link = False, "lost"
    await until(live, "d.stalled === 'true'", timeout_s=3)
    await expect(live.locator('.lane[data-lead="I"] .trouble')).to_have_text("NO SIGNAL")
    await expect(live.locator("#line")).to_contain_text("NO DATA ECG")
    feeder.replug()
    feeder.flowing, feeder.link = True, "streaming"
    await until(live, f"d.stalled === 'false' && d.connection === '{feeder.connection}'", timeout_s=3)


async def test_names_and_calibration_bars_stand_beside_the_waves_and_never_over_them(
    live: Page, phone: Page, site: str, shown
) -> None:
    """The gutter of each lane holds them; the sweep begins right of it."""
    await shown(phone, site)
    for page in (live, phone):
        right = await page.evaluate(
            """() => {
              const gutter = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--gutter"));
              return [...document.querySelectorAll(".lane")].map((lane) =>
                lane.getBoundingClientRect().left + gutter - 10 - lane.querySelector(".name").getBoundingClientRect().right);
            }"""
        )
        assert min(right) >= 0


async def test_beats_are_marked_once_over_the_rhythm_strip(live: Page, until) -> None:
    """Bright pixels at the very top of the lanes of lead II: in the strip only."""
    await until(live, "+d.lastSample > 1000")
    bright = await live.evaluate(
        """() => [...document.querySelectorAll('.lane[data-lead="II"]')].map((lane) => {
          const canvas = document.querySelector("#waves canvas");
          const y = parseFloat(lane.style.top) + 3;
          const { data } = canvas.getContext("2d").getImageData(0, Math.round(y), canvas.width, 1);
          return data.filter((value, i) => i % 4 === 2 && value > 200).length;
        })"""
    )
    assert bright[0] == 0
    assert bright[1] > 0


async def test_a_board_with_one_lead_shows_one_lane(page: Page, site: str, feeder, until) -> None:
    feeder.leads = ("II",)
    await page.goto(site)
    await until(page, "d.link === 'live' && d.stalled === 'false' && +d.samplesDrawn > 200")
    await expect(page.locator(".lane")).to_have_count(1)


async def test_a_phone_shows_waves_and_numbers_without_scrolling(phone: Page, site: str, shown) -> None:
    await shown(phone, site)
    assert await phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await phone.evaluate("document.documentElement.scrollHeight <= innerHeight")
    await expect(phone.locator("#line")).to_be_hidden()
    for sheet in ("display", "filters", "devices"):
        await phone.tap(f"[aria-controls=sheet-{sheet}]")
        await expect(phone.locator(f"#sheet-{sheet}")).to_be_visible()
        await expect(phone.locator("#heart-rate .value")).to_be_in_viewport(ratio=1)
        covered = """(e) => { const box = e.getBoundingClientRect();
          return !e.closest('.tile').contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"""
        assert not await phone.locator("#heart-rate .value").evaluate(covered)


async def test_a_phone_on_its_side_keeps_the_heart_rate(phone: Page, site: str, shown) -> None:
    await phone.set_viewport_size({"width": 844, "height": 390})
    await shown(phone, site)
    await expect(phone.locator("#heart-rate .value")).to_be_in_viewport(ratio=1)
    await expect(phone.locator("#rr-interval .value")).to_be_in_viewport(ratio=1)
    assert (await phone.locator("#waves").bounding_box())["height"] > 180


async def test_several_beds_are_listed_and_each_has_its_page(
    page: Page, tmp_path, feeder_of, config_for, until
) -> None:
    beds = ("1", "2")
    async with feeder_of(tmp_path / "control.sock", beds), serving(config_for(tmp_path, beds)) as served:
        await page.goto(served.address)
        await expect(page.locator('.card[data-bed="2"] .value')).to_have_text("75")
        await page.click('.card[data-bed="2"]')
        await until(page, "d.link === 'live' && d.stalled === 'false'")
        await expect(page.locator("h1")).to_have_text("Bed 2")
        await page.click("#uncalibrated")
        await page.get_by_text("Back").click()
        await expect(page.locator("h1")).to_have_text("Bed 2")
