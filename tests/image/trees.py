"""Fresh Debian roots, and what systemd does in them: made by mmdebstrap, booted by systemd-nspawn (root, no virtual machine)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
OLD_NAMES = ("bookworm", "trixie")


def fresh(suite: str, folder: Path) -> Path:
    """A root that nothing was installed in. Its archive is kept beside it, its mirror is this machine's own."""
    archive, root = folder / f"{suite}.tar", folder / suite
    if not archive.exists():
        text = next(file.read_text() for file in SOURCES if file.exists() and "debian" in file.read_text())
        for name in OLD_NAMES:
            text = text.replace(name, suite)
        include = "systemd-sysv,dbus,udev,apt,ca-certificates"
        part = archive.with_suffix(".part.tar")
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={include}", suite, str(part), "-"],
            input=text,
            text=True,
            check=True,
        )
        part.rename(archive)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    subprocess.run(["tar", "-C", str(root), "-xf", str(archive)], check=True)
    (root / "etc/fstab").write_text("")
    subprocess.run(["systemd-machine-id-setup", f"--root={root}"], check=True, capture_output=True)
    return root


def boot(root: Path, script: str, *, within_s: float, early: bool = False, stick: Path | None = None) -> None:
    """Start systemd in the root, run `script` (a shell's) as a service, and wait until it has powered the root off.

    With `early` it runs as soon as a service can. The root has a network of its own with nothing in it, so that no port of this
    machine is in its way, and PrivateNetwork= can be had: systemd leaves it out without a word of failure where it cannot.
    `stick` is a device that is there as /dev/vitald-stick.
    """
    units = root / "etc/systemd/system"
    (root / "trial").mkdir(exist_ok=True)
    (root / "trial/run").write_text(f"#!/bin/sh\nexec >>/trial/out 2>&1\n{script}\nsystemctl poweroff\n")
    (root / "trial/run").chmod(0o755)
    when = "DefaultDependencies=no\n" if early else "After=basic.target\n"
    (units / "trial.service").write_text(f"[Unit]\n{when}[Service]\nType=exec\nExecStart=/trial/run\n")
    wants = units / ("sysinit.target.wants" if early else "multi-user.target.wants")
    for place in units.glob("*.wants/trial.service"):
        place.unlink()
    wants.mkdir(exist_ok=True)
    (wants / "trial.service").symlink_to("../trial.service")
    plugged = [f"--bind={stick}:/dev/vitald-stick"] if stick is not None else []
    _nspawn(root, "--private-network", *plugged, "--boot", within_s=within_s)


@contextmanager
def stick(image: Path, files: Mapping[str, str]) -> Iterator[Path]:
    """A disk with these files on it, as a device (root). This machine's kernel knows ext4 and need not know FAT."""
    folder = image.with_suffix(".files")
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    image.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(folder), str(image), "8M"], check=True)
    made = subprocess.run(
        ["losetup", "--find", "--show", str(image)], check=True, capture_output=True, text=True
    )
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)


def fetch(root: Path, package: str) -> None:
    """What a package needs from the mirror, into the root's own store: it is booted without a network."""
    script = f"apt-get update -qq && apt-get install -y -qq --download-only {package}"
    _nspawn(root, "--resolv-conf=copy-host", "sh", "-c", script, within_s=600.0)


def _nspawn(root: Path, *words: str, within_s: float) -> None:
    subprocess.run(
        ["systemd-nspawn", "-q", "-D", str(root), "--register=no", "--keep-unit", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=within_s,
        check=False,
    )
