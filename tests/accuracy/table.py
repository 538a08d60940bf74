"""Writes docs/accuracy.md: our figures as measured now, and those of other open programs on the same recordings.

    VITALD_DATA=... python tests/accuracy/table.py

The others' figures stand in peers.json with their versions and the day; they were measured with the same scorer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/accuracy.md"
HEAD = """# How accurate the ECG analysis is

*Made by `python tests/accuracy/table.py`; do not edit.* Figures are measured through `vitald analyse`, that is with the
streaming analysis that runs at the bed, and scored by `tests/accuracy/ec57.py` (ANSI/AAMI EC57, window 150 ms, flutter left out).
Recordings: 24 records of the MIT-BIH Arrhythmia Database and 118e00, 119e06 of its Noise Stress Test Database. What is learned
was fitted on 16 other records (`training/README.md`, which also says how often these 24 were looked at).

"""


def figures_of_all() -> dict[str, dict[str, float]]:
    spec = importlib.util.spec_from_file_location("test_qrs", HERE / "test_qrs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figures = {}
    for case in module.CASES:
        with tempfile.TemporaryDirectory() as made:
            figures[case], _ = module.measured(Path(os.environ["VITALD_DATA"]), case, Path(made))
    return figures


def page(ours: dict[str, dict[str, float]], peers: dict) -> str:
    lines = [
        "## Where the beats are",
        "",
        "| recordings | program | Se % | +P % | F1 % | missed | extra | R mark, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, f in ours.items():
        mark = f"{f['timing_mean_ms']:+.1f} ± {f['timing_sd_ms']:.1f}"
        lines.append(
            f"| {case} | **vitald** | {f['se']:.3f} | {f['ppv']:.3f} | {f['f1']:.3f} | {f['missed']} | {f['extra']} | {mark} |"
        )
        for p in peers["beats"].get(case, []):
            counts = " | ".join(str(p.get(key, "")) for key in ("missed", "extra", "mark_ms"))
            lines.append(
                f"| {case} | {p['program']} | {p['se']:.2f} | {p['ppv']:.2f} | {p['f1']:.2f} | {counts} |"
            )
    lines += [
        "",
        f"The others, measured with the same scorer on the same recordings: {peers['versions']}. None of them says when a beat is said;",
        "vitald says it within 0.5 s of its R mark. Lowest F1 of a record: "
        + ", ".join(f"{case} {f['worst_record_f1']:.2f} %" for case, f in ours.items())
        + ".",
        "",
        "## What kind of beat it is",
        "",
        "From our own detections; missed beats count. None of the programs above names beats: all of theirs are N.",
        "",
        "| recordings | V Se % | V +P % | S Se % | S +P % |",
        "|---|---|---|---|---|",
    ]
    for case, f in ours.items():
        if case.startswith("mitdb"):
            lines.append(
                f"| {case} | {f['v_se']:.1f} | {f['v_ppv']:.1f} | {f['s_se']:.1f} | {f['s_ppv']:.1f} |"
            )
    lines += ["", f"Published, on other selections of the same database: {peers['classes']}.", ""]
    return HEAD + "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(
        page(figures_of_all(), json.loads((HERE / "peers.json").read_text())), encoding="utf-8", newline="\n"
    )
    print(PAGE.read_text(encoding="utf-8"))
