"""A packet of every board, made from its protocol: what the kit of test_conformance.py is run with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_bridge.simulators.contec import packet as contec7_packet
from firmware_bridge.simulators.gasboard import answer as gasboard_answer
from firmware_bridge.simulators.medibus import message as medibus_message
from firmware_bridge.simulators.resmed import frame as resmed_frame
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.wire import Type, sealed


def dm_ecg(n: int, values: list[int]) -> bytes:
    pairs = bytearray(b for value in values for b in (0x20 | (value & 0xFFF) >> 7, value & 0x7F))
    pairs[2] |= 0x40
    if 120 <= n < 140:  # V6 comes off and on again
        pairs[14] &= ~0x20
    if n in {180, 181}:  # so does RL
        pairs[0] &= ~0x20
        pairs[2] &= ~0x40
    return bytes((0xE8, n % 64, 0x11, 0x20, 0)) + bytes(pairs) + b"\x8e"


def dm_ecg_ascii(n: int, values: list[int]) -> bytes:
    return ",".join(f"{value & 0xFFF:04d}" for value in values).encode() + b"\r\n"


def healthypi4(n: int, values: list[int]) -> bytes:
    signals = b"".join(value.to_bytes(4, "little", signed=True) for value in values[:3])
    return (
        b"\x0a\xfa\x14\x00\x02"
        + signals
        + bytes((0x47, 0x0E, 16, 98, 60 + n // 50, 80, 120, 0))
        + b"\x00\x0b"
    )


def healthypi5(n: int, values: list[int]) -> bytes:
    signals = [(value << 8).to_bytes(4, "little", signed=True) for value in values[:4]]
    ecg, impedance, red, infrared = signals
    numbers = bytes((0x47, 0x0E, 98, 60 + n // 50, 16))
    return b"\x0a\xfa\x16\x00\x02" + ecg + impedance + b"\0" + red + infrared + numbers + b"\x00\x0b"


def cyton(n: int, values: list[int]) -> bytes:
    channels = b"".join((value << 6).to_bytes(3, "big", signed=True) for value in values)
    acceleration = b"\x00\x10\xff\xe0\x1f\x40" if n % 10 == 3 else bytes(6)
    text = b"Failure: Board RFduino buffer overflowed.$$$" if n == 200 else b""
    return text + bytes((0xA0, n % 256)) + channels + acceleration + b"\xc0"


def resmed(n: int, values: list[int]) -> bytes:
    line = b"" if n % 10 else resmed_frame("L", b"PMD0AUUFCE06")
    return line + resmed_frame("R", b"G S #RFL = %04X" % ((values[0] + n) & 0xFFFF))


def medibus(n: int, values: list[int]) -> bytes:
    counts = (values[0] + 9000) % 4096, (values[1] + 9000) % 1531
    sample = bytes(part for count in counts for part in (0x80 | count & 0x3F, 0x80 | count >> 6))
    curves = "00   10000  -50  150FFF01   10000 -200  2005FA"
    head = (medibus_message(1, 0x53, curves) if n == 0 else b"") + b"\xd3"
    if n % 10 == 5:  # an answer among the samples
        answer = medibus_message(1, 0x24, f"73{n:4d}F0  40")
        return head + sample[:1] + answer[:7] + sample[1:] + answer[7:]
    return head + (b"\xc6\xc0" if n % 10 == 7 else b"") + sample


VLP_CHANNELS = tuple(
    messages.Entry(ch, 1, 0, 500.0, 0.001, 0.0, 0.0, lead, "mV") for ch, lead in enumerate(("I", "II", "V1"))
)


def vlp(n: int, values: list[int]) -> bytes:
    hello = messages.hello(messages.Hello(512, 3, bytes(16), 1, "kit", "1"))
    head = sealed(Type.HELLO, 0, hello) + sealed(Type.DICT, 1, messages.dictionary(1, VLP_CHANNELS))
    row = np.array([values[:3]], "<i2")
    return (b"" if n else head) + sealed(Type.ROWS, n + 2, messages.rows(1, 0, (n + 1) * 2000, row))


def gasboard(n: int, values: list[int]) -> bytes:
    oxygen, flow = 200 + (values[0] + 9000) % 750, (values[1] + n) % 100
    return gasboard_answer(1, oxygen.to_bytes(2, "big") + flow.to_bytes(2, "big") + b"\x01\x0c\0\0")


def nonin(n: int, values: list[int]) -> bytes:
    beside = {0: 0, 1: 72, 2: 90 + n // 75, 3: 48}.get(n % 25, 0)
    body = bytes((1, 0x80 if n % 25 else 0x81, values[0] & 0xFF, beside))
    return body + bytes((sum(body) & 0xFF,))


def contec(n: int, values: list[int]) -> bytes:
    return bytes((0x86, values[0] & 0x7F, 0x06, 60 + n // 50, 97))


def contec7(n: int, values: list[int]) -> bytes:
    return contec7_packet(0x01, bytes((7, values[0] & 0x7F, 6, 120 + n // 50, 97, 0x90, 1)))


def vt_settings(n: int, values: list[int]) -> bytes:
    low, high = 4 + n % 5, 12 + (values[0] + 9000) % 60 / 10
    text = f"*,R,141125,{n // 60:02d}{n % 60:02d},AUTOMODE,G,{8 + n % 40 / 10:.1f},1.0,H,{low:.1f},{low:.1f},{high:.1f},1.0"
    return f"{text},I,5.0,1.0,1.0,1.0,0.0,1.0,1.0,12345678C,#\r\n".encode()


@dataclass(frozen=True)
class Case:
    packet: Callable[[int, list[int]], bytes]
    options: dict[str, str] = field(default_factory=dict)
    counted: bool = True  # its frames carry a counter, so losses are known
    known_s: float = 0.3  # of its stream, after which it must be recognised


CASES = {
    "dm_ecg": Case(dm_ecg),
    "dm_ecg_ascii": Case(dm_ecg_ascii, counted=False),
    "healthypi4": Case(healthypi4, counted=False),
    "healthypi5": Case(healthypi5, counted=False),
    "cyton": Case(cyton, {"setup": "no"}),
    "medibus": Case(medibus, counted=False),
    "resmed": Case(resmed, counted=False),
    "vlp": Case(vlp),
    "gasboard": Case(gasboard, counted=False, known_s=2.0),
    "nonin": Case(nonin, counted=False),
    "contec": Case(contec, counted=False),
    "contec7": Case(contec7, counted=False),
    "vt_settings": Case(vt_settings, counted=False, known_s=2.0),
}
