"""What the leads and the last beats say together: whether there is a P, and the marks over all leads.

A P is believed when half of the last eight beats have one. From eight leads on the leads vote first, and one that shows none
takes it over where half of them have it. The marks over all leads are no lead's own: from eight leads on the second earliest
begin and the second latest end of those that agree, moved by what this rule was off by on the training records; with fewer,
the median.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from statistics import median

from daemon.dsp.ecg.condition import INNER_HZ
from daemon.dsp.ecg.marks import LeadMarks, PState, Wave, Waves

MEMORY = 8  # beats
BELIEVED_S = 0.030  # mass of a P
VOTING_LEADS = 8
AGREE_S = {"p": 0.060, "qrs": 0.040, "t": 0.060}  # from the median over the leads
MOVE_S = {
    "p_on": -0.005,
    "p_off": 0.004,
    "qrs_on": -0.003,
    "qrs_off": 0.004,
    "t_on": -0.002,
    "t_off": 0.004,
}
"""Added to a begin or end over eight leads or more; `training/waves.py --over-all` prints them."""
OVER_ALL = "global"


class Majority:
    """Whether at least half of the last beats had a P, this one too."""

    def __init__(self) -> None:
        self._seen: deque[bool] = deque(maxlen=MEMORY)

    @property
    def full(self) -> bool:
        return len(self._seen) == MEMORY

    def step(self, *, seen: bool) -> bool:
        self._seen.append(seen)
        return 2 * sum(self._seen) >= len(self._seen)


class Vote:
    """Turns what was drawn in each lead, in samples of INNER_HZ, into a beat's marks."""

    def __init__(self, leads: tuple[str, ...]) -> None:
        self._single = {lead: Majority() for lead in leads}
        self._together = Majority()

    def step(
        self, drawn: Mapping[str, Waves], *, p_can_be_told: bool, noisy: Collection[str] = ()
    ) -> dict[str, LeadMarks]:
        """Marks of a beat by lead, and OVER_ALL; `p_can_be_told`: not finding a P means that there is none.

        Of a `noisy` lead it is unknown whether there is a P, and it has no voice in it.
        """
        heard = {lead: w for lead, w in drawn.items() if w.qrs is not None}
        clear = {lead: w for lead, w in heard.items() if lead not in noisy}
        have = {lead: w.p is not None and w.p.mass_s > BELIEVED_S for lead, w in clear.items()}
        believed = {lead: self._single[lead].step(seen=seen) for lead, seen in have.items()}
        if clear:
            together = self._together.step(seen=2 * sum(have.values()) > len(have))
        marks = {lead: _marks(w, None, told=False) for lead, w in heard.items()}
        if len(clear) >= VOTING_LEADS:
            shared = _shared([w.p for w in clear.values()])
            told = p_can_be_told and self._together.full
            for lead, w in clear.items():
                marks[lead] = _marks(w, (w.p or shared) if together else None, told=told)
        else:
            for lead, w in clear.items():
                told = p_can_be_told and self._single[lead].full
                marks[lead] = _marks(w, w.p if believed[lead] else None, told=told)
        nothing = {lead: LeadMarks() for lead, w in drawn.items() if w.qrs is None}
        voices = {lead: marks[lead] for lead in clear}
        return marks | nothing | {OVER_ALL: over_all(list(marks.values()), list(voices.values()))}


def over_all(marks: Sequence[LeadMarks], clear: Sequence[LeadMarks] | None = None) -> LeadMarks:
    """Marks over all leads; a wave that fewer than half of them have is absent, P of the `clear` ones (None: all)."""
    clear = marks if clear is None else clear
    p_on, p_peak, p_off = _together("p", ("on", "peak", "off"), clear)
    qrs_on, qrs_off = _together("qrs", ("on", "off"), marks)
    t_on, t_peak, t_off = _together("t", ("on", "peak", "off"), marks)
    states = [m.p_state for m in clear]
    state = max((PState.UNKNOWN, PState.ABSENT), key=states.count) if p_on is None else PState.PRESENT
    return LeadMarks(p_on, p_peak, p_off, qrs_on, qrs_off, t_on, t_peak, t_off, state)


def _together(wave: str, places: tuple[str, ...], marks: Sequence[LeadMarks]) -> list[float | None]:
    """A wave over all leads, from those that drew it themselves."""
    having = [m for m in marks if getattr(m, f"{wave}_on") is not None]
    own = [m for m in having if not (wave == "p" and m.p_taken_over)]
    if not own or 2 * len(having) < len(marks):
        return [None] * len(places)
    return [_place(f"{wave}_{k}", [getattr(m, f"{wave}_{k}") for m in own], AGREE_S[wave]) for k in places]


def _place(name: str, places: list[float], agree_s: float) -> float:
    if len(places) < VOTING_LEADS or name not in MOVE_S:
        return median(places)
    return second_extreme(name, places, agree_s * INNER_HZ) + MOVE_S[name] * INNER_HZ


def second_extreme(name: str, places: Sequence[float], agree: float) -> float:
    """The second earliest begin, or second latest end, of those within `agree` of the median."""
    middle = median(places)
    near = sorted(place for place in places if abs(place - middle) <= agree)
    if len(near) < 2:
        return middle
    return near[1] if name.endswith("on") else near[-2]


def _shared(waves: list[Wave | None]) -> Wave | None:
    """The median P of the leads, where half or more have one."""
    own = [w for w in waves if w is not None]
    if not own or 2 * len(own) < len(waves):
        return None
    return Wave(
        median(w.on for w in own),
        median(w.peak for w in own),
        median(w.off for w in own),
        median(w.mass_s for w in own),
    )


def _marks(w: Waves, p: Wave | None, *, told: bool) -> LeadMarks:
    """A lead's marks, with the P that is believed; `told`: without one, there is none."""
    assert w.qrs is not None
    return LeadMarks(
        p.on if p else None,
        p.peak if p else None,
        p.off if p else None,
        *w.qrs,
        w.t.on if w.t else None,
        w.t.peak if w.t else None,
        w.t.off if w.t else None,
        PState.PRESENT if p else PState.ABSENT if told else PState.UNKNOWN,
        p is not None and w.p is None,
    )
