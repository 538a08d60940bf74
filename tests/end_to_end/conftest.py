"""The whole product in a folder, and a real browser in front of it."""

from __future__ import annotations

import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from benchmarks._box import Box
from daemon.control.people import PeopleClient, PersonAct

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(
    scope="module"
)  # not longer: its event loop would still be running under the next file's tests
def chromium():
    if not Path(CHROMIUM).exists():
        assert os.environ.get("CI") != "true", "chromium is not installed"
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


PASSWORD = "four words in a row"


@pytest.fixture(scope="session")
def made_known():
    """`made_known(control socket, role)`: a person is made by the command line's way; the full name."""

    def make_one(socket: Path, role: str) -> str:
        name = f"Sasha {role.capitalize()}"  # the demo has people of its own
        act = PersonAct(
            id=str(uuid.uuid4()),
            verb="add",
            values={"full_name": name},
            role=role,
            password=PASSWORD,
            keeps=True,
        )

        async def make():
            async with PeopleClient(socket) as client:
                return await client.person(act)

        # a browser's driver has this thread's loop
        made = ThreadPoolExecutor(1).submit(asyncio.run, make()).result()
        assert made.acted, made.error
        return name

    return make_one


@pytest.fixture
def signed_in(made_known):
    """`signed_in(page, url, control socket, role)`: such a person signs in, as the page does."""

    def enter(page, url: str, socket: Path, role: str) -> str:
        name = made_known(socket, role)
        given = {"identifier": name, "password": PASSWORD}
        headers = {"Origin": url.rstrip("/")}
        told = page.request.post(f"{url}api/sign-in", data=given, headers=headers).json()
        assert told["name"] == name, told
        return name

    return enter


@pytest.fixture
def box(tmp_path):
    with Box(tmp_path) as running:
        yield running
