"""The pages of machines' tokens and of owners, in a browser."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from daemon.model.scopes import Scope
from tests.webui._machines import machine_box

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SIZES = {"tablet": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def machines(tmp_path_factory):
    async with machine_box(tmp_path_factory.mktemp("pages"), ("1", "2")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def at(browser, machines):
    """Opens a page as a role; whatever it complains about fails the test."""
    contexts, complaints = [], []

    async def opened(path, role, size="tablet"):
        context = await browser.new_context(viewport=SIZES[size])
        contexts.append(context)
        await context.add_cookies([{"name": "vitald", "value": role, "domain": "127.0.0.1", "path": "/"}])
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(machines.url + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest.mark.parametrize("size", sorted(SIZES))
async def test_a_token_is_made_told_once_used_and_revoked(at, machines, findings, size) -> None:
    page = await at("tokens", "admin", size)
    await page.click("#making summary")
    await page.fill("#make input[name=name]", f"app of a {size}")
    await page.check(f"#make input[name='{Scope.READ_BEDS}']")
    assert await page.evaluate(findings) == []
    await page.click("#make button")
    await expect(page.locator("#once code")).to_have_text(re.compile("^vitald_"))
    secret = await page.locator("#once code").inner_text()
    async with machines.machine(secret) as session, session.get("/api/v1/beds") as reply:
        assert reply.status == 200
    await page.reload()
    assert secret not in await page.content()
    mine = page.locator(".person", has_text=f"app of a {size}")
    await mine.get_by_role("button", name="Revoke").press("Enter")
    await mine.locator(".yes").press("Enter")
    await expect(mine.locator(".state")).to_have_text("revoked")
    await expect(mine.get_by_role("button", name="Revoke")).to_have_count(0)
    assert await page.evaluate(findings) == []


async def test_nobody_but_an_administrator_sees_tokens(at) -> None:
    page = await at("tokens", "clinician")

    await expect(page.locator("#tokens")).to_have_count(0)


@pytest.mark.parametrize("size", sorted(SIZES))
async def test_a_device_becomes_somebodys_on_the_page(at, machines, findings, size) -> None:
    serial = f"OXY-{size}"
    page = await at("devices", "nurse", size)
    await page.fill("#ownership-claim input[name=device]", serial)
    await page.fill("#ownership-claim input[name=owner]", "ward 3")
    await page.press("#ownership-claim input[name=owner]", "Enter")
    row = page.locator("#owners li", has=page.get_by_role("heading", name=serial))
    await expect(row.locator(".facts")).to_contain_text(f"ward 3 claims {serial}")
    assert await page.evaluate(findings) == []
    await row.get_by_role("button", name="Confirm without the device").click()
    await expect(row.locator(".facts")).to_contain_text("confirmed by Nora Nurse")
    await row.get_by_role("button", name="Hand on").first.click()
    await row.locator("form input").fill("ward 4")
    machines.here[serial] = "1"
    await row.locator("form button").click()
    await row.get_by_role("button", name=re.compile(r"^Confirm\b(?! without)")).click()
    await expect(row.locator(".facts")).to_contain_text("ward 4 (confirmed by the device itself)")
    await page.fill("#ownership-filter input", "ward 9")
    await expect(page.locator("#owners")).to_have_text("Nobody has claimed a device.")
    await page.fill("#ownership-filter input", serial.lower())
    await row.get_by_role("button", name="Release").click()
    await expect(row).to_have_count(0)


async def test_who_may_not_set_devices_sees_owners_and_no_keys(at, machines) -> None:
    async with machines.machine(await machines.token()) as session:
        path = "/api/v1/devices/OXY-seen/claim"
        async with session.post(path, json={"owner": "ward 7"}) as reply:
            assert reply.status == 200
    page = await at("devices", "viewer")
    await expect(page.locator("#owners")).to_contain_text("ward 7 claims OXY-seen")

    await expect(page.locator("#owners button")).to_have_count(0)
    await expect(page.locator("#ownership-claim")).to_have_count(0)
