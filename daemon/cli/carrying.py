"""Steps on the machine, as `vitald net set` and `vitald time` carry them out or only show them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from daemon.appliance.system_steps import Step, carry_out
from daemon.cli import WELL
from daemon.words import say


def carried_out(steps: Sequence[Step], *, show: bool, as_json: bool) -> int:
    """Done, and told; with `show` only told. Raises `CannotDo`."""
    remarks = [] if show else carry_out(steps)
    if as_json:
        told = {"done": not show, "steps": [step.shown() for step in steps], "remarks": remarks}
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return WELL
    for step in steps:
        print(step.shown())
    for remark in remarks:
        print(say("setup.cli.remark", text=remark))
    print(say("setup.cli.shown" if show else "technician.done"))
    return WELL
