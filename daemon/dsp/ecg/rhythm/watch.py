"""All rhythm rules over one stream of ECG: decisions every half second, at fixed samples, from what was there by then."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg.rhythm import af, ectopy, gaps, rates, window
from daemon.dsp.ecg.rhythm.beats import AFTER, BEFORE, LAG, P_FROM, P_TO, REACH, Beats, SeenBeat
from daemon.dsp.ecg.rhythm.inner import RATE_HZ, Inner
from daemon.dsp.ecg.rhythm.ladder import Track, WindowLevel
from daemon.dsp.ecg.rhythm.said import EventSaid, Said
from daemon.dsp.ecg.rhythm.table import RhythmTable
from daemon.dsp.ecg.ring import Ring

__all__ = ["RhythmWatch"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RULE = "window/1"
EVERY_S = 0.5
KEPT = round(8 * RATE_HZ)
GAP_S = 12.0  # a longer one changes nothing more
MOST_LEADS = 4
PREFERRED = ("II", "MLII", "V1", "V5", "I", "V2", "V4", "aVF", "III", "V3", "V6", "aVL", "aVR")
MIN_P2P_MV = 0.2  # what is lower is not called coarse fibrillation (AHA 1997)
MIN_WAVES_HZ = 1.5  # slower is no tachycardia
LOST_SHARE = 0.1
UNSEEN = round(0.1 * RATE_HZ)
DATED_BACK_S, ENDED_BACK_S = 4.0, 2.0
AFTER_BEAT = round(0.35 * RATE_HZ)
VT_REGULAR, VT_HZ = 0.75, 4.2  # autocorrelation of the waves; 250 /min
NAMED_BY, NAMED_FOR = 12, 20  # decisions that a name is taken from, and that it stands at least
REGULAR_AT = [window.SIGNAL_FEATURES.index(name) for name in ("acv", "fdom")]
WORD_HOLD = 8  # beats that a plain word must hold
PIECE_S = 2.0
MINUTE = 120  # decisions
NO_WINDOWS = np.zeros((0, window.WINDOW))
NO_MEASURES = np.zeros((0, len(window.SIGNAL_FEATURES)))


@dataclass(frozen=True, slots=True)
class _Told:
    """A beat as the owner told it."""

    sample: int
    due: int
    label: str
    rr_ok: bool


class RhythmWatch:
    """Watches `leads` signals of `rate_hz` (>= 125 Hz; ValueError below it, or without leads)."""

    def __init__(self, rate_hz: float, leads: tuple[str, ...], table: RhythmTable) -> None:
        if rate_hz < RATE_HZ or not leads:
            raise ValueError(f"rhythm needs a lead, and at least {RATE_HZ:g} Hz")
        self._table, self._rate_hz = table, rate_hz
        self._n = len(leads)
        order = [lead for lead in PREFERRED if lead in leads]
        self._order = [leads.index(lead) for lead in order] + [
            k for k, lead in enumerate(leads) if lead not in order
        ]
        self._offset = 0
        self._told: deque[_Told] = deque()
        self._owed: list[Said] = []
        self._ventricular, self._runs, self._base = Track(), Track(), Track()
        self._ectopic = {"V": 0, "S": 0}
        self._begin()

    def _begin(self) -> None:
        """Everything as at a start, but what has been said and what is on."""
        self._inner = Inner(self._rate_hz, self._n)
        self._x, self._lost = Ring(self._n, 4096), Ring(self._n, 4096)
        self._begun = False
        self._samples = 0
        self._decision = 1
        self._beats = Beats(self._n)
        self._level = WindowLevel()
        self._af = af.AfWatch(self._table.af_means, self._table.af_deviations)
        self._gaps, self._ectopy, self._rates = gaps.Gaps(), ectopy.Ectopy(), rates.Rates()
        self._word, self._word_beats = "", 0
        self._waves: deque[Floats] = deque(maxlen=NAMED_BY)  # regularity and frequency in Hz of each decision
        self._named = 0
        self._last_sample: int | None = None

    def beat(self, sample: int, label: str = "", *, due: int, rr_ok: bool = True) -> None:
        """A beat, before the push that brings sample `due` (when it was decided); in order of `due`.

        `label` is its class (N S V F / or "" and "Q" when unknown); `rr_ok`: the interval before it was all seen.
        """
        self._told.append(_Told(sample, due, label, rr_ok))

    def push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[Said]:
        """Take the next samples, mV (leads, n), and whether each can be used; what is said by then, in order of `due`."""
        said, self._owed = self._owed, []
        piece = max(1, round(PIECE_S * self._rate_hz))
        for first in range(0, mv.shape[1], piece):
            said += self._push(mv[:, first : first + piece], usable[:, first : first + piece])
        return said

    def skip(self, n: int) -> None:
        """A gap of n samples. After a long one everything starts anew; what it ends is said with the next push."""
        fed = min(n, round(GAP_S * self._rate_hz))
        self._owed = self.push(
            np.zeros((self._n, fed), dtype=np.float32), np.zeros((self._n, fed), dtype=np.bool_)
        )
        if n > fed:
            self._owed += self.close()
            self._offset += self._samples + n - fed
            self._begin()

    def close(self) -> list[Said]:
        """The stream is over: what is on ends with its last sample."""
        last = self._offset + self._samples - 1
        return [
            said for track in (self._ventricular, self._runs, self._base) for said in track.end(last, last)
        ]

    def _push(self, mv: npt.NDArray[np.float32], usable: Bools) -> list[Said]:
        x, lost = self._inner.push(mv, usable)
        self._samples += mv.shape[1]
        if not x.shape[1]:
            return []
        if not self._begun:
            self._begun = True
            self._x.begin(-window.CONTEXT, np.repeat(x[:, :1], window.CONTEXT, axis=1))
            self._lost.begin(-window.CONTEXT, np.zeros((self._n, window.CONTEXT)))
        self._x.append(x)
        self._lost.append(lost.astype(np.float64))
        first = self._decision
        while self._at(self._decision) < self._x.end:
            self._decision += 1
        said: list[Said] = []
        looks = self._look(range(first, self._decision))
        for decision in range(first, self._decision):
            said += self._decide(decision, *looks[decision - first])
        for ring in (self._x, self._lost):
            ring.forget(self._x.end - KEPT)
        return said

    def _at(self, decision: int) -> int:
        """Inner sample of a decision."""
        return int(decision * EVERY_S * RATE_HZ)

    def _look(self, decisions: range) -> list[tuple[list[int], Floats, Floats]]:
        """For each decision the live leads (at most four), their windows (leads, WINDOW), and measures (rows, features).

        Measured are those of the leads that are tall and quick enough to be a tachycardia.
        """
        live: list[list[int]] = []
        rows: list[Floats] = []
        for decision in decisions:
            first, stop = self._span(decision)
            lost = self._lost.view(first, stop).mean(axis=1)
            seen = [k for k in self._order if lost[k] < LOST_SHARE] if stop >= window.WINDOW else []
            live.append(seen[:MOST_LEADS])
            rows += [self._x.view(first - window.CONTEXT, stop)[k] for k in live[-1]]
        if not rows:
            return [(leads, NO_WINDOWS, NO_MEASURES) for leads in live]
        windows = window.band(np.stack(rows))
        tall = (np.ptp(windows, axis=1) >= MIN_P2P_MV) & (window.waves(windows) >= MIN_WAVES_HZ)
        measured = window.measure(windows[tall]) if tall.any() else NO_MEASURES
        found, at = [], 0
        for leads in live:
            stop = at + len(leads)
            before, after = int(tall[:at].sum()), int(tall[:stop].sum())
            found.append((leads, windows[at:stop], measured[before:after]))
            at = stop
        return found

    def _span(self, decision: int) -> tuple[int, int]:
        stop = self._at(decision) + 1
        return max(stop - window.WINDOW, 0), stop

    def _decide(self, decision: int, leads: list[int], windows: Floats, measured: Floats) -> list[Said]:
        now = self._at(decision)
        due = self._inner.needed(now) + self._offset
        said: list[Said] = []
        while self._told and self._told[0].due <= due:
            if self._inner.inner(self._told[0].sample - self._offset) + REACH > now:
                break
            said += self._take(self._told.popleft(), due)
        if len(measured):
            self._waves.append(measured[:, REGULAR_AT].mean(axis=0))
        changed = self._level.step(self._score(now, measured))
        said += self._arrest(now, due, leads, windows, changed=changed)
        if self._ventricular.open:
            said += self._base.end(self._ventricular.open.onset, due)
            said += self._runs.end(self._ventricular.open.onset, due)
        else:
            said += self._plain(due)
        if decision % MINUTE == 0:
            said += self._counts(due)
        return said

    def _score(self, now: int, measured: Floats) -> float | None:
        """Mean score of the leads that were measured."""
        if not len(measured):
            return None
        scores = self._table.window.of(self._rows(now, measured))
        return float(np.clip(scores, -WindowLevel.LIMIT, WindowLevel.LIMIT).mean())

    def _rows(self, now: int, measured: Floats) -> Floats:
        """All features of the measured leads: the beats' are the same for each."""
        about = beat_measures(self._beats.within(now + 1 - window.WINDOW, now + 1))
        return np.concatenate([measured, np.repeat(about[None], len(measured), axis=0)], axis=1)

    def _arrest(self, now: int, due: int, leads: list[int], windows: Floats, *, changed: bool) -> list[Said]:
        """Fibrillation, flutter and fast tachycardia by the window; asystole by the gap."""
        back = self._inner.outer(now) + self._offset
        if self._level.on:
            self._named += 1
            named = self._ventricular.label in {"VFL", "VT"}
            if named and self._named < NAMED_FOR:
                return []
            label = "VT" if self._is_tachycardia() else "VFL"
            if label == self._ventricular.label:
                return []
            self._named = 0
            onset = back - round((NAMED_BY * EVERY_S if named else DATED_BACK_S) * self._rate_hz)
            numbers = (("window_score", self._level.value, ""),)
            return self._ventricular.begin(label, onset, due, numbers, RULE)
        said: list[Said] = []
        if changed:
            said = self._ventricular.end(back - round(ENDED_BACK_S * self._rate_hz), due)
        if not leads:
            self._gaps.last = now if self._gaps.last is not None else None
            return [*said, *self._ventricular.end(back, due)]
        p2p = float(np.ptp(windows[:, AFTER_BEAT:], axis=1).min())
        seconds = self._gaps.standstill(now, p2p)
        if seconds is not None and not self._ventricular.open:
            onset = back - round(seconds * self._rate_hz)
            return [*said, *self._ventricular.begin("ASYS", onset, due, (("gap", seconds, "s"),), gaps.RULE)]
        return said

    def _is_tachycardia(self) -> bool:
        """Whether a fast rhythm is regular and slow enough to call it tachycardia: by its waves, since beats are not found in it."""
        regular, hz = np.mean(self._waves, axis=0)
        return bool(regular > VT_REGULAR and hz < VT_HZ)

    def _take(self, told: _Told, due: int) -> list[Said]:
        """A beat whose time has come."""
        sample = told.sample - self._offset
        at = self._inner.inner(sample)
        first = at - max(BEFORE + LAG, P_FROM)
        if first < self._x.first or (self._last_sample is not None and sample <= self._last_sample):
            return []
        x = self._x.view(first, at + AFTER + LAG)
        lost = self._lost.view(first, at + AFTER + LAG).mean(axis=1)
        usable = np.zeros(self._n)
        usable[[k for k in self._order if lost[k] < LOST_SHARE][:MOST_LEADS]] = 1.0
        rr_s = None
        if (
            told.rr_ok
            and self._last_sample is not None
            and self._saw(self._inner.inner(self._last_sample), at)
        ):
            rr_s = (sample - self._last_sample) / self._rate_hz
        self._last_sample = sample
        beat = self._beats.add(at, told.sample, told.label, rr_s, x[:, at - BEFORE - LAG - first :], usable)
        said: list[Said] = []
        gap = self._gaps.beat(beat, self._beats)
        if gap is not None and rr_s is not None:
            said += self._pause(gap.first, gap.stop, due)
        if self._ventricular.label == "ASYS" and self._gaps.last == at:
            said += self._ventricular.end(told.sample, due)
        if self._ventricular.open:
            return said
        start = at - P_FROM - first
        change = self._af.beat(
            beat, (x * usable[:, None])[:, start : start + P_FROM - P_TO] if usable.any() else None
        )
        if change is not None:
            said += self._fibrillates(change, due)
        said += self._ectopies(beat, due)
        self._rates.beat(beat)
        self._follow_word()
        return said

    def _saw(self, first: int, stop: int) -> bool:
        """Whether a lead showed all of inner samples first .. stop, but for the blink of an eye."""
        if first < self._lost.first:
            return False
        return float(self._lost.view(first, stop).sum(axis=1).min()) <= UNSEEN

    def _pause(self, first: int, stop: int, due: int) -> list[Said]:
        seconds = (stop - first) / RATE_HZ
        if seconds < gaps.PAUSE_S or self._ventricular.open:
            return []
        a, b = self._inner.outer(first) + self._offset, self._inner.outer(stop) + self._offset
        return [EventSaid("pause", a, a, b, due, (("gap", seconds, "s"),), gaps.RULE)]

    def _fibrillates(self, change: af.AfChange, due: int) -> list[Said]:
        if not change.on:
            return self._base.end(change.sample, due)
        numbers = (
            ("af_score", change.score, ""),
            ("sample_entropy", change.entropy, ""),
            ("p_coherence", change.coherence, ""),
        )
        return self._base.begin("AFIB", change.sample, due, numbers, af.RULE)

    def _ectopies(self, beat: SeenBeat, due: int) -> list[Said]:
        """Runs, couplets and single ectopic beats."""
        self._ectopic["V"] += ectopy.ventricular(beat)
        self._ectopic["S"] += beat.label == "S"
        ended = self._ectopy.beat(beat)
        said: list[Said] = []
        if len(ended) >= 2:
            name = "couplet" if len(ended) == 2 else "ventricular_run"
            numbers = (("beats", float(len(ended)), ""), ("rate", ectopy.rate_of(ended), "bpm"))
            a, b = ended[0].sample, ended[-1].sample
            said = [EventSaid(name, a, a, b, due, numbers, ectopy.RULE)]
            said += self._runs.end(b, due)
        run = self._ectopy.run
        if ectopy.tachycardia(run):
            numbers = (("beats", float(len(run)), ""), ("rate", ectopy.rate_of(run), "bpm"))
            said += self._runs.begin("VT", run[0].sample, due, numbers, ectopy.RULE)
        return said

    def _follow_word(self) -> None:
        """Let a plain word stand once it has held for some beats."""
        word = self._ectopy.gemini or self._rates.word
        self._word_beats = self._word_beats + 1 if word == self._word else 1
        self._word = word

    def _plain(self, due: int) -> list[Said]:
        """Bigeminy, the rate words and sinus rhythm, where nothing else is on."""
        if self._af.on:
            if self._base.label == "AFIB":
                return []
            numbers = (("af_score", af.ON, ""),)
            return self._base.begin("AFIB", self._since(due), due, numbers, af.RULE)
        at_once = self._word in {"B", "T", "SVTA"}
        if not self._word or (self._word_beats < WORD_HOLD and not at_once) or self._rates.bpm is None:
            return []
        numbers = (("rate", self._rates.bpm, "bpm"),)
        return self._base.begin(self._word, self._rates.since, due, numbers, rates.RULE)

    def _since(self, due: int) -> int:
        return self._beats.seen[-1].sample if self._beats.seen else due

    def _counts(self, due: int) -> list[Said]:
        """Ectopic beats of the last minute."""
        counted, self._ectopic = self._ectopic, {"V": 0, "S": 0}
        if not any(counted.values()):
            return []
        numbers = (
            ("ventricular", float(counted["V"]), "1/min"),
            ("supraventricular", float(counted["S"]), "1/min"),
        )
        first = max(due - round(60 * self._rate_hz), 0)
        return [EventSaid("ectopic_beats", due, first, due, due, numbers, ectopy.RULE)]


def beat_measures(recent: list[SeenBeat]) -> Floats:
    """BEAT_FEATURES of the beats of a window: a second, spread of RR by its mean, alike the dominant shape, and the one before."""
    if not recent:
        return np.zeros(4)
    spread = 0.0
    if len(recent) >= 3:
        rr = np.diff([b.at for b in recent])
        spread = float(rr.std() / rr.mean())
    return np.array(
        [
            len(recent) / window.WINDOW_S,
            spread,
            sum(b.dominant for b in recent) / len(recent),
            sum(b.previous for b in recent) / len(recent),
        ]
    )
