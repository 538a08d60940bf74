"""The alarm line as a nurse sees it: engine, hub and web process are real, only the heart is made up."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from daemon.alarms import conditions
from daemon.alarms.limits import keys_of
from daemon.alarms.table import ROWS
from daemon.control.messages import FactSeen
from daemon.model.alarms import About
from daemon.model.signals import FactState
from daemon.words import say, table
from webui.app import serving
from webui.pages import alarms

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_tiles_and_words_know_the_alarm_table() -> None:
    named = {row for rows in alarms.ROWS.values() for row in rows}
    keys = {key for row in ROWS for key in keys_of(row)}

    assert named <= set(ROWS)
    assert all(
        one[1] in keys_of(one[0]) for pair in alarms.LIMITS.values() for one in pair if one is not None
    )
    assert {f"limit.{key}" for key in keys} - set(table()) == set()
    assert {row for row in ROWS if f"alarm.{row}" not in table()} == set()
    assert set(alarms.TECHNICAL) == {name for name, row in ROWS.items() if row.about is About.TECHNICAL}


async def test_every_fact_that_has_an_alarm_is_said_by_it_alone() -> None:
    said = {row for rows in alarms.SPEAKS_FOR.values() for row in rows}
    failed = {n: r.condition for n, r in ROWS.items() if isinstance(r.condition, conditions.Failed)}

    assert said <= set(ROWS)
    assert {name for name, c in failed.items() if name not in alarms.SPEAKS_FOR[f"fact.{c.source}"]} == set()


def chips(page: Page):
    return page.locator("#alarms .alarm")


async def test_without_an_alarm_the_line_is_quiet_and_no_tile_is_lit(attended) -> None:
    async with attended() as page:
        await expect(page.locator("#alarms")).to_have_attribute("data-state", "none")
        await expect(page.locator("#alarms .list")).to_have_text("No alarms")
        await expect(page.locator("#heart-rate")).to_have_attribute("data-alarm", "")
        await expect(page.locator("#heart-rate .limits")).to_have_text("50–120")  # noqa: RUF001
        assert "no alarms" not in say("page.quiet")


async def test_a_box_that_says_nothing_of_alarms_is_not_taken_for_a_quiet_patient(
    page: Page, tmp_path, feeder_of, config_for, shown, until
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)) as box:
        box.quiet = False
        async with serving(config_for(tmp_path)) as served:
            await shown(page, served.address)
            await expect(page.locator("#alarms")).to_have_attribute("data-state", "unknown")
            await expect(page.locator("#alarms .list")).to_have_text("Alarms not known")
            await expect(chips(page).locator(".text")).to_have_text("ALARMS NOT UPDATING", timeout=7000)
            await until(page, "d.sounding === 'high'")
            box.quiet = True
            await expect(page.locator("#alarms")).to_have_attribute("data-state", "none", timeout=3000)


async def test_a_low_alarm_stands_steadily(attended, ward) -> None:
    ward.fact("clock")
    async with attended() as page:
        first = chips(page).first
        await expect(first).to_have_attribute("data-priority", "low")
        await expect(first.locator(".mark")).to_have_text("!")
        await expect(first.locator(".text")).to_have_text("TIME UNSURE")
        assert await first.get_attribute("data-flash") in {None, ""}


async def test_a_medium_alarm_has_its_value_its_limit_and_since_when(attended, ward) -> None:
    ward.rate = 132.0
    async with attended() as page:
        first = chips(page).first
        await expect(first).to_have_attribute("data-flash", "medium")
        await expect(first.locator(".mark")).to_have_text("**")
        await expect(first.locator(".text")).to_have_text("HR HIGH")
        await expect(first.locator(".value")).to_have_text("132 bpm (120)")
        await expect(first.locator(".help")).to_have_text(say("alarm.hr_high.check"))
        minutes, seconds = (await first.locator(".since").inner_text()).removeprefix("for ").split(":")
        assert 38 <= 60 * int(minutes) + int(seconds) <= 60
        tile = page.locator("#heart-rate")
        await expect(tile).to_have_attribute("data-flash", "medium")
        await expect(tile.locator(".limits .high")).to_have_attribute("data-broken", "true")
        await expect(tile.locator(".limits .low")).to_have_attribute("data-broken", "false")
        await expect(page.locator("#alarms-polite")).to_contain_text("Medium priority: HR HIGH.")
        await expect(page.locator("#alarms-assertive")).to_have_text("")


async def test_the_worst_comes_first_and_is_read_out_at_once(attended, ward) -> None:
    ward.fact("clock")
    ward.rate = 132.0
    ward.run(20)
    ward.rhythm("VFL")
    async with attended() as page:
        await expect(page.locator("#alarms")).to_have_attribute("data-worst", "high")
        await expect(chips(page).first.locator(".text")).to_have_text("VENT FIB")
        await expect(chips(page).first.locator(".mark")).to_have_text("***")
        await expect(chips(page).first).to_have_attribute("data-flash", "high")
        await expect(page.locator("#rhythm")).to_have_attribute("data-flash", "high")
        await expect(page.locator("#alarms-assertive")).to_contain_text("High priority: VENT FIB.")
        # The fast heart is the same event: it stands in the list, and not beside it.
        assert await chips(page).locator(".text").all_inner_texts() == ["VENT FIB", "TIME UNSURE"]


async def test_several_alarms_are_three_and_a_number_and_the_line_opens_the_list(attended, ward) -> None:
    for source in ("power", "sound", "clock", "remote"):
        ward.fact(source)
    ward.rate = 132.0
    async with attended() as page:
        await expect(chips(page)).to_have_count(3)
        await expect(page.locator("#alarms .list > .more")).to_have_text("+2 more")
        await page.click("#alarms .list")
        await expect(page.locator("#sheet-alarms .standing li")).to_have_count(5)
        assert await page.locator("#sheet-alarms .standing .text").last.inner_text() == "TIME UNSURE"
        await page.keyboard.press("Escape")
        await expect(page.locator("#sheet-alarms")).to_be_hidden()


async def test_an_alarm_whose_source_is_lost_says_that_it_is_not_updating(attended, ward) -> None:
    ward.rate = 132.0
    ward.run(20)
    ward.rate = None
    async with attended() as page:
        await expect(page.locator('.alarm[data-row="hr_high"]')).to_have_attribute("data-updating", "false")
        await page.click("#alarms .list")
        standing = page.locator('#sheet-alarms .standing li[data-row="hr_high"]')
        await expect(standing.locator(".flag")).to_have_text("NOT UPDATING")


async def test_a_latched_alarm_stays_steady_and_says_that_it_is_over(attended, ward) -> None:
    ward.fact("sound")
    ward.run(5)
    ward.fact("sound", FactState.OK)
    async with attended() as page:
        first = chips(page).first
        await expect(first).to_have_attribute("data-phase", "latched")
        await expect(first.locator(".line-2 .flag")).to_have_text("OVER")
        assert await first.get_attribute("data-flash") in {None, ""}
        await page.keyboard.press("F1")
        await expect(page.locator("#alarms")).to_have_attribute("data-state", "none", timeout=1000)


async def test_an_engine_that_judges_no_more_is_an_alarm_of_the_page_within_five_seconds(
    attended, ward, bed_box, until
) -> None:
    """Waves, numbers and the connection go on: a failed alarm engine must not look like a quiet patient."""
    async with attended() as page:
        await page.click("#time")
        await expect(page.locator("#alarms")).to_have_attribute("data-state", "none")
        ward.stopped = True
        await until(page, "d.sounding === 'high' && d.bursts === '1'", timeout_s=5)
        first = chips(page).first
        await expect(first.locator(".text")).to_have_text("ALARMS NOT UPDATING")
        await expect(first).to_have_attribute("data-flash", "high")
        await expect(page.locator("#alarms-assertive")).to_contain_text("Look at the patient.")
        await until(page, "d.link === 'live' && d.stalled === 'false'", timeout_s=1)
        await page.keyboard.press("F1")
        await until(page, "d.sounding === ''", timeout_s=1)
        await expect(first).to_have_attribute("data-phase", "acknowledged")
        assert bed_box.acts == []
        ward.stopped = False
        await expect(page.locator("#alarms")).to_have_attribute("data-state", "none", timeout=3000)


async def test_what_the_alarm_line_says_is_not_said_beside_it(attended, ward, bed_box) -> None:
    bed_box.facts = (FactSeen(source="clock", state="failed", since_ns=1),)
    bed_box.link = "stalled"
    bed_box.heart_rate, bed_box.why = None, "no_beats"
    async with attended() as page:
        texts = page.locator("#line .message")
        await expect(texts).to_have_count(3)
        ward.fact("clock")
        ward.rhythm("ASYS")
        await expect(page.locator('#alarms .alarm[data-row="asystole"]')).to_be_visible(timeout=8000)
        await expect(page.locator('#alarms .alarm[data-row="clock_unset"]')).to_be_visible()
        await expect(texts).to_have_count(1)
        await expect(texts).to_contain_text("NO DATA ECG")
        ward.fact("clock", FactState.OK)
        await expect(texts).to_have_count(2, timeout=2000)
