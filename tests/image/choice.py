"""GRUB itself and its script of the slots under qemu, with roots in which there is no kernel: each slot that it tries is named on the console."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from daemon.appliance import slots
from daemon.appliance.slots import Slot, States
from tests.image.boxes import MACHINES, medium
from tests.image.guest import FIRMWARE, VARIABLES

WITHIN_S = 400.0
STARTING = re.compile(rb"vitald: starting slot (.) \((\w+)\)")

CASES = {
    "an update that was just written": States(("B", "A"), Slot("good", 3), Slot("new", 1)),
    "an update that was tried and not kept": States(("B", "A"), Slot("good", 3), Slot("new", 0)),
    "an update that is being written": States(("A", "B"), Slot("good", 2), Slot("bad", 0)),
    "no slot has a try left": States(("B", "A"), Slot("good", 0), Slot("new", 0)),
    "one copy of the states is torn": States(("A", "B"), Slot("good", 3), Slot("bad", 0)),
    "both copies are torn": None,
}


def wanted(states: States | None) -> list[tuple[str, str]]:
    """Slot and state of every try, in their order, where none can be read."""
    if states is None:  # what the script takes then: two good slots, no tries
        states = States(("A", "B"), Slot("good", 0), Slot("good", 0))
    found = [(name, states[name].state) for name in states.order if states[name].starts]
    found += [(name, "spent") for name in states.order if states[name].state != "bad"]
    return [*found, *((name, "spent") for name in states.order)]


def tried(case: str, states: States | None, folder: Path) -> list[str]:
    """What is not as wanted."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "root").mkdir(parents=True)
    root = folder / "root.img"
    subprocess.run(
        ["mksquashfs", folder / "root", root, "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL
    )
    first = medium.first_partition(MACHINES["amd64"], folder / "first.img", folder)
    for number, name in enumerate(slots.COPIES):
        data = slots.block(states or States())
        torn = states is None or (number == 0 and "one copy" in case)
        (folder / name).write_bytes(b"\0" * 100 + data[100:] if torn else data)
        subprocess.run(["mcopy", "-o", "-i", first, folder / name, f"::{name}"], check=True)
    listed = [medium.Part(name, 4, "L", root) for name in ("rootA", "rootB")]
    disk = medium.disk(
        folder / "disk.img", [medium.Part("esp", MACHINES["amd64"].first_mb, "U", first), *listed]
    )
    console = folder / "console"
    shutil.copy(VARIABLES, folder / "variables.fd")
    words = [
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-m",
        "256",
        "-no-reboot",
        "-nic",
        "none",
        "-display",
        "none",
        "-monitor",
        "none",
    ]
    words += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
    words += ["-drive", f"if=pflash,format=raw,file={folder / 'variables.fd'}"]
    words += ["-drive", f"file={disk},format=raw,if=virtio", "-serial", f"file:{console}"]
    subprocess.run(["qemu-system-x86_64", *words], check=True, timeout=WITHIN_S, stdin=subprocess.DEVNULL)
    found = [(name.decode(), state.decode()) for name, state in STARTING.findall(console.read_bytes())]
    told = found[::2] if found[::2] == found[1::2] else found  # both terminals may end there
    wrong = [] if told == wanted(states) else [f"{case}: tried {told}, wanted {wanted(states)}"]
    if states is not None:
        wrong += _left(case, states, first, disk, folder)
    return wrong


def _left(case: str, states: States, first: Path, disk: Path, folder: Path) -> list[str]:
    """Each slot that was tried has a try less, in the copy that was read."""
    subprocess.run(
        [
            "dd",
            f"if={disk}",
            f"of={first}",
            "bs=1M",
            "skip=1",
            f"count={MACHINES['amd64'].first_mb}",
            "status=none",
        ],
        check=True,
    )
    for name in slots.COPIES:
        subprocess.run(["mcopy", "-o", "-i", first, f"::{name}", folder / name], check=True)
    after = slots.read(folder)
    for name in slots.SLOTS:
        less = states[name].left - (1 if states[name].starts else 0)
        if after[name] != Slot(states[name].state, less):
            return [f"{case}: slot {name} was {states[name]}, is {after[name]}"]
    return []
