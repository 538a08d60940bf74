"""ResMed AirSense 10 at its edge connector: asked for its values one by one, and never told anything.

The only frames that can be built here are those of `REQUESTS`: "get" of a variable that is safe to read. The same line
could write settings and erase the machine's memory, so there is no encoder: the requests are made once, from a closed list,
and nothing that comes in or is configured can add one.

Flow is asked 25 times a second and mask pressure half as often; the rest takes turns in between. That is what the owner's
round of 20 ms gives with one request at a time; the line itself would carry 140 requests a second. A sample is taken when it
is asked for, so its time is ours: it stands on a grid of 40 ms and jitters by up to half a round.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from firmware_bridge.boards.resmed_frames import QFrames, Whole
from firmware_bridge.dialogue import MS, Dialogue, Step
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    Number,
    PortSettings,
    Quantity,
    Reply,
    Samples,
    Settings,
    Status,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

FLOW_NS: Nanos = 40 * MS
EARLY_NS: Nanos = 10 * MS  # half a round of the owner: so much a request may come before its time
ANSWERED_NS: Nanos = 15 * MS  # an answer takes 7 ms of line, and the machine some
ANSWER_NS: Nanos = 300 * MS  # so long it is waited for
TORN_NS: Nanos = 40 * MS  # after damage, the rest of an answer is waited for so long
PRESSURE_EVERY = 2  # of flow's periods
MOST_FLOWS = 4  # in a row: a machine that answers slowly still says the rest, now and then
FLOW_UNITS, PRESSURE_UNITS = 500.0, 50.0

FACTS = Facts(
    kind="resmed",
    title="ResMed AirSense 10",
    port=PortSettings(baud=57600),
    line_bytes_per_second=5_760,
    streams=(
        StreamSpec(
            "flow", 25.0, (Channel("flow", Quantity.FLOW, "L/s", 1 / FLOW_UNITS, 0.0, -(2**15), 2**15 - 1),)
        ),
        StreamSpec(
            "pressure",
            25.0 / PRESSURE_EVERY,
            (
                Channel(
                    "pressure",
                    Quantity.AIRWAY_PRESSURE,
                    "cmH2O",
                    1 / PRESSURE_UNITS,
                    0.0,
                    -(2**15),
                    2**15 - 1,
                ),
            ),
        ),
    ),
)

# --- decoder ---------------------------------------------------------------------------------------------


class Variable(StrEnum):
    """The variables that are asked for. There is no other."""

    BOOTLOADER = "BID"
    MODEL = "PNA"
    SERIAL = "SRN"
    MACHINE = "MID"
    VARIANT = "VID"
    BOOT_STATE = "BLS"
    STATE = "ZRM"
    MASK = "MST"
    PRESSURE = "MKP"
    FLOW = "RFL"
    LEAK = "LKF"
    MINUTE_VOLUME = "MV5"
    RATE = "RR1"
    TIDAL_VOLUME = "TID"
    SNORE = "SNI"
    FLOW_LIMITATION = "FFL"
    SPO2 = "SAO"
    PULSE_RATE = "HRT"


_NUMBERS: dict[Variable, tuple[str, str, float]] = {  # name, unit, raw value of one unit
    Variable.LEAK: ("cpap_leak", "L/min", 50 / 60),  # the machine says L/s
    Variable.MINUTE_VOLUME: ("cpap_minute_volume", "L/min", 8),
    Variable.RATE: ("cpap_respiration_rate", "/min", 5),
    Variable.TIDAL_VOLUME: ("cpap_tidal_volume", "mL", 50 / 1000),  # the machine says L
    Variable.SNORE: ("cpap_snore", "1", 50),
    Variable.FLOW_LIMITATION: ("cpap_flow_limitation", "1", 100),
    Variable.SPO2: ("spo2", "%", 1),
    Variable.PULSE_RATE: ("pulse_rate", "bpm", 1),
}
_STATES = {1: "standby", 4: "therapy", 5: "mask fit", 7: "system error"}
_MASK = {0: "on", 1: "off"}  # 2: it is not sure yet
_NAMED = {
    Variable.BOOTLOADER: "bootloader",
    Variable.MACHINE: "machine",
    Variable.VARIANT: "variant",
}
_ANSWER = re.compile(rb"G S #([A-Z0-9]{3}) = (.*)", re.DOTALL)
_HEX = re.compile(r"[0-9A-F]{1,8}")


def raw_value(text: str) -> int | None:
    """The number in an answer: two's complement in 16 bits (32 where it is longer); None for a text."""
    if not _HEX.fullmatch(text):
        return None
    bits = 16 if len(text) <= 4 else 32
    value = int(text, 16)
    return value - (1 << bits) if value >> (bits - 1) else value


class AirSense10:
    """The board: asked who it is, then for its values in turns; asked anew when it has not answered for a while."""

    def __init__(self, options: Mapping[str, str]) -> None:
        Options("resmed", options).done()
        self._frames = QFrames()
        first: list[Frame] = [Identity("resmed", model="AirSense 10"), Leads(())]
        self._queued = deque(first, maxlen=32)
        self._dialogue = Dialogue()
        self._turn = _Turn()
        self._opened = False
        self._pressures = 0

    @property
    def facts(self) -> Facts:
        return FACTS

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._dialogue.begin(_WHO, now_ns)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames = list(self._queued)
        self._queued.clear()
        for piece in self._frames.cut(data):
            if isinstance(piece, int):
                frames.append(Damage(piece))
                self._turn.torn(now_ns)
            else:
                frames += self._heard(piece, now_ns)
        return frames

    def _heard(self, frame: Whole, now_ns: Nanos) -> list[Frame]:
        """A frame that is no answer to us (a request of somebody else's, a live line) says nothing here."""
        match = _ANSWER.fullmatch(frame.payload) if frame.type in {"R", "E"} else None
        if match is None or match[1].decode() not in REQUESTS:
            return []
        variable = Variable(match[1].decode())
        frames: list[Frame] = []
        lost = 0
        step = self._dialogue.pending
        if step is not None and step.request == variable:
            refused = "refused" if frame.type == "E" else ""
            frames += self._dialogue.answer(now_ns, refused, ok=not refused)
        elif self._opened:
            expected, lost = self._turn.answered(variable, ok=frame.type == "R")
            if not expected:
                return []  # late: what was asked meanwhile is newer
        if frame.type == "E":
            return [*frames, *_refused(variable)]
        text = match[2].decode("latin-1").strip(" \0")
        return [*frames, *self._said(variable, text, lost, now_ns)]

    def _said(self, variable: Variable, text: str, lost: int, now_ns: Nanos) -> list[Frame]:
        match variable:
            case Variable.SERIAL:
                return [Identity("resmed", serial=text)]
            case Variable.MODEL:
                return [Identity("resmed", model=text.replace("_", " "))]
            case _ if variable in _NAMED:
                return [Settings(((_NAMED[variable], text),))]
        raw = raw_value(text)
        if raw is None:
            return [Damage(len(text), "no number")]
        match variable:
            case Variable.FLOW:
                return [Samples("flow", np.array([[raw]], np.int32), now_ns, lost)]
            case Variable.PRESSURE:
                return self._pressure(raw, lost, now_ns)
            case Variable.STATE:
                word = _STATES.get(raw, f"state {raw}")
                return [Status("mode", word), Status("alarm_code", word if raw == 7 else "")]
            case Variable.BOOT_STATE:
                return [Status("mode", "boot loader")] if raw else []
            case Variable.MASK:
                return [Status("mask", _MASK[raw])] if raw in _MASK else []
        name, unit, one = _NUMBERS[variable]
        measured = raw > 0 if unit in {"%", "bpm"} else True  # zero: there is no oximeter
        return [Number(name, raw / one if measured else None, unit)]

    def _pressure(self, raw: int, lost: int, now_ns: Nanos) -> list[Frame]:
        """Once a second it is the machine's number too."""
        frames: list[Frame] = [Samples("pressure", np.array([[raw]], np.int32), now_ns, lost)]
        if self._pressures % 12 == 0:
            frames.append(Number("cpap_pressure", raw / PRESSURE_UNITS, "cmH2O"))
        self._pressures += 1
        return frames

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        if not self._dialogue.over:
            step, given_up = self._dialogue.due(now_ns)
            if given_up is not None and given_up.request == Variable.BOOTLOADER:
                self._queued.append(Reply(given_up.request, ok=False, text="no answer"))
                self._dialogue.begin(_WHO, now_ns + 1_000 * MS)
            return step.send if step else None
        variable, silent = self._turn.next(now_ns)
        if silent:
            self._dialogue.begin(_WHO, now_ns)
        return REQUESTS[variable] if variable else None

    def closing(self) -> bytes:
        """Nothing was switched on."""
        return b""


def _refused(variable: Variable) -> list[Frame]:
    """The machine does not know the variable, or has no value of it."""
    if variable not in _NUMBERS:
        return []
    name, unit, _ = _NUMBERS[variable]
    return [Number(name, None, unit)]


class _Turn:
    """Which variable is asked for when: flow once in every slot of its grid, pressure once in two, the rest between."""

    SILENT = 5  # questions in a row without an answer

    def __init__(self) -> None:
        self._asked: Variable | None = None
        self._until_ns: Nanos = 0
        self._origin_ns: Nanos | None = None
        self._slot = 0  # the next one whose flow has not been asked for
        self._pair = -1  # the last two slots whose pressure has been asked for
        self._flows = 0  # asked for in a row
        self._pressed = False  # what was last asked for beside flow was pressure
        self._others = 0
        self._lost = {Variable.FLOW: 0, Variable.PRESSURE: 0}
        self._unanswered = 0

    def answered(self, variable: Variable, *, ok: bool) -> tuple[bool, int]:
        """(whether this is what was asked, how many samples of it are missing before)."""
        if variable is not self._asked:
            return False, 0
        self._asked, self._unanswered = None, 0
        lost = self._lost.get(variable, 0)
        if variable in self._lost:
            self._lost[variable] = 0 if ok else lost + 1
        return True, lost

    def torn(self, now_ns: Nanos) -> None:
        """What has come cannot be read: the answer is not waited for much longer."""
        self._until_ns = min(self._until_ns, now_ns + TORN_NS)

    def next(self, now_ns: Nanos) -> tuple[Variable | None, bool]:
        """(what to ask for now, whether the machine must be taken for gone)."""
        if self._asked is not None:
            if now_ns < self._until_ns:
                return None, False
            if self._asked in self._lost:
                self._lost[self._asked] += 1
            self._asked = None
            self._unanswered += 1
            if self._unanswered >= self.SILENT:
                self._unanswered = 0
                return None, True
        self._asked = self._choice(now_ns)
        self._until_ns = now_ns + ANSWER_NS
        return self._asked, False

    def _choice(self, now_ns: Nanos) -> Variable | None:
        if self._origin_ns is None:
            self._origin_ns = now_ns
        slot = (now_ns - self._origin_ns + EARLY_NS) // FLOW_NS
        if slot >= self._slot and self._flows < MOST_FLOWS:
            self._flows += 1
            self._lost[Variable.FLOW] += slot - self._slot
            self._slot = slot + 1
            return Variable.FLOW
        if slot < self._slot and self._origin_ns + self._slot * FLOW_NS - now_ns < ANSWERED_NS:
            return None  # an answer would not be here in time for the next slot
        starved, self._flows = self._flows >= MOST_FLOWS, 0
        pair = (self._slot - 1) // PRESSURE_EVERY
        if pair > self._pair and not (starved and self._pressed):
            self._lost[Variable.PRESSURE] += pair - self._pair - 1
            self._pair, self._pressed = pair, True
            return Variable.PRESSURE
        self._pressed = False
        self._others += 1
        return _OTHERS[self._others % len(_OTHERS)]


# Every request there is. 0x55 ("U") stands in none of them, so that nothing needs to be doubled.
REQUESTS: Mapping[str, bytes] = {
    variable.value: body + b"%04X" % crc_hqx(body, 0xFFFF)
    for variable in Variable
    for body in (b"UQ011G S #" + variable.value.encode("ascii"),)
}
_OTHERS = (
    *(Variable.STATE, Variable.MASK, Variable.LEAK, Variable.MINUTE_VOLUME, Variable.RATE),
    *(Variable.TIDAL_VOLUME, Variable.SNORE, Variable.FLOW_LIMITATION, Variable.SPO2, Variable.PULSE_RATE),
)
_WHO = tuple(
    Step(variable, REQUESTS[variable], wait_ns=ANSWER_NS, tries=3 if variable is Variable.BOOTLOADER else 2)
    for variable in (
        *(Variable.BOOTLOADER, Variable.SERIAL, Variable.MODEL, Variable.MACHINE, Variable.VARIANT),
        Variable.BOOT_STATE,
    )
)


def board(options: Mapping[str, str]) -> AirSense10:
    """It has no options: everything about it is known, and nothing is set."""
    return AirSense10(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for an answer, or a live line, whose check holds."""
    whole = [piece for piece in QFrames().cut(data) if isinstance(piece, Whole)]
    return 1.0 if any(frame.type in {"R", "L"} for frame in whole) else 0.0


def questions() -> Sequence[tuple[bytes, int]]:
    """Who are you? It changes nothing, on no machine that speaks this protocol."""
    return ((REQUESTS[Variable.BOOTLOADER], 300),)
