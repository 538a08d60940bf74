"""What destinations that keep files have written (folder, SFTP, FTP, object stores, USB): NDJSON of envelopes, gzip or not."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.contracts.envelope import Envelope, read_lines
from daemon.contracts.faults import BadMessage
from tests.cloud.ingest import Way, take_all

_GZIP = b"\x1f\x8b"
_MANIFEST = "manifest.ndjson"  # a list of files, beside them


@dataclass(frozen=True, slots=True)
class Read:
    """What came of a folder: files read, records that were new and that were known, report files found."""

    files: int
    accepted: int
    known: int
    reports: int


async def ingest(pool: Any, folder: Path, user_id: str = "files") -> Read:
    """Store all of a folder; again is nothing new. Raises `BadMessage` for a file that is not as the contract says."""
    files = accepted = known = reports = 0
    for path in sorted(folder.rglob("*")):
        if not path.name.endswith((".ndjson", ".ndjson.gz")) or path.name == _MANIFEST:
            continue
        envelopes = _envelopes(path)
        async with pool.acquire() as db, db.transaction():
            new = await take_all(db, envelopes, Way(user_id, "file"))
        files, accepted, known = files + 1, accepted + new, known + len(envelopes) - new
    for path in sorted(folder.rglob("*.pdf")):
        data = path.read_bytes()
        async with pool.acquire() as db:
            done = await db.execute(
                "UPDATE reports SET file = coalesce(file, $1) WHERE sha256 = $2",
                data,
                hashlib.sha256(data).hexdigest(),
            )
        reports += int(done.rpartition(" ")[2])
    return Read(files, accepted, known, reports)


def _envelopes(path: Path) -> list[Envelope]:
    data = path.read_bytes()
    try:
        return read_lines(gzip.decompress(data) if data.startswith(_GZIP) else data)
    except (BadMessage, OSError, EOFError, zlib.error) as error:
        raise BadMessage(path.name, str(error)) from None
