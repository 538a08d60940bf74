"""The page of a bed's nights: the line of time with its flags, stretches of it, figures side by side."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from daemon.words import say
from daemon.worker import working
from tests.daemon._night import BEGAN_UTC_S, write_night
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

DRAWN = "d.drawn && document.querySelector('#chart .main-svg') && document.querySelector('#figures [data-figure=ahi]')"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(tmp_path_factory, feeder_of, config_for):
    """A box with two beds and a stored night of the first, with its worker."""
    folder = tmp_path_factory.mktemp("night")
    await write_night(folder / "vitald.db")
    config = config_for(folder, ("1", "2", "3"))
    async with feeder_of(folder / "control.sock", ("1", "2", "3")), working(config), serving(config) as site:
        yield site.address


@pytest_asyncio.fixture(loop_scope="session")
async def night(browser: Browser, kept, until):
    """The page. A style that plotly's maps would add is refused by our policy, and that is all it complains of."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, timezone_id="UTC")
    nurse = {"name": "vitald", "value": "nurse", "domain": "127.0.0.1", "path": "/"}
    await context.add_cookies([nurse])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(f"{kept}bed/1/night")
    await until(page, DRAWN, timeout_s=20)
    yield page
    await context.close()
    assert [text for text in complaints if "inline style" not in text and "503" not in text] == []


def figure(page, name):
    return page.locator(f"#figures tr[data-figure={name}] td").first


async def test_a_night_stands_on_one_line_of_time_with_its_flags_and_figures(night, findings) -> None:
    await expect(night.locator("#summary")).to_contain_text("22:00 to 22:12: 0:12 h recorded by CPAP-1")
    await expect(night.locator("#events tbody tr")).to_have_count(4)
    await expect(night.locator("#events-summary")).to_have_text(
        "1 Obstructive · 1 Clear airway · 1 Hypopnoea · 1 Desaturation"
    )
    axes = await night.locator("#chart").evaluate(
        "(e) => e.data.map((trace) => [trace.mode, trace.yaxis ?? 'y', trace.x.length > 0])"
    )
    assert axes == [
        *[["markers", "y", True]] * 4,
        *[["lines", f"y{k}", True] for k in (2, 3, 4, 5)],
    ]
    for name, text in {
        "ahi": "18.0",
        "used_h": "0.2",
        "longest_s": "20",
        "leak_median": "12",
        "leak_p95": "30",
        "pressure_median": "9.0",
        "spo2_lowest": "87",
        "spo2_below_90_min": "0.5",
    }.items():
        await expect(figure(night, name)).to_have_text(text)
    assert await night.evaluate(findings) == []
    await night.set_viewport_size({"width": 390, "height": 844})
    assert await night.evaluate(findings) == []


async def test_a_stretch_is_asked_for_anew_by_keys_by_events_and_on_the_chart(night, until) -> None:
    begin = 1000 * BEGAN_UTC_S
    await night.locator("[data-zoom='120']").press("Enter")
    await until(night, f"d.drawn === '{begin + 300_000} {begin + 420_000}'")
    await expect(night.locator("[data-zoom='120']")).to_have_attribute("aria-pressed", "true")
    await night.click("[data-move='1']")
    await until(night, f"d.drawn === '{begin + 360_000} {begin + 480_000}'")
    await night.locator("#events tbody tr").nth(1).get_by_role("button").click()
    await until(night, f"d.drawn === '{begin + 150_000} {begin + 270_000}'")  # around the hypopnoea of 20 s
    flow = await night.locator("#chart").evaluate("(e) => e.data.find((trace) => trace.yaxis === 'y2').y")
    assert max(flow) == pytest.approx(30, abs=0.5)
    await night.locator("#chart").evaluate(
        "(e, [a, b]) => Plotly.relayout(e, { 'xaxis.range[0]': a, 'xaxis.range[1]': b })",
        [begin, begin + 60_000],
    )
    await until(night, f"d.drawn === '{begin} {begin + 60_000}'")
    await night.click("[data-zoom='0']")
    await until(night, f"d.drawn.startsWith('{begin} ')")


async def test_a_bed_without_a_night_says_so(night, kept, until) -> None:
    await night.goto(f"{kept}bed/3/night")
    await until(night, "d.nights === '0'")
    await expect(night.locator("#summary")).to_have_text(say("night.none"))
    await expect(night.locator("[data-zoom='120']")).to_be_disabled()


async def test_without_a_worker_the_page_says_so(night, site, until) -> None:
    await night.goto(f"{site}bed/1/night")
    await until(night, "d.nights === 'silent'")
    await expect(night.locator("#summary")).to_have_text(say("act.unreachable"))
