"""The limits editor."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Page, expect

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
        await page.locator("#limits-keys .all-default").click()
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


async def test_limits_are_proposed_from_the_present_values_and_set_when_a_person_says_so(
    attended, ward, bed_box
) -> None:
    ward.rate = 84.0
    async with attended() as page, attended() as other:
        await opened(page, "limits")
        await page.click("#limits-keys .propose")
        await expect(page.locator("#limits-note")).to_have_text("2 proposed. In force when you set them.")
        for row, key, value in (("hr_low", "below", "60"), ("hr_high", "above", "105")):
            await expect(row_of(page, row).locator(f'input[data-part="{key}"]')).to_have_value(value)
            await expect(row_of(page, row).locator(".proposed")).to_contain_text("84 bpm")
        await expect(row_of(page, "hr_high").locator(".proposed")).to_have_text(
            "proposed: +25 % of Heart rate 84 bpm, within 90 and 160"
        )
        assert ward.watch.limits.differing == ()
        pressed = time.monotonic()
        await page.click("#limits-keys .set-all")
        await expect(other.locator("#heart-rate .limits .high")).to_have_text("105", timeout=1000)
        assert time.monotonic() - pressed < 1
        await expect(page.locator("#heart-rate .limits .low")).to_have_attribute("data-differs", "true")
        await page.click("#limits-keys .all-default")
        await expect(other.locator("#heart-rate .limits .high")).to_have_text("120", timeout=1000)
    assert [act.verb for act in bed_box.acts] == ["limits", "limits"]


async def test_without_a_value_nothing_is_proposed(attended, ward) -> None:
    ward.run(30)
    ward.rate = None
    async with attended() as page:
        await opened(page, "limits")
        await page.click("#limits-keys .propose")
        await expect(page.locator("#limits-note")).to_have_text("Nothing is measured now to propose from.")
        await expect(page.locator("#limits-keys .set-all")).to_be_disabled()
