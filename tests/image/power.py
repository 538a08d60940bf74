"""Power cuts of the box that `life` has run, at random writes: disks that are started, and disks that are looked at."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.image import after_a_cut, cuts
from tests.image.boxes import BOOT_S, Boxes, told
from tests.image.guest import Silent

SEED = 20
LIES = 200
"""Entries of the log that the control's disk keeps to itself."""

TRYING = 4
"""Of the cuts of an update, those between its last byte and the word that the new slot is kept."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a start after a cut came to; `slot` is empty where the box did not come back."""

    slot: str
    lost: int
    wrong: list[str]


class Remembered:
    """The writes of `life`, where its parts begin in the log, and what it had acknowledged."""

    def __init__(self, made: Boxes) -> None:
        self._made = made
        self.log = made.folder / "life.log"
        self.listed = cuts.entries(self.log)
        kept = json.loads((made.folder / "life.json").read_text())
        self.marks, self.acks = kept["marks"], kept["acks"]
        if not any(entry.flags & cuts.FLUSH for entry in self.listed[len(self.listed) // 2 :]):
            raise ValueError(
                "the log has no flush: what the guest had safe cannot be told from what it had not"
            )

    def places(self, count: int, chance: Random, first: str, last: str) -> list[int]:
        """Moments between two marks of the life, each before a write."""
        return cuts.places(self.listed, count, chance, self.marks[first], self.marks[last])

    def told(self, name: str, first: str, last: str) -> None:
        told(f"{name}: the log", cuts.described(self.listed, self.marks[first], self.marks[last]))

    def start(self, name: str, place: int) -> Started:
        """The disk after a cut before a write, started: it must store samples again, and have what was acknowledged."""
        disk = self._made.folder / f"{name}.img"
        loose, lost = cuts.cut(
            self._made.folder / "base.img", self.log, self.listed, place, Random(place), disk
        )
        try:
            with self._made.machine(name, disk) as again:
                took = again.hello(BOOT_S)
                up_s = again.ask("first", within=BOOT_S)["up_s"]
                now = again.slot()
                wrong = after_a_cut.compared(again, cuts.acknowledged(self.acks, self.listed, place))
        except Silent as error:
            return Started("", lost, [f"before write {place}: {error}"])
        finally:
            disk.unlink(missing_ok=True)
        if up_s is None:
            wrong.append("no sample is stored afterwards")
        well = "; ".join(wrong) or "both stores whole, nothing acknowledged lost"
        what = f"{lost} of {loose} unsynced writes lost; slot {now}"
        told(
            name,
            f"before write {place}: {what} after {took:.0f} s, a sample stored {up_s} s after the kernel's start; {well}",
        )
        return Started(now, lost, [f"before write {place}: {line}" for line in wrong])

    def starts(self, name: str, places: list[int]) -> list[Started]:
        """All of them, some at a time."""
        with ThreadPoolExecutor(int(os.environ.get("VITALD_IMAGE_AT_ONCE", "1"))) as pool:
            return list(pool.map(self.start, [f"{name}{n}" for n in range(1, len(places) + 1)], places))


def cut_updates(made: Boxes) -> list[str]:
    """Cuts at random writes of an update, samples being stored all the while; each disk is started, and must bring the box back."""
    count, chance, was = int(os.environ.get("VITALD_IMAGE_CUTS", "20")), Random(SEED), Remembered(made)
    trying = min(TRYING, count)
    was.told("cuts", "update", "updated")
    was.told("cuts, until it is kept", "updated", "kept")
    places = was.places(count - trying, chance, "update", "updated")
    found = was.starts("cut", places + was.places(trying, chance, "updated", "kept"))
    slots = "".join(one.slot for one in found)
    lost = sum(one.lost for one in found)
    told(
        "cuts: starts after power cuts of an update",
        f"{len(slots)} of {count}; slots {slots}; {lost} unsynced writes lost in all",
    )
    return [line for one in found for line in one.wrong]


def cut_load(made: Boxes) -> list[str]:
    """Cuts of a box at work: most data partitions are looked at here (journal replayed by e2fsck, stores by SQLite), some disks are started.

    The control is a disk that lies: it says that it has flushed, and has not. It must be found out.
    """
    count = int(os.environ.get("VITALD_IMAGE_LOAD_CUTS", "95"))
    was = Remembered(made)
    was.told("load", "load", "updated")
    wrong = _looked_at(made, was, count)
    told(
        "load: power cuts after which both stores are whole and nothing acknowledged is lost",
        f"{count - len(wrong)} of {count}",
    )
    control = max(1, count // 5)
    caught = len(_looked_at(made, was, control, LIES))
    told("load: control, a disk that lies: cuts after which that is not so", f"{caught} of {control}")
    started = was.starts(
        "load",
        was.places(int(os.environ.get("VITALD_IMAGE_LOAD_STARTS", "5")), Random(SEED + 1), "load", "updated"),
    )
    back = sum(bool(one.slot) and not one.wrong for one in started)
    told("load: of the whole image, started again with the same outcome", f"{back} of {len(started)}")
    wrong += [] if caught else ["no disk that lies was found out: the trial sees nothing"]
    return wrong + [line for one in started for line in one.wrong]


def _looked_at(made: Boxes, was: Remembered, count: int, lies: int = 0) -> list[str]:
    """What is wrong of so many cuts of the data partition, a line a cut."""
    chance, base, part = Random(SEED + 1), made.folder / "base-data.img", made.folder / "cut-data.img"
    listed = cuts.within(was.listed, *after_a_cut.data_part(made.folder / "base.img", base))
    wrong, lost = [], 0
    for n, place in enumerate(cuts.places(listed, count, chance, was.marks["load"], was.marks["updated"]), 1):
        _, gone = cuts.cut(base, was.log, listed, place, chance, part, lies=lies)
        lost += gone
        found = after_a_cut.looked(part, made.folder / "looked", cuts.acknowledged(was.acks, listed, place))
        wrong += [f"cut {n} before write {place}: {'; '.join(found)}"] if found else []
    told(
        f"load: writes lost by {count} cuts, not flushed{' or kept back by a disk that lies' if lies else ''}",
        lost,
    )
    return wrong
