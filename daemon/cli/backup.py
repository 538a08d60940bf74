"""`vitald backup FILE`: both databases in one file, while the daemon runs or not."""

from __future__ import annotations

import argparse
import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from daemon import __version__
from daemon.cli import NOT_WELL, WELL
from daemon.cli.configured import add_config, config_of
from daemon.cli.status import LAST_BACKUP


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("file", type=Path, help="the file to make; it holds patients' data in the clear")


def run(options: argparse.Namespace) -> int:
    from daemon.store.backup import BadBackup, back_up

    try:
        contents = back_up(config_of(options).box.data, options.file, __version__)
    except (BadBackup, sqlite3.Error, OSError) as error:
        print(f"no backup: {error}")
        return NOT_WELL
    for name, size in contents.bytes.items():
        print(f"{name}: {size / 1e6:.1f} MB, checked")
    # For `vitald status`; where a person may not write there, nobody will know of this backup but them.
    with suppress(OSError):
        told = {"made_at": contents.made_at, "bytes": sum(contents.bytes.values())}
        (config_of(options).box.data / LAST_BACKUP).write_text(json.dumps(told), encoding="utf-8")
    print(f"{options.file}: made at {contents.made_at}")
    return WELL
