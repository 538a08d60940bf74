"""The check of `vitald doctor` on a box's own updates: how its two slots stand, and what became of the last update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.appliance.findings import Finding, found
from daemon.appliance.surroundings import Surroundings
from daemon.appliance.update import Status


def slots(box: Surroundings) -> Iterator[Finding]:
    """Nothing where there are no slots, and of a box that was never updated nothing of its empty one."""
    told = box.update
    if told is None or told.running is None:
        return
    if told.unreadable:
        yield found("update.unreadable", why=told.unreadable)
    elif told.spent or not _any_good(told):
        yield found("update.no_good_slot", slot=told.running)
    last = told.last or {}
    values = {"before": str(last.get("before", "?")), "to": str(last.get("to", "?"))}
    if last.get("waiting") is True:
        yield found("update.waiting", **values)
    elif "returned_at" in last or ("failed" in last and not told.new):
        why = "; ".join(str(one) for one in last.get("failed", ())) or "no reason was written down"
        yield found("update.returned", why=why, **values)
    elif _not_tried(last, told.running):
        yield found("update.restart", **values)
    elif "slot" in last and not _DONE & set(last):
        yield found("update.broken_off", **values)
    else:
        yield from _bad(told, last)


_DONE = frozenset({"installed_at", "kept_at", "rolled_back_at", "withdrawn_at"})


def _any_good(told: Status) -> bool:
    """Whether a slot is good. Who may not see the states is told nothing of them."""
    return told.slots is None or any(slot["state"] == "good" for slot in told.slots.values())


def _not_tried(last: Mapping[str, Any], running: str) -> bool:
    """Whether an installed update, or a going back by hand, waits for the next start."""
    asked = "installed_at" in last or "rolled_back_at" in last
    done = {"kept_at", "withdrawn_at"} & set(last) and "rolled_back_at" not in last
    return asked and not done and last.get("slot") != running


def _bad(told: Status, last: Mapping[str, Any]) -> Iterator[Finding]:
    """The other slot, where something was ever written to it."""
    for name, slot in (told.slots or {}).items():
        if last and name != told.running and slot["state"] == "bad":
            yield found("update.slot_bad", slot=name)
