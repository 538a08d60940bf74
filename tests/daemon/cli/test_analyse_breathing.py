"""`vitald analyse` of recordings without an ECG: a therapy machine's flow, a concentrator's log."""

from __future__ import annotations

import json

import pytest

from daemon.cli import main


def lines(capsys, record):
    assert main(["analyse", str(record)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.recordings
def test_a_machines_flow_gives_breaths_and_the_apnoeas_of_its_hour(capsys, recordings):
    (record,) = (recordings / "resmed/airsense10_a/DATALOG/20230822").glob("*_042832_BRP.edf")

    said = lines(capsys, record)

    events = [line["event"] for line in said if line["type"] == "event"]
    assert events.count("apnoea_obstructive") == 4
    assert any("tidal_volume" in line for line in said)
    assert [line["reported_at"] for line in said] == sorted(line["reported_at"] for line in said)
    assert next(line["usage_hours"] for line in reversed(said) if "usage_hours" in line) == pytest.approx(
        0.91, abs=0.03
    )


@pytest.mark.recordings
def test_a_concentrators_log_gives_warm_up_low_purity_and_its_alarm(capsys, recordings):
    said = lines(capsys, recordings / "o2conc/devilbiss_psa_50hz.csv")

    at = {line["event"]: line["reported_at"] for line in said if line["type"] == "event"}
    assert at["oxygen_warmed_up"] == pytest.approx(87, abs=1.5)  # the log begins at 10 s
    assert at["oxygen_purity_low"] == pytest.approx(130.5, abs=1.5)
    assert "O2 PURITY LOW" in {line["alarm"] for line in said if line["type"] == "alarm"}
