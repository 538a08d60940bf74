"""Copies of both databases in one file, taken while the daemon writes; and putting them back while it does not run.

A backup is a tar of `manifest.json` (version, time, name -> size and SHA-256), `vitald.db` and `box.db`: whole databases of one
moment each, checked after they were copied. It holds patients' data in the clear.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from daemon.model.outgoing import Lane
from daemon.store import schema
from daemon.store.connection import open_reading, open_writing
from daemon.store.imports import PREFIX
from daemon.store.sending import as_json

MANIFEST = "manifest.json"
RECORDED, PEOPLE = "vitald.db", "box.db"
KINDS: Mapping[str, schema.Schema] = {RECORDED: schema.recording(), PEOPLE: schema.BOX}
_PIECE = 1 << 20

SEQS_SKIPPED = 1 << 32
"""After a restore messages go on this far beyond: numbers that were given out since the backup are never given out again."""


class BadBackup(Exception):
    """The file is no backup, or not a whole one; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: `made_at` (UTC, RFC 3339), by which version, and bytes by name."""

    made_at: str
    version: str
    bytes: Mapping[str, int]


def back_up(folder: Path, to: Path, version: str) -> Contents:
    """Copy the databases of `folder` into the file `to`, which appears when it is whole.

    Raises sqlite3.Error, OSError, and `BadBackup` where a copy is not sound: then the file is not made.
    """
    with tempfile.TemporaryDirectory(dir=to.absolute().parent, prefix=".backup-") as made:
        copies = {name: Path(made) / name for name in KINDS if (folder / name).exists()}
        if RECORDED not in copies:
            raise BadBackup(f"{folder / RECORDED}: there is no such file")
        for name, copy in copies.items():
            _copy(folder / name, copy)
            _check(copy, KINDS[name])
        made_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        sizes = {name: copy.stat().st_size for name, copy in copies.items()}
        files = {name: {"bytes": sizes[name], "sha256": _sha256(copy)} for name, copy in copies.items()}
        manifest = {"made_at": made_at, "version": version, "files": files}
        fresh = Path(made) / "whole"
        with fresh.open("wb") as out:
            os.fchmod(out.fileno(), 0o600)
            with tarfile.open(fileobj=out, mode="w") as tar:
                text = json.dumps(manifest, indent=2).encode()
                entry = tarfile.TarInfo(MANIFEST)
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))
                for name, copy in copies.items():
                    tar.add(copy, name)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(to)
    _sync(to.absolute().parent)
    return Contents(made_at, version, sizes)


def restore(backup: Path, folder: Path) -> tuple[Contents, list[Path]]:
    """Put the databases of a backup into `folder`; what was there is moved aside. The new paths of that.

    Nothing is touched before the backup is found whole. No process may have the databases open. Raises `BadBackup`,
    sqlite3.Error, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as made:
        contents = _unpack(backup, Path(made))
        for name in contents.bytes:
            _check(Path(made) / name, KINDS[name])
        _renumber(Path(made) / RECORDED)
        aside: list[Path] = []
        for name in contents.bytes:
            fresh = Path(made) / name
            fresh.chmod(0o640)
            _own(fresh, folder)
            _sync(fresh)
            aside += _move_aside(folder / name)
            fresh.replace(folder / name)
    _sync(folder)
    return contents, aside


def _copy(source: Path, copy: Path) -> None:
    """One snapshot, -wal included, while another process writes."""
    reading = open_reading(source)
    try:
        writing = sqlite3.connect(copy)
        try:
            reading.backup(writing)
            if reading.overtaken:  # it was read without locks and somebody began to write
                reading.close()
                reading = open_reading(source)
                reading.backup(writing)
        finally:
            writing.close()
    finally:
        reading.close()


def _check(copy: Path, kind: schema.Schema) -> None:
    db = sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)
    try:
        kind.recognise(db)
        verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        broken = db.execute("PRAGMA foreign_key_check").fetchone()
    except (sqlite3.DatabaseError, schema.ForeignStore) as error:
        raise BadBackup(f"{copy.name}: {error}") from None
    finally:
        db.close()
    if verdict != "ok" or broken is not None:
        raise BadBackup(
            f"{copy.name}: {verdict if verdict != 'ok' else f'a row of {broken[0]} refers to nothing'}"
        )


def _unpack(backup: Path, into: Path) -> Contents:
    try:
        with tarfile.open(backup, "r:") as tar:
            manifest = json.loads(_member(tar, MANIFEST).read())
            files: dict[str, dict[str, object]] = manifest["files"]
            if RECORDED not in files or not set(files) <= set(KINDS):
                raise BadBackup(f"{backup}: it does not hold what a backup holds")
            for name, file in files.items():
                with (into / name).open("wb") as out:
                    shutil.copyfileobj(_member(tar, name), out, _PIECE)
                if _sha256(into / name) != file["sha256"]:
                    raise BadBackup(f"{backup}: {name} is not what was backed up")
            sizes = {name: (into / name).stat().st_size for name in files}
            return Contents(str(manifest["made_at"]), str(manifest["version"]), sizes)
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise BadBackup(f"{backup}: no backup: {error}") from None


def _member(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    file = tar.extractfile(name)
    if file is None:
        raise BadBackup(f"{name} is no file")
    return file  # type: ignore[return-value]  # what it gives has read and readinto, which is all we use


def _renumber(recorded: Path) -> None:
    """A message that tells of the restore, far beyond the last one; and the file at the latest step."""
    db = open_writing(recorded)
    try:
        schema.apply(db)
        live = "SELECT max(id) FROM boots WHERE boot NOT LIKE ?"
        boot = db.execute(live, (f"{PREFIX}%",)).fetchone()[0]
        if boot is None:
            return
        body: dict[str, object] = {"name": "restored", "numbers": [], "detail": "", "evidence": None}
        last = db.execute(
            "SELECT coalesce(max(t_ns), 0) FROM clock_offsets WHERE boot = ?", (boot,)
        ).fetchone()[0]
        db.execute(
            "INSERT INTO outbox (seq, lane, message, boot, t_ns, device, session, body)"
            " SELECT coalesce(max(seq), 0) + ?, ?, 'box.event/1', ?, ?, '', '', ? FROM outbox",
            (SEQS_SKIPPED, int(Lane.EVENTS), boot, last, as_json(body)),
        )
    finally:
        db.close()


def _move_aside(path: Path) -> list[Path]:
    """The file and its -wal and -shm, to the first free `.before-N`."""
    number = 1
    while path.with_name(f"{path.name}.before-{number}").exists():
        number += 1
    moved = []
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            moved.append(part.rename(path.with_name(f"{path.name}.before-{number}{suffix}")))
    return moved[-1:]


def _own(path: Path, like: Path) -> None:
    """The owner of the folder owns what is in it: the daemon does not run as who restores."""
    owner = like.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
