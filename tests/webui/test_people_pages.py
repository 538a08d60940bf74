"""The pages of signing in, people and the audit before the daemon's own desk: by keyboard alone, on a tablet and a phone, with what goes wrong."""

from __future__ import annotations

import time

import pytest
import pytest_asyncio
from playwright.async_api import expect

from daemon.control.acting import middleware
from daemon.control.people import PersonAct
from daemon.control.people_routes import PeopleRoutes
from daemon.model.actor import Actor, acts
from daemon.people.passwords import Passwords
from daemon.signing import Signing
from daemon.store.box import BoxFile
from daemon.words import say
from tests.webui._feeder import Feeder, config_for
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "four words in a row"
CONSOLE = Actor("console (root)", None, "console (root)")
SIZES = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
WIDER = "() => document.documentElement.scrollWidth > innerWidth"
CHEAP = (64, 1, 1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory):
    """The address of a box at which Anna is the administrator."""
    folder = tmp_path_factory.mktemp("people")
    file = BoxFile(folder / "box.db")
    signing = Signing(
        file,
        folder / "box.db",
        "boot-1",
        now=time.monotonic_ns,
        utc=lambda: (time.time_ns(), True),
        passwords=Passwords(CHEAP),
    )
    await signing.restore()
    with acts(CONSOLE):
        made = PersonAct(
            id="make-anna",
            verb="add",
            values={"full_name": "Anna Admin"},
            role="admin",
            password=PASSWORD,
            keeps=True,
        )
        assert (await signing.person(CONSOLE, made)).acted
    feeder = Feeder(folder / "control.sock")
    feeder.people = False
    feeder.more.append(lambda app: app.middlewares.append(middleware(signing.entrance)))
    feeder.more.append(PeopleRoutes(signing).add_to)
    await feeder.start()
    async with serving(config_for(folder)) as site:
        yield site.address
    await feeder.stop()
    await signing.close()
    await file.close()


@pytest_asyncio.fixture(loop_scope="session", params=SIZES, ids=["tablet", "phone"])
async def page(browser, request):
    context = await browser.new_context(viewport=request.param)
    complaints = []
    try:
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert not await page.evaluate(WIDER)
    finally:
        await context.close()
    assert complaints == []


async def signs_in(page, house, password=PASSWORD):
    """By keyboard, from the field of the name on."""
    await page.goto(f"{house}sign-in?next=/people")
    await page.locator("[name=identifier]").focus()
    await page.keyboard.type("Anna Admin", delay=1)
    await page.keyboard.press("Tab")
    await page.keyboard.type(password, delay=1)
    await page.keyboard.press("Enter")


async def test_a_wrong_password_is_said_and_the_right_one_leads_on(page, house, findings):
    await signs_in(page, house, "something else again")
    await expect(page.locator("#note")).to_have_text(say("sign_in.wrong"))
    await expect(page.locator("[name=password]")).to_be_focused()
    await expect(page.locator("[name=password]")).to_have_value("")
    assert await page.evaluate(findings) == []
    await expect(page.locator("#no-faces")).to_be_visible()  # nobody has a PIN here
    await page.wait_for_timeout(1100)  # after a wrong one the next counts a second later
    await signs_in(page, house)
    await expect(page.locator("#signed b")).to_have_text("Anna Admin")


async def test_a_person_is_found_added_edited_and_deactivated_by_keyboard(page, house, findings):
    await signs_in(page, house)
    await expect(page.locator("#signed b")).to_have_text("Anna Admin")
    name = f"Nora of {page.viewport_size['width']}"
    summary = page.locator("#adding summary")
    await summary.focus()
    await page.keyboard.press("Enter")
    await page.locator("#add [name=full_name]").focus()
    await page.keyboard.type(name)
    await page.locator("#add [name=role]").select_option("nurse")
    await page.locator("#add button[type=submit]").press("Enter")
    await expect(page.locator("#once")).to_contain_text(name)
    person = page.locator(".person", has=page.get_by_role("heading", name=name))
    await expect(person.locator(".role")).to_have_text(say("role.nurse"))
    assert await page.evaluate(findings) == []
    assert not await page.evaluate(WIDER)
    await person.get_by_role("button", name=say("people.edit")).press("Enter")
    await person.locator("[name=phone]").fill("12 34")
    await person.locator("[name=phone]").press("Enter")
    await expect(person.locator("form.edit")).to_be_hidden()
    await person.get_by_role("button", name=say("people.deactivate")).press("Enter")
    await person.locator(".yes").press("Enter")
    await expect(person.locator(".state")).not_to_be_empty()
    await page.fill("#filter [name=find]", "nobody of this name")
    await page.press("#filter [name=find]", "Enter")
    await expect(page.locator(".person")).to_have_count(0)
    await expect(page.locator("#summary")).to_have_text(say("people.none"))


async def test_the_audit_says_what_was_done_and_that_nothing_fits(page, house, findings):
    await signs_in(page, house)
    await expect(page.locator("#signed b")).to_have_text("Anna Admin")
    await page.goto(f"{house}audit")
    await expect(page.locator("#chain")).to_have_attribute("data-state", "whole")
    await expect(page.locator("#rows tbody tr").first).to_have_attribute("data-act", "sign_in")
    assert await page.evaluate(findings) == []
    assert not await page.evaluate(WIDER)
    await page.locator("#filter [name=act]").focus()
    await page.keyboard.type("person_added")
    await page.keyboard.press("Enter")
    await expect(page.locator("#rows tbody tr").last).to_contain_text("Anna Admin")
    await expect(page.locator('#rows tbody tr:not([data-act="person_added"])')).to_have_count(0)
    await page.fill("#filter [name=act]", "nothing like it")
    await page.press("#filter [name=act]", "Enter")
    await expect(page.locator("#note")).to_have_text(say("audit.none"))
