"""`vitald logs`: what the processes have logged, from systemd's journal, or from the files that a run has left."""

from __future__ import annotations

import argparse
import subprocess
import time
from pathlib import Path

from daemon.appliance import journal
from daemon.appliance.surroundings import UNITS
from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config
from daemon.words import say

LOOK_S = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--since", default="", metavar="TIME", help='as journalctl has it: "-1h", "2026-01-31 12:00"'
    )
    parser.add_argument("--unit", action="append", choices=UNITS, help="only this process (may be repeated)")
    parser.add_argument("--lines", type=int, default=200, help="how many at most (default 200)")


def run(options: argparse.Namespace) -> int:
    units = options.unit or list(UNITS)
    if journal.has_journal():
        lines = None if options.since else options.lines
        call = journal.command(units, follow=options.follow, since=options.since, lines=lines)
        try:
            return WELL if subprocess.run(call, check=False).returncode == 0 else NOT_WELL  # noqa: S603 - our own words
        except KeyboardInterrupt:
            return WELL
    files = journal.files(options.config)
    if not files:
        print(say("technician.no_logs", folder=str(options.config.parent)))
        return NOT_WELL
    if options.since:
        print(say("technician.since_not_here"))
    print(say("technician.log_files", files=", ".join(path.name for path in files)))
    for path in files:
        for line in journal.tail(path, options.lines):
            print(f"{path.stem}: {line}")
    if options.follow:
        _follow(files)
    return WELL


def _follow(files: list[Path]) -> None:
    ends = {path: path.stat().st_size for path in files}
    try:
        while True:
            for path, end in ends.items():
                with path.open("rb") as file:
                    file.seek(end)
                    new = file.read()
                *whole, _rest = new.split(b"\n")
                ends[path] = end + sum(len(line) + 1 for line in whole)
                for line in whole:
                    print(f"{path.stem}: {line.decode(errors='replace')}", flush=True)
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return
