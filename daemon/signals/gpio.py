"""One line of a GPIO chip, an output or an input, through the kernel's character device (include/uapi/linux/gpio.h, version 2)."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

# struct gpio_v2_line_request: offsets[64], consumer[32], config {flags, num_attrs, padding[5], attrs[10]}, num_lines,
# event_buffer_size, padding[5], fd. One line, no attributes: all else is zero, so the line starts low.
_REQUEST = struct.Struct("=I252x32sQ264xI24xi")
_VALUES = struct.Struct("=QQ")  # struct gpio_v2_line_values: bits, mask
_INPUT = 1 << 2  # GPIO_V2_LINE_FLAG_INPUT
_OUTPUT = 1 << 3  # GPIO_V2_LINE_FLAG_OUTPUT


def _iowr(number: int, size: int) -> int:
    """_IOWR(0xB4, number, size) of asm-generic/ioctl.h (arm64, amd64)."""
    return (3 << 30) | (size << 16) | (0xB4 << 8) | number


GET_LINE = _iowr(0x07, _REQUEST.size)
GET_VALUES = _iowr(0x0E, _VALUES.size)
SET_VALUES = _iowr(0x0F, _VALUES.size)


class Line:
    """Line `number` of `chip`, an output. Asked for when first set, and again where that failed; low to begin with.

    The kernel takes it back when the process ends.
    """

    def __init__(self, chip: Path, number: int, consumer: str) -> None:
        self._chip = chip
        self._number = number
        self._consumer = consumer
        self._line: int | None = None
        self._on = False

    def set(self, *, on: bool) -> None:
        if self._line is None:
            self._line = _asked_for(self._chip, self._number, self._consumer, _OUTPUT)
        if on is not self._on:
            fcntl.ioctl(self._line, SET_VALUES, _VALUES.pack(on, 1))
            self._on = on

    def close(self) -> None:
        if self._line is None:
            return
        with suppress(OSError):
            self.set(on=False)
        with suppress(OSError):
            os.close(self._line)


class InputLine:
    """Line `number` of `chip`, an input. Asked for when first read, and again where that failed."""

    def __init__(self, chip: Path, number: int, consumer: str) -> None:
        self._chip = chip
        self._number = number
        self._consumer = consumer
        self._line: int | None = None

    def read(self) -> bool:
        """Whether it is high. Raises OSError; EBUSY where another process, or another of ours, has it."""
        if self._line is None:
            self._line = _asked_for(self._chip, self._number, self._consumer, _INPUT)
        values = bytearray(_VALUES.pack(0, 1))
        fcntl.ioctl(self._line, GET_VALUES, values, True)
        bits: int = _VALUES.unpack(values)[0]
        return bool(bits & 1)

    def close(self) -> None:
        """Give it back."""
        if self._line is not None:
            with suppress(OSError):
                os.close(self._line)
            self._line = None


def _asked_for(chip: Path, number: int, consumer: str, flags: int) -> int:
    """The descriptor of the line. Raises OSError."""
    device = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
    try:
        request = bytearray(_REQUEST.pack(number, consumer.encode()[:31], flags, 1, 0))
        fcntl.ioctl(device, GET_LINE, request, True)
    finally:
        os.close(device)
    line: int = _REQUEST.unpack(request)[-1]
    return line
