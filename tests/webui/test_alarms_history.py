"""The log of alarms on the page: from the store, over restarts, by priority and row, page by page; each opens its strip."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.model.alarms import Change, ChangeKind, Priority
from daemon.model.signals import Channel, FactState, Quantity, SampleBlock, Segment, Stream, Tick
from daemon.worker import working

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

S = 1_000_000_000
RATE = 500
BEDS = "1"


async def opened(page: Page):
    await page.click(".keys [aria-controls=sheet-alarms]")
    return page.locator("#sheet-alarms")


@pytest_asyncio.fixture(loop_scope="session")
async def kept(ward, recorder):
    """The ward's alarms are stored as they come."""
    ward.keep = lambda bed, item, _findings, changes: recorder.offer(bed, item, (), changes)
    return ward


def past(number: int, t_ns: int, row: str, priority: Priority, kind=ChangeKind.BEGAN) -> Change:
    return Change(kind, t_ns - S, t_ns, row, "", f"old:{number}", priority, f"alarm.{row}")


async def test_the_history_holds_what_was_before_the_page_was_opened(attended, kept, findings) -> None:
    kept.fact("clock")
    kept.run(1)
    kept.fact("remote")
    kept.run(3)
    kept.fact("remote", FactState.OK)
    kept.run(2)
    async with attended() as page:
        sheet = await opened(page)
        items = sheet.locator(".past li[data-priority]")
        await expect(items.first.locator(".text")).to_have_text("REMOTE ALARMS LOST")
        await expect(items.first.locator(".length")).to_have_text("for 0:03")
        await expect(items.nth(1).locator(".text")).to_have_text("TIME UNSURE")
        await expect(items.nth(1).locator(".length")).to_have_text("now")
        await expect(items.nth(1).locator(".mark")).to_have_text("!")
        assert await page.evaluate(findings) == []
        await page.keyboard.press("F1")
        await expect(items.nth(1).locator(".seen")).to_contain_text("AK", timeout=4000)
        await sheet.locator('input[name=priority][value="medium"]').check(force=True)
        await expect(items.first.locator(".text")).to_have_text("REMOTE ALARMS LOST")
        await expect(sheet.locator('.past li[data-priority="low"]')).to_have_count(0)
        await sheet.locator('input[name=priority][value=""]').check(force=True)
        await sheet.locator("select[name=row]").select_option("clock_unset")
        await expect(sheet.locator('.past li[data-row="remote_lost"]')).to_have_count(0)
        await expect(items.first.locator(".text")).to_have_text("TIME UNSURE")


async def test_what_comes_while_it_is_open_is_added_and_what_people_did_stands_between(
    attended, kept
) -> None:
    async with attended() as page:
        sheet = await opened(page)
        await expect(sheet.locator(".past")).not_to_contain_text("Reading")
        kept.fact("power")
        await expect(sheet.locator('.past li[data-row="power_lost"]').first).to_be_visible(timeout=9000)
        await page.keyboard.press("F2")
        first = sheet.locator(".past li").first
        await expect(first).to_contain_text("AUDIO PAUSED 2:00", timeout=4000)
        await expect(first.locator(".seen")).to_have_text("AK")


async def test_a_long_history_comes_page_by_page(attended, kept, recorder) -> None:
    began_ns = kept.t_ns - 3600 * S
    for number in range(120):
        t_ns = began_ns + number * 10 * S
        recorder.offer(BEDS, Tick(t_ns), (), [past(number, t_ns, "hr_low", Priority.MEDIUM)])
    async with attended() as page:
        sheet = await opened(page)
        await sheet.locator("select[name=row]").select_option("hr_low")
        items = sheet.locator('.past li[data-row="hr_low"]')
        await expect(items).to_have_count(50)
        await expect(items.first.locator(".length")).to_have_text("end not known")
        for count in (100, 120):
            await sheet.locator(".past .earlier .key").click()
            await expect(items).to_have_count(count)
        await expect(sheet.locator(".past .earlier")).to_have_count(0)


async def test_without_recordings_the_list_says_so(page: Page, site: str, shown) -> None:
    await shown(page, site)
    sheet = await opened(page)
    await expect(sheet.locator(".history-head .trouble")).to_have_text(
        "The recordings cannot be read.", timeout=8000
    )


def ecg(segment: Segment, first: int, n: int) -> SampleBlock:
    """Leads I and II with a beat every 0.8 s, 1 mV in II; counts of 5 uV."""
    phase = np.arange(first, first + n) / RATE % 0.8
    beat = np.exp(-0.5 * ((phase - 0.4) / 0.011) ** 2)
    counts = np.round(np.stack([0.6 * beat, beat]) / 0.005).astype(np.int32)
    t0_ns = segment.began_ns + round(first * 1e9 / RATE)
    return SampleBlock(segment, first, t0_ns, 1e9 / RATE, np.ascontiguousarray(counts), t0_ns + S, 0.0)


@pytest_asyncio.fixture(loop_scope="session")
async def stripped(alarm_box, config_for, kept, recorder):
    """A minute of ECG around an alarm, and a worker to draw it."""
    began_ns = kept.t_ns - 7200 * S
    channels = tuple(Channel(name, Quantity.ECG, "mV", 0.005) for name in ("I", "II"))
    segment = Segment("strip-1", BEDS, Stream("ECG-1", "ecg", float(RATE), channels), "boot-1", 1, began_ns)
    for second in range(60):
        recorder.offer(BEDS, ecg(segment, second * RATE, RATE))
    onset_ns = began_ns + 30 * S
    recorder.offer(BEDS, Tick(onset_ns + S), (), [past(900, onset_ns + S, "vent_tachy", Priority.HIGH)])
    recorder.offer(
        BEDS,
        Tick(onset_ns + 4 * S),
        (),
        [past(900, onset_ns + 4 * S, "vent_tachy", Priority.HIGH, ChangeKind.ENDED)],
    )
    await asyncio.sleep(0.3)
    async with working(config_for(alarm_box[0].socket.parent)):
        yield onset_ns


async def test_an_alarm_opens_its_strip_with_the_onset_marked_and_both_alarm_keys_in_reach(
    attended, stripped, kept, findings
) -> None:
    async with attended() as page:
        sheet = await opened(page)
        await sheet.locator("select[name=row]").select_option("vent_tachy")
        key = sheet.locator('.past li[data-row="vent_tachy"] .strip-key').first
        await key.focus()
        await page.keyboard.press("Enter")
        strip = page.locator("#strip")
        await expect(strip).to_have_attribute("data-state", "shown", timeout=10_000)
        await expect(strip).to_have_attribute("data-leads", "I II III aVR aVL aVF")
        await expect(strip.locator("h2")).to_contain_text("VENT TACHY")
        await expect(strip.locator(".scale")).to_contain_text("25 mm/s · ")
        reel = page.locator("#strip .reel")
        facts = await strip.evaluate("(e) => ({ ...e.dataset })")
        # 25 mm/s in the page's millimetres, 30 s in all, the onset ten seconds from its beginning.
        per_s = float(facts["pxPerS"])
        assert per_s == pytest.approx(25 * 96 / 25.4, rel=0.01)
        wide = await reel.evaluate("(e) => [e.scrollWidth, e.scrollLeft]")
        gutter = await page.evaluate(
            "parseFloat(getComputedStyle(document.querySelector('#strip canvas')).getPropertyValue('--gutter'))"
        )
        assert wide[0] == pytest.approx(30 * per_s + gutter, abs=2)
        assert int(facts["onset"]) + wide[1] == pytest.approx(gutter + 10 * per_s, abs=2)
        assert await beats_in_view(page) >= 8
        assert await page.evaluate(findings) == []
        await reel.focus()
        await page.keyboard.press("ArrowRight")
        await page.wait_for_function(
            "(left) => document.querySelector('#strip .reel').scrollLeft > left", arg=wide[1]
        )
        for name in ("#acknowledge", "#audio-pause", "#alarms .list"):
            assert await page.evaluate(
                "(q) => { const e = document.querySelector(q); const b = e.getBoundingClientRect(); const at = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2); return e.contains(at); }",
                name,
            )
        await page.set_viewport_size({"width": 390, "height": 844})
        await expect(strip).to_have_attribute("data-width", "390")
        assert await page.evaluate(findings) == []
        await page.keyboard.press("Escape")
        await expect(strip).to_be_hidden()
        assert await page.evaluate("document.activeElement.className") == "strip-key"


async def beats_in_view(page: Page) -> int:
    """How many times lead II stands up in the strip: columns in which its lane is green far above its middle."""
    return await page.evaluate(
        """() => {
          const canvas = document.querySelector("#strip canvas");
          const { width, height } = canvas;
          const image = canvas.getContext("2d").getImageData(0, 0, width, height).data;
          const top = 32, lane = (height - 32) / 6;
          let up = 0, before = false;
          for (let x = 60; x < width; x += 1) {
            let high = false;
            for (let y = Math.round(top + lane + 2); y < top + 1.35 * lane; y += 1) {
              const at = 4 * (y * width + x);
              if (image[at + 1] > 150 && image[at] < 120) high = true;
            }
            if (high && !before) up += 1;
            before = high;
          }
          return up;
        }"""
    )


async def test_a_strip_of_a_time_without_samples_says_so_and_one_without_a_worker_too(
    attended, alarm_box, config_for, kept
) -> None:
    kept.fact("disk_full")
    kept.run(62)
    async with attended() as page:
        sheet = await opened(page)
        await sheet.locator("select[name=row]").select_option("disk_full")
        key = sheet.locator('.past li[data-row="disk_full"] .strip-key').first
        await key.click()
        said = page.locator("#strip .said")
        await expect(said).to_have_text("The strip cannot be shown now. Try again.", timeout=5000)
        await page.click("#strip .back")
        async with working(config_for(alarm_box[0].socket.parent)):
            await key.click()
            await expect(said).to_have_text("Nothing was recorded at that time.", timeout=5000)
