"""ProtoCentral HealthyPi v4 (ESP32): one filtered ECG lead, impedance respiration and two PPG signals at 125 Hz.

It streams by itself when its mode switch stands at "wired", and reads nothing. No counter: what the line loses shows
only as timing, and as damaged bytes. The ECG comes 640 ms late (the firmware's own 161-tap filter).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.boards.healthypi import (
    Readings,
    channel,
    damage,
    interleaved,
    number,
    packet,
    packets_in,
)
from firmware_bridge.frames import (
    Channel,
    Facts,
    Frame,
    Identity,
    Leads,
    Nanos,
    PortSettings,
    Quantity,
    Settings,
    StreamSpec,
)
from firmware_bridge.framing import Cutter, Skipped
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 125.0
# Reference 2.42 V, gain 12, 24 bits; the firmware keeps the top 16 bits and divides by 4: 24.618 uV a count.
ECG_MV = 2.42e3 / 12 / 2**23 * 256 * 4
ELECTRODES = {"I": ("LA", "RA"), "II": ("LL", "RA"), "III": ("LL", "LA")}  # positive, negative


def _facts(lead: str) -> Facts:
    channels = (
        Channel(lead, Quantity.ECG, "mV", ECG_MV, 0.0, -(2**15), 2**15 - 1),
        channel("respiration", Quantity.RESPIRATION),
        channel("ppg_infrared", Quantity.PPG_INFRARED),
        channel("ppg_red", Quantity.PPG_RED),
    )
    return Facts(
        kind="healthypi4",
        title="ProtoCentral HealthyPi v4",
        # Either line may reset the ESP32: both stay as they were.
        port=PortSettings(baud=115200, dtr=False, rts=False),
        line_bytes_per_second=3_375,
        streams=(StreamSpec("vitals", RATE_HZ, channels),),
        settings={"ecg_delay_ms": "640"},
    )


FACTS = _facts("II")

# --- frames ----------------------------------------------------------------------------------------------

PACKET = packet("vitals", 0x02, 20)
# Offsets in the packet; 22 and 23 are constants that only look like a blood pressure.
_FIELDS = np.dtype(
    {
        "names": ["ecg", "respiration", "infrared", "red"],
        "formats": ["<i2", "<i2", "<i4", "<i4"],
        "offsets": [5, 7, 9, 13],
        "itemsize": PACKET.size,
    }
)
_READINGS = slice(17, 25)

# --- decoder ---------------------------------------------------------------------------------------------


class HealthyPi4:
    """The board; it is only listened to."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("healthypi4", options)
        lead = read.choice("lead", "II", tuple(ELECTRODES))
        read.done()
        self._facts = _facts(lead)
        self._electrodes = ELECTRODES[lead]
        self._cutter = Cutter((PACKET,))
        self._readings = Readings(_READINGS, self._say)
        self._status = 0
        # Electrodes are unseen until the board says a word of them: its lead-off comparators are normally off.
        self._first: list[Frame] = [
            Settings((("lead", lead),)),
            Identity("healthypi4", model="HealthyPi v4"),
            Leads(()),
        ]

    @property
    def facts(self) -> Facts:
        return self._facts

    def opened(self, now_ns: Nanos) -> None:
        """Nothing is sent to this board."""

    def feed(self, data: bytes, now_ns: Nanos) -> list[Frame]:
        frames, self._first = self._first, []
        for piece in self._cutter.cut(data):
            if isinstance(piece, Skipped):
                frames.append(damage(piece))
                continue
            rows = np.frombuffer(piece.raw, _FIELDS)
            counts = np.empty((4, piece.frames), np.int32)
            for row, name in enumerate(_FIELDS.names or ()):
                counts[row] = rows[name]
            frames += interleaved("vitals", counts, piece, self._readings, now_ns)
        return frames

    def _say(self, raw: bytes) -> list[Frame]:
        temperature, status = int.from_bytes(raw[17:19], "little"), raw[24]
        contact = status == 0  # otherwise the firmware sends zeros for ECG, respiration and both rates
        frames: list[Frame] = []
        if status != self._status:
            frames.append(self._leads(status))
            self._status = status
        return [
            *frames,
            number("temperature", temperature / 100, "degC", valid=temperature != 0),
            number("respiration_rate", raw[19], "/min", valid=contact),
            number("spo2", raw[20], "%", valid=raw[20] != 0),
            number("heart_rate", raw[21], "/min", valid=contact),
        ]

    def _leads(self, status: int) -> Leads:
        """Bits 2 and 3 are the inputs of the ECG channel, bit 4 the right leg drive; 0 and 1 are respiration's."""
        positive, negative = self._electrodes
        return Leads(((positive, not status & 4), (negative, not status & 8), ("RL", not status & 16)))

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> None:  # noqa: ARG002 - the interface gives the time
        return None

    def closing(self) -> bytes:
        return b""


def board(options: Mapping[str, str]) -> HealthyPi4:
    """Options: `lead` (I, II or III; default II): what the cable makes of the one ECG channel."""
    return HealthyPi4(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for three packets back to back."""
    return min(1.0, packets_in(data, (PACKET,)) / 3)


def questions() -> Sequence[tuple[bytes, int]]:
    """None: it hears nothing."""
    return ()
