# ruff: noqa: INP001, S603
"""The package's own Python environment: the wheels of the hashed requirements for one release and processor, unpacked.

Wheels are fetched by pip, which checks their hashes, for a Python and a processor that need not be this machine's, and
unpacked by ourselves, because what pip installs names the machine it was installed on.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GLIBC = (5, 12, 17, 24, 26, 27, 28, 31, 34, 35, 36)
"""Wheels ask for glibc 2.X at least; Debian 12 has 2.36."""

KEPT_OF_BOTOCORE = {"s3", "sts"}
"""Descriptions of Amazon's services: the destination of kind s3 and how it signs in. Four hundred others are left out."""


def fetched(requirements: Path, python: str, machine: str, to: Path) -> Path:
    """The folder of the wheels, fetched unless the same ones were fetched before."""
    stamp, wanted = to / ".stamp", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return to
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
        + ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--dest", str(to)]
        + ["--implementation", "cp", "--python-version", python, "--abi", f"cp{python.replace('.', '')}"]
        + [word for platform in platforms for word in ("--platform", platform)]
        + ["--requirement", str(requirements)],
        check=True,
    )
    stamp.write_text(wanted, encoding="ascii")
    return to


def unpack(wheels: Path, site: Path) -> None:
    """All wheels of a folder into one `site-packages`, without what no process of ours reads. Raises ValueError on a path that leaves it."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name, place in _places(archive):
                if not needed(place):
                    continue
                target = site / place
                if not target.resolve().is_relative_to(site.resolve()):
                    raise ValueError(f"{wheel.name}: {name} leaves the environment")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


def _places(archive: zipfile.ZipFile) -> Iterator[tuple[str, PurePosixPath]]:
    """Files of a wheel and where they belong: NAME.data/purelib and platlib are the environment's, other data nobody's here."""
    for name in sorted(archive.namelist()):
        parts = PurePosixPath(name).parts
        if name.endswith("/") or not parts:
            continue
        if parts[0].endswith(".data"):
            if parts[1] in {"purelib", "platlib"}:
                yield name, PurePosixPath(*parts[2:])
        else:
            yield name, PurePosixPath(name)


def needed(path: PurePosixPath) -> bool:
    """Whether the box reads this file of its libraries."""
    parts = path.parts
    if {"tests", "test_files", "__pycache__", "include"} & set(parts[1:-1]):
        return False
    if path.suffix in {".a", ".c", ".h", ".pxd", ".pyi", ".pyx"} or path.name == "RECORD":
        return False
    if parts[0] == "plotly":  # the page's script is all that is served of it
        return path.name == "plotly.min.js" or parts[1:] == ("__init__.py",)
    if parts[:2] in {("botocore", "data"), ("boto3", "data")} and len(parts) > 3:
        return parts[2] in KEPT_OF_BOTOCORE
    return True
