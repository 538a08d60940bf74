"""What the destinations that keep files have in common: what a file holds, what it is called, how a report goes with it.

A file is NDJSON of envelopes (daemon/contracts/envelope.py), gzip, with no time in its header: the same records give the
same bytes. Its name carries its key and its digest, so a file that is there under that name is the file that was meant.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Final

from pydantic import Field

from daemon.forward.destinations import DONE, Bounds, Outcome, Sealed, Verdict
from daemon.forward.destinations.aside import Aside
from daemon.forward.destinations.place import Ended, Options, Place
from daemon.forward.destinations.sealing import NDJSON, fitting, lines
from daemon.forward.destinations.trouble import tried
from daemon.forward.record import Record
from daemon.model.outgoing import Lane

PIECE: Final = 1 << 18
"""Files of the box are read in pieces of so many bytes."""

SLOWEST: Final = 16 * 1024
"""Bytes a second: a transfer gets its timeout and so much longer as it takes at this speed."""


class FileOptions(Options):
    """What can be set for destinations that keep files."""

    largest_bytes: Annotated[
        int, Field(ge=1024, description="Largest file the destination takes; larger ones are not tried")
    ] = 5 << 30


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file: in hand, or in a file of the box. `sha256` is hexadecimal."""

    size: int
    sha256: str
    data: bytes = b""
    file: Path | None = None

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """All of it, in order. Blocks while a file is read."""
        if self.file is None:
            yield from (self.data[at : at + size] for at in range(0, len(self.data), size))
            return
        with self.file.open("rb") as file:
            while piece := file.read(size):
                yield piece

    def whole(self) -> bytes:
        """All of it at once, for libraries that want it so; blocks while a file is read."""
        return b"".join(self.pieces())


def report_file(place: Place, record: Record) -> Path:
    """The file of a report: of the name it was given only the last part counts."""
    return place.reports / PurePosixPath(str(record.body.get("filename", ""))).name


def check_report(path: Path, sha256: str) -> Content:
    """The file of a report, once it is the announced one ("" = its digest was not announced). Raises `Ended`."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
    except OSError:
        raise Ended(Verdict.REFUSED, "the report's file is not on the box any more") from None
    if sha256 not in {"", digest.hexdigest()}:
        raise Ended(Verdict.REFUSED, "the report's file is not the one that was announced")
    return Content(size, digest.hexdigest(), file=path)


class Filed(ABC):
    """A destination that keeps files. What it is made of says only how one file gets there (`put`)."""

    options: FileOptions

    def __init__(self, options: FileOptions, place: Place) -> None:
        self.options = options
        self.place = place
        self.bounds = Bounds(at_once=options.at_once)
        self.aside = Aside(options.at_once, f"forward {place.name}")

    @abstractmethod
    async def put(self, name: str, content: Content) -> None:
        """Bring one file there, whole or not at all, and be content if it is there already. Raises `Ended` and what `known` knows."""

    async def pieces(self, content: Content) -> AsyncIterator[bytes]:
        """All of it in order, without holding up the loop while a file is read."""
        pieces = content.pieces()
        if content.file is None:
            for piece in pieces:
                yield piece
            return
        while piece := await self.aside.run(lambda: next(pieces, b"")):
            yield piece

    def known(self, error: Exception) -> Outcome | None:  # noqa: ARG002 - for those with a library of their own
        """What the errors of the library mean."""
        return None

    def takes(self, record: Record) -> bool:  # noqa: ARG002 - one answer for all
        """Files take everything."""
        return True

    def gather(self, records: Sequence[Record]) -> int:
        """Those of one day; reports one by one."""
        if records[0].lane is Lane.REPORTS:
            return 1
        day = _day(records[0])
        same = next((n for n, record in enumerate(records) if _day(record) != day), len(records))
        return fitting(records[:same], self.bounds)

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        """`records` of several devices share a file: it is then under the box's own name."""
        first = records[0]
        data = lines(key, records, named=self.options.named_patients)
        names = {(r.service, r.device or self.place.box) for r in records}
        service, device = names.pop() if len(names) == 1 else ("box", self.place.box)
        digest = hashlib.sha256(data).hexdigest()[:8]
        path = f"{_part(service)}/{_part(device)}/{_day(first)}/{first.lane.name.lower()}/{key}-{digest}.ndjson.gz"
        report = str(report_file(self.place, first)) if first.kind == "report" else ""
        return Sealed(key, first.lane, path, NDJSON, "gzip", data, report)

    async def open(self) -> Outcome:
        """Nothing to sign in to: `send` connects when it must."""
        return DONE

    async def send(self, sealed: Sealed) -> Outcome:
        """The report first, where there is one, then what tells of it: whoever reads that finds the file."""
        if len(sealed.data) > self.options.largest_bytes:
            return Outcome(Verdict.SPLIT, "larger than the destination takes")
        size = len(sealed.data)
        if sealed.file:
            try:
                size += Path(sealed.file).stat().st_size
            except OSError:
                return Outcome(Verdict.REFUSED, "the report's file is not on the box any more")
        return await tried(self._bring(sealed), self.options.timeout_s + size / SLOWEST, self.known)

    async def close(self) -> None:  # noqa: B027 - some have no connection
        """Let go of connections."""

    async def _bring(self, sealed: Sealed) -> str:
        """The name that a report has there, "" where there is none."""
        name = ""
        if sealed.file:
            report = await self.aside.run(lambda: check_report(Path(sealed.file), announced(sealed)))
            if report.size > self.options.largest_bytes:
                raise Ended(Verdict.SPLIT, "the report is larger than the destination takes")
            name = report_name(sealed, report)
            await self.put(name, report)
        content = Content(len(sealed.data), hashlib.sha256(sealed.data).hexdigest(), data=sealed.data)
        await self.put(sealed.path, content)
        return name


def announced(sealed: Sealed) -> str:
    """The digest of the report that a file of envelopes tells of."""
    told = json.loads(gzip.decompress(sealed.data).splitlines()[0])
    return str(told["body"].get("sha256", ""))


def report_name(sealed: Sealed, report: Content) -> str:
    """Beside what tells of it, under the same key and its own digest."""
    ending = Path(sealed.file).suffix or ".pdf"
    return f"{sealed.path.rpartition('/')[0]}/{sealed.key}-{report.sha256[:8]}{ending}"


def _day(record: Record) -> str:
    return datetime.fromtimestamp(record.utc_ns // 1_000_000_000, UTC).strftime("%Y/%m/%d")


def _part(text: str) -> str:
    """A name as one part of a path: nothing that a file system or a shell reads as more than letters."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in text) or "_"
