"""A nurse at a machine of the ward, in a real browser: from the page on trust to live waves by TLS."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from playwright.async_api import async_playwright

from daemon.appliance.certificates import Certificates
from tests.end_to_end._encrypted import PASSWORD, EncryptedBox, add_people

FINDINGS = (Path(__file__).parents[1] / "webui/findings.js").read_text(encoding="utf-8")
"""What is wrong with a page for whoever reads, hears or hits it."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def box(tmp_path):
    with EncryptedBox(tmp_path, own_screen="127.0.0.5") as running:
        yield running


def trusted(box: EncryptedBox) -> str:
    """What makes Chromium believe this box's key, and no other; its name and time it judges itself."""
    [own] = Certificates(box.folder / "data-cert").shown()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    key = own.public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed")
async def test_a_nurse_trusts_the_box_signs_in_and_sees_waves(box):
    await add_people(box, {"Nora Nurse": "nurse"})
    arguments = [*ARGUMENTS, f"--ignore-certificate-errors-spki-list={trusted(box)}"]
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        try:
            context = await browser.new_context(viewport={"width": 1280, "height": 800})
            page = await context.new_page()
            sockets: list[str] = []
            page.on("websocket", lambda one: sockets.append(one.url))
            await page.goto(box.url)
            assert page.url == f"{box.url}trust"
            assert await context.cookies() == []
            assert await page.evaluate(FINDINGS) == []

            await page.get_by_role("link", name="Open the pages").click()
            await page.wait_for_url(lambda url: url.startswith(f"{box.encrypted}sign-in"))
            await page.fill("input[name=identifier]", "Nora Nurse")
            await page.fill("input[name=password]", PASSWORD)
            await page.click("#password-form button[type=submit]")
            await page.wait_for_function(
                """() => {
                    const seen = document.documentElement.dataset;
                    return seen.link === "live" && +seen.samplesDrawn > 1000;
                }""",
                timeout=60_000,
            )
            cookies = {cookie["name"]: cookie for cookie in await context.cookies()}
            live = [url for url in sockets if "/live" in url]
        finally:
            await browser.close()

    assert set(cookies) == {"__Host-vitald"}
    held = cookies["__Host-vitald"]
    assert (held["secure"], held["httpOnly"], held["sameSite"]) == (True, True, "Strict")
    assert live
    assert all(url.startswith(box.encrypted.replace("https://", "wss://")) for url in live)
