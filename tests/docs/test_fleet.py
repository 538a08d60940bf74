"""docs/fleet.md: its figures follow from those measured in docs/forward.md, and its metrics are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.config import Config, Destination, Forward
from daemon.control.forwarding import DestinationTold, LaneTold, Told
from daemon.forward import metrics as clouds
from daemon.forward.destinations.mqtt import MqttOptions
from webui.pages import metrics as box

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "fleet.md").read_text(encoding="utf-8")
MEASURED = (DOCS / "forward.md").read_text(encoding="utf-8")


def measured(pattern):
    """The numbers of the one place in docs/forward.md that a pattern with groups finds."""
    (found,) = re.findall(pattern, MEASURED)
    return [float(number.replace(",", "")) for number in (found if isinstance(found, tuple) else (found,))]


(WAVES,) = measured(r"\| `records`, live, a request every 5 s \| ([\d.]+) \|")
(WAVES_LATER,) = measured(r"\| `records`, from a backlog \| ([\d.]+) \|")
_, NUMBERS, NUMBERS_LATER = measured(r"\| numbers every second: [^|]+ \| ([\d.]+); ([\d.]+); ([\d.]+) \|")
(MESSAGES,) = measured(r"\| ([\d,]+) messages in the cloud, all and once")


def computed(beds):
    mb = (WAVES + NUMBERS) * beds
    return [
        round(mb, 1),
        round(mb * 8 / 3600, 2 if beds == 1 else 1),
        round(mb * 24 / 1000, 2 if beds == 1 else 1),
        round(mb * 24 * 30 / 1e6, 2),
        round(MESSAGES * beds / 86400, 1 if beds == 1 else 0),
        86400 * beds,
    ]


@pytest.mark.parametrize("beds", [1, 100, 300, 1000])
def test_the_table_of_beds_follows_from_what_was_measured(beds):
    (row,) = re.findall(rf"^\| {beds} \| (\d.+) \|$", PAGE, re.MULTILINE)

    assert [float(cell.replace(",", "")) for cell in row.split(" | ")] == computed(beds)


def test_what_was_measured_is_told_as_it_was_measured():
    assert f"live | {WAVES} MB an hour | measured" in PAGE
    assert f"live | {NUMBERS} MB an hour | measured" in PAGE
    assert f"{WAVES_LATER} and {NUMBERS_LATER} MB an hour | measured" in PAGE
    assert f"{MESSAGES:,.0f} a day | measured" in PAGE
    assert "97 x real time" in MEASURED
    assert "97 times real time" in PAGE
    assert "p99 | 0.68 s" in MEASURED


def test_what_is_computed_in_sentences_is_right():
    backlog = round((WAVES_LATER + NUMBERS_LATER) * 8 * 300 / 1000, 1)

    assert f"are {backlog} GB (computed: {WAVES_LATER + NUMBERS_LATER:.2f} x 8 x 300 MB)" in PAGE
    assert f"{backlog * 8000 / 100 / 60:.0f} min of a link of 100 Mbit/s" in PAGE
    assert f"{Config().store.waveform_mb // 350} days, computed" in PAGE
    assert f"{WAVES * 24:.0f} MB a day (computed)" in PAGE
    assert f"{1 + 1 / Destination(kind='rest').collect_s:.1f} a second" in PAGE
    assert f"{1000 / Forward().registry_every_s:.1f} (computed)" in PAGE
    assert f"`largest_bytes` = {MqttOptions.model_fields['largest_bytes'].default}" in PAGE


def samples(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def names(text):
    return {re.split(r"[{ ]", line, maxsplit=1)[0] for line in samples(text) if "_created" not in line}


def everything_told():
    """What a box with one destination says; the families of the box itself have their names without a device too."""
    lanes = {name: LaneTold() for name in ("alarms", "events", "metrics", "waveform", "reports")}
    one = DestinationTold(name="cloud", kind="rest", state="idle", lanes=lanes, requests={"done": 1})
    return clouds.exposition(Told(destinations=(one,)))[0].decode()


def test_every_metric_is_named_and_no_other():
    of_the_box = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in box._families(None, forwards=True)
    }

    assert set(re.findall(r"`(vitald_[a-z_]+)`", PAGE)) == of_the_box | names(everything_told())


def test_series_of_a_box_are_counted():
    of_clouds = len(samples(everything_told()))
    of_the_box = 2 + 1 + 4  # two processes, one trouble, four of a device
    count = of_clouds + of_the_box

    assert f"has {count} series" in PAGE
    assert f"{count * 300:,} of 300 boxes, {count * 300 // 30} samples a second" in PAGE


def test_rules_name_metrics_that_there_are():
    rules = PAGE.split("groups:", 1)[1].split("```", 1)[0]
    known = set(re.findall(r"`(vitald_[a-z_]+)`", PAGE))

    assert set(re.findall(r"vitald_[a-z_]+", rules)) <= known
