"""A folder of the box: a disk, a mounted share, or a stick that is carried away.

Every file is written beside its place, synced, and moved there; then the folder is synced. With `marker` the folder is a
stick: it must hold a file `vitald.marker` with those words (so that nothing is written into the empty place where a stick
would be, or onto somebody else's), what was written is read back from the medium and compared, and a line of
`manifest.ndjson` in the file's folder is written last: what it names is whole. (A growing list, not one JSON document: FAT
cannot replace a file in one step, and a list can only lose its last line.) Nothing is ever renamed over another file.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from daemon.forward.destinations import Verdict
from daemon.forward.destinations.files import PIECE, Content, Filed, FileOptions
from daemon.forward.destinations.place import Ended, Place

MARKER: Final = "vitald.marker"
MANIFEST: Final = "manifest.ndjson"
FAT_LARGEST: Final = (4 << 30) - 1


class FolderOptions(FileOptions):
    """Where, and how to know that it is the right one."""

    folder: Annotated[Path, Field(description="The folder, or the place where the stick is mounted")]
    marker: Annotated[str, Field(description=f"A stick: the words that its {MARKER} must hold")] = ""
    filesystem_uuid: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9-]*$", description="A stick: the UUID of its file system (blkid)")
    ] = ""
    largest_bytes: Annotated[int, Field(ge=1024, description="Largest file; FAT holds no larger")] = (
        FAT_LARGEST
    )


class Folder(Filed):
    options: FolderOptions

    def __init__(self, options: FolderOptions, place: Place, disks: Path = Path("/dev/disk/by-uuid")) -> None:
        super().__init__(options, place)
        self._disks = disks
        self._noting = threading.Lock()

    async def put(self, name: str, content: Content) -> None:
        await self.aside.run(lambda: self._put(name, content))

    def _put(self, name: str, content: Content) -> None:
        self._find()
        path = self.options.folder / name
        if _digest(path) != content.sha256:
            _make_folder(path.parent, self.options.folder)
            self._write(path, content)
        if self.options.marker:
            with self._noting:
                _note(path, content)

    def _find(self) -> None:
        """Raises `Ended` unless the folder is there and the one that was meant."""
        folder = self.options.folder
        if self.options.filesystem_uuid:
            disk = self._disks / self.options.filesystem_uuid
            if not disk.exists() or not folder.is_dir() or disk.stat().st_rdev != folder.stat().st_dev:
                raise Ended(Verdict.AGAIN, "the stick is not there")
        if not folder.is_dir():
            raise Ended(Verdict.AGAIN, "the folder is not there")
        if self.options.marker:
            try:
                marker = (folder / MARKER).read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                raise Ended(Verdict.AGAIN, f"no stick with a {MARKER} there") from None
            if marker.strip() != self.options.marker:
                raise Ended(Verdict.PARKED, f"this stick is another's: its {MARKER} holds other words")

    def _write(self, path: Path, content: Content) -> None:
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            for piece in content.pieces(PIECE):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            # Reading back shall ask the medium, not the memory of what was just written.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if self.options.marker and _digest(part) != content.sha256:
            part.unlink()
            raise Ended(
                Verdict.AGAIN, "what was written reads back as something else: is the stick worn out?"
            )
        path.unlink(missing_ok=True)
        part.rename(path)
        _sync(path.parent)


def _digest(path: Path) -> str:
    """The digest of a file, "" when it is not there."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def _make_folder(folder: Path, top: Path) -> None:
    """Make a folder below `top` so that it is there after a power cut: each new name is synced in the folder above it."""
    missing = []
    while folder != top and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync(new.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _note(path: Path, content: Content) -> None:
    """The file's line in the manifest, once."""
    manifest = path.parent / MANIFEST
    said = json.dumps({"name": path.name, "bytes": content.size, "sha256": content.sha256}).encode()
    try:
        before = manifest.read_bytes()
    except FileNotFoundError:
        before = b""
    if said in before.split(b"\n"):
        return
    with manifest.open("ab") as file:
        # A line that a power cut has torn is ended first; readers leave it out, and the file it meant comes again.
        file.write((b"\n" if before and not before.endswith(b"\n") else b"") + said + b"\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(manifest.parent)
