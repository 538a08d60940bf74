"""The real `vitald sound`, heard at the device."""

from __future__ import annotations

import time

import pytest

from daemon.cli import main
from daemon.model.alarms import Priority
from daemon.signals.bursts import RATE
from tests.daemon.signals._measure import pulses
from tests.daemon.signals._process import running

pytestmark = pytest.mark.slow


def test_an_alarm_is_heard_at_the_device_and_cut_when_a_person_silences_it(tmp_path):
    with running(tmp_path) as (process, device):
        process.well()
        answer = process.keep_saying(5, until=lambda a: a["self_test"])
        assert answer["self_test"]["passed"]
        time.sleep(0.5)
        asked = time.monotonic()
        assert process.keep_saying(1.0, sound=Priority.HIGH)["playing"] == "high"
        assert device.first_sound(asked) - asked < 1.0
        process.keep_saying(2, silenced=1, paused=True)
        assert device.first_sound(time.monotonic() - 1.0) is None

        again = time.monotonic()
        process.keep_saying(5.0, silenced=1, sound=Priority.HIGH)
        assert len(pulses(device.since(again)[1], RATE)) == 10


def test_without_a_device_it_runs_on_says_so_and_plays_when_one_comes(tmp_path):
    with running(tmp_path, plugged=False) as (process, device):
        answer = process.keep_saying(5, until=lambda a: a["speaker"]["state"] != "opening", sound="high")
        assert answer["speaker"]["state"] == "no_device"
        assert process.process.poll() is None
        device.plug()
        answer = process.keep_saying(12, until=lambda a: device.first_sound(0), sound="high")
        assert device.first_sound(0)
        assert answer["playing"] == "high"


def test_sigterm_with_the_daemon_listening_ends_it_without_a_word_of_error(tmp_path):
    with running(tmp_path) as (process, _):
        process.say()
        process.process.terminate()
        _, said = process.process.communicate(timeout=10)
    assert process.process.returncode == 0
    assert b"Traceback" not in said
    assert b"ERROR" not in said


def test_only_one_runs_and_none_where_it_is_switched_off(tmp_path, capsys):
    with running(tmp_path) as (process, _):
        assert main(["sound", "--config", str(process.config)]) == 78
        assert "another vitald sound" in capsys.readouterr().err
    process.config.write_text("[sound]\nenabled = false\n")
    assert main(["sound", "--config", str(process.config)]) == 78
