"""A session for people and spreadsheets: CSV in UTF-8, times in ISO 8601 with their offset, units in the header, gaps visible.

`numbers.csv` has a row a second and a column a number, `events.csv` alarms and rhythms, `gaps.csv` what is missing and why, and
`waves-<stream>.csv` a row a sample; where samples are missing there is one row, with empty cells, that says until when and why.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from daemon.exchange.letters import title
from daemon.exchange.stretch import MARK, NotExportable, Stretch
from daemon.exchange.waves import Waves, lines, runs
from daemon.model.signals import Nanos
from daemon.store.answers import StoredNumber

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SECOND_NS: Nanos = 1_000_000_000


def write_csv(stretch: Stretch, folder: Path) -> int:
    """Write the tables into `folder` (it is there); the number of rows. Raises `NotExportable`, OSError."""
    rows = _session(stretch, folder) + _numbers(stretch, folder) + _events(stretch, folder)
    sampled = 0
    gaps: set[tuple[str, Nanos, Nanos, str]] = set()
    for line in lines(stretch):
        waves = Waves(stretch, line)
        name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{stretch.serial(line.device)}-{line.name}")
        with _table(folder / f"waves-{name}.csv") as file:
            sampled += _waves(waves, file)
        gaps |= {(f"{stretch.serial(line.device)}/{line.name}", *gap) for gap in waves.gaps}
    with _table(folder / "gaps.csv") as file:
        out = _writer(file, ["stream", "from", "to", "seconds", "cause"])
        for stream, begin_ns, end_ns, cause in sorted(gaps):
            span = (_iso(stretch.at(begin_ns)), _iso(stretch.at(end_ns)))
            out.writerow([stream, *span, f"{(end_ns - begin_ns) / 1e9:.3f}", cause])
    if not rows + sampled:
        raise NotExportable("the session has nothing in this span")
    return rows + sampled


def _table(path: Path) -> IO[str]:
    return path.open("w", encoding="utf-8", newline="")


def _writer(file: IO[str], header: Sequence[str]) -> Any:
    out = csv.writer(file, lineterminator="\r\n")  # RFC 4180
    out.writerow(header)
    return out


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _safe(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula and runs it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _session(stretch: Stretch, folder: Path) -> int:
    session, subject = stretch.session, stretch.subject
    told = {
        "session": session.name,
        "from": _iso(stretch.at(stretch.t0_ns)),
        "to": _iso(stretch.at(stretch.t1_ns)),
        "clock": "set" if session.clock_is_set else "never set: times are a guess",
        "device": session.device,
        "software": stretch.version,
    }
    if stretch.demo:
        told = {"note": MARK, **told}
    if subject is not None:
        told |= {"patient id": subject.id, "name": subject.name, "age": subject.age_text, "sex": subject.sex}
    with _table(folder / "session.csv") as file:
        out = _writer(file, ["what", "value"])
        for key, value in told.items():
            out.writerow([key, _safe(value)])
    return 0


def _numbers(stretch: Stretch, folder: Path) -> int:
    """Read slice by slice; the columns are known after a first look at them."""
    columns: dict[tuple[str, str, str, str], None] = {}
    for part in _parts(stretch):
        columns |= dict.fromkeys(_column(stretch, number) for number in part)
    rows = 0
    place = {column: i for i, column in enumerate(sorted(columns))}
    with _table(folder / "numbers.csv") as file:
        out = _writer(file, ["time", *(_title(column) for column in place)])
        for part in _parts(stretch):
            seconds: dict[int, list[str]] = {}
            for number in part:
                row = seconds.setdefault(number.t_ns // _SECOND_NS, [""] * len(place))
                value = f"({number.why})" if number.value is None else f"{number.value:.6g}"
                row[place[_column(stretch, number)]] = value
            for second, row in sorted(seconds.items()):
                out.writerow([_iso(stretch.at(second * _SECOND_NS)), *row])
                rows += 1
    return rows


def _parts(stretch: Stretch) -> Iterator[list[StoredNumber]]:
    for begin_ns, end_ns in stretch.slices():
        yield stretch.metrics(begin_ns, end_ns)


def _column(stretch: Stretch, number: StoredNumber) -> tuple[str, str, str, str]:
    return number.name, number.lead, stretch.serial(number.device), number.unit


def _title(column: tuple[str, str, str, str]) -> str:
    name, lead, device, unit = column
    where = " ".join(part for part in (lead if lead != "global" else "", device) if part)
    told = title(name) + (f" {where}" if where else "")
    return f"{told} [{unit}]" if unit not in {"", "1"} else told


def _events(stretch: Stretch, folder: Path) -> int:
    rows = 0
    with _table(folder / "events.csv") as file:
        out = _writer(file, ["time", "kind", "what", "detail"])
        for event in stretch.events(["alarm", "rhythm", "event"]):
            body = event.body
            what = body.get("row") or body.get("label") or body.get("name") or ""
            detail = body.get("kind") or ("ended" if body.get("end_ns") else "") or body.get("detail") or ""
            told = [_safe(stretch.text(str(part))) for part in (what, detail)]
            out.writerow([_iso(stretch.at(event.t_ns)), event.kind, *told])
            rows += 1
    return rows


def _waves(waves: Waves, file: IO[str]) -> int:
    """A row a sample; a stretch without samples is one row. Values have as many digits as a count is worth."""
    stretch, line = waves.stretch, waves.line
    digits = [max(0, int(np.ceil(-np.log10(abs(c.gain)))) + 1) if c.gain else 0 for c in line.channels]
    out = _writer(file, ["time", *(f"{c.name} [{c.unit}]" for c in line.channels), "missing"])
    gains = np.array([c.gain for c in line.channels])[:, None]
    offsets = np.array([c.offset for c in line.channels])[:, None]
    row = ",".join(["%s", *(f"%.{d}f" for d in digits), ""]) + "\r\n"
    rows, absent = 0, None
    for piece in waves.pieces():
        done = 0
        for begin, end in runs(piece.present):
            absent = piece.first + done if absent is None and begin > done else absent
            if absent is not None:
                _missing(waves, out, absent, piece.first + begin)
                absent = None
            values = ((piece.counts[:, begin:end] - offsets) * gains).T.tolist()
            times = _times(stretch, line.rate_hz, piece.first + begin, end - begin)
            file.writelines(row % (time, *value) for time, value in zip(times, values, strict=True))
            rows, done = rows + end - begin, end
        if done < piece.present.size and absent is None:
            absent = piece.first + done
    return rows


def _times(stretch: Stretch, rate_hz: float, first: int, n: int) -> Iterator[str]:
    """ISO times of samples; the offset from UTC is looked up once a second (clocks change at whole seconds)."""
    second, known = None, ""
    offset = ""
    for number in range(first, first + n):
        t_ns = stretch.t0_ns + round(number * 1e9 / rate_hz)
        micros = (t_ns + stretch.session.utc_offset_ns) // 1000
        if micros // 1_000_000 != second:
            second = micros // 1_000_000
            text = stretch.at(t_ns).isoformat(timespec="seconds")
            known, offset = text[:19], text[19:]
        yield f"{known}.{micros % 1_000_000:06d}{offset}"


def _missing(waves: Waves, out: Any, begin: int, end: int) -> None:
    stretch, rate_hz = waves.stretch, waves.line.rate_hz
    t0_ns, t1_ns = (stretch.t0_ns + round(number * 1e9 / rate_hz) for number in (begin, end))
    slack = round(1e9 / rate_hz)
    causes = {cause for a, b, cause in waves.gaps if a < t1_ns + slack and b > t0_ns - slack}
    told = f"missing until {_iso(stretch.at(t1_ns))} ({', '.join(sorted(causes)) or 'nothing was connected'})"
    out.writerow([_iso(stretch.at(t0_ns)), *[""] * len(waves.line.channels), told])
