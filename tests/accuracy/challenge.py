"""The PhysioNet/CinC Challenge 2015 in real time: which of a monitor's alarms would ours have said, too?

    VITALD_DATA=... python -m tests.accuracy.challenge [FOLDER] [STEP]     (cinc2015, or cinc2015_train; 3: every third of a kind)

A recording is analysed up to its alarm and no further, by the very stages of `vitald analyse`; the alarm engine hears the same
findings twice, with the Challenge's limits and with those of a new patient. An alarm counts as ours when it was on at some
moment of the last 10 s before it. Score = (TP + TN) / (TP + TN + FP + 5 FN).
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.alarm_lines import CHALLENGE_NAME, AlarmLines, Line, limits_of
from daemon.cli.analyse import chosen, items
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from daemon.model.findings import Finding
from daemon.model.signals import Item, SampleBlock
from firmware_bridge.recordings import open_recording
from tests.accuracy import ec57
from tests.accuracy.analysed import at_once

LOOK_BACK_S = 10.0
NAMES = {
    "Asystole": "ASYSTOLE",
    "Bradycardia": "EXTREME BRADY",
    "Tachycardia": "EXTREME TACHY",
    "Ventricular_Flutter_Fib": "VENT FIB",
    "Ventricular_Tachycardia": "VENT TACHY",
}
LIMITS: dict[str, str | None] = {"challenge": CHALLENGE_NAME, "default": None}
ALL = "all"
MORE_FALSE = 1
"""So many false alarms of a kind may come with a change that pays for them."""

Counts = dict[str, dict[str, Counter[str]]]
"""Limits, then type of alarm or ALL, then tp, fn, fp, tn."""


@dataclass(frozen=True)
class Alarm:
    """A monitor's alarm, `at_s` into a recording, and whether it was right."""

    record: Path
    kind: str
    truth: bool
    at_s: float


def alarms_of(folder: Path) -> list[Alarm]:
    """The alarms of a set, from its ALARM_TIMES.csv."""
    with (folder / "ALARM_TIMES.csv").open(newline="") as file:
        return [
            Alarm(folder / row["record"], row["alarm"], row["true"] == "1", float(row["alarm_s"]))
            for row in csv.DictReader(file)
        ]


def until(recording: Iterable[Item], stop_s: float) -> Iterator[Item]:
    """The items of a recording as far as `stop_s`, and not a sample more."""
    for item in recording:
        if not isinstance(item, SampleBlock):
            yield item
            continue
        n = min(item.n, round((stop_s * 1e9 - item.t0_ns) / item.period_ns))
        if n <= 0:
            return
        counts = item.counts[:, :n]
        yield SampleBlock(
            item.segment, item.first, item.t0_ns, item.period_ns, counts, item.time_of(item.first + n)
        )


def heard(alarm: Alarm) -> list[tuple[Item, list[Finding]]]:
    """What analysis says of each item before the alarm."""
    recording = open_recording(alarm.record)
    pipeline = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    given = until(items(recording, *chosen(recording, None)), alarm.at_s)
    return [(item, pipeline.push(item)) for item in given]


def said(alarm: Alarm) -> dict[str, bool]:
    """Whether our alarm of this kind was on, by limits."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    found = heard(alarm)
    return {name: was_on(lines_of(found, limits), alarm) for name, limits in LIMITS.items()}


def lines_of(found: list[tuple[Item, list[Finding]]], limits: str | None) -> list[Line]:
    """The alarm lines of findings."""
    engine = AlarmLines(limits_of(limits))
    return [line for item, findings in found for _, line in engine.push(item, findings)]


def was_on(lines: list[Line], alarm: Alarm) -> bool:
    """Whether the alarm of its name was on at some moment of the last seconds."""
    ours = [line for line in lines if line["alarm"] == NAMES[alarm.kind]]
    return bool(ec57.was_on(ours, alarm.at_s, LOOK_BACK_S))


def sampled(alarms: list[Alarm], step: int) -> list[Alarm]:
    """Every so many of the true ones of each kind, and of the false ones."""
    cells = [
        [a for a in alarms if (a.kind, a.truth) == (kind, truth)] for kind in NAMES for truth in (True, False)
    ]
    return [alarm for cell in cells for alarm in cell[::step]]


def judged(folder: Path, step: int = 1) -> tuple[Counts, dict[str, dict[str, str]]]:
    """The counts over a set, and the cell of each record by limits."""
    alarms = sampled(alarms_of(folder), step)
    with ProcessPoolExecutor(at_once()) as pool:
        answers = list(pool.map(said, alarms))
    counts: Counts = {name: {kind: Counter() for kind in (*NAMES, ALL)} for name in LIMITS}
    cells: dict[str, dict[str, str]] = {name: {} for name in LIMITS}
    for alarm, answer in zip(alarms, answers, strict=True):
        for name, was in answer.items():
            cell = ("tp" if was else "fn") if alarm.truth else ("fp" if was else "tn")
            cells[name][alarm.record.name] = cell
            counts[name][alarm.kind][cell] += 1
            counts[name][ALL][cell] += 1
    return counts, cells


def score(counts: Counter[str]) -> float:
    """The Challenge's score, %; 100 without an alarm."""
    right = counts["tp"] + counts["tn"]
    return 100.0 * right / max(right + counts["fp"] + 5 * counts["fn"], 1) if counts.total() else 100.0


def printed(counts: Counts, cells: dict[str, dict[str, str]]) -> str:
    """A table, both limits side by side, and the records that were judged wrongly."""
    columns = "   TP  FN  FP  TN  score"
    lines = [f"{'':24}" + "".join(f"{name:>25}" for name in LIMITS), f"{'':24}" + columns * len(LIMITS)]
    for kind in (*NAMES, ALL):
        row = [f"{kind:24}"]
        for name in LIMITS:
            c = counts[name][kind]
            row.append(f"{c['tp']:5d}{c['fn']:4d}{c['fp']:4d}{c['tn']:4d}{score(c):7.1f}")
        lines.append("".join(row))
    for name, of in cells.items():
        for cell in ("fn", "fp"):
            lines.append(f"{name} {cell}: " + " ".join(r for r, c in of.items() if c == cell))
    return "\n".join(lines)


def fallen(before: Mapping[str, float], found: Mapping[str, float]) -> bool:
    """Whether more alarms of a kind are missed than were, or too many more are false."""
    return found["fn"] > before["fn"] or found["fp"] > before["fp"] + MORE_FALSE


def figures(counts: Counts) -> dict[str, dict[str, dict[str, float]]]:
    """Counts and scores in the form of challenge.json."""
    cells = ("tp", "fn", "fp", "tn")
    return {
        name: {
            kind: {**{cell: float(c[cell]) for cell in cells}, "score": round(score(c), 1)}
            for kind, c in of.items()
        }
        for name, of in counts.items()
    }


if __name__ == "__main__":
    folder = Path(os.environ["VITALD_DATA"]) / (sys.argv[1] if len(sys.argv) > 1 else "cinc2015")
    found_counts, found_cells = judged(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(printed(found_counts, found_cells), file=sys.stderr)
    print(json.dumps(figures(found_counts), indent=1))
