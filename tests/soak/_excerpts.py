"""Onsets of VF and VT cut from real recordings: a minute before, half a minute after, as WFDB records of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BEFORE_S, AFTER_S, LASTS_S = 45.0, 30.0, 12.0
RANGE_MV = 1.4
"""What the board that plays them takes about its baseline: a recording of another front end is brought into it, not cut off."""

LABELS = {"(VF": "vf", "(VFL": "vf", "(VFIB": "vf", "(VT": "vt"}
SETS = ("vfdb", "cudb", "vfdb_train", "cudb_train")


@dataclass(frozen=True)
class Excerpt:
    """A record to play, and where in it the rhythm begins."""

    name: str
    path: Path
    onset_s: float


def made(folder: Path, most: int) -> Iterator[tuple[str, Excerpt]]:
    """Up to `most` excerpts of each kind, written into the folder: (kind, excerpt)."""
    data = os.environ.get("VITALD_DATA")
    if not data:
        return
    counts = {"vf": 0, "vt": 0}
    for name in SETS:
        for header in sorted((Path(data) / name).glob("*.hea")):
            for kind, onset_s in _onsets(header.with_suffix("")):
                if counts[kind] < most:
                    counts[kind] += 1
                    yield (
                        kind,
                        _cut(header.with_suffix(""), f"{name}-{header.stem}-{onset_s:.0f}", onset_s, folder),
                    )


def spans(record: Path) -> Iterator[tuple[str, float, float]]:
    """Every VF (flutter is one) and VT of a recording as its annotation has it: (kind, begin, end), s."""
    import wfdb

    header = wfdb.rdheader(str(record))
    marks = wfdb.rdann(str(record), "atr")
    now, since = "", 0.0
    for sample, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True):
        t = sample / header.fs
        label = {"[": "vf", "]": ""}.get(symbol)
        if symbol == "+":
            label = LABELS.get(note.strip("\x00"), "")
        if label is None or label == now:
            continue
        if now:
            yield now, since, t
        now, since = label, t
    if now:
        yield now, since, header.sig_len / header.fs


def _onsets(record: Path) -> Iterator[tuple[str, float]]:
    """Onsets of episodes that last, each after `BEFORE_S` without VF or VT."""
    import wfdb

    header = wfdb.rdheader(str(record))
    calm_since = 0.0
    for kind, begin, end in spans(record):
        calm_s, calm_since = begin - calm_since, end
        lasts = end - begin >= LASTS_S and begin + AFTER_S < header.sig_len / header.fs
        if lasts and calm_s >= BEFORE_S:
            yield kind, begin


def _cut(record: Path, name: str, onset_s: float, folder: Path) -> Excerpt:
    import wfdb

    header = wfdb.rdheader(str(record))
    begin = round((onset_s - BEFORE_S) * header.fs)
    end = round((onset_s + AFTER_S) * header.fs)
    part = wfdb.rdrecord(str(record), sampfrom=begin, sampto=end, channels=[0])
    volts = np.nan_to_num(part.p_signal - np.nanmedian(part.p_signal))
    volts *= min(1.0, RANGE_MV / np.percentile(np.abs(volts), 99.5))
    wfdb.wrsamp(
        name,
        fs=header.fs,
        units=["mV"],
        sig_name=["II"],
        p_signal=volts,
        fmt=["16"],
        adc_gain=[1000.0],
        baseline=[0],
        write_dir=str(folder),
    )
    return Excerpt(name, folder / name, BEFORE_S)
