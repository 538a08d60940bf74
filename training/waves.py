"""Fits the net that draws P, QRS and T: daemon/dsp/ecg/tables/waves.npz.

    python training/waves.py DATA [--passes 280] [--seed N] [--out FILE]
    python training/waves.py DATA --over-all ludb_train       the constants of the marks over all leads

Reads DATA/ludb_train: the 80 records whose number ends in 0, 3, 6 or 9 are fitted on; the ten others (18, 38 ... 198) are
left to choose between variants (tests/accuracy shows how). Target of each 250 Hz sample of a lead: none, P, QRS or T. The
layers are those of daemon/dsp/ecg/net.py; batch normalisation is folded into weights and offsets, and these are rounded to
the units that the stream computes in. One core, 6 to 10 minutes. Needs torch 2.13.0 and wfdb (the extra `train`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from fast_hearts import Cycle, cycles, fast  # noqa: E402

SEED = 20261121
FIT = [str(n) for n in range(1, 201) if n % 10 in {0, 3, 6, 9}]
LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
CLASSES = {"p": 1, "N": 2, "t": 3}
RATE_HZ, PIECE, RECORDS, SHOWN = 250.0, 1280, 5, 6
PEAK_RATE, DECAY, RISE, MOMENTUM, EPSILON = 6e-3, 1e-3, 0.15, 0.05, 1e-5
WITHOUT_P = 0.05  # share of the pieces in which there is no P: a straight line, or fibrillation
FAST, FAST_AF = (
    0.18,
    0.25,
)  # share of the pieces that are faster than people at rest; of these, in which atria fibrillate
TABLE = Path(__file__).resolve().parents[1] / "daemon/dsp/ecg/tables/waves.npz"


@dataclass
class Record:
    """Leads (12, n) in mV at 250 Hz; class and weight (12, 2 n) of each sample at 500 Hz."""

    mv: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    cycles: list[Cycle] = field(default_factory=list)


def read(folder: Path, name: str) -> Record:
    import wfdb

    signal = wfdb.rdrecord(str(folder / name))
    if signal.fs != 500 or tuple(s.lower() for s in signal.sig_name) != LEADS:
        raise ValueError(f"{name}: 12 leads at 500 Hz are expected")
    x = signal.p_signal.T
    padded = np.pad(x, ((0, 0), (1, 1)), mode="edge")
    smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    target, weight = np.zeros(x.shape, np.int64), np.zeros(x.shape, np.float32)
    for row, lead in enumerate(LEADS):
        notes = wfdb.rdann(str(folder / name), lead)
        mark(list(notes.sample), list(notes.symbol), target[row], weight[row])
    record = Record(smooth[:, ::2], target, weight)
    record.cycles = cycles(record)
    return record


def mark(at: list[int], symbols: list[str], target: np.ndarray, weight: np.ndarray) -> None:
    """Classes and weights of one lead: weight 0 outside of the marks and around a wave with a bracket missing."""
    if not at:
        return
    weight[at[0] : at[-1]] = 1.0
    for k, symbol in enumerate(symbols):
        if symbol not in CLASSES:
            continue
        opened = k > 0 and symbols[k - 1] == "("
        closed = k + 1 < len(symbols) and symbols[k + 1] == ")"
        before, after = at[max(k - 1, 0)], at[min(k + 1, len(at) - 1)]
        target[before if opened else at[k] : after if closed else at[k]] = CLASSES[symbol]
        if not opened:
            weight[before : at[k]] = 0.0
        if not closed:
            weight[at[k] : after + 1] = 0.0


class Layer(nn.Module):
    """Convolution, batch normalisation, max(0, .); `past` = zeros on the left only."""

    def __init__(
        self, inputs: int, outputs: int, taps: int, *, stride: int = 1, dilation: int = 1, past: bool = False
    ):
        super().__init__()
        reach = (taps - 1) * dilation
        self.pad = (reach, 0) if past else (reach // 2, reach // 2)
        self.conv = nn.Conv1d(inputs, outputs, taps, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(outputs, eps=EPSILON, momentum=MOMENTUM)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(nn.functional.pad(x, self.pad))))

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights (taps, inputs, outputs) and offsets (outputs,)."""
        n = self.norm
        scale = n.weight / torch.sqrt(n.running_var + n.eps)
        w = self.conv.weight * scale[:, None, None]
        return w.detach().permute(2, 1, 0).numpy(), (n.bias - n.running_mean * scale).detach().numpy()


class Net(nn.Module):
    """The layers by the names of daemon/dsp/ecg/net.py."""

    def __init__(self):
        super().__init__()
        self.e0 = Layer(1, 8, 9)
        self.e1 = Layer(8, 12, 5, stride=2)
        self.e2 = Layer(12, 16, 5, stride=2)
        self.e3 = Layer(16, 18, 5, stride=2)
        self.e4 = Layer(18, 20, 5, stride=2)
        self.b1 = Layer(40, 20, 3)
        self.b2 = Layer(20, 20, 5)
        self.b3 = Layer(20, 20, 5, dilation=4, past=True)
        self.b4 = Layer(20, 20, 3, dilation=20, past=True)
        self.d3 = Layer(38, 18, 3)
        self.d2 = Layer(50, 16, 3)
        self.d1 = Layer(28, 12, 5)
        self.d0 = Layer(20, 8, 5)
        self.h = nn.Conv1d(8, 4, 1)

    def forward(self, z, share):
        """Logits (pieces, leads, 4, n) of z (pieces, leads, n); `share` (pieces, leads, leads) says what each lead's mean takes."""
        pieces, leads, n = z.shape

        def mean(x):
            return torch.einsum("pab,pbct->pact", share, x.view(pieces, leads, *x.shape[1:])).reshape(x.shape)

        def twice(x):
            return x.repeat_interleave(2, dim=2)

        e0 = self.e0(z.reshape(pieces * leads, 1, n))
        e1 = self.e1(e0)
        e2 = self.e2(e1)
        e3 = self.e3(e2)
        e4 = self.e4(e3)
        b = self.b1(torch.cat([e4, mean(e4)], dim=1))
        for layer in (self.b2, self.b3, self.b4):
            b = b + layer(b)
        d3 = self.d3(torch.cat([twice(b), e3], dim=1))
        d2 = self.d2(torch.cat([twice(d3), e2, mean(e2)], dim=1))
        d1 = self.d1(torch.cat([twice(d2), e1], dim=1))
        d0 = self.d0(torch.cat([twice(d1), e0], dim=1))
        return self.h(d0).view(pieces, leads, 4, n)

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights and offsets as the stream takes them."""
        out: dict[str, np.ndarray] = {}
        for name, layer in self.named_children():
            if isinstance(layer, Layer):
                weight, offset = layer.folded()
            else:
                weight = layer.weight.detach().permute(2, 1, 0).numpy()
                offset = layer.bias.detach().numpy()
            out[f"{name}.weight"], out[f"{name}.offset"] = (
                weight.astype(np.float32),
                offset.astype(np.float32),
            )
        return out


def high_pass(n: int) -> np.ndarray:
    """(n, n): row vectors times this are less their first-order mean of 0.4 Hz, which starts at the first sample."""
    a = 1 - np.exp(-2 * np.pi * 0.4 / RATE_HZ)
    k = np.arange(n)
    low = np.where(k[None, :] >= k[:, None], a * (1 - a) ** np.maximum(k[None, :] - k[:, None], 0), 0.0)
    low[0] += (1 - a) ** (k + 1)
    return np.eye(n) - low


def without_p(record: Record, *, fibrillates: bool, rng) -> Record:
    """The record with a straight line in place of every P, in all leads; if it `fibrillates`, f waves over all of it."""
    mv, target = record.mv.copy(), record.target.copy()
    n = mv.shape[1]
    hidden = np.convolve((target == CLASSES["p"])[:, ::2].any(axis=0), np.ones(17), mode="same") > 0.5
    hidden &= ~((target[:, ::2] == CLASSES["N"]) | (target[:, ::2] == CLASSES["t"])).any(axis=0)
    k = np.arange(n)
    for row in mv:
        row[hidden] = np.interp(k[hidden], k[~hidden], row[~hidden])
    target[target == CLASSES["p"]] = 0
    if fibrillates:
        mv += f_waves(n, rng)
    return Record(mv, target, record.weight)


def f_waves(n: int, rng) -> np.ndarray:
    """Fibrillating atria, (12, n) mV: one wandering tone of 4 to 9 Hz with two harmonics, of another size in each lead."""
    t = np.arange(n) / RATE_HZ
    rate = rng.uniform(4, 9) + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.1, 0.5) * t + rng.random()))
    phase = 2 * np.pi * np.cumsum(rate) / RATE_HZ + rng.uniform(-0.4, 0.4, (12, 1))
    wave = np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.15 * np.sin(3 * phase)
    size = rng.exponential(0.050, (12, 1)) * rng.choice([-1.0, 1.0], (12, 1))
    return size * (1 + 0.4 * np.sin(2 * np.pi * (0.4 * t + rng.random()))) * wave


def piece_of(record: Record, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mV, classes and weights (SHOWN, PIECE) of a piece, changed at random as people, electrodes and rooms change them."""
    leads = rng.permutation(12)[:SHOWN]
    stretch = np.exp(rng.uniform(-0.25, 0.25))
    if record.cycles and rng.random() < FAST:
        stretch = np.exp(rng.uniform(-0.1, 0.1))
        fibrillates = rng.random() < FAST_AF
        mv, target, weight = fast(record.cycles, int(PIECE * 1.25), rng, fibrillates=fibrillates)
        if fibrillates:
            mv += f_waves(mv.shape[1], rng)
        record = Record(mv, target.repeat(2, axis=1), weight.repeat(2, axis=1))
    elif rng.random() < WITHOUT_P:
        record = without_p(record, fibrillates=rng.random() < 0.5, rng=rng)
    n = record.mv.shape[1]
    start = rng.uniform(0, max(n - 1 - PIECE * stretch, 0))
    at = start + np.arange(PIECE) * stretch
    inside = at <= n - 1
    x = np.stack([np.interp(at, np.arange(n), record.mv[lead]) for lead in leads])
    fine = np.minimum(np.floor(2 * at).astype(int), 2 * n - 1)
    target, weight = record.target[leads][:, fine], record.weight[leads][:, fine] * inside
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.25, (SHOWN, 1)))
    gain *= np.where(rng.random((SHOWN, 1)) < 0.1, -1.0, 1.0)
    x = (x - x.mean(axis=1, keepdims=True)) * gain
    t = np.arange(PIECE) / RATE_HZ

    def tone(f):
        return np.sin(2 * np.pi * (f * t + rng.random((SHOWN, 1))))

    for _ in range(2):
        if rng.random() < 0.6:
            x += rng.exponential(0.080, (SHOWN, 1)) * tone(rng.uniform(0.1, 0.6))
    if rng.random() < 0.5:
        x += rng.normal(0, 1, x.shape) * rng.exponential(0.012, (SHOWN, 1))
    if rng.random() < 0.15:
        x += rng.exponential(0.030, (SHOWN, 1)) * tone(rng.choice([50.0, 60.0]))
    return x, target, weight


def sharing(rng) -> np.ndarray:
    """What the mean of each lead takes (SHOWN, SHOWN): itself, or the same random set of leads."""
    if rng.random() < 0.5:
        return np.eye(SHOWN)
    chosen = rng.permutation(SHOWN)[: rng.integers(2, SHOWN + 1)]
    row = np.zeros(SHOWN)
    row[chosen] = 1 / len(chosen)
    return np.tile(row, (SHOWN, 1))


def fit(records: list[Record], passes: int, seed: int) -> dict[str, np.ndarray]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Net()
    steps = passes * len(records) // RECORDS
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=RISE)
    filtered = high_pass(PIECE)
    order: list[int] = []
    begun, running = time.monotonic(), 0.0
    for step in range(steps):
        if len(order) < RECORDS:
            order = rng.permutation(len(records)).tolist()
        pieces = [piece_of(records[order.pop()], rng) for _ in range(RECORDS)]
        x, target, weight = (np.stack(part) for part in zip(*pieces, strict=True))
        z = np.arcsinh((x @ filtered) / 0.1) / 2
        share = torch.from_numpy(np.stack([sharing(rng) for _ in range(RECORDS)])).float()
        logits = net(torch.from_numpy(z).float(), share)
        loss = nn.functional.cross_entropy(
            logits.permute(0, 1, 3, 2).reshape(-1, 4), torch.from_numpy(target).reshape(-1), reduction="none"
        )
        w = torch.from_numpy(weight).float().reshape(-1)
        loss = (loss * w).sum() / w.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running += 0.01 * (loss.item() - running)
        if step % 200 == 0:
            print(f"step {step} of {steps}: loss {running:.4f}, {time.monotonic() - begun:.0f} s", flush=True)
    return net.eval().arrays()


def write(arrays: dict[str, np.ndarray], out: Path, seed: int, passes: int) -> None:
    """The table with what it was made of; the digest is of weights and offsets, in the order of their names."""
    digest = hashlib.sha256(b"".join(arrays[k].tobytes() for k in sorted(arrays))).hexdigest()
    made = {
        "script": "training/waves.py",
        "data": "ludb_train",
        "records": FIT,
        "seed": seed,
        "passes": passes,
    }
    np.savez_compressed(out, **arrays, made=np.array(json.dumps(made | {"sha256": digest})))
    print(f"{out}: {out.stat().st_size} bytes, sha256 {digest}")


def over_all(data: Path, folder: str) -> None:
    """Print how far the marks over all leads are from the same rule on the reference, ms: what MOVE_S of vote.py makes good."""
    from daemon.dsp.ecg.vote import AGREE_S, MOVE_S, second_extreme

    off = {name: [] for name in MOVE_S}
    for header in sorted((data / folder).glob("*.hea")):
        for own, reference in beats_of(header.with_suffix("")):
            for name, errors in off.items():
                agree = AGREE_S[name.split("_")[0]]
                places = [
                    [marks[name] for marks in side.values() if name in marks] for side in (own, reference)
                ]
                if min(map(len, places)) >= 8:
                    mine, theirs = (second_extreme(name, side, agree) for side in places)
                    errors.append(1000 * (mine - theirs))
    for name, errors in off.items():
        print(f"{name}: {np.mean(errors):+.1f} ms, SD {np.std(errors):.1f}, {len(errors)} beats")


def beats_of(path: Path):
    """Of every marked beat of a record: our marks and the reference's, by lead and name, in s."""
    import wfdb

    from daemon.dsp.ecg.delineate import Delineator
    from daemon.dsp.ecg.marks import FIDUCIALS
    from daemon.dsp.ecg.tables import load_waves_table

    signal = wfdb.rdrecord(str(path))
    x = signal.p_signal.T.astype(np.float32)
    reference: dict[int, dict[str, dict[str, float]]] = {}
    for lead in LEADS:
        notes = wfdb.rdann(str(path), lead)
        at, symbols = list(notes.sample), list(notes.symbol)
        peaks = [k for k, symbol in enumerate(symbols) if symbol == "N"]
        for k in peaks:
            beat = next((b for b in reference if abs(b - at[k]) < 50), int(at[k]))
            reference.setdefault(beat, {})[lead] = around(at, symbols, k, signal.fs)
    delineator = Delineator(signal.fs, LEADS, load_waves_table())
    for beat in sorted(reference):
        delineator.beat(beat, beat)
    for beat in delineator.push(x, np.isfinite(x)) + delineator.finish():
        own = {
            lead: {
                k: at / signal.fs
                for k in FIDUCIALS
                if (at := getattr(m, k)) is not None and not m.p_taken_over
            }
            for lead, m in beat.marks.items()
            if lead in LEADS
        }
        yield own, reference[beat.sample]


def around(at: list[int], symbols: list[str], qrs: int, rate_hz: float) -> dict[str, float]:
    """Begins and ends of the waves of the beat whose QRS peak is note `qrs`."""
    marks: dict[str, float] = {}
    for step, wave in ((0, "qrs"), (-3, "p"), (3, "t")):
        k = qrs + step
        if not 0 < k < len(at) - 1 or symbols[k] != {"qrs": "N", "p": "p", "t": "t"}[wave]:
            continue
        if symbols[k - 1] == "(":
            marks[f"{wave}_on"] = at[k - 1] / rate_hz
        if symbols[k + 1] == ")":
            marks[f"{wave}_off"] = at[k + 1] / rate_hz
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--passes", type=int, default=280)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument(
        "--over-all", metavar="FOLDER", help="measure the shipped table on a folder instead of fitting"
    )
    args = parser.parse_args()
    if args.over_all:
        over_all(args.data, args.over_all)
        return
    torch.set_num_threads(1)
    records = [read(args.data / "ludb_train", name) for name in FIT]
    write(fit(records, args.passes, args.seed), args.out, args.seed, args.passes)


if __name__ == "__main__":
    main()
