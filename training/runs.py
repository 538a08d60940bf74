"""Fits the weights of runs of fast wide waves: daemon/dsp/ecg/tables/runs.npz.

    python training/runs.py DATA              fit on the folders *_train of DATA, write the table
    python training/runs.py DATA --check      leave each record out in turn: what settings are chosen by

The watch itself measures the runs, beside the beats that the analysis of the bed finds, so that a fit sees what a bed sees.
A recording is cut into stretches of 10 s, and of each the run counts that is most foreign and most alike in itself. Alarms
of tachycardia in intensive care: the stretch before the alarm, true or not; all else there is without a label and counts
little, as not being one. Needs scikit-learn and wfdb (the extra `train`).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import multiprocessing
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.runs import FEATURES, FastRuns
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.rhythm.watch import RhythmWatch
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table
from daemon.dsp.leads import Montage
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Beat
from daemon.model.signals import Quantity, SampleBlock, Segment, Stream
from firmware_bridge.recordings import open_recording

SEED = 20261121
CINC, LONG = "cinc2015_train", ("vfdb_train", "mitdb_train")  # in cudb nobody has marked tachycardia
STRETCH_S, LATE_S = 10.0, 0.5
TACHYCARDIA = "Ventricular_Tachycardia"
UNLABELLED, LONG_WEIGHT = 0.1, 0.1  # of a stretch
TRUE_WEIGHT = 2.0  # a tachycardia missed is worse than one said in vain
INVERSE_PENALTY = 0.3
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/runs.npz"


@dataclass
class Shown:
    """What a record showed: FEATURES of the run of each decision, with their times in s (decision, first wave, last wave)."""

    folder: str
    record: str
    times: np.ndarray
    measures: np.ndarray


class Keeper(FastRuns):
    """Keeps what is measured, and says nothing."""

    def keep(self) -> None:
        self.times, self.measures = [], []

    def step(self, view, sight, beats, *_):
        found = self.look(view, sight, beats)
        if found is not None:
            self.times.append((view.now / RATE_HZ, found.first / RATE_HZ, found.last / RATE_HZ))
            self.measures.append(found.measures)
        return []


class Recorder(RhythmWatch):
    """A watch with a keeper in it."""

    def _begin(self) -> None:
        super()._begin()
        self._fast = self.kept = Keeper(self._table.run)
        self.kept.keep()


def blocks(path: Path) -> list[SampleBlock]:
    """The ECG of a recording, a minute at a time."""
    recording = open_recording(path)
    rows = [k for k, channel in enumerate(recording.channels) if channel.quantity is Quantity.ECG]
    channels = tuple(recording.channels[k] for k in rows)
    segment = Segment(path.name, "", Stream(path.name, "ecg", recording.rate_hz, channels), "", 0, 0)
    period_ns, step = 1e9 / recording.rate_hz, round(60 * recording.rate_hz)
    found = []
    for first in range(0, recording.n, step):
        counts = recording.counts(first, min(first + step, recording.n))[rows]
        ns = round(first * period_ns), round((first + counts.shape[1]) * period_ns)
        found.append(SampleBlock(segment, first, ns[0], period_ns, counts, ns[1]))
    return found


def beats_of(path: Path) -> list[Beat]:
    """The beats that the analysis of a bed finds."""
    pipeline = Pipeline(load_qrs_table(), None, load_class_table())
    return [f for block in blocks(path) for f in pipeline.push(block) if isinstance(f, Beat)]


def show(job: tuple[Path, str, str]) -> Shown:
    data, folder, record = job
    path = data / folder / record
    ecg = blocks(path)
    stream = ecg[0].segment.stream
    montage = Montage.of(stream)
    watch = Recorder(stream.rate_hz, tuple(montage.measured), load_rhythm_table())
    for beat in beats_of(path):
        watch.beat(beat.sample, beat.label.value, due=beat.evidence.last)
    for block in ecg:
        mv = montage.millivolts(block.counts).astype(np.float32)
        watch.push(mv, np.isfinite(mv))
    measured = np.array(watch.kept.measures).reshape(-1, len(FEATURES))
    return Shown(folder, record, np.array(watch.kept.times).reshape(-1, 3), measured)


def spans(path: Path) -> list[tuple[str, float, float]]:
    """Rhythms of a record: name, begin, end in s."""
    import wfdb

    head, marks = wfdb.rdheader(str(path)), wfdb.rdann(str(path), "atr")
    changes = []
    for sample, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True):
        note = (note or "").rstrip("\x00").strip()
        if symbol in "[]":
            changes.append((sample / head.fs, "VF" if symbol == "[" else "N"))
        elif note.startswith("("):
            changes.append((sample / head.fs, note[1:]))
    changes.append((head.sig_len / head.fs, "end"))
    return [(name, a, b) for (a, name), (b, _) in pairwise(changes)]


def labelled(data: Path, shown: Shown, alarms: dict) -> list[tuple[np.ndarray, int, float]]:
    """Measures, label, weight: one a stretch."""
    kept = []
    if shown.folder == CINC:
        kind, truth, alarm_s = alarms[shown.record]
        if kind == TACHYCARDIA:
            chosen_ = most(shown, alarm_s - STRETCH_S - LATE_S, alarm_s)
            return [] if chosen_ is None else [(chosen_, truth, TRUE_WEIGHT if truth else 1.0)]
        for first in np.arange(0, alarm_s, STRETCH_S):
            chosen_ = most(shown, first, first + STRETCH_S)
            kept += [] if chosen_ is None else [(chosen_, 0, UNLABELLED)]
        return kept
    named = spans(data / shown.folder / shown.record)
    for first in np.arange(0, shown.times[-1, 0] if len(shown.times) else 0, STRETCH_S):
        covers = {name for name, a, b in named if a < first + STRETCH_S and b > first - 4}
        if covers & {"VF", "VFIB", "VFL", "NOISE", "HGEA", "IVR", "VER", "ASYS", "end"}:
            continue
        if "VT" in covers:
            whole = [(a, b) for name, a, b in named if name == "VT"]
            inside = np.array([any(a <= f and last <= b for a, b in whole) for _, f, last in shown.times])
            chosen_ = most(shown, first, first + STRETCH_S, inside)
        else:
            chosen_ = most(shown, first, first + STRETCH_S)
        kept += [] if chosen_ is None else [(chosen_, int("VT" in covers), LONG_WEIGHT)]
    return kept


def most(shown: Shown, first: float, stop: float, among: np.ndarray | None = None) -> np.ndarray | None:
    """Of the runs seen in first .. stop the one that is most foreign and most alike in itself."""
    if not len(shown.times):
        return None
    here = (shown.times[:, 0] >= first) & (shown.times[:, 0] <= stop)
    here &= True if among is None else among
    if not here.any():
        return None
    seen = shown.measures[here]
    return seen[(seen[:, 0] + seen[:, 1]).argmax()]


def fit(parts):
    """Mean, deviation, weight, base."""
    from sklearn.linear_model import LogisticRegression

    seen, label, weight = (np.array(column) for column in zip(*parts, strict=True))
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    model.fit((seen - mean) / deviation, label, sample_weight=weight)
    return mean, deviation, model.coef_[0], float(model.intercept_[0])


def score(table, measures: np.ndarray) -> float:
    mean, deviation, weight, base = table
    return float(((measures - mean) / deviation * weight).sum()) + base


def check(groups, names, alarms) -> None:
    """Alarms of intensive care, and stretches of the long recordings, each record judged by a fit without it."""
    found = []
    for k, group in enumerate(groups):
        table = fit([part for j, other in enumerate(groups) if j != k for part in other])
        found += [(names[k], label, score(table, measures)) for measures, label, _ in group]
    for bar in (-1.0, -0.5, 0.0, 0.5, 1.0):
        told = [bar]
        for ours in (
            lambda n: n[0] == CINC and alarms[n[1]][0] == TACHYCARDIA,
            lambda n: n[0] == CINC and alarms[n[1]][0] != TACHYCARDIA,
            *(lambda n, f=f: n[0] == f for f in LONG),
        ):
            for c in (1, 0):
                z = np.array([s for n, label, s in found if ours(n) and label == c])
                told.append(f"{(z > bar).sum()}/{len(z)}")
        print("bar {}: VT alarms {} true {} false; others {} {}; vfdb {} {}; mitdb {} {}".format(*told))
    for name, label, z in sorted(found, key=lambda one: one[2]):
        if name[0] == CINC and alarms[name[1]][0] == TACHYCARDIA and (z > 0) != label:
            print(name[1], label, round(z, 2))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--check", action="store_true")
    given = arguments.parse_args()
    names = [(f, path.stem) for f in (CINC, *LONG) for path in sorted((given.data / f).glob("*.hea"))]
    with (given.data / CINC / "ALARM_TIMES.csv").open(newline="") as file:
        alarms = {
            row["record"]: (row["alarm"], int(row["true"]), float(row["alarm_s"]))
            for row in csv.DictReader(file)
        }
    with multiprocessing.Pool(2) as pool:
        shown = pool.map(show, [(given.data, *name) for name in names], chunksize=1)
    groups = [labelled(given.data, s, alarms) for s in shown]
    if given.check:
        check(groups, names, alarms)
        return
    parts = [part for group in groups for part in group]
    mean, deviation, weight, base = fit(parts)
    digest = hashlib.sha256()
    for measures, label, _ in parts:
        digest.update(np.round(measures, 6).tobytes() + bytes([label]))
    np.savez_compressed(
        TABLE,
        run_mean=mean,
        run_deviation=deviation,
        run_weight=weight,
        run_base=np.float64(base),
        run_features=np.array(FEATURES),
        seed=np.int64(SEED),
        records=np.array([f"{folder}/{record}" for folder, record in names]),
        digest=np.array(digest.hexdigest()),
    )
    print(f"{TABLE}: {TABLE.stat().st_size} bytes, {len(parts)} stretches")
    print(dict(zip(FEATURES, np.round(weight, 2), strict=True)), round(base, 2))


if __name__ == "__main__":
    main()
