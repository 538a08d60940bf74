# ruff: noqa: INP001, T201, S603, S607
"""`./dev package`: Debian packages of vitald, each with its own Python environment; the same sources give the same bytes.

One package for a release and a processor, since Debian 12 has Python 3.11 and Debian 13 has 3.13. Nothing is compiled and
nothing is run for the other processor, so all four are built on any machine. docs/package.md says what is where.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]  # a folder of programs, not an import package of the product

from package import sbom, wheels  # noqa: E402

from daemon.cli import manual  # noqa: E402

HERE = Path(__file__).resolve().parent
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
OWN = ("daemon", "firmware_bridge", "webui")
CONFFILES = ("/etc/vitald/vitald.toml",)


@dataclass(frozen=True, slots=True)
class Release:
    """A Debian release: its number, its Python, and whether its systemd can wait longer each time (254 on)."""

    number: int
    python: str
    backoff: bool


RELEASES = {"bookworm": Release(12, "3.11", backoff=False), "trixie": Release(13, "3.13", backoff=True)}


def epoch() -> int:
    """The time that all files carry: SOURCE_DATE_EPOCH, else that of the last commit."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    told = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    return int(told.stdout) if told.returncode == 0 else int((ROOT / "CHANGELOG.md").stat().st_mtime)


def own_version() -> str:
    """As daemon/__init__.py says."""
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "daemon/__init__.py").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def build(suite: str, architecture: str, version: str, to: Path, work: Path) -> Path:
    """One package; returns its file. Raises CalledProcessError where a wheel or a tool is missing."""
    release, when = RELEASES[suite], epoch()
    tree = work / f"{suite}-{architecture}" / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    site = tree / f"usr/lib/vitald/lib/python{release.python}/site-packages"
    site.mkdir(parents=True)
    requirements = ROOT / f"requirements/run-{release.python}.txt"
    fetched = wheels.fetched(
        requirements, release.python, MACHINES[architecture], work / "wheels" / f"{suite}-{architecture}"
    )
    wheels.unpack(fetched, site)
    listed = sbom.sbom(site, version)
    _own(site, version)
    _environment(tree, release)
    _system(tree, release)
    _documents(tree, listed)
    _control(tree, release, architecture, version)
    _settle(tree)
    to.mkdir(parents=True, exist_ok=True)
    file = to / f"vitald_{version}~deb{release.number}_{architecture}.deb"
    subprocess.run(
        [
            "dpkg-deb",
            "--root-owner-group",
            "-Zzstd",
            "-z12",
            "--threads-max=1",
            "--build",
            str(tree),
            str(file),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(when)},
    )
    return file


def _own(site: Path, version: str) -> None:
    """The three import packages, and the record that names them."""
    for name in OWN:
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.pyc"))
    start = site / "daemon/__init__.py"
    text = start.read_text(encoding="utf-8")
    start.write_text(text.replace(f'"{own_version()}"', f'"{version}"'), encoding="utf-8")
    record = site / f"vitald-{version}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: vitald\nVersion: {version}\nLicense: Apache-2.0\n", encoding="utf-8"
    )
    (record / "entry_points.txt").write_text(
        "[console_scripts]\nvitald = daemon.cli:main\n", encoding="utf-8"
    )


def _environment(tree: Path, release: Release) -> None:
    """What makes a folder an environment of its own: nothing of the system's other libraries is seen in it."""
    root = tree / "usr/lib/vitald"
    (root / "bin").mkdir()
    (root / "bin/python3").symlink_to(f"/usr/bin/python{release.python}")
    _write(
        root / "pyvenv.cfg",
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {release.python}\n",
    )
    # -I: neither the environment nor the folder it is started in changes what is imported. A fatal signal, the watchdog's
    # among them, leaves the stacks of all threads in the journal.
    _write(
        tree / "usr/bin/vitald",
        "#!/usr/lib/vitald/bin/python3 -IXfaulthandler\nimport sys\n\nfrom daemon.cli import main\n\nsys.exit(main())\n",
        mode=0o755,
    )


def _system(tree: Path, release: Release) -> None:
    """Units, users, folders, rules, bounds, configuration."""
    source = ROOT / "systemd"
    for unit in sorted(source.glob("vitald*.*")):
        _copy(unit, tree / "usr/lib/systemd/system" / unit.name)
    if release.backoff:
        for part in sorted((source / "backoff").glob("*.conf")):
            _copy(part, tree / f"usr/lib/systemd/system/{part.stem}.service.d/backoff.conf")
    _copy(
        source / "generators/vitald-web-generator",
        tree / "usr/lib/systemd/system-generators/vitald-web-generator",
        0o755,
    )
    for folder in ("journald.conf.d", "system.conf.d"):
        _copy(source / folder / "60-vitald.conf", tree / "usr/lib/systemd" / folder / "60-vitald.conf")
    for folder in ("sysusers.d", "tmpfiles.d"):
        _copy(source / folder / "vitald.conf", tree / "usr/lib" / folder / "vitald.conf")
    _copy(source / "udev/60-vitald.rules", tree / "usr/lib/udev/rules.d/60-vitald.rules")
    _copy(HERE / "debian/vitald.toml", tree / "etc/vitald/vitald.toml")


def _documents(tree: Path, listed: str) -> None:
    documents = tree / "usr/share/doc/vitald"
    for page in sorted((ROOT / "docs").glob("*.md")):
        _copy(page, documents / page.name)
    _compressed(documents / "changelog.gz", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    _write(documents / "copyright", (HERE / "debian/copyright").read_text(encoding="utf-8"))
    _write(documents / "vitald.cdx.json", listed)
    _compressed(tree / "usr/share/man/man1/vitald.1.gz", manual.man_page())
    _write(tree / "usr/share/bash-completion/completions/vitald", manual.completion())


def _control(tree: Path, release: Release, architecture: str, version: str) -> None:
    folder = tree / "DEBIAN"
    size = (
        sum(file.stat().st_size for file in tree.rglob("*") if file.is_file() and not file.is_symlink())
        // 1024
    )
    # Two releases have different versions of it, the newer the higher: an upgrade of Debian brings the right one.
    fields = {
        "Package": "vitald",
        "Version": f"{version}~deb{release.number}",
        "Architecture": architecture,
        "Maintainer": "vitald <vitald@localhost>",
        "Installed-Size": str(size),
        "Depends": f"python{release.python}, systemd (>= 252), init-system-helpers, libc6 (>= 2.36), libgcc-s1, libstdc++6, "
        "udev, dbus, alsa-utils, ca-certificates, tzdata",
        "Recommends": "chrony | systemd-timesyncd, bash-completion",
        "Section": "science",
        "Priority": "optional",
        "Description": "the small computer at a patient's bed\n"
        " Acquires, analyses, alarms, stores, shows and forwards a patient's signals.\n"
        " It brings its own Python libraries and runs as five processes under systemd.",
    }
    _write(folder / "control", "".join(f"{key}: {value}\n" for key, value in fields.items()))
    _write(folder / "conffiles", "".join(f"{name}\n" for name in CONFFILES))
    for name in ("postinst", "prerm", "postrm"):
        _copy(HERE / "debian" / name, folder / name, 0o755)
    sums = [
        f"{hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}  {file.relative_to(tree)}\n"
        for file in _files(tree)
        if "DEBIAN" not in file.parts and f"/{file.relative_to(tree)}" not in CONFFILES
    ]
    _write(folder / "md5sums", "".join(sums))


def _files(tree: Path) -> Iterator[Path]:
    yield from sorted(file for file in tree.rglob("*") if file.is_file() and not file.is_symlink())


def _settle(tree: Path) -> None:
    """Modes that do not depend on who builds."""
    for place in [tree, *tree.rglob("*")]:
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)
        elif not place.is_symlink():
            place.chmod(0o755 if os.access(place, os.X_OK) and "site-packages" not in place.parts else 0o644)


def _copy(source: Path, to: Path, mode: int = 0o644) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
    to.chmod(mode)


def _write(to: Path, text: str, mode: int = 0o644) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text, encoding="utf-8")
    to.chmod(mode)


def _compressed(to: Path, text: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    to.chmod(0o644)


def main() -> int:
    """Build what is asked for; print a line for each with its size and hash."""
    parser = argparse.ArgumentParser(prog="./dev package", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--suite", choices=RELEASES, action="append", help="Debian release (default: all)")
    parser.add_argument("--arch", choices=MACHINES, action="append", help="processor (default: all)")
    parser.add_argument("--version", default=own_version(), help="instead of the sources' own")
    parser.add_argument("--to", type=Path, default=ROOT / "var/package", help="folder of the packages")
    options = parser.parse_args()
    for suite in options.suite or RELEASES:
        for architecture in options.arch or MACHINES:
            began = time.monotonic()
            file = build(suite, architecture, options.version, options.to, options.to / "work")
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            took = time.monotonic() - began
            print(
                f"{file.name}  {file.stat().st_size / 1e6:.1f} MB  sha256 {digest}  ({took:.0f} s)",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
