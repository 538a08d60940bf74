"""A recording as a `Source`: played from its beginning, once or round and round, on any board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.frames import Channel, Quantity
from firmware_bridge.recordings import Recording
from firmware_bridge.simulators.source import (
    AIRWAY_PRESSURE,
    BED_A,
    BED_B,
    COLUMNS,
    ELECTRODES,
    FLOW,
    LEADS,
    LEAK,
    OXYGEN,
    PLETH,
    PPG_INFRARED,
    PPG_RED,
    RESPIRATION,
    Numbers,
    Rows,
)

# Samples that are missing in the file are played below every converter's range: a rail is never measured. (Below,
# because the code for "missing" is a format's lowest value, and some files reach it by clipping.)
MISSING_MV = -10_000.0
SCALED_OVER_S = 30.0
# What a unit is in that of its column: L/s, cmH2O, kPa.
IN_LPS = {"l/s": 1.0, "l/min": 1 / 60, "ml/s": 1e-3}
IN_CM_H2O = {"cmh2o": 1.0, "mbar": 1.01972, "hpa": 1.01972, "kpa": 10.1972}
IN_KPA = {"kpa": 1.0, "pa": 1e-3, "bar": 100.0, "mbar": 0.1}
# Where the middle of a wave without a unit is played, and half its range.
SCALED = {RESPIRATION: (0.0, 1.0), PPG_INFRARED: (1.0, 0.01), PPG_RED: (1.0, 0.01), PLETH: (0.45, 0.4)}
MEASURED = {
    FLOW: (Quantity.FLOW, IN_LPS),
    AIRWAY_PRESSURE: (Quantity.AIRWAY_PRESSURE, IN_CM_H2O),
    LEAK: (Quantity.LEAK, IN_LPS),
    BED_A: (Quantity.TANK_PRESSURE, IN_KPA),
    BED_B: (Quantity.TANK_PRESSURE, IN_KPA),
    OXYGEN: (Quantity.OXYGEN, {"%": 1.0}),
}
# Leads of other systems and the board's lead they are played on.
STANDS_FOR = {"MLII": "II", "MCL": "V1", "MCL1": "V1", "V": "V1"}


class Player:
    """Plays `recording` on the columns of its leads, without changing a value.

    Leads that the file does not have are 0 mV, and their chest electrodes off; without any ECG all electrodes are. If it
    has none of the eight leads, its first ECG channel is played as lead II. Flow, pressures, leak and oxygen are played
    in their columns' units; of a concentrator's pressures the first two. Respiration and pulse waves have no unit of
    their own: they are scaled to a body's by their first 30 s. `done` once all has been played. ValueError where the
    recording has nothing that a board could play.
    """

    def __init__(self, recording: Recording, *, loop: bool = False) -> None:
        self.recording = recording
        self.rate_hz = recording.rate_hz
        self.done = False
        self._loop = loop
        self._at = 0
        self._columns = _columns(recording.channels)
        if not self._columns:
            raise ValueError(f"{recording.name} has no channel to play")
        ecg = [column for column in self._columns if column < len(LEADS)]
        all_off = frozenset(LEADS[2:] if ecg else ELECTRODES)
        self.electrodes_off = all_off - {LEADS[column] for column in ecg}
        self._rest = np.zeros(len(COLUMNS))
        self._rest[[PPG_INFRARED, PPG_RED]] = 1.0
        self._scales = {column: self._scale(column) for column in self._columns if column in SCALED}
        self._last = self._rest

    @property
    def numbers(self) -> Numbers:
        """Those that can be read off the row played last."""
        row = self._last
        oxygen = OXYGEN in self._columns
        return Numbers(
            pressure_cm_h2o=float(row[AIRWAY_PRESSURE]) if AIRWAY_PRESSURE in self._columns else None,
            leak_lpm=60 * float(row[LEAK]) if LEAK in self._columns else None,
            oxygen_pct=float(row[OXYGEN]) if oxygen else None,
            oxygen_flow_lpm=60 * float(row[FLOW]) if oxygen and FLOW in self._columns else None,
        )

    def take(self, n: int) -> Rows:
        parts = [np.zeros((0, len(COLUMNS)))]
        missing = n
        while missing > 0:
            if self._at == self.recording.n:
                if not self._loop:
                    self.done = True
                    break
                self._at = 0
            stop = min(self._at + missing, self.recording.n)
            parts.append(self._rows(self._at, stop))
            missing -= stop - self._at
            self._at = stop
        if len(parts[-1]):
            self._last = parts[-1][-1]
        return np.concatenate(parts)

    def _rows(self, start: int, stop: int) -> Rows:
        counts = self.recording.counts(start, stop)
        rows = np.tile(self._rest, (stop - start, 1))
        missing = self.recording.missing(start, stop)
        for column, place in self._columns.items():
            channel = self.recording.channels[place]
            values = (counts[place] - channel.offset) * channel.gain
            if column < len(LEADS):
                rows[:, column] = np.where(missing[place], MISSING_MV, values)
            elif column in MEASURED:
                factor = MEASURED[column][1].get(channel.unit.lower(), 1.0)
                rows[:, column] = np.where(missing[place], 0.0, values * factor)
            else:
                middle, half = self._scales[column]
                swing = np.where(missing[place], 0.0, (values - middle) / half)
                rows[:, column] = SCALED[column][0] + SCALED[column][1] * swing
        return rows

    def _scale(self, column: int) -> tuple[float, float]:
        """Middle and half range of a channel's beginning, in its own unit."""
        place = self._columns[column]
        stop = min(self.recording.n, round(SCALED_OVER_S * self.rate_hz))
        channel = self.recording.channels[place]
        values = (self.recording.counts(0, stop)[place] - channel.offset) * channel.gain
        low, high = np.percentile(values, [1, 99])
        return float(low + high) / 2, max(float(high - low) / 2, 1e-9)


def _columns(channels: Sequence[Channel]) -> dict[int, int]:
    """Column of the source's rows -> channel of the recording."""
    names = [STANDS_FOR.get(c.name, c.name) if c.quantity is Quantity.ECG else "" for c in channels]
    columns = {LEADS.index(lead): names.index(lead) for lead in LEADS if lead in names}
    quantities = [c.quantity for c in channels]
    if not columns and Quantity.ECG in quantities:
        columns = {LEADS.index("II"): quantities.index(Quantity.ECG)}
    for column, quantity in (
        (RESPIRATION, Quantity.RESPIRATION),
        (PPG_INFRARED, Quantity.PPG_INFRARED),
        (PPG_RED, Quantity.PPG_RED),
        # What files call a pleth may be the light or the wave drawn of it: an oximeter plays either.
        (PLETH, Quantity.PPG_INFRARED),
        (PLETH, Quantity.PLETH),
        *((column, quantity) for column, (quantity, _) in MEASURED.items()),
    ):
        if quantity in quantities:
            columns[column] = quantities.index(quantity)
    tanks = [place for place, quantity in enumerate(quantities) if quantity is Quantity.TANK_PRESSURE]
    if len(tanks) > 1:
        columns[BED_B] = tanks[1]
    return columns
