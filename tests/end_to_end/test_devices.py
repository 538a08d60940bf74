"""A whole bedside, as `vitald demo` sets it up: ECG, CPAP, oxygen and oximeter on one page, set, unplugged, looked back at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from firmware_bridge.simulators.control import ask

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START_S = 40.0


@pytest.fixture(scope="module")
def bedside(tmp_path_factory):
    """The demo's folder and the address of its pages; it is ended as a person would."""
    folder = tmp_path_factory.mktemp("bedside")
    demo = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "demo", "--folder", str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert demo.stdout is not None
        line = next(line for line in demo.stdout if line.startswith("pages: "))
        yield folder, line.removeprefix("pages: ").strip()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(30)
        demo.stdout.close()


def steer(folder, command):
    answer = ask(folder / "simulators.sock", command)
    assert answer.startswith("ok"), answer


def shows(page, figure, low, high, timeout_s=START_S):
    page.wait_for_function(
        "([id, low, high]) => { const text = document.getElementById(id)?.dataset.value;"
        " return text && Number(text) >= low && Number(text) <= high; }",
        arg=[figure, low, high],
        timeout=timeout_s * 1000,
    )


def test_one_page_shows_every_device_live_and_sets_the_pressure(bedside, page, signed_in):
    folder, url = bedside
    signed_in(page, url, folder / "run" / "control.sock", "nurse")
    page.goto(url)
    shows(page, "spo2", 94, 100)
    shows(page, "o2-purity", 85, 97)
    shows(page, "cpap-set-pressure", 9.9, 10.1)
    shows(page, "heart-rate", 60, 90)
    page.wait_for_function("() => Number(document.documentElement.dataset.rowsDrawn) > 500", timeout=20_000)
    drawn = page.eval_on_selector_all(
        ".lane.row[data-empty=false]", "all => all.map(e => e.dataset.quantity)"
    )
    assert drawn[:3] == ["pleth", "flow", "airway_pressure"]

    page.click(".keys [aria-controls=sheet-devices]")
    pressure = page.locator(".settable[data-setting=target_pressure]").first
    pressure.get_by_role("button", name="More: Target pressure").click()
    pressure.get_by_role("button", name="Set …").click()
    pressure.get_by_role("button", name="Confirm").click()
    pressure.locator(".note", has_text="The device confirmed").wait_for(timeout=15_000)
    shows(page, "cpap-set-pressure", 10.15, 10.25, 10)


def test_an_unplugged_oximeter_blanks_its_number_within_three_seconds_and_comes_back(bedside, page):
    folder, url = bedside
    page.goto(url)
    shows(page, "spo2", 94, 100)
    steer(folder, "oximeter unplug")
    out = time.monotonic()
    page.wait_for_selector("#spo2[data-state=blank]", timeout=8000)
    blank_s = time.monotonic() - out
    page.wait_for_selector(".lane[data-quantity=pleth][data-empty=true]", timeout=8000)
    assert page.inner_text(".lane[data-quantity=pleth] .trouble").strip()
    assert page.get_attribute("#cpap-set-pressure", "data-state") == "live"
    steer(folder, "oximeter plug ttyOXIMETER3")
    shows(page, "spo2", 94, 100)
    assert blank_s < 4.5  # three seconds of life, and a second in which the last number may have been said


def test_the_night_so_far_can_be_looked_at(bedside, page, signed_in):
    folder, url = bedside
    signed_in(page, url, folder / "run" / "control.sock", "clinician")
    page.goto(f"{url}bed/1/night")
    page.wait_for_selector("#chart .main-svg", timeout=30_000)
    page.wait_for_selector("#figures [data-figure=pressure_median]", timeout=20_000)
    assert page.input_value("#night").endswith("CPAP-2301-9912")
    assert 9 < float(page.inner_text("#figures [data-figure=pressure_median] td")) < 11
