"""Limits are the patient's: they outlive the process and the power, and go when the patient goes."""

from __future__ import annotations

import pytest

from daemon.alarms.engine import AlarmEngine
from daemon.alarms.limits import Limits
from daemon.alarms.watch import Watch
from daemon.model.signals import Command, Tick

S = 1_000_000_000


def watch(boot: str) -> Watch:
    return Watch("1", lambda own, first: AlarmEngine(Limits(own=own), boot=boot, first=first), print)


def acted(bed: Watch, t_ns: int, verb: str, **values: str) -> None:
    told = tuple((name.replace("__", "."), value) for name, value in values.items())
    bed.step(Command(f"act-{t_ns:08}", t_ns, "1", "AK", verb, told))
    bed.step(Tick(t_ns))


@pytest.mark.parametrize(("boot", "later_s"), [("boot-1", 2), ("boot-1", 600), ("boot-2", 5)])
def test_limits_stay_in_force_over_a_restart_and_a_loss_of_power(boot, later_s):
    before = watch("boot-1")
    acted(before, S, "limits", hr_high__above="135", hr_low__on="false")

    after = watch(boot)
    after.restore(before.own, before.kept, later_s * S)
    after.step(Tick((later_s + 1) * S))

    assert after.limits.value("hr_high", "above") == 135
    assert not after.limits.is_on("hr_low")
    assert set(after.limits.differing) == {"hr_high", "hr_low"}


@pytest.mark.parametrize("verb", ["discharge", "admit"])
def test_with_the_patient_the_limits_go_and_stay_gone(verb):
    bed = watch("boot-1")
    acted(bed, S, "limits", hr_high__above="135")
    acted(bed, 2 * S, verb)
    assert bed.limits.differing == ()

    after = watch("boot-1")
    after.restore(bed.own, bed.kept, 3 * S)
    assert after.limits.differing == ()
