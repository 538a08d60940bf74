"""The two slots of an image, and which of them is started: RAUC's boot loader backend, `python -m daemon.appliance.slots`.

A slot is `good` (it was found well after a start), `new` (an update, not yet found well) or `bad` (it is being written, or was not
found well), and has tries left: a start takes one, being found well gives them back. A new slot has one; a good one has three, so
that power cuts in its first minutes do not make the box an older one. The boot loader takes the first slot in the order that is
not bad and has a try left; where there is none, the first that is not bad.

States are kept twice on the boot partition, as environment blocks of GRUB of one sector each, which are overwritten in place: a
power cut leaves the one before or the one after. On a Raspberry Pi its firmware reads `autoboot.txt` besides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

BOOT = Path("/efi")
COPIES = ("slots.0", "slots.1")
AUTOBOOT = "autoboot.txt"
SLOTS = ("A", "B")
TRIES = {"good": 3, "new": 1, "bad": 0}

SECTOR = 512
_SIGNATURE = "# GRUB Environment Block\n"

PI_PARTITIONS = {"A": 2, "B": 3}
"""Of a Raspberry Pi's disk: what its firmware starts a slot from."""


class Unreadable(Exception):
    """The states of the slots cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Slot:
    """`state` is good, new or bad; `left` the tries that are left."""

    state: str
    left: int

    @property
    def starts(self) -> bool:
        """Whether the boot loader would take it."""
        return self.state != "bad" and self.left > 0


@dataclass(frozen=True, slots=True)
class States:
    """Of both slots; `order` has the slot first that is wanted first."""

    order: tuple[str, ...] = SLOTS
    a: Slot = Slot("good", TRIES["good"])
    b: Slot = Slot("bad", 0)

    def __getitem__(self, name: str) -> Slot:
        """KeyError for a name that is no slot's."""
        return {"A": self.a, "B": self.b}[name]

    def primary(self) -> str:
        """The slot that the next start takes."""
        usable = [name for name in self.order if self[name].starts]
        whole = [name for name in self.order if self[name].state != "bad"]
        return next(iter(usable or whole or self.order))

    def marked(self, name: str, state: str) -> States:
        """With a slot in another state, and the tries that go with it."""
        slot = Slot(state, TRIES[state])
        return replace(self, a=slot) if name == "A" else replace(self, b=slot)

    def preferred(self, name: str) -> States:
        """With a slot first in the order. One that is not good is to be tried once."""
        order = (name, *(other for other in SLOTS if other != name))
        placed = replace(self, order=order)
        return placed if self[name].state == "good" else placed.marked(name, "new")


def read(folder: Path = BOOT) -> States:
    """From the first copy that is whole. Raises `Unreadable`."""
    why = "no copy is whole"
    for name in COPIES:
        try:
            return parsed((folder / name).read_bytes())
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
        except ValueError as error:
            why = f"{folder / name}: {error}"
    raise Unreadable(why)


def write(states: States, folder: Path = BOOT) -> None:
    """Both copies, one safe before the other is begun. Raises OSError."""
    for name in COPIES:
        _in_place(folder / name, block(states))
    if (folder / AUTOBOOT).exists():
        _in_place(folder / AUTOBOOT, autoboot(states))


def parsed(data: bytes) -> States:
    """Raises ValueError for what is no block of ours."""
    text = data.decode("ascii", "replace")
    if not text.startswith(_SIGNATURE):
        raise ValueError("not an environment block")
    found = dict(line.split("=", 1) for line in text.splitlines()[1:] if "=" in line)
    if found.get("VALID") != "1":
        raise ValueError("not whole")
    order = tuple(found["ORDER"].split()) if "ORDER" in found else ()
    if sorted(order) != sorted(SLOTS):
        raise ValueError("no order of slots")
    slots = []
    for name in SLOTS:
        state, left = found.get(name, ""), found.get(f"{name}_LEFT", "")
        if state not in TRIES or not left.isdigit():
            raise ValueError(f"slot {name} has no state")
        slots.append(Slot(state, int(left)))
    return States(order, *slots)


def block(states: States) -> bytes:
    """One sector, as GRUB reads and writes it."""
    lines = [f"VALID=1\nORDER={' '.join(states.order)}\n"]
    lines += [f"{name}={states[name].state}\n{name}_LEFT={states[name].left}\n" for name in SLOTS]
    return (_SIGNATURE + "".join(lines)).encode().ljust(SECTOR, b"#")


def autoboot(states: States) -> bytes:
    """What a Raspberry Pi starts by itself, which is never a new slot, and what it tries once when it is told to."""
    good = next((name for name in states.order if states[name].state == "good"), states.primary())
    new = next((name for name in states.order if states[name].state == "new"), good)
    text = (
        f"[all]\ntryboot_a_b=1\nboot_partition={PI_PARTITIONS[good]}\n"
        f"[tryboot]\nboot_partition={PI_PARTITIONS[new]}\n"
    )
    return text.encode().ljust(SECTOR, b"\n")


def _in_place(path: Path, data: bytes) -> None:
    """The same sector of the disk is overwritten: nothing is cut off and nothing moves."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, data, 0)
        os.fsync(file)
    finally:
        os.close(file)


# --- which slot runs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """What the boot loader said when it started this slot; `spent`: no slot had a try left."""

    slot: str
    new: bool
    spent: bool


def started(cmdline: str, *, tryboot: bool = False) -> Started | None:
    """From the kernel's command line; None on a machine without slots. `tryboot`: a Raspberry Pi was told to try."""
    words = dict(word.split("=", 1) for word in cmdline.split() if "=" in word)
    slot = words.get("rauc.slot", "")
    if slot not in SLOTS:
        return None
    state = words.get("vitald.state", "")
    return Started(slot, new=state == "new" or tryboot, spent=state == "spent")


def running(root: Path = Path("/")) -> Started | None:
    """The slot that runs now."""
    flag = root / "proc/device-tree/chosen/bootloader/tryboot"
    try:
        tryboot = flag.exists() and any(flag.read_bytes())
        return started((root / "proc/cmdline").read_text(encoding="ascii", errors="replace"), tryboot=tryboot)
    except OSError:
        return None


# --- what RAUC asks --------------------------------------------------------------------------------------------


def answered(words: Sequence[str], folder: Path = BOOT) -> str:
    """The answer to one call of RAUC's custom boot loader backend. Raises `Unreadable`, OSError, ValueError."""
    states = read(folder)
    match list(words):
        case ["get-primary"]:
            return states.primary()
        case ["get-current"]:
            now = running()
            return now.slot if now is not None else ""
        case ["set-primary", name] if name in SLOTS:
            write(states.preferred(name), folder)
        case ["get-state", name] if name in SLOTS:
            return "good" if states[name].starts else "bad"
        case ["set-state", name, ("good" | "bad") as state] if name in SLOTS:
            write(states.marked(name, state), folder)
        case _:
            raise ValueError(f"not known: {' '.join(words)}")
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done, the answer is on stdout. 1: the states cannot be read or written. 2: RAUC asked something unknown."""
    try:
        answer = answered(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201 - RAUC logs it
        return 2
    except (Unreadable, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - RAUC logs it
        return 1
    if answer:
        print(answer)  # noqa: T201 - this is the answer
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
