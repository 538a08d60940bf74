"""`vitald factory-reset`: erase what was recorded and who was here; the box's own settings stay.

Erased: both databases with their logs and damaged copies, reports, what waits for clouds, uploads. Kept: the configuration, the
secrets in /etc/vitald, the certificate of the pages and its authority, the log. With `--everything` secrets and certificates go too.
"""

from __future__ import annotations

import argparse
import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.asked import ask_all
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.store.connection import open_reading
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--name", help="the box's name, where nobody can type it (else it is asked for)")
    parser.add_argument("--everything", action="store_true", help="the credentials too")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    beds = admitted(config, options.config)
    if beds:
        print(say("technician.reset_admitted", beds=", ".join(beds)))
        return NOT_WELL
    doomed = list(erased(config, everything=options.everything))
    print(say("technician.reset_about", name=config.box.name))
    for path in doomed:
        print(f"  {path}")
    try:
        typed = options.name if options.name is not None else input(say("technician.reset_type"))
    except EOFError:
        typed = ""
    if typed.strip() != config.box.name:
        raise BadInput(say("technician.reset_not_typed"))
    with ExitStack() as held:
        if not _hold(config, held):
            print(say("technician.reset_runs"))
            return NOT_WELL
        for path in doomed:
            _erase(path)
    print(say("technician.reset_done", count=str(len(doomed))))
    return WELL


def erased(config: Config, *, everything: bool) -> Iterator[Path]:
    """What goes: all that is in the folders of data but the locks. Folders themselves stay, with their rights."""
    folders = [config.box.data, config.forward_data, config.web_data]
    folders += [Path(config.forward.credentials), config.cert_data] if everything else []
    for folder in folders:
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if path.suffix != ".lock")
    handover = config.box.run / "alarms.json"
    if handover.exists():
        yield handover


def admitted(config: Config, path: Path) -> list[str]:
    """Beds at which somebody is, by the daemon's word, else by the database's."""
    state = ask_all(config, path).state
    if state is not None:
        return [bed.bed for bed in state.beds if bed.patient is not None]
    if not config.box.people.exists():
        return []
    try:
        db = open_reading(config.box.people)
    except sqlite3.Error as error:
        raise BadInput(f"{config.box.people}: {error}") from None
    try:
        return [bed for (bed,) in db.execute("SELECT bed FROM stays WHERE discharged_by IS NULL")]
    except sqlite3.DatabaseError:  # damaged, or from before there were stays: nobody is known to be here
        return []
    finally:
        db.close()


def _hold(config: Config, held: ExitStack) -> bool:
    """Whether nobody else writes: daemon and forwarder are stopped, and stay so."""
    for lock in (config.box.run / "daemon.lock", config.forward_data / "forward.lock"):
        if not lock.parent.is_dir():
            continue
        file = held.enter_context(lock.open("w"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
