"""The fitted numbers of the rhythm rules; made by training/rhythm.py and training/runs.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

import numpy as np
import numpy.typing as npt

from daemon.dsp.ecg import tables
from daemon.dsp.ecg.rhythm.runs import RunScore
from daemon.dsp.ecg.rhythm.window import WindowScore


@dataclass(frozen=True, slots=True)
class RhythmTable:
    """The scores of a window and of a run, and the scale of the AF features, (windows, features)."""

    window: WindowScore
    run: RunScore
    af_means: npt.NDArray[np.float64]
    af_deviations: npt.NDArray[np.float64]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """A table from its arrays; ValueError if they do not fit."""
        try:
            means = np.asarray(arrays["af_means"]).astype(np.float64)
            deviations = np.asarray(arrays["af_deviations"]).astype(np.float64)
        except KeyError as missing:
            raise ValueError(f"a rhythm table has no {missing}") from None
        return cls(WindowScore.from_arrays(arrays), RunScore.from_arrays(arrays), means, deviations)


def load_rhythm_table() -> RhythmTable:
    """The tables that are shipped. A missing or spoilt file raises OSError or ValueError."""
    held: dict[str, npt.NDArray[np.generic]] = {}
    for name in ("rhythm.npz", "runs.npz"):
        with (files(tables.__name__) / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            held.update(arrays)
    return RhythmTable.from_arrays(held)
