"""Writes docs/accuracy.md: our figures as measured now, and those of other open programs on the same recordings.

    VITALD_DATA=... python -m tests.accuracy.table

Makes reached.json and nights.json anew too, so that the page and what the tests hold us to are of one measurement. The others' figures come
from peers.json, which `peers.py` writes, with their versions and the day.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import peers as speed
from tests.accuracy import figures, nights, test_intervals
from tests.accuracy.analysed import analyse_all, keep_sampled

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/accuracy.md"
MARKS = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")
HEAD = """# How accurate the analysis is

*Made by `python -m tests.accuracy.table` on {day}; do not edit.* Figures are measured through `vitald analyse`, that is with the
streaming analysis that runs at the bed, and scored by `tests/accuracy/ec57.py` (ANSI/AAMI EC57, window 150 ms, flutter left out).
What is learned was fitted on other records of the same databases (`training/README.md`, which also says how often these were
looked at). Others, by the same scorer on the same recordings on {peers_day}: {versions}; `tests/accuracy/peers.py`.
"""
BEATS = """
## Where the beats are

24 records of the MIT-BIH Arrhythmia Database; 118e00 and 119e06 of its Noise Stress Test Database, after 5 minutes.

| recordings | program | Se % | +P % | F1 % | missed | extra | worst record, F1 % | R mark, ms |
|---|---|---|---|---|---|---|---|---|
"""
SAID = """
None of the others says when a beat is said; vitald says it within {within:.2f} s of its R mark.

## What kind of beat it is

From our own detections; missed beats count. None of the programs above names beats: all of theirs are N.

| recordings | V Se % | V +P % | S Se % | S +P % |
|---|---|---|---|---|
"""
WAVES = """
## Waves

60 records of LUDB, against the readers' marks in each lead; prediction minus reference, mean ± SD in ms.

| leads | program | {marks} |
|---|---|{rules}|
"""
RHYTHM = """
## Rhythm

By time. "Delay": from the onset of an episode to the moment it is said, median.

| recordings | Se % | Sp % | episodes found % | delay, s |
|---|---|---|---|---|
"""


def page(ours: dict[str, figures.Figures], peers: dict, intervals: str, breathing: str, speed: str) -> str:
    day = datetime.now(UTC).date().isoformat()
    parts = [
        HEAD.format(day=day, peers_day=peers.get("day", "an earlier day"), versions=peers["versions"]),
        BEATS,
    ]
    for case in figures.BEATS:
        f = ours[case]
        mark = f"{f['timing_mean_ms']:+.1f} ± {f['timing_sd_ms']:.1f}"
        parts.append(_beats(case, "**vitald**", f, mark))
        for p in peers["beats"].get(case, []):
            parts.append(_beats(case, p["program"], p, p.get("mark_ms", "")))
    parts.append(SAID.format(within=max(ours[case]["said_within_s"] for case in figures.BEATS)))
    for case in ("mitdb, first lead", "mitdb, all leads"):
        values = (f"{ours[case][key]:.1f}" for key in ("v_se", "v_ppv", "s_se", "s_ppv"))
        parts.append(f"| {case} | {' | '.join(values)} |\n")
    parts.append(f"\nPublished, on other selections of the same database: {peers['classes']}.\n")
    parts.append(WAVES.format(marks=" | ".join(MARKS), rules="|".join("---" for _ in MARKS)))
    for case in figures.WAVES:
        marks = {m: {k: ours[case].get(f"{m} {k}") for k in ("se", "ppv", "bias_ms", "sd_ms")} for m in MARKS}
        parts.append(_waves(case.removeprefix("ludb, "), "**vitald**", marks))
    for p in peers.get("waves", []):
        parts.append(_waves("lead II alone", p["program"], p["marks"]))
    parts.append(RHYTHM)
    for case in figures.RHYTHMS:
        values = (f"{ours[case][key]:.1f}" for key in ("se", "sp", "episode_se", "delay_p50_s"))
        parts.append(f"| {case} | {' | '.join(values)} |\n")
    parts.append(f"\n{intervals}\n{breathing}\n{speed}")
    return "".join(parts)


def _beats(case: str, program: str, f: dict, mark: str) -> str:
    """A line of the table; what another's measurement did not keep stays empty."""
    shares = " | ".join(f"{f[key]:.3f}" for key in ("se", "ppv", "f1"))
    worst = f"{f['worst_record_f1']:.2f}" if "worst_record_f1" in f else ""
    return f"| {case} | {program} | {shares} | {f.get('missed', '')} | {f.get('extra', '')} | {worst} | {mark} |\n"


def _waves(leads: str, program: str, marks: dict[str, dict[str, float | None]]) -> str:
    cells = []
    for mark in MARKS:
        f = marks.get(mark) or {}
        if f.get("sd_ms") is None:
            cells.append("")
            continue
        cells.append(f"{f['se']:.1f} / {f['ppv']:.1f}, {f['bias_ms']:+.1f} ± {f['sd_ms']:.1f}")
    return f"| {leads} | {program} | {' | '.join(cells)} |\n"


def machine() -> str:
    """What the seconds were taken on."""
    named = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    processor = named[0] if named else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


def speeds() -> str:
    """The benchmark beside the other programs, as a section of the page."""
    rows = [f"| {row.claim} | {row.value:.3g} {row.unit} | {row.note} |" for row in speed.rows()]
    head = [
        "## Speed",
        "",
        f"In one run on record 100, on one core of: {machine()}.",
        "",
        "| program | time | |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def main() -> None:
    data = Path(os.environ["VITALD_DATA"])
    with tempfile.TemporaryDirectory() as made:
        analyse_all(data, Path(made))
        ours = {case: figures.of(case, data, Path(made)) for case in figures.CASES}
        keep_sampled(Path(made))
        fewer = {case: figures.of(case, data, Path(made)) for case in figures.CASES}
    reached = json.loads((HERE / "reached.json").read_text())
    for of, found in (("figures", ours), ("sampled", fewer)):
        reached[of] = {c: {k: round(v, 3) for k, v in f.items()} for c, f in found.items()}
    (HERE / "reached.json").write_text(json.dumps(reached, indent=1) + "\n")
    peers = json.loads((HERE / "peers.json").read_text())
    slept = nights.scored(data)
    nights.REACHED.write_text(json.dumps(nights.figures(slept), indent=1) + "\n")
    text = page(ours, peers, test_intervals.section(), nights.section(slept), speeds())
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
