"""Fits the table of trees that the QRS detector decides by: daemon/dsp/ecg/tables/qrs.npz.

    python training/qrs.py DATA              fit on DATA/mitdb_train and DATA/ludb_train, write the table
    python training/qrs.py DATA --check      leave records out instead: what settings are chosen by

The detector itself measures the candidates, so that a fit sees what a bed sees. Round 1 lets the reference say which of them
are beats; in the later rounds the detector follows its own last fit, and learns from the states its errors bring it into.
How records are shown to it stands in `qrs_runs`. Needs scikit-learn and wfdb (the extra `train`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daemon.dsp.ecg.decide import FEATURES
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.trees import LEAVES, NODES, QrsTable
from training.qrs_runs import NARROW, RECORDS, SEED, WIDE, Run, loops, runs_of, show

TREES, RATE, LEAF_MIN, L2, BINS = 160, 0.12, 40, 5.0, 128
OWN_WEIGHT = 1.5  # of an example met while the detector followed its own decisions
LOOP_WEIGHT, PACED_WEIGHT = 3.0, 0.5
NEAR_S = 0.140
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/qrs.npz"


class Student(QrsDetector):
    """A detector that keeps what it measured. `table` None: it does as the reference says."""

    def __init__(
        self, rate_hz: float, leads: tuple[str, ...], table: QrsTable | None, beats: np.ndarray
    ) -> None:
        super().__init__(rate_hz, leads, table or blank())
        self._own = table is not None
        self._reference = beats / self._front.step
        self._near = NEAR_S * self._front.rate_hz
        self._last_seen = -(10**9)
        self.seen: list[np.ndarray] = []
        self.labels: list[bool] = []

    def is_beat(self, at: int) -> bool:
        """Whether the candidate is the nearest one to a reference beat."""
        k = int(np.abs(self._reference - at).argmin())
        away = abs(self._reference[k] - at)
        others = [*self._pending, self._last_seen]
        return bool(away <= self._near and all(abs(self._reference[k] - o) > away for o in others if o != at))

    def _score(self, candidate) -> float:
        return super()._score(candidate) if self._own else float(self.is_beat(candidate.at))

    def _rivalled(self, at: int, score: float) -> bool:
        return super()._rivalled(at, score) if self._own else False

    def _measure(self, at: int, decided: int):
        candidate = super()._measure(at, decided)
        if at == decided:
            self.seen.append(candidate.features)
            self.labels.append(self.is_beat(at))
            self._last_seen = at
        return candidate


def blank() -> QrsTable:
    return QrsTable(np.zeros((1, NODES), int), np.zeros((1, NODES)), np.zeros((1, LEAVES)), 0.0, FEATURES)


def watch(task: tuple[Path, Run, QrsTable | None]) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the candidates of one run."""
    data, run, table = task
    features: list[np.ndarray] = []
    labels: list[bool] = []
    for shown in show(data, run):
        student = Student(shown.rate_hz, tuple("ab"[: len(shown.mv)]), table, shown.beats)
        student.push(shown.mv, np.isfinite(shown.mv))
        features += student.seen
        labels += student.labels
    return np.array(features, dtype=np.float32).reshape(-1, len(FEATURES)), np.array(labels, dtype=bool)


def fit(features: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Boosted trees of depth 3 as complete trees in arrays."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=TREES, max_leaf_nodes=LEAVES, max_depth=3, min_samples_leaf=LEAF_MIN,
        l2_regularization=L2, max_bins=BINS, early_stopping=False, random_state=SEED,
    )  # fmt: skip
    model.fit(features, labels, sample_weight=weight)
    feature = np.zeros((TREES, NODES), dtype=np.uint8)
    threshold = np.zeros((TREES, NODES))
    leaf = np.zeros((TREES, LEAVES))
    for k, (tree,) in enumerate(model._predictors):  # noqa: SLF001 - scikit-learn has no public way to its trees
        lay_out(tree.nodes, 0, 0, 0, feature[k], threshold[k], leaf[k])
    return {
        "feature": feature, "threshold": threshold.astype(np.float32), "leaf": leaf.astype(np.float32),
        "base": np.float64(model._baseline_prediction.item()),  # noqa: SLF001 - as above
        "features": np.array(FEATURES),
    }  # fmt: skip


def lay_out(nodes, node: int, place: int, depth: int, feature, threshold, leaf) -> None:
    """Write a tree into a complete one; below an early leaf every comparison leads to its value."""
    if depth == 3:
        leaf[place - NODES] = nodes[node]["value"]
        return
    ends = bool(nodes[node]["is_leaf"])
    if not ends:
        feature[place], threshold[place] = nodes[node]["feature_idx"], nodes[node]["num_threshold"]
    for side, child in ((1, "left"), (2, "right")):
        lay_out(
            nodes,
            node if ends else int(nodes[node][child]),
            2 * place + side,
            depth + 1,
            feature,
            threshold,
            leaf,
        )


def weight_of(run: Run) -> float:
    """How much an example of this run counts."""
    return LOOP_WEIGHT if run.loop >= 0 else PACED_WEIGHT if run.paced[1] else 1.0


def collect(data: Path, runs: list[Run], table: QrsTable | None, pool) -> list[np.ndarray]:
    """Features, labels and weights of the candidates of these runs."""
    own = 1.0 if table is None else OWN_WEIGHT
    seen = list(pool.imap(watch, [(data, run, table) for run in runs], chunksize=4))
    weight = [np.full(len(y), own * weight_of(run)) for run, (_, y) in zip(runs, seen, strict=True)]
    features, labels = np.concatenate([f for f, _ in seen]), np.concatenate([y for _, y in seen])
    print(f"{len(runs)} runs: {len(labels)} candidates, {labels.sum()} beats", flush=True)
    return [features, labels, np.concatenate(weight)]


def train(data: Path, records: list[str], looped: list[Run], pool) -> dict[str, np.ndarray]:
    """Both rounds; the arrays of the second."""
    runs = [run for record in records for run in runs_of(record, first_round=True)]
    first = collect(data, looped + runs, None, pool)
    table = QrsTable.from_arrays(fit(*first))
    runs = [run for record in records for run in runs_of(record, first_round=False)]
    second = collect(data, looped + runs, table, pool)
    return fit(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


CHECKS = {
    "lead 1": {"leads": (0,)},
    "two leads": {"leads": (0, 1)},
    "lead 1, small QRS": {"leads": (0,), "small": NARROW},
    "lead 1, small wide beats": {"leads": (0,), "small": WIDE},
    "lead 1 with pauses": {"leads": (0,), "pauses": True},
    "lead 1, em 6 dB": {"leads": (0,), "noise": ("em", 6.0)},
    "two leads, em 0 dB": {"leads": (0, 1), "noise": ("em", 0.0)},
}


def detect(task: tuple[Path, Run, QrsTable]) -> tuple[int, int, int]:
    """Beats in the reference, missed and extra, of one run."""
    data, run, table = task
    from tests.accuracy.ec57 import pair

    sums = np.zeros(3, dtype=int)
    for shown in show(data, run):
        found = QrsDetector(shown.rate_hz, tuple("ab"[: len(shown.mv)]), table).push(
            shown.mv, np.isfinite(shown.mv)
        )
        pairs = pair(list(shown.beats / shown.rate_hz), sorted(b.sample / shown.rate_hz for b in found), 0.15)
        sums += (len(shown.beats), sum(j is None for _, j in pairs), sum(i is None for i, _ in pairs))
    return tuple(sums)


def check(data: Path, pool, folds: int = 4) -> None:
    """Fit without a quarter of the records and count errors on that quarter, in turn."""
    sums = {kind: np.zeros(3, dtype=int) for kind in (*CHECKS, "ten-second records")}
    patients = sorted({run.record for run in loops(data)}, key=int)
    for fold in range(folds):
        held, away = RECORDS[fold::folds], set(patients[fold::folds])
        near = [run for run in loops(data) if run.record not in away]
        table = QrsTable.from_arrays(train(data, [r for r in RECORDS if r not in held], near, pool))
        runs = [(kind, Run(record, **how)) for kind, how in CHECKS.items() for record in held]
        runs += [("ten-second records", run) for run in loops(data) if run.record in away]
        counts = pool.imap(detect, [(data, run, table) for _, run in runs])
        for (kind, _), counted in zip(runs, counts, strict=True):
            sums[kind] += counted
    for kind, (n, missed, extra) in sums.items():
        se, ppv = 100 * (1 - missed / n), 100 * (1 - extra / (n - missed + extra))
        print(f"{kind}: Se {se:.3f} +P {ppv:.3f} ({missed} FN, {extra} FP of {n})")


def write(arrays: dict[str, np.ndarray], patients: list[str], path: Path) -> None:
    """The table with where it comes from; `digest` is over the numbers."""
    digest = hashlib.sha256(
        b"".join(np.ascontiguousarray(arrays[k]).tobytes() for k in ("feature", "threshold", "leaf", "base"))
    ).hexdigest()
    about = {
        "seed": SEED,
        "database": "MIT-BIH Arrhythmia Database, Lobachevsky University Database, noise of the MIT-BIH Noise Stress Test Database",
        "records": [*RECORDS, *(f"ludb/{record}" for record in patients)],
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
    with multiprocessing.Pool(2) as pool:
        if arguments.check:
            check(arguments.data, pool)
        else:
            looped = loops(arguments.data)
            patients = sorted({run.record for run in looped}, key=int)
            write(train(arguments.data, RECORDS, looped, pool), patients, arguments.out)


if __name__ == "__main__":
    main()
