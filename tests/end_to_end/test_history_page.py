"""From a heart that stops to its strip on the page: simulator, daemon, store, worker, pages, browser, each as it runs at a bed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from benchmarks._box import Box

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_arrest_stands_in_the_history_with_its_strip_and_counts_in_the_alarm_load(tmp_path, page):
    with Box(tmp_path) as box:
        box.start_worker()
        page.goto(box.url)
        expect(page.locator("#heart-rate .value")).to_have_text(re.compile(r"^\d+$"), timeout=30_000)
        page.wait_for_timeout(10_000)  # to have something before the onset
        box.steer("ecg rhythm asystole")
        alarm = re.compile("ASYSTOLE|FLAT ECG")
        expect(page.locator("#alarms .alarm").first).to_contain_text(alarm, timeout=15_000)
        page.keyboard.press("F1")
        box.steer("ecg rhythm sinus")
        page.click(".keys [aria-controls=sheet-alarms]")
        entry = page.locator('.past li[data-row="asystole"], .past li[data-row="flat_ecg"]').first
        expect(entry.locator(".seen")).to_contain_text("bedside screen", timeout=10_000)
        expect(page.locator(".past .power")).to_have_text(re.compile("RECORDING BEGAN"))

        entry.locator(".strip-key").click()
        strip = page.locator("#strip")
        expect(strip).to_have_attribute("data-state", "shown", timeout=20_000)
        expect(strip).to_have_attribute("data-leads", "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6")
        expect(strip.locator(".scale")).to_contain_text("0.5-40 Hz · notch 50 Hz")

        page.goto(f"{box.url}bed/1/alarms")
        row = page.locator('#load-table tr[data-row="asystole"], #load-table tr[data-row="flat_ecg"]').first
        expect(row.locator("td").first).to_have_text("1", timeout=20_000)
        expect(row.locator("td").nth(4)).to_have_text("1 / 1")
