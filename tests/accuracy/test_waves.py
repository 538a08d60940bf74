"""Marks of P, QRS and T on LUDB, by the rules of ec57.py: no figure may fall.

`expected_waves.json` holds what was reached, with the margin that it may fall by. Run `python tests/accuracy/test_waves.py`
(with VITALD_DATA) to see today's figures in the same form; with the name of a folder and of records after it, those of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from daemon.dsp.ecg.delineate import Delineator, WavesTable
from daemon.dsp.ecg.detect import QrsDetector
from daemon.dsp.ecg.marks import FIDUCIALS
from daemon.dsp.ecg.tables import load_qrs_table, load_waves_table

HERE = Path(__file__).parent
CASES = {"lead II alone": ("ii",), "all leads": None}
CHUNK = 25


def scorer():
    spec = importlib.util.spec_from_file_location("ec57", HERE / "ec57.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def marked(record: Path, leads: tuple[str, ...] | None, table: WavesTable, to: Path) -> None:
    """Write the waves lines of a record, given live in chunks of 50 ms."""
    import wfdb

    signal = wfdb.rdrecord(str(record))
    names = tuple(signal.sig_name)
    rows = [names.index(lead) for lead in leads or names]
    x = np.ascontiguousarray(signal.p_signal.T[rows].astype(np.float32))
    usable = np.isfinite(x)
    detector = QrsDetector(signal.fs, tuple(names[row] for row in rows), load_qrs_table())
    delineator = Delineator(signal.fs, tuple(names[row] for row in rows), table)
    said = []
    for first in range(0, x.shape[1], CHUNK):
        part = slice(first, first + CHUNK)
        for beat in detector.push(x[:, part], usable[:, part]):
            delineator.beat(beat.sample, beat.due)
        said += delineator.push(x[:, part], usable[:, part])
    said += delineator.finish()
    with to.open("w") as out:
        for beat in said:
            for lead, marks in beat.marks.items():
                places = {k: None if (at := getattr(marks, k)) is None else at / signal.fs for k in FIDUCIALS}
                line = {"type": "waves", "t": beat.sample / signal.fs, "lead": lead, **places}
                out.write(json.dumps(line | {"reported_at": (beat.due + 1) / signal.fs}) + "\n")


def measured(
    folder: Path, records: list[str] | None, leads, table: WavesTable
) -> dict[str, dict[str, float]]:
    """Figures of every mark in % and ms."""
    names = records or sorted(path.stem for path in folder.glob("*.hea"))
    with tempfile.TemporaryDirectory() as made:
        for name in names:
            marked(folder / name, leads, table, Path(made) / f"{name}.jsonl")
        code, scored = scorer().main(
            ["waves", str(folder), made, "--records", ",".join(names), "--leads", ",".join(leads or scorer().LEADS), "--json"],
            quiet=True,
        )  # fmt: skip
    assert code == 0
    return {
        name: {
            "se": 100 * (f["se"] or 0.0),
            "ppv": 100 * (f["ppv"] or 0.0),
            "bias_ms": f["bias_ms"],
            "sd_ms": f["sd_ms"],
        }
        for name, f in scored["fiducials"].items()
    }


@pytest.mark.recordings
@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, case):
    reached = json.loads((HERE / "expected_waves.json").read_text())
    margin = reached["margin"]

    figures = measured(recordings / "ludb", None, CASES[case], load_waves_table())

    fallen = {
        f"{mark} {name}": (before, figures[mark][name])
        for mark, all_before in reached[case].items()
        for name, before in all_before.items()
        if (
            abs(figures[mark][name] - before)
            if name == "bias_ms"
            else worse(name, before, figures[mark][name])
        )
        > margin[name]
    }
    assert not fallen, f"(reached before, now): {fallen}"


def worse(name: str, before: float, now: float) -> float:
    return now - before if name == "sd_ms" else before - now


if __name__ == "__main__":
    folder, records = Path(os.environ["VITALD_DATA"]) / "ludb", None
    if len(sys.argv) > 1:
        folder, records = Path(sys.argv[1]), sys.argv[2:] or None
    for case, leads in CASES.items():
        figures = measured(folder, records, leads, load_waves_table())
        rounded = {
            mark: {k: round(v, 2) for k, v in f.items()} for mark, f in figures.items() if mark != "qrs_peak"
        }
        print(json.dumps({case: rounded}, indent=2))
