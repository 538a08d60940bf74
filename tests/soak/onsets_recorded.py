"""Every recorded VF and flutter of more than 5 s, alarmed within 10 s? And a heart that stops on every set of leads.

Each recording goes through analysis and alarm engine as `vitald analyse` runs them, with the limits of a new patient. A delay is
from the sample at which the annotation stands to the moment at which VENT FIB or VENT TACHY was said; an episode that begins
while one of them is on has none. Every episode that is late or missed is printed, with what was said in its place. The sets
called *_train are those that the tables were fitted on, and are counted by themselves. VITALD_DATA is needed.

    python -m tests.soak.onsets_recorded SET [RECORD ...]     each episode of some recordings
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon.cli.alarm_lines import AlarmLines, limits_of
from daemon.cli.analyse import chosen, items
from daemon.dsp.ecg.rhythm.table import load_rhythm_table
from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
from daemon.dsp.interpret import Tables
from daemon.dsp.pipeline import Pipeline
from firmware_bridge.recordings import open_recording
from tests.soak import _excerpts

WITHIN_S, LASTS_S = 10.0, 5.0
SETS = ("vfdb", "cudb", "mitdb")
ROWS = frozenset({"VENT FIB", "VENT TACHY"})
LOST = frozenset({"ASYSTOLE", "FLAT ECG", "EXTREME TACHY", "EXTREME BRADY", "HR HIGH", "HR LOW"})
"""What may be said of a heart in the place of a fibrillation: told with each that is missed."""


@dataclass(frozen=True)
class Episode:
    """One of a recording, s. `delay_s` is infinite where no alarm was on by its end, or 10 s after its onset."""

    record: str
    begin_s: float
    end_s: float
    delay_s: float
    row: str
    instead: tuple[str, ...]

    def __str__(self) -> str:
        said = (
            f"{self.row} after {self.delay_s:.1f} s" if np.isfinite(self.delay_s) else "no alarm of its own"
        )
        others = f"; at that time {', '.join(self.instead)}" if self.instead else ""
        return f"{self.record} {self.begin_s:.1f} to {self.end_s:.1f} s ({self.end_s - self.begin_s:.1f} s): {said}{others}"


def episodes(record: Path) -> list[Episode]:
    """Those of a recording that last, and what our alarms said of each."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    wanted = [(b, e) for kind, b, e in _excerpts.spans(record) if kind == "vf" and e - b > LASTS_S]
    if not wanted:
        return []
    on = _on(record)
    return [judged(record, begin, end, on) for begin, end in wanted]


def judged(record: Path, begin: float, end: float, on: list[tuple[str, float, float]]) -> Episode:
    """An episode from `begin` to `end` (s), given (row, on, off) of all alarms of its recording."""
    until = max(end, begin + WITHIN_S)
    heard = [
        (max(0.0, since - begin), row)
        for row, since, over in on
        if row in ROWS and since <= until and over >= begin
    ]
    delay, row = min(heard, default=(float("inf"), ""))
    instead = {r for r, since, over in on if r in LOST and since <= until and over >= begin}
    return Episode(f"{record.parent.name}/{record.name}", begin, end, delay, row, tuple(sorted(instead)))


def _on(record: Path) -> list[tuple[str, float, float]]:
    """(row, on, off) of every alarm over a recording, s."""
    recording = open_recording(record)
    stream, rows = chosen(recording, None)
    pipeline = Pipeline(
        load_qrs_table(), None, load_class_table(), Tables(load_waves_table(), load_rhythm_table())
    )
    engine = AlarmLines(limits_of(None))
    begun: dict[str, float] = {}
    spans = []
    for item in items(recording, stream, rows):
        for _, line in engine.push(item, pipeline.push(item)):
            row, at = str(line["alarm"]), float(str(line["reported_at"]))
            if line["state"] == "on":
                begun.setdefault(row, at)
            elif row in begun:
                spans.append((row, begun.pop(row), at))
    return [*spans, *((row, since, float("inf")) for row, since in begun.items())]


def run() -> list[str]:
    data = os.environ.get("VITALD_DATA")
    if not data:
        return ["VITALD_DATA is not set"]
    wrong = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in (*SETS, *(f"{name}_train" for name in SETS)):
            found = [one for part in pool.map(episodes, _records(Path(data) / name)) for one in part]
            _say(name, found)
            if name in SETS:
                wrong += [str(one) for one in found if one.delay_s > WITHIN_S]
    return [*wrong, *_standing_still()]


def _records(folder: Path) -> list[Path]:
    return [header.with_suffix("") for header in sorted(folder.glob("*.hea"))]


def _say(name: str, found: list[Episode]) -> None:
    delays = np.array([one.delay_s for one in found])
    if not len(delays):
        print(f"{name}: no episode")
        return
    told = delays[np.isfinite(delays) & (delays > 0)]
    p50, p99 = np.percentile(told, [50, 99]) if len(told) else (float("nan"),) * 2
    print(
        f"{name}: {len(found)} episodes of more than {LASTS_S:g} s, {int(np.sum(delays <= WITHIN_S))} alarmed within {WITHIN_S:g} s"
        f" ({int(np.sum(delays == 0))} of them on already); delays of the others p50 {p50:.1f}, p99 {p99:.1f},"
        f" worst {max(told, default=float('nan')):.1f} s; {int(np.sum(~np.isfinite(delays)))} never",
        flush=True,
    )
    for one in found:
        if one.delay_s > WITHIN_S:
            print(f"  {one}")


def _standing_still(seeds: Iterable[int] = range(20)) -> list[str]:
    """Hearts that stop, each seen by every set of leads."""
    from tests.daemon.alarms import test_standstill as still

    delays: dict[str, list[float]] = {name: [] for name in still.SETS}
    for seed in seeds:
        signals, beats = still.stopping(seed)
        last = max(t for t in beats if t < still.BEATS_AGAIN_S - 2)
        for name, leads in still.SETS.items():
            said = still.standstill(still.alarms({lead: signals[lead] for lead in leads}))
            delays[name].append(min((at - last for state, at in said if state == "on"), default=float("inf")))
    for name, seen in delays.items():
        print(
            f"asystole, {name}: {len(seen)} hearts, p50 {np.median(seen):.2f}, p99 {np.percentile(seen, 99):.2f}, worst {max(seen):.2f} s from the last beat"
        )
    return [f"asystole, {name}: {max(seen):.1f} s" for name, seen in delays.items() if max(seen) > WITHIN_S]


if __name__ == "__main__":
    of, *names = sys.argv[1:]
    for path in _records(Path(os.environ["VITALD_DATA"]) / of):
        if not names or path.name in names:
            print("\n".join(map(str, episodes(path))) or f"{path.name}: no episode")
