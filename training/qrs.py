"""Fits the table of trees that the QRS detector decides by: daemon/dsp/ecg/tables/qrs.npz.

    python training/qrs.py DATA              fit on DATA/mitdb_train, write the table
    python training/qrs.py DATA --check      leave records out instead: what settings are chosen by

The detector itself measures the candidates, so that a fit sees what a bed sees. Round 1 lets the reference say which of them
are beats; in the later rounds the detector follows its own last fit, and learns from the states its errors bring it into.
Each record goes in as lead 1, as lead 2 and as both, clean and with recorded noise added; cut in short pieces, because a start
is rare in half an hour; faster and slower than hearts of that database beat; and with pauses in which it goes on at a tenth of its size or less, as atria do; and as mixtures of its two leads, for shapes
that two electrodes do not give. Needs scikit-learn and wfdb (the extra `train`).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daemon.dsp.ecg.decide import FEATURES
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.trees import LEAVES, NODES, QrsTable

SEED = 20261121
RECORDS = [
    "101", "102", "106", "107", "109", "112", "114", "118", "122", "124", "213", "215", "217", "220", "230", "234",
]  # fmt: skip
BEATS = set("NLRBAaJSVrFejnE/fQ?")
TREES, RATE, LEAF_MIN, L2, BINS = 160, 0.12, 40, 5.0, 128
ROUNDS = 2
OWN_WEIGHT = 1.5  # of an example met while the detector followed its own decisions
NEAR_S = 0.140
PIECE_S, PIECES = 12.0, 12
NOISES = (("em", 0.0), ("em", 6.0), ("ma", 3.0), ("em", 12.0))
MIXES = (35.0, 65.0, 115.0, 145.0)  # degrees between lead 1 and lead 2 in units of their own beats
FAST_RR_S, SLOW_RR_S = (0.26, 0.45), (1.4, 2.8)
PACED_S = 600.0  # of a record, at its own rate
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/qrs.npz"


@dataclass(frozen=True)
class Run:
    """One way of showing a record to the detector."""

    record: str
    leads: tuple[int, ...]
    noise: tuple[str, float] | None = None
    pieces: bool = False
    pauses: bool = False
    mixed: tuple[float, ...] = ()
    paced: tuple[float, float] = (0.0, 0.0)  # RR from .. to, s


def runs_of(record: str) -> list[Run]:
    """Clean, started over and over, with pauses, in noise, and as other electrodes might see it; both leads, and each alone."""
    which = RECORDS.index(record)
    plain = [Run(record, leads) for leads in ((0,), (1,), (0, 1))]
    pieces = [Run(record, leads, pieces=True) for leads in ((0,), (0, 1))]
    pauses = [Run(record, leads, pauses=True) for leads in ((0,), (0, 1))]
    noisy = [
        Run(record, leads, NOISES[(which + k) % len(NOISES)])
        for k, leads in enumerate(((0,), (1,), (0, 1), (0, 1)))
    ]
    mixed = [Run(record, (0, 1), mixed=degrees) for degrees in (*((d,) for d in MIXES), (MIXES[0], MIXES[2]))]
    paced = [Run(record, leads, paced=rr) for leads in ((0,), (0, 1)) for rr in (FAST_RR_S, SLOW_RR_S)]
    return plain + pieces + pauses + noisy + mixed + paced


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


def read(data: Path, record: str) -> tuple[np.ndarray, float, np.ndarray]:
    """Signals (leads, n) in mV, rate in Hz, sample numbers of the beats."""
    import wfdb

    signal = wfdb.rdrecord(str(data / "mitdb_train" / record))
    notes = wfdb.rdann(str(data / "mitdb_train" / record), "atr")
    beats = np.array([s for s, symbol in zip(notes.sample, notes.symbol, strict=True) if symbol in BEATS])
    return signal.p_signal.T.astype(np.float32), float(signal.fs), beats


def add_noise(
    data: Path, x: np.ndarray, beats: np.ndarray, rate: float, kind: str, snr_db: float, rng
) -> np.ndarray:
    """Recorded noise on, from 60 s, for two minutes of every four; its level against the beats' as `nst` of WFDB has it."""
    import wfdb

    noise = wfdb.rdrecord(str(data / "nstdb" / f"{kind}_300s")).p_signal.T
    noise = noise - noise.mean(axis=1, keepdims=True)
    n = x.shape[1]
    t = np.arange(n) / rate
    on = ((t - 60) % 240 < 120) & (t >= 60)
    out = x.copy()
    for lead in range(len(x)):
        spans = [np.ptp(x[lead, b - 18 : b + 18]) for b in beats if 18 <= b < n - 18]
        power = np.median(spans) ** 2 / 8
        gain = np.sqrt(power / (noise[lead % 2].var() * 10 ** (snr_db / 10)))
        shift = int(rng.integers(noise.shape[1]))
        out[lead] += np.where(
            on, gain * np.take(noise[lead % 2], np.arange(shift, shift + n), mode="wrap"), 0
        ).astype(np.float32)
    return out


def mix(x: np.ndarray, beats: np.ndarray, degrees: tuple[float, ...]) -> np.ndarray:
    """Leads between two leads (2, n): (len(degrees), n)."""
    size = [
        np.median([np.ptp(lead[b - 18 : b + 18]) for b in beats if 18 <= b < len(lead) - 18]) for lead in x
    ]
    angle = np.radians(degrees)[:, None]
    return (np.cos(angle) * x[0] + np.sin(angle) * x[1] * size[0] / size[1]).astype(np.float32)


def add_pauses(x: np.ndarray, beats: np.ndarray, rate: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of 3 to 9 s, one in every minute, where everything is small and no beat counts; (signals, beats left)."""
    out, keep = x.copy(), np.ones(len(beats), dtype=bool)
    n, ramp = x.shape[1], round(0.1 * rate)
    for minute in range(1, int(n / rate / 60)):
        first = int(
            beats[min(np.searchsorted(beats, (minute + rng.random() * 0.5) * 60 * rate), len(beats) - 1)]
            + 0.42 * rate
        )
        later = beats[beats > first + rng.uniform(3, 9) * rate]
        if not len(later):
            continue
        stop = int(later[0] - 0.25 * rate)
        hidden = (beats > first - ramp) & (beats < stop + ramp)
        gain = np.interp(np.arange(stop - first), [0, ramp, stop - first - ramp, stop - first], [1, 0, 0, 1])
        gain = gain + (1 - gain) * rng.uniform(0.02, 0.12)
        for lead in range(len(x)):
            base = np.median(x[lead, first:stop])
            small = (
                base + gain * (x[lead, first:stop] - base) + (1 - gain) * rng.normal(0, 0.006, stop - first)
            )
            out[lead, first:stop] = small.astype(np.float32)
        keep &= ~hidden
    return out, beats[keep]


def pace(
    x: np.ndarray, beats: np.ndarray, rate: float, rr_s: tuple[float, float], rng
) -> tuple[np.ndarray, np.ndarray]:
    """The same beats at other intervals, drawn anew every 20 beats; what lies round a beat keeps its length, the rest is stretched."""
    fast = rr_s[1] < 1.0
    before, after = (
        (round(0.06 * rate), round(0.10 * rate)) if fast else (round(0.18 * rate), round(0.30 * rate))
    )
    pieces, marks, length = [], [], 0
    wanted = rr_s[0]
    for k, (beat, following) in enumerate(itertools.pairwise(beats[beats < PACED_S * rate])):
        if k % 20 == 0:
            wanted = rng.uniform(*rr_s)
        if beat < before or following - beat <= before + after:
            continue
        kept = x[:, beat - before : beat + after]
        rest = x[:, beat + after : following - before]
        n = max(round(wanted * rng.uniform(0.97, 1.03) * rate) - kept.shape[1], 2)
        at = np.linspace(0, rest.shape[1] - 1, n)
        stretched = np.stack([np.interp(at, np.arange(rest.shape[1]), lead) for lead in rest])
        marks.append(length + before)
        pieces += [kept, stretched.astype(np.float32)]
        length += kept.shape[1] + n
    return (np.concatenate(pieces, axis=1), np.array(marks)) if pieces else (x, beats)


def watch(task: tuple[Path, Run, QrsTable | None]) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the candidates of one run."""
    data, run, table = task
    x, rate, beats = read(data, run.record)
    seed = [
        SEED,
        RECORDS.index(run.record),
        *run.leads,
        int(run.pieces),
        int(run.pauses),
        len(run.mixed),
        round(10 * run.paced[1]),
    ]
    rng = np.random.default_rng(seed)
    if run.noise:
        x = add_noise(data, x, beats, rate, *run.noise, rng)
    if run.pauses:
        x, beats = add_pauses(x, beats, rate, rng)
    if run.paced[1]:
        x, beats = pace(x, beats, rate, run.paced, rng)
    x = x[list(run.leads)]
    if run.mixed:
        x = mix(x, beats, run.mixed)
    spans = [(0, x.shape[1])]
    if run.pieces:
        length = round(PIECE_S * rate)
        spans = [(int(s), int(s) + length) for s in rng.integers(0, x.shape[1] - length, PIECES)]
    features, labels = [], []
    for first, stop in spans:
        inside = beats[(beats >= first) & (beats < stop)] - first
        if not len(inside):
            continue
        student = Student(rate, tuple("ab"[: len(x)]), table, inside)
        piece = x[:, first:stop]
        student.push(piece, np.isfinite(piece))
        features += student.seen
        labels += student.labels
    return np.array(features, dtype=np.float32), np.array(labels)


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


def train(data: Path, records: list[str], pool) -> dict[str, np.ndarray]:
    """All rounds; the arrays of the last."""
    runs = [run for record in records for run in runs_of(record)]
    features, labels, weight, table, arrays = [], [], [], None, {}
    for turn in range(ROUNDS):
        for f, y in pool.imap(watch, [(data, run, table) for run in runs]):
            features.append(f)
            labels.append(y)
            weight.append(np.full(len(y), OWN_WEIGHT if turn else 1.0))
        arrays = fit(np.concatenate(features), np.concatenate(labels), np.concatenate(weight))
        table = QrsTable.from_arrays(arrays)
        print(
            f"round {turn + 1}: {sum(map(len, labels))} candidates, {sum(y.sum() for y in labels)} beats",
            flush=True,
        )
    return arrays


def detect(task: tuple[Path, Run, QrsTable]) -> tuple[Run, int, int, int]:
    """Beats in the reference, missed and extra, of one run."""
    data, run, table = task
    from tests.accuracy.ec57 import pair

    x, rate, beats = read(data, run.record)
    if run.noise:
        x = add_noise(data, x, beats, rate, *run.noise, np.random.default_rng([SEED, 1]))
    if run.pauses:
        x, beats = add_pauses(x, beats, rate, np.random.default_rng([SEED, 2]))
    x = x[list(run.leads)]
    found = QrsDetector(rate, tuple("ab"[: len(x)]), table).push(x, np.isfinite(x))
    pairs = pair(list(beats / rate), sorted(b.sample / rate for b in found), 0.15)
    return run, len(beats), sum(j is None for _, j in pairs), sum(i is None for i, _ in pairs)


def check(data: Path, pool, folds: int = 4) -> None:
    """Fit without a quarter of the records and count errors on that quarter, in turn."""
    kinds = {
        "lead 1": ((0,), None),
        "two leads": ((0, 1), None),
        "two leads, em 0 dB": ((0, 1), ("em", 0.0)),
        "lead 1, em 6 dB": ((0,), ("em", 6.0)),
    }
    sums = {kind: np.zeros(3, dtype=int) for kind in kinds}
    for fold in range(folds):
        held = RECORDS[fold::folds]
        table = QrsTable.from_arrays(train(data, [r for r in RECORDS if r not in held], pool))
        for kind, (leads, noise) in kinds.items():
            for run, n, missed, extra in pool.imap(
                detect, [(data, Run(r, leads, noise), table) for r in held]
            ):
                sums[kind] += (n, missed, extra)
                print(f"  {run.record} {kind}: {missed} missed, {extra} extra of {n}", flush=True)
    for kind, (n, missed, extra) in sums.items():
        print(
            f"{kind}: Se {100 * (1 - missed / n):.3f} +P {100 * (1 - extra / (n - missed + extra)):.3f} ({missed} FN, {extra} FP of {n})"
        )


def write(arrays: dict[str, np.ndarray], path: Path) -> None:
    """The table with where it comes from; `digest` is over the numbers."""
    digest = hashlib.sha256(
        b"".join(np.ascontiguousarray(arrays[k]).tobytes() for k in ("feature", "threshold", "leaf", "base"))
    ).hexdigest()
    about = {
        "seed": SEED,
        "database": "MIT-BIH Arrhythmia Database, noise of the MIT-BIH Noise Stress Test Database",
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
    with multiprocessing.Pool(2) as pool:
        if arguments.check:
            check(arguments.data, pool)
        else:
            write(train(arguments.data, RECORDS, pool), arguments.out)


if __name__ == "__main__":
    main()
