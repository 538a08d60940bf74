"""Everybody can read it, hear it and hit it: what axe-core's serious rules look for, on every page and sheet, both sizes.

axe does not see the canvas, and says "cannot tell" of texts over one; here ground is what the style says.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from daemon.control.messages import (
    ConclusionsState,
    EventsSeen,
    EventState,
    MeasuredSeen,
    QualityState,
    RhythmState,
    StatementState,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

EVIDENCE = {"rule": "gaps/1", "segment": "s", "first": 0, "last": 100}


@pytest.mark.parametrize("screen", ["page", "phone"])
async def test_every_page_and_sheet_can_be_read_named_and_hit(
    page: Page, phone: Page, site: str, feeder, shown, findings, screen: str
) -> None:
    view = {"page": page, "phone": phone}[screen]
    feeder.off = frozenset({"V4"})
    off = QualityState(grade="off", trouble="electrode_off", electrodes=("V4",))
    noisy = QualityState(grade="poor", trouble="muscle")
    feeder.quality = {**feeder.quality, "V4": off, "V1": noisy}
    feeder.rhythms = (RhythmState(label="AFIB", since_ns=0),)
    happened = EventState(id=1, kind="event", name="pause", t_ns=0, numbers=(("gap", 3.1, "s"),), **EVIDENCE)
    concluded = ConclusionsState(t_ns=0, statements=(StatementState(key="st_elevation_inferior"),))
    feeder.long = (MeasuredSeen(bed="1", conclusions=concluded), EventsSeen(bed="1", events=(happened,)))
    await shown(view, site)
    await expect(view.locator("#line")).to_contain_text("ELECTRODE OFF V4")
    found = {"live": await view.evaluate(findings)}
    for sheet in ("display", "filters", "devices", "events", "ecg"):
        await view.click(f".keys [aria-controls=sheet-{sheet}]")
        if sheet == "events":
            await view.locator(".events summary").first.click()
        found[sheet] = await view.evaluate(findings)
    await view.click("#sheet-ecg .close")
    await view.click('.lane[data-lead="I"]')
    await view.click(".freeze")
    await view.click(".repeat")
    found["enlarged"] = await view.evaluate(findings)
    await view.goto(f"{site}calibrate")
    found["calibrate"] = await view.evaluate(findings)

    assert {where: findings for where, findings in found.items() if findings} == {}


DAMAGES = [
    ("document.querySelector('#caption').style.color = '#444'", "contrast"),
    ("document.querySelector('.keys .key').textContent = ''", "no name"),
    ("document.querySelector('.lane').setAttribute('aria-label', 'Enlarge')", "name lacks its text"),
    (
        "Object.assign(document.querySelector('.keys .key').style, { minHeight: 0, alignSelf: 'start' })",
        "small target",
    ),
    ("document.querySelector('.links').setAttribute('aria-label', 'Heart rate')", "landmark twice"),
    (
        "document.body.appendChild(document.createElement('p')).textContent = 'stray'",
        "outside of landmarks",
    ),
    ("document.querySelector('.keys').setAttribute('aria-hidden', 'true')", "hidden, yet reachable"),
]


async def test_the_check_finds_what_is_wrong(page: Page, site: str, shown, findings) -> None:
    """One fault after the other, on one page."""
    await shown(page, site)
    for damage, rule in DAMAGES:
        assert not any(rule in finding for finding in await page.evaluate(findings))
        await page.evaluate(damage)
        assert any(rule in finding for finding in await page.evaluate(findings))


@pytest.mark.parametrize("size", ["tablet", "phone"])
async def test_alarms_and_their_sheets_can_be_read_hit_and_heard(attended, ward, findings, size: str) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    ward.rate = 132.0
    for source in ("power", "clock", "sound"):
        ward.fact(source)
    ward.run(20)
    ward.rhythm("VFL")
    async with attended(**(options if size == "phone" else {})) as page:
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-priority", "high")
        assert await page.evaluate(findings) == []
        await page.keyboard.press("F2")
        await page.keyboard.press("F1")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        for sheet in ("alarms", "limits"):
            await page.click(f".keys [aria-controls=sheet-{sheet}]")
            await expect(page.locator(f"#sheet-{sheet} ol li").first).to_be_visible()
            assert await page.evaluate(findings) == []
