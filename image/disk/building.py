# ruff: noqa: T201
"""What `image/build` does, in its order: package, tree, read-only root, disk, bundle. Prints a line for each, with size and time."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from package import build as package

from disk import bundle, medium, tree
from disk.description import DATA_MB, FIRMWARE, KIOSK, KIOSK_ROOT_MB, MACHINES, MB, ROOT_MB, SUITE, Machine

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """0: built. 1: `--twice` was asked for and the bytes differ."""
    options = _parser().parse_args(arguments)
    machine, to = MACHINES[options.arch], options.to.resolve()
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(package.epoch()))
    to.mkdir(parents=True, exist_ok=True)
    work = to / "work"
    work.mkdir(exist_ok=True)
    root = made_root(machine, options, to, work)
    same = True
    if options.twice:
        first = tree.digest(root)
        root = made_root(machine, options, to, work)
        same = tree.digest(root) == first
        print(
            f"the same sources and packages twice: {'the same bytes' if same else 'OTHER BYTES'}", flush=True
        )
    stem = f"vitald-{options.version}-{options.arch}"
    boot = boot_files(machine, work) if machine.boot == "tryboot" else None
    if not options.bundle_only:
        began = time.monotonic()
        first_part = medium.first_partition(machine, work / "first.img", work, encrypted=options.encrypted)
        root_mb = KIOSK_ROOT_MB if options.kiosk else ROOT_MB
        disk = medium.disk(
            to / f"{stem}.img", medium.parts(machine, first_part, root, root_mb, DATA_MB, boot)
        )
        _told(disk, began)
    if options.bundle or options.bundle_only:
        began = time.monotonic()
        _, certificate, key = signing(options, to)
        made = bundle.bundled(
            machine,
            root,
            options.version,
            to / f"{stem}.raucb",
            certificate=certificate,
            key=key,
            boot=boot,
        )
        _told(made, began)
    return 0 if same else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev image", description=str(__doc__).split(":", 1)[0])
    parser.add_argument(
        "--arch", choices=MACHINES, default="amd64", help="kind of machine (arm64: Raspberry Pi)"
    )
    parser.add_argument("--version", default=package.own_version(), help="of the image")
    parser.add_argument(
        "--package", type=Path, metavar="DEB", help="a package of vitald (default: it is built)"
    )
    parser.add_argument("--kiosk", action="store_true", help="with a screen of its own: cage and Chromium")
    parser.add_argument(
        "--firmware",
        action="store_true",
        help="arm64: Debian's raspi-firmware too (component non-free-firmware)",
    )
    parser.add_argument("--ssh-keys", type=Path, metavar="FILE", help="public keys that may sign in as root")
    parser.add_argument(
        "--encrypted",
        action="store_true",
        help="a box keeps nothing before it has found a key or a TPM to encrypt it with",
    )
    parser.add_argument("--bundle", action="store_true", help="make the update too")
    parser.add_argument("--bundle-only", action="store_true", help="make the update, and no disk")
    parser.add_argument(
        "--keyring", type=Path, metavar="PEM", help="certificates whose updates the box takes"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="PEM", help="the signer's (default: development keys)"
    )
    parser.add_argument("--key", type=Path, metavar="PEM", help="the signer's key")
    parser.add_argument("--twice", action="store_true", help="make the root twice and compare the bytes")
    parser.add_argument("--to", type=Path, default=ROOT / "var/image", help="folder of what is made")
    return parser


def signing(options: argparse.Namespace, to: Path) -> tuple[Path, Path, Path]:
    """Keyring, signer's certificate and key: those given, else development keys in the output folder."""
    if options.keyring and options.certificate and options.key:
        return options.keyring, options.certificate, options.key
    if options.certificate or options.key:
        raise SystemExit("--certificate, --key and --keyring go together")
    keyring, certificate, key = bundle.development_keys(to / "keys")
    return options.keyring or keyring, certificate, key


def made_root(
    machine: Machine, options: argparse.Namespace, to: Path, work: Path, level: int = tree.SMALLEST
) -> Path:
    """The read-only root, as a file."""
    began = time.monotonic()
    deb = options.package or package.build(SUITE, machine.architecture, package.own_version(), to, work)
    _told(deb, began)
    began = time.monotonic()
    keyring, _, _ = signing(options, to)
    place = work / "tree"
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    tree.grown(
        machine,
        deb,
        place,
        version=options.version,
        keyring=keyring,
        further=(*(KIOSK if options.kiosk else ()), *(FIRMWARE if options.firmware else ())),
        keys=options.ssh_keys,
        epoch=epoch,
    )
    print(f"tree of {options.arch}  ({time.monotonic() - began:.0f} s)", flush=True)
    began = time.monotonic()
    root = tree.squashed(place, work / f"root-{options.version}-{options.arch}.img", epoch, level)
    _told(root, began)
    return root


def boot_files(machine: Machine, work: Path) -> Path:
    """A slot's own boot partition, for a firmware that cannot read a kernel out of its root: kernel, RAM disk, what firmware there is."""
    folder, place = work / "boot", work / "tree/boot"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("vmlinuz", "initrd.img"):
        shutil.copyfile((place / name).resolve(), folder / name)
    firmware = place / "firmware"
    if firmware.is_dir():
        shutil.copytree(firmware, folder, dirs_exist_ok=True)
    words = f"root=PARTLABEL=rootA ro rootfstype=squashfs rauc.slot=A panic=5 quiet {machine.console}\n"
    (folder / "cmdline.txt").write_text(words)
    (folder / "config.txt").write_text("arm_64bit=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\n")
    return medium.fat(folder, work / "boot.img", machine.further_mb[0], "VITALDBOOT")


def _told(file: Path, began: float) -> None:
    size = file.stat().st_size / MB
    print(
        f"{file.name}  {size:.0f} MiB  sha256 {tree.digest(file)}  ({time.monotonic() - began:.0f} s)",
        flush=True,
    )
