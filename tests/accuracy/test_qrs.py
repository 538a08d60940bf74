"""QRS detection and beat classes on the shared recordings, through `vitald analyse`, by the rules of ec57.py: no figure may fall.

`expected.json` holds what was reached, with the margin that it may fall by. Run `python tests/accuracy/test_qrs.py` (with
VITALD_DATA) to see today's figures in the same form.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())
SAID_WITHIN_S = 0.5
CASES = {  # name: folder, lead, learning period left out
    "mitdb, first lead": ("mitdb", "1", 0),
    "mitdb, all leads": ("mitdb", None, 0),
    "nstdb after 5 min, first lead": ("nstdb", "1", 300),
    "nstdb after 5 min, all leads": ("nstdb", None, 300),
}


def scorer():
    spec = importlib.util.spec_from_file_location("ec57", HERE / "ec57.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def analyse(record: Path, lead: str | None, to: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "daemon.cli",
        "analyse",
        str(record),
        *(["--lead", lead] if lead else []),
    ]
    with to.open("w") as out:
        subprocess.run(
            command,
            stdout=out,
            check=True,
            cwd=HERE.parents[1],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )


def measured(recordings: Path, case: str, folder: Path) -> tuple[dict[str, float], list[dict]]:
    """The figures of a case in %, ms and s, and every beat line that was printed."""
    database, lead, skip = CASES[case]
    records = sorted(path.with_suffix("") for path in (recordings / database).glob("*.atr"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda record: analyse(record, lead, folder / f"{record.name}.jsonl"), records))
    code, scored = scorer().main(
        ["beats", str(recordings / database), str(folder), "--skip", str(skip), "--json"], quiet=True
    )
    assert code == 0
    gross = scored["gross"]
    worst = min(scored["records"].values(), key=lambda figures: figures["qrs"]["f1"])
    figures = {
        "se": 100 * gross["qrs"]["se"],
        "ppv": 100 * gross["qrs"]["ppv"],
        "f1": 100 * gross["qrs"]["f1"],
        "worst_record_f1": 100 * worst["qrs"]["f1"],
        "timing_mean_ms": gross["timing_ms"]["mean"],
        "timing_sd_ms": gross["timing_ms"]["sd"],
        "missed": gross["qrs"]["fn"],
        "extra": gross["qrs"]["fp"],
        **{
            f"{name}_{figure}": 100 * (gross[name.upper()][figure] or 0.0)
            for name in "vs"
            for figure in ("se", "ppv")
        },
    }
    lines = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return figures, [line for line in lines if line["type"] == "beat"]


@pytest.mark.recordings
@pytest.mark.timeout(300)  # half an hour of ECG, 24 times
@pytest.mark.parametrize("case", CASES)
def test_no_figure_falls(recordings, tmp_path, case):
    figures, beats = measured(recordings, case, tmp_path)

    noisy = case.startswith("nstdb")
    margins = EXPECTED["margin_in_noise" if noisy else "margin"]
    fallen = {
        name: (EXPECTED[case][name], figures[name])
        for name, margin in margins.items()
        if figures[name] < EXPECTED[case][name] - margin
    }
    assert not fallen, f"(reached before, now): {fallen}"
    assert abs(figures["timing_mean_ms"]) < EXPECTED["limit"]["timing_mean_ms"]
    assert figures["timing_sd_ms"] < EXPECTED["limit"]["timing_sd_ms_in_noise" if noisy else "timing_sd_ms"]
    assert max(b["reported_at"] - b["t"] for b in beats if not b.get("late")) <= SAID_WITHIN_S
    assert sum(b.get("late", False) for b in beats) <= 10 * len(
        list(tmp_path.iterdir())
    )  # beats of the start alone


@pytest.mark.recordings
@pytest.mark.timeout(300)
def test_the_scorer_passes_its_own_test(recordings):
    command = [
        sys.executable,
        str(HERE / "ec57.py"),
        "selftest",
        str(recordings / "mitdb"),
        "--records",
        "100,105",
    ]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    for name in CASES:
        with tempfile.TemporaryDirectory() as made:
            now, _ = measured(Path(os.environ["VITALD_DATA"]), name, Path(made))
        print(json.dumps({name: {k: round(v, 3) for k, v in now.items()}}, indent=2))
