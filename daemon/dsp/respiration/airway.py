"""Whether the airway is open while nobody breathes: what flows when the device presses.

Devices press on purpose during an apnoea: ResMed's with 1 cmH2O peak to peak at 4 Hz. Through an open airway the lungs
answer, with an impedance of 3 to 6 cmH2O s/L at 4 Hz; against a closed one only the mask, its cushion and the cheeks give, and
impedances of 60 were measured behind the tube (Navajas et al., Eur Respir J 2000;15:185). At the mask the cushion's own
compliance of some mL/cmH2O shunts that to 10 to 20: so open is below `OPEN`, closed above `CLOSED`, and between them nothing
is said. The impedance is the quotient of the cross spectra in 3 to 6 Hz, taken where pressure swings enough.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

OPEN, CLOSED = 7.0, 10.0  # cmH2O s/L
BAND_HZ = (3.0, 6.0)
LEAST_SWING = 0.1  # cmH2O, amplitude
LEAST_S = 2.0
SLOWEST_HZ = 2.5 * BAND_HZ[1]
COHERENT = 0.5  # share of flow's power in the band that pressure explains, below which an answer is not one


class Airway(StrEnum):
    """What the pressure's answer tells."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


def answer(flow: Floats, pressure: Floats, hz: float) -> tuple[Airway, float | None]:
    """From flow (L/s) and pressure (cmH2O) during an apnoea, both (n,): the airway, and its impedance in cmH2O s/L.

    None where pressure was not made to swing, lasts under 2 s, or `hz` is too slow to show 4 Hz (below 15).
    """
    n = int(LEAST_S * hz)
    if hz < SLOWEST_HZ or len(flow) < n:
        return Airway.UNKNOWN, None
    window = np.hanning(n)
    f = np.fft.rfftfreq(n, 1 / hz)
    band = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    cross, own, flows = 0j, 0.0, 0.0
    for at in range(0, len(flow) - n + 1, n // 2):
        p = np.fft.rfft((pressure[at : at + n] - pressure[at : at + n].mean()) * window)[band]
        q = np.fft.rfft((flow[at : at + n] - flow[at : at + n].mean()) * window)[band]
        if 2 * float(np.abs(p).max()) / float(window.sum()) < LEAST_SWING:
            continue
        cross += complex((q * p.conj()).sum())
        own += float((np.abs(p) ** 2).sum())
        flows += float((np.abs(q) ** 2).sum())
    if own <= 0 or flows <= 0:
        return Airway.UNKNOWN, None
    admittance = abs(cross) / own
    impedance = 1 / max(admittance, 1e-6)
    if impedance >= CLOSED:
        return Airway.CLOSED, impedance
    if impedance <= OPEN and abs(cross) ** 2 / (own * flows) >= COHERENT:
        return Airway.OPEN, impedance
    return Airway.UNKNOWN, impedance
