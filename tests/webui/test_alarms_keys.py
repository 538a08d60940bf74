"""ACKNOWLEDGE and AUDIO PAUSE: by pointer, finger and keyboard; what they show is what the box has confirmed."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

WITHIN_MS = 1000
WITHOUT_GESTURE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def first(page: Page):
    return page.locator("#alarms .alarm").first


async def seconds_left(page: Page) -> int:
    minutes, seconds = (await page.locator("#audio-pause .time").inner_text()).split(":")
    return 60 * int(minutes) + int(seconds)


async def test_an_acknowledgement_reaches_every_screen_within_a_second(attended, ward) -> None:
    ward.rate = 132.0
    async with attended() as here, attended() as there:
        await expect(first(there)).to_have_attribute("data-flash", "medium")
        await here.click("#acknowledge")
        await expect(first(there)).to_have_attribute("data-phase", "acknowledged", timeout=WITHIN_MS)
        for page in (here, there):
            assert await first(page).get_attribute("data-flash") in {None, ""}
            await expect(first(page).locator(".line-1 .flag")).to_have_text("✓")
            await expect(first(page).locator(".line-2 .flag")).to_have_text("ACKNOWLEDGED AK")
            await expect(page.locator("#heart-rate")).to_have_attribute("data-alarm", "medium")
            await expect(page.locator("#heart-rate")).to_have_attribute("data-flash", "")
            await expect(page.locator("#acknowledge")).to_have_attribute("data-wanted", "false")


async def test_what_a_screen_has_not_shown_it_does_not_acknowledge(attended, ward, bed_box) -> None:
    """An alarm that begins between the picture and the press goes on."""
    ward.rate = 132.0
    async with attended() as page:
        await expect(first(page)).to_have_attribute("data-row", "hr_high")
        occurrences = [alarm.occurrence for alarm in ward.watch.picture().alarms]
        await page.click("#acknowledge")
        await expect(first(page)).to_have_attribute("data-phase", "acknowledged", timeout=WITHIN_MS)
    act = bed_box.acts[-1]
    assert (act.verb, act.values["occurrences"].split(",")) == ("acknowledge", occurrences)
    assert act.values["screen"].startswith("screen-")


async def test_the_pause_counts_down_with_the_box_and_ends_when_pressed_again(attended, ward) -> None:
    ward.rate = 132.0
    async with attended() as page, attended() as other:
        await expect(page.locator("#audio-pause")).to_have_text("AUDIO PAUSE 2:00")
        await page.click("#audio-pause")
        for screen in (page, other):
            await expect(screen.locator("#audio-pause .name")).to_have_text("AUDIO PAUSED", timeout=WITHIN_MS)
            await expect(screen.locator('.state[data-kind="audio_paused"]')).to_contain_text(
                "AUDIO PAUSED 1:"
            )
            await expect(first(screen)).to_have_attribute("data-flash", "medium")  # the picture stays
        pause = ward.watch.picture().pauses[0]
        left = (pause.until_ns - ward.t_ns) / 1e9
        assert abs(await seconds_left(page) - left) <= 1.5
        assert abs(await seconds_left(page) - await seconds_left(other)) <= 1
        await page.wait_for_timeout(400)  # a second touch within 300 ms is the same one
        await other.click("#audio-pause")
        await expect(page.locator("#audio-pause")).to_have_text("AUDIO PAUSE 2:00", timeout=WITHIN_MS)
        await expect(page.locator(".state")).to_have_count(0)


async def test_the_countdown_is_the_boxs_also_for_a_screen_that_comes_later(attended, ward, bed_box) -> None:
    ward.rate = 132.0
    async with attended() as page:
        await page.keyboard.press("F2")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
    (pause,) = ward.watch.picture().pauses
    async with attended() as late:
        left = (pause.until_ns - ward.t_ns) / 1e9
        assert abs(await seconds_left(late) - left) <= 1.5
    assert [act.verb for act in bed_box.acts] == ["audio_pause"]


async def test_a_double_touch_does_not_end_the_pause_it_began(attended, ward, bed_box) -> None:
    ward.rate = 132.0
    async with attended(**WITHOUT_GESTURE) as page:
        await page.tap("#audio-pause")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        await page.wait_for_timeout(400)
        await page.evaluate("document.getElementById('audio-pause').click()")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "false")
        await page.wait_for_timeout(400)
        # Two touches of one moment, which a busy machine cannot pull apart.
        await page.evaluate("const key = document.getElementById('audio-pause'); key.click(); key.click();")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        await page.wait_for_timeout(400)
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
    assert [act.verb for act in bed_box.acts] == ["audio_pause", "audio_pause_cancel", "audio_pause"]


async def test_both_keys_work_by_keyboard_wherever_the_focus_is_and_escape_does_neither(
    attended, ward, bed_box
) -> None:
    ward.rate = 132.0
    async with attended() as page:
        await page.click(".keys [aria-controls=sheet-limits]")
        await page.locator("#sheet-limits input").first.focus()
        await page.keyboard.press("F2")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        await page.keyboard.press("Escape")
        await page.keyboard.press("F1")
        await expect(first(page)).to_have_attribute("data-phase", "acknowledged", timeout=WITHIN_MS)
        await page.locator("#acknowledge").focus()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.id") == "audio-pause"
        await page.wait_for_timeout(350)  # a second touch within 300 ms is the same one
        await page.keyboard.press("Space")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "false")
        assert await page.locator("#acknowledge").get_attribute("aria-keyshortcuts") == "F1"
    assert [act.verb for act in bed_box.acts] == ["audio_pause", "acknowledge", "audio_pause_cancel"]


async def test_every_part_of_the_alarm_line_is_reached_by_tab(attended, ward) -> None:
    ward.rate = 132.0
    async with attended() as page:
        reached = []
        for _ in range(40):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate("document.activeElement.id || document.activeElement.className")
            )
            if reached[-1] == "audio-pause":
                break
        assert "list" in reached
        assert reached[-2:] == ["acknowledge", "audio-pause"]
        await page.locator("#alarms .list").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#sheet-alarms")).to_be_visible()


async def test_a_press_that_the_box_did_not_get_is_told_and_shown_as_nothing(attended, ward, bed_box) -> None:
    ward.rate = 132.0
    async with attended() as page:
        await page.route("**/api/command", lambda route: route.abort())
        await page.click("#audio-pause")
        await expect(page.locator(".alarm-note")).to_have_text("Not done: the box is not answering.")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "false")
        await page.unroute("**/api/command")
        held = []
        await page.route("**/api/command", lambda route: held.append(route))
        await page.wait_for_timeout(350)
        await page.click("#acknowledge")
        await expect(page.locator(".alarm-note")).to_have_text("The box has not confirmed yet.", timeout=2000)
        await expect(first(page)).to_have_attribute("data-phase", "active")
        await held[0].continue_()
        await expect(first(page)).to_have_attribute("data-phase", "acknowledged", timeout=2000)
        await expect(page.locator(".alarm-note")).to_have_text("")


@pytest.mark.parametrize("ward", [660.0], indirect=True)
async def test_a_refused_pause_says_why(attended, ward) -> None:
    """One person cannot keep the sound away for ever: a pause that follows on for more than ten minutes."""
    ward.rate = 132.0
    ward.run(20)
    for number in range(4):
        ward.pause(f"earlier-{number}", seconds=148)
    async with attended() as page:
        await page.keyboard.press("F2")
        await expect(page.locator(".alarm-note")).to_contain_text("Sound must return after 10 minutes.")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "false")


async def test_without_an_alarm_there_is_nothing_to_acknowledge(attended, bed_box) -> None:
    async with attended() as page:
        await page.keyboard.press("F1")
        await expect(page.locator(".alarm-note")).to_have_text("Nothing to acknowledge.")
    assert bed_box.acts == []
