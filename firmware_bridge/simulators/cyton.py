"""OpenBCI Cyton behind its radio dongle: eight 24-bit channels at 250 Hz, 33-byte frames, one-letter commands.

Used as a 12-lead source: RA on the common reference, channels 1..8 = LA, LL, V1..V6 against it, RL on bias.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from firmware_bridge.simulators.board import Bytes, Nanos, SimulatedBoard, quantised
from firmware_bridge.simulators.source import LEADS, Rows, Source

GAINS = (1, 2, 4, 6, 8, 12, 24)
FULL = 2**23 - 1
MOST_MV = 4500.0  # full scale at gain 1
GRAVITY = 8000  # accelerometer counts of 1 g
TEST_MV, TEST_HZ = 1.875, 0.98

LETTERS = "12345678"
ON_LETTERS = "!@#$%^&*"
DAISY_LETTERS = "qwertyuiQWERTYUI"
TEST_LETTERS = "0-=p[]"
MODES = ("default", "debug", "analog", "digital", "marker", "BLE")
DONGLE = 0xF0

MULTI_TIMEOUT_NS: Nanos = 1_000_000_000
TIMED_OUT = "Timeout processing multi byte message - please send all commands at once as of v2"
REPLY_AFTER_NS: Nanos = 15_000_000
BANNER_AFTER_NS: Nanos = 600_000_000
BANNER = (
    "OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\nFirmware: v3.1.2\n"
)
# How many bytes follow the first one of a longer command.
FOLLOWED_BY = {"x": 8, "z": 4, "/": 1, "~": 1, "`": 1}
DEFAULT_CHANNEL = "060110"


def frames_of(counts: npt.NDArray[np.int64], first_counter: int, aux: Bytes, footer: Bytes) -> bytes:
    """Frames of `counts` (n, 8) with their six auxiliary bytes (n, 6) and footers (n)."""
    n = len(counts)
    frames: Bytes = np.zeros((n, 33), dtype=np.uint8)
    frames[:, 0] = 0xA0
    frames[:, 1] = (first_counter + np.arange(n)) & 0xFF
    frames[:, 2:26] = counts.astype(">i4").view(np.uint8).reshape(n, 8, 4)[:, :, 1:].reshape(n, 24)
    frames[:, 26:32] = aux
    frames[:, 32] = footer
    return frames.tobytes()


def from_reference(leads_mv: Rows) -> Rows:
    """LA, LL, V1..V6 against RA from I, II, V1..V6 (n, 8), in mV: WCT - RA = (I + II) / 3."""
    out = leads_mv.copy()
    out[:, 2:] += (leads_mv[:, :1] + leads_mv[:, 1:2]) / 3
    return out


class Cyton(SimulatedBoard):
    """A Cyton without daisy. `system_up` False is a board out of the dongle's reach (or switched off)."""

    kind: ClassVar[str] = "cyton"
    RATE_HZ: ClassVar[float] = 250.0

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: float | None = None,
        crystal_ppm: float = 0.0,
        system_up: bool = True,
    ) -> None:
        super().__init__(source, rate_hz=rate_hz, crystal_ppm=crystal_ppm)
        self.system_up = system_up
        self._counter = 0
        self._reset()

    def _reset(self) -> None:
        self._heard = ""
        self._heard_ns: Nanos = 0
        self._channels = [DEFAULT_CHANNEL] * 8
        self._stamps = self._stamp_set = False
        self._mode = 0
        self._marker = 0
        self._test_phase = 0

    def _begin(self, now_ns: Nanos) -> None:
        self._reset()
        self._counter = 0
        self._born_ns = now_ns

    # --- what it is told ---------------------------------------------------------------------------------

    def _hear(self, data: bytes, now_ns: Nanos) -> None:
        if self._heard and now_ns - self._heard_ns > MULTI_TIMEOUT_NS:
            if ord(self._heard[0]) != DONGLE:
                self._say(TIMED_OUT, now_ns)
            self._heard = ""
        for letter in data.decode("latin-1"):
            self._heard += letter
            self._heard_ns = now_ns
            if len(self._heard) > self._follow():
                whole, self._heard = self._heard, ""
                self._obey(whole, now_ns)

    def _follow(self) -> int:
        if ord(self._heard[0]) == DONGLE:
            return 2 if self._heard[1:2] in ("\x01", "\x02") else 1
        return FOLLOWED_BY.get(self._heard[0], 0)

    def _obey(self, command: str, now_ns: Nanos) -> None:
        first = command[0]
        if ord(first) == DONGLE:
            self._dongle(command, now_ns)
        elif not self.system_up:
            self._say("Failure: Communications timeout - Device failed to poll Host", now_ns)
        elif first == "b":
            if not self._clock.running:
                self._clock.start(now_ns)
        elif first == "s":
            self._clock.stop()
        elif first == "v":
            self._clock.stop()
            self._reset()
            self._say(BANNER, now_ns + BANNER_AFTER_NS)
        else:
            answer = self._set(command)
            if answer is not None and not self._clock.running:
                self._say(answer, now_ns)

    def _say(self, text: str, now_ns: Nanos) -> None:
        self._reply(now_ns + REPLY_AFTER_NS, text.encode("latin-1") + b"$$$")

    def _dongle(self, command: str, now_ns: Nanos) -> None:
        if command[1] == "\x00":
            side = "Host and Device" if self.system_up else "Host"
            outcome = "Success" if self.system_up else "Failure"
            self._say(f"{outcome}: {side} on Channel number: 5\x05", now_ns)
        elif command[1] == "\x07":
            self._say("Success: System is Up" if self.system_up else "Failure: System is Down", now_ns)

    def _set(self, command: str) -> str | None:
        """Carry out a setting; the answer it gives while not streaming, or None."""
        first = command[0]
        match first:
            case "V":
                return "v3.1.5"
            case "?":
                return self._registers()
            case "d":
                self._channels = [DEFAULT_CHANNEL] * 8
                return "updating channel settings to default"
            case "D":
                return DEFAULT_CHANNEL
            case "C":
                return "no daisy to attach!8"
            case "<" | ">":
                self._stamps = self._stamp_set = first == "<"
                return ",Time stamp ON" if self._stamps else "Time stamp OFF"
            case "/":
                return self._board_mode(command[1])
            case "~":
                # A rate other than 250 falls back to 250 when it starts, so it is never kept.
                return "Success: Sample rate is 250Hz" if command[1] in "0123456~" else "Failure: bad rate"
            case "`":
                self._marker = ord(command[1])
                return None
            case "x":
                return self._channel(command)
            case "z":
                good = command[1] in LETTERS and command[-1] == "Z"
                return f"Success: Lead off set for {command[1]}" if good else "Failure: Err: 5th char not Z"
        return self._one_letter(first)

    def _one_letter(self, letter: str) -> str | None:
        if letter in LETTERS:
            self._change(LETTERS.index(letter), 0, "1")
        elif letter in ON_LETTERS:
            self._change(ON_LETTERS.index(letter), 0, "0")
        elif letter in TEST_LETTERS:
            for channel in range(8):
                self._change(channel, 2, "1" if letter == "0" else "5")
            return "Success: Configured internal test signal."
        return None

    def _change(self, channel: int, place: int, value: str) -> None:
        settings = self._channels[channel]
        self._channels[channel] = settings[:place] + value + settings[place + 1 :]

    def _channel(self, command: str) -> str:
        """Channel settings: x, channel, power, gain, input, bias, SRB2, SRB1, X."""
        channel, settings = command[1], command[2:8]
        if command[-1] != "X":
            return "Failure: Err: 9th char not X"
        if channel in DAISY_LETTERS:
            return "Failure: Err: no daisy"
        if channel not in LETTERS or not settings.isdigit() or settings[1] not in "0123456":
            return "Failure: Err: bad channel setting"
        self._channels[LETTERS.index(channel)] = settings
        return f"Success: Channel set for {channel}"

    def _board_mode(self, digit: str) -> str:
        if digit.isdigit() and int(digit) < len(MODES):
            self._mode = int(digit)
        elif digit != "/":
            return "Failure: board mode value out of bounds"
        return f"Success: {MODES[self._mode]}"

    def _registers(self) -> str:
        lines = ["Board ADS Registers", "ID, 00, 3E"]
        for number, settings in enumerate(self._channels, 1):
            value = int(settings[0]) << 7 | int(settings[1]) << 4 | int(settings[4]) << 3 | int(settings[2])
            lines.append(f"CH{number}SET, {number + 4:02X}, {value:02X}")
        return "\n".join(lines) + "\n"

    # --- what it sends -----------------------------------------------------------------------------------

    def _encode(self, rows: Rows) -> bytes:
        n = len(rows)
        mv = self._inputs(from_reference(rows[:, : len(LEADS)]))
        gains = np.array([GAINS[int(settings[1])] for settings in self._channels])
        counts = quantised(mv * gains, FULL / MOST_MV, -FULL - 1, FULL)
        numbers = (self._counter + np.arange(n)) & 0xFF
        aux, footer = self._auxiliary(numbers)
        out = frames_of(counts, self._counter, aux, footer)
        self._counter = (self._counter + n) & 0xFF
        return out

    def _inputs(self, mv: Rows) -> Rows:
        """What each channel is connected to: its electrode, nothing (off or shorted), or the test square wave."""
        phase = self._test_phase + np.arange(len(mv))
        self._test_phase += len(mv)
        square = TEST_MV * np.where(phase * TEST_HZ / self.rate_hz % 1.0 < 0.5, 1.0, -1.0)
        for channel, settings in enumerate(self._channels):
            if settings[0] == "1" or settings[2] == "1":
                mv[:, channel] = 0.0
            elif settings[2] == "5":
                mv[:, channel] = square
        return mv

    def _auxiliary(self, numbers: npt.NDArray[np.int64]) -> tuple[Bytes, Bytes]:
        """Accelerometer (lying still), markers, or the board's milliseconds; and the footer that says which."""
        n = len(numbers)
        words = np.zeros((n, 3), dtype=">u2")
        if self._stamps:
            words[:, 0] = np.where(numbers % 10 == 9, GRAVITY, 0)
            words[:, 1:] = self._stamps_of(n).view(">u2").reshape(n, 2)
            footer = np.full(n, 0xC4, dtype=np.uint8)
            if self._stamp_set:
                footer[0], self._stamp_set = 0xC3, False
        elif self._mode in (2, 3, 4):
            footer = np.full(n, 0xC1, dtype=np.uint8)
            if self._mode == 4:
                words[0, 0], self._marker = self._marker, 0
        else:
            words[numbers % 10 == 0, 2] = GRAVITY  # 25 Hz: new in every tenth packet
            footer = np.full(n, 0xC0, dtype=np.uint8)
        return words.view(np.uint8).reshape(n, 6), footer

    def _stamps_of(self, n: int) -> npt.NDArray[np.uint32]:
        """Milliseconds since power-on of the last `n` samples that became due."""
        last_ns = self._clock.last_ns
        ages_ns = np.arange(n - 1, -1, -1) * self._clock.period_ns
        return ((last_ns - ages_ns - self._born_ns) / 1e6).astype(np.int64).astype(">u4")
