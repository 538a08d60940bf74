"""Deckmount DM-ECG, binary firmware: 22-byte frames E8 .. 8E, eight 12-bit channels at 500 Hz.

Idle after power-on. STOP, CLOSE -> ACK and idle; START -> ACK and frames from counter 0 (nothing when it streams
already); VERSION, SERIAL -> ACK, then a frame of text.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.board import Bytes, Nanos, SimulatedBoard, quantised
from firmware_bridge.simulators.source import LEADS, Rows, Source

START, STOP, SERIAL, VERSION, CLOSE = 0x10, 0x11, 0x13, 0x14, 0x15
SAMPLE, IS_SERIAL, IS_VERSION = 0x20, 0x23, 0x24

LENGTH = 22
COUNTS_PER_MV = 1423.0
MIDDLE = 2048

ACK_AFTER_NS: Nanos = 2_000_000
TEXT_AFTER_NS: Nanos = 10_000_000  # behind its ACK

# Electrode bits: (byte of the frame, mask).
ELECTRODE_BITS = {
    "LA": (5, 0x20),
    "RA": (7, 0x20),
    "LL": (7, 0x40),
    "V1": (9, 0x20),
    "V2": (11, 0x20),
    "V3": (13, 0x20),
    "V4": (15, 0x20),
    "V5": (17, 0x20),
    "V6": (19, 0x20),
}


def frame(counter: int, code: int, data: bytes) -> bytes:
    """One frame of either direction; `data` up to 16 bytes."""
    return bytes([0xE8, counter & 0x3F, 0x11, code, 0x00]) + data.ljust(16, b"\0") + b"\x8e"


def counts_of(leads_mv: Rows) -> npt.NDArray[np.int64]:
    """Counts 0..4095 of leads in mV, as the board's converter gives them."""
    return quantised(leads_mv, COUNTS_PER_MV, -MIDDLE, MIDDLE - 1) + MIDDLE


def sample_frames(
    counts: npt.NDArray[np.int64],
    first_counter: int,
    attached: npt.NDArray[np.bool_],
    *,
    lsb_first: bool = False,
) -> bytes:
    """Stream frames of `counts` (n, 8), 0..4095. `attached` is (n, 9): a column for each of ELECTRODE_BITS."""
    n = len(counts)
    frames: Bytes = np.zeros((n, LENGTH), dtype=np.uint8)
    frames[:, 0] = 0xE8
    frames[:, 1] = (first_counter + np.arange(n)) & 0x3F
    frames[:, 2] = 0x11
    frames[:, 3] = SAMPLE
    frames[:, 5:21:2] = counts >> 7
    frames[:, 6:21:2] = counts & 0x7F
    for column, (at, mask) in enumerate(ELECTRODE_BITS.values()):
        frames[:, at] |= np.where(attached[:, column], mask, 0).astype(np.uint8)
    if lsb_first:
        frames[:, 5:21] = frames[:, 5:21].reshape(n, 8, 2)[:, :, ::-1].reshape(n, 16)
    frames[:, 21] = 0x8E
    return frames.tobytes()


class DmEcg(SimulatedBoard):
    """A DM-ECG board with its switches.

    `ack_code` is 0x21, or 0x20 as some firmware has it. `auto_stream` streams from power-on, as older firmware did.
    `answers_while_streaming`: what VERSION and SERIAL do then is not known, so both can be had. `pinned` holds leads
    at a count while every electrode bit stays 1.
    """

    kind: ClassVar[str] = "dm_ecg"
    RATE_HZ: ClassVar[float] = 500.0

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        serial: str = "DM ECG V1.0 A989",
        firmware: str = "TTECGM00V_010101",
        ack_code: Literal[0x20, 0x21] = 0x21,
        auto_stream: bool = False,
        byte_order: Literal["msb_first", "lsb_first"] = "msb_first",
        answers_while_streaming: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self._texts = {SERIAL: (IS_SERIAL, serial), VERSION: (IS_VERSION, firmware)}
        self._ack_code = ack_code
        self._auto_stream = auto_stream
        self._lsb_first = byte_order == "lsb_first"
        self._answers_while_streaming = answers_while_streaming
        self.pinned: dict[str, int] = {}
        self._rng = np.random.default_rng(seed)
        self._heard = b""
        self._counter = 0

    def _begin(self, now_ns: Nanos) -> None:
        self._heard = b""
        self._counter = 0
        if self._auto_stream:
            self._clock.start(now_ns)

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        self._heard += data
        while (at := self._heard.find(0xE8)) >= 0:
            self._heard = self._heard[at:]
            if len(self._heard) < LENGTH:
                return
            if self._heard[2] == 0x11 and self._heard[LENGTH - 1] == 0x8E:
                self._obey(self._heard[3], now_ns)
                self._heard = self._heard[LENGTH:]
            else:
                self._heard = self._heard[1:]
        self._heard = b""

    def _obey(self, code: int, now_ns: Nanos) -> None:
        at_ns = now_ns + ACK_AFTER_NS
        if code in (STOP, CLOSE):
            self._clock.stop()
            self._acknowledge(code, at_ns)
        elif code == START and not self._clock.running:
            self._acknowledge(code, at_ns)
            self._counter = 0
            self._clock.start(at_ns)
        elif code in self._texts and (not self._clock.running or self._answers_while_streaming):
            reply, text = self._texts[code]
            self._acknowledge(code, at_ns)
            self._reply(at_ns + TEXT_AFTER_NS, frame(2, reply, text.encode("ascii")[:16]))

    def _acknowledge(self, code: int, at_ns: Nanos) -> None:
        self._reply(at_ns, frame(0, self._ack_code, bytes([code])))

    def _encode(self, rows: Rows) -> bytes:
        counts = counts_of(rows[:, : len(LEADS)])
        for lead, count in self.pinned.items():
            counts[:, LEADS.index(lead)] = count
        first, self._counter = self._counter, (self._counter + len(counts)) & 0x3F
        return sample_frames(counts, first, self._attached(len(counts)), lsb_first=self._lsb_first)

    def _attached(self, n: int) -> npt.NDArray[np.bool_]:
        off = self._source.electrodes_off
        attached = np.tile([name not in off for name in ELECTRODE_BITS], (n, 1))
        if "RL" in off:  # the board cannot see RL; without it the limb comparators LA and LL chatter
            places = [list(ELECTRODE_BITS).index(name) for name in ("LA", "LL")]
            attached[:, places] &= self._rng.random((n, 2)) < 0.5
        return attached
