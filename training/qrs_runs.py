"""How records are shown to the QRS detector in a fit (training/qrs.py): as they are, and changed in ways that hearts and electrodes change them.

Half-hour records with every beat named (`mitdb_train`) show rare beats; ten-second records of 90 more patients (`ludb_train`),
whose P, QRS and T are marked in twelve leads, show many shapes: a stretch of whole beats of them goes round and round.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

SEED = 20261121
RECORDS = [
    "101", "102", "106", "107", "109", "112", "114", "118", "122", "124", "213", "215", "217", "220", "230", "234",
]  # fmt: skip
BEATS = set("NLRBAaJSVrFejnE/fQ?")
NARROW, WIDE = frozenset("NAaSJej"), frozenset("VEF")
PIECE_S, PIECES = 12.0, 12
PART_S = 540.0  # of a record, where it is changed
NOISES = (("em", 0.0), ("em", 6.0), ("ma", 3.0), ("em", 12.0))
MIXES = (35.0, 65.0, 115.0, 145.0)  # degrees between lead 1 and lead 2 in units of their own beats
FAST_RR_S, SLOW_RR_S = (0.195, 0.45), (1.4, 3.2)
FAST_PART_S, SLOW_PART_S = 420.0, 180.0
SMALL_EVERY_S, SMALL = 150.0, {  # kinds of beats: by what to multiply, half of the window and its ramps, s
    NARROW: ((0.2, 0.7), 0.060, 0.025),
    WIDE: ((0.25, 0.9), 0.150, 0.060),
}  # fmt: skip
LOOPS, LOOP_S = 8, 30.0  # showings of a ten-second record, and how long each is
P_GAINS, T_GAINS, QRS_GAINS = (1.0, 1.0, 2.0, 4.0), (0.6, 1.0, 1.6), (1.0, 1.0, 0.5, 0.3)
P_MOST, T_MOST = 0.7, 1.3  # of the QRS, peak to peak


@dataclass(frozen=True)
class Run:
    """One way of showing a record to the detector."""

    record: str
    leads: tuple[int, ...] = ()
    noise: tuple[str, float] | None = None
    pieces: bool = False
    pauses: bool = False
    small: frozenset[str] = frozenset()  # kinds of beats
    mixed: tuple[float, ...] = ()
    paced: tuple[float, float] = (0.0, 0.0)  # RR from .. to, s
    loop: int = -1  # of a ten-second record: which showing


@dataclass(frozen=True)
class Shown:
    """Signals (leads, n) in mV, rate in Hz, sample numbers of the beats and their kinds."""

    mv: Floats
    rate_hz: float
    beats: Places
    kinds: npt.NDArray[np.str_]

    def part(self, first: int, stop: int) -> Shown:
        inside = (self.beats >= first) & (self.beats < stop)
        return Shown(self.mv[:, first:stop], self.rate_hz, self.beats[inside] - first, self.kinds[inside])


def runs_of(record: str, *, first_round: bool) -> list[Run]:
    """The showings of a record: in the first round, which the reference drives, only a part of them."""
    which = RECORDS.index(record)
    plain = [Run(record, leads) for leads in ((0,), (0, 1))]
    noisy = [
        Run(record, leads, NOISES[(which + k) % len(NOISES)])
        for k, leads in enumerate(((0,), (1,), (0, 1), (0,), (1,), (0, 1)))
    ]
    small = [Run(record, leads, small=NARROW) for leads in ((0,), (1,), (0, 1))]
    weak = [Run(record, leads, small=WIDE) for leads in ((0,), (0, 1))]
    if first_round:
        return [plain[0], noisy[0], noisy[2], small[0]]
    plain += [Run(record, (1,))]
    pieces = [Run(record, leads, pieces=True) for leads in ((0,), (0, 1))]
    pauses = [Run(record, leads, pauses=True) for leads in ((0,), (0, 1))]
    mixed = [Run(record, (0, 1), mixed=degrees) for degrees in (*((d,) for d in MIXES), (MIXES[0], MIXES[2]))]
    paced = [Run(record, leads, paced=rr) for leads in ((0,), (0, 1)) for rr in (FAST_RR_S, SLOW_RR_S)]
    return plain + noisy + small + weak + pieces + pauses + mixed + paced


def loops(data: Path) -> list[Run]:
    """The showings of all ten-second records."""
    records = sorted((path.stem for path in (data / "ludb_train").glob("*.hea")), key=int)
    return [Run(record, loop=k) for record in records for k in range(LOOPS)]


def show(data: Path, run: Run) -> list[Shown]:
    """What the detector is shown in one run, each from a start; the same on every call."""
    if run.loop >= 0:
        looped = loop(data, run.record, run.loop)
        return [looped] if looped else []
    shown = read(data, run.record)
    rate, n = shown.rate_hz, shown.mv.shape[1]
    rng = np.random.default_rng(
        [SEED, RECORDS.index(run.record), *run.leads, run.pieces, run.pauses, len(run.small), len(run.mixed),
         round(10 * run.paced[1]), round(run.noise[1]) if run.noise else 99]
    )  # fmt: skip
    if run.noise or run.pauses or run.small or run.mixed:
        first = int(rng.integers(n - round(PART_S * rate)))
        shown = shown.part(first, first + round(PART_S * rate))
    if run.noise:
        shown = add_noise(data, shown, *run.noise, rng)
    if run.pauses:
        shown = add_pauses(shown, rng)
    if run.small:
        shown = shrink(shown, run.small, rng)
    if run.paced[1]:
        shown = pace(shown, run.paced, rng)
    if run.mixed:
        return [replace(shown, mv=mix(shown, run.mixed))]
    if run.small and not run.small & set(shown.kinds):
        return []
    shown = replace(shown, mv=shown.mv[list(run.leads)])
    if not run.pieces:
        return [shown]
    length = round(PIECE_S * rate)
    pieces = [shown.part(int(s), int(s) + length) for s in rng.integers(0, n - length, PIECES)]
    return [piece for piece in pieces if len(piece.beats)]


def read(data: Path, record: str) -> Shown:
    """A record of `mitdb_train`."""
    import wfdb

    signal = wfdb.rdrecord(str(data / "mitdb_train" / record))
    notes = wfdb.rdann(str(data / "mitdb_train" / record), "atr")
    beats = [(s, kind) for s, kind in zip(notes.sample, notes.symbol, strict=True) if kind in BEATS]
    return Shown(
        signal.p_signal.T.astype(np.float32),
        float(signal.fs),
        np.array([s for s, _ in beats], dtype=np.int64),
        np.array([kind for _, kind in beats]),
    )


def heights(shown: Shown) -> list[float]:
    """Median peak to peak of the beats within 50 ms, by lead."""
    half, n = round(0.05 * shown.rate_hz), shown.mv.shape[1]
    inside = [b for b in shown.beats if half <= b < n - half]
    return [float(np.median([np.ptp(lead[b - half : b + half]) for b in inside])) for lead in shown.mv]


def add_noise(
    data: Path, shown: Shown, kind: str, snr_db: float, rng, first_s: float = 60.0, on_s: float = 120.0
) -> Shown:
    """Recorded noise on, from `first_s`, for two minutes of every four; its level against the beats' as `nst` of WFDB has it."""
    import wfdb

    recorded = wfdb.rdrecord(str(data / "nstdb" / f"{kind}_300s"))
    noise = recorded.p_signal.T - recorded.p_signal.mean(axis=0)[:, None]
    n, rate = shown.mv.shape[1], shown.rate_hz
    t = np.arange(n) / rate
    on = ((t - first_s) % (2 * on_s) < on_s) & (t >= first_s)
    out = shown.mv.copy()
    for lead, height in enumerate(heights(shown)):
        own = noise[lead % 2]
        gain = np.sqrt(height**2 / 8 / (own.var() * 10 ** (snr_db / 10)))
        shift = int(rng.integers(len(own)))
        at = (shift + t * recorded.fs) % (len(own) - 1)
        out[lead] += np.where(on, gain * np.interp(at, np.arange(len(own)), own), 0).astype(np.float32)
    return replace(shown, mv=out)


def mix(shown: Shown, degrees: tuple[float, ...]) -> Floats:
    """Leads between the two leads: (len(degrees), n)."""
    size = heights(shown)
    angle = np.radians(degrees)[:, None]
    mixed = np.cos(angle) * shown.mv[0] + np.sin(angle) * shown.mv[1] * size[0] / size[1]
    return mixed.astype(np.float32)


def add_pauses(shown: Shown, rng) -> Shown:
    """Stretches of 3 to 9 s, one in every minute, where everything is small and no beat counts."""
    beats, rate = shown.beats, shown.rate_hz
    out, keep = shown.mv.copy(), np.ones(len(beats), dtype=bool)
    ramp = round(0.1 * rate)
    for minute in range(1, int(out.shape[1] / rate / 60)):
        begun = np.searchsorted(beats, (minute + rng.random() * 0.5) * 60 * rate)
        first = int(beats[min(begun, len(beats) - 1)] + 0.42 * rate)
        later = beats[beats > first + rng.uniform(3, 9) * rate]
        if not len(later):
            continue
        stop = int(later[0] - 0.25 * rate)
        gain = np.interp(np.arange(stop - first), [0, ramp, stop - first - ramp, stop - first], [1, 0, 0, 1])
        gain = gain + (1 - gain) * rng.uniform(0.02, 0.12)
        for lead in out:
            base = np.median(lead[first:stop])
            hum = (1 - gain) * rng.normal(0, 0.006, stop - first)
            lead[first:stop] = (base + gain * (lead[first:stop] - base) + hum).astype(np.float32)
        keep &= ~((beats > first - ramp) & (beats < stop + ramp))
    return replace(shown, mv=out, beats=beats[keep], kinds=shown.kinds[keep])


def shrink(shown: Shown, kinds: frozenset[str], rng) -> Shown:
    """Smaller beats of these kinds, by another factor every SMALL_EVERY_S: what is left of the ECG stands out, as it does in some leads."""
    out, rate = shown.mv.copy(), shown.rate_hz
    gains, window_s, ramp_s = SMALL[kinds]
    half, ramp = round(window_s * rate), round(ramp_s * rate)
    taper = np.interp(np.arange(-half, half + 1), [-half, -half + ramp, half - ramp, half], [0, 1, 1, 0])
    drawn = np.exp(rng.uniform(*np.log(gains), int(out.shape[1] / rate / SMALL_EVERY_S) + 1))
    for beat, kind in zip(shown.beats, shown.kinds, strict=True):
        if kind in kinds and half <= beat < out.shape[1] - half:
            gain = drawn[int(beat / rate / SMALL_EVERY_S)]
            scale(out[:, beat - half : beat + half + 1], gain, taper)
    return replace(shown, mv=out)


def scale(wave: Floats, gain: float, taper) -> None:
    """Scale a wave (leads, n) in place, over the line between its ends, as far as `taper` (n,) says."""
    line = np.linspace(wave[:, 0], wave[:, -1], wave.shape[1], axis=1)
    wave += ((gain - 1) * taper * (wave - line)).astype(np.float32)


def pace(shown: Shown, rr_s: tuple[float, float], rng) -> Shown:
    """The same beats at other intervals, drawn anew every 20 beats; what lies round a beat keeps its length, the rest is stretched."""
    fast, rate, x = rr_s[1] < 1.0, shown.rate_hz, shown.mv
    before, after = (round(s * rate) for s in ((0.06, 0.09) if fast else (0.18, 0.30)))
    beats = shown.beats[shown.beats < (FAST_PART_S if fast else SLOW_PART_S) * rate]
    pieces, marks, length = [], [], 0
    wanted = rr_s[0]
    for k, (beat, following) in enumerate(itertools.pairwise(beats)):
        if k % 20 == 0:
            wanted = rng.uniform(*rr_s)
        if beat < before or following - beat <= before + after:
            continue
        kept = x[:, beat - before : beat + after]
        rest = x[:, beat + after : following - before]
        n = max(round(wanted * rng.uniform(0.97, 1.03) * rate) - kept.shape[1], 2)
        at = np.linspace(0, rest.shape[1] - 1, n)
        stretched = np.stack([np.interp(at, np.arange(rest.shape[1]), lead) for lead in rest])
        marks.append((length + before, shown.kinds[k]))
        pieces += [kept, stretched.astype(np.float32)]
        length += kept.shape[1] + n
    if not pieces:
        return shown
    return Shown(
        np.concatenate(pieces, axis=1), rate, np.array([m for m, _ in marks]), np.array([k for _, k in marks])
    )


def loop(data: Path, record: str, which: int) -> Shown | None:
    """A showing of a ten-second record: one or two of its leads, its whole beats over and over, waves scaled, in noise or not."""
    import wfdb

    signal = wfdb.rdrecord(str(data / "ludb_train" / record))
    rng = np.random.default_rng([SEED, int(record), which])
    leads = rng.choice(signal.p_signal.shape[1], 1 + which % 2, replace=False)
    x = signal.p_signal.T[leads].astype(np.float32)
    gains = {"p": rng.choice(P_GAINS), "t": rng.choice(T_GAINS), "N": rng.choice(QRS_GAINS)}
    for row, lead in zip(x, leads, strict=True):
        stretch_waves(row[None], waves(data, record, signal.sig_name[lead]), gains)
    beats = [middle for _, middle, _, kind in waves(data, record, "ii") if kind == "N"]
    if len(beats) < 5:
        return None
    first = round(beats[0] + 0.6 * (beats[1] - beats[0]))
    stop = round(beats[-2] + 0.6 * (beats[-1] - beats[-2]))
    turn = x[:, first:stop]
    turn = turn - np.linspace(turn[:, 0] - turn[:, 0], turn[:, -1] - turn[:, 0], stop - first, axis=1)
    times = int(np.ceil(LOOP_S * signal.fs / (stop - first)))
    marks = np.concatenate([np.array(beats[1:-1]) - first + k * (stop - first) for k in range(times)])
    looped = Shown(np.tile(turn, times).astype(np.float32), float(signal.fs), marks, np.full(len(marks), "N"))
    if which % 5 >= 3:
        looped = add_noise(data, looped, *NOISES[rng.integers(len(NOISES))], rng, first_s=8.0, on_s=12.0)
    return looped


def waves(data: Path, record: str, lead: str) -> list[tuple[int, int, int, str]]:
    """Marked waves of a lead: onset, peak, end, kind (p, N or t)."""
    import wfdb

    notes = wfdb.rdann(str(data / "ludb_train" / record), lead)
    marks = list(zip(notes.sample.tolist(), notes.symbol, strict=True))
    return [
        (a, b, c, kind)
        for (a, opened), (b, kind), (c, closed) in zip(marks, marks[1:], marks[2:], strict=False)
        if opened == "(" and closed == ")"
    ]


def stretch_waves(lead: Floats, marked: list[tuple[int, int, int, str]], gains: dict[str, float]) -> None:
    """Scale the waves of a lead (1, n) in place; P and T stay under P_MOST and T_MOST of its QRS."""
    size = {
        kind: np.median([np.ptp(lead[0, a : c + 1]) for a, _, c, k in marked if k == kind] or [0.0])
        for kind in "pNt"
    }
    qrs = size["N"] * gains["N"]
    for kind, most in (("p", P_MOST), ("t", T_MOST), ("N", np.inf)):
        gain = gains[kind]
        if gain > 1 and size[kind] > 0:
            gain = max(1.0, min(gain, most * qrs / size[kind]))
        for a, _, c, k in marked:
            if k == kind and c > a + 2:
                scale(lead[:, a : c + 1], gain, np.ones(c + 1 - a))
