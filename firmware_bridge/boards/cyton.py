"""OpenBCI Cyton: eight channels of 24 bits at 250 Hz through a radio dongle, with an accelerometer at 25 Hz.

The gain is not in the stream, so the board is reset and told its gain before anything is believed: samples of a
session that somebody else started are dropped, because their scale is unknown.

As a 12-lead source (`leads` = 12) the electrodes stand against one reference, RA to SRB2 and RL to BIAS: channel 1 is
LA - RA, which is lead I, channel 2 is LL - RA, which is lead II, and channels 3-8 are V1-V6 against RA, not against
Wilson's terminal. They are named "V1-RA" .. "V6-RA" and stored as they came; analysis makes Vn = (Vn-RA) - (I + II) / 3.
The board sends no electrode states. With RA off nothing is valid, and only the signal shows it.
"""

from __future__ import annotations

import re
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

RATE_HZ = 250.0
FRAME_BYTES = 33
GAINS = ("1", "2", "4", "6", "8", "12", "24")  # the place is the code of the command
ECG_NAMES = ("I", "II", "V1-RA", "V2-RA", "V3-RA", "V4-RA", "V5-RA", "V6-RA")
ACCELERATION_G = 0.002 / 16
STALLED_NS: Nanos = 1_000 * MS  # so long silent while streaming: set up anew
MILLIVOLTS = 4500.0 / (2**23 - 1)  # of one count at gain 1


def _facts(gain: int, leads: str, sign: int) -> Facts:
    names = ECG_NAMES if leads == "12" else tuple(f"CH{n}" for n in range(1, 9))
    quantity = Quantity.ECG if leads == "12" else Quantity.OTHER
    channels = tuple(
        Channel(name, quantity, "mV", sign * MILLIVOLTS / gain, 0.0, -(2**23), 2**23 - 1) for name in names
    )
    axes = tuple(
        Channel(axis, Quantity.ACCELERATION, "g", ACCELERATION_G, 0.0, -(2**15), 2**15 - 1) for axis in "XYZ"
    )
    return Facts(
        kind="cyton",
        title="OpenBCI Cyton",
        port=PortSettings(baud=115200),
        line_bytes_per_second=8_250,
        streams=(
            StreamSpec("ecg" if leads == "12" else "eeg", RATE_HZ, channels),
            StreamSpec("acceleration", 25.0, axes),
        ),
    )


FACTS = _facts(24, "8", 1)

# --- frames ----------------------------------------------------------------------------------------------

_AUX = 26


def _layout(name: str, mask: int, footer: int) -> Layout:
    return Layout(name, FRAME_BYTES, {0: (EXACT, 0xA0), 32: (mask, footer)}, counter=(1, 256))


PLAIN = _layout("accelerometer", EXACT, 0xC0)
RAW_AUX = _layout("raw auxiliary", EXACT, 0xC1)
USER = _layout("user defined", EXACT, 0xC2)
TIMED_START = _layout("accelerometer, time just set", EXACT, 0xC3)
TIMED = _layout("accelerometer and time", EXACT, 0xC4)
TIMED_AUX_START = _layout("auxiliary, time just set", EXACT, 0xC5)
TIMED_AUX = _layout("auxiliary and time", EXACT, 0xC6)
LAYOUTS = (PLAIN, TIMED, RAW_AUX, USER, TIMED_START, TIMED_AUX_START, TIMED_AUX)

# --- decoder ---------------------------------------------------------------------------------------------


class _Decoder:
    """Runs of packets to samples of the channels and of the accelerometer."""

    def __init__(self, stream: str) -> None:
        self.losses = LossCounter(256, RATE_HZ)
        self._stream = stream
        self._axes: dict[int, int] = {}  # X and Y of a time-stamped stream, until Z comes

    def decode(self, run: Run, now_ns: Nanos) -> list[Frame]:
        lost = self.losses.before(run.raw[1], run, now_ns)
        if lost is None:
            return [Damage(len(run.raw), "duplicate")]
        # Four bytes are read for each channel and the lowest, of the next one, is shifted out: the sign comes along.
        wide = np.ndarray((8, run.frames), ">i4", run.raw, 2, (3, FRAME_BYTES))
        counts = wide.astype(np.int32, order="C") >> 8
        frames: list[Frame] = []
        begin = 0
        for place, axes in self._acceleration(run):
            piece = counts[:, begin : place + 1].copy()
            frames.append(Samples(self._stream, piece, now_ns, lost))
            frames.append(Samples("acceleration", axes, now_ns))
            begin, lost = place + 1, 0
        if begin < run.frames:
            frames.append(Samples(self._stream, counts[:, begin:].copy() if begin else counts, now_ns, lost))
        return frames

    def _acceleration(self, run: Run) -> list[tuple[int, npt.NDArray[np.int32]]]:
        """(packet number within the run, X Y Z) of every packet that completes a new value."""
        if run.layout is PLAIN:
            axes = np.ndarray((run.frames, 3), ">i2", run.raw, _AUX, (FRAME_BYTES, 2))
            if not axes.any():
                return []
            fresh = np.flatnonzero(axes.any(axis=1)).tolist()
            return [(place, axes[place].astype(np.int32).reshape(3, 1)) for place in fresh]
        if run.layout not in {TIMED, TIMED_START}:
            return []
        found = []
        for place in range(run.frames):
            start = place * FRAME_BYTES
            axis = run.raw[start + 1] % 10 - 7
            if axis < 0:
                self._axes.clear()
                continue
            self._axes[axis] = int.from_bytes(run.raw[start + _AUX : start + _AUX + 2], "big", signed=True)
            if axis == 2 and len(self._axes) == 3:
                xyz = [self._axes[n] for n in range(3)]
                found.append((place, np.array(xyz, np.int32).reshape(3, 1)))
        return found


LONGEST_TEXT = 4096  # the answer to `?` is the longest, about 2 kB
_ASCII = bytes(range(0x80))


class _Texts:
    """Answers end with "$$$" and come between packets. ASCII waits here until it is known whether it is one."""

    def __init__(self) -> None:
        self._held = b""

    def add(self, raw: bytes) -> tuple[list[str], int]:
        """(complete texts, bytes that turned out to be noise)."""
        *texts, rest = (self._held + raw).split(b"$$$")
        noise = 0
        said = []
        for text in texts:
            begin = self._beginning(text)
            noise += begin
            said.append(text[begin:].decode("ascii").strip())
        begin = self._beginning(rest)
        self._held = rest[begin:]
        return said, noise + begin

    def drop(self) -> int:
        """Packets come again: what was held was no text. How many bytes it was."""
        dropped, self._held = len(self._held), b""
        return dropped

    @staticmethod
    def _beginning(text: bytes) -> int:
        """Where in these bytes, up to their end, a text may begin: behind the last byte that is not ASCII."""
        return max(len(text.rstrip(_ASCII)), len(text) - LONGEST_TEXT)


class Cyton:
    """The board: reset, set to its gain with every setting confirmed, started, decoded; set up anew when it stalls."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("cyton", options)
        leads = read.choice("leads", "8", ("8", "12"))
        # Electrode offsets of up to 300 mV, usual in ECG, would rail at gain 24.
        gain = read.choice("gain", "6" if leads == "12" else "24", GAINS)
        inverted = read.choice("polarity", "normal", ("normal", "inverted")) == "inverted"
        self._set_up = read.choice("setup", "yes", ("yes", "no")) == "yes"
        read.done()
        self._facts = _facts(int(gain), leads, -1 if inverted else 1)
        self._steps = _start_up(GAINS.index(gain))
        settings = Settings(
            (
                ("gain", gain),
                ("leads", leads),
                ("polarity", "inverted" if inverted else "normal"),
            )
        )
        self._queued: deque[Frame] = deque([settings, Leads(())], maxlen=32)
        self._cutter = Cutter(LAYOUTS)
        self._decoder = _Decoder(self._facts.streams[0].name)
        self._texts = _Texts()
        self._dialogue = Dialogue()
        self._opened = False
        self._trusted = not self._set_up  # the gain is known
        self._last_ns: Nanos = 0

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        self._opened = True
        self._begin(now_ns)

    def _begin(self, now_ns: Nanos) -> None:
        if self._set_up:
            self._trusted = False
            self._dialogue.begin(self._steps, now_ns)

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames = list(self._queued)
        self._queued.clear()
        for piece in self._cutter.cut(data):
            if isinstance(piece, Skipped):
                texts, noise = self._texts.add(piece.raw)
            else:
                texts, noise = [], self._texts.drop()
            if noise:
                frames.append(Damage(noise))
            for text in texts:
                frames += self._said(text, now_ns)
            if isinstance(piece, Run):
                self._last_ns = now_ns
                if self._trusted:
                    frames += self._decoder.decode(piece, now_ns)
                else:
                    frames.append(Damage(len(piece.raw), "gain not yet set"))
        return frames

    def _said(self, text: str, now_ns: Nanos) -> list[Frame]:
        pending = self._dialogue.pending
        ok = not text.startswith("Failure")
        if pending is None or not pending.answered:
            return [Reply("", ok, text)]  # the dongle speaks up by itself when the radio fails
        if not ok or _ANSWERS[pending.request] not in text:
            # Not its answer, perhaps a late one: it is asked again after the time-out.
            return [Reply(pending.request, ok=False, text=text)]
        frames: list[Frame] = [*self._dialogue.answer(now_ns, text)]
        if pending.request == "reset":
            firmware = re.search(r"Firmware: (\S+)", text)
            frames.append(Identity("cyton", firmware=firmware.group(1) if firmware else "", model="Cyton"))
            if "On Daisy" in text:
                frames.append(Settings((("daisy", "attached, switched off"),)))
                self._dialogue.insert(_WITHOUT_DAISY)
        return frames

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> bytes | None:
        if not self._opened or not self._set_up:
            return None
        if self._dialogue.over and now_ns - self._last_ns >= STALLED_NS:
            self._begin(now_ns)
        step, given_up = self._dialogue.due(now_ns)
        if given_up is not None:
            self._queued.append(Reply(given_up.request, ok=False, text="no answer"))
            self._begin(now_ns + 500 * MS)  # never stream with a gain that was not confirmed
            return None
        if step is None:
            return None
        if step is _START:
            self._trusted = True
            self._last_ns = now_ns
            self._cutter.counter_restarts()
            self._decoder.losses.restarted()
        return step.send

    def closing(self) -> bytes:
        return b"s" if self._set_up else b""


_STOP = Step("stop", b"s", wait_ns=100 * MS, answered=False)
_RESET = Step("reset", b"v", wait_ns=2_000 * MS, tries=2)
_WITHOUT_DAISY = Step("8 channels", b"c", wait_ns=500 * MS, answered=False)
_START = Step("start", b"b", wait_ns=100 * MS, answered=False)
# What the answer to a request must contain; a late answer to another one is not taken for it.
_ANSWERS = {"reset": "OpenBCI"} | {f"channel {n}": f"Channel set for {n}" for n in range(1, 9)}


def channel_command(number: int, gain_code: int) -> bytes:
    """Channel 1-8 on, gain by its code, normal input, in the bias, SRB2 closed, SRB1 open."""
    return f"x{number}0{gain_code}0110X".encode("ascii")


def _start_up(gain_code: int) -> tuple[Step, ...]:
    channels = (
        Step(f"channel {number}", channel_command(number, gain_code), wait_ns=1_000 * MS, tries=3)
        for number in range(1, 9)
    )
    return (_STOP, _RESET, *channels, _START)


def board(options: Mapping[str, str]) -> Cyton:
    """Options: `leads` (8 or 12), `gain` (default 24, with 12 leads 6), `polarity` (normal or inverted), `setup`.

    `setup` = no sends nothing and trusts `gain`: for recorded bytes.
    """
    return Cyton(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for five packets in a row with counters that step by one, or for an answer of the dongle."""
    if b"System is Up$$$" in data or b"System is Down$$$" in data:
        return 1.0
    longest = max((piece.frames for piece in Cutter(LAYOUTS).cut(data) if isinstance(piece, Run)), default=0)
    return min(1.0, longest / 5)


def questions() -> Sequence[tuple[bytes, int]]:
    """The dongle answers F0 07 itself, without touching the board."""
    return ((b"\xf0\x07", 300),)
