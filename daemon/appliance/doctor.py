"""`vitald doctor`: every check in its order. It changes nothing: one small file is written and taken away again (the disk's speed)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from daemon.appliance import (
    checks_box,
    checks_network,
    checks_ports,
    checks_processes,
    checks_store,
    checks_update,
)
from daemon.appliance.findings import CHECKS, Finding, Grade, number
from daemon.appliance.surroundings import Surroundings

Check = Callable[[Surroundings], Iterable[Finding]]

RUN: Mapping[str, Check] = {
    "configuration": checks_box.configuration,
    "files": checks_box.files,
    "disk": checks_box.disk,
    "clock": checks_box.clock,
    "machine": checks_box.machine_id,
    "daemon": checks_processes.the_daemon,
    "processes": checks_processes.processes,
    "ports": checks_ports.ports,
    "sound": checks_processes.sound,
    "store": checks_store.store,
    "network": checks_network.network,
    "destinations": checks_network.destinations,
    "certificates": checks_network.certificates,
    "memory": checks_box.memory,
    "heat": checks_box.heat,
    "supply": checks_box.supply,
    "units": checks_processes.units,
    "update": checks_update.slots,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """One check and what it found; `unknown`: why it could not be made."""

    number: int
    check: str
    findings: tuple[Finding, ...] = ()
    unknown: str = ""

    @property
    def grade(self) -> Grade:
        grades = {finding.grade for finding in self.findings}
        if Grade.FAIL in grades:
            return Grade.FAIL
        return Grade.WARN if grades or self.unknown else Grade.OK


def examine(box: Surroundings) -> Iterator[Checked]:
    """All checks, one after the other: what one cannot see keeps no other from being made."""
    for check in CHECKS:
        try:
            yield Checked(number(check), check, tuple(RUN[check](box)))
        except OSError as error:
            yield Checked(number(check), check, unknown=f"{error.filename or ''} {error.strerror}".strip())
