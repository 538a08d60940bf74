"""What stands over the beats, and a lead that is drawn upside down: read back from the canvas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

import webui
from webui.assets import Assets, foreign

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

BENCH = (Path(__file__).parent / "drawing.js").read_text(encoding="utf-8").split("\n", 2)[2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bench(browser: Browser, served: str) -> AsyncIterator[Page]:
    """A page with the test bench of drawing.js as `drawing`."""
    assets = Assets(Path(webui.__file__).parent / "static", foreign())
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{served}calibrate")
    await page.evaluate(f"({BENCH.strip()})({assets.url('js/sweep.js').removesuffix('sweep.js')!r})")
    yield page
    await context.close()


async def test_each_class_of_beat_has_its_letter_and_a_paced_one_its_pulse_too(bench: Page) -> None:
    """What is written, and where relative to its tick; the colour is the same for all."""
    written = await bench.evaluate(
        """() => {
          const { sweep, traces, lanes } = drawing.bench({ leads: ["II"], height: 200 });
          lanes[0].marks = true;
          traces.push(drawing.frame(["II"], 0, 3500, () => 0), ["II"]);
          ["N", "S", "V", "F", "Q", "/"].forEach((label, i) => traces.mark(1000 * (i + 1), label));
          const letters = [], pulses = [];
          const { context } = sweep;
          context.fillText = (text, x) => letters.push([text, x]);
          const fillRect = context.fillRect.bind(context);
          sweep.repaint(6500, traces);
          letters.length = 0;
          context.fillRect = (x, y, w, h) => { if (y === lanes[0].y0 + 1) pulses.push(x); fillRect(x, y, w, h); };
          sweep.repaint(6500, traces);
          const tick = (i) => sweep.x(lanes[0], 1000 * i);
          return { letters: letters.map(([text, x]) => [text, Math.round(x)]), pulses: pulses.map(Math.round),
                   ticks: [2, 3, 4, 6].map((i) => Math.round(tick(i))) };
        }"""
    )
    ticks = written["ticks"]

    assert [text for text, _ in written["letters"]] == ["S", "V", "F", "P"]
    assert all(0 < x - at <= 10 for (_, x), at in zip(written["letters"], ticks, strict=True))
    assert len(written["pulses"]) == 1
    assert 0 < ticks[3] - written["pulses"][0] <= 15


async def test_an_inverted_lead_is_the_same_wave_upside_down(bench: Page) -> None:
    ys = await bench.evaluate(
        """() => ["standard", "cabrera"].map((order) => {
          const leads = ["I", "II", "III", "aVR", "aVL", "aVF"];
          const { sweep, traces, canvas } = drawing.bench({ leads, height: 600 });
          const lanes = drawing.layout.arrange("12x1", leads, 1000, 600, 40, order).map((lane) => ({ ...lane, gain: 5, marks: false }));
          sweep.arrange(lanes, sweep.scale);
          traces.push(drawing.frame(leads, 0, 2000, (lead) => (lead === "aVR" ? 0.6 : 0)), leads);
          sweep.repaint(4000, traces);
          const image = drawing.pixels(canvas);
          return sweep.lanes.map((lane) => [lane.lead, Math.round(drawing.centroid(image, lane.x0 + 300, lane.y0, lane.h) - lane.y0 - lane.h / 2)]);
        })"""
    )

    assert ys[0] == [["I", 0], ["II", 0], ["III", 0], ["aVR", -15], ["aVL", 0], ["aVF", 0]]
    assert ys[1] == [["aVL", 0], ["I", 0], ["aVR", 15], ["II", 0], ["aVF", 0], ["III", 0]]


async def test_cabrera_changes_the_limb_leads_only_and_only_where_all_six_are_there(bench: Page) -> None:
    columns = await bench.evaluate(
        """() => {
          const limb = ["I", "II", "III", "aVR", "aVL", "aVF"];
          const chest = ["V1", "V2", "V3", "V4", "V5", "V6"];
          const of = (layout, leads) => drawing.layout.columnsOf(layout, leads, "cabrera").columns;
          return { three: of("3x4", [...limb, ...chest]), six: of("6x2", [...limb, ...chest]), one: of("3x4", ["II", "V1"]) };
        }"""
    )

    assert columns["three"] == [
        ["aVL", "I", "aVR"],
        ["II", "aVF", "III"],
        ["V1", "V2", "V3"],
        ["V4", "V5", "V6"],
    ]
    assert columns["six"] == [
        ["aVL", "I", "aVR", "II", "aVF", "III"],
        ["V1", "V2", "V3", "V4", "V5", "V6"],
    ]
    assert columns["one"] == [["II", "V1"]]
