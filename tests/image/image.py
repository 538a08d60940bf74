"""The image in virtual machines: started, updated, broken, cut off from its supply. `python -m tests.image.image STEP ...` runs a part alone.

Steps: `choice` (which slot GRUB takes), `contained` (which slot is kept and which is left: the same tree in a container), `start` (power-on
to the first sample and to waves in a browser), `first` (the data partition that a box makes: plain, cut off meanwhile, with a key), `tpm` (with
a TPM's key), `life` (wrong signatures refused; a second version installed, started and kept; a version
whose daemon does not start returns by itself), `cuts` (power cuts at random writes of that update, each disk started again), `load` (power
cuts at random writes of the box at work, most disks looked at, some started). `cuts` and `load` take the writes that `life` has recorded.
`choice`, `start` and `tpm` run under qemu without hardware help, and so do the others, which VITALD_IMAGE_SMALL=1 puts into the minimal
machine of small.py, at this machine's own speed.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.image import boxes, choice, contained, data_partition, power, screen
from tests.image.boxes import BOOT_S, VERSIONS, Boxes, told
from tests.image.guest import Guest, Silent, free_port

ROOT = Path(__file__).resolve().parents[2]
HEALTH_S, INSTALL_S = 1800.0, 600.0


def run(suites: list[str], steps: list[str] | None = None) -> list[str]:
    """What is not met. `suites` is not asked: an image is of one release."""
    del suites
    made = Boxes(Path(os.environ.get("VITALD_IMAGE_TEST", ROOT / "var/image-test")) / "image")
    made.build(told)
    wrong: list[str] = []
    for name in steps or STEPS:
        began = time.monotonic()
        try:
            wrong += [f"{name}: {line}" for line in STEPS[name](made)]
        except (Silent, ValueError, subprocess.CalledProcessError) as error:
            wrong.append(f"{name}: {error}")
        told(f"{name}: seconds of the step", round(time.monotonic() - began))
    return wrong


# --- a start ----------------------------------------------------------------------------------------------------


def settled(guest: Guest) -> str:
    """How the slot's unit stands once it has come to an end: active, failed, or what it was when the time was over."""
    until = time.monotonic() + HEALTH_S
    state = ""
    while time.monotonic() < until:
        _, out = guest.run("systemctl", "show", "--value", "-p", "ActiveState", "vitald-slot")
        state = out.strip()
        if state in {"active", "failed"}:
            return state
        time.sleep(2)
    return state


def started(made: Boxes) -> list[str]:
    """The image under qemu: firmware, boot loader, kernel, and all that starts, to waves that move in a browser of this machine."""
    web, disk = free_port(), made.fresh("start", boxes.CABLE)
    with made.machine("start", disk, web=web) as guest:
        told("seconds from power-on to the guest's first word", round(guest.hello(BOOT_S)))
        up_s = guest.ask("first", within=BOOT_S)["up_s"]
        told("seconds from the kernel's start until a sample was seen in the store", up_s)
        told("seconds from power-on until the host heard so", round(time.monotonic() - guest.began))
        drawn = screen.waves(web, BOOT_S, guest.folder / "waves.png")
        told("seconds from power-on to moving waves in a browser", round(time.monotonic() - guest.began))
        wrong = [] if drawn and up_s else [f"samples drawn: {drawn}, first sample in the store at {up_s}"]
        wrong += well(guest, boxes.LOOKED)
        guest.power_off()
    return wrong


def well(guest: Guest, looked: Sequence[boxes.Look]) -> list[str]:
    """The slot is kept, and what a box must be then."""
    wrong, state = [], settled(guest)
    told("seconds from power-on until the slot is kept", round(time.monotonic() - guest.began))
    if state != "active":
        wrong.append(f"the first slot is not kept: {state}\n{journal(guest)}")
    for what, words, holds in looked:
        code, out = guest.run(*words)
        if not holds(code, out):
            wrong.append(f"{what}: {out.strip()[-800:]}")
    failed = guest.run("systemctl", "--failed", "--plain", "--no-legend")[1].strip()
    told("units that failed", failed or "none")
    told("systemd-analyze", guest.run("systemd-analyze", "time")[1].strip().splitlines()[0])
    told("status", "\n" + guest.run("vitald", "update", "status")[1].strip())
    return wrong


def life(made: Boxes) -> list[str]:
    """One box from its first power-on to the return from a broken update; every write of its disk is recorded."""
    wrong: list[str] = []
    base, disk = made.fresh("base", boxes.CABLE), made.folder / "life.img"
    log = made.folder / "life.log"
    subprocess.run(["cp", "--sparse=always", str(base), str(disk)], check=True)
    marks = {}
    with made.machine("life", disk, log=log) as guest:
        try:
            told("seconds from the start to the guest's first word", round(guest.hello(BOOT_S)))
            told("first sample, seconds of the kernel", guest.ask("first", within=BOOT_S)["up_s"])
            wrong += well(
                guest,
                [look for look in boxes.LOOKED if not (boxes.SMALL and look[0] == boxes.MACHINES_WATCHDOG)],
            )
            wrong += refused(guest, disk)
            guest.ask("acks")
            marks["load"] = guest.logged()
            guest.listen(float(os.environ.get("VITALD_IMAGE_LOAD_S", "120")))
            marks["update"] = guest.logged()
            wrong += updated(guest, "good", "B")
            marks["updated"], marks["kept"] = guest.installed_at, guest.logged()
            remember(made, marks, guest)
            wrong += returned(guest)
            guest.power_off()
        except Silent as error:
            wrong.append(str(error))
        finally:
            remember(made, marks, guest)
    return wrong


def remember(made: Boxes, marks: dict, guest: Guest) -> None:
    """For the steps that cut the supply of this box, where its writes were recorded."""
    (made.folder / "life.json").write_text(json.dumps({"marks": marks, "acks": guest.acks}))


def other_slot(guest: Guest, disk: Path) -> str:
    """SHA-256 of slot B, read from the file that the guest writes through to."""
    guest.run("sync")
    start, size = boxes.slot_b()
    with disk.open("rb") as file:
        file.seek(start)
        return hashlib.sha256(file.read(size)).hexdigest()


def refused(guest: Guest, disk: Path) -> list[str]:
    """Wrong signature, damaged payload: refused, and no byte of the other slot is written."""
    wrong = []
    before = other_slot(guest, disk)
    for name in ("foreign.raucb", "damaged.raucb"):
        code, out, took = install(guest, name)
        said = out.strip().splitlines()[-1] if out.strip() else ""
        told(f"{name}: exit code {code} after {took:.0f} s", said)
        if code != 1:
            wrong.append(f"{name} was not refused: {out}")
    if other_slot(guest, disk) != before:
        wrong.append("the other slot was written")
    return wrong


def install(guest: Guest, name: str) -> tuple[int, str, float]:
    guest.run("sh", "-c", f"mountpoint -q /mnt || mount -o ro {guest.stick} /mnt")
    began = time.monotonic()
    code, out = guest.run("vitald", "update", "install", f"/mnt/{name}", within=INSTALL_S)
    return code, out, time.monotonic() - began


def updated(guest: Guest, name: str, to: str) -> list[str]:
    """Another version is installed, started and kept, the samples of before are there."""
    before = guest.ask("ask", sql="SELECT total(n) FROM chunks")["rows"]
    code, out, took = install(guest, f"{name}.raucb")
    told("seconds of `vitald update install`", round(took))
    guest.installed_at = guest.logged()
    if code:
        return [f"{name} is not installed: {out}"]
    began = time.monotonic()
    guest.ask("start", words=["systemctl", "reboot"])
    guest.hello(BOOT_S)
    state, now = settled(guest), guest.slot()
    told("seconds from the restart until the new slot is kept", round(time.monotonic() - began))
    version = guest.run("cat", "/usr/lib/vitald-image/version")[1].strip()
    told("status after the update", "\n" + guest.run("vitald", "update", "status")[1].strip())
    wrong = []
    if (state, now, version) != ("active", to, VERSIONS[name]):
        wrong.append(f"slot {now}, version {version}, {state}: {journal(guest)}")
    after = guest.ask("ask", sql="SELECT total(n) FROM chunks")["rows"]
    if not (isinstance(before, list) and isinstance(after, list) and after[0][0] >= before[0][0] > 0):
        wrong.append(f"samples before {before}, after {after}")
    return wrong


def returned(guest: Guest) -> list[str]:
    """A version whose daemon does not start: the box is back in the old slot by itself, and says why."""
    old = guest.slot()
    code, out, _ = install(guest, "broken.raucb")
    if code:
        return [f"the broken version is not installed: {out}"]
    began = time.monotonic()
    guest.ask("start", words=["systemctl", "reboot"])
    guest.hello(BOOT_S)
    tried = guest.slot()
    guest.hello(HEALTH_S + BOOT_S)
    told(
        "seconds from the restart into a broken version until the old one speaks again",
        round(time.monotonic() - began),
    )
    state, now = settled(guest), guest.slot()
    code, status = guest.run("vitald", "update", "status")
    told("status after the return", "\n" + status.strip())
    well = tried != old and (now, state, code) == (old, "active", 1)
    return [] if well else [f"slot {old}, tried {tried}, then {now}; {state}; {code}: {status}"]


def journal(guest: Guest) -> str:
    return guest.run("journalctl", "-b", "-u", "vitald*", "-n", "60", "-o", "cat")[1]


# --- parts of it without the whole -----------------------------------------------------------------------------


def contain(made: Boxes) -> list[str]:
    """Which slot is kept and which is left, in a container of the same tree."""
    wrong = []
    for trial in contained.TRIALS:
        began = time.monotonic()
        found = trial(made.folder / "work/tree", made.folder / "contained")
        told(
            f"contained: {trial.__name__}: {'met' if not found else 'NOT MET'}, seconds",
            round(time.monotonic() - began),
        )
        wrong += found
    return wrong


def choose(made: Boxes) -> list[str]:
    """Which slot GRUB takes, however the states stand."""
    wrong = []
    for case, states in choice.CASES.items():
        began = time.monotonic()
        found = choice.tried(case, states, made.folder / "choice")
        told(f"choice: {case}: {'met' if not found else 'NOT MET'}, seconds", round(time.monotonic() - began))
        wrong += found
    return wrong


STEPS = {
    "choice": choose,
    "contained": contain,
    "start": started,
    "first": data_partition.first_starts,
    "tpm": data_partition.with_a_tpm,
    "life": life,
    "cuts": power.cut_updates,
    "load": power.cut_load,
}

if __name__ == "__main__":
    found = run([], sys.argv[1:])
    print("\n".join(f"image: NOT MET: {line}" for line in found) or "image: met")
    raise SystemExit(bool(found))
