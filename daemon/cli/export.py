"""`vitald export`: a session, or a part of it, as a file in one of the formats of docs/exchange.md."""

from __future__ import annotations

import argparse
import asyncio
import math
import sqlite3
import sys
import uuid
from pathlib import Path

from daemon import __version__
from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.exports import ExportAsked, ExportClient
from daemon.exchange.deidentify import NoKey
from daemon.exchange.formats import FORMATS, Asked, Source, export
from daemon.exchange.stretch import NotExportable


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("session", help="its name (session_20250108_123456) or UUID")
    parser.add_argument("--format", choices=tuple(FORMATS), default="edf", help="default: edf")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PATH",
        help="the file to make; of wfdb and csv a folder, or a zip file where it ends in .zip",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="start", type=float, default=0.0, metavar="S", help="from so many seconds on"
    )
    parser.add_argument("--to", dest="end", type=float, default=math.inf, metavar="S", help="up to there")
    parser.add_argument(
        "--anonymous", action="store_true", help="without the patient's name, address and phone"
    )
    parser.add_argument(
        "--deidentify",
        action="store_true",
        help="other ids, dates moved, no birth date, no names (docs/exchange.md)",
    )
    parser.add_argument("--demo", action="store_true", help="a simulator's session too, marked as a test")
    parser.add_argument(
        "--pdf",
        type=Path,
        metavar="FILE",
        help="a report: what dicom-pdf is made of, or what goes with fhir and hl7",
    )


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    if options.start < 0 or options.end <= options.start:
        raise BadInput("--from and --to: seconds, the first before the second")
    who = "deidentify" if options.deidentify else "anonymous" if options.anonymous else "named"
    asked = Asked(
        options.session,
        options.format,
        start_s=options.start,
        end_s=options.end,
        anonymous=options.anonymous,
        deidentify=options.deidentify,
        demo=options.demo,
        pdf=options.pdf,
    )
    _note(config, asked, who)
    box = config.box
    try:
        made = export(
            Source(box.database, box.data, box.serial, __version__, demo=box.demo), asked, options.output
        )
    except (NotExportable, NoKey) as error:
        raise BadInput(str(error)) from None
    except (sqlite3.Error, OSError) as error:
        print(f"not exported: {error}")
        return NOT_WELL
    print(f"{options.output}: {made.count} {made.counted}")
    return WELL


def _note(config: Config, asked: Asked, who: str) -> None:
    """Into the audit, by the daemon; where it does not run that is said, and whoever can read the database goes on."""
    told = ExportAsked(
        id=str(uuid.uuid4()),
        bed="",
        session=asked.session,
        form=asked.form,
        start_s=asked.start_s,
        end_s=None if math.isinf(asked.end_s) else asked.end_s,
        who=who,
        demo=asked.demo,
    )

    async def note() -> str:
        async with ExportClient(config.box.socket) as client:
            return (await client.note(told)).refused

    try:
        refused = asyncio.run(note())
    except NotPermitted as error:
        raise BadInput(str(error)) from None
    except NotAnswering:
        print("the daemon does not answer: this export is not in the audit trail", file=sys.stderr)
        return
    if refused:
        raise BadInput(refused)
