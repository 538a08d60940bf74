"""The learned numbers of this room. Composition roots load them once and hand them in; training/ says how they were made."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from daemon.dsp.ecg.net import WavesTable
from daemon.dsp.ecg.trees import ClassTable, QrsTable


def load_qrs_table() -> QrsTable:
    """The table that the QRS detector decides by. A missing or spoilt file raises OSError or ValueError."""
    with (files(__package__) / "qrs.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return QrsTable.from_arrays(arrays)


def load_waves_table() -> WavesTable:
    """The net that marks P, QRS and T. A missing or spoilt file raises OSError or ValueError."""
    with (files(__package__) / "waves.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return WavesTable.from_arrays(arrays)


def load_class_table() -> ClassTable:
    """The table that beats are named by. A missing or spoilt file raises OSError or ValueError."""
    with (files(__package__) / "classes.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return ClassTable.from_arrays(arrays)
