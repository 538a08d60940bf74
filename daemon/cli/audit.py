"""`vitald audit`: who did what, read from box.db itself; the daemon need not run."""

from __future__ import annotations

import argparse
import json
import sqlite3
from datetime import UTC, date, datetime, timedelta

from daemon import audit
from daemon.audit import Filter
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.store.box import ask_box


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    verify = acts.add_parser("verify", help="whether every row follows from those before it")
    listed = acts.add_parser("list", help="the newest rows, oldest first")
    for sub in (verify, listed):
        add_config(sub)
        sub.add_argument("--json", action="store_true", help="JSON")
    listed.add_argument("--actor", default="", help="the name of who acted holds this")
    listed.add_argument("--what", default="", metavar="ACT", help="the act holds this")
    listed.add_argument("--bed", default="")
    listed.add_argument("--subject", default="", help="patient, person or device (an id holds this)")
    listed.add_argument(
        "--from", dest="since", type=date.fromisoformat, metavar="DAY", help="2025-01-31 (UTC)"
    )
    listed.add_argument("--to", dest="until", type=date.fromisoformat, metavar="DAY", help="that day too")
    listed.add_argument("--most", type=int, default=50, metavar="N", help="at most N rows (default 50)")


def run(options: argparse.Namespace) -> int:
    path = config_of(options).box.people
    try:
        if options.act == "verify":
            broken, rows = ask_box(path, audit.walked)
            return _verified(options, broken, rows)
        if options.most < 1:
            raise BadInput("--most is a number from 1")
        wanted = Filter(
            options.actor,
            options.what,
            options.bed,
            options.subject,
            _start(options.since),
            None if options.until is None else _start(options.until + timedelta(days=1)),
        )
        found = ask_box(path, lambda db: audit.found(db, wanted, most=options.most))
    except sqlite3.Error as error:
        print(f"{path}: {error}")
        return NOT_WELL
    for number, entry in reversed(found):
        if options.json:
            print(json.dumps({"number": number, **audit.told(entry)}, ensure_ascii=False))
        else:
            print(_line(number, entry))
    return WELL


def _verified(options: argparse.Namespace, broken: int | None, rows: int) -> int:
    if options.json:
        print(json.dumps({"whole": broken is None, "rows": rows, "broken_at": broken}))
    elif broken is None:
        print(f"the chain is whole: {rows} rows")
    else:
        print(f"the chain is broken at row {broken}: it was changed, or one before it is missing")
    return WELL if broken is None else NOT_WELL


def _start(day: date | None) -> int | None:
    if day is None:
        return None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000


def _line(number: int, entry: audit.Entry) -> str:
    when = datetime.fromtimestamp(max(entry.utc_ns, 0) / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = f"{entry.actor} [{entry.by.get('role', '-')}, {entry.by.get('origin', '-')}]"
    what = " ".join(f"{name}={value}" for name, value in entry.body.items() if value != "")
    unset = "" if entry.clock_is_set else "?"
    return (
        f"{number:>7} {when}{unset} {who} {entry.act} bed={entry.bed or '-'} {entry.subject} {what}".rstrip()
    )
