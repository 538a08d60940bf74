"""Fast hearts made from slow ones: the waves of a record's own beats, set closer together.

LUDB has few hearts above 110 a minute. There P stands on the end of the T before, and a net that has only been shown P
behind a still line does not see it. So what lies between a beat's P on and T off is taken out of its line, its QT and PR
are shortened as a fast heart shortens them, and beats follow each other at the rate that is wanted; where they overlap,
they add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

RATE_HZ = 250.0
NONE, P, QRS, T = 0, 1, 2, 3
AROUND_S = 0.012  # of a beat, on either side: where its line is read
SLOWEST_BPM, FASTEST_BPM = 90.0, 180.0
QT_POWER, PR_POWER = 0.45, 0.25  # of the ratio of RR: QT between Fridericia's 1/3 and Bazett's 1/2
WITHOUT_P = 0.10  # share of the fast hearts in which no beat has one
STEADY, UNSTEADY = 0.03, 0.20  # spread of RR, as its logarithm: of a sinus at most, of fibrillating atria
MERGED = 0.6  # of the way from QRS off to T off: a P begins no earlier, or the heart is not that fast


class Marked(Protocol):
    """Leads (12, n) in mV at 250 Hz; class and weight (12, 2 n) of each sample at 500 Hz."""

    mv: np.ndarray
    target: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Cycle:
    """One beat out of its line, (12, n) at 250 Hz, and where its waves are, in samples of it; no P: p_on = qrs_on."""

    mv: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    p_on: int
    qrs_on: int
    qrs_off: int
    t_off: int
    rr: float  # to the beat before or behind it


def spans(of: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], of, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def cycles(record: Marked) -> list[Cycle]:
    """The beats of a record of which every wave is marked in most leads, and that no other beat overlaps."""
    target, weight = record.target[:, ::2], record.weight[:, ::2]
    n = record.mv.shape[1]
    waves = {
        kind: [s for s in spans((target == kind).sum(axis=0) >= 2) if s[1] - s[0] > 4] for kind in (P, QRS, T)
    }
    around = round(AROUND_S * RATE_HZ)
    found = []
    for k, (on, off) in enumerate(waves[QRS]):
        after = waves[QRS][k + 1][0] if k + 1 < len(waves[QRS]) else n
        before = waves[QRS][k - 1][1] if k else 0
        t = [s for s in waves[T] if off <= s[0] and s[1] <= after and s[0] - off < 0.5 * RATE_HZ]
        p = [s for s in waves[P] if before <= s[0] and s[1] <= on + 2 and on - s[1] < 0.25 * RATE_HZ]
        if not t:
            continue
        t_off, p_on = t[-1][1], p[-1][0] if p else on
        first, stop = p_on - around, t_off + around
        if first < 1 or stop > n - 1 or (weight[:, first:stop] > 0).mean() < 0.7:
            continue
        near = [abs(other[0] - on) for j, other in enumerate(waves[QRS]) if abs(j - k) == 1]
        mv = record.mv[:, first:stop]
        ends = mv[:, :3].mean(axis=1), mv[:, -3:].mean(axis=1)
        line = ends[0][:, None] + (ends[1] - ends[0])[:, None] * np.linspace(0, 1, stop - first)
        found.append(
            Cycle(
                mv - line,
                target[:, first:stop],
                weight[:, first:stop],
                p_on - first,
                on - first,
                off - first,
                t_off - first,
                float(min(near)) if near else RATE_HZ,
            )
        )
    return found


def fast(beats: list[Cycle], n: int, rng, *, fibrillates: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mV, classes and weights (12, n) at 250 Hz of a heart of `beats` at a rate that it did not have.

    One that `fibrillates` has no P and is irregular; its f waves are the caller's.
    """
    mv, target, weight = np.zeros((12, n)), np.zeros((12, n), np.int64), np.ones((12, n), np.float32)
    rr = rng.uniform(60 / FASTEST_BPM, 60 / SLOWEST_BPM) * RATE_HZ
    qt_by, pr_by = np.exp(rng.normal(0, 0.06)), np.exp(rng.normal(0, 0.08))
    spread = UNSTEADY if fibrillates else rng.uniform(0.0, STEADY)
    bare = fibrillates or rng.random() < WITHOUT_P
    at = -rng.uniform(0, 1) * RATE_HZ  # of QRS on
    free = -1.0 * RATE_HZ  # from here on the next P may begin
    k = int(rng.integers(len(beats)))
    while at < n + RATE_HZ:
        beat = beats[k % len(beats)]
        k += 1
        ratio = min(rr / beat.rr, 1.0)
        qt, pr = ratio**QT_POWER * qt_by, ratio**PR_POWER * pr_by
        has_p = beat.p_on < beat.qrs_on and not bare
        begin = pr * (beat.qrs_on - beat.p_on) if has_p else 0.01 * RATE_HZ
        at = max(at, free + begin)
        _set(mv, target, weight, beat, at, pr, qt, has_p=has_p)
        off = at + beat.qrs_off - beat.qrs_on
        free = off + max(MERGED * qt * (beat.t_off - beat.qrs_off), 0.04 * RATE_HZ)
        at += rr * np.exp(rng.normal(0, spread))
    return mv, target, weight


def _set(mv, target, weight, beat: Cycle, at: float, pr: float, qt: float, *, has_p: bool) -> None:
    """Add a beat whose QRS begins at sample `at`, its time before that scaled by `pr`, behind QRS off by `qt`."""
    wide = beat.qrs_off - beat.qrs_on
    size = beat.mv.shape[1]
    first = at - (pr * beat.qrs_on if has_p else 0.0)
    stop = at + wide + qt * (size - 1 - beat.qrs_off)
    new = np.arange(max(int(np.ceil(first)), 0), min(int(stop) + 1, mv.shape[1]))
    if not len(new):
        return
    u = new - at
    old = np.where(u < 0, u / pr, np.where(u < wide, u, wide + (u - wide) / qt)) + beat.qrs_on
    sample = np.clip(np.floor(old).astype(int), 0, size - 1)
    level = beat.mv[:, max(beat.qrs_on - 2, 0) : beat.qrs_on + 1].mean(axis=1, keepdims=True)
    part = np.stack([np.interp(old, np.arange(size), row) for row in beat.mv])
    if not has_p:  # its line begins at QRS on
        part -= level * np.clip(1 - (old - beat.qrs_on) / (size - 1 - beat.qrs_on), 0, 1)
    mv[:, new] += part
    own, here = beat.target[:, sample], target[:, new]
    target[:, new] = np.where((own == NONE) | (here == QRS), here, own)
    weight[:, new] = np.minimum(weight[:, new], beat.weight[:, sample])
