"""Opening a serial line so that every byte comes through, at once, and to us alone.

Two locks, since neither is enough: flock keeps out programs that ask (pyserial, minicom), TIOCEXCL those that do not,
unless they are root. A pseudo-terminal gets only the first: its TIOCEXCL outlives a killed daemon (the terminal lives
on in the simulator's hands) and would lock its successor out; tried. Raw means raw: with IXON left on, the bytes 11 and 13
vanish, and each DM-ECG frame holds an 11; with BRKINT a break throws the whole input away.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any

import serial

from daemon.model.signals import LinkState
from firmware_bridge.frames import PortSettings

_TIOCGSERIAL, _TIOCSSERIAL = 0x541E, 0x541F
_ASYNC_LOW_LATENCY = 0x2000
_FLAGS_AT, _SERIAL_STRUCT_BYTES = 16, 128
_PSEUDO_TERMINALS = range(136, 144)

_INPUT_OFF = (
    termios.IGNBRK
    | termios.BRKINT
    | termios.PARMRK
    | termios.ISTRIP
    | termios.INPCK
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON
    | termios.IXOFF
    | termios.IXANY
)
_LOCAL_OFF = termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN


class CannotOpen(Exception):
    """The port cannot be had now; `state` is BUSY, DENIED or LOST, the text says why and what to do."""

    def __init__(self, state: LinkState, text: str) -> None:
        super().__init__(text)
        self.state = state


class Line(serial.Serial):  # type: ignore[misc]
    """pyserial's port with what it lacks here: lines left alone when asked, and writes that never spin on a full queue."""

    def __init__(self, path: str, settings: PortSettings) -> None:
        self._settings = settings
        super().__init__(
            None,
            baudrate=settings.baud,
            exclusive=True,
            timeout=0,
            write_timeout=0,
        )
        self.port = path
        self.dtr = settings.dtr is not False
        self.rts = settings.rts is not False

    def write(self, data: bytes) -> int:
        """Bytes taken by the kernel; BlockingIOError when it takes none (pyserial would try for ever)."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            raise
        except OSError as error:
            raise serial.SerialException(f"write failed: {error}") from error

    def flush(self) -> None:
        """Nothing: the transport calls it when the device has gone, and nobody waits for a device that has gone."""

    def adopt(self, settings: PortSettings) -> None:
        """Go on with another board's settings on the open line."""
        self._settings = settings
        self.baudrate = settings.baud
        self.set_parity(settings)
        if settings.dtr is not None:
            self.dtr = settings.dtr
        if settings.rts is not None:
            self.rts = settings.rts
        _make_raw(self.fd, drop_dtr=settings.close_drops_dtr)

    def set_parity(self, settings: PortSettings) -> None:
        """Where there is any: a pseudo-terminal keeps no parity, and the C library calls that an error."""
        if not _is_pseudo_terminal(self.fd):
            self.parity = settings.parity

    def backlog(self) -> int:
        """Bytes that wait in the kernel to be read."""
        return int(self.in_waiting)

    def unsent(self) -> int:
        """Bytes that wait in the kernel to be sent."""
        return int(self.out_waiting)

    def discard(self) -> None:
        """Forget what waits to be sent, so that closing does not wait for a device that takes nothing (30 s by default)."""
        termios.tcflush(self.fd, termios.TCOFLUSH)

    def _update_dtr_state(self) -> None:
        if self._settings.dtr is not None:
            with _unless_it_has_no_modem_lines():
                super()._update_dtr_state()

    def _update_rts_state(self) -> None:
        if self._settings.rts is not None:
            with _unless_it_has_no_modem_lines():
                super()._update_rts_state()


class Receiver(asyncio.Protocol):
    """What a transport calls, as two functions: bytes have come, the line is closed (with the error, if it was one)."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[Exception | None], None]) -> None:
        self._received = received
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)


def open_line(path: str, settings: PortSettings) -> Line:
    """Open a port exclusively, raw, with low latency. Raises `CannotOpen`. May block for a slow driver: not on the loop.

    What arrived before the opening is thrown away by pyserial: its time is unknown.
    """
    line = Line(path, settings)
    try:
        line.open()
        line.set_parity(settings)
    except (OSError, serial.SerialException) as error:
        raise _cannot(path, error) from error
    try:
        _make_raw(line.fd, drop_dtr=settings.close_drops_dtr)
        if not _is_pseudo_terminal(line.fd):
            fcntl.ioctl(line.fd, termios.TIOCEXCL)
        _low_latency(line.fd)
    except (OSError, termios.error) as error:
        line.close()
        raise _cannot(path, error) from error
    except BaseException:
        line.close()
        raise
    return line


def _is_pseudo_terminal(fd: int) -> bool:
    return os.major(os.fstat(fd).st_rdev) in _PSEUDO_TERMINALS


@contextlib.contextmanager
def _unless_it_has_no_modem_lines() -> Iterator[None]:
    """A pseudo-terminal has neither DTR nor RTS."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOTTY, errno.EINVAL}:
            raise


def _cannot(path: str, error: Exception) -> CannotOpen:
    number = getattr(error, "errno", None) or next((a for a in error.args if isinstance(a, int)), None)
    if number in {errno.EBUSY, errno.EAGAIN}:
        return CannotOpen(LinkState.BUSY, f"{path} is in use by another program: close it")
    if number in {errno.EACCES, errno.EPERM}:
        return CannotOpen(
            LinkState.DENIED, f"{path} may not be opened: give the daemon's user access (group dialout)"
        )
    reason = os.strerror(number) if number else str(error)
    return CannotOpen(LinkState.LOST, f"{path}: {reason}")


def _make_raw(fd: int, *, drop_dtr: bool) -> None:
    """Set what pyserial leaves as it found it, and check that the driver took it all."""
    now = termios.tcgetattr(fd)
    now[0] &= ~_INPUT_OFF
    now[1] &= ~termios.OPOST
    now[2] = (now[2] | termios.CLOCAL | termios.CREAD | termios.CS8) & ~(termios.CRTSCTS | termios.HUPCL)
    if drop_dtr:
        now[2] |= termios.HUPCL
    now[3] &= ~_LOCAL_OFF
    termios.tcsetattr(fd, termios.TCSANOW, now)
    got = termios.tcgetattr(fd)
    if got[0] & _INPUT_OFF or got[1] & termios.OPOST or got[3] & _LOCAL_OFF or got[2] & termios.CRTSCTS:
        raise OSError(errno.EIO, "the driver does not give raw bytes")


def _low_latency(fd: int) -> None:
    """Ask the driver to pass bytes on at once (an FTDI bridge: after 1 ms, not 16). Drivers without the setting refuse."""
    info: Any = bytearray(_SERIAL_STRUCT_BYTES)
    try:
        fcntl.ioctl(fd, _TIOCGSERIAL, info)
        (flags,) = struct.unpack_from("=i", info, _FLAGS_AT)
        struct.pack_into("=i", info, _FLAGS_AT, flags | _ASYNC_LOW_LATENCY)
        fcntl.ioctl(fd, _TIOCSSERIAL, info)
    except OSError as error:
        if error.errno not in {errno.ENOTTY, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP}:
            raise
