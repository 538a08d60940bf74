"""Opening: exclusive, raw, and with plain words when it cannot be."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from daemon.acquisition.line import CannotOpen, open_line
from daemon.model.signals import LinkState
from firmware_bridge.frames import PortSettings

SETTINGS = PortSettings()


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """A cooked pseudo-terminal, as the kernel makes it: master and the path of the other end."""
    master, slave = os.openpty()
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_every_byte_value_comes_through_raw(pty: tuple[int, str]) -> None:
    master, path = pty
    line = open_line(path, SETTINGS)
    every = bytes(range(256))
    os.write(master, every)
    got = b""
    while len(got) < 256:
        got += line.read(256)
    line.write(every)

    assert got == every
    assert os.read(master, 512) == every
    line.close()


def test_flow_control_echo_and_break_are_off(pty: tuple[int, str]) -> None:
    line = open_line(pty[1], SETTINGS)
    iflag, oflag, cflag, lflag, ispeed, *_ = termios.tcgetattr(line.fd)
    line.close()

    assert not iflag & (termios.IXON | termios.IXOFF | termios.BRKINT | termios.ICRNL | termios.PARMRK)
    assert not oflag & termios.OPOST
    assert not cflag & (termios.CRTSCTS | termios.HUPCL)
    assert not lflag & (termios.ICANON | termios.ECHO | termios.ISIG)
    assert ispeed == termios.B115200


def test_a_second_opener_is_told_that_the_port_is_busy(pty: tuple[int, str]) -> None:
    line = open_line(pty[1], SETTINGS)
    with pytest.raises(CannotOpen, match="another program") as refusal:
        open_line(pty[1], SETTINGS)
    line.close()

    assert refusal.value.state is LinkState.BUSY
    open_line(pty[1], SETTINGS).close()


def test_a_killed_daemons_lock_does_not_stay_on_a_pseudo_terminal(pty: tuple[int, str]) -> None:
    child = os.fork()
    if child == 0:
        open_line(pty[1], SETTINGS)
        os._exit(0)
    os.waitpid(child, 0)
    exclusive = fcntl.ioctl(os.open(pty[1], os.O_RDWR | os.O_NOCTTY), 0x80045440, b"\0" * 4)  # TIOCGEXCL

    assert int.from_bytes(exclusive, "little") == 0
    open_line(pty[1], SETTINGS).close()


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_what_is_no_terminal_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no port")
    with pytest.raises(CannotOpen) as refusal:
        open_line(str(tmp_path / name), SETTINGS)

    assert refusal.value.state is LinkState.LOST
    assert name in str(refusal.value)


def test_a_device_that_takes_nothing_does_not_hold_the_writer(pty: tuple[int, str]) -> None:
    line = open_line(pty[1], SETTINGS)
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while taken < 10_000_000:
            taken += line.write(b"x" * 1024)
    line.close()

    assert 0 < taken < 1_000_000


def test_a_port_that_went_away_is_an_error_of_reading_and_of_writing() -> None:
    master, slave = os.openpty()
    line = open_line(os.ttyname(slave), SETTINGS)
    os.close(slave)
    os.close(master)
    with pytest.raises(serial.SerialException):
        line.read(1)
    with pytest.raises(serial.SerialException):
        line.write(b"x")
    line.close()


def test_another_boards_settings_are_taken_on_the_open_line(pty: tuple[int, str]) -> None:
    line = open_line(pty[1], PortSettings(dtr=None, rts=None))
    line.adopt(PortSettings(baud=57600, close_drops_dtr=True))
    attributes = termios.tcgetattr(line.fd)
    line.close()

    assert attributes[4] == termios.B57600
    assert attributes[2] & termios.HUPCL
    assert not attributes[0] & termios.IXON
