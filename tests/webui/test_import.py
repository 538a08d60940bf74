"""The page on which a card is imported, before a real worker, a real control socket and a real store."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.config import Web
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.control.server import Server
from daemon.model.signals import Tick
from daemon.store.recorded import sessions
from daemon.words import say
from daemon.worker import working
from tests.daemon.exchange.importing_house import House
from tests.firmware_bridge.recordings.card_writer import CardWriter
from tests.webui._signed import Roles
from webui.app import serving
from webui.pages import imports

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

DAY = date(2024, 3, 8)
EVENING = datetime(2024, 3, 8, 22, 30, 15)  # noqa: DTZ001 - a card has no time zone


def zipped(folder: Path) -> bytes:
    """A card with two sessions as a zip file."""
    card = CardWriter(folder)
    card.identify()
    card.session(DAY, EVENING, 3)
    card.session(DAY, EVENING + timedelta(hours=1), 2, seed=1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in folder.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
    return packed.getvalue()


def refusal(answer: tuple[int, dict]) -> str:
    status, state = answer
    assert (status, state["state"]) == (200, "failed")
    return state["refused"]


class Ward(House):
    """A house whose screens are told that all is well."""

    @asynccontextmanager
    async def listening(self, routes):
        hub = LiveHub(
            boot="boot-1",
            version="0.1.0",
            box="b",
            demo=True,
            utc_ms=lambda: time.time_ns() // 10**6,
            beds=[(bed, bed, DisplayState(mode="monitor", mains_hz=50, cleaning=False)) for bed in "12"],
        )
        watches = {
            bed: Watch(
                bed, lambda own, first: AlarmEngine(Limits(own=own), boot="boot-1", first=first), _fail
            )
            for bed in "12"
        }
        for bed, watch in watches.items():
            hub.watch(bed, watch)

        async def passing():
            while True:
                tick = Tick(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
                for bed, watch in watches.items():
                    hub.publish(bed, tick, (), watch.step(tick, ()))
                await asyncio.sleep(0.25)

        ready = asyncio.Event()
        server = Server(hub, lambda _act: None, more=[routes, Roles()], known=Roles())
        tasks = [
            asyncio.create_task(server.run(self.config.box.socket, ready.set)),
            asyncio.create_task(passing()),
        ]
        await ready.wait()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _fail(error: Exception) -> None:
    raise error


class Site:
    """A house with its worker and its pages."""

    def __init__(self, house: House, address: str, client: aiohttp.ClientSession) -> None:
        self.house = house
        self.address = address
        self.client = client

    @property
    def waiting(self) -> list[Path]:
        return list(self.house.config.web_data.glob("*"))

    async def upload(self, body, query="bed=1&timezone=UTC", **more) -> tuple[int, dict]:
        headers = {"Origin": self.address.rstrip("/")}
        url = f"{self.address}api/import?{query}"
        async with self.client.post(url, data=body, headers=headers, **more) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 404 else {}

    async def ended(self) -> dict:
        async with asyncio.timeout(20):
            while True:
                async with self.client.get(f"{self.address}api/import") as answer:
                    state = await answer.json()
                if state["state"] != "running" and not self.waiting:
                    return state
                await asyncio.sleep(0.05)

    def sessions(self):
        return self.house.ask(lambda r: sessions(r, bed="1"))


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "LOOKED_EVERY_S", 0.05)
    house = Ward(tmp_path / "box")
    (tmp_path / "box").mkdir()
    house.config = house.config.model_copy(update={"web": Web(port=0)})
    house.config.web_data.mkdir()
    (house.config.web_data / "card-left-behind.zip").write_bytes(b"x")
    async with (
        house.daemon(),
        working(house.config),
        serving(house.config) as pages,
        aiohttp.ClientSession(headers={"Cookie": "vitald=nurse"}) as c,
    ):
        yield Site(house, pages.address, c)


async def test_an_upload_is_imported_and_deleted(site, tmp_path):
    assert site.waiting == [], "what a web process left behind is gone"
    status, state = await site.upload(zipped(tmp_path / "card"))
    assert (status, state["state"]) == (200, "running")
    state = await site.ended()
    assert (state["state"], state["added"], state["notes"]) == (
        "done",
        2,
        ["no STR.edf: the days' summaries and settings are missing"],
    )
    assert [one.source for one in site.sessions()] == ["import", "import"]


async def test_an_upload_without_a_length_comes_in_pieces(site, tmp_path):
    data = zipped(tmp_path / "card")

    async def pieces():
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    status, _ = await site.upload(pieces())
    assert status == 200
    assert (await site.ended())["added"] == 2


async def test_what_is_too_large_or_no_zip_is_refused_and_leaves_nothing(site, tmp_path, monkeypatch):
    data = zipped(tmp_path / "card")

    async def pieces():
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    assert refusal(await site.upload(b"not a zip file")) == say("import.no_zip")
    monkeypatch.setattr(imports, "LARGEST_BYTES", 5000)
    too_large = say("import.too_large", most="0")
    assert refusal(await site.upload(data)) == too_large, "said before it is sent"
    assert refusal(await site.upload(pieces())) == too_large, "and noticed where it is not"
    assert site.waiting == []
    assert (await site.upload(data, query="bed=9"))[0] == 404


async def test_a_zip_file_without_a_card_says_so(site):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("holiday.jpg", b"x")
    assert (await site.upload(packed.getvalue()))[0] == 200
    state = await site.ended()
    assert state["state"] == "failed"
    assert "not a ResMed card" in state["refused"]


async def test_an_upload_that_breaks_off_leaves_nothing_and_the_next_one_goes(site, tmp_path):
    data = zipped(tmp_path / "card")

    async def broken():
        yield data[:1000]
        raise RuntimeError("the cable")

    with pytest.raises((aiohttp.ClientError, RuntimeError)):
        await site.upload(broken())
    async with asyncio.timeout(10):
        while site.waiting:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        while (await site.upload(data))[1]["state"] != "running":
            await asyncio.sleep(0.05)
    assert (await site.ended())["added"] == 2


async def test_one_upload_at_a_time(site, tmp_path):
    data, go_on = zipped(tmp_path / "card"), asyncio.Event()

    async def slow():
        yield data[:1000]
        await go_on.wait()
        yield data[1000:]

    first = asyncio.create_task(site.upload(slow()))
    async with asyncio.timeout(10):
        while not site.waiting:
            await asyncio.sleep(0.02)
    assert refusal(await site.upload(data)) == say("import.busy")
    go_on.set()
    assert (await first)[0] == 200
    assert (await site.ended())["added"] == 2


async def test_only_pages_of_this_box_may_upload(site, tmp_path):
    url = f"{site.address}api/import?bed=1"
    async with site.client.post(url, data=b"x", headers={"Origin": "http://elsewhere"}) as answer:
        assert answer.status == 403


@pytest.mark.browser
async def test_a_person_imports_a_card(site, page: Page, tmp_path):
    archive = tmp_path / "card.zip"
    archive.write_bytes(zipped(tmp_path / "card"))
    await page.goto(f"{site.address}bed/1/import")
    await page.set_input_files("input[name=card]", archive)
    await page.click("#begin")
    state = page.locator("#state")
    await expect(state).to_contain_text("2 new sessions", timeout=20_000)
    await expect(page.locator("#notes li")).to_have_text(
        ["no STR.edf: the days' summaries and settings are missing"]
    )
    await expect(page.locator("#cancel")).to_be_hidden()

    (tmp_path / "no.zip").write_text("no zip file")
    await page.set_input_files("input[name=card]", tmp_path / "no.zip")
    await page.click("#begin")
    await expect(state).to_have_text(say("import.failed", reason=say("import.no_zip")))
