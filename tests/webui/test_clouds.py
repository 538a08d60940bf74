"""The page of the clouds before a real forwarder with a real ledger: what waits and why is seen, and people can steer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from benchmarks._backlog import BOOT, recorded
from daemon.config import Destination, Forward
from daemon.forward.destinations import DONE
from daemon.forward.process import Forwarder
from daemon.words import say
from tests.daemon.forward.kit import AGAIN, PARKED, REFUSED, Receiver
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


class Clouds:
    """Three clouds: `here` refuses record 7 until `mended`, `away` is out of reach, `shut` waits for a person."""

    def __init__(self) -> None:
        self.mended = False
        self.receivers = {
            "here": Receiver(lambda _, seqs: REFUSED if 7 in seqs and not self.mended else DONE),
            "away": Receiver(lambda _sealed, _seqs: AGAIN),
            "shut": Receiver(opens=lambda: PARKED),
        }
        self.site = ""

    @asynccontextmanager
    async def forwarding(self, config) -> AsyncIterator[Forwarder]:
        for folder in (config.forward_data, config.forward_socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
        forwarder = Forwarder(config, boot=BOOT, makes=lambda name, _: self.receivers[name])
        task = asyncio.create_task(forwarder.run())
        yield forwarder
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def clouds(tmp_path, feeder_of, config_for) -> AsyncIterator[Clouds]:
    """The web process before a forwarder that has got as far as it can."""
    (tmp_path / "box").mkdir()
    made = Clouds()
    to = {name: Destination(kind="folder") for name in made.receivers}
    config = config_for(tmp_path / "box").model_copy(update={"forward": Forward(destinations=to)})
    await recorded(config.box.database, 5)
    async with (
        feeder_of(config.box.socket, ("1",)),
        serving(config) as site,
        made.forwarding(config) as forwarder,
    ):
        made.site = site.address
        senders = forwarder.senders
        await reached(lambda: len(senders) == 3 and senders["here"].quarantined > 0)
        await reached(lambda: senders["away"].health.failing_since_ms > 0)
        await reached(lambda: bool(senders["shut"].delivery.standing.parked))
        await reached(
            lambda: all(_sent(senders["here"], lane) for lane in senders["here"].delivery.lanes.done)
        )
        yield made


def _sent(sender, lane) -> bool:
    return sender.delivery.lanes.confirmed(lane) == sender.delivery.lanes.head(lane)


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def card(page: Page, name: str):
    return page.locator(f'.cloud[data-name="{name}"]')


async def test_each_cloud_is_seen_and_steered(clouds: Clouds, page: Page, until, findings) -> None:
    technician = {"name": "vitald", "value": "technician", "domain": "127.0.0.1", "path": "/"}
    await page.context.add_cookies([technician])
    await page.goto(f"{clouds.site}clouds")
    await until(page, "d.clouds === 'idle waiting parked' && d.link === 'live'")
    here, away, shut = (card(page, name) for name in ("here", "away", "shut"))
    await expect(page.locator("#clouds-hint")).to_have_text("here, shut: a person must act.")
    await expect(page.locator("#clouds-summary")).to_contain_text("messages wait to be sent")
    for one, state in ((here, "idle"), (away, "waiting"), (shut, "parked")):
        await expect(one.locator(".state")).to_have_text(say(f"clouds.state.{state}"))
    await expect(away.locator(".reason")).to_have_text("reset")
    await expect(away.locator('[data-lane="metrics"] .waiting')).to_have_text("5")
    await expect(away.locator('[data-part="oldest"] dd')).to_contain_text(" d ")  # recorded long ago
    await expect(away.locator('[data-part="success"] dd')).to_have_text("never yet")
    await expect(here.locator('[data-part="oldest"] dd')).to_have_text("nothing waits")
    await expect(here.locator('[data-part="success"] dd')).not_to_have_text("never yet")
    await expect(shut.locator(".reason")).to_have_text(PARKED.reason)
    assert await page.evaluate(findings) == []

    await here.locator(".steer").focus()
    await page.keyboard.press("Enter")
    await expect(here).to_have_attribute("data-state", "paused")
    await expect(here.locator(".reason")).to_contain_text("paused by Nora Technician")
    await expect(here.locator(".steer")).to_have_text("Resume here")
    await page.keyboard.press("Enter")
    await expect(here).to_have_attribute("data-state", "idle")

    clouds.receivers["shut"].opens = lambda: DONE
    await shut.locator(".retry").click()
    await expect(shut).to_have_attribute("data-state", "idle", timeout=12_000)

    await here.locator(".refused").click()
    line = here.locator(".quarantine li")
    await expect(line).to_have_count(1)
    await expect(line.locator(".why")).to_contain_text(f": {REFUSED.reason}")
    assert await page.evaluate(findings) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate(findings) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    clouds.mended = True
    await line.locator(".key").click()
    await expect(here.locator(".refused")).to_be_hidden(timeout=12_000)
    await reached(lambda: 7 in clouds.receivers["here"].seqs)


async def test_without_a_forwarder_the_page_says_so_and_shows_nothing_old(
    page: Page, until, tmp_path, feeder_of, config_for, findings
) -> None:
    (tmp_path / "box").mkdir()
    config = config_for(tmp_path / "box")
    to = Forward(destinations={"ward": Destination(kind="folder")})
    async with (
        feeder_of(config.box.socket, ("1",)),
        serving(config) as bare,
        serving(config.model_copy(update={"forward": to})) as site,
    ):
        await page.goto(f"{site.address}clouds")
        await until(page, "d.clouds === 'silent' && d.link === 'live'")
        await expect(page.locator("#clouds-summary")).to_have_text(say("clouds.silent"))
        await expect(card(page, "ward").locator(".state")).to_have_text("Not known")
        await expect(card(page, "ward").locator(".known")).to_be_hidden()
        await expect(card(page, "ward").locator(".steer")).to_be_disabled()
        assert await page.evaluate(findings) == []
        await page.goto(f"{bare.address}clouds")
        await expect(page.locator("#clouds-summary")).to_have_text(say("clouds.none"))


async def test_only_our_own_pages_steer_and_only_what_is_configured(tmp_path, feeder_of, config_for) -> None:
    (tmp_path / "box").mkdir()
    to = Forward(destinations={"ward": Destination(kind="folder")})
    config = config_for(tmp_path / "box").model_copy(update={"forward": to})
    async with (
        feeder_of(config.box.socket, ("1",)),
        serving(config) as site,
        aiohttp.ClientSession(site.address, headers={"Cookie": "vitald=technician"}) as http,
    ):
        ours = {"Origin": site.address.rstrip("/"), "Content-Type": "application/json"}

        async def post(path: str, headers: dict[str, str], body: str = "{}") -> int:
            async with http.post(f"/api/clouds/{path}", headers=headers, data=body) as response:
                return response.status

        assert await post("ward/pause", {}) == 403
        assert await post("ward/pause", {"Origin": "http://evil.example"}) == 403
        assert await post("nowhere/pause", ours) == 404
        assert await post("ward/burn", ours) == 404
        assert await post("ward/quarantine", ours, '{"seqs": "all"}') == 400
        assert await post("ward/pause", ours) == 503  # no forwarder
