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

FINDINGS = """() => {
  const found = [];
  const add = (rule, element, more = "") => found.push(`${rule}: ${element.outerHTML.slice(0, 90)} ${more}`);
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest("[inert]");
  const all = [...document.querySelectorAll("body *:not(script, noscript)")].filter(seen);

  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [0, 0, 0];
  };
  for (const element of all) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest(".watermark, .heart, .deadman")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) add("contrast", element);
  }

  const textOf = (element) => element.innerText.replace(/\\s+/g, " ").trim();
  const pointed = (element) => (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent).join(" ");
  const nameOf = (element) =>
    element.getAttribute("aria-label") || pointed(element) || element.labels?.[0]?.innerText || textOf(element);
  const roles = "button, a[href], input, summary, [role=slider], [tabindex='0']";
  const spoken = (text) => text.toLowerCase().replace(/[^\\p{L}\\p{N} ]/gu, "").trim();
  for (const element of all.filter((e) => e.matches(roles))) {
    const name = nameOf(element).trim();
    if (!name) add("no name", element);
    if (element.matches("button, a") && !spoken(name).includes(spoken(textOf(element)))) add("name lacks its text", element, name);
    const box = (element.matches("input[type=radio]") ? element.parentElement : element).getBoundingClientRect();
    if (Math.min(box.width, box.height) < (element.matches(".key, label, summary") ? 48 : 24)) add("small target", element);
  }
  for (const slider of all.filter((e) => e.matches("[role=slider]"))) {
    for (const part of ["valuenow", "valuemin", "valuemax", "valuetext", "label"]) {
      if (!slider.getAttribute(`aria-${part}`)) add(`slider without ${part}`, slider);
    }
    const [now, low, high] = ["now", "min", "max"].map((part) => Number(slider.getAttribute(`aria-value${part}`)));
    if (now < low - 0.01 || now > high + 0.01) add("slider out of its range", slider);
  }
  for (const element of all.filter((e) => e.closest("[aria-hidden=true]") && e.matches(roles))) add("hidden, yet reachable", element);

  const marks = all.filter((e) => e.matches("main, header, nav, aside[aria-label], section[aria-label], section[aria-labelledby]"));
  const names = marks.map((e) => `${e.localName} ${nameOf(e.matches("[aria-label], [aria-labelledby]") ? e : document.createElement("i"))}`);
  names.forEach((name, i) => { if (names.indexOf(name) !== i) add("landmark twice", marks[i], name); });
  for (const element of all) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (own && !element.closest("main, header, nav, aside, section, [role=alert], [role=status], .deadman")) add("outside of landmarks", element);
  }

  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) found.push(`id twice: ${id}`);
  for (const element of document.querySelectorAll("[aria-controls], [aria-labelledby]")) {
    for (const name of ["aria-controls", "aria-labelledby"]) {
      const id = element.getAttribute(name);
      if (id && !document.getElementById(id)) add(`${name} points nowhere`, element);
    }
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (!document.documentElement.lang || !document.title) found.push("no language or title");
  if (/user-scalable=no|maximum-scale/.test(document.querySelector("meta[name=viewport]").content)) found.push("no zoom");
  return found;
}"""


@pytest.mark.parametrize("screen", ["page", "phone"])
async def test_every_page_and_sheet_can_be_read_named_and_hit(
    page: Page, phone: Page, site: str, feeder, shown, screen: str
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
    found = {"live": await view.evaluate(FINDINGS)}
    for sheet in ("display", "filters", "devices", "events", "ecg"):
        await view.click(f".keys [aria-controls=sheet-{sheet}]")
        if sheet == "events":
            await view.locator(".events summary").first.click()
        found[sheet] = await view.evaluate(FINDINGS)
    await view.click("#sheet-ecg .close")
    await view.click('.lane[data-lead="I"]')
    await view.click(".freeze")
    await view.click(".repeat")
    found["enlarged"] = await view.evaluate(FINDINGS)
    await view.goto(f"{site}calibrate")
    found["calibrate"] = await view.evaluate(FINDINGS)

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


async def test_the_check_finds_what_is_wrong(page: Page, site: str, shown) -> None:
    """One fault after the other, on one page."""
    await shown(page, site)
    for damage, rule in DAMAGES:
        assert not any(rule in finding for finding in await page.evaluate(FINDINGS))
        await page.evaluate(damage)
        assert any(rule in finding for finding in await page.evaluate(FINDINGS))


@pytest.mark.parametrize("size", ["tablet", "phone"])
async def test_alarms_and_their_sheets_can_be_read_hit_and_heard(attended, ward, size: str) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    ward.rate = 132.0
    for source in ("power", "clock", "sound"):
        ward.fact(source)
    ward.run(20)
    ward.rhythm("VFL")
    async with attended(**(options if size == "phone" else {})) as page:
        await expect(page.locator("#alarms .alarm").first).to_have_attribute("data-priority", "high")
        assert await page.evaluate(FINDINGS) == []
        await page.keyboard.press("F2")
        await page.keyboard.press("F1")
        await expect(page.locator("#audio-pause")).to_have_attribute("aria-pressed", "true")
        for sheet in ("alarms", "limits"):
            await page.click(f".keys [aria-controls=sheet-{sheet}]")
            await expect(page.locator(f"#sheet-{sheet} ol li").first).to_be_visible()
            assert await page.evaluate(FINDINGS) == []
