"""A box to look at, and browsers in front of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from daemon.config import Config
from daemon.store.writer import Writer
from tests.webui._feeder import Feeder, boot_ns, config_for
from tests.webui._ward import Ward
from webui.app import serving

CHROMIUM_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TABLET = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LIVE = "d.link === 'live' && d.stalled === 'false' && +d.samplesDrawn > 1000"


@pytest.fixture(scope="session")
def chromium() -> str:
    path = os.environ.get("VITALD_CHROMIUM") or shutil.which("chromium")
    if path is None:
        assert os.environ.get("CI") != "true", "chromium is missing: apt install chromium"
        pytest.skip("chromium is not installed: tests in the browser were not run")
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def box(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Feeder]:
    box = Feeder(tmp_path_factory.mktemp("box") / "control.sock")
    await box.start()
    yield box
    await box.stop()


@pytest.fixture
def feeder(box: Feeder) -> Feeder:
    """The box behind `site`, as new."""
    box.reset()
    return box


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(box: Feeder) -> AsyncIterator[str]:
    async with serving(config_for(box.socket.parent)) as site:
        yield site.address


@pytest.fixture
def site(served: str, feeder: Feeder) -> str:  # noqa: ARG001 - a box as new stands behind it
    """Address of the web process in front of the feeder."""
    return served


@contextlib.asynccontextmanager
async def screen(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page at which somebody has signed in (`role`, None = nobody). Whatever it complains about fails the test, but for connections that the test breaks on purpose."""
    role = options.pop("role", "clinician")
    context = await browser.new_context(**options)
    if role:
        await context.add_cookies([{"name": "vitald", "value": role, "domain": "127.0.0.1", "path": "/"}])
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    try:
        yield page
    finally:
        await (
            context.close()
        )  # a page that is left open goes on drawing, and takes the processor from all tests after it
    assert [
        text for text in complaints if "ERR_" not in text and "WebSocket" not in text and "503" not in text
    ] == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, tablet: Page) -> AsyncIterator[Page]:
    """A tablet that nobody has used yet."""
    await tablet.goto("about:blank")
    async with screen(browser, viewport=TABLET) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Page]:
    """A phone."""
    async with screen(browser, viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True) as page:
        yield page


TABLETS: list[Page] = []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tablet(browser: Browser) -> AsyncIterator[Page]:
    async with screen(browser, viewport=TABLET) as page:
        TABLETS.append(page)
        yield page
        TABLETS.remove(page)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _nothing_is_drawn_behind_others() -> AsyncIterator[None]:
    """After a file the tablet shows nothing: drawing takes the processor from the tests of other rooms."""
    yield
    for page in TABLETS:
        await page.goto("about:blank")


@pytest_asyncio.fixture(loop_scope="session")
async def live(tablet: Page, site: str, feeder: Feeder) -> Page:
    """A tablet that shows this bed: one page for all tests that leave it as it was."""
    if tablet.url != site:
        await tablet.goto(site)
    await feeder.say()
    await until(tablet, f"d.connection === '{feeder.connection}' && {LIVE}")
    return tablet


async def until(page: Page, facts: str, timeout_s: float = 10.0) -> None:
    """Wait for a condition on `d`, the facts that the page publishes about itself."""
    await page.wait_for_function(
        f"() => {{ const d = document.documentElement.dataset; return {facts}; }}", timeout=1000 * timeout_s
    )


async def shown(page: Page, address: str) -> None:
    """Open a bed's page and wait until its waves move."""
    await page.goto(address)
    await until(page, LIVE)


# Tests import nothing from each other: what they need of this file comes as fixtures.
@pytest.fixture(name="until", scope="session")
def _until() -> Callable[..., Awaitable[None]]:
    return until


@pytest.fixture(name="shown", scope="session")
def _shown() -> Callable[..., Awaitable[None]]:
    return shown


@pytest.fixture(scope="session")
def findings() -> str:
    """What is wrong with a page for whoever reads, hears or hits it: a function for the browser, gives a list."""
    return (Path(__file__).parent / "findings.js").read_text()


@pytest.fixture(name="config_for", scope="session")
def _config_for() -> Callable[..., Config]:
    return config_for


@pytest.fixture(scope="session")
def boot_clock() -> Callable[[], int]:
    return boot_ns


@pytest.fixture(scope="session")
def feeder_of() -> Callable[..., contextlib.AbstractAsyncContextManager[Feeder]]:
    @contextlib.asynccontextmanager
    async def running(socket: Path, beds: tuple[str, ...]) -> AsyncIterator[Feeder]:
        box = Feeder(socket, beds)
        await box.start()
        yield box
        await box.stop()

    return running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def alarm_box(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Feeder, str]]:
    """A box of its own for alarms, and the address of its pages: what the relay keeps stays out of other tests."""
    box = Feeder(tmp_path_factory.mktemp("alarms") / "control.sock")
    await box.start()
    async with serving(config_for(box.socket.parent)) as site:
        yield box, site.address
    await box.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def recorder(alarm_box: tuple[Feeder, str]) -> AsyncIterator[Writer]:
    """The store of the box of alarms, open for writing as a daemon has it."""
    folder = alarm_box[0].socket.parent
    offset_ns = time.time_ns() - boot_ns()
    writer = Writer(
        folder / "vitald.db", boot="boot-1", now=boot_ns, utc_offset_ns=offset_ns, commit_every_s=0.05
    )
    await writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
def ward(request: pytest.FixtureRequest) -> Ward:
    """A bed whose heart has beaten well for 20 s; 40 s more (or its parameter less 20) can be told of before now."""
    made = Ward(getattr(request, "param", 60.0))
    made.run(20)
    return made


Attend = Callable[..., contextlib.AbstractAsyncContextManager[Page]]


@pytest.fixture
def attended(alarm_box: tuple[Feeder, str], browser: Browser, ward: Ward) -> Attend:
    """Opens a screen in front of the ward and waits until its waves move."""
    box, address = alarm_box
    box.reset()

    @contextlib.asynccontextmanager
    async def opened(*, wait: bool = True, **options: Any) -> AsyncIterator[Page]:
        if box.ward is not ward:
            box.heart_rate = ward.rate
            await box.attend(ward)
        async with screen(browser, **{"viewport": TABLET, **options}) as page:
            await page.goto(address)
            if wait:
                await until(page, LIVE)
            yield page

    return opened


@pytest.fixture
def bed_box(alarm_box: tuple[Feeder, str]) -> Feeder:
    """The box of `attended`."""
    return alarm_box[0]
