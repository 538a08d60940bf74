"""The pages of the past in a browser: trends, every minute, the gap certificate, why a number is what it is."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from daemon.worker import working
from tests.daemon._minutes import GAP_S, write_minutes
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(tmp_path_factory, feeder_of, config_for):
    """A box with three stored minutes of its first bed, and its worker; UTC (ms) of their beginning."""
    folder = tmp_path_factory.mktemp("review")
    began_ms = await write_minutes(folder / "vitald.db")
    config = config_for(folder, ("1", "2"))
    async with feeder_of(folder / "control.sock", ("1", "2")), working(config), serving(config) as site:
        yield site.address, began_ms


@pytest_asyncio.fixture(loop_scope="session")
async def past(browser: Browser, kept):
    """A clinician's tablet. A style that plotly's maps would add is refused by our policy, and that is all it complains of."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, timezone_id="UTC")
    await context.add_cookies([{"name": "vitald", "value": "clinician", "domain": "127.0.0.1", "path": "/"}])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    await context.close()
    assert [text for text in complaints if "inline style" not in text] == []


async def both_sizes(page, findings) -> list[str]:
    """What is wrong for whoever reads, hears or hits it, on a tablet and on a phone."""
    found = await page.evaluate(findings)
    await page.set_viewport_size({"width": 390, "height": 844})
    found += await page.evaluate(findings)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    return found + ([] if wide <= 390 else [f"{wide} px wide"])


async def test_trends_show_the_numbers_the_gap_and_what_happened(past, kept, until, findings) -> None:
    address, began_ms = kept
    span = f"from={began_ms - 5000}&to={began_ms + 185_000}"
    await past.goto(f"{address}bed/1/trends?{span}")
    await until(past, "d.trends === '2' && document.querySelector('#chart .main-svg')", timeout_s=20)
    rows = past.locator("#numbers tbody tr")
    await expect(rows.first).to_contain_text("60")
    await expect(past.locator("#gaps tbody")).to_contain_text("noise on the line")
    await expect(past.locator("#marks tbody")).to_contain_text("EXTREME TACHY")
    await expect(past.locator("#marks tbody")).to_contain_text("Admitted")
    await expect(past.locator("#hint")).to_contain_text("Ada Byron")
    rates = await past.locator("#chart").evaluate(
        "(e) => e.data.find((trace) => trace.meta?.series?.name === 'heart_rate').y"
    )
    assert {60, 150} <= set(rates)
    assert set(rates[390:410]) == {None}  # of 1000 points: the gap is a gap
    await past.locator("[data-move='-1']").press("Enter")
    await until(past, f"+d.to < {began_ms + 100_000}")
    assert await both_sizes(past, findings) == []


async def test_a_number_of_the_table_opens_its_reason(past, kept, until, findings) -> None:
    address, began_ms = kept
    query = f"kind=number&name=heart_rate&t_ms={began_ms + 50_000}"
    await past.goto(f"{address}bed/1/why?{query}")
    await until(past, "d.why === 'agrees'", timeout_s=60)
    await expect(past.locator("#stored")).to_have_text("60 bpm")
    await expect(past.locator("#samples")).to_have_text("rate/1")
    await expect(past.locator("#again")).to_have_text("AGREES")
    await expect(past.locator("#strip")).to_have_attribute("data-state", "shown", timeout=20_000)
    await expect(past.locator("#beats a").first).to_contain_text("Normal")
    assert await both_sizes(past, findings) == []


async def test_every_minute_is_turned_by_keys_and_opens_its_strip(past, kept, until, findings) -> None:
    address, began_ms = kept
    first = began_ms // 60_000 * 60_000
    await past.goto(f"{address}bed/1/disclosure?from={first}")
    await until(past, f"d.disclosure === 'shown' && d.from === '{first}'", timeout_s=20)
    gap_row = (began_ms + GAP_S[0] * 1000 - first) // 60_000
    row = past.locator("#rows button").nth(gap_row)
    await expect(row).to_have_attribute("aria-label", re.compile("noise on the line"))
    await row.focus()
    await past.keyboard.press("ArrowUp")
    await past.keyboard.press("ArrowDown")
    await expect(row).to_be_focused()
    await past.keyboard.press("Enter")
    await expect(past.locator("#strip")).to_have_attribute("data-state", "shown", timeout=20_000)
    await expect(past.locator("#strip")).to_have_attribute("data-leads", "I II III aVR aVL aVF V1")
    await past.keyboard.press("Escape")
    await expect(row).to_be_focused()
    await past.keyboard.press("PageUp")
    await until(past, f"+d.from < {first}")
    assert await both_sizes(past, findings) == []


async def test_a_certificate_says_what_is_missing_and_can_be_printed(past, kept, until, findings) -> None:
    address, began_ms = kept
    await past.goto(f"{address}bed/1/gaps")
    for name, at in (("from", began_ms + 10_000), ("to", began_ms + 170_000)):
        text = await past.evaluate("(ms) => new Date(ms).toISOString().slice(0, 19)", at)
        await past.fill(f"#{name}", text)
    await past.check("#check")
    await past.click("#span button[type=submit]")
    await until(past, "d.gaps === 'missing'", timeout_s=20)
    await expect(past.locator("#verdict")).to_contain_text("MISSING: 15.000 s in 1 gaps")
    await expect(past.locator("#missing tbody tr")).to_have_count(1)
    await expect(past.locator("#missing tbody")).to_contain_text("noise on the line")
    await expect(past.locator("#paper")).to_contain_text("SHA-256")
    assert await both_sizes(past, findings) == []


async def test_what_is_no_question_is_refused(past, kept) -> None:
    address, began_ms = kept
    for path, status in {
        "api/trends?bed=9&from_ms=0&to_ms=1": 404,
        "api/trends?bed=1&from_ms=5&to_ms=1": 503,
        "api/trends?bed=1&from_ms=x": 400,
        f"api/disclosure?bed=1&from_ms={began_ms}&rows=61": 400,
        "api/gaps?bed=1&from_ms=0": 400,
        "api/why?bed=1&kind=number&name=heart_rate&t_ms=1000": 404,
        "api/why/now?bed=1&kind=beat": 400,
        "bed/9/trends": 404,
    }.items():
        response = await past.request.get(address + path)
        assert response.status == status, path
