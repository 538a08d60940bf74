"""The page of the alarm load: what alarmed, how soon it was acknowledged, and the counts under other limits side by side."""

from __future__ import annotations

import time

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.model.signals import Channel, FactState, Quantity, SampleBlock, Segment, Stream
from daemon.store.writer import Writer
from daemon.worker import working
from tests.webui._feeder import boot_ns
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

S = 1_000_000_000


@pytest_asyncio.fixture(loop_scope="session")
async def loaded(tmp_path, feeder_of, config_for, ward):
    """A box whose bed has had its alarms, with a worker."""
    offset_ns = time.time_ns() - boot_ns()
    writer = Writer(
        tmp_path / "vitald.db", boot="boot-1", now=boot_ns, utc_offset_ns=offset_ns, commit_every_s=0.05
    )
    await writer.start()
    channel = Channel("II", Quantity.ECG, "mV", 0.005)
    segment = Segment("s-1", "1", Stream("ECG-1", "ecg", 500.0, (channel,)), "boot-1", 1, ward.t_ns - 30 * S)
    counts = np.zeros((1, 500), np.int32)
    writer.offer("1", SampleBlock(segment, 0, segment.began_ns, 2e6, counts, segment.began_ns + S, 0.0))
    ward.keep = lambda bed, item, _findings, changes: writer.offer(bed, item, (), changes)
    for _ in range(3):
        ward.fact("remote")
        ward.run(4)
        ward.fact("remote", FactState.OK)
        ward.run(2)
    ward.fact("clock")
    ward.run(2)
    await writer.stop()
    ward.keep = None
    config = config_for(tmp_path)
    async with feeder_of(tmp_path / "control.sock", ("1",)) as box, serving(config) as site, working(config):
        box.heart_rate = ward.rate
        await box.attend(ward)
        yield site.address, box


async def test_what_alarmed_stands_in_a_table_and_other_limits_beside_it(
    loaded, page: Page, until, findings
) -> None:
    address, box = loaded
    await page.goto(f"{address}bed/1/alarms")
    await until(page, "d.loaded === '4' && d.link === 'live'")
    await expect(page.locator("#load-summary")).to_contain_text("4 alarms in")
    await expect(page.locator("#load-hint")).to_contain_text(
        "3 of 4 are REMOTE ALARMS LOST, 3 of them over within 10 s"
    )
    row = page.locator('#load-table tr[data-row="remote_lost"]')
    assert await row.locator("td").all_inner_texts() == ["3", "", "3 (100 %)", "0:12", "0 / 3", "–", "–"]  # noqa: RUF001
    await expect(row.locator(".mark")).to_have_text("!!")
    await expect(row.locator("svg")).to_have_attribute("aria-label", "by hour; at most 3, 1 h ago")
    await expect(page.locator("#load-table .total td").first).to_have_text("4")
    await expect(page.locator("#alarms .alarm .text")).to_have_text(
        "TIME UNSURE"
    )  # alarms are never out of sight

    await expect(page.locator("#rehearse")).to_be_disabled()
    await page.select_option("#rehearse-choices > label select", "hr_high")
    field = page.locator('.settings [data-part="above"]')
    await field.fill("150")
    await field.press("Tab")
    await expect(page.locator(".asked li")).to_contain_text("HR HIGH High: 120 to 150")
    await page.click("#rehearse")
    await until(page, "d.rehearsal === 'done'", timeout_s=10)
    await expect(page.locator("#rehearse-note")).to_contain_text("replayed with HR HIGH High 150.")
    cells = await page.locator('#rehearse-table tr[data-row="remote_lost"] td').all_inner_texts()
    assert cells[0] == "3"
    assert box.acts == []  # nothing is set
    assert await page.evaluate(findings) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate(findings) == []
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0  # what is wider scrolls by itself


async def test_alarms_are_acknowledged_from_here_too_and_the_keyboard_reaches_all(
    loaded, page: Page, until
) -> None:
    address, box = loaded
    await page.goto(f"{address}bed/1/alarms")
    await expect(page.locator("#alarms .alarm")).to_have_attribute("data-phase", "active", timeout=8000)
    await page.keyboard.press("F1")
    await expect(page.locator("#alarms .alarm")).to_have_attribute("data-phase", "acknowledged", timeout=1000)
    assert [act.verb for act in box.acts] == ["acknowledge"]
    await until(page, "d.loaded === '4'")
    reached = set()
    for _ in range(30):
        await page.keyboard.press("Tab")
        reached.add(
            await page.evaluate(
                "document.activeElement.name || document.activeElement.id || document.activeElement.className"
            )
        )
    assert {"hours", "row", "wide", "acknowledge", "audio-pause"} <= reached


async def test_without_a_worker_the_page_says_so(page: Page, site: str, until) -> None:
    await page.goto(f"{site}bed/1/alarms")
    await until(page, "d.link === 'live'")
    await expect(page.locator("#load-summary")).to_have_text(
        "The statistics cannot be had now.", timeout=8000
    )
