"""What a process of this boot leaves for the next one, should it die in this very moment: a small file, written at once.

It is there before an alarm is heard or seen, so that no kill comes too early. It outlives the process and not the power, and
need not: after a reboot everything is judged anew, with the limits of the database. So nothing waits for a disk here.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from daemon.model.signals import Nanos
from daemon.store.entries import AlarmsKept

log = logging.getLogger(__name__)


class Handover:
    """The state of the alarms of every bed, in `path`. Never raises."""

    def __init__(self, path: Path, boot: str) -> None:
        self._path = path
        self._boot = boot
        self._beds: dict[str, dict[str, Any]] = {}
        self._failing = False

    def write(self, bed: str, kept: AlarmsKept) -> None:
        """The newest state of a bed, in place of the one before."""
        self._beds[bed] = {"t_ns": kept.t_ns, "limits": kept.limits, "state": kept.state}
        text = json.dumps({"boot": self._boot, "beds": self._beds})
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            if not self._failing:
                log.error("alarms: cannot be handed over to a later process: %s", error)  # noqa: TRY400 - a state of the box
            self._failing = True
        else:
            self._failing = False

    def read(self) -> dict[str, AlarmsKept]:
        """What the last process of this boot left, by bed; nothing where there was none."""
        try:
            left = json.loads(self._path.read_text(encoding="utf-8"))
            if left["boot"] != self._boot:
                return {}
            return {
                bed: AlarmsKept(_nanos(k["t_ns"]), k["limits"], k["state"]) for bed, k in left["beds"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("alarms: what the last process left cannot be read: %s", error)  # noqa: TRY400 - a state of the box
            return {}


def _nanos(given: object) -> Nanos:
    if not isinstance(given, int):
        raise TypeError("a time must be a whole number")
    return given
