"""A real browser in front of a box under qemu: when the waves of its bed move."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DRAWN = 500
"""Samples, twice, with a look in between: waves that stand still are no waves."""

LIVE = "() => {{ const d = document.documentElement.dataset; return d.link === 'live' && d.stalled === 'false' && +d.samplesDrawn > {}; }}"


def waves(port: int, within_s: float, picture: Path) -> int | None:
    """Samples that the page has drawn once its waves are seen to move, and a picture of it; None where they do not move in time."""
    until_s = time.monotonic() + within_s

    def left_ms() -> float:
        return max(1000.0 * (until_s - time.monotonic()), 1.0)

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            while time.monotonic() < until_s:
                try:
                    page.goto(f"http://127.0.0.1:{port}/bed/1", timeout=left_ms(), wait_until="commit")
                    page.wait_for_function(LIVE.format(DRAWN), timeout=left_ms())
                    seen = page.screenshot(timeout=left_ms())
                    before = int(page.evaluate("document.documentElement.dataset.samplesDrawn"))
                    page.wait_for_function(LIVE.format(before + DRAWN), timeout=left_ms())
                    if page.screenshot(path=picture, timeout=left_ms()) != seen:
                        return int(page.evaluate("document.documentElement.dataset.samplesDrawn"))
                except Error:  # nobody listens yet, or the pages' process was begun anew
                    time.sleep(1.0)
            return None
        finally:
            browser.close()
