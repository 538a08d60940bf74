"""From a stream's channels to leads, and which leads an electrode's loss makes void.

`measured` leads are those the channels give (after taking out the reference of a board that measures against RA);
`all` leads are these and what Einthoven and Goldberger derive from I and II. All mathematics is on centred millivolts:
III = II - I, aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2; Vn = (Vn - RA) - (I + II)/3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from daemon.dsp.filters import Floats, Mask
from daemon.model.signals import Quantity, Stream

LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
ORDER = (*LIMB, *(f"V{n}" for n in range(1, 10)))
_DERIVED = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}  # of I, II
_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
_SPELLED = {name.lower(): name for name in ORDER} | {"mlii": "II", "ml2": "II", "la-ra": "I", "ll-ra": "II"}
_CHEST_TO_RA = re.compile(r"(V[1-9])-RA", re.IGNORECASE)
_RAIL = 2  # counts from the converter's end that still count as saturated

_FRAME = frozenset({"RA", "LA", "LL", "RL"})
_NEEDS = {"I": frozenset({"RA", "LA", "RL"}), "II": frozenset({"RA", "LL", "RL"})}
"""Electrodes without which a lead is void; RL because nothing else holds the common mode. Any other limb lead needs the
whole frame, a chest lead the frame (for the central terminal) and its own."""


def lead_name(channel: str) -> str:
    """The standard name of a channel's lead ("avf" -> "aVF", "MLII" -> "II"); a name of its own is kept."""
    bare = re.sub(r"^(ECG|EKG)[ _]+", "", channel.strip(), flags=re.IGNORECASE)
    return _SPELLED.get(bare.lower(), bare or channel)


@dataclass(frozen=True, eq=False)
class Montage:
    """How a stream's ECG channels make leads.

    `rows` are the channels used, `mix` (measured, rows) takes them to the `measured` leads, `derive` (all, measured)
    those to `all` leads; `mixed` and `sources` say which they use, `plain`: a channel is a lead. `gain`, `offset` (rows, 1) turn counts to mV; `low`, `high` are the rails with their margin.
    """

    measured: tuple[str, ...]
    all: tuple[str, ...]
    rows: list[int]
    mix: Floats
    derive: Floats
    mixed: list[npt.NDArray[np.intp]]
    sources: list[npt.NDArray[np.intp]]
    plain: bool
    gain: Floats
    offset: Floats
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    in_millivolts: Mask

    @classmethod
    def of(cls, stream: Stream) -> Montage | None:
        """The montage of a stream, None where it has no ECG channel. Of two channels of one lead the first is taken."""
        named: dict[str, int] = {}
        for row, channel in enumerate(stream.channels):
            if channel.quantity is Quantity.ECG:
                named.setdefault(lead_name(channel.name), row)
        if not named:
            return None
        place = {lead: k for k, lead in enumerate(named)}
        measured, mix = _measured(place)
        every, derive = _derived(measured)
        rows = list(named.values())
        plain = all(name in named for name in measured)
        if plain:
            rows, mix = [named[name] for name in measured], np.eye(len(measured))
        mixed = [np.flatnonzero(line) for line in mix]
        used = [stream.channels[row] for row in rows]
        scale = np.array([[c.gain * _MILLIVOLTS.get(c.unit, 1.0)] for c in used])
        return cls(
            measured,
            every,
            rows,
            mix,
            derive,
            mixed,
            [np.flatnonzero(line) for line in derive],
            plain,
            scale,
            np.array([[c.offset] for c in used], dtype=np.float64),
            np.array([[c.low + _RAIL] for c in used], dtype=np.int64),
            np.array([[c.high - _RAIL] for c in used], dtype=np.int64),
            np.array([any(used[k].unit in _MILLIVOLTS for k in line) for line in mixed]),
        )

    def millivolts(self, counts: npt.NDArray[np.int32]) -> Floats:
        """Measured leads, float64 (measured, n), from counts of shape (channels, n), sample by sample the same."""
        channels: Floats = (counts[self.rows] - self.offset) * self.gain
        if self.plain:
            return channels
        # Elementwise sums: the last bit of a matrix product may depend on its width.
        out = np.zeros((len(self.measured), channels.shape[1]))
        for lead, used in enumerate(self.mixed):
            for k in used:
                out[lead] += channels[k] * self.mix[lead, k]
        return out

    def every(self, measured: Floats) -> Floats:
        """All leads (all, n) from the measured ones (measured, n), sample by sample the same."""
        out = np.zeros((len(self.all), measured.shape[1]))
        for lead, used in enumerate(self.sources):
            for k in used:
                out[lead] += measured[k] * self.derive[lead, k]
        return out

    def saturated(self, counts: npt.NDArray[np.int32]) -> Mask:
        """Where a channel that a measured lead uses is at its rail; bool (measured, n)."""
        used = counts[self.rows]
        railed: Mask = (used <= self.low) | (used >= self.high)
        return railed if self.plain else np.stack([railed[used].any(axis=0) for used in self.mixed])

    def needs(self, lead: str) -> frozenset[str]:
        """Electrodes without which a lead is void."""
        if lead in _NEEDS:
            return _NEEDS[lead]
        return _FRAME | {lead} if re.fullmatch(r"V[1-9]", lead) else _FRAME

    def standing(self, attached: dict[str, bool]) -> Mask:
        """Which of `all` leads stand with these electrodes; one that no lead is known to need voids every lead."""
        off = {name for name, on in attached.items() if not on}
        if not off:
            return np.ones(len(self.all), dtype=np.bool_)
        known = frozenset().union(*(self.needs(lead) for lead in self.all)) | set(ORDER)
        return np.array([not (off & self.needs(lead)) and off <= known for lead in self.all])

    def spread(self, measured: Mask) -> Mask:
        """A mask of `all` leads (all, ...) from one of the measured leads: a derived lead holds where its sources do."""
        out = np.empty((len(self.sources), *measured.shape[1:]), dtype=np.bool_)
        if measured.all():
            out[:] = True
            return out
        for lead, used in enumerate(self.sources):
            out[lead] = measured[used[0]] if len(used) == 1 else np.logical_and.reduce(measured[used])
        return out


DETECTOR_LEADS = 8


def detector_leads(montage: Montage) -> npt.NDArray[np.intp]:
    """Measured leads for the detector, at most eight, II first; limb leads that I and II imply are left out."""
    names = montage.measured
    implied = set(LIMB[2:]) if {"I", "II"} <= set(names) else set()
    chosen = sorted(
        (k for k in range(len(names)) if names[k] not in implied), key=lambda k: (names[k] != "II", k)
    )
    return np.array(chosen[:DETECTOR_LEADS])


def _measured(place: dict[str, int]) -> tuple[tuple[str, ...], Floats]:
    """Names and mixing rows of the measured leads, standard ones first."""
    lines: dict[str, Floats] = {}
    for name, row in place.items():
        line = np.zeros(len(place))
        line[row] = 1.0
        against_ra = _CHEST_TO_RA.fullmatch(name)
        if against_ra and "I" in place and "II" in place:
            line[place["I"]] -= 1.0 / 3.0
            line[place["II"]] -= 1.0 / 3.0
            name = against_ra[1].upper()  # noqa: PLW2901 - the lead it becomes
        lines.setdefault(name, line)
    names = sorted(lines, key=_rank)
    return tuple(names), np.stack([lines[name] for name in names])


def _derived(measured: tuple[str, ...]) -> tuple[tuple[str, ...], Floats]:
    """Names and rows of all leads: the measured ones, and those that follow from I and II where both are there."""
    lines = dict(zip(measured, np.eye(len(measured)), strict=True))
    if "I" in lines and "II" in lines:
        one, two = lines["I"], lines["II"]
        for name, (of_one, of_two) in _DERIVED.items():
            lines.setdefault(name, of_one * one + of_two * two)
    names = sorted(lines, key=_rank)
    return tuple(names), np.stack([lines[name] for name in names])


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


class Electrodes:
    """What the board says of its electrodes: at once for the screen, settled for what a person is told.

    Off is settled when it has lasted `OFF_S`, with touches under `TOUCH_S` taken as still off; on when it has lasted
    `ON_S`. States come by sample number and are asked by sample number, so the cut of the stream is of no account.
    """

    OFF_S, ON_S, TOUCH_S = 0.2, 0.5, 0.1

    def __init__(self, montage: Montage, rate_hz: float) -> None:
        self._montage = montage
        self._rate_hz = rate_hz
        self._changes: list[tuple[int, dict[str, bool]]] = []
        self._attached: dict[str, bool] = {}
        self._since: dict[str, int] = {}
        self._pending: dict[str, int] = {}
        self._standing = montage.standing({})
        self._off: frozenset[str] = frozenset()

    def note(self, first: int, attached: tuple[tuple[str, bool], ...]) -> None:
        """Electrodes from sample `first` on; what is not named keeps its state."""
        if self._changes and self._changes[-1][0] >= first:
            self._changes[-1][1].update(attached)
        else:
            self._changes.append((first, dict(attached)))

    def standing(self, first: int, n: int) -> Mask:
        """Which of all leads stand at samples first .. first + n - 1; bool (all, n). Asked in order, once."""
        mask = np.empty((len(self._montage.all), n), dtype=np.bool_)
        mask[:] = self._standing[:, None]
        while self._changes and self._changes[0][0] < first + n:
            at, attached = self._changes.pop(0)
            self._apply(max(at, first), attached)
            mask[:, max(at - first, 0) :] = self._standing[:, None]
        return mask

    def settled_off(self, sample: int) -> frozenset[str]:
        """Electrodes settled as off at `sample`, which is the end of a quality hop."""
        for name, on in self._attached.items():
            lasting = sample - self._since[name]
            if name in self._off:
                if on and lasting >= self.ON_S * self._rate_hz:
                    self._off -= {name}
                    self._pending.pop(name, None)
            elif on and lasting >= self.TOUCH_S * self._rate_hz:
                self._pending.pop(name, None)
            elif name in self._pending and sample - self._pending[name] >= self.OFF_S * self._rate_hz:
                self._off |= {name}
        return self._off

    def _apply(self, sample: int, attached: dict[str, bool]) -> None:
        for name, on in attached.items():
            if self._attached.get(name) == on:
                continue
            self._attached[name], self._since[name] = on, sample
            if not on:
                self._pending.setdefault(name, sample)
        self._standing = self._montage.standing(self._attached)
