"""`vitald gaps`: the gap certificate of a bed: nothing is missing (exit 0), or exactly which seconds of which stream, and why (exit 1)."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import time
from datetime import datetime

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.cli.limits import bed_of
from daemon.control.review import MOST_DAYS, GapsAsked
from daemon.review.gaps import MOST_CHECKED_H, Box, certificate
from daemon.review.routes import clouds
from daemon.store.reader import ask

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TIME = "2026-01-08T14:00 (local), 2026-01-08T14:00:00Z, now, or so long ago: 30m, 4h, 2d"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--bed", default="", help="key of the bed; may be left out where there is one")
    parser.add_argument("--from", dest="begin", default="24h", metavar="TIME", help=f"default 24h; {_TIME}")
    parser.add_argument("--to", dest="end", default="now", metavar="TIME", help="default now")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"read every stored second too (at most {MOST_CHECKED_H:g} h of them)",
    )
    parser.add_argument("--json", action="store_true", help="JSON")


def run(options: argparse.Namespace) -> int:
    """From the database itself: the daemon need not run."""
    config = config_of(options)
    bed = bed_of(config, options.bed)
    now_ns = time.time_ns()
    begin_s, end_s = (moment(text, now_ns / 1e9) for text in (options.begin, options.end))
    most_h = MOST_CHECKED_H if options.check else MOST_DAYS * 24
    if not 0 < end_s - begin_s <= most_h * 3600:
        raise BadInput(f"--from is before --to, by at most {most_h:g} h")
    asked = GapsAsked(bed=bed, from_ms=1000 * begin_s, to_ms=1000 * end_s, check=options.check)
    box = Box(config.box.name, config.box.serial)
    try:
        known = asyncio.run(clouds(config))
        told = ask(config.box.database, lambda reader: certificate(reader, asked, box, known, now_ns))
    except (sqlite3.Error, OSError) as error:
        print(f"the store cannot be read: {error}")
        return NOT_WELL
    print(told.model_dump_json(indent=2, exclude={"text"}) if options.json else told.text, end="")
    if options.json:
        print()
    return WELL if told.complete else NOT_WELL


def moment(text: str, now_s: float) -> float:
    """UTC in seconds of what a person wrote. Raises `BadInput`."""
    if text == "now":
        return now_s
    if text[-1:] in _UNITS:
        try:
            return now_s - abs(float(text[:-1])) * _UNITS[text[-1]]
        except ValueError:
            pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BadInput(f"{text!r} is no time: {_TIME}") from None
