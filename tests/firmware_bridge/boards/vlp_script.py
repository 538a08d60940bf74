"""A VLP device in a test's hands, and what a board says to it."""

from __future__ import annotations

import numpy as np

from firmware_bridge.boards import vlp
from firmware_bridge.vlp import messages
from firmware_bridge.vlp.messages import BITS, CODE, Entry, Hello, Offer
from firmware_bridge.vlp.wire import Letter, Opener, Type, sealed

MS = 1_000_000
SECOND = 1000 * MS
HELLO, DICT, SAMPLES, LOG = (
    bytes.fromhex(golden)
    for golden in (
        "03 01 01 01 01 01 01 01 01 03 02 02 01 12 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 1C A5 01 0E 04 76 73 69 6D 03 31 2E 30 64 A5 D1 83 00",
        "03 01 02 01 02 01 01 01 02 01 02 02 03 01 01 01 01 07 C8 41 6F 12 03 3B 01 01 01 01 01 01 01 0D 04 66 6C 6F 77 03 4C 2F 73 01 01 01 01 01 03 80 3F 01 03 80 3F 01 01 01 01 01 01 01 0C 04 73 70 6F 32 01 25 D2 31 D6 44 00",
        "03 01 10 01 02 07 01 01 02 01 01 05 04 40 42 0F 01 01 01 01 01 01 04 6A FF FA 07 F4 01 76 E4 EA 24 00",
        "03 01 40 01 02 0C 01 01 05 02 87 D6 12 01 01 01 01 0D 70 72 6F 62 65 20 6F 6B 09 3D B8 D3 00",
    )
)
ECG = tuple(Entry(ch, 1, 0, 500.0, 0.001, 0.0, 0.0, lead, "mV") for ch, lead in enumerate(("I", "II")))
ELECTRODES = Entry(9, 1, BITS, 0.0, 1.0, 0.0, 0.0, "electrodes", "RA|LA|LL")
MODE = Entry(10, 0, CODE, 0.0, 1.0, 0.0, 0.0, "mode", "Standby|CPAP")
SPO2 = Entry(11, 1, 0, 0.0, 0.1, 0.0, 0.0, "spo2", "%")
WHO = Hello(512, 7, b"CPAP-2301-9912\0\0", 5, "VT-30", "2.1")
PRESSURE = Offer(1, 4_000, 20_000, 200, 10_000, "target_pressure", "cmH2O")


class Script:
    """A device in a test's hands: numbers its frames."""

    def __init__(self) -> None:
        self.sequence = 0

    def say(self, kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
        self.sequence += 1
        return sealed(kind, self.sequence - 1, payload, flags)

    def hello(self, said: Hello = WHO) -> bytes:
        return self.say(Type.HELLO, messages.hello(said))

    def dictionary(self, *entries: Entry, number: int = 1) -> bytes:
        return self.say(Type.DICT, messages.dictionary(number, entries))

    def rows(self, first: int, values: list[list[int]], *, number: int = 1) -> bytes:
        return self.say(Type.ROWS, messages.rows(number, 0, first * 2000, np.array(values, "<i2")))

    def event(self, entry: Entry, value: int) -> bytes:
        raw = np.array([value]).astype(messages.TYPES[entry.type])
        return self.say(Type.SAMPLES, messages.samples(1, entry.ch, 0, raw))


def heard(data: bytes) -> list[Letter]:
    return [piece for piece in Opener().cut(data) if isinstance(piece, Letter)]


def said(board: vlp.Vlp, now_ns: int, kind: Type) -> list[Letter]:
    return [letter for letter in heard(board.due(now_ns) or b"") if letter.type == kind]


def acquainted(*entries: Entry) -> tuple[vlp.Vlp, Script, list]:
    """A board that knows its device."""
    board, device = vlp.board({}), Script()
    board.opened(0)
    return board, device, board.feed(device.hello() + device.dictionary(*entries), MS)
