"""The minutes around an alarm, gathered from the store and cleared of who it was: what `vitald support-bundle --incident` packs.

Kept: samples, numbers, alarms, verbs of what was done, states. People and devices become numbers, dates become seconds from the
alarm; a text is kept only where it is of the program's own vocabulary.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from daemon.appliance import support
from daemon.appliance.incident import Incident, Wave, page
from daemon.appliance.support import Part, as_json
from daemon.appliance.versions import versions
from daemon.cli import BadInput
from daemon.config import Config
from daemon.model.alarms import ChangeKind
from daemon.model.signals import Nanos
from daemon.store.answers import StoredEvent, Trace
from daemon.store.reader import Reader, ask
from daemon.words import say, table

S: Nanos = 1_000_000_000
WINDOW_S = 30
"""A strip is 10 s before and 20 s after its moment."""

LONGEST_MIN = 15.0
LEFT_OUT = (
    "names, patients' and people's, and their numbers",
    "dates and times of day: all is in seconds from the alarm",
    "serial numbers of devices, names of the box, of beds and of labels",
    "texts that a person has typed",
)
_KINDS = ("rhythm", "event", "quality", "leads", "device", "status", "fact")
_KEPT = {
    "rhythm": ("label",),
    "event": ("name",),
    "quality": ("lead", "grade", "trouble", "score"),
    "leads": ("attached",),
    "device": ("kind", "state", "rate_hz", "samples_lost", "bytes_damaged"),
    "status": ("name",),
    "fact": ("source", "state"),
}
_PLAIN = re.compile(r"^(-?\d+(\.\d+)?|on|off|true|false|low|medium|high|monitor|diagnostic|st)$")


class Numbered:
    """Who or what, as a number: the same each time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._known: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        if not name:
            return ""
        return f"{self._what} {self._known.setdefault(name, len(self._known) + 1)}"


def incident_parts(config: Config, occurrence: str, minutes: float) -> list[Part]:
    """The parts. Raises `BadInput` where there is no such alarm."""
    if not 0 < minutes <= LONGEST_MIN:
        raise BadInput(f"--minutes: up to {LONGEST_MIN:g}")
    try:
        return ask(
            config.box.database, lambda reader: _parts(reader, config, occurrence, round(minutes * 60))
        )
    except (sqlite3.Error, OSError) as error:
        raise BadInput(f"{config.box.database}: {error}") from None


def _parts(reader: Reader, config: Config, occurrence: str, seconds: int) -> list[Part]:
    row = reader.db.execute(
        "SELECT boots.boot, bedsides.bed, e.t_ns, e.body ->> '$.row', e.body ->> '$.priority' FROM events e"
        " JOIN boots ON boots.id = e.boot JOIN bedsides ON bedsides.id = e.bed"
        " WHERE e.kind = 'alarm' AND e.body ->> '$.occurrence' = ? AND e.body ->> '$.kind' = ?",
        (occurrence, ChangeKind.BEGAN),
    ).fetchone()
    if row is None:
        raise BadInput(
            f"there is no alarm {occurrence}; ids are in the history of alarms, and in `vitald status --json`"
        )
    boot, bed, t_ns, name, priority = row
    t0_ns, t1_ns = t_ns - seconds * S, t_ns + seconds * S
    people, devices = Numbered("person"), Numbered("device")
    traces = reader.read(boot, t0_ns, t1_ns, bed=bed)
    waves, chain = _waves(reader, config, boot, bed, t_ns, seconds)
    alarms = list(_alarms(reader, boot, bed, (t0_ns, t1_ns), t_ns, people))
    actions = list(_actions(reader.events(boot, t0_ns, t1_ns, bed=bed, kinds=("command",)), t_ns, people))
    events = list(_events(reader.events(boot, t0_ns, t1_ns, bed=bed, kinds=_KINDS), t_ns, devices))
    numbers = [
        {
            "s": _s(n.t_ns, t_ns),
            "from": devices(n.device) or "analysis",
            "number": n.name,
            "lead": n.lead if not n.device or n.lead in table() else "",
            "value": n.value,
            "unit": n.unit,
            "why": n.why or "",
        }
        for n in reader.metrics(boot, t0_ns, t1_ns, bed=bed)
    ]
    raw = [_raw(trace, at, t_ns, devices) for at, trace in enumerate(traces, start=1)]
    parts = [
        *raw,
        _csv("filtered.csv", _filtered_rows(waves)),
        as_json("alarms.json", alarms),
        as_json("actions.json", actions),
        as_json("events.json", events),
        _csv("numbers.csv", [list(numbers[0]) if numbers else [], *(list(n.values()) for n in numbers)]),
        as_json("configuration.json", support.configuration(config)),
        as_json("versions.json", versions()),
    ]
    made = versions()
    incident = Incident(
        title=f"{say(f'alarm.{name}', instance='')} ({priority})",
        from_s=-float(seconds),
        to_s=float(seconds),
        facts={
            "alarm": name,
            "priority": priority,
            "before and after": f"{seconds} s",
            "streams": str(len(traces)),
        },
        waves=waves,
        chain=chain,
        alarms=alarms,
        actions=actions,
        events=events,
        numbers=[
            n for n in numbers if n["number"] in {"heart_rate", "spo2", "respiration_rate", "pulse_rate"}
        ],
        configuration=support.configuration(config),
        versions={name: made[name] for name in ("vitald", "sha256", "python", "sqlite", "kernel")},
        files=[part.name for part in parts],
    )
    return [Part("incident.html", page(incident).encode()), *parts]


def _waves(
    reader: Reader, config: Config, boot: str, bed: str, t_ns: Nanos, seconds: int
) -> tuple[list[Wave], Sequence[str]]:
    """What the screen showed, strip by strip."""
    from daemon.dsp.display import DisplaySettings
    from daemon.dsp.ecg.tables import load_qrs_table
    from daemon.review.strip import BEFORE_NS, strip

    display = config.beds[bed].display if bed in config.beds else None
    settings = DisplaySettings(**display.model_dump()) if display is not None else DisplaySettings()
    qrs, waves, chain = load_qrs_table(), list[Wave](), tuple[str, ...]()
    for begin_s in range(-seconds, seconds, WINDOW_S):
        shown = strip(reader, boot, bed, t_ns + begin_s * S + BEFORE_NS, settings, qrs)
        chain = shown.chain or chain
        for lead, values in zip(shown.leads, shown.values, strict=True):
            waves.append(Wave(lead, _s(shown.t0_ns, t_ns), shown.period_ns / 1e9, values))
    return waves, chain


def _alarms(
    reader: Reader, boot: str, bed: str, span: tuple[Nanos, Nanos], t_ns: Nanos, people: Numbered
) -> Iterator[dict[str, Any]]:
    for one in reader.log.between(bed, boot, *span):
        yield {
            "alarm": one.row,
            "priority": one.priority,
            "onset s": _s(one.onset_ns, t_ns),
            "began s": _s(one.began_ns, t_ns),
            "over s": None if one.over_ns is None else _s(one.over_ns, t_ns),
            "acknowledged s": None if one.acknowledged_ns is None else _s(one.acknowledged_ns, t_ns),
            "by": people(one.acknowledged_by),
            "value": one.value,
            "limit": one.limit,
            "unit": one.unit,
        }


def _actions(commands: Iterable[StoredEvent], t_ns: Nanos, people: Numbered) -> Iterator[dict[str, Any]]:
    for one in commands:
        body: Mapping[str, Any] = one.body
        values = body.get("values") or {}
        kept = {
            str(k): v
            for k, v in dict(values).items()
            if re.fullmatch(r"[a-z_.]{1,40}", str(k))
            and _PLAIN.match(str(v))
            and not str(k).endswith(("name", "age", "phone", "_id"))
        }
        yield {
            "s": _s(one.t_ns, t_ns),
            "did": str(body.get("verb", "")),
            "who": people(str(body.get("actor", ""))),
            "values": ", ".join(f"{k} {v}" for k, v in kept.items()),
        }


def _events(events: Iterable[StoredEvent], t_ns: Nanos, devices: Numbered) -> Iterator[dict[str, Any]]:
    for one in events:
        body: Mapping[str, Any] = one.body
        kept = {name: body[name] for name in _KEPT[one.kind] if name in body}
        device = devices(str(body.get("device", ""))) if one.kind in {"device", "status"} else ""
        yield {"s": _s(one.t_ns, t_ns), "kind": one.kind, "of": device, "is": json.dumps(kept, default=str)}


def _raw(trace: Trace, at: int, t_ns: Nanos, devices: Numbered) -> Part:
    """Counts as they came; physical = (counts - offset) * gain stands in the head."""
    device = devices(trace.segment.device).replace(" ", "")
    head = [f"{c.name} ({c.unit}, gain {c.gain:g}, offset {c.offset:g})" for c in trace.channels]
    times = (trace.times_ns() - t_ns) / 1e9
    rows: list[list[object]] = [["sample", "s", *head]]
    for column in np.flatnonzero(trace.present).tolist():
        counts = trace.counts[:, column].tolist()
        rows.append([trace.first + column, f"{times[column]:.4f}", *counts])
    return _csv(f"raw/{at:02d}-{device}-{trace.segment.name}.csv", rows)


def _filtered_rows(waves: Sequence[Wave]) -> Iterator[list[object]]:
    yield ["lead", "s", "mV"]
    for wave in waves:
        for at, value in enumerate(wave.values.tolist()):
            if not math.isnan(value):
                yield [wave.name, f"{wave.t0_s + at * wave.period_s:.4f}", f"{value:.4f}"]


def _csv(name: str, rows: Iterable[Sequence[object]]) -> Part:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return Part(name, out.getvalue().encode())


def _s(t_ns: Nanos, zero_ns: Nanos) -> float:
    return round((t_ns - zero_ns) / 1e9, 3)
