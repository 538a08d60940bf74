"""Deckmount DM-ECG, binary protocol: eight leads of 12 bits at 500 Hz, electrode bits, a 6-bit counter.

Frames of 22 bytes in both directions: E8, counter, 11, code, check (never used), 16 data bytes, 8E. In a stream frame
every byte but the first, the check and the last is below 80, which makes it synchronise by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from firmware_bridge.dialogue import MS, Dialogue, Step
from firmware_bridge.frames import (
    Channel,
    Damage,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    PortSettings,
    Quantity,
    Reply,
    Samples,
    Settings,
    StreamSpec,
)
from firmware_bridge.framing import EXACT, Cutter, Layout, LossCounter, Run, Skipped
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 500.0
FRAME_BYTES = 22
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
COUNTS_PER_MV = 1423.0  # measured: 1420-1427 on all channels of one unit
MID_SCALE = 2048

STALLED_NS: Nanos = 1_000 * MS  # so long silent while streaming: ask again
LISTEN_NS: Nanos = 300 * MS  # some firmware streams by itself
RL_HOLD_FRAMES = 25  # 50 ms: with RL off, LA and LL chatter
ORDER_FRAMES = 128  # byte_order auto looks at so many frames
ORDER_FACTOR = 4.0  # and demands that the other order be so much smoother


def _streams(counts_per_mv: float) -> tuple[StreamSpec, ...]:
    channels = tuple(
        Channel(lead, Quantity.ECG, "mV", 1.0 / counts_per_mv, MID_SCALE, 0, 4095) for lead in LEADS
    )
    return (StreamSpec("ecg", RATE_HZ, channels),)


def _facts(counts_per_mv: float) -> Facts:
    return Facts(
        kind="dm_ecg",
        title="Deckmount DM-ECG",
        port=PortSettings(baud=115200),
        line_bytes_per_second=11_000,
        streams=_streams(counts_per_mv),
    )


FACTS = _facts(COUNTS_PER_MV)

# --- frames ----------------------------------------------------------------------------------------------

START, STOP, SERIAL, VERSION, CLOSE = 0x10, 0x11, 0x13, 0x14, 0x15
SAMPLE, ACK, SERIAL_IS, VERSION_IS = 0x20, 0x21, 0x23, 0x24

_DATA = 5  # offset of the 16 data bytes
_ENVELOPE = {0: (EXACT, 0xE8), 1: (0xC0, 0x00), 2: (EXACT, 0x11), 21: (EXACT, 0x8E)}
STREAM_FRAME = Layout(
    "sample",
    FRAME_BYTES,
    _ENVELOPE | {3: (EXACT, SAMPLE)} | dict.fromkeys(range(_DATA, 21), (0x80, 0x00)),
    counter=(1, 64),
)
_REPLIES = tuple(
    Layout(name, FRAME_BYTES, _ENVELOPE | {3: (EXACT, code)})
    for name, code in (("ack", ACK), ("serial", SERIAL_IS), ("version", VERSION_IS))
)
LAYOUTS = (STREAM_FRAME, *_REPLIES)

# --- decoder ---------------------------------------------------------------------------------------------

# Bits of a pair read as one big-endian word: MSB byte high. Bit 5 of the MSB byte says "electrode present".
_PRESENT, _LL_PRESENT = 0x2000, 0x4000
_ELECTRODE_BITS = np.full((8, 1), _PRESENT, np.int32)
_ELECTRODE_BITS[1] |= _LL_PRESENT


def _words(raw: bytes, count: int, order: str) -> npt.NDArray[np.int32]:
    """The pairs of `count` frames as words (MSB byte high), int32 of shape (8, count)."""
    pairs = np.ndarray((8, count), ">u2" if order == "msb_first" else "<u2", raw, _DATA, (2, FRAME_BYTES))
    return pairs.astype(np.int32, order="C")


def _counts(words: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return (words >> 1) & 0x0F80 | words & 0x7F


class _Electrodes:
    """Follows the electrode bits. LA and LL off together mean RL off: all three are held off for 50 ms after it."""

    def __init__(self) -> None:
        self._bits: npt.NDArray[np.int32] | None = None
        self._shown: tuple[tuple[str, bool], ...] | None = None
        self._hold = 0
        self._steady = False  # as long as the bits stay as they are, so does what is shown

    def changes(self, words: npt.NDArray[np.int32]) -> list[tuple[int, Leads]]:
        """At which of these samples a new state of the electrodes begins."""
        bits = words & _ELECTRODE_BITS
        if self._steady and self._bits is not None and not (bits != self._bits).any():
            return []
        found = []
        for position, row in enumerate(bits.T.tolist()):
            attached = self._attached(row)
            if attached != self._shown:
                self._shown = attached
                found.append((position, Leads(attached)))
        self._bits = bits[:, -1:].copy()
        return found

    def _attached(self, row: list[int]) -> tuple[tuple[str, bool], ...]:
        left_arm, right_arm = row[0] != 0, row[1] & _PRESENT != 0
        left_leg = row[1] & _LL_PRESENT != 0
        held = self._hold > 0
        if not left_arm and not left_leg:
            self._hold, held = RL_HOLD_FRAMES, True
        elif held:
            self._hold -= 1
        self._steady = self._hold in {0, RL_HOLD_FRAMES} and held == (self._hold > 0)
        limbs = (
            ("RA", right_arm),
            ("LA", left_arm and not held),
            ("LL", left_leg and not held),
            ("RL", not held),
        )
        return limbs + tuple((f"V{n}", row[n + 1] != 0) for n in range(1, 7))


class _Decoder:
    """Runs of stream frames to samples and electrode states."""

    def __init__(self, byte_order: str) -> None:
        self.losses = LossCounter(64, RATE_HZ)
        self._order = "" if byte_order == "auto" else byte_order
        self._undecided: list[tuple[Run, int, Nanos]] = []
        self._electrodes = _Electrodes()

    def decode(self, run: Run, now_ns: Nanos) -> list[Frame]:
        lost = self.losses.before(run.raw[1], run, now_ns)
        if lost is None:
            return [Damage(len(run.raw), "duplicate")]
        if self._order:
            return self._samples(run, lost, now_ns)
        self._undecided.append((run, lost, now_ns))
        if sum(waiting.frames for waiting, _, _ in self._undecided) < ORDER_FRAMES:
            return []
        self._order = self._smoother()
        waiting, self._undecided = self._undecided, []
        settled: list[Frame] = [Settings((("byte_order", self._order),))]
        return settled + [frame for one in waiting for frame in self._samples(*one)]

    def _samples(self, run: Run, lost: int, now_ns: Nanos) -> list[Frame]:
        words = _words(run.raw, run.frames, self._order)
        counts = _counts(words)
        frames: list[Frame] = []
        begin = 0
        for position, leads in self._electrodes.changes(words):
            if position > begin:
                frames.append(Samples("ecg", counts[:, begin:position].copy(), now_ns, lost))
                begin, lost = position, 0
            frames.append(leads)
        rest = counts[:, begin:].copy() if begin else counts
        frames.append(Samples("ecg", rest, now_ns, lost))
        return frames

    def _smoother(self) -> str:
        """The byte order in which the first frames are smoother; MSB first unless the other is so by far."""
        raw = b"".join(run.raw for run, _, _ in self._undecided)[: ORDER_FRAMES * FRAME_BYTES]
        roughness = {
            order: int(np.abs(np.diff(_counts(_words(raw, ORDER_FRAMES, order)), axis=1)).sum())
            for order in ("msb_first", "lsb_first")
        }
        other = roughness["lsb_first"] * ORDER_FACTOR < roughness["msb_first"]
        return "lsb_first" if other else "msb_first"


def _text(data: bytes) -> str:
    """The 16 data bytes of a reply: ASCII without its zero padding, else upper-case hexadecimal."""
    stripped = data.rstrip(b"\0")
    readable = all(0x20 <= byte < 0x7F for byte in stripped)
    return stripped.decode("ascii").strip() if readable else data.hex().upper()


class DmEcg:
    """The board: asks for version and serial number, starts the stream, decodes it, and asks again when it stalls."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("dm_ecg", options)
        counts_per_mv = read.number("counts_per_mv", COUNTS_PER_MV, 100.0, 100_000.0)
        byte_order = read.choice("byte_order", "msb_first", ("msb_first", "lsb_first", "auto"))
        read.done()
        self._facts = _facts(counts_per_mv)
        self._settings = Settings((("counts_per_mv", f"{counts_per_mv:g}"), ("byte_order", byte_order)))
        self._cutter = Cutter(LAYOUTS)
        self._decoder = _Decoder(byte_order)
        self._dialogue = Dialogue()
        self._identity = Identity("dm_ecg", model="DM-ECG")
        self._queued: deque[Frame] = deque(
            [self._settings], maxlen=32
        )  # said in `due`, given by the next `feed`
        self._command_counter = 0
        self._opened = False
        self._last_sample_ns: Nanos | None = None
        self._streaming_since_ns: Nanos = 0

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._dialogue.begin((_STOP, _VERSION, _STOP, _SERIAL, _START), now_ns + LISTEN_NS)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames = list(self._queued)
        self._queued.clear()
        self._cutter.alone = self._dialogue.pending is not None
        for piece in self._cutter.cut(data):
            if isinstance(piece, Skipped):
                frames.append(Damage(len(piece.raw)))
            elif piece.layout is STREAM_FRAME:
                frames += self._stream(piece, now_ns)
            else:
                frames += self._replies(piece, now_ns)
            self._cutter.alone = self._dialogue.pending is not None
        return frames

    def _stream(self, run: Run, now_ns: Nanos) -> list[Frame]:
        """Stream frames, except one that acknowledges the pending request: some firmware uses the sample's code."""
        pending = self._dialogue.pending
        if pending is not None:
            acknowledged = bytes([pending.send[3]]) + bytes(15)
            for n in range(run.frames):
                start = n * FRAME_BYTES
                if run.raw[start + _DATA : start + 21] != acknowledged:
                    continue
                before, after = run.raw[:start], run.raw[start + FRAME_BYTES :]
                frames: list[Frame] = []
                if before:
                    behind = run.behind + len(after) + FRAME_BYTES
                    frames += self._decoded(run._replace(raw=before, frames=n, behind=behind), now_ns)
                frames += self._acknowledged(pending.send[3], now_ns)
                if after:
                    frames += self._stream(run._replace(raw=after, frames=run.frames - n - 1), now_ns)
                return frames
        return self._decoded(run, now_ns)

    def _decoded(self, run: Run, now_ns: Nanos) -> list[Frame]:
        self._last_sample_ns = now_ns
        return self._decoder.decode(run, now_ns)

    def _replies(self, run: Run, now_ns: Nanos) -> list[Frame]:
        frames: list[Frame] = []
        for start in range(0, len(run.raw), FRAME_BYTES):
            code, data = run.raw[start + 3], run.raw[start + _DATA : start + 21]
            if code == ACK:
                frames += self._acknowledged(data[0], now_ns)
            else:
                frames += self._named(code, _text(data), now_ns)
        return frames

    def _acknowledged(self, opcode: int, now_ns: Nanos) -> list[Frame]:
        pending = self._dialogue.pending
        if pending is None or pending.send[3] != opcode:
            return []
        if opcode in {VERSION, SERIAL}:
            self._dialogue.going_on(now_ns)  # the data frame is still to come
            return []
        return [*self._dialogue.answer(now_ns)]

    def _named(self, code: int, text: str, now_ns: Nanos) -> list[Frame]:
        """A serial number or a version; nobody but us asks, so an unasked one is noise that looks like it."""
        pending = self._dialogue.pending
        if pending is None or pending.send[3] != {SERIAL_IS: SERIAL, VERSION_IS: VERSION}[code]:
            return [Damage(FRAME_BYTES, "unasked reply")]
        serial = text if code == SERIAL_IS else self._identity.serial
        firmware = text if code == VERSION_IS else self._identity.firmware
        self._identity = Identity("dm_ecg", serial, firmware, "DM-ECG")
        return [*self._dialogue.answer(now_ns, text), self._identity]

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened:
            return None
        if self._dialogue.over and self._silent(now_ns, STALLED_NS):
            asked = (_STOP, _START) if self._identity.serial else (_STOP, _SERIAL, _START)
            self._dialogue.begin(asked, now_ns)
        step, given_up = self._dialogue.due(now_ns)
        if given_up is not None:
            self._unanswered(given_up, now_ns)
        if step is None:
            return None
        if step is _START:
            self._cutter.counter_restarts()
            self._decoder.losses.restarted()
            self._streaming_since_ns = now_ns
        counter, self._command_counter = self._command_counter, (self._command_counter + 1) % 64
        return command(step.send[3], counter)

    def _unanswered(self, step: Step, now_ns: Nanos) -> None:
        self._queued.append(Reply(step.request, ok=False, text="no answer"))
        if step is _STOP and not self._silent(now_ns, 100 * MS):
            # It streams on and answers nothing: firmware that streams by itself. It counts on, too.
            self._dialogue.begin((), now_ns)
            self._streaming_since_ns = now_ns
            self._queued.append(Settings((("auto_stream", "yes"),)))

    def _silent(self, now_ns: Nanos, for_ns: Nanos) -> bool:
        last = self._last_sample_ns
        since = self._streaming_since_ns if last is None else max(last, self._streaming_since_ns)
        return now_ns - since >= for_ns

    def closing(self) -> bytes:
        return command(STOP, self._command_counter) + command(CLOSE, (self._command_counter + 1) % 64)


def command(opcode: int, counter: int = 0) -> bytes:
    """A command frame; `counter` 0-63 is the host's own."""
    return bytes((0xE8, counter, 0x11, opcode)) + bytes(17) + b"\x8e"


_STOP = Step("stop", command(STOP), wait_ns=500 * MS, settle_ns=100 * MS)
_VERSION = Step("version", command(VERSION), wait_ns=1_000 * MS, tries=3, again_ns=200 * MS)
_SERIAL = Step("serial", command(SERIAL), wait_ns=1_000 * MS, tries=3, again_ns=200 * MS)
_START = Step("start", command(START), wait_ns=500 * MS)


def board(options: Mapping[str, str]) -> DmEcg:
    """Options: `counts_per_mv` (default 1423), `byte_order` (msb_first, lsb_first or auto)."""
    return DmEcg(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for ten stream frames in a row, or for the acknowledgement of the STOP we asked with."""
    cutter = Cutter(LAYOUTS)
    longest = row = 0
    for piece in cutter.cut(data):
        if isinstance(piece, Run) and piece.layout is STREAM_FRAME:
            row = row + piece.frames if piece.follows else piece.frames
            longest = max(longest, row)
    acknowledged = bytes((0x11, ACK, 0x00, STOP)) + bytes(15) + b"\x8e"
    if longest >= 10 or acknowledged in data:
        return 1.0
    return longest / 20


def questions() -> Sequence[tuple[bytes, int]]:
    """STOP, and its acknowledgement tells. START is not a question."""
    return ((command(STOP), 500),)
