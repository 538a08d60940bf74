"""Gasboard 7500E/7500H and OCS-3F: ultrasonic sensors of oxygen and flow, as concentrators have them inside.

A frame of twelve bytes comes every half second by itself. Units that were set to answer only are asked for each frame.
Nothing else is ever sent but "who are you": the same line takes calibrations, and no such request can be built here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.checked import CheckedFrames
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
    Samples,
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

MODELS = {
    "7500": "Gasboard 7500",
    "7500opc": "Gasboard 7500 OPC",
    "ocs3f": "OCS-3F",
    "ocs3f_humidity": "OCS-3F with humidity",
}
LEAST_LPM, MOST_LPM = -1.0, 25.0  # what is beyond was no flow: real logs have -9.9
LEAST_C, MOST_C = -20.0, 80.0


def _facts(model: str) -> Facts:
    litre = 100.0 if model == "7500opc" else 10.0
    channels = (
        Channel("purity", Quantity.OXYGEN, "%", 0.1, 0.0, -1, 1001),
        Channel(
            "flow", Quantity.OTHER, "L/min", 1 / litre, 0.0, round(LEAST_LPM * litre), round(MOST_LPM * litre)
        ),
    )
    return Facts(
        kind="gasboard",
        title="Gasboard 7500 / OCS-3F oxygen sensor",
        port=PortSettings(baud=9600),
        line_bytes_per_second=24,
        streams=(StreamSpec("oxygen", 2.0, channels),),
        silent_after_s=3.0,
    )


FACTS = _facts("7500")

# --- frames ----------------------------------------------------------------------------------------------

HEAD = 0x16
DATA, EXPANDED, VERSION, SERIAL = 0x01, 0x02, 0x1E, 0x1F
SIZES = {DATA: 12, EXPANDED: 15, VERSION: 12, SERIAL: 9}
SHORTEST, LONGEST = min(SIZES.values()), max(SIZES.values())

READ = bytes.fromhex("11 01 01 ED")
ASK_VERSION = bytes.fromhex("11 01 1E D0")
ASK_SERIAL = bytes.fromhex("11 01 1F CF")

LISTEN_NS: Nanos = 1_500 * MS
ANSWER_NS: Nanos = 300 * MS
POLL_NS: Nanos = 500 * MS


def size_at(buffer: bytes, at: int) -> int | None:
    """As `checked.SizeAt`: head, count, command, and the sum of all bytes being 0 modulo 256."""
    head = buffer[at : at + 3]
    if head[0] != HEAD:
        return 0
    if len(head) < 3:
        return None if len(head) < 2 or SHORTEST <= head[1] + 3 <= LONGEST else 0
    size = SIZES.get(head[2], 0)
    if head[1] + 3 != size:
        return 0
    frame = buffer[at : at + size]
    if len(frame) < size:
        return None
    return 0 if sum(frame) & 0xFF else size


# --- decoder ---------------------------------------------------------------------------------------------


class Gasboard:
    """The sensor: listened to, asked who it is, and asked for its values only where it does not say them by itself."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("gasboard", options)
        self._model = read.choice("model", "7500", tuple(MODELS))
        read.done()
        self._facts = _facts(self._model)
        self._frames = CheckedFrames(size_at)
        self._first: list[Frame] = [Identity("gasboard", model=MODELS[self._model]), Leads(())]
        self._dialogue = Dialogue()
        self._opened = False
        self._poll_ns: Nanos = 0
        self._asked = False  # its values, and they have not come yet

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._poll_ns = now_ns + LISTEN_NS
        self._dialogue.begin(_WHO, now_ns + 2 * POLL_NS)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames, self._first = self._first, []
        for piece in self._frames.cut(data):
            if isinstance(piece, int):
                frames.append(Damage(piece))
                continue
            match piece[2]:
                case 0x01:
                    frames += self._values(piece, now_ns)
                case 0x1E:
                    frames += self._answer("version", now_ns)
                    if piece[3:11].isascii() and piece[3:11].decode("ascii").isprintable():
                        frames.append(Identity("gasboard", firmware=piece[3:11].decode("ascii").strip()))
                case 0x1F:
                    frames += self._answer("serial", now_ns)
                    frames.append(Identity("gasboard", serial=piece[3:8].hex().upper()))
        return frames

    def _values(self, frame: bytes, now_ns: Nanos) -> list[Frame]:
        if not self._asked:
            self._poll_ns = now_ns + LISTEN_NS
        self._asked = False
        oxygen = int.from_bytes(frame[3:5], "big")
        flow = int.from_bytes(frame[5:7], "big", signed=True)
        lpm = flow * self._facts.streams[0].channels[1].gain
        celsius = self._temperature(frame[7], frame[8])
        return [
            Samples("oxygen", np.array([[oxygen], [flow]], np.int32), now_ns),
            Number("o2_purity", oxygen / 10 if oxygen <= 1000 else None, "%"),
            Number("o2_flow", round(lpm, 2) if LEAST_LPM <= lpm <= MOST_LPM else None, "L/min"),
            Number("o2_temperature", celsius if LEAST_C <= celsius <= MOST_C else None, "degC"),
        ]

    def _temperature(self, high: int, low: int) -> float:
        match self._model:
            case "ocs3f":
                return low + min(high, 9) / 10
            case "ocs3f_humidity":
                return float(low)
        return int.from_bytes((high, low), "big", signed=True) / 10

    # --- commands ----------------------------------------------------------------------------------------

    def _answer(self, request: str, now_ns: Nanos) -> list[Frame]:
        step = self._dialogue.pending
        return list(self._dialogue.answer(now_ns)) if step is not None and step.request == request else []

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        if not self._dialogue.over:
            step, _ = self._dialogue.due(now_ns)
            if step is not None:
                return step.send
        if now_ns < self._poll_ns or self._dialogue.pending is not None:
            return None
        self._poll_ns, self._asked = now_ns + POLL_NS, True
        return READ

    def closing(self) -> bytes:
        """Nothing was switched on."""
        return b""


_WHO = (
    Step("version", ASK_VERSION, wait_ns=ANSWER_NS, tries=2),
    Step("serial", ASK_SERIAL, wait_ns=ANSWER_NS, tries=2),
)


def board(options: Mapping[str, str]) -> Gasboard:
    """Options: `model` (7500, 7500opc, ocs3f, ocs3f_humidity; default 7500): they differ in temperature and flow."""
    return Gasboard(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for two frames of values, or an answer; one may be chance (1 of 2^32)."""
    frames = [piece for piece in CheckedFrames(size_at).cut(data) if isinstance(piece, bytes)]
    return 1.0 if len(frames) >= 2 else 0.9 * len(frames)


def questions() -> Sequence[tuple[bytes, int]]:
    """Your values, please: it changes nothing."""
    return ((READ, 500),)
