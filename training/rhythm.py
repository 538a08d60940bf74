"""Fits the numbers of the rhythm rules: daemon/dsp/ecg/tables/rhythm.npz.

    python training/rhythm.py DATA              fit on the folders *_train of DATA, write the table
    python training/rhythm.py DATA --check      leave a fifth of the records out in turn: what settings are chosen by

The watch itself measures the windows, so that a fit sees what a bed sees. Window score: additive, straight between six knots a
feature, fitted by penalised logistic regression; a record weighs by the root of its windows. Windows of intensive care and
of recorded noise are negatives only. AF: the weights are those of the reference; here its longer and shorter windows are put
on the scale of the one they were fitted on. Needs scikit-learn and wfdb (the extra `train`).
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

from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.rhythm import af, runs, window
from daemon.dsp.ecg.rhythm.arrest import Arrest, rows
from daemon.dsp.ecg.rhythm.inner import RATE_HZ
from daemon.dsp.ecg.rhythm.table import RhythmTable
from daemon.dsp.ecg.rhythm.watch import RhythmWatch
from daemon.dsp.ecg.tables import load_qrs_table

SEED = 20261121
FOLDERS = ("vfdb_train", "cudb_train", "mitdb_train", "cinc2015_train")
NOISES = ("bw_300s", "em_300s", "ma_300s")
POSITIVE = {"VF", "VFIB", "VFL", "VT", "["}
UNSURE = {"NOISE", "HGEA", "NOD", "VER", "IVR"}
STRIDE = {"mitdb_train": 4, "cinc2015_train": 17, "nstdb": 3}
OTHER_WEIGHT, STANDSTILL_FACTOR = 0.35, 3.0  # of negatives-only records; of those with a true standstill
PENALTY, EFFECTIVE = 5.0, 4000
MIDDLE_MEANS = np.array([-1.57, 0.44, -3.07, 0.08, 0.57])  # of the window of 32 RR, MIT-BIH AF database
MIDDLE_DEVIATIONS = np.array([0.79, 0.33, 1.20, 0.37, 0.13])
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/rhythm.npz"
NOT_ECG = {"PLETH", "ABP", "RESP", "ART", "CO2", "PAP", "CVP"}


@dataclass
class Shown:
    """What a record showed: window rows with their end in s, and series of 48 RR."""

    folder: str
    record: str
    end_s: np.ndarray
    rows: np.ndarray
    rr: np.ndarray


class Keeper(Arrest):
    """Keeps what is measured, and is never on. `series`: RR of the AF rule, ectopic beats made good."""

    def keep(self, series) -> None:
        self.at, self.rows, self.rr, self._series = [], [], [], series

    def score(self, view, beats):
        measured = rows(view, beats)
        self.at += [view.now / RATE_HZ] * len(measured)
        self.rows += list(measured)
        if len(self._series) == self._series.maxlen and view.now % 500 < 63:
            self.rr.append(list(self._series))


class Recorder(RhythmWatch):
    """A watch with a keeper in it."""

    def _begin(self) -> None:
        super()._begin()
        self._arrest = self.kept = Keeper(self._rate_hz, self._ventricular, self._pause, self._table.window)
        self.kept.keep(self._rhythm.af.rr)


def signals(data: Path, folder: str, record: str):
    import wfdb

    read = wfdb.rdrecord(str(data / folder / record))
    ecg = [k for k, name in enumerate(read.sig_name) if name.upper() not in NOT_ECG]
    return read.fs, read.p_signal[:, ecg].T.astype(np.float32)


def show(job: tuple[Path, str, str]) -> Shown:
    data, folder, record = job
    rate_hz, x = signals(data, folder, record)
    usable = np.isfinite(x)
    names = tuple("ab")[: len(x)]
    score = window.WindowScore(
        np.zeros((len(window.FEATURES), window.KNOTS)), np.zeros((len(window.FEATURES), window.KNOTS)), 0.0,
        window.FEATURES,
    )  # fmt: skip
    scale = np.ones((len(af.WINDOWS), len(af.WEIGHTS)))
    none = np.zeros(len(runs.FEATURES))
    watch = Recorder(
        rate_hz, names, RhythmTable(score, runs.RunScore(none, none + 1, none, -1.0), 0 * scale, scale)
    )
    for beat in QrsDetector(rate_hz, names, load_qrs_table()).push(x, usable):
        watch.beat(beat.sample, due=beat.due)
    watch.push(x, usable)
    kept = watch.kept
    seen = np.array(kept.rows).reshape(-1, len(window.FEATURES))
    return Shown(folder, record, np.array(kept.at), seen, np.array(kept.rr))


def spans(data: Path, folder: str, record: str) -> list[tuple[str, float, float]]:
    """Rhythms of a record: name, begin, end in s."""
    import wfdb

    head = wfdb.rdheader(str(data / folder / record))
    marks = wfdb.rdann(str(data / folder / record), "atr")
    changes = []
    for sample, symbol, note in zip(marks.sample, marks.symbol, marks.aux_note, strict=True):
        note = (note or "").rstrip("\x00").strip()
        if symbol in "[]":
            changes.append((sample / head.fs, symbol))
        elif note.startswith("("):
            changes.append((sample / head.fs, note[1:]))
    changes.append((head.sig_len / head.fs, "end"))
    return [(name, a, b) for (a, name), (b, _) in pairwise(changes)]


def labelled(data: Path, shown: Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels 1 or 0, weights; windows on an edge, in noise or of doubtful name are left out."""
    end, folder = shown.end_s, shown.folder
    take = np.arange(len(end)) % STRIDE.get(folder, 1) == 0
    label = np.zeros(len(end), dtype=int)
    factor = 1.0
    if folder == "nstdb":
        factor = OTHER_WEIGHT
    elif folder == "cinc2015_train":
        factor = OTHER_WEIGHT
        take &= end < 105
        if (folder, shown.record) in standstills(data):
            take |= end > 116
            factor *= STANDSTILL_FACTOR
    else:
        named = spans(data, folder, shown.record)

        def covered(names, before=window.WINDOW_S, after=0.0):
            return sum(
                np.clip(np.minimum(end + after, b) - np.maximum(end - before, a), 0, None)
                for name, a, b in named
                if name in names
            ) + np.zeros(len(end))

        positive = covered(POSITIVE) >= window.WINDOW_S - 0.1
        margin = (19.0, 30.0) if folder == "cudb_train" else (6.0, 2.0)
        negative = (covered(POSITIVE, *margin) == 0) & (covered(UNSURE - {"NOISE"}) == 0)
        label[positive] = 1
        if folder == "mitdb_train":
            take |= positive
        take &= (positive | negative) & (covered({"NOISE"}) == 0)
    seen, label = shown.rows[take], label[take]
    weight = np.zeros(len(label))
    for c in (0, 1):
        if (label == c).any():
            weight[label == c] = factor / np.sqrt((label == c).sum())
    return seen, label, weight


def standstills(data: Path) -> set[tuple[str, str]]:
    with (data / "cinc2015_train" / "ALARM_TIMES.csv").open(newline="") as file:
        return {
            ("cinc2015_train", row["record"])
            for row in csv.DictReader(file)
            if row["alarm"] == "Asystole" and row["true"] == "1"
        }


def hats(seen: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Each feature as its shares of the knots beside it: (rows, features * KNOTS)."""
    unit = np.eye(window.KNOTS)
    return np.stack([np.interp(seen[:, k], knots[k], e) for k in range(len(knots)) for e in unit], axis=1)


def fit(parts) -> window.WindowScore:
    from sklearn.linear_model import LogisticRegression

    seen, label, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    for c in (0, 1):
        weight[label == c] *= EFFECTIVE / 2 / weight[label == c].sum()
    quantiles = np.quantile(seen, [0.002, 0.1, 0.35, 0.65, 0.9, 0.998], axis=0).T
    knots = np.maximum.accumulate(quantiles + np.arange(window.KNOTS) * 1e-9, axis=1)
    model = LogisticRegression(C=1 / PENALTY, max_iter=400)
    model.fit(hats(seen, knots), label, sample_weight=weight)
    value = model.coef_[0].reshape(-1, window.KNOTS)
    return window.WindowScore(knots, value, float(model.intercept_[0]), window.FEATURES)


def af_scale(shown: list[Shown]) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations (windows, 5): those of the middle window, moved as the features move on the same RR."""
    series = np.concatenate([s.rr for s in shown if len(s.rr)])
    measured = np.array([af.features(rr) for rr in series])
    mean, deviation = measured.mean(axis=0), measured.std(axis=0)
    ratio = deviation / deviation[1]
    return mean + (MIDDLE_MEANS - mean[1]) * ratio, MIDDLE_DEVIATIONS * ratio


def check(parts, names) -> None:
    """Sensitivity at three specificities, by window, with every record judged by a fit without it."""
    order = np.random.default_rng(SEED).permutation(len(parts))
    scores, labels = [], []
    for fold in range(5):
        out = {int(k) for k in order[fold::5]}
        model = fit([tuple(a.copy() for a in part) for k, part in enumerate(parts) if k not in out])
        for k in out:
            if names[k][0] in FOLDERS[:3]:
                scores.append(model.of(parts[k][0]))
                labels.append(parts[k][1])
    score, label = np.concatenate(scores), np.concatenate(labels)
    for sp in (0.95, 0.98, 0.99):
        bar = np.quantile(score[label == 0], sp)
        print(f"Sp {100 * sp:.0f} %: Se {100 * (score[label == 1] > bar).mean():.1f} %, bar {bar:.2f}")
    for bar in (0.0, 1.0, 2.0):
        figures = [100 * ((score > bar) == c)[label == c].mean() for c in (0, 1)]
        print(f"bar {bar}: Sp {figures[0]:.1f} %, Se {figures[1]:.1f} %")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--check", action="store_true")
    given = arguments.parse_args()
    names = [
        (folder, path.stem) for folder in FOLDERS for path in sorted((given.data / folder).glob("*.hea"))
    ] + [("nstdb", record) for record in NOISES]
    with multiprocessing.Pool(2) as pool:
        shown = pool.map(show, [(given.data, *name) for name in names], chunksize=1)
    parts = [labelled(given.data, s) for s in shown]
    if given.check:
        check(parts, names)
        return
    model = fit(parts)
    means, deviations = af_scale([s for s in shown if s.folder in {"mitdb_train", "vfdb_train"}])
    digest = hashlib.sha256()
    for seen, label, _ in parts:
        digest.update(np.round(seen, 6).tobytes() + label.astype(np.int8).tobytes())
    np.savez_compressed(
        TABLE,
        knots=model.knots.astype(np.float64),
        value=model.value.astype(np.float64),
        base=np.float64(model.base),
        features=np.array(window.FEATURES),
        af_means=means,
        af_deviations=deviations,
        seed=np.int64(SEED),
        records=np.array([f"{folder}/{record}" for folder, record in names]),
        digest=np.array(digest.hexdigest()),
    )
    print(f"{TABLE}: {TABLE.stat().st_size} bytes, {sum(len(p[1]) for p in parts)} windows")


if __name__ == "__main__":
    main()
