"""What is heard from a page: the same bursts as from the box, at once, and said aloud where the browser does not let it."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from playwright.async_api import Page, expect

from daemon.model.alarms import Priority
from daemon.signals import bursts, player
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

# Everything that goes to the loudspeaker goes through an analyser as well; starts and stops are written down.
LISTEN = """
window.heard = { starts: [], stops: 0 };
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    window.analyser ??= new AnalyserNode(this.context, { fftSize: 2048 });
    connect.call(this, window.analyser);
  }
  return connect.call(this, target, ...rest);
};
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (at) {
  window.heard.starts.push([at, this.buffer.duration, this.context.state]);
  return start.call(this, at);
};
const stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.stop = function (at) {
  window.heard.stops += 1;
  return stop.call(this, at);
};
"""
LEVEL = """() => new Promise((done) => {
  const samples = new Float32Array(2048);
  let peak = 0;
  const until = performance.now() + 600;
  const look = () => {
    window.analyser.getFloatTimeDomainData(samples);
    peak = Math.max(peak, Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length));
    performance.now() < until ? setTimeout(look, 20) : done(peak);
  };
  look();
})"""


async def listening(page: Page) -> None:
    await page.add_init_script(LISTEN)
    await page.reload()
    await page.click("#time")


@pytest.mark.parametrize("priority", list(Priority))
async def test_a_burst_is_the_boxs_own(live: Page, priority: Priority) -> None:
    """Sample by sample, at the box's rate: so what is proved of the one holds for the other."""
    script = await live.evaluate("document.querySelector('script[src$=\"bed.js\"]').src")
    samples = await live.evaluate(
        "async ([url, priority, rate]) => [...(await import(url)).burst(priority, rate)]",
        [script.replace("bed.js", "bursts.js"), str(priority), bursts.RATE],
    )
    np.testing.assert_allclose(samples, bursts.burst(priority), atol=1e-5)


async def test_repeats_are_the_boxs_own(live: Page) -> None:
    script = await live.evaluate("document.querySelector('script[src$=\"bed.js\"]').src")
    told = await live.evaluate(
        "async (url) => { const m = await import(url); return [m.REPEAT_S, m.LOW_REPEATS]; }",
        script.replace("bed.js", "bursts.js"),
    )
    assert told == [{str(p): seconds for p, seconds in player.REPEAT_S.items()}, player.LOW_REPEATS]


async def test_an_alarm_is_heard_and_an_acknowledgement_ends_it(attended, ward, until) -> None:
    async with attended() as page:
        await listening(page)
        await until(page, "d.sound === 'on' && d.link === 'live'")
        assert await page.evaluate("window.heard.starts") == []
        ward.rhythm("VFL")
        await until(page, "d.sounding === 'high' && d.bursts === '1'", timeout_s=6)
        assert await page.evaluate(LEVEL) > 0.02
        ((_, seconds, state),) = await page.evaluate("window.heard.starts")
        assert state == "running"
        assert seconds == pytest.approx(len(bursts.burst(Priority.HIGH)) / bursts.RATE, abs=0.01)
        await page.keyboard.press("F1")
        await until(page, "d.sounding === ''", timeout_s=1)
        await page.wait_for_function("() => window.heard.stops === 1", timeout=1000)
        await page.wait_for_timeout(100)
        assert await page.evaluate(LEVEL) < 0.001


async def test_a_worse_alarm_cuts_a_lesser_burst_and_a_lesser_one_waits(attended, ward, until) -> None:
    high = len(bursts.burst(Priority.HIGH)) / bursts.RATE
    async with attended() as page:
        await listening(page)
        await until(page, "d.sound === 'on' && d.link === 'live'")
        ward.fact("remote")
        await until(page, "d.sounding === 'medium' && d.bursts === '1'", timeout_s=3)
        ward.rhythm("VFL")
        await until(page, "d.sounding === 'high' && d.bursts === '2'", timeout_s=6)
        ward.fact("power")
        await until(page, "d.alarms.includes('power_lost')", timeout_s=8)
        seconds = [seconds for _, seconds, _ in await page.evaluate("window.heard.starts")]
        # The high burst goes on, again and again; the new medium alarm does not break into it.
        assert [s == pytest.approx(high, abs=0.01) for s in seconds] == [False, *[True] * (len(seconds) - 1)]


async def test_sound_that_the_browser_blocks_is_said_and_nothing_is_played_late(
    attended, ward, until
) -> None:
    """Looking at a page counts as a gesture for Playwright: before the tap only what the page reports is read."""
    ward.rate = 132.0
    reports: list[dict[str, object]] = []

    def watch(socket) -> None:
        socket.on("framesent", lambda text: reports.append(json.loads(text)))

    async with attended(wait=False) as page:
        page.on("websocket", watch)
        await page.add_init_script(LISTEN)
        await page.reload()
        async with asyncio.timeout(5):
            while len(reports) < 2:
                await asyncio.sleep(0.05)
        assert {report["sound"] for report in reports} == {"blocked"}
        await expect(page.locator("#alarms")).to_have_attribute("data-state", "alarms")
        await page.click("#sound-blocked")
        await until(page, "d.sound === 'on' && d.bursts === '1'", timeout_s=3)
        await expect(page.locator("#sound-blocked")).to_be_hidden()
        assert all(state == "running" for _, _, state in await page.evaluate("window.heard.starts"))


async def test_a_screen_can_be_silent_and_says_so_and_stays_so(attended, ward, until) -> None:
    ward.rate = 132.0
    async with attended() as page:
        await page.click(".keys [aria-controls=sheet-alarms]")
        await until(page, "d.sound === 'on'")
        await page.click("#sound-setting")
        await expect(page.locator("#sound-blocked")).to_have_text("SCREEN SOUND OFF Tap to switch on.")
        await page.reload()
        await until(page, "d.sound === 'off' && d.link === 'live' && d.sounding === 'medium'")
        assert await page.evaluate("document.documentElement.dataset.bursts") == "0"
        await page.click("#sound-blocked")
        await until(page, "d.sound === 'on' && d.bursts === '1'", timeout_s=3)


async def test_a_page_without_its_box_alarms_by_itself_within_five_seconds(attended, bed_box, until) -> None:
    async with attended() as page:
        await listening(page)
        await until(page, "d.sound === 'on' && d.link === 'live'")
        bed_box.talking = False
        await until(page, "d.sounding === 'high' && d.bursts === '1'", timeout_s=5)
        assert await page.evaluate(LEVEL) > 0.02
        loss = page.locator("#loss")
        await expect(loss).to_contain_text("NO CONNECTION")
        await expect(loss).to_have_attribute("data-flash", "high")
        await page.wait_for_function("() => document.getElementById('loss').dataset.lit === 'false'")
        await page.wait_for_function("() => document.getElementById('loss').dataset.lit === 'true'")
        await page.keyboard.press("F1")  # seen here: the sound ends, the picture stays and stands
        await until(page, "d.sounding === '' && d.link === 'silent'", timeout_s=1)
        await expect(loss).to_have_attribute("data-flash", "")
        await expect(loss).to_be_visible()
        bed_box.talking = True
        await until(page, "d.link === 'live'", timeout_s=4)
        await expect(loss).to_be_hidden()
    assert bed_box.acts == []


async def test_a_page_without_its_server_alarms_by_itself_within_five_seconds(
    page: Page, feeder, config_for, shown, until
) -> None:
    async with serving(config_for(feeder.socket.parent)) as served:
        await shown(page, served.address)
        await page.click("#time")
        await until(page, "d.sound === 'on'")
    await until(page, "d.link === 'lost' && d.sounding === 'high' && d.bursts === '1'", timeout_s=5)
    await expect(page.locator("#loss")).to_contain_text("NO CONNECTION")
