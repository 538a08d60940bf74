"""`vitald analyse RECORD`: the very same streaming analysis that runs at the bed, over a file, as fast as it can.

Prints JSON lines in the order in which they were said: `reported_at` (how much signal had been seen, in seconds) never
decreases, `t` (what the line is about) may. Line types: `beat`, `metrics`, `quality`, `waves`, `rhythm`, `event`,
`conclusions`, `alarm`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from operator import attrgetter, itemgetter
from pathlib import Path

from daemon.cli import WELL, BadInput
from daemon.cli.alarm_lines import AlarmLines, Line, limits_of
from daemon.dsp.leads import lead_name
from daemon.dsp.pulse import is_pulse
from daemon.model.findings import (
    Beat,
    Conclusions,
    DisplayBlock,
    Event,
    Finding,
    Metric,
    Quality,
    Rhythm,
    RunCounted,
    Statement,
    Waves,
)
from daemon.model.signals import Gap, GapCause, Item, Nanos, Quantity, SampleBlock, Segment, Stream
from daemon.words import say
from firmware_bridge.recordings import BadRecording, Recording, open_recording

SECONDS_A_BLOCK = 60.0
_ENCODE = json.JSONEncoder(check_circular=False).encode

MARKS = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")
BESIDE = {
    Quantity.FLOW,
    Quantity.AIRWAY_PRESSURE,
    Quantity.LEAK,
    Quantity.OXYGEN,
    Quantity.TANK_PRESSURE,
    Quantity.PLETH,
}
"""What is analysed of a recording without an ECG."""
MARKS_OF = attrgetter(*(f"{name}_ns" for name in MARKS))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "record", help="an EDF or SCP-ECG file, a WFDB record (path without suffix) or a CSV file"
    )
    parser.add_argument(
        "--lead",
        metavar="NAME",
        help="analyse this lead alone (as named in the recording, or 1 for the first)",
    )
    parser.add_argument(
        "--limits",
        metavar="FILE",
        help="alarm limits as JSON, {row: {key: value}}, in place of the default ones; or the preset `challenge`",
    )


def run(options: argparse.Namespace) -> int:
    from daemon.dsp.ecg.rhythm.table import load_rhythm_table
    from daemon.dsp.ecg.tables import load_class_table, load_qrs_table, load_waves_table
    from daemon.dsp.interpret import Tables
    from daemon.dsp.pipeline import Pipeline

    try:
        recording = open_recording(Path(options.record))
    except BadRecording as error:
        raise BadInput(str(error)) from None
    stream, rows = chosen(recording, options.lead)
    further = Tables(load_waves_table(), load_rhythm_table())
    pipeline = Pipeline(load_qrs_table(), None, load_class_table(), further)
    alarms = AlarmLines(limits_of(options.limits))
    for item in items(recording, stream, rows):
        findings = pipeline.push(item)
        _print(findings, alarms.push(item, findings))
    _print(pipeline.finish(), [])
    return WELL


def _print(findings: list[Finding], alarms: list[tuple[Nanos, Line]]) -> None:
    said = [(finding.due_ns, line_of(finding)) for finding in findings]
    lines = sorted(
        [*said, *alarms], key=itemgetter(0)
    )  # each in order already, and what was said comes first
    sys.stdout.write("".join([f"{_ENCODE(line)}\n" for _, line in lines if line is not None]))


def chosen(recording: Recording, lead: str | None) -> tuple[Stream, list[int]]:
    """The ECG to analyse, with the pulse waves beside it, and their places in the recording. Raises `BadInput` naming the leads there are.

    Without an ECG, and with no lead asked for: airflow or a concentrator's channels.
    """
    ecg = [i for i, channel in enumerate(recording.channels) if channel.quantity is Quantity.ECG]
    names = [recording.channels[i].name for i in ecg]
    beside = [i for i, channel in enumerate(recording.channels) if channel.quantity in BESIDE]
    if not ecg and beside and lead is None:
        channels = tuple(recording.channels[i] for i in beside)
        return Stream(recording.name, "beside", recording.rate_hz, channels), beside
    if not ecg:
        raise BadInput(
            f"{recording.name}: no ECG signal among {', '.join(c.name for c in recording.channels)}"
        )
    if lead is not None:
        place = int(lead) - 1 if lead.isdecimal() else _place(lead, names)
        if not 0 <= place < len(ecg):
            raise BadInput(f"{recording.name}: no lead {lead}; there are {', '.join(names)}")
        ecg = [ecg[place]]
    rows = [*ecg, *(i for i, channel in enumerate(recording.channels) if is_pulse(channel))]
    return Stream(recording.name, "ecg", recording.rate_hz, tuple(recording.channels[i] for i in rows)), rows


def _place(lead: str, names: list[str]) -> int:
    """The channel called `lead`, else the one that stands for it (MLII for II); -1 where there is none."""
    wanted = lead.lower()
    called = [name.lower() for name in names]
    stands_for = [lead_name(name).lower() for name in names]
    return next((known.index(wanted) for known in (called, stands_for) if wanted in known), -1)


def items(recording: Recording, stream: Stream, rows: list[int]) -> Iterator[Item]:
    """The recording as the items that a port would have given: blocks, and gaps where the file marks samples missing."""
    segment = Segment(recording.name, "", stream, "", 0, 0)
    period_ns = 1e9 / recording.rate_hz
    step = max(1, round(SECONDS_A_BLOCK * recording.rate_hz))
    at = 0
    for start, stop in [*recording.gaps(), (recording.n, recording.n)]:
        while at < start:
            end = min(start, at + step)
            counts = recording.counts(at, end)[rows]
            yield SampleBlock(segment, at, round(at * period_ns), period_ns, counts, round(end * period_ns))
            at = end
        if stop > start:
            yield Gap(
                segment,
                start,
                stop - start,
                round(start * period_ns),
                round(stop * period_ns),
                GapCause.UNKNOWN,
            )
            at = stop


def line_of(finding: Finding) -> dict[str, object] | None:
    """A finding as a JSON line; None for what is only for the screen, or for alarms."""
    if isinstance(finding, DisplayBlock | RunCounted):
        return None
    when = {"t": _seconds(finding.t_ns), "reported_at": _seconds(finding.due_ns)}
    match finding:
        case Beat():
            late = {"late": True} if finding.late else {}
            return {"type": "beat", **when, "class": finding.label.value, **late}
        case Metric():
            why = {"why": finding.why.value} if finding.why is not None else {}
            number = {finding.name: finding.value, "unit": finding.unit, "lead": finding.lead}
            return {"type": "metrics", **when, **number, **why}
        case Quality():
            trouble = finding.trouble.value or None
            return {
                "type": "quality",
                **when,
                "lead": finding.lead,
                "grade": finding.grade.value,
                "trouble": trouble,
            }
        case Waves():
            marks = {name: _seconds(at) for name, at in zip(MARKS, MARKS_OF(finding), strict=True)}
            return {"type": "waves", **when, "lead": finding.lead, **marks, "p_state": finding.p_state}
        case Rhythm():
            # While it goes on it has lasted until now; another line says its end when it is over.
            end = finding.due_ns if finding.end_ns is None else finding.end_ns
            return {"type": "rhythm", **when, "end": _seconds(end), "rhythm": finding.label}
        case Event():
            numbers = {name: [value, unit] for name, value, unit in finding.numbers}
            detail = {"detail": finding.detail} if finding.detail else {}
            return {
                "type": "event",
                **when,
                "event": finding.name,
                **detail,
                "numbers": numbers,
                "rule": finding.evidence.rule,
            }
        case Conclusions():
            return {
                "type": "conclusions",
                **when,
                "statements": [_statement(one) for one in finding.statements],
            }


def _statement(statement: Statement) -> dict[str, object]:
    """One sentence in words, with what it rests on."""
    absent = {"absent": {name: why.value for name, why in statement.absent}} if statement.absent else {}
    return {
        "statement": statement.key,
        "text": say(f"statement.{statement.key}"),
        "criteria": [asdict(criterion) for criterion in statement.criteria],
        **absent,
        "unconfirmed": statement.unconfirmed,
    }


def _seconds(t_ns: int | None) -> float | None:
    return None if t_ns is None else round(t_ns / 1e9, 4)
