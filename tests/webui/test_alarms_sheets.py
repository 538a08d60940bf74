"""The limits editor and the list of alarms that were."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from daemon.model.signals import FactState

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def opened(page: Page, sheet: str):
    await page.click(f".keys [aria-controls=sheet-{sheet}]")
    return page.locator(f"#sheet-{sheet}")


def row_of(page: Page, name: str):
    return page.locator(f'#sheet-limits li[data-row="{name}"]')


async def test_a_limit_is_changed_in_steps_set_by_its_key_and_in_force_when_the_box_says_so(
    attended, ward, bed_box
) -> None:
    async with attended() as page:
        await opened(page, "limits")
        row = row_of(page, "hr_high")
        await expect(row.locator('[data-key="above"] .range')).to_have_text("60 to 295 bpm, step 1")
        for _ in range(3):
            await row.locator('[data-part="above-more"]').click()
        await expect(row.locator('[data-part="above"]')).to_have_value("123")
        assert bed_box.acts == []
        await expect(page.locator("#heart-rate .limits .high")).to_have_text("120")
        await row.locator('[data-part="set"]').click()
        await expect(page.locator("#heart-rate .limits .high")).to_have_text("123")
        await expect(page.locator("#limits-note")).to_have_text("Set: HR HIGH.")
        await expect(row).to_have_attribute("data-differs", "true")
        await expect(row.locator('[data-key="above"] .differs')).to_contain_text("default 120")
        await expect(page.locator("#heart-rate .limits .high")).to_have_attribute("data-differs", "true")
        await row.locator('[data-part="default"]').click()
        await expect(row).to_have_attribute("data-differs", "false")
        assert ward.watch.limits.value("hr_high", "above") == 120
    assert [act.values for act in bed_box.acts if act.values.pop("screen")] == [
        {"hr_high.above": "123"},
        {"hr_high.above": "default"},
    ]


@pytest.mark.parametrize(
    ("row", "key", "text", "reason"),
    [
        ("hr_high", "above", "300", "Not done: Choose 60 to 295 bpm."),
        ("hr_high", "above", "fast", "Not done: There is no hr_high.above fast to set."),
        ("hr_low", "below", "115", "Not done: The two limits would be less than 10 apart."),
    ],
)
async def test_a_limit_that_cannot_be_is_refused_in_words(attended, ward, row, key, text, reason) -> None:
    before = ward.watch.limits.value(row, key)
    async with attended() as page:
        await opened(page, "limits")
        field = row_of(page, row).locator(f'input[data-part="{key}"]')
        await field.fill(text)
        await field.press("Tab")
        await row_of(page, row).locator('[data-part="set"]').click()
        await expect(page.locator("#limits-note")).to_have_text(reason)
        await expect(page.locator("#limits-note")).to_have_attribute("data-state", "failed")
        await expect(field).to_have_value(text)  # what was asked stays, to be put right
        await row_of(page, row).locator('[data-part="undo"]').click()
        await expect(field).to_have_value(f"{before:g}")
    assert ward.watch.limits.value(row, key) == before


async def test_an_alarm_that_is_off_wears_a_crossed_bell_everywhere_and_says_so(attended, ward) -> None:
    async with attended() as page, attended() as other:
        await expect(page.locator("#heart-rate .bell")).to_be_hidden()
        await expect(
            page.locator("#respiration-rate .bell")
        ).to_be_visible()  # none of its alarms is on by default
        await opened(page, "limits")
        await row_of(page, "hr_high").locator('[data-part="on"]').click()
        await expect(other.locator("#heart-rate .bell")).to_be_hidden()  # not before it is set
        await row_of(page, "hr_high").locator('[data-part="set"]').click()
        for screen in (page, other):
            await expect(screen.locator("#heart-rate .bell")).to_be_visible(timeout=1000)
            await expect(screen.locator('.state[data-kind="off"]')).to_have_text("ALARM OFF HR HIGH")
            await expect(screen.locator("#heart-rate .limits .high")).to_have_text("OFF")
        await page.locator("#limits-default").click()
        await expect(other.locator("#heart-rate .bell")).to_be_hidden(timeout=1000)
    assert ward.watch.limits.differing == ()


async def test_what_can_never_be_off_has_no_switch(attended) -> None:
    async with attended() as page:
        await opened(page, "limits")
        await expect(row_of(page, "asystole").locator('[data-part="gap_s"]')).to_have_value("4.0")
        await expect(row_of(page, "asystole").locator('[data-part="on"]')).to_have_count(0)
        await expect(row_of(page, "hr_high").locator('[data-part="on"]')).to_have_attribute(
            "aria-pressed", "true"
        )


async def test_a_draft_outlives_what_the_box_says_meanwhile_and_the_keyboard_reaches_all(
    attended, ward, bed_box
) -> None:
    async with attended() as page:
        await opened(page, "limits")
        field = row_of(page, "hr_low").locator('input[data-part="below"]')
        await field.fill("45")
        await field.press("Tab")
        ward.fact("clock")
        ward.rate = bed_box.heart_rate = 76.0
        await expect(page.locator("#alarms .alarm")).to_have_count(1)
        await expect(field).to_have_value("45")
        await row_of(page, "hr_low").locator('[data-part="below-less"]').focus()
        await page.keyboard.press("Enter")
        await expect(field).to_have_value("44")
        assert await page.evaluate("document.activeElement.dataset.part") == "below-less"
        await row_of(page, "hr_low").locator('[data-part="set"]').focus()
        await page.keyboard.press("Space")
        await expect(page.locator("#heart-rate .limits .low")).to_have_text("44")


async def test_the_history_keeps_what_was_and_shows_one_priority(attended, ward, bed_box) -> None:
    async with attended() as page:
        ward.fact("clock")
        ward.fact("remote")
        await expect(page.locator("#alarms .alarm")).to_have_count(2)
        ward.fact("remote", FactState.OK)
        await expect(page.locator("#alarms .alarm")).to_have_count(1)
        sheet = await opened(page, "alarms")
        past = sheet.locator(".past li")
        await expect(past).to_have_count(2)
        await expect(past.locator(".text").first).to_have_text("REMOTE ALARMS LOST")
        await expect(past.first.locator(".length")).to_have_text("for 0:00")
        await expect(past.last.locator(".length")).to_have_text("now")
        await expect(sheet.locator(".since-when")).to_contain_text("on this screen since")
        await sheet.locator('input[name=priority][value="low"]').check(force=True)
        await expect(past).to_have_count(1)
        await expect(past.locator(".text")).to_have_text("TIME UNSURE")
        await sheet.locator('input[name=priority][value="high"]').check(force=True)
        await expect(past).to_have_text("None.")
        await page.keyboard.press("F1")
        await sheet.locator('input[name=priority][value=""]').check(force=True)
        await expect(past.last.locator(".seen")).to_contain_text("AK")
        await expect(sheet.locator(".standing .seen")).to_contain_text("acknowledged")
        await expect(sheet.locator(".unarmed")).to_contain_text("NO SpO2")


async def test_a_time_without_the_box_stands_in_the_history(attended, bed_box, until) -> None:
    async with attended() as page:
        bed_box.talking = False
        await until(page, "d.link === 'silent'", timeout_s=4)
        await page.wait_for_timeout(3800)
        bed_box.talking = True
        await until(page, "d.link === 'live'", timeout_s=4)
        sheet = await opened(page, "alarms")
        await expect(sheet.locator(".past .gap")).to_contain_text("the box was not heard")
