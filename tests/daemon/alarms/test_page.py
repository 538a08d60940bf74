"""Every alarm has its words, and docs/alarms.md says what the table says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from daemon import words
from daemon.alarms import conditions as when
from daemon.alarms.table import ROWS, TABLE
from daemon.model.alarms import About, Priority

# Words that the standard's committee threw out: ambiguous, and not to be translated (alarms have five words of their own).
THROWN_OUT = ("silence", "mute", "suspend", "inhibit", "disable", "snooze")


def page():
    spec = importlib.util.spec_from_file_location("alarms_page", Path(__file__).parent / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date():
    """If not: python tests/daemon/alarms/page.py"""
    made = page()
    assert made.PAGE.read_text(encoding="utf-8") == made.page()


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_its_words_and_what_to_check(name):
    table = words.table()
    text, check = table[f"alarm.{name}"], table[f"alarm.{name}.check"]

    assert check.endswith(".")
    assert "!" not in text + check
    assert not any(word in (text + check).lower() for word in THROWN_OUT)


def test_there_are_no_words_for_alarms_that_are_not():
    names = {key.split(".")[1] for key in words.table() if key.startswith("alarm.")}
    assert names == set(ROWS) | {
        "refused",
        "not_judged",
    }  # what acts are refused with, and what a page says by itself


def test_two_rows_never_have_the_same_words():
    texts = [words.table()[row.text] for row in TABLE]
    assert len(set(texts)) == len(texts)


def test_every_limit_that_noise_or_silence_can_hold_back_has_a_technical_alarm_in_its_place():
    """ "Suppression without a technical alarm in its place" must never happen; what comes from the device itself is its link's."""
    missing = {r.condition.metric for r in TABLE if isinstance(r.condition, when.Missing)}
    judged = {r.condition.metric for r in TABLE if isinstance(r.condition, when.Beyond) and r.on}
    of_the_ecg = {"heart_rate", "qtc_fridericia"}
    of_the_link = {
        "pulse_rate",
        "since_breath",
    }  # where no flow is seen, the link or the CPAP's own rows say so

    assert "heart_rate" in missing
    assert judged - of_the_ecg - of_the_link <= missing


def test_what_kills_is_high_and_nothing_technical_is_high_from_the_start():
    high = {row.name for row in TABLE if row.priority is Priority.HIGH}
    assert {"asystole", "vent_fib", "vent_tachy", "extreme_brady", "extreme_tachy", "desat"} <= high
    assert not [r.name for r in TABLE if r.about is About.TECHNICAL and r.name in high - {"test_high"}]
