"""Heat, voltage, memory and mains as Facts: each once when it begins, once when it is over, and not in between."""

from __future__ import annotations

import pytest

from daemon.appliance import machine
from daemon.appliance.hardware import Hardware, Inputs, inputs_of
from daemon.config_hardware import Hardware as Wanted
from daemon.model.signals import FactState
from daemon.signals.gpio import InputLine

GB = 1_000_000


@pytest.fixture
def root(tmp_path):
    """A machine that is well."""
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (tmp_path / "proc/pressure").mkdir(parents=True)
    firmware = tmp_path / machine.THROTTLED
    firmware.parent.mkdir(parents=True)
    set_up(tmp_path)
    return tmp_path


def set_up(root, *, degrees=50.0, bits="0", available_kb=2 * GB, stalled=0.0):
    (root / "sys/class/thermal/thermal_zone0/temp").write_text(f"{degrees * 1000:.0f}\n")
    (root / machine.THROTTLED).write_text(f"{bits}\n")
    (root / "proc/meminfo").write_text(f"MemTotal: {4 * GB} kB\nMemAvailable: {available_kb} kB\n")
    (root / "proc/pressure/memory").write_text(
        f"some avg10={stalled:.2f} avg60=0 avg300=0 total=1\nfull avg10=0\n"
    )


def looked(root, *steps, inputs=None):
    """(source, state) of every Fact that came of these steps."""
    said = []
    hardware = Hardware(inputs or Inputs(), said.append, lambda: 7, root)
    for step in steps:
        step()
        hardware.look()
    return [(fact.source, fact.state) for fact in said]


@pytest.mark.parametrize(
    ("source", "bad", "between"),
    [
        ("heat", {"degrees": 81.0}, {"degrees": 77.0}),
        ("heat", {"bits": "4"}, None),
        ("supply", {"bits": "50001"}, None),
        ("memory", {"available_kb": GB // 10}, {"available_kb": GB * 32 // 100}),
        ("memory", {"stalled": 40.0}, {"stalled": 10.0}),
    ],
)
def test_what_is_bad_is_said_once_and_is_over_only_when_it_is_well_beyond(root, source, bad, between):
    steps = [lambda: set_up(root, **bad), lambda: None]
    if between is not None:
        steps.append(lambda: set_up(root, **between))
    told = looked(root, lambda: None, *steps, lambda: set_up(root), lambda: None)

    assert told == [(source, FactState.FAILED), (source, FactState.OK)]


def test_a_data_partition_that_could_not_be_used_at_the_start_is_said(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / machine.NO_DATA).touch()
    assert looked(tmp_path, lambda: None, lambda: None) == [("keeping", FactState.FAILED)]


def test_a_machine_that_tells_nothing_says_nothing(tmp_path):
    assert looked(tmp_path, lambda: None) == []


def test_mains_that_are_gone_are_said_and_a_file_that_is_not_there_says_nothing(tmp_path):
    mains = tmp_path / "online"
    inputs = Inputs(mains=mains)

    told = looked(
        tmp_path,
        lambda: None,
        lambda: mains.write_text("1\n"),
        lambda: mains.write_text("0\n"),
        lambda: mains.write_text("1\n"),
        inputs=inputs,
    )

    assert told == [("power", FactState.FAILED), ("power", FactState.OK)]


def test_the_end_of_the_supply_is_read_from_its_file(tmp_path):
    ending = tmp_path / "ending"
    inputs = Inputs(ending=ending)
    assert not inputs.ends()
    ending.write_text("0")
    assert not inputs.ends()
    ending.write_text("1")
    assert inputs.ends()
    assert not Inputs().ends()


def test_lines_of_a_chip_are_read_as_files_are_and_a_chip_that_is_not_there_says_nothing(monkeypatch):
    away = inputs_of(Wanted(gpio_chip="/nowhere", mains_line=17, ending_line=18))
    assert (away.mains_lost(), away.ends()) == (False, False)

    high = {17: True, 18: False}
    monkeypatch.setattr(InputLine, "read", lambda line: high[line._number])
    inputs = inputs_of(Wanted(mains_line=17, ending_line=18))
    assert (inputs.mains_lost(), inputs.ends()) == (False, False)
    high = {17: False, 18: True}
    assert (inputs.mains_lost(), inputs.ends()) == (True, True)
    inputs.close()


def test_a_file_goes_before_a_line(tmp_path):
    (tmp_path / "online").write_text("0\n")
    assert inputs_of(Wanted(mains_file=tmp_path / "online", mains_line=3)).mains_lost()
