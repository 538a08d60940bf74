"""`vitald restore FILE`: the databases of a backup, in place of those that are there; only while the daemon does not run."""

from __future__ import annotations

import argparse
import fcntl
import sqlite3
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("file", type=Path, help="a file made by `vitald backup`")


def run(options: argparse.Namespace) -> int:
    from daemon.store.backup import BadBackup, restore

    box = config_of(options).box
    try:
        box.run.mkdir(parents=True, exist_ok=True, mode=0o750)
        with (box.run / "daemon.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print("the daemon runs: stop it first (systemctl stop vitald vitald-forward)")
                return NOT_WELL
            contents, aside = restore(options.file, box.data)
    except BadBackup as error:
        raise BadInput(str(error)) from None
    except (sqlite3.Error, OSError) as error:
        print(f"not restored: {error}")
        return NOT_WELL
    for path in aside:
        print(f"moved aside: {path}")
    print(f"restored from {options.file}, made at {contents.made_at} by vitald {contents.version}")
    return WELL
