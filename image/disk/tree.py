# ruff: noqa: S603, S607
"""The tree of a box, by mmdebstrap, and the read-only root that is made of it. The same packages and sources give the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from disk.description import COMMON, SUITE, UNPACKED_NOT, UNPACKED_STILL, Machine

HERE = Path(__file__).resolve().parent
SMALLEST, FASTEST = 9, 1
"""Levels of gzip."""

SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))

EMPTIED = ("etc/machine-id",)
"""Each box makes its own at its first start."""

GONE = (
    "var/lib/dbus/machine-id",
    "etc/ssh/ssh_host_*",
    "var/log/*.log",
    "var/log/apt/*",
    "var/log/journal/*",
    "var/lib/apt/lists/*",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dpkg/*-old",
    "var/lib/systemd/catalog/database",
    "var/lib/systemd/random-seed",
    "etc/*-",
    "etc/hostname",
    "etc/resolv.conf",
    "boot/*.old*",
    "tmp/*",
)
"""Traces of the building, and secrets that every box must have for itself."""

LAST = r"""set -eu
tree=$1
chroot "$tree" dpkg --install /tmp/vitald.deb >/dev/null
rm "$tree/tmp/vitald.deb"
chroot "$tree" usermod --lock root
chroot "$tree" systemctl enable systemd-networkd systemd-resolved vitald-slot.service vitald-candidate.timer
chroot "$tree" systemctl mask getty@.service serial-getty@.service console-getty.service systemd-firstboot.service \
  systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  systemd-remount-fs.service
if [ -e "$tree/usr/bin/cage" ]; then
  chroot "$tree" systemd-sysusers vitald-kiosk.conf
  chroot "$tree" systemctl enable vitald-kiosk.service
fi
printf '%s\n' virtio_pci virtio_blk squashfs overlay ext4 i6300esb >> "$tree/etc/initramfs-tools/modules"
chroot "$tree" update-initramfs -c -k all
"""


def grown(
    machine: Machine,
    package: Path,
    to: Path,
    *,
    version: str,
    keyring: Path,
    further: Sequence[str],
    keys: Path | None,
    epoch: int,
) -> Path:
    """Make the tree in the folder `to` anew; `further` are Debian packages of this image. Needs root. Raises CalledProcessError, with mmdebstrap's words on stderr."""
    shutil.rmtree(to, ignore_errors=True)
    laid = to.with_name(f"{to.name}.laid")
    _lay(machine, laid, version=version, keyring=keyring, kiosk="cage" in further, keys=keys)
    script = to.with_name(f"{to.name}.last.sh")
    script.write_text(LAST)
    script.chmod(0o755)
    include = ",".join((*COMMON, *machine.packages, *further, *_needed(package)))
    excluded = [f"--dpkgopt=path-exclude={one}" for one in UNPACKED_NOT]
    excluded += [f"--dpkgopt=path-include={one}" for one in UNPACKED_STILL]
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--mode=root",
            f"--architectures={machine.architecture}",
            f"--include={include}",
            "--aptopt=Apt::Install-Recommends false",
            *excluded,
            f"--customize-hook=sync-in {laid} /",
            f"--customize-hook=upload {package} /tmp/vitald.deb",
            f'--customize-hook={script} "$1"',
            "--skip=output/dev",
            SUITE,
            str(to),
            "-",
        ],
        input=_sources(),
        text=True,
        check=True,
        # The initial RAM disk is made once, at the end, and not while packages are unpacked.
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "INITRD": "No"},
    )
    _settle(to)
    return to


def squashed(tree: Path, to: Path, epoch: int, level: int = SMALLEST) -> Path:
    """The read-only root. gzip: what GRUB can read a kernel out of; `level` 1 takes a fifth of the time."""
    to.unlink(missing_ok=True)
    stamps = ["-all-time", str(epoch), "-mkfs-time", str(epoch)]
    subprocess.run(
        [
            "mksquashfs",
            str(tree),
            str(to),
            "-comp",
            "gzip",
            "-Xcompression-level",
            str(level),
            "-noappend",
            "-no-progress",
            "-quiet",
            "-no-exports",
            *stamps,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"},
    )
    return to


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def _needed(package: Path) -> list[str]:
    """What the package depends on, by its own word: the first of alternatives, without versions."""
    told = subprocess.run(
        ["dpkg-deb", "--field", str(package), "Depends"], capture_output=True, text=True, check=True
    )
    return [one.split("|")[0].split("(")[0].strip() for one in told.stdout.split(",")]


def _sources() -> str:
    """This machine's own mirror, for the image's release."""
    text = next(file.read_text() for file in SOURCES if file.exists() and "debian" in file.read_text())
    for name in ("bookworm", "trixie"):
        text = text.replace(name, SUITE)
    return text


def _lay(machine: Machine, to: Path, *, version: str, keyring: Path, kiosk: bool, keys: Path | None) -> None:
    """What the image adds to Debian's packages, as a tree of its own: the files of root/, and what is said in them."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(HERE / "laid", to, symlinks=True)
    if not kiosk:
        for name in ("systemd/system/vitald-kiosk.service", "sysusers.d/vitald-kiosk.conf"):
            (to / "usr/lib" / name).unlink()
    place = to / "usr/lib/vitald-image"
    shutil.copyfile(keyring, place / "keyring.pem")
    (place / "version").write_text(f"{version}\n")
    (place / "kind").write_text(f"{machine.boot}\n")
    configuration = to / "etc/rauc/system.conf"
    text = configuration.read_text().replace("@COMPATIBLE@", machine.compatible)
    more = HERE / machine.architecture / "slots.conf"
    configuration.write_text(text + (more.read_text() if more.exists() else ""))
    for name in ("data", "efi"):
        (to / name).mkdir()
    (to / "root/.ssh").mkdir(parents=True)
    if keys is not None:
        shutil.copyfile(keys, to / "root/.ssh/authorized_keys")
    for file in _all(to):
        program = file.is_file() and file.read_bytes()[:2] == b"#!"
        file.chmod(0o755 if file.is_dir() or program else 0o644)
    (to / "root").chmod(0o700)
    (to / "root/.ssh").chmod(0o700)


def _settle(tree: Path) -> None:
    """Take away what differs from building to building."""
    for pattern in GONE:
        for path in sorted(tree.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in EMPTIED:
        (tree / name).write_text("")
    (tree / "etc/resolv.conf").unlink(missing_ok=True)  # a link to what is not there is found by no pattern
    (tree / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (tree / "etc/hostname").write_text("vitald\n")
    for name in ("vmlinuz", "initrd.img"):
        newest = max((tree / "boot").glob(f"{name}-*"))
        link = tree / "boot" / name
        link.unlink(missing_ok=True)
        link.symlink_to(newest.name)


def _all(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if not path.is_symlink())
