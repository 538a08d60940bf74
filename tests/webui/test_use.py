"""What a nurse does: filters, layouts, one lead enlarged, calipers, calibration; by pointer, finger and keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from webui.app import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

MM = 96 / 25.4


async def test_a_filter_is_asked_of_the_box_and_shown_when_the_box_has_it(live: Page, feeder) -> None:
    await live.click("[aria-controls=sheet-filters]")
    await expect(live.locator("input[name=mode][value=monitor]")).to_be_checked()
    await live.locator("input[name=mode][value=diagnostic]").click()
    await expect(live.locator("input[name=mode][value=diagnostic]")).to_be_checked()
    await live.locator("input[name=cleaning][value=true]").click()
    await expect(live.locator("input[name=cleaning][value=true]")).to_be_checked()
    await live.click("#sheet-filters .close")
    assert [(act.verb, act.values) for act in feeder.acts] == [
        ("display", {"mode": "diagnostic"}),
        ("display", {"cleaning": "true"}),
    ]


async def test_a_refused_filter_stays_as_it_was_and_the_reason_is_told(live: Page, feeder) -> None:
    feeder.refuse = "the bed is in standby"
    await live.click("[aria-controls=sheet-filters]")
    await live.locator("input[name=mains_hz][value='60']").click()
    await expect(live.locator("#box-note")).to_have_text("Not done: the bed is in standby")
    await expect(live.locator("input[name=mains_hz][value='50']")).to_be_checked()
    await live.click("#sheet-filters .close")


async def test_a_filter_that_did_not_reach_the_box_is_told(
    page: Page, tmp_path, feeder_of, config_for, shown
) -> None:
    async with feeder_of(tmp_path / "control.sock", ("1",)) as box, serving(config_for(tmp_path)) as served:
        await shown(page, served.address)
        await page.click("[aria-controls=sheet-filters]")
        await box.stop()
        await page.locator("input[name=mode][value=st]").click()
        await expect(page.locator("#box-note")).to_have_text("Not done: the box is not answering.")
        await expect(page.locator("input[name=mode][value=monitor]")).to_be_checked()
        await box.start()


async def test_layouts_and_gains_are_kept_for_the_screen(page: Page, site: str, shown, until) -> None:
    await shown(page, site)
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=layout][value='12x1']").click()
    await page.locator("input[name=gain][value=auto]").click()
    await page.locator("input[name=speed][value='50']").click()
    await expect(page.locator(".lane")).to_have_count(12)
    await expect(page.locator("#caption")).to_contain_text("50 mm/s · auto")
    await shown(page, site)
    await expect(page.locator(".lane")).to_have_count(12)
    # 12 lanes of about 50 px: R waves of 1.2 mV and S waves of 1.5 mV do not fit at 5 mm/mV.
    await expect(page.locator("#caption")).to_contain_text("50 mm/s · auto 2.5 mm/mV")


async def test_the_automatic_gain_is_always_printed_for_each_group_of_leads(
    page: Page, site: str, shown
) -> None:
    await page.set_viewport_size({"width": 1280, "height": 1000})
    await shown(page, site)
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=layout][value='6x2']").click()
    await page.locator("input[name=gain][value=auto]").click()
    # Another height fits the gains to the seconds that were seen: two at least.
    await page.wait_for_timeout(3000)
    await page.click("#sheet-display .close")
    await expect(page.locator("#caption")).to_contain_text("auto limb 10, chest 5 mm/mV")
    assert (
        await page.evaluate("[...document.querySelectorAll('.lane')].map((e) => e.dataset.gain)")
        == ["10"] * 6 + ["5"] * 6
    )


async def test_everything_can_be_reached_by_keyboard(live: Page) -> None:
    await live.locator('.lane[data-lead="V2"]').focus()
    await live.keyboard.press("Enter")
    await expect(live.locator("#enlarged h2")).to_have_text("V2")
    reached = []
    for _ in range(4):
        reached.append(await live.evaluate("document.activeElement.textContent"))
        await live.keyboard.press("Tab")
    await live.keyboard.press("Shift+Tab")
    await live.keyboard.press("Space")
    await expect(live.locator("#enlarged")).to_have_attribute("data-frozen", "true")
    await live.keyboard.press("Escape")
    await expect(live.locator("#enlarged")).to_be_hidden()
    assert reached == ["Back", "Snap to R", "Repeat", "Freeze"]
    assert await live.evaluate("document.activeElement.dataset.lead") == "V2"
    await live.locator("[aria-controls=sheet-display]").focus()
    await live.keyboard.press("Enter")
    await expect(live.locator("#sheet-display")).to_be_visible()
    await live.keyboard.press("Escape")
    await expect(live.locator("#sheet-display")).to_be_hidden()


async def test_calipers_measure_by_keys_by_drag_and_by_tap(page: Page, site: str, shown) -> None:
    await shown(page, site)
    await page.click('.lane[data-lead="II"]')
    await page.click(".freeze")
    a = page.get_by_label("Time line A")
    b = page.get_by_label("Time line B")
    await a.focus()
    before = float(await a.get_attribute("aria-valuenow"))
    await page.keyboard.press("ArrowRight")
    assert float(await a.get_attribute("aria-valuenow")) - before == pytest.approx(2.0, abs=0.02)
    # 25 mm at 25 mm/s is a second: put B one second beside A by dragging its tag.
    at = float(await a.get_attribute("data-at")) - float(await b.get_attribute("data-at")) + 25 * MM
    box = await b.locator("b").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + at, y, steps=4)
    await page.mouse.up()
    assert abs(float((await page.locator(".interval").text_content()).split()[0]) - 1000) <= 11
    assert (await page.locator(".rate").text_content()) in {"59 bpm", "60 bpm", "61 bpm"}
    paper = await page.locator(".calipers").bounding_box()
    voltage = page.get_by_label("Voltage line A")
    await voltage.focus()
    await page.mouse.click(paper["x"] + 30, paper["y"] + 60)
    assert abs(float(await voltage.get_attribute("data-at")) - 60) <= 1
    before = float(await voltage.get_attribute("aria-valuenow"))
    await page.keyboard.press("ArrowUp")
    assert float(await voltage.get_attribute("aria-valuenow")) > before


async def test_calipers_snap_to_beats_and_repeat_their_interval(page: Page, site: str, shown, until) -> None:
    await shown(page, site)
    await page.click('.lane[data-lead="II"]')
    await until(page, "+d.lastSample > 2600")
    await page.click(".freeze")
    a = page.get_by_label("Time line A")
    b = page.get_by_label("Time line B")
    await page.click(".snap")
    interval = float((await page.locator(".interval").text_content()).split()[0])
    # Beats of the feeder are 800 ms apart; the lines were further apart than that.
    assert interval % 800 == pytest.approx(0, abs=5) or interval % 800 == pytest.approx(800, abs=5)
    assert interval > 100
    await expect(page.locator(".march")).to_be_hidden()
    await page.click(".repeat")
    places = await page.locator(".march").evaluate(
        "(e) => { const s = getComputedStyle(e); return [s.backgroundPositionX, s.backgroundSize.split(' ')[0]]; }"
    )
    from_px, step_px = (float(text.removesuffix("px")) for text in places)
    assert from_px == pytest.approx(float(await a.get_attribute("data-at")), abs=0.1)
    assert from_px + step_px == pytest.approx(float(await b.get_attribute("data-at")), abs=0.1)
    await page.click(".repeat")
    await expect(page.locator(".march")).to_be_hidden()


async def test_a_frozen_picture_stays_whatever_happens(page: Page, site: str, feeder, shown, until) -> None:
    """Resize, another speed, another connection: the same beats, and the calipers stay on them."""
    await shown(page, site)
    await page.click('.lane[data-lead="II"]')
    await until(page, "+d.lastSample > 1300")
    await page.click(".freeze")
    await page.click(".snap")
    line = page.get_by_label("Time line A")
    picture = "document.querySelector('#enlarged canvas').toDataURL()"
    frozen, value = await page.evaluate(picture), await line.get_attribute("aria-valuenow")
    drawn = "document.documentElement.dataset.framesDrawn"

    async def settled() -> None:
        frames = int(await page.evaluate(drawn))
        await until(page, f"+d.framesDrawn > {frames + 10}")

    await page.set_viewport_size({"width": 1100, "height": 700})
    await settled()
    assert await page.evaluate(picture) != frozen
    assert await line.get_attribute("aria-valuenow") == value
    await page.set_viewport_size({"width": 1280, "height": 800})
    await settled()
    assert await page.evaluate(picture) == frozen
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=speed][value='50']").click()
    await page.click("#sheet-display .close")
    await settled()
    await expect(page.locator("#enlarged .scale")).to_contain_text("50 mm/s")
    await expect(page.locator("#enlarged")).to_have_attribute("data-frozen", "true")
    await page.click("[aria-controls=sheet-display]")
    await page.locator("input[name=speed][value='25']").click()
    await page.click("#sheet-display .close")
    feeder.replug()
    await until(page, f"d.connection === '{feeder.connection}'")
    await settled()
    assert await page.evaluate(picture) == frozen
    await page.click(".freeze")
    await settled()
    assert await page.evaluate(picture) != frozen


async def test_calibration_makes_millimetres_real_and_keys_15_of_them(page: Page, site: str, shown) -> None:
    await shown(page, site)
    await expect(page.locator("#uncalibrated")).to_be_visible()
    await page.click("#uncalibrated")
    await page.locator("#length").fill("503")
    await page.click("#longer")
    await page.click("#save")
    await expect(page.locator("#status")).to_contain_text("5.89 pixels per mm")
    await page.get_by_text("Back").click()
    await expect(page.locator("#uncalibrated")).to_be_hidden()
    mm = float(
        (await page.evaluate("document.documentElement.style.getPropertyValue('--mm')")).removesuffix("px")
    )
    assert mm == pytest.approx(504 / 85.6)
    for key in await page.locator(".key:visible").all():
        box = await key.bounding_box()
        assert min(box["width"], box["height"]) >= 14.5 * mm


async def test_a_swipe_to_the_right_does_not_leave_the_page(phone: Page, site: str, shown) -> None:
    """Real touch events; there is a page to go back to."""
    await phone.goto(f"{site}calibrate")
    await shown(phone, site)
    finger = await phone.context.new_cdp_session(phone)
    for y in (20, 300, 700):
        await finger.send(
            "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 15, "y": y}]}
        )
        for x in range(15, 380, 15):
            await finger.send(
                "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y}]}
            )
        await finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    frames = int(await phone.evaluate("document.documentElement.dataset.framesDrawn"))
    await phone.wait_for_function(f"() => +document.documentElement.dataset.framesDrawn > {frames + 30}")
    assert phone.url == site
    await expect(phone.locator("#enlarged")).to_be_hidden()
    for element in ("html", "body"):
        assert (
            await phone.evaluate(f"getComputedStyle(document.querySelector('{element}')).overscrollBehaviorX")
            == "none"
        )


async def test_the_whole_page_sweeps_the_same_picture_under_a_fake_clock(
    page: Page, site: str, feeder
) -> None:
    """Twelve seconds by the page's clock, twice: frames of a box that the test plays itself."""
    pictures, sockets = [], []

    def take(socket: WebSocketRoute) -> None:
        sockets.append(socket)

    await page.route_web_socket("**/live*", take)
    for _ in range(2):
        sockets.clear()
        await page.clock.install(time=0)
        await page.goto(site)
        await page.clock.pause_at(1000)
        while not sockets:
            await page.evaluate("1")
        feeder.sample = 0
        sockets[0].send(feeder.state().model_dump_json())
        for _ in range(24):
            sockets[0].send(feeder.frame(250))
            feeder.sample += 250
            await page.clock.run_for(500)
        pictures.append(await page.evaluate("document.querySelector('#waves canvas').toDataURL()"))
    assert len(pictures[0]) > 10_000
    assert pictures[0] == pictures[1]
