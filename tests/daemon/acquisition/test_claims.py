"""Who may have which port, on real pseudo-terminals that nobody opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.acquisition import hotplug
from daemon.acquisition.claims import Claims, Place
from daemon.config import Device

Terminals = Callable[[str], str]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminals]:
    """terminal("ttyUSB0") makes a pseudo-terminal with that link; its path."""
    descriptors: list[int] = []

    def make(name: str) -> str:
        master, slave = os.openpty()
        descriptors.extend((master, slave))
        (tmp_path / name).symlink_to(os.ttyname(slave))
        return str(tmp_path / name)

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


def place(bed: str, folder: Path, port: str, serial: str = "") -> Place:
    return Place(bed, Device(label="ecg", port=str(folder / port), serial=serial))


def test_a_glob_finds_terminals_by_name_and_nothing_else(terminal: Terminals, tmp_path: Path) -> None:
    one, two = terminal("ttyUSB1"), terminal("ttyUSB0")
    (tmp_path / "ttyUSB2").write_text("a file")
    (tmp_path / "ttyUSB3").symlink_to(tmp_path / "gone")
    (tmp_path / "ttyUSB4").symlink_to(two)

    found = hotplug.find(str(tmp_path / "ttyUSB*"))
    assert [p.path for p in found] == [two, one]
    assert [p.label() for p in found] == ["ttyUSB0", "ttyUSB1"]
    assert hotplug.find(str(tmp_path / "nowhere" / "tty*")) == []
    assert hotplug.find(str(tmp_path / "ttyUSB3")) == []


def test_a_port_is_offered_to_one_place_only(terminal: Terminals, tmp_path: Path) -> None:
    terminal("ttyUSB0")
    one, two = place("1", tmp_path, "ttyUSB*"), place("2", tmp_path, "ttyUSB*")
    claims = Claims([one, two])
    (port,) = claims.candidates(one, 0)
    claims.take(one, port)
    assert claims.candidates(two, 0) == []
    claims.release(one)
    assert claims.candidates(two, 0) == [port]


def test_a_port_written_out_for_a_device_is_no_glob_s(terminal: Terminals, tmp_path: Path) -> None:
    terminal("ttyUSB0")
    open_to_any, owner = place("1", tmp_path, "ttyUSB*"), place("2", tmp_path, "ttyUSB0")
    claims = Claims([open_to_any, owner])
    assert claims.candidates(open_to_any, 0) == []
    assert len(claims.candidates(owner, 0)) == 1


def test_a_refused_port_is_tried_again_later_or_when_plugged_anew(
    terminal: Terminals, tmp_path: Path
) -> None:
    terminal("ttyUSB0")
    one = place("1", tmp_path, "ttyUSB*")
    claims = Claims([one])
    (port,) = claims.candidates(one, 0)
    claims.refuse(one, port, 100)
    assert claims.candidates(one, 99) == []
    assert claims.candidates(one, 100) == [port]
    claims.refuse(one, port, 100)
    (tmp_path / "ttyUSB0").unlink()
    terminal("ttyUSB0")
    assert len(claims.candidates(one, 50)) == 1


def test_a_known_serial_number_goes_home_while_home_is_free(terminal: Terminals, tmp_path: Path) -> None:
    terminal("ttyUSB0")
    one, two = place("1", tmp_path, "ttyUSB*"), place("2", tmp_path, "ttyUSB*")
    claims = Claims([one, two])
    (port,) = claims.candidates(one, 0)
    assert not claims.must_identify(two, port)
    assert claims.belongs(one, port, "SN1")
    assert claims.must_identify(two, port)
    assert not claims.belongs(two, port, "SN1")
    assert claims.candidates(two, 0) == []
    assert claims.candidates(one, 0) == [port]


def test_a_configured_serial_number_is_the_only_one_taken(terminal: Terminals, tmp_path: Path) -> None:
    terminal("ttyUSB0")
    one = place("1", tmp_path, "ttyUSB*", "SN1")
    claims = Claims([one])
    (port,) = claims.candidates(one, 0)
    assert claims.must_identify(one, port)
    assert not claims.belongs(one, port, "SN2")
    assert claims.belongs(one, port, "SN1")
