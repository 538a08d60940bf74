"""Rhythm on the shared recordings by the rules of ec57.py: no figure may fall.

`expected_rhythm.json` holds what was reached, with the margin that it may fall by. Run `python tests/accuracy/test_rhythm.py`
(with VITALD_DATA) to see today's figures in the same form. A rhythm that goes on is written twice, as it is said: when it is
recognised (with the end of what was seen), and when it is over.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
CASES = {  # name: folder, kind, how atrial flutter counts, records left out
    "AF, cpsc2021": ("cpsc2021", "AF", "yes", ()),
    "AF, mitdb": ("mitdb", "AF", "ignore", ()),
    "VF and VT, vfdb": ("vfdb", "VFVT", "ignore", ()),
    "VF and VT, vfdb without 419": ("vfdb", "VFVT", "ignore", ("419",)),
    "VF, vfdb": ("vfdb", "VF", "ignore", ()),
    "VT, vfdb": ("vfdb", "VT", "ignore", ()),
    "VF and VT, cudb": ("cudb", "VFVT", "ignore", ()),
    "VF and VT, mitdb": ("mitdb", "VFVT", "ignore", ()),
}
FOLDERS = ("cpsc2021", "mitdb", "vfdb", "cudb")


def scorer():
    spec = importlib.util.spec_from_file_location("ec57", HERE / "ec57.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines_of(record: Path) -> list[dict]:
    """What the detector and the rhythm watch say of a whole recording."""
    from daemon.dsp.ecg.detect import QrsDetector
    from daemon.dsp.ecg.rhythm.said import RhythmSaid
    from daemon.dsp.ecg.rhythm.table import load_rhythm_table
    from daemon.dsp.ecg.rhythm.watch import RhythmWatch
    from daemon.dsp.ecg.tables import load_class_table, load_qrs_table
    from firmware_bridge.recordings import open_recording

    recording = open_recording(record)
    rate_hz, channels = recording.rate_hz, recording.channels
    gain = np.array([[c.gain] for c in channels])
    offset = np.array([[c.offset] for c in channels])
    x = ((recording.counts(0, recording.n) - offset) * gain).astype(np.float32)
    usable = np.ones(x.shape, dtype=bool)
    names = tuple(f"{c.name}" for c in channels)
    watch = RhythmWatch(rate_hz, names, load_rhythm_table())
    detector = QrsDetector(rate_hz, names, load_qrs_table(), load_class_table())
    for beat in detector.push(x, usable):
        watch.beat(beat.sample, beat.label, due=beat.due)
    lines = []
    for said in [*watch.push(x, usable), *watch.close()]:
        if isinstance(said, RhythmSaid):
            end = said.due if said.end is None else said.end
            t, stop, due = (round(n / rate_hz, 4) for n in (said.onset, end, said.due))
            lines.append({"type": "rhythm", "t": t, "end": stop, "rhythm": said.label, "reported_at": due})
    return lines


def write(job: tuple[Path, Path]) -> None:
    record, to = job
    to.write_text("".join(json.dumps(line) + "\n" for line in lines_of(record)))


def analyse(recordings: Path, folder: Path) -> None:
    jobs = []
    for database in FOLDERS:
        (folder / database).mkdir()
        for path in sorted((recordings / database).glob("*.atr")):
            jobs.append((path.with_suffix(""), folder / database / f"{path.stem}.jsonl"))
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(write, jobs))


def measured(recordings: Path, folder: Path, case: str) -> dict[str, float]:
    """The figures of a case in % and s."""
    database, kind, flutter, without = CASES[case]
    records = [p.stem for p in sorted((recordings / database).glob("*.atr")) if p.stem not in without]
    command = ["rhythm", str(recordings / database), str(folder / database), "--kind", kind, "--afl", flutter]
    code, scored = scorer().main([*command, "--records", ",".join(records), "--json"], quiet=True)
    assert code == 0
    gross = scored["gross"]
    figures = {"se": 100 * gross["time"]["se"], "sp": 100 * gross["time"]["sp"]}
    figures["episode_se"] = 100 * gross["episode"]["se"]
    figures["delay_p50_s"] = (gross["delay_s"] or {"p50": 0.0})["p50"]
    return figures


@pytest.fixture(scope="module")
def said(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rhythm")
    analyse(recordings, folder)
    return folder


@pytest.mark.recordings
@pytest.mark.timeout(600)  # the first case analyses 18 hours of ECG for all
@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, said, case):
    figures = measured(recordings, said, case)

    expected = json.loads((HERE / "expected_rhythm.json").read_text())
    fallen = {
        name: (expected[case][name], figures[name])
        for name, margin in expected["margin"].items()
        if figures[name] < expected[case][name] - margin
    }
    assert not fallen, f"(reached before, now): {fallen}"
    assert figures["delay_p50_s"] <= expected[case]["delay_p50_s"] + expected["margin_delay_s"]


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))
    data = Path(os.environ["VITALD_DATA"])
    with tempfile.TemporaryDirectory() as made:
        analyse(data, Path(made))
        now = {case: measured(data, Path(made), case) for case in CASES}
    print(json.dumps({case: {k: round(v, 2) for k, v in f.items()} for case, f in now.items()}, indent=2))
