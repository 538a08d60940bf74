"""What is old, silent, lost or stuck is said, within the times that safety allows, and comes back by itself."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time

import psutil
import pytest
from playwright.async_api import Page, expect

from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

LIVE = "d.link === 'live' && d.stalled === 'false'"


async def test_an_old_number_greys_with_its_age_and_goes_after_three_seconds(
    live: Page, feeder, boot_clock
) -> None:
    tile = live.locator("#heart-rate")
    await expect(tile).to_have_attribute("data-state", "live")
    feeder.frozen_metrics_ns = boot_clock()
    await expect(tile).to_have_attribute("data-state", "old", timeout=2900)
    await expect(tile.locator(".age")).to_have_text("2 s old")
    await expect(tile).to_have_attribute("data-state", "blank", timeout=1400)
    assert boot_clock() - feeder.frozen_metrics_ns < 3.6e9
    await expect(tile.locator(".why")).to_have_text("Old value")


async def test_a_silent_box_is_told_within_three_seconds_and_recovers(live: Page, feeder, until) -> None:
    feeder.talking = False
    await until(live, "d.link === 'silent'", timeout_s=3)
    await expect(live.locator("#loss")).to_contain_text("BOX NOT ANSWERING")
    await expect(live.locator("#loss")).to_contain_text("Look at the patient.")
    await expect(live.locator("#heart-rate")).to_have_attribute("data-state", "blank", timeout=2000)
    await expect(live.locator("#device-chips")).to_have_text("ecgNot known")
    feeder.talking = True
    await until(live, LIVE, timeout_s=3)
    await expect(live.locator("#loss")).to_be_hidden()


async def test_a_box_that_died_is_told_at_once_and_recovers(
    page: Page, tmp_path, feeder_of, config_for, shown, until
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)) as box, serving(config_for(tmp_path)) as served:
        await shown(page, served.address)
        await box.stop()
        await until(page, "d.link === 'silent'", timeout_s=3)
        box.boot = "boot-2"
        box.replug()
        await box.start()
        await until(page, LIVE, timeout_s=4)


async def test_a_page_without_its_server_says_connection_lost_and_recovers(
    page: Page, feeder, config_for, shown, until
) -> None:
    config = config_for(feeder.socket.parent)
    async with serving(config) as served:
        await shown(page, served.address)
        port = int(served.address.rstrip("/").rsplit(":", 1)[1])
    await until(page, "d.link === 'lost'", timeout_s=3)
    await expect(page.locator("#loss")).to_contain_text("CONNECTION LOST 0:0")
    await expect(page.locator("#heart-rate")).to_have_attribute("data-state", "blank", timeout=3500)
    again = config.model_copy(update={"web": config.web.model_copy(update={"port": port})})
    async with serving(again):
        await until(page, LIVE, timeout_s=5)
        await expect(page.locator("#loss")).to_be_hidden()


async def test_without_a_daemon_the_page_is_served_and_says_so(
    page: Page, tmp_path, config_for, until
) -> None:
    async with serving(config_for(tmp_path)) as served:
        await page.goto(served.address)
        await until(page, "d.link === 'silent'", timeout_s=3)
        await expect(page.locator("#loss")).to_contain_text("BOX NOT ANSWERING")
        await expect(page.locator("#heart-rate .value")).to_have_text("--")


async def test_a_stuck_page_is_covered_by_the_style_sheet_alone(page: Page, site: str, shown) -> None:
    """The page's thread is busy for 4 s; what the compositor shows meanwhile is looked at: dark, with white letters."""
    await shown(page, site)
    pictures: list[tuple[float, bytes]] = []
    view = await page.context.new_cdp_session(page)
    acknowledged: set[asyncio.Task[object]] = set()

    def take(event: dict[str, object]) -> None:
        pictures.append((time.monotonic(), base64.b64decode(str(event["data"]))))
        task = asyncio.create_task(
            view.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]}), name="screencast"
        )
        acknowledged.add(task)
        task.add_done_callback(acknowledged.discard)

    view.on("Page.screencastFrame", take)
    await view.send("Page.startScreencast", {"format": "png"})
    await page.evaluate(
        "setTimeout(() => { const end = performance.now() + 4000; while (performance.now() < end); })"
    )
    stuck = time.monotonic()
    # An answer comes only from a thread that is free again.
    await page.evaluate("1")
    free = time.monotonic()
    await view.send("Page.stopScreencast")
    meanwhile = [picture for at, picture in pictures if stuck + 1 < at < min(free, stuck + 3.5)]
    lightness = """async (png) => {
      const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const bright = (x, y, w, h) => context.getImageData(x, y, w, h).data.filter((v, i) => i % 4 === 1 && v > 150).length;
      return { words: bright(440, 340, 400, 120), number: bright(1030, 130, 240, 140) };
    }"""
    alive = await page.evaluate(lightness, base64.b64encode(pictures[0][1]).decode())

    assert free - stuck > 3
    assert alive["number"] > 2000
    assert meanwhile
    covered = await page.evaluate(lightness, base64.b64encode(meanwhile[-1]).decode())
    assert covered["words"] > 1000
    assert covered["number"] == 0


async def test_drawn_frames_keep_the_overlay_away(live: Page) -> None:
    overlay = "document.getElementById('deadman').getAnimations()[0]"
    assert await live.evaluate(f"{overlay}.effect.getComputedTiming().delay") == 3000
    await live.evaluate(f"{overlay}.currentTime = 2400")
    await live.wait_for_function(f"() => {overlay}.currentTime < 600")
    assert await live.evaluate("getComputedStyle(document.getElementById('deadman')).opacity") == "0"


async def test_a_picture_that_stands_while_messages_come_reloads_once(
    page: Page, site: str, shown, until
) -> None:
    """Five seconds without a frame, by the page's own (fake) clock."""
    await page.clock.install()
    await shown(page, site)
    async with page.expect_navigation(timeout=8000):
        await page.evaluate("window.requestAnimationFrame = () => 0")
        await page.clock.fast_forward(6000)
    await until(page, LIVE)
    await page.evaluate("window.requestAnimationFrame = () => 0; window.same = true")
    await page.clock.fast_forward(6000)
    samples = int(await page.evaluate("document.documentElement.dataset.lastSample"))
    await until(page, f"+d.lastSample > {samples + 500}")
    assert await page.evaluate("window.same")


async def test_a_hidden_page_says_so_and_restarts_at_now_when_it_is_seen_again(
    page: Page, site: str, shown, until
) -> None:
    """Playwright keeps every page visible: the state is overridden and its event sent."""
    reports: list[str] = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda text: reports.append(str(text))))
    await shown(page, site)
    turn = """(state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await until(page, "+d.jumps === 1")
    await page.evaluate(turn, "hidden")
    async with asyncio.timeout(5):
        while not any('"visible":false' in report for report in reports):
            seq = await page.evaluate("document.documentElement.dataset.lastSample")
            await until(page, f"+d.lastSample > {seq}")
    assert await page.evaluate("document.documentElement.dataset.jumps") == "1"
    await page.evaluate(turn, "visible")
    await until(page, "+d.jumps === 2 && d.stalled === 'false'")


async def test_another_version_of_the_box_reloads_the_page(
    page: Page, tmp_path, feeder_of, config_for, shown, until
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)) as box, serving(config_for(tmp_path)) as served:
        await shown(page, served.address)
        async with page.expect_navigation(timeout=5000):
            box.version = "0.2.0"
        await until(page, LIVE)


async def test_streaming_leaves_nothing_behind(page: Page, site: str, feeder, shown, until) -> None:
    """Frames come ten times as often as they should: kept ones would weigh 0.5 MB after four seconds."""
    await shown(page, site)
    probe = await page.context.new_cdp_session(page)
    await probe.send("Performance.enable")

    async def measure() -> tuple[float, float, float]:
        await probe.send("HeapProfiler.collectGarbage")
        heap = await probe.send("Runtime.getHeapUsage")
        metrics = {m["name"]: m["value"] for m in (await probe.send("Performance.getMetrics"))["metrics"]}
        used = heap["usedSize"] + heap.get("backingStorageSize", 0)
        return used / 2**20, metrics["Nodes"], metrics["JSEventListeners"]

    feeder.copies = 10
    await until(page, "+d.lastSample > 500")
    before = await measure()
    sample = int(await page.evaluate("document.documentElement.dataset.lastSample"))
    await until(page, f"+d.lastSample > {sample + 2000}", timeout_s=20)
    after = await measure()

    assert after[0] - before[0] < 0.3
    assert after[1] <= before[1] + 20
    assert after[2] <= before[2]


async def test_a_renderer_that_was_stopped_comes_back_to_now(
    browser, site: str, feeder, shown, until
) -> None:
    """SIGSTOP for 6 s: nothing of it can appear meanwhile; after SIGCONT the page shows what is, not what was."""
    before = {child.pid for child in renderers()}
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await shown(page, site)
    mine = [child for child in renderers() if child.pid not in before]
    assert mine
    for child in mine:
        child.suspend()
    await asyncio.sleep(6)
    feeder.heart_rate = 60.0
    for child in mine:
        child.resume()
    await expect(page.locator("#heart-rate .value")).to_have_text("60", timeout=3000)
    await until(page, LIVE, timeout_s=3)
    stamp = await page.evaluate("Number(document.documentElement.dataset.lastSample)")
    assert abs(stamp - feeder.sample) < 2 * 500
    await page.wait_for_function(  # with the first frame that it draws
        "() => getComputedStyle(document.getElementById('deadman')).opacity === '0'", timeout=3000
    )
    await context.close()


def renderers() -> list[psutil.Process]:
    """The renderer processes of browsers that this test process started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "--type=renderer" in " ".join(child.cmdline()):
                found.append(child)
    return found
