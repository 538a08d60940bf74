"""The image under qemu: started, updated, broken, cut off from its supply. `python -m tests.image.image STEP ...` runs a part alone.

Steps: `choice` (which slot GRUB takes), `contained` (which slot is kept and which is left: the same tree in a container), `life` (power-on
to the first sample and to waves over the page; wrong signatures refused; a second version installed, started and kept; a version whose
daemon does not start returns by itself), `cuts` (power cuts at random writes of that update, each disk started again), `load` (power cuts
at random writes of the box at work, each disk looked at). `cuts` and `load` take the writes that `life` has recorded.
No hardware help is taken (TCG): times are those of an emulated machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.image import boxes, choice, contained, cuts
from tests.image.boxes import VERSIONS, Boxes
from tests.image.guest import Guest, Silent, free_port

ROOT = Path(__file__).resolve().parents[2]
BOOT_S, HEALTH_S, INSTALL_S = 900.0, 600.0, 1500.0
FRAMES = 10
SEED = 20


def told(what: str, value: object) -> None:
    print(f"image: {what}: {value}", flush=True)


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
        except (Silent, subprocess.CalledProcessError) as error:
            wrong.append(f"{name}: {error}")
        told(f"{name}: seconds of the step", round(time.monotonic() - began))
    return wrong


# --- a start ----------------------------------------------------------------------------------------------------


async def waves(port: int, within: float) -> int:
    """Wave frames heard over the page's own socket; 0 where none came in time."""
    import aiohttp

    frames, until = 0, time.monotonic() + within
    headers = {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}
    while time.monotonic() < until:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"http://127.0.0.1:{port}/live?bed=1",
                    headers=headers,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2),
                ) as ws,
            ):
                while time.monotonic() < until and frames < FRAMES:
                    message = await ws.receive(timeout=20)
                    if message.type is aiohttp.WSMsgType.BINARY:
                        frames += 1
                    elif message.type is not aiohttp.WSMsgType.TEXT:
                        break
                if frames >= FRAMES:
                    return frames
        except (aiohttp.ClientError, OSError, TimeoutError):
            await asyncio.sleep(0.5)
    return frames


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


def slot(guest: Guest) -> str:
    _, line = guest.run("cat", "/proc/cmdline")
    return next((word[-1] for word in line.split() if word.startswith("rauc.slot=")), "")


def life(made: Boxes) -> list[str]:
    """One box from its first power-on to the return from a broken update; every write of its disk is recorded."""
    wrong: list[str] = []
    base, disk, log = made.fresh("base"), made.folder / "life.img", made.folder / "life.log"
    subprocess.run(["cp", "--sparse=always", str(base), str(disk)], check=True)
    web, marks = free_port(), {}
    with Guest(made.folder / "life", disk, stick=made.stick(), log=log, web=web) as guest:
        try:
            wrong += first_start(guest, web)
            guest.run("mount", "-o", "ro", "/dev/vdb", "/mnt")
            wrong += refused(guest)
            guest.ask("acks")
            marks["load"] = log.stat().st_size
            guest.listen(float(os.environ.get("VITALD_IMAGE_LOAD_S", "120")))
            marks["update"] = log.stat().st_size
            wrong += updated(guest, "good", "B")
            marks["updated"] = guest.installed_at
            wrong += returned(guest)
            guest.power_off()
        finally:
            told_all = {"marks": marks, "acks": guest.acks}
            (made.folder / "life.json").write_text(json.dumps(told_all))
    return wrong


def first_start(guest: Guest, web: int) -> list[str]:
    """From power-on to samples and waves, and what a box must be then."""
    wrong = []
    told("seconds from power-on to the guest's first word", round(guest.hello(BOOT_S)))
    frames = asyncio.run(waves(web, BOOT_S))
    seen = f"{frames} frames of waves over the page's port"
    told(f"seconds from power-on, {seen}", round(time.monotonic() - guest.began))
    up_s = guest.ask("first", within=BOOT_S)["up_s"]
    told("seconds from the kernel's start until a sample was seen in the store", up_s)
    if frames < FRAMES or up_s is None:
        wrong.append(f"{frames} frames, first sample at {up_s}")
    state = settled(guest)
    told("seconds from power-on until the slot is kept", round(time.monotonic() - guest.began))
    if state != "active":
        wrong.append(f"the first slot is not kept: {state}\n{journal(guest)}")
    for what, words, well in boxes.LOOKED:
        code, out = guest.run(*words)
        if not well(code, out):
            wrong.append(f"{what}: {out.strip()[-800:]}")
    told(
        "units that failed", guest.run("systemctl", "--failed", "--plain", "--no-legend")[1].strip() or "none"
    )
    told("systemd-analyze", guest.run("systemd-analyze", "time")[1].strip().splitlines()[0])
    told("status", "\n" + guest.run("vitald", "update", "status")[1].strip())
    return wrong


def refused(guest: Guest) -> list[str]:
    """Wrong signature, damaged payload: refused, and no byte of the other slot is written."""
    wrong = []
    head = ("sh", "-c", "dd if=/dev/disk/by-partlabel/rootB bs=1M status=none | sha256sum")
    before = guest.run(*head, within=600)[1]
    for name in ("foreign.raucb", "damaged.raucb"):
        code, out, took = install(guest, name)
        said = out.strip().splitlines()[-1] if out.strip() else ""
        told(f"{name}: exit code {code} after {took:.0f} s", said)
        if code != 1:
            wrong.append(f"{name} was not refused: {out}")
    if guest.run(*head, within=600)[1] != before:
        wrong.append("the other slot was written")
    return wrong


def install(guest: Guest, name: str) -> tuple[int, str, float]:
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
    state, now = settled(guest), slot(guest)
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
    old = slot(guest)
    code, out, _ = install(guest, "broken.raucb")
    if code:
        return [f"the broken version is not installed: {out}"]
    began = time.monotonic()
    guest.ask("start", words=["systemctl", "reboot"])
    guest.hello(BOOT_S)
    tried = slot(guest)
    guest.hello(HEALTH_S + BOOT_S)
    told(
        "seconds from the restart into a broken version until the old one speaks again",
        round(time.monotonic() - began),
    )
    state, now = settled(guest), slot(guest)
    code, status = guest.run("vitald", "update", "status")
    told("status after the return", "\n" + status.strip())
    well = tried != old and (now, state, code) == (old, "active", 1)
    return [] if well else [f"slot {old}, tried {tried}, then {now}; {state}; {code}: {status}"]


def journal(guest: Guest) -> str:
    return guest.run("journalctl", "-b", "-u", "vitald*", "-n", "60", "-o", "cat")[1]


# --- power cuts -------------------------------------------------------------------------------------------------


def remembered(made: Boxes) -> tuple[list[cuts.Entry], dict, list]:
    """The writes of `life`, where its parts begin in the log, and what it had acknowledged."""
    listed = cuts.entries(made.folder / "life.log")
    kept = json.loads((made.folder / "life.json").read_text())
    return listed, kept["marks"], kept["acks"]


def cut_updates(made: Boxes) -> list[str]:
    """Cuts at random writes of an update, samples being stored all the while; each disk is started, and must bring the box back."""
    count, chance = int(os.environ.get("VITALD_IMAGE_CUTS", "20")), Random(SEED)
    listed, marks, acks = remembered(made)
    told("cuts: the log", cuts.described(listed, marks["update"], marks["updated"]))
    wrong, booted, slots, lost = [], 0, [], 0
    for n, place in enumerate(cuts.places(listed, count, chance, marks["update"], marks["updated"]), 1):
        disk = made.folder / "cut.img"
        loose, gone = cuts.cut(
            made.folder / "base.img", made.folder / "life.log", listed, place, chance, disk
        )
        lost += gone
        try:
            with Guest(made.folder / "cut", disk, stick=made.stick()) as again:
                took = again.hello(BOOT_S)
                up_s = again.ask("first", within=BOOT_S)["up_s"]
                now = slot(again)
                found = boxes.compared(again, cuts.acknowledged(acks, listed, place))
        except Silent as error:
            wrong.append(f"cut {n} before write {place}: {error}")
            continue
        booted += 1
        slots.append(now)
        well = "; ".join(found) or "both stores whole, nothing acknowledged lost"
        told(
            f"cut {n}",
            f"write {place}, {gone} of {loose} unsynced writes lost; slot {now} after {took:.0f} s; {well}",
        )
        wrong += [f"cut {n}: {line}" for line in found]
        if up_s is None:
            wrong.append(f"cut {n}: no sample is stored afterwards")
    what = f"{booted} of {count}; slots {''.join(slots)}; {lost} unsynced writes lost in all"
    told("cuts: starts after power cuts of an update", what)
    return wrong


def cut_load(made: Boxes) -> list[str]:
    """Cuts of a box at work: its disk is looked at as the next start would find it (journal replayed by e2fsck, stores by SQLite)."""
    count, chance = int(os.environ.get("VITALD_IMAGE_LOAD_CUTS", "95")), Random(SEED + 1)
    listed, marks, acks = remembered(made)
    told("load: the log", cuts.described(listed, marks["load"], marks["updated"]))
    wrong, whole, lost = [], 0, 0
    for n, place in enumerate(cuts.places(listed, count, chance, marks["load"], marks["updated"]), 1):
        disk = made.folder / "cut.img"
        _, gone = cuts.cut(made.folder / "base.img", made.folder / "life.log", listed, place, chance, disk)
        lost += gone
        found = boxes.looked(disk, made.folder / "looked", cuts.acknowledged(acks, listed, place))
        whole += not found
        wrong += [f"cut {n} before write {place}: {line}" for line in found]
    told(
        "load: power cuts after which both stores are whole and nothing acknowledged is lost",
        f"{whole} of {count}",
    )
    told("load: unsynced writes lost in all", lost)
    return wrong


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


STEPS = {"choice": choose, "contained": contain, "life": life, "cuts": cut_updates, "load": cut_load}

if __name__ == "__main__":
    found = run([], sys.argv[1:])
    print("\n".join(f"image: NOT MET: {line}" for line in found) or "image: met")
    raise SystemExit(bool(found))
