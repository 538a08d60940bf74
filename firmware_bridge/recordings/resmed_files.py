"""The files of a machine's card, wherever they lie: in a folder or in a zip file, each perhaps packed with gzip.

Names are those within the card ("DATALOG/20230821/..."), whatever folder it was copied into. Nothing is ever written or
unpacked to a disk, and nothing larger than `MOST_BYTES` is read: a file of eight hours is 3 MB.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from gzip import GzipFile
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from firmware_bridge.recordings import BadRecording, one_line

MOST_BYTES = 64 << 20
MOST_FILES = 100_000
LANDMARKS = ("datalog", "str.edf", "str.edf.gz")


class CardFiles(Protocol):
    """`names` are the paths within the card, without the ".gz" of packed ones."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, name: str) -> bytes:
        """The unpacked file. Raises BadRecording for one that is too large or damaged, KeyError for one not in `names`."""

    def close(self) -> None: ...


def card_files(path: Path) -> CardFiles:
    """The card in a folder or in a zip file. Raises BadRecording where there is none, or more than one."""
    if path.is_dir():
        return _Folder(path)
    if not path.is_file():
        raise BadRecording(f"{path}: no such file or folder")
    if not zipfile.is_zipfile(path):
        raise BadRecording(f"{path}: neither a folder nor a zip file")
    return _Zip(path)


class _Folder:
    def __init__(self, path: Path) -> None:
        found: list[str] = []
        for folder, _, files in os.walk(path):
            found += [(Path(folder) / file).relative_to(path).as_posix() for file in files]
            if len(found) > MOST_FILES:
                raise BadRecording(f"{path}: more than {MOST_FILES} files, not a card")
        self._path = path
        self._files = _of_the_card(found, path)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def read(self, name: str) -> bytes:
        stored = self._files[name]
        try:
            with (self._path / stored).open("rb") as file:
                return _unpacked(file, stored, name)
        except (OSError, EOFError, zlib.error) as error:
            raise BadRecording(f"{name}: cannot be read ({one_line(error)})") from error

    def close(self) -> None:
        """Nothing is open between two reads."""


class _Zip:
    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BadRecording(f"{path}: not a readable zip file ({one_line(error)})") from error
        try:
            self._files = self._listed(path)
        except BadRecording:
            self._archive.close()
            raise

    def _listed(self, path: Path) -> dict[str, str]:
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        if len(entries) > MOST_FILES:
            raise BadRecording(f"{path}: more than {MOST_FILES} files, not a card")
        if any(entry.flag_bits & 1 for entry in entries):
            raise BadRecording(f"{path}: is locked with a password")
        return _of_the_card([entry.filename for entry in entries], path)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def read(self, name: str) -> bytes:
        stored = self._files[name]
        try:
            with self._archive.open(stored) as file:
                return _unpacked(file, stored, name)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            KeyError,
            ValueError,
            RuntimeError,  # locked, or packed in a way that zipfile does not know (NotImplementedError)
        ) as error:
            raise BadRecording(f"{name}: cannot be unpacked ({one_line(error)})") from error

    def close(self) -> None:
        self._archive.close()


def _of_the_card(found: list[str], path: Path) -> dict[str, str]:
    """Name within the card -> name as it lies there, in order. A plain file counts before a packed one of the same name."""
    roots = set()
    for name in found:
        parts = PurePosixPath(name).parts
        at = next((k for k, part in enumerate(parts) if part.lower() in LANDMARKS), None)
        if at is not None and "__MACOSX" not in parts:
            roots.add(parts[:at])
    if not roots:
        raise BadRecording(f"{path}: not a ResMed card (no folder DATALOG and no STR.edf)")
    if len(roots) > 1:
        raise BadRecording(f"{path}: {len(roots)} cards in one: give them one at a time")
    root = next(iter(roots))
    card: dict[str, str] = {}
    for name in sorted(found):  # "x.edf" comes before "x.edf.gz"
        parts = PurePosixPath(name).parts
        if parts[: len(root)] == root:
            short = "/".join(parts[len(root) :])
            card.setdefault(short[:-3] if short.lower().endswith(".gz") else short, name)
    return card


def _unpacked(file: IO[bytes], stored: str, name: str) -> bytes:
    if stored.lower().endswith(".gz"):
        with GzipFile(fileobj=file) as packed:
            data = packed.read(MOST_BYTES + 1)
    else:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadRecording(f"{name}: larger than {MOST_BYTES >> 20} MB, not a card's file")
    return data
