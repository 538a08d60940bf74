"""Checks of `vitald doctor` on the ports: there, ours, held by nobody else, and something comes in."""

from __future__ import annotations

import os
from collections.abc import Iterator

from daemon.acquisition import hotplug
from daemon.appliance.checks_processes import UNREAD_S
from daemon.appliance.findings import Finding, found
from daemon.appliance.holders import Holder, holders
from daemon.appliance.surroundings import Surroundings
from daemon.config import Device
from daemon.control.attached import DeviceState

_SAYS = {"silent": "ports.silent", "stalled": "ports.stalled", "denied": "ports.denied"}


def ports(box: Surroundings) -> Iterator[Finding]:
    """Every device that the configuration expects."""
    if box.config is None:
        return
    seen = {
        (bed.bed, device.label): device
        for bed in (box.state.beds if box.state else ())
        for device in bed.devices
    }
    for key, bed in box.config.beds.items():
        for wanted in bed.devices:
            name = f"{key}/{wanted.label}"
            device = seen.get((key, wanted.label))
            if device is None or device.state in {"lost", "searching", "busy", "denied"}:
                yield from _by_ourselves(box, name, wanted, device)
            elif device.state in _SAYS:
                yield found(_SAYS[device.state], device=name, port=device.port)
            age_s = box.health.rounds_age_s.get(name, 0.0) if box.health else 0.0
            if age_s > UNREAD_S:
                yield found("ports.unread", device=name, seconds=f"{age_s:.0f}")
    yield from _alike(box)


def _by_ourselves(
    box: Surroundings, name: str, wanted: Device, told: DeviceState | None
) -> Iterator[Finding]:
    """What is wrong with a port that the daemon does not have (or that nobody tells of)."""
    there = hotplug.find(wanted.port)
    if not there:
        yield found("ports.missing", device=name, port=wanted.port)
        return
    daemon_pid = box.pids.get("vitald")
    for port in there:
        others = [one for one in holders(port.node, box.root) if one.pid != daemon_pid]
        locking = [one for one in others if one.locks] or (others if told and told.state == "busy" else [])
        if told is not None and told.state == "busy" and not locking:
            locking = [Holder(0, "another program")]
        for one in locking[:1]:
            yield found("ports.busy", device=name, port=port.path, holder=one.name, pid=one.pid or "unknown")
        if not locking and (
            (told is not None and told.state == "denied")
            or (told is None and not os.access(port.node, os.R_OK | os.W_OK))
        ):
            yield found("ports.denied", device=name, port=port.path)


def _alike(box: Surroundings) -> Iterator[Finding]:
    """Adapters of one make without serial numbers, which a pattern cannot tell apart."""
    assert box.config is not None
    patterns = {d.port for bed in box.config.beds.values() for d in bed.devices if hotplug.is_pattern(d.port)}
    there = {port.node: port for pattern in patterns for port in hotplug.find(pattern) if port.usb_id}
    makes: dict[tuple[int, int], list[str]] = {}
    for port in there.values():
        if port.usb_id is not None and not port.usb_serial:
            makes.setdefault(port.usb_id, []).append(port.path)
    for paths in makes.values():
        if len(paths) > 1:
            yield found("ports.alike", ports=", ".join(sorted(paths)))
