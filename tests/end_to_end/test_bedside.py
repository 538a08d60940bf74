"""What a nurse sees when a cable goes, comes back, or the daemon dies: real processes, real ports, a real browser.

The times asserted here are safety deadlines, measured by the clock of the machine from the moment of the fault.
"""

from __future__ import annotations

import re
import time

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RATE = "#heart-rate"


def shows_rate(page, low, high, timeout_s=20.0):
    page.wait_for_function(
        """([low, high]) => { const v = Number(document.querySelector('#heart-rate').dataset.value);
                             return v >= low && v <= high; }""",
        arg=[low, high],
        timeout=timeout_s * 1000,
    )


def waves_move(page, timeout_s):
    page.wait_for_selector("#waves[data-stalled=false]", timeout=timeout_s * 1000)


def test_simulator_at_72_shows_72(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)
    waves_move(page, 5)

    assert [e.get_attribute("data-lead") for e in page.query_selector_all(".lane")] == [
        *["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"],
        "II",
    ]


def test_rate_follows_the_heart(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)
    box.steer("ecg rate 120")
    shows_rate(page, 119, 121)


def test_cable_out_blanks_the_tile_with_its_reason_and_back_under_another_name_waves_return(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)

    box.steer("ecg unplug")
    out = time.monotonic()
    page.wait_for_selector(f"{RATE}[data-state=blank]", timeout=4000)
    blank_s = time.monotonic() - out
    why = page.inner_text(f"{RATE} .why")
    page.wait_for_selector(
        "#device-chips [data-state=lost], #device-chips [data-state=searching]", timeout=3000
    )

    box.steer("ecg plug ttyECG7")
    plugged = time.monotonic()
    waves_move(page, 6)
    back_s = time.monotonic() - plugged
    shows_rate(page, 71, 73)

    assert blank_s < 3.0
    assert why.strip()
    assert back_s < 3.0


def test_electrode_off_is_said_in_its_lane_and_the_others_go_on(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)
    box.steer("ecg electrode V4 off")
    page.wait_for_selector(".lane[data-lead=V4][data-empty=true]", timeout=5000)

    assert "V4" in page.inner_text("#line")
    assert page.get_attribute(".lane[data-lead=V5]", "data-empty") == "false"
    box.steer("ecg electrode V4 on")
    page.wait_for_selector(".lane[data-lead=V4][data-empty=false]", timeout=5000)


def test_daemon_killed_is_said_and_the_page_recovers_by_itself(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)

    box.kill("daemon")
    killed = time.monotonic()
    page.wait_for_selector("#loss:not([hidden])", timeout=5000)
    said_s = time.monotonic() - killed
    page.wait_for_selector(f"{RATE}[data-state=blank]", timeout=5000)

    box.start_daemon()
    page.wait_for_selector("#loss", state="hidden", timeout=10_000)
    shows_rate(page, 71, 73)
    waves_move(page, 5)

    assert said_s < 5.0


def test_web_killed_is_said_by_the_page_and_it_recovers(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)
    port = int(re.search(r":(\d+)/", box.url)[1])

    box.kill("web")
    page.wait_for_selector("#loss:not([hidden])", timeout=4000)
    box.config.write_text(box.config.read_text().replace("port = 0", f"port = {port}"))
    box.start_web()
    page.wait_for_selector("#loss", state="hidden", timeout=10_000)
    shows_rate(page, 71, 73)


def test_filters_chosen_on_the_page_are_printed_by_the_page(box, page):
    page.goto(box.url)
    shows_rate(page, 71, 73)
    page.click(".keys >> text=Filters")
    page.click("#box-choices input[value=diagnostic]")
    page.wait_for_selector("#caption:has-text('0.05-150 Hz')", timeout=5000)


def test_sigterm_ends_every_process_cleanly(box, page):
    page.goto(box.url)
    waves_move(page, 20)
    for name in ("web", "daemon", "simulators"):
        assert box.stop(name) == 0, box.said(name)
