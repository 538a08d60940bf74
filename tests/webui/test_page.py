"""What a nurse sees, in a real browser, in front of a real web process."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from daemon.control.messages import QualityState
from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

LIVE = "d.link === 'live' && d.stalled === 'false' && +d.samplesDrawn > 1000"


async def test_waves_move_and_the_heart_rate_is_shown(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await expect(page.locator("#heart-rate .value")).to_have_text("75")
    await expect(page.locator("#heart-rate .source")).to_have_text("lead II")
    await expect(page.locator("#rr-interval .value")).to_have_text("800")
    await expect(page.locator("#caption")).to_have_text("25 mm/s · 10 mm/mV · 0.5–40 Hz · notch 50 Hz")
    await expect(page.locator("#device-chips")).to_contain_text("Sending")
    assert await page.locator(".lane").count() == 13
    drawn = int(await page.evaluate("document.documentElement.dataset.samplesDrawn"))
    await until(page, f"+d.samplesDrawn > {drawn + 6000}")


async def test_a_simulated_patient_wears_demo_and_a_real_one_does_not(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await expect(page.locator("#waves .watermark")).to_be_visible()
    await expect(page.locator(".badge.demo")).to_be_visible()
    feeder.demo = False
    await expect(page.locator("#waves .watermark")).to_be_hidden()
    await expect(page.locator(".badge.demo")).to_be_hidden()


async def test_an_absent_number_is_blank_with_its_reason(page: Page, site: str, feeder, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    feeder.heart_rate, feeder.why = None, "leads_off"
    tile = page.locator("#heart-rate")
    await expect(tile).to_have_attribute("data-state", "blank")
    await expect(tile.locator(".value")).to_have_text("--")
    await expect(tile.locator(".why")).to_have_text("ECG leads off")


async def test_an_old_number_greys_with_its_age_and_goes_after_three_seconds(
    page: Page, site: str, feeder, boot_clock, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    tile = page.locator("#heart-rate")
    await expect(tile).to_have_attribute("data-state", "live")
    feeder.frozen_metrics_ns = boot_clock()
    await expect(tile).to_have_attribute("data-state", "old", timeout=2900)
    await expect(tile.locator(".age")).to_have_text("2 s old")
    await expect(tile).to_have_attribute("data-state", "blank", timeout=1400)
    assert boot_clock() - feeder.frozen_metrics_ns < 3.6e9
    await expect(tile.locator(".why")).to_have_text("Old value")


async def test_an_electrode_that_is_off_leaves_its_lane_empty_and_says_so(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    feeder.off = frozenset({"V4"})
    off = QualityState(grade="off", trouble="electrode_off", electrodes=("V4",))
    feeder.quality = {**feeder.quality, "V4": off}
    lane = page.locator('.lane[data-lead="V4"]')
    await expect(lane.locator(".trouble")).to_have_text("ELECTRODE OFF V4")
    await expect(lane).to_have_attribute("data-empty", "true")
    await expect(page.locator("#line")).to_contain_text("ELECTRODE OFF V4")
    await expect(page.locator("#line")).to_contain_text("Press on or replace V4.")
    await expect(page.locator("#spoken")).to_contain_text("ELECTRODE OFF V4")


async def test_no_samples_stop_the_pen_and_say_no_signal_and_waves_come_back(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    feeder.flowing, feeder.link = False, "lost"
    await until(page, "d.stalled === 'true'", timeout_s=3)
    await expect(page.locator('.lane[data-lead="I"] .trouble')).to_have_text("NO SIGNAL")
    await expect(page.locator("#line")).to_contain_text("NO DATA ECG")
    feeder.replug()
    feeder.flowing, feeder.link = True, "streaming"
    await until(page, "d.stalled === 'false' && d.connection === '2'", timeout_s=3)


async def test_a_silent_box_is_told_within_three_seconds_and_recovers(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    feeder.talking = False
    await until(page, "d.link === 'silent'", timeout_s=3)
    await expect(page.locator("#loss")).to_contain_text("BOX NOT ANSWERING")
    await expect(page.locator("#loss")).to_contain_text("Look at the patient.")
    await expect(page.locator("#heart-rate")).to_have_attribute("data-state", "blank", timeout=2000)
    feeder.talking = True
    await until(page, "d.link === 'live' && d.stalled === 'false'", timeout_s=3)
    await expect(page.locator("#loss")).to_be_hidden()


async def test_a_box_that_died_is_told_at_once_and_recovers(page: Page, site: str, feeder, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await feeder.stop()
    await until(page, "d.link === 'silent'", timeout_s=3)
    feeder.boot = "boot-2"
    feeder.replug()
    await feeder.start()
    await until(page, "d.link === 'live' && d.stalled === 'false'", timeout_s=4)


async def test_a_page_without_its_server_says_connection_lost_and_recovers(
    page: Page, feeder, config_for, until
) -> None:
    config = config_for(feeder.socket.parent)
    async with serving(config) as served:
        await page.goto(served.address)
        await until(page, LIVE)
        port = int(served.address.rstrip("/").rsplit(":", 1)[1])
    await until(page, "d.link === 'lost'", timeout_s=3)
    await expect(page.locator("#loss")).to_contain_text("CONNECTION LOST 0:0")
    await expect(page.locator("#heart-rate")).to_have_attribute("data-state", "blank", timeout=3500)
    again = config.model_copy(update={"web": config.web.model_copy(update={"port": port})})
    async with serving(again):
        await until(page, "d.link === 'live' && d.stalled === 'false'", timeout_s=5)
        await expect(page.locator("#loss")).to_be_hidden()


async def test_without_a_daemon_the_page_is_served_and_says_so(
    page: Page, tmp_path, config_for, until
) -> None:
    async with serving(config_for(tmp_path)) as served:
        await page.goto(served.address)
        await until(page, "d.link === 'silent'", timeout_s=3)
        await expect(page.locator("#loss")).to_contain_text("BOX NOT ANSWERING")
        await expect(page.locator("#heart-rate .value")).to_have_text("--")


async def test_a_stuck_page_is_covered_by_itself(page: Page, site: str, until) -> None:
    """The overlay is the style sheet's: it comes when frames stop rewinding it."""
    await page.goto(site)
    await until(page, LIVE)
    opacity = "() => getComputedStyle(document.getElementById('deadman')).opacity"
    frames = int(await page.evaluate("document.documentElement.dataset.framesDrawn"))
    await until(page, f"+d.framesDrawn > {frames + 240}")
    assert await page.evaluate(opacity) == "0"
    await page.evaluate("window.requestAnimationFrame = () => 0")
    await page.wait_for_function(
        "() => getComputedStyle(document.getElementById('deadman')).opacity === '1'",
        timeout=4500,
        polling=100,
    )


async def test_a_picture_that_stands_while_messages_come_reloads_once(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    async with page.expect_navigation(timeout=8000):
        await page.evaluate("window.requestAnimationFrame = () => 0")
    await until(page, LIVE)
    await page.evaluate("window.requestAnimationFrame = () => 0; window.same = true")
    samples = int(await page.evaluate("document.documentElement.dataset.lastSample"))
    await until(page, f"+d.lastSample > {samples + 3250}")
    assert await page.evaluate("window.same")


async def test_a_page_that_was_hidden_restarts_at_now(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await until(page, "+d.jumps === 1")
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await until(page, "+d.jumps === 2 && d.stalled === 'false'")


async def test_another_version_of_the_box_reloads_the_page(page: Page, site: str, feeder, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    async with page.expect_navigation(timeout=5000):
        feeder.version = "0.2.0"
    await until(page, LIVE)


async def test_a_filter_is_asked_of_the_box_and_shown_when_the_box_has_it(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await page.click("[aria-controls=sheet-filters]")
    await expect(page.locator("input[name=mode][value=monitor]")).to_be_checked()
    await page.locator("input[name=mode][value=diagnostic]").click()
    await expect(page.locator("input[name=mode][value=diagnostic]")).to_be_checked()
    await page.locator("input[name=cleaning][value=true]").click()
    await expect(page.locator("input[name=cleaning][value=true]")).to_be_checked()
    assert [(act.verb, act.values) for act in feeder.acts] == [
        ("display", {"mode": "diagnostic"}),
        ("display", {"cleaning": "true"}),
    ]


async def test_a_refused_filter_stays_as_it_was_and_the_reason_is_told(
    page: Page, site: str, feeder, until
) -> None:
    await page.goto(site)
    await until(page, LIVE)
    feeder.refuse = "the bed is in standby"
    await page.click("[aria-controls=sheet-filters]")
    await page.locator("input[name=mains_hz][value='60']").click()
    await expect(page.locator("#box-note")).to_have_text("Not done: the bed is in standby")
    await expect(page.locator("input[name=mains_hz][value='50']")).to_be_checked()


async def test_a_filter_that_did_not_reach_the_box_is_told(page: Page, site: str, feeder, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await page.click("[aria-controls=sheet-filters]")
    await feeder.stop()
    await page.locator("input[name=mode][value=st]").click()
    await expect(page.locator("#box-note")).to_have_text("Not done: the box is not answering.")
    await expect(page.locator("input[name=mode][value=monitor]")).to_be_checked()
    await feeder.start()


async def test_layouts_and_gains_are_kept_for_the_screen(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=layout][value='12x1']").click()
    await page.locator("input[name=gain][value=auto]").click()
    await page.locator("input[name=speed][value='50']").click()
    await expect(page.locator(".lane")).to_have_count(12)
    await expect(page.locator("#caption")).to_contain_text("50 mm/s · auto gain")
    await page.reload()
    await until(page, LIVE)
    await expect(page.locator(".lane")).to_have_count(12)
    # 12 lanes of about 50 px: R waves of 1.2 mV fit at 5 mm/mV, and the lane says which gain it has.
    await expect(page.locator('.lane[data-lead="II"] .gain')).to_have_text("auto 5 mm/mV")


async def test_a_board_with_one_lead_shows_one_lane(page: Page, site: str, feeder, until) -> None:
    feeder.leads = ("II",)
    feeder.replug()
    await page.goto(site)
    await until(page, "d.link === 'live' && d.stalled === 'false' && +d.samplesDrawn > 200")
    await expect(page.locator(".lane")).to_have_count(1)


async def test_everything_can_be_reached_by_keyboard(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await page.locator('.lane[data-lead="V2"]').focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#enlarged h2")).to_have_text("V2")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(page.locator("#enlarged")).to_have_attribute("data-frozen", "true")
    await page.keyboard.press("Escape")
    await expect(page.locator("#enlarged")).to_be_hidden()
    assert await page.evaluate("document.activeElement.dataset.lead") == "V2"
    await page.locator("[aria-controls=sheet-display]").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#sheet-display")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#sheet-display")).to_be_hidden()


async def test_calipers_measure_by_keys_by_drag_and_by_tap(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await page.click('.lane[data-lead="II"]')
    await page.click(".freeze")
    a = page.get_by_label("Time line A")
    b = page.get_by_label("Time line B")
    await a.focus()
    before = float(await a.get_attribute("aria-valuenow"))
    await page.keyboard.press("ArrowRight")
    assert float(await a.get_attribute("aria-valuenow")) - before == pytest.approx(2.0, abs=0.02)
    # 25 mm at 25 mm/s is a second: put B one second beside A by dragging its tag.
    mm = 96 / 25.4
    at = float(await a.get_attribute("data-at")) - float(await b.get_attribute("data-at")) + 25 * mm
    box = await b.locator("b").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + at, y, steps=4)
    await page.mouse.up()
    assert abs(float((await page.locator(".interval").text_content()).split()[0]) - 1000) <= 11
    assert (await page.locator(".rate").text_content()) in {"59 bpm", "60 bpm", "61 bpm"}
    paper = await page.locator(".calipers").bounding_box()
    await page.get_by_label("Voltage line A").focus()
    await page.mouse.click(paper["x"] + 30, paper["y"] + 60)
    assert abs(float(await page.get_by_label("Voltage line A").get_attribute("data-at")) - 60) <= 1


async def test_calibration_makes_millimetres_real(page: Page, site: str, until) -> None:
    await page.goto(site)
    await until(page, LIVE)
    await expect(page.locator("#uncalibrated")).to_be_visible()
    await page.click("#uncalibrated")
    await page.locator("#length").fill("503")
    await page.click("#longer")
    await page.click("#save")
    await expect(page.locator("#status")).to_contain_text("5.89 pixels per mm")
    await page.goto(site)
    await until(page, LIVE)
    await expect(page.locator("#uncalibrated")).to_be_hidden()
    mm = await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--mm')")
    assert float(mm.removesuffix("px")) == pytest.approx(504 / 85.6)


async def test_a_phone_shows_waves_and_numbers_without_scrolling(
    browser: Browser, site: str, phone, tmp_path, until
) -> None:
    context = await browser.new_context(viewport=phone, device_scale_factor=2, has_touch=True, is_mobile=True)
    page = await context.new_page()
    await page.goto(site)
    await until(page, LIVE)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    await expect(page.locator("#heart-rate .value")).to_be_in_viewport(ratio=1)
    await page.tap("[aria-controls=sheet-filters]")
    await expect(page.locator("#sheet-filters")).to_be_visible()
    await page.screenshot(path=tmp_path / "phone.png")
    for key in await page.locator(".key:visible").all():
        box = await key.bounding_box()
        assert min(box["width"], box["height"]) >= 48
    await context.close()


async def test_several_beds_are_listed_and_each_has_its_page(
    page: Page, tmp_path, feeder_of, config_for, until
) -> None:
    beds = ("1", "2")
    async with feeder_of(tmp_path / "control.sock", beds), serving(config_for(tmp_path, beds)) as served:
        await page.goto(served.address)
        await expect(page.locator('.card[data-bed="2"] .value')).to_have_text("75")
        await page.click('.card[data-bed="2"]')
        await until(page, LIVE)
        await expect(page.locator("h1")).to_have_text("Bed 2")


async def test_every_text_has_the_contrast_of_wcag_aa(page: Page, site: str, feeder, until) -> None:
    feeder.off = frozenset({"V4"})
    off = QualityState(grade="off", trouble="electrode_off", electrodes=("V4",))
    feeder.quality = {**feeder.quality, "V4": off}
    await page.goto(site)
    await until(page, LIVE)
    await page.click("[aria-controls=sheet-filters]")
    await expect(page.locator("#line")).to_contain_text("ELECTRODE OFF V4")
    poor = await page.evaluate(
        """() => {
          const parse = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = (element) => {
            for (let e = element; e; e = e.parentElement) {
              const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
              if (a === 1) return [r, g, b];
            }
            return [0, 0, 0];
          };
          const poor = [];
          for (const element of document.querySelectorAll("body *:not(script, noscript, .watermark, .heart)")) {
            const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || !element.checkVisibility() || element.closest(".deadman")) continue;
            const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            if (ratio < 4.5) poor.push([element.textContent, ratio]);
          }
          return poor;
        }"""
    )

    assert poor == []


async def test_streaming_leaves_nothing_behind(page: Page, site: str, until) -> None:
    """Samples and their buffers, nodes and listeners: the same after twelve seconds of streaming as before."""
    await page.goto(site)
    await until(page, LIVE)
    probe = await page.context.new_cdp_session(page)
    await probe.send("Performance.enable")

    async def measure() -> tuple[float, float, float]:
        await probe.send("HeapProfiler.collectGarbage")
        heap = await probe.send("Runtime.getHeapUsage")
        metrics = {m["name"]: m["value"] for m in (await probe.send("Performance.getMetrics"))["metrics"]}
        used = heap["usedSize"] + heap.get("backingStorageSize", 0)
        return used / 2**20, metrics["Nodes"], metrics["JSEventListeners"]

    await until(page, "+d.lastSample > 2000")
    before = await measure()
    drawn = int(await page.evaluate("document.documentElement.dataset.samplesDrawn"))
    await until(page, f"+d.samplesDrawn > {drawn + 13 * 500 * 12}", timeout_s=30)
    after = await measure()

    assert after[0] - before[0] < 0.3
    assert after[1] <= before[1] + 20
    assert after[2] <= before[2]


async def test_a_swipe_does_not_leave_the_page(page: Page, site: str) -> None:
    await page.goto(site)
    for element in ("html", "body"):
        assert (
            await page.evaluate(f"getComputedStyle(document.querySelector('{element}')).overscrollBehaviorX")
            == "none"
        )
