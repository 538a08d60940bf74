"""A recording as a `Source`: played from its beginning, once or round and round, on any board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.frames import Channel, Quantity
from firmware_bridge.recordings import Recording
from firmware_bridge.simulators.source import (
    COLUMNS,
    LEADS,
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
# Leads of other systems and the board's lead they are played on.
STANDS_FOR = {"MLII": "II", "MCL": "V1", "MCL1": "V1", "V": "V1"}


class Player:
    """Plays `recording` on the columns of its leads, without changing a value.

    Leads that the file does not have are 0 mV, and their chest electrodes off. If it has none of the eight leads, its
    first ECG channel is played as lead II (ValueError where there is no ECG at all). Respiration and pulse waves have
    no unit of their own: they are scaled to a body's by their first 30 s. `done` once all has been played.
    """

    numbers = Numbers()

    def __init__(self, recording: Recording, *, loop: bool = False) -> None:
        self.recording = recording
        self.rate_hz = recording.rate_hz
        self.done = False
        self._loop = loop
        self._at = 0
        self._columns = _columns(recording.channels)
        ecg = [column for column in self._columns if column < len(LEADS)]
        if not ecg:
            raise ValueError(f"{recording.name} has no ECG channel to play")
        self.electrodes_off = frozenset(LEADS[2:]) - {LEADS[column] for column in ecg}
        self._rest = np.zeros(len(COLUMNS))
        self._rest[[PPG_INFRARED, PPG_RED]] = 1.0
        self._scales = {column: self._scale(column) for column in self._columns if column >= len(LEADS)}

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
            else:
                middle, half = self._scales[column]
                swing = np.where(missing[place], 0.0, (values - middle) / half)
                rows[:, column] = swing if column == RESPIRATION else 1.0 + 0.01 * swing
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
    ):
        if quantity in quantities:
            columns[column] = quantities.index(quantity)
    return columns
