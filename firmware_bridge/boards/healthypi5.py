"""ProtoCentral HealthyPi 5 (RP2040): one ECG lead, bio-impedance and two PPG signals at 128 Hz over USB.

It streams while DTR is asserted and reads nothing. No counter, and no word of electrodes: its own numbers keep their
last value when an electrode or the finger clip falls off. Firmware before February 2025 sent other packets ("OV3"):
both are read, and a `Settings` frame says which.
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
    Samples,
    Settings,
    StreamSpec,
)
from firmware_bridge.framing import Cutter, Run, Skipped
from firmware_bridge.options import Options

# --- facts -----------------------------------------------------------------------------------------------

RATE_HZ = 128.0
# MAX30001: 18 bits at gain 80 and 1.0 V, shifted left by 8 by the firmware: 95.367 nV / 256 a count.
ECG_MV = 1e3 / (2**17 * 80) / 256


def _facts(lead: str, *, ov3: bool = False) -> Facts:
    ecg = Channel(lead, Quantity.ECG, "mV", ECG_MV, 0.0, -(2**17) * 256, (2**17 - 1) * 256)
    impedance = channel("bioimpedance", Quantity.RESPIRATION)
    red, infrared = channel("ppg_red", Quantity.PPG_RED), channel("ppg_infrared", Quantity.PPG_INFRARED)
    streams: tuple[StreamSpec, ...] = (StreamSpec("vitals", RATE_HZ, (ecg, impedance, red, infrared)),)
    if ov3:
        streams = (
            StreamSpec("ecg", RATE_HZ, (ecg,)),
            StreamSpec("bioimpedance", RATE_HZ / 2, (impedance,)),
            # Which light it is, and its rate, are nowhere said; eight samples come with eight of the ECG.
            StreamSpec("ppg", RATE_HZ, (channel("ppg", Quantity.OTHER),)),
        )
    return Facts(
        kind="healthypi5",
        title="ProtoCentral HealthyPi 5",
        port=PortSettings(baud=115200, dtr=True, rts=None),
        line_bytes_per_second=3_712,
        streams=streams,
        usb_ids=((0x1158, 0x0001),),
    )


FACTS = _facts("II")

# --- frames ----------------------------------------------------------------------------------------------

PACKET = packet("vitals", 0x02, 22)
OV3_PPG = packet("ppg", 0x04, 19)
# The header says 50 whatever follows: `words` i32 and two bytes. Longest first. In a longer packet the bytes at a
# shorter one's end are the upper half of a number, where 00 0B would be beyond what the converter can give.
OV3_ECG = tuple(packet(f"ecg of {words} words", 0x03, 50, 4 * words + 2) for words in range(12, 0, -1))
LAYOUTS = (PACKET, OV3_PPG, *OV3_ECG)

_FIELDS = np.dtype(
    {
        "names": ["ecg", "bioimpedance", "red", "infrared"],
        "formats": ["<i4", "<i4", "<i4", "<i4"],
        "offsets": [5, 9, 14, 18],
        "itemsize": PACKET.size,
    }
)
_READINGS = slice(22, 27)

# --- decoder ---------------------------------------------------------------------------------------------


class HealthyPi5:
    """The board; it is only listened to."""

    def __init__(self, options: Mapping[str, str]) -> None:
        read = Options("healthypi5", options)
        self._lead = read.choice("lead", "II", ("I", "II", "III"))
        read.done()
        self._facts = _facts(self._lead)
        self._format = ""
        self._cutter = Cutter(LAYOUTS)
        self._readings = Readings(_READINGS, _say)
        self._first: list[Frame] = [
            Settings((("lead", self._lead),)),
            Identity("healthypi5", model="HealthyPi 5"),
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
            spoken = "current" if piece.layout is PACKET else "OV3"
            if spoken != self._format:
                self._format = spoken
                self._facts = _facts(self._lead, ov3=spoken == "OV3")
                frames.append(Settings((("format", spoken),)))
            if piece.layout is PACKET:
                rows = np.frombuffer(piece.raw, _FIELDS)
                counts = np.empty((4, piece.frames), np.int32)
                for row, name in enumerate(_FIELDS.names or ()):
                    counts[row] = rows[name]
                frames += interleaved("vitals", counts, piece, self._readings, now_ns)
            else:
                frames += _ov3(piece, now_ns)
        return frames

    # --- commands ----------------------------------------------------------------------------------------

    def due(self, now_ns: Nanos) -> None:  # noqa: ARG002 - the interface gives the time
        return None

    def closing(self) -> bytes:
        return b""


def _say(raw: bytes) -> list[Frame]:
    temperature = int.from_bytes(raw[22:24], "little", signed=True)
    return [
        number("temperature", temperature / 100, "degC", valid=temperature != 0),
        number("spo2", raw[24], "%", valid=raw[24] != 0),
        number("heart_rate", raw[25], "/min", valid=raw[25] != 0),
        number("respiration_rate", raw[26], "/min", valid=raw[26] != 0),
    ]


def _ov3(run: Run, now_ns: Nanos) -> list[Frame]:
    """Packets of the older firmware: batches of samples, each stream for itself."""
    frames: list[Frame] = []
    size = run.layout.size
    for start in range(0, len(run.raw), size):
        body = run.raw[start + 5 : start + size - 2]
        if run.layout is OV3_PPG:
            light = np.frombuffer(body, "<i2", 8).astype(np.int32).reshape(1, 8)
            # Its temperature has lost the low byte: the high one stands there twice.
            frames += [Samples("ppg", light, now_ns), number("spo2", body[16], "%", valid=body[16] != 0)]
            continue
        words = np.frombuffer(body, "<i4", len(body) // 4).astype(np.int32)
        ecg = len(words) - len(words) // 3  # two of ECG to one of bio-impedance
        frames.append(Samples("ecg", words[:ecg].reshape(1, -1), now_ns))
        if ecg < len(words):
            frames.append(Samples("bioimpedance", words[ecg:].reshape(1, -1), now_ns))
        frames += [
            number("heart_rate", body[-2], "/min", valid=body[-2] != 0),
            number("respiration_rate", body[-1], "/min", valid=body[-1] != 0),
        ]
    return frames


def board(options: Mapping[str, str]) -> HealthyPi5:
    """Options: `lead` (I, II or III; default II): what the cable makes of the one ECG channel."""
    return HealthyPi5(options)


# --- probe -----------------------------------------------------------------------------------------------


def recognise(data: bytes) -> float:
    """1.0 for three packets back to back."""
    return min(1.0, packets_in(data, LAYOUTS) / 3)


def questions() -> Sequence[tuple[bytes, int]]:
    """None: it hears nothing."""
    return ()
