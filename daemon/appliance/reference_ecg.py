"""The reference for the proof of the alarm chain: what a DM-ECG would send of a heart that beats steadily and then stands still.

Bytes are made from the board's own frame (firmware_bridge/boards/dm_ecg.py), the heart as a sum of bell curves for P, Q, R, S and T
(McSharry et al., IEEE Trans Biomed Eng 2003;50:289). The same bytes every time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firmware_bridge.boards.dm_ecg import COUNTS_PER_MV, FRAME_BYTES, LEADS, MID_SCALE, RATE_HZ, SAMPLE

KIND = "dm_ecg"
BEATS, BPM = 15, 75.0
RR_S = 60.0 / BPM
FIRST_S = 1.0
LAST_BEAT_S = FIRST_S + (BEATS - 1) * RR_S
"""Where the last R peak stands, s from the first sample."""

_NOISE_MV = 0.004
_PRESENT, _LL_PRESENT = 0x20, 0x40  # "electrode attached", in the high byte of a pair
_COUNTERS = 64

# Centre (s from the R peak), width (s), then mV in I, II, V1 .. V6.
_WAVES = np.array(
    [
        (-0.170, 0.022, 0.08, 0.14, 0.05, 0.06, 0.07, 0.08, 0.08, 0.07),
        (-0.026, 0.008, -0.06, -0.08, 0.00, 0.00, -0.02, -0.08, -0.10, -0.10),
        (0.000, 0.011, 0.70, 1.10, 0.25, 0.50, 0.90, 1.40, 1.30, 1.00),
        (0.028, 0.010, -0.10, -0.16, -0.90, -1.20, -0.80, -0.40, -0.15, -0.08),
        (0.270, 0.048, 0.20, 0.30, -0.05, 0.30, 0.40, 0.40, 0.32, 0.25),
    ]
)


def volts(seconds: float) -> npt.NDArray[np.float64]:
    """The eight leads in mV, shape (8, samples), from the first sample on."""
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    beats_s = FIRST_S + RR_S * np.arange(BEATS)
    at_s = t_s[:, None] - beats_s[None, :]
    signal = np.zeros((len(LEADS), t_s.size))
    for centre_s, width_s, *amplitudes in _WAVES:
        bells = np.exp(-0.5 * ((at_s - centre_s) / width_s) ** 2).sum(axis=1)
        signal += np.outer(amplitudes, bells)
    signal += np.random.default_rng(1).normal(0.0, _NOISE_MV, signal.shape)
    return signal


def frames(seconds: float) -> bytes:
    """So much of it as the board's stream frames, all electrodes attached."""
    counts = np.clip(np.rint(volts(seconds) * COUNTS_PER_MV) + MID_SCALE, 0, 4095).astype(np.int64)
    made = np.zeros((counts.shape[1], FRAME_BYTES), np.uint8)
    made[:, 0], made[:, 2], made[:, 3], made[:, -1] = 0xE8, 0x11, SAMPLE, 0x8E
    made[:, 1] = np.arange(counts.shape[1]) % _COUNTERS
    made[:, 5:21:2] = (counts >> 7).T | _PRESENT
    made[:, 7] |= _LL_PRESENT
    made[:, 6:21:2] = (counts & 0x7F).T
    return made.tobytes()
