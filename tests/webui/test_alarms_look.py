"""How alarms look: flashing, contrast, size, room; on a tablet and on a phone, by computed figures."""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Page, expect

from tests.webui.contrast import PARTS, TEXT, contrast, measured

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

RATES_HZ = {"high": (1.4, 2.8), "medium": (0.4, 0.8)}  # IEC 60601-1-8
DUTY = (0.2, 0.6)
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


# Every text below an element with the colour that stands behind it; `painted`: its own background, or that of what holds it.
TEXTS = """(roots) => {
  const painted = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(0, 0, 0)";
  };
  const found = [];
  for (const root of document.querySelectorAll(roots)) {
    for (const element of [root, ...root.querySelectorAll("*")]) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!own || element.closest(".unseen, [hidden], .heart") || element.getClientRects().length === 0) continue;
      found.push([element.className || element.tagName, getComputedStyle(element).color, painted(element)]);
    }
  }
  return found;
}"""
SHADE = """([selector, lit]) => { const all = document.querySelectorAll(selector);
  for (const e of all) e.dataset.lit = lit; return getComputedStyle(all[0]).backgroundColor; }"""


async def readable(page: Page, roots: str) -> None:
    texts = await page.evaluate(TEXTS, roots)
    assert texts
    poor = [
        (name, round(contrast(text, ground), 1))
        for name, text, ground in texts
        if contrast(text, ground) < TEXT
    ]
    assert poor == []


async def test_every_pair_of_colours_of_an_alarm_has_its_contrast() -> None:
    poor = [(what, round(found, 1)) for what, _, _, found, least in measured() if found < least]
    assert poor == []


@pytest.mark.parametrize("priority", ["high", "medium", "low"])
async def test_every_text_of_an_alarm_can_be_read_lit_and_dark(attended, ward, priority: str) -> None:
    if priority == "low":
        ward.fact("clock")
    else:
        ward.rate = 132.0
        ward.run(20)
    if priority == "high":
        ward.rhythm("VFL")
    async with attended() as page:
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-priority", priority)
        # The loop that lets it flash stands still: both shades are looked at.
        await page.evaluate("window.requestAnimationFrame = () => 0")
        shades = []
        for lit in ("true", "false") if priority != "low" else ("true",):
            shades.append(await page.evaluate(SHADE, ["#alarms .alarm, .tile[data-flash]", lit]))
            await readable(page, "#alarms, .tiles, .keys")
        ground = "rgb(0, 0, 0)"
        assert contrast(shades[0], ground) >= PARTS
        if len(shades) == 2:
            assert contrast(*shades) >= PARTS, shades  # or flashing could be missed


async def test_texts_of_pauses_latched_alarms_and_sheets_can_be_read(attended, ward) -> None:
    ward.rate = 132.0
    ward.fact("sound")
    async with attended() as page:
        await page.keyboard.press("F2")
        await page.keyboard.press("F1")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        for sheet in ("alarms", "limits"):
            await page.click(f".keys [aria-controls=sheet-{sheet}]")
            await expect(page.locator(f"#sheet-{sheet} ol li").first).to_be_visible()
            await readable(page, f"#alarms, .keys, #sheet-{sheet}")


async def test_the_page_without_connection_can_be_read_lit_and_dark(attended, bed_box) -> None:
    async with attended() as page:
        bed_box.talking = False
        await expect(page.locator("#loss")).to_be_visible(timeout=5000)
        await page.evaluate("window.requestAnimationFrame = () => 0")
        shades = []
        for lit in ("true", "false"):
            shades.append(await page.evaluate(SHADE, ["#loss", lit]))
            await readable(page, "#loss")
        assert contrast(*shades) >= PARTS
        covered = await page.locator("#loss").bounding_box()
        assert covered["width"] == 1280
        assert covered["height"] > 650
        letters = await page.locator("#loss strong").evaluate(
            "(e) => parseFloat(getComputedStyle(e).fontSize)"
        )
        assert letters > 90


# Boxes of what is on the page side by side; none may cover another, none may stick out of the screen.
BOXES = """(selectors) => selectors.flatMap((selector) => [...document.querySelectorAll(selector)]
  .map((e) => [selector, e.getBoundingClientRect()]).filter(([, box]) => box.width * box.height > 0)
  .map(([name, b]) => [name, b.left, b.top, b.right, b.bottom]))"""
SIDE_BY_SIDE = ["header.top", "#alarms", "#line", ".stage", ".tile", ".keys"]
IN_THE_LINE = ["#alarms .alarm", "#alarms .list > .more", "#alarms .state", "#sound-blocked", ".alarm-note"]
IN_THE_KEYS = [".keys .key"]
CUT_OFF = """(selector) => [...document.querySelectorAll(selector)]
  .filter((e) => e.getClientRects().length && e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent.trim())"""


async def has_room(page: Page) -> None:
    size = page.viewport_size
    for selectors in (SIDE_BY_SIDE, IN_THE_LINE, IN_THE_KEYS):
        boxes = await page.evaluate(BOXES, selectors)
        for name, left, top, right, bottom in boxes:
            assert left >= -0.5, name
            assert top >= -0.5, name
            assert right <= size["width"] + 0.5, name
            assert bottom <= size["height"] + 0.5, name
        for (a, *one), (b, *other) in itertools.combinations(boxes, 2):
            wide = min(one[2], other[2]) - max(one[0], other[0])
            high = min(one[3], other[3]) - max(one[1], other[1])
            assert wide <= 0.5 or high <= 0.5, (a, one, b, other)
    assert (
        await page.evaluate(
            CUT_OFF, "#alarms .alarm .line-1 > .text, #alarms .alarm, .keys .key, .states .state, .tile h2"
        )
        == []
    )


@pytest.mark.parametrize("options", [{}, PHONE], ids=["1280x800", "390x844"])
async def test_nothing_covers_anything_however_many_alarms_stand(
    attended, ward, bed_box, options, until
) -> None:
    async with attended(**options) as page:
        await has_room(page)
        ward.rate = bed_box.heart_rate = 132.0
        ward.fact("power")
        ward.fact("clock")
        ward.run(5)
        await until(page, "d.alarms.includes('hr_high')")
        await has_room(page)
        ward.rhythm("VFL")
        await until(page, "d.alarms.includes('vent_fib')")
        await page.keyboard.press("F2")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        await has_room(page)
        await page.keyboard.press("F1")
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-phase", "acknowledged")
        await has_room(page)


@pytest.mark.parametrize("options", [{}, PHONE], ids=["1280x800", "390x844"])
async def test_the_two_keys_are_large_and_stay_when_a_sheet_is_open(attended, options) -> None:
    """15 mm of a screen that is not calibrated (3.78 px/mm), and wider than 40 mm."""
    async with attended(**options) as page:
        before = await page.evaluate(BOXES, ["#acknowledge", "#audio-pause"])
        for _, left, top, right, bottom in before:
            assert bottom - top >= 47.9
            assert right - left >= 150
        await page.keyboard.press("F2")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        for sheet in ("alarms", "limits"):
            await page.click(f".keys [aria-controls=sheet-{sheet}]")
            assert await page.evaluate(BOXES, ["#acknowledge", "#audio-pause"]) == before
            middle = "(e) => { const b = e.getBoundingClientRect(); return e.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)); }"
            for key in ("#acknowledge", "#audio-pause"):
                assert await page.locator(key).evaluate(middle)


@pytest.mark.parametrize("priority", ["high", "medium"])
async def test_flashing_has_the_rate_and_duty_of_its_priority(attended, ward, priority: str) -> None:
    """Ten seconds by the page's own (fake) clock: every change of the field that the frame loop made."""
    ward.rate = 132.0
    ward.run(20)
    if priority == "high":
        ward.rhythm("VFL")
    async with attended() as page:
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-flash", priority)
        await page.clock.install()
        await page.reload()
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-flash", priority)
        await page.evaluate(
            """() => {
              window.turns = [];
              // The tile of the alarm: while the page's time runs faster than the box's, the line has another alarm to say.
              const tile = document.querySelector('.tile[data-flash]:not([data-flash=""])');
              new MutationObserver((records) => {
                for (const { target } of records) window.turns.push([performance.now(), target.dataset.lit]);
              }).observe(tile, { attributes: true, attributeFilter: ["data-lit"] });
            }"""
        )
        for _ in range(360):
            await page.clock.run_for(25)
        turns = await page.evaluate("window.turns")
    lit = [at for at, value in turns if value == "true"]
    dark = [at for at, value in turns if value == "false"]
    periods = [b - a for a, b in zip(lit, lit[1:], strict=False)]
    on = [next(d for d in dark if d > at) - at for at in lit[:-1]]
    low, high = RATES_HZ[priority]
    assert len(periods) >= 4
    assert all(low <= 1000 / period <= high for period in periods), periods
    assert all(DUTY[0] <= a / b <= DUTY[1] for a, b in zip(on, periods, strict=True)), (on, periods)
