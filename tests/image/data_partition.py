"""The data partition that a box makes for itself at its first start: plain, with a key on a stick, with its TPM's; and power cuts meanwhile."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.image import cuts
from tests.image.boxes import BOOT_S, DATA_MB, Boxes, medium, told
from tests.image.guest import Guest, Silent

PART = "/dev/disk/by-partlabel/data"
OPENED = "/dev/mapper/vitald-data"
SEED = 7
SLOW_S = 900.0
"""Within which a machine under emulation and load ends when it is told to, and its doctor has looked."""


def first_starts(made: Boxes) -> list[str]:
    """Without a key, cut off meanwhile, with a key on a stick, and asked for with no key there."""
    return [*_plain(made), *_with_a_stick(made), *_only_encrypted(made)]


def _plain(made: Boxes) -> list[str]:
    disk, log = made.unmade("plain"), made.folder / "plain.log"
    base = disk.with_name("plain-base.img")
    subprocess.run(["cp", "--sparse=always", str(disk), str(base)], check=True)
    with made.machine("plain", disk, log=log) as guest:
        guest.hello(BOOT_S)
        end = guest.logged()
        wrong = _keeps(guest, "plain", locked=False)
        guest.power_off(SLOW_S)
    wrong += _word_taken_away(disk)
    listed = cuts.entries(log)
    count, chance = int(os.environ.get("VITALD_IMAGE_FIRST_CUTS", "5")), Random(SEED)
    whole = lost = 0
    for place in cuts.places(listed, count, chance, 0, end):
        lost += cuts.cut(base, log, listed, place, chance, disk)[1]
        try:
            with made.machine("plain", disk) as again:
                again.hello(BOOT_S)
                found = _keeps(again, f"after a cut before write {place} of the first start", locked=False)
        except Silent as error:
            found = [f"after a cut before write {place}: {error}"]
        whole += not found
        wrong += found
    told(
        "first: starts after power cuts of a first start", f"{whole} of {count}; {lost} unsynced writes lost"
    )
    return wrong


def _with_a_stick(made: Boxes) -> list[str]:
    """The stick must be there at each start; without it the box watches over its beds, and has its data again with it."""
    disk, stick = made.unmade("locked"), _key_stick(made)
    with made.machine("locked", disk, stick=stick) as guest:
        guest.hello(BOOT_S)
        wrong = _keeps(guest, "with a key on a stick", locked=True)
        guest.run("touch", "/data/kept")
        guest.power_off(SLOW_S)
    wrong += _word_taken_away(disk)
    with made.machine("locked", disk) as guest:
        guest.hello(BOOT_S)
        wrong += _keeps_nothing(guest, "the stick is away")
        guest.power_off(SLOW_S)
    with made.machine("locked", disk, stick=stick) as guest:
        guest.hello(BOOT_S)
        wrong += _keeps(guest, "the stick is there again", locked=True)
        if guest.run("test", "-e", "/data/kept")[0]:
            wrong.append("the stick is there again: what was kept is gone")
        guest.power_off(SLOW_S)
    return wrong


def _only_encrypted(made: Boxes) -> list[str]:
    disk, stick = made.unmade("asked", encrypted=True), _key_stick(made)
    with made.machine("asked", disk) as guest:
        guest.hello(BOOT_S)
        wrong = _keeps_nothing(guest, "encryption asked for, no key")
        guest.power_off(SLOW_S)
    with made.machine("asked", disk, stick=stick) as guest:
        guest.hello(BOOT_S)
        wrong += _keeps(guest, "encryption asked for, then a key", locked=True)
        guest.power_off(SLOW_S)
    return wrong


def with_a_tpm(made: Boxes) -> list[str]:
    """Under qemu with swtpm: the box opens what it has made; a disk in another box cannot be read, and can be again in its own."""
    disk, wrong = made.unmade("tpm"), []
    for own, what in (
        (True, "first start with a TPM"),
        (True, "second start with a TPM"),
        (False, "in another box"),
        (True, "back in its own"),
    ):
        with (
            _tpm(made.folder / ("tpm-own" if own else "tpm-other")) as tpm,
            made.machine("tpm", disk, tpm=tpm) as guest,
        ):
            told(f"tpm: {what}: seconds from power-on to the guest's first word", round(guest.hello(BOOT_S)))
            wrong += _keeps(guest, what, locked=True) if own else _keeps_nothing(guest, what)
            _, header = guest.run("cryptsetup", "luksDump", PART)
            if "systemd-tpm2" not in header or header.count("PBKDF:") != 1:
                wrong.append(f"{what}: not the TPM's key alone: {header}")
            if what != "first start with a TPM" and own and guest.run("test", "-e", "/data/kept")[0]:
                wrong.append(f"{what}: what was kept is gone")
            guest.run("sh", "-c", "touch /data/kept; sync")
            guest.power_off(SLOW_S)
    return wrong


def _keeps(guest: Guest, what: str, *, locked: bool) -> list[str]:
    """The partition is as large as the disk lets it be, locked or not as told, and samples are stored on it."""
    wrong = []
    source = guest.run("findmnt", "-no", "SOURCE", "/data")[1].strip()
    size = guest.run("findmnt", "-bno", "SIZE", "/data")[1].strip()
    is_locked = guest.run("cryptsetup", "isLuks", PART)[0] == 0
    if is_locked != locked or (source == OPENED) != locked:
        wrong.append(f"{what}: /data is {source}, locked: {is_locked}")
    if not size.isdigit() or int(size) < 0.8 * DATA_MB * medium.MB:
        wrong.append(f"{what}: the disk has {DATA_MB} MB more, /data has {size} bytes")
    if guest.run("test", "-e", "/run/vitald-no-data")[0] == 0:
        wrong.append(f"{what}: nothing is kept")
    up_s = guest.ask("first", within=BOOT_S)["up_s"]
    if up_s is None:
        wrong.append(f"{what}: no sample is stored")
    seen = (
        f"/data is {source}, {int(size or 0) / 1e6:.0f} MB; a sample stored {up_s} s after the kernel's start"
    )
    told(f"first: {what}", seen)
    return wrong


def _keeps_nothing(guest: Guest, what: str) -> list[str]:
    """The beds are watched over all the same, and the box says what is wrong with it."""
    wrong = []
    if guest.run("test", "-e", "/run/vitald-no-data")[0] or guest.run("test", "-b", OPENED)[0] == 0:
        wrong.append(f"{what}: the data are there")
    up_s = guest.ask("first", within=BOOT_S)["up_s"]
    if up_s is None:
        wrong.append(f"{what}: no sample arrives")
    code, doctor = guest.run("vitald", "doctor", "--quick", within=SLOW_S)
    said = [line for line in doctor.splitlines() if "gone with a restart" in line]
    if code == 0 or not said:
        wrong.append(f"{what}: `vitald doctor` ends with {code} and says: {doctor}")
    told(f"first: {what}", f"nothing is kept; a sample seen {up_s} s after the kernel's start; {said[:1]}")
    return wrong


def _word_taken_away(disk: Path) -> list[str]:
    listed = subprocess.run(
        ["mdir", "-b", "-i", f"{disk}@@{medium.ALIGNED}M", "::"], capture_output=True, text=True, check=True
    )
    return ["the first partition still says that data are to be made"] if "make-data" in listed.stdout else []


def _key_stick(made: Boxes) -> Path:
    folder = made.folder / "key"
    folder.mkdir(exist_ok=True)
    (folder / "data.key").write_bytes(Random(SEED).randbytes(64))
    return medium.fat(folder, made.folder / "key.img", 8, "VITALDKEY")


@contextmanager
def _tpm(state: Path) -> Iterator[Path]:
    """Of one box, by swtpm; ends with the machine that it is in."""
    state.mkdir(exist_ok=True)
    port, number = state / "port", state / "pid"
    words = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={port}"]
    subprocess.run([*words, "--daemon", "--terminate", "--pid", f"file={number}"], check=True)
    try:
        yield port
    finally:
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int(number.read_text()), 15)
