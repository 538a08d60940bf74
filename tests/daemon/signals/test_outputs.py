"""Lamp and nurse call: their patterns over time, and what the kernel is asked for."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from daemon.config import Sound
from daemon.model.alarms import Priority
from daemon.signals import gpio
from daemon.signals.lamp import Lamp, lit
from daemon.signals.loudspeaker import LOOK_S, SoundProcess, outputs_of
from daemon.signals.relay import CALLS_AT_LEAST_NS, Relay

HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW
S = 1_000_000_000


class Wire:
    def __init__(self):
        self.on = False

    def set(self, *, on):
        self.on = on

    def close(self):
        self.on = False


def flashes(priority, seconds=60):
    """Frequency in Hz and share of time lit, as the process drives it."""
    step = round(LOOK_S * S)
    on = np.array([lit(priority, t) is priority for t in range(7 * S, (7 + seconds) * S, step)])
    return np.count_nonzero(np.diff(on.astype(int)) == 1) / seconds, on.mean()


@pytest.mark.parametrize(("priority", "low_hz", "high_hz"), [(HIGH, 1.4, 2.8), (MEDIUM, 0.4, 0.8)])
def test_flash_rate_and_duty(priority, low_hz, high_hz):
    hz, duty = flashes(priority)
    assert low_hz <= hz <= high_hz
    assert 0.2 <= duty <= 0.6


def test_low_is_steady_and_nothing_is_dark():
    assert flashes(LOW) == (0, 1.0)
    assert lit(None, 5) is None


def test_only_the_colour_of_the_worst_condition_is_lit():
    wires = {p: Wire() for p in Priority}
    lamp = Lamp(wires)
    for shown in (HIGH, MEDIUM, LOW, None):
        lamp.show(shown, 0, well=True)
        assert [p for p, wire in wires.items() if wire.on] == [p for p in [shown] if p]
    lamp.show(HIGH, 0, well=True)
    lamp.release()
    assert not any(wire.on for wire in wires.values())


def test_the_relay_is_held_only_while_all_is_well():
    wire = Wire()
    relay = Relay(wire)
    assert not wire.on  # no power: it calls
    relay.show(None, 0, well=True)
    assert wire.on
    relay.show(None, S, well=False)
    assert not wire.on
    relay.show(None, S + CALLS_AT_LEAST_NS - 1, well=True)
    assert not wire.on  # a short call is not lost
    relay.show(None, S + CALLS_AT_LEAST_NS, well=True)
    assert wire.on
    relay.release()
    assert not wire.on


@pytest.fixture
def kernel(tmp_path):
    """The layout of linux/gpio.h as this machine's C compiler sees it."""
    if shutil.which("cc") is None or not Path("/usr/include/linux/gpio.h").exists():
        pytest.skip("no C compiler, or no kernel headers")
    wanted = {
        "size": "sizeof(struct gpio_v2_line_request)",
        "consumer": "offsetof(struct gpio_v2_line_request, consumer)",
        "flags": "offsetof(struct gpio_v2_line_request, config.flags)",
        "num_lines": "offsetof(struct gpio_v2_line_request, num_lines)",
        "fd": "offsetof(struct gpio_v2_line_request, fd)",
        "values": "sizeof(struct gpio_v2_line_values)",
        "bits": "offsetof(struct gpio_v2_line_values, bits)",
        "get_line": "GPIO_V2_GET_LINE_IOCTL",
        "set_values": "GPIO_V2_LINE_SET_VALUES_IOCTL",
        "get_values": "GPIO_V2_LINE_GET_VALUES_IOCTL",
        "output": "GPIO_V2_LINE_FLAG_OUTPUT",
        "input": "GPIO_V2_LINE_FLAG_INPUT",
    }
    lines = "".join(f'printf("{name} %lu\\n", (unsigned long)({what}));' for name, what in wanted.items())
    (tmp_path / "a.c").write_text(
        f"#include <stddef.h>\n#include <stdio.h>\n#include <linux/gpio.h>\nint main(void){{{lines}return 0;}}"
    )
    subprocess.run(["cc", "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    said = subprocess.run([tmp_path / "a"], check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in (line.split() for line in said.splitlines())}


class Ioctls:
    """Answers as the kernel would, and keeps what was asked, read by the offsets of the kernel's header."""

    def __init__(self, kernel, monkeypatch):
        self.kernel, self.asked, self.set, self.high = kernel, [], [], 0
        self.line = os.open("/dev/null", os.O_RDWR)  # the one under test closes it
        monkeypatch.setattr(gpio.fcntl, "ioctl", self)

    def __call__(self, fd, request, argument, mutate=False):
        k = self.kernel
        if request == k["get_line"]:
            assert mutate
            assert len(argument) == k["size"]
            (number,) = struct.unpack_from("=I", argument, 0)
            consumer = bytes(argument[k["consumer"] :]).split(b"\0")[0].decode()
            (flags,) = struct.unpack_from("=Q", argument, k["flags"])
            (lines,) = struct.unpack_from("=I", argument, k["num_lines"])
            self.asked.append((number, consumer, flags, lines))
            struct.pack_into("=i", argument, k["fd"], self.line)
        elif request == k["get_values"]:
            assert mutate
            assert fd == self.line
            assert struct.unpack("=QQ", argument) == (0, 1)
            struct.pack_into("=Q", argument, 0, self.high)
        else:
            assert request == k["set_values"]
            assert fd == self.line
            assert len(argument) == k["values"]
            self.set.append(struct.unpack("=QQ", argument))


def test_the_kernel_is_asked_as_its_header_says(kernel, monkeypatch):
    ioctls = Ioctls(kernel, monkeypatch)
    line = gpio.Line(Path("/dev/null"), 17, "vitald lamp")
    line.set(on=False)

    assert ioctls.asked == [(17, "vitald lamp", kernel["output"], 1)]
    for on in (False, True, True, False):
        line.set(on=on)
    assert ioctls.set == [(1, 1), (0, 1)]  # only changes
    line.close()


def test_closing_a_line_that_is_on_sets_it_low_first(kernel, monkeypatch):
    ioctls = Ioctls(kernel, monkeypatch)
    line = gpio.Line(Path("/dev/null"), 3, "x")
    line.set(on=True)
    line.close()
    assert ioctls.set[-1] == (0, 1)


def test_an_input_is_asked_for_once_and_read_as_the_header_says(kernel, monkeypatch):
    ioctls = Ioctls(kernel, monkeypatch)
    line = gpio.InputLine(Path("/dev/null"), 22, "vitald mains")
    read = []
    for ioctls.high in (0, 1, 0):
        read.append(line.read())
    assert read == [False, True, False]
    assert ioctls.asked == [(22, "vitald mains", kernel["input"], 1)]
    line.close()
    with pytest.raises(OSError, match="No such file"):
        gpio.InputLine(Path("/nowhere"), 22, "x").read()


async def test_a_chip_that_is_not_there_costs_no_sound_and_is_told(tmp_path):
    assert outputs_of(Sound()) == []
    for chip in ("/nowhere", "/dev/null"):  # no file, and no GPIO chip
        outputs = outputs_of(Sound(gpio_chip=Path(chip), nurse_call=4, lamp_high=5))
        process = SoundProcess(tmp_path / "s", "default", outputs, lambda: 5 * S)
        process._show(5 * S)
        process._show(6 * S)
        assert process._desk.output_fault.startswith("relay: ")
        for output in outputs:
            output.release()
