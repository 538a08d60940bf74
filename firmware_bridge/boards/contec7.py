"""Contec CMS50D+/E/F from 4.6 on ("V7.0"): packets of which only the first byte has bit 7 clear, 115200 baud.

It streams only while it is asked to, every few seconds anew. What is sent is a closed list of requests that are safe:
the same line could erase what the device has recorded, or set its clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firmware_bridge.boards.contec import Readings, samples
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
    StreamSpec,
)
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 60.0
PLETH = Channel("pleth", Quantity.PLETH, "1", 1 / 127, 0.0, -1, 128)

FACTS = Facts(
    kind="contec7",
    title="Contec CMS50 oximeter, 115200 baud",
    port=PortSettings(baud=115200),
    line_bytes_per_second=540,
    streams=(StreamSpec("pleth", RATE_HZ, (PLETH,)),),
    silent_after_s=2.0,
)

# --- frames ----------------------------------------------------------------------------------------------

LIVE, MODEL, VENDOR, ACKNOWLEDGED = 0x01, 0x02, 0x03, 0x0C
SIZES = {
    **dict.fromkeys((0x01, 0x02, 0x03, 0x04, 0x05, 0x11, 0x13, 0x14), 9),
    **dict.fromkeys((0x07, 0x08, 0x0F, 0x12), 8),
    0x06: 4,
    0x09: 6,
    0x0A: 4,
    0x0B: 4,
    0x0C: 2,
    0x0E: 3,
    0x10: 3,
}


def request(command: int) -> bytes:
    """A request without arguments."""
    return bytes((0x7D, 0x81, command)) + b"\x80" * 6


START, STOP, STOP_UPLOAD, ASK_MODEL, KEEP_ALIVE = (request(code) for code in (0xA1, 0xA2, 0xA7, 0xA8, 0xAF))
KEEP_ALIVE_NS: Nanos = 5_000 * MS
SILENT_NS: Nanos = 2_000 * MS
ANSWER_NS: Nanos = 300 * MS


def size_at(buffer: bytes, at: int) -> int | None:
    """As `checked.SizeAt`: a known type, and bit 7 in all that follows."""
    size = SIZES.get(buffer[at], 0)
    if not size:
        return 0
    rest = buffer[at + 1 : at + size]
    if any(byte < 0x80 for byte in rest):
        return 0
    return size if len(rest) == size - 1 else None


def data_of(packet: bytes) -> bytes:
    """The packet's data with their bits 7, which travel in the second byte."""
    return bytes((byte & 0x7F) | (packet[1] >> k & 1) << 7 for k, byte in enumerate(packet[2:]))


# --- decoder ---------------------------------------------------------------------------------------------


class Contec7:
    """The oximeter: asked for its name, started, and kept streaming."""

    def __init__(self, options: Mapping[str, str]) -> None:
        Options("contec7", options).done()
        self._frames = CheckedFrames(size_at)
        self._readings = Readings(round(RATE_HZ))
        self._first: list[Frame] = [Identity("contec7", model="CMS50"), Leads(())]
        self._dialogue = Dialogue()
        self._model = b""
        self._opened = False
        self._alive_ns: Nanos = 0
        self._silent_ns: Nanos = 0

    @property
    def facts(self) -> Facts:
        return FACTS

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._start(now_ns)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames, self._first = self._first, []
        pleth: list[int] = []
        for piece in self._frames.cut(data):
            live = isinstance(piece, bytes) and piece[0] == LIVE
            said = self._said(piece, now_ns)
            if said:
                frames += samples(pleth, now_ns) + said
                pleth = []
            if live and isinstance(piece, bytes):
                pleth.append(piece[3] & 0x7F)
                self._silent_ns = now_ns + SILENT_NS
        return frames + samples(pleth, now_ns)

    def _said(self, piece: bytes | int, now_ns: Nanos) -> list[Frame]:
        if isinstance(piece, int):
            return [Damage(piece)]
        match piece[0]:
            case 0x01:
                return self._readings.say(*shown(piece))
            case 0x02:
                return self._named(data_of(piece), now_ns)
        return []

    def _named(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        """The model comes in two packets: their number, and six characters each."""
        text = data[1:7]
        self._model = text if data[0] == 0 else self._model + text
        if data[0] != 1 or not self._model.isascii():
            return []
        name, self._model = self._model.decode("ascii").strip(" \0"), b""
        pending = self._dialogue.pending
        answered = self._dialogue.answer(now_ns) if pending and pending.request == "model" else []
        return [*answered, Identity("contec7", model=name)] if name.isprintable() else list(answered)

    # --- commands ----------------------------------------------------------------------------------------

    def _start(self, now_ns: Nanos) -> None:
        self._dialogue.begin(_WAKE, now_ns)
        self._silent_ns = now_ns + SILENT_NS

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        if not self._dialogue.over:
            step, _ = self._dialogue.due(now_ns)
            self._alive_ns = now_ns + KEEP_ALIVE_NS
            self._silent_ns = now_ns + SILENT_NS
            return step.send if step else None
        if now_ns >= self._silent_ns:
            self._start(now_ns)
            return None
        if now_ns < self._alive_ns:
            return None
        self._alive_ns = now_ns + KEEP_ALIVE_NS
        return KEEP_ALIVE

    def closing(self) -> bytes:
        return STOP


_WAKE = (
    Step("stop upload", STOP_UPLOAD, wait_ns=50 * MS, answered=False),
    Step("stop", STOP, wait_ns=50 * MS, answered=False),
    Step("model", ASK_MODEL, wait_ns=ANSWER_NS, tries=2),
    Step("start", START, wait_ns=50 * MS, answered=False),
)


def shown(packet: bytes) -> tuple[str, tuple[Number, ...]]:
    """The word for the signal, and the numbers, of one live packet. Flags are read where one public driver has them."""
    data = data_of(packet)
    rate, spo2 = data[3], data[4]
    index = (data[5] | data[6] << 8) / 100
    valid = 0 < spo2 <= 100
    word = "" if valid else "finger out" if packet[1] & 1 or data[2] & 0x10 else "search"
    return word, (
        Number("spo2", float(spo2) if valid else None, "%"),
        Number("pulse_rate", float(rate) if 0 < rate < 255 else None, "bpm"),
        Number("perfusion_index", index if 0 < index <= 100 else None, "%"),
    )


def board(options: Mapping[str, str]) -> Contec7:
    """It has no options."""
    return Contec7(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for four live packets back to back, or for the model after an acknowledgement."""
    live = best = names = acknowledged = 0
    for piece in CheckedFrames(size_at).cut(data[-1000:]):
        kind = piece[0] if isinstance(piece, bytes) else 0
        live = live + 1 if kind == LIVE else 0
        best = max(best, live)
        acknowledged += kind == ACKNOWLEDGED
        names += kind == MODEL and acknowledged > 0
    return 1.0 if names >= 2 else min(1.0, best / 4)


def questions() -> Sequence[tuple[bytes, int]]:
    """Stop what you are sending, and say your model: nothing is changed by it."""
    return ((STOP_UPLOAD + STOP + ASK_MODEL, 500),)
