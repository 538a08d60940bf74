"""What the analysis says of a simulated heart, on the page: rhythm, intervals, ST by lead, letters of beats, events.

Real processes, a real port, a real browser; the heart is changed while it runs.
"""

from __future__ import annotations

import pytest

from daemon.words import say

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG_MS = 60_000  # a rhythm is said when it is sure; slow machines are slower than real time at their start


def says(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent === text",
        arg=[selector, text],
        timeout=LONG_MS,
    )


def shows(page, tile, low, high):
    page.wait_for_function(
        """([tile, low, high]) => { const v = document.querySelector(tile).dataset.value;
                                   return v !== "" && Number(v) >= low && Number(v) <= high; }""",
        arg=[tile, low, high],
        timeout=LONG_MS,
    )


def test_sinus_rhythm_with_its_intervals_then_atrial_fibrillation_without_pr(box, page):
    page.goto(box.url)
    says(page, "#rhythm .name", say("rhythm.N"))
    shows(page, "#pr-interval", 120, 220)
    shows(page, "#qrs-duration", 60, 120)
    shows(page, "#qtc-fridericia", 340, 460)

    box.steer("ecg rhythm af")
    says(page, "#rhythm .name", say("rhythm.AFIB"))
    says(page, "#pr-interval .value", "--")
    says(page, "#pr-interval .why", say("why.no_wave"))

    page.click(".keys [aria-controls=sheet-events]")
    page.wait_for_selector(".events li")
    listed = [e.text_content() for e in page.query_selector_all(".events .what")]
    assert listed[0] == say("rhythm.AFIB")
    assert say("rhythm.N") in listed[1:]


def test_ventricular_beats_have_their_letter_and_st_stands_on_its_tile_and_in_the_table(box, page):
    box.steer("ecg st 0.3 V3")
    box.steer("ecg pvc 20")
    page.goto(box.url)
    page.wait_for_function("() => document.documentElement.dataset.beats?.includes('V')", timeout=LONG_MS)
    page.wait_for_function(
        """() => {
          const value = document.querySelector('#st .value').innerText;
          window.seenSt = value;  // what stands there now may be gone when it is asked for again
          return document.querySelector('#st .source').textContent.startsWith('V3 ') && value !== '--';
        }""",
        timeout=LONG_MS,
    )
    shows_st = float(page.evaluate("window.seenSt").replace("−", "-"))
    page.click("#st .open")
    rows = page.query_selector_all('#sheet-ecg [data-group="st"] tbody tr')
    by_lead = {row.query_selector("th").text_content(): row.query_selector_all("td") for row in rows}

    assert shows_st == pytest.approx(0.3, abs=0.06)
    assert len(by_lead) == 12
    assert float(by_lead["V3"][2].text_content().replace("−", "-")) == pytest.approx(0.3, abs=0.06)
