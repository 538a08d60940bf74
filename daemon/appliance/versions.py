"""Which program exactly: versions of what runs, and a hash of our own files and learned tables."""

from __future__ import annotations

import hashlib
import platform
import sqlite3
import sys
from importlib.metadata import distributions
from pathlib import Path

import daemon


def versions() -> dict[str, object]:
    """vitald, Python, SQLite, kernel, system, and every installed library."""
    release = {}
    try:
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            release[key] = value.strip('"')
    except OSError:
        release = {}
    return {
        "vitald": daemon.__version__,
        "sha256": hashes(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "system": f"{release.get('ID', '')} {release.get('VERSION_ID', '')}".strip(),
        "libraries": {
            one.name: one.version for one in sorted(distributions(), key=lambda one: str(one.name))
        },
    }


def hashes() -> dict[str, str]:
    """SHA-256 over the files of each of our packages (paths and contents), and of each learned table."""
    root = Path(daemon.__file__).parents[1]
    told = {}
    for package in ("daemon", "webui", "firmware_bridge"):
        whole = hashlib.sha256()
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                whole.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
        told[package] = whole.hexdigest()
    for path in sorted((root / "daemon/dsp/ecg").rglob("*.npz")):
        told[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return told
