"""Fits the table of trees that beats are named by: daemon/dsp/ecg/tables/classes.npz.

    python training/classes.py DATA              fit on DATA/mitdb_train, write the table
    python training/classes.py DATA --check      leave records out instead: what settings are chosen by

The shipped detector finds the beats and its classifier measures them; the reference names them. What the classifier learns
of a patient does not depend on what it says, so one pass is enough. Each record goes in as lead 1, as lead 2 and as both;
in short pieces; and with early beats of normal shape added (`retimed`), of which the 16 records hold 300.
Needs scikit-learn and wfdb (the extra `train`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qrs import lay_out
from qrs_runs import BEATS, RECORDS

from daemon.dsp.ecg.classify import CLASS_FEATURES, Classifier
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.ecg.trees import CLASSES, LEAVES, NODES, ClassTable
from daemon.model.findings import BeatClass

SEED = 20261121
NAMES = {**dict.fromkeys("NLRBenj/", 0), **dict.fromkeys("AaJS", 1), **dict.fromkeys("VEr", 2)}
LEFT_OUT = -1  # fusion beats, and what nobody could name
NEAR_S = 0.150
ROUNDS, RATE, LEAF_MIN, L2, BINS = 60, 0.1, 40, 5.0, 128
S_WEIGHT, RETIMED_WEIGHT, PACED_WEIGHT = 2.0, 0.5, 0.3
V_WEIGHT = 2.0
V_ENOUGH = 100  # of more ventricular beats in a record each weighs less: patients count, not beats
PIECE_S, PIECES = 20.0, 12
PACED = ("102", "107", "217")
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/classes.npz"


@dataclass(frozen=True)
class Run:
    """One way of showing a record to the classifier."""

    record: str
    leads: tuple[int, ...]
    kind: str = "plain"


def runs_of(records: list[str], *, checked: bool) -> list[Run]:
    """All runs of the fit; `checked`: and those in irregular rhythm, which are only looked at."""
    one, both = (0,), (0, 1)
    plain = [Run(record, leads) for record in records for leads in (one, (1,), both)]
    kinds = ("pieces", "irregular", "early") if checked else ("pieces", "early")
    others = [Run(record, leads, kind) for record in records for kind in kinds for leads in (one, both)]
    return plain + [run for run in others if run.kind != "irregular" or run.record not in PACED]


class Student(Classifier):
    """A classifier that keeps what it measured."""

    def __init__(self, rate_hz: float, leads: int) -> None:
        super().__init__(rate_hz, leads, blank())
        self.seen: list[np.ndarray] = []

    def _decide(self, values, candidate):  # noqa: ARG002 - the classifier's own signature
        self.seen.append(values)
        return BeatClass.UNKNOWN


def blank() -> ClassTable:
    return ClassTable(
        np.zeros((CLASSES, NODES), int), np.zeros((CLASSES, NODES)), np.zeros((CLASSES, LEAVES)), np.zeros(CLASSES), CLASS_FEATURES
    )  # fmt: skip


def read(data: Path, record: str) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Signals (leads, n) in mV, rate in Hz, sample numbers of the beats, their names (0, 1, 2 or LEFT_OUT)."""
    import wfdb

    signal = wfdb.rdrecord(str(data / "mitdb_train" / record))
    notes = wfdb.rdann(str(data / "mitdb_train" / record), "atr")
    kept = [
        (s, NAMES.get(symbol, LEFT_OUT))
        for s, symbol in zip(notes.sample, notes.symbol, strict=True)
        if symbol in BEATS
    ]
    beats, names = (np.array(column) for column in zip(*kept, strict=True))
    return signal.p_signal.T.astype(np.float32), float(signal.fs), beats, names


def retimed(x: np.ndarray, beats: np.ndarray, names: np.ndarray, rate: float, kind: str, rng):
    """The record with other intervals; (signals, beats, names). Only rest is stretched or cut, QRS, T and P stay as they are.

    "irregular": every interval drawn anew, P flattened, fibrillation waves in its place; early beats are normal then.
    "early": one normal beat in fifteen comes 10 to 45 % early with another P; it is supraventricular.
    """
    names = names.copy()
    pieces, at, marks = [x[:, : beats[0]]], int(beats[0]), [int(beats[0])]
    mean_s = rng.uniform(0.5, 0.9)
    wave, phase = rng.uniform(0.03, 0.12), 0.0
    for k in range(1, len(beats)):
        part = x[:, beats[k - 1] : beats[k]]
        n, wanted = part.shape[1], part.shape[1]
        if kind == "irregular":
            wanted = round(float(np.clip(rng.lognormal(np.log(mean_s), 0.22), 0.34, 1.6)) * rate)
        else:
            alone = names[k] == names[k - 1] == 0 and names[min(k + 1, len(names) - 1)] == 0
            if alone and rng.random() < 1 / 15:
                wanted = round(n * rng.uniform(0.55, 0.9))
                names[k] = 1
        before, p = round(0.06 * rate), round(0.14 * rate)
        after = min(round(0.42 * rate), max(n - before - p - 4, n // 2), wanted - before - 4)
        p = min(p, wanted - before - after - 2, n - before - after - 2)
        if p < 2:
            p = 0
        rest = part[:, after : n - before - p]
        room = wanted - after - before - p
        place = np.linspace(0, rest.shape[1] - 1, room)
        rest = np.stack([np.interp(place, np.arange(rest.shape[1]), lead) for lead in rest])
        last = part[:, n - before - p : n - before]
        if p:
            line = np.linspace(last[:, 0], last[:, -1], p).T
            gain = 0.0 if kind == "irregular" else 1.0 if wanted == n else rng.uniform(-1.0, 1.2)
            last = line + gain * (last - line)
        if kind == "irregular":
            turn = phase + np.cumsum(2 * np.pi * rng.normal(6.0, 0.5) / rate * np.ones(room + p))
            phase = float(turn[-1])
            rest, last = rest + wave * np.sin(turn[:room]), last + wave * np.sin(turn[room:])
        new = np.concatenate([part[:, :after], rest, last, part[:, n - before :]], axis=1)
        pieces.append(new.astype(np.float32))
        at += new.shape[1]
        marks.append(at)
    pieces.append(x[:, beats[-1] :])
    if kind == "irregular":
        names[names == 1] = LEFT_OUT
    return np.concatenate(pieces, axis=1), np.array(marks), names


def shown(data: Path, run: Run) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """What the classifier is shown: signals of the run's leads, rate, beats and their names."""
    x, rate, beats, names = read(data, run.record)
    rng = np.random.default_rng([SEED, int(run.record), *run.leads, len(run.kind)])
    if run.kind in ("irregular", "early"):
        x, beats, names = retimed(x, beats, names, rate, run.kind, rng)
    return x[list(run.leads)], rate, beats, names


def watch(task: tuple[Path, Run]) -> tuple[np.ndarray, np.ndarray]:
    """Features of the beats found in a run, and their names; a beat that is none is called normal."""
    data, run = task
    x, rate, beats, names = shown(data, run)
    spans = [(0, x.shape[1])]
    if run.kind == "pieces":
        length = round(PIECE_S * rate)
        rng = np.random.default_rng([SEED, int(run.record)])
        spans = [(int(s), int(s) + length) for s in rng.integers(0, x.shape[1] - length, PIECES)]
    features, labels = [], []
    table = load_qrs_table()
    for first, stop in spans:
        piece = x[:, first:stop]
        detector = QrsDetector(rate, tuple("ab"[: len(x)]), table)
        detector._classifier = student = Student(detector._front.rate_hz, len(x))  # noqa: SLF001 - watched from inside
        for beat in detector.push(piece, np.isfinite(piece)):
            away = np.abs(beats - first - beat.sample)
            k = int(away.argmin())
            labels.append(names[k] if away[k] <= NEAR_S * rate else 0)
        features += student.seen
    return np.array(features, dtype=np.float32), np.array(labels)


def fit(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Boosted trees of depth 3, three for each round, as complete trees in arrays."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, max_depth=3, min_samples_leaf=LEAF_MIN,
        l2_regularization=L2, max_bins=BINS, early_stopping=False, random_state=SEED,
    )  # fmt: skip
    known = labels != LEFT_OUT
    model.fit(
        features[known], labels[known], sample_weight=(weight * np.where(labels == 1, S_WEIGHT, 1.0))[known]
    )
    trees = [tree for each in model._predictors for tree in each]  # noqa: SLF001 - scikit-learn has no public way to its trees
    feature = np.zeros((len(trees), NODES), dtype=np.uint8)
    threshold = np.zeros((len(trees), NODES))
    leaf = np.zeros((len(trees), LEAVES))
    for k, tree in enumerate(trees):
        lay_out(tree.nodes, 0, 0, 0, feature[k], threshold[k], leaf[k])
    return {
        "feature": feature, "threshold": threshold.astype(np.float32), "leaf": leaf.astype(np.float32),
        "base": model._baseline_prediction.ravel(),  # noqa: SLF001 - as above
        "features": np.array(CLASS_FEATURES),
    }  # fmt: skip


Watched = dict[Run, tuple[np.ndarray, np.ndarray]]


def weight_of(run: Run, labels: np.ndarray, watched: Watched) -> np.ndarray:
    """What each beat of a run counts in the fit."""
    weight = np.full(len(labels), RETIMED_WEIGHT if run.kind == "early" else 1.0)
    ventricular = int((watched[Run(run.record, (0, 1))][1] == 2).sum())
    weight[labels == 2] *= V_WEIGHT * (V_ENOUGH / max(ventricular, V_ENOUGH)) ** 0.5
    if run.record in PACED:
        weight[labels == 0] *= PACED_WEIGHT
    return weight


def train(watched: Watched, records: list[str]) -> dict[str, np.ndarray]:
    chosen = [
        (*seen, weight_of(run, seen[1], watched))
        for run, seen in watched.items()
        if run.record in records and run.kind != "irregular"
    ]
    features, labels, weight = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return fit(features, labels, weight)


def check(watched: Watched, folds: int = 4) -> None:
    """Fit without a quarter of the records and count on that quarter, in turn. Missed beats do not count here."""
    from daemon.dsp.ecg.classify import IRREGULAR_AT, IRREGULAR_MAX, PREMATURE_AT, S_BAR, S_EARLY, V_BAR

    counts: dict[str, np.ndarray] = {}
    for fold in range(folds):
        held = RECORDS[fold::folds]
        table = ClassTable.from_arrays(train(watched, [r for r in RECORDS if r not in held]))
        for run, (features, labels) in watched.items():
            if run.record not in held:
                continue
            name = f"{run.kind}, {['lead 1', 'lead 2', 'two leads'][run.leads[-1] + len(run.leads) - 1]}"
            p = np.array([table.probabilities(f) for f in features.astype(np.float64)])
            may_be_s = (features[:, IRREGULAR_AT] < IRREGULAR_MAX) & (
                features[:, PREMATURE_AT].min(axis=1) < S_EARLY
            )
            said = np.where(p[:, 2] > V_BAR, 2, np.where((p[:, 1] > S_BAR) & may_be_s, 1, 0))
            table_of = np.zeros((CLASSES, CLASSES), dtype=int)
            for label in range(CLASSES):
                table_of[label] = np.bincount(said[labels == label], minlength=CLASSES)
            if run.kind == "plain" and len(run.leads) == 2:
                print(f"  {run.record} {name}: V {table_of[2]} S {table_of[1]} N {table_of[0]}", flush=True)
            counts[name] = counts.get(name, 0) + table_of
    for name, m in counts.items():
        v, s = 100 * m[2, 2] / max(m[2].sum(), 1), 100 * m[1, 1] / max(m[1].sum(), 1)
        v_p, s_p = 100 * m[2, 2] / max(m[:, 2].sum(), 1), 100 * m[1, 1] / max(m[:, 1].sum(), 1)
        print(f"{name}: V Se {v:.1f} +P {v_p:.1f}; S Se {s:.1f} +P {s_p:.1f}")


def write(arrays: dict[str, np.ndarray], path: Path) -> None:
    """The table with where it comes from; `digest` is over the numbers."""
    digest = hashlib.sha256(
        b"".join(np.ascontiguousarray(arrays[k]).tobytes() for k in ("feature", "threshold", "leaf", "base"))
    ).hexdigest()
    about = {
        "seed": SEED,
        "database": "MIT-BIH Arrhythmia Database",
        "records": RECORDS,
        "digest": digest,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, about=np.array(json.dumps(about)))
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {len(buffer.getvalue())} bytes, digest {digest}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--out", type=Path, default=TABLE)
    arguments = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    runs = runs_of(RECORDS, checked=arguments.check)
    with multiprocessing.Pool(2) as pool:
        watched = dict(zip(runs, pool.imap(watch, [(arguments.data, run) for run in runs]), strict=True))
    if arguments.check:
        check(watched)
    else:
        write(train(watched, RECORDS), arguments.out)


if __name__ == "__main__":
    main()
