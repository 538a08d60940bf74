"""What `vitald status` prints: well or not first, then one line a thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daemon.cli.asked import Asked
from daemon.cli.queue import span
from daemon.cli.test_alarm import verdict
from daemon.cli.update import slot_lines
from daemon.control.attached import DeviceState
from daemon.control.messages import BedState, State
from daemon.control.proof import ProofTold
from daemon.words import say, table

STALE_S = 3.0
PRIORITIES = ("high", "medium", "low")


def screen(asked: Asked, technical: dict[str, Any]) -> Iterator[str]:
    """All lines."""
    state = asked.state
    if state is not None:
        yield f"{state.box}: vitald {state.version}{' (DEMO)' if state.demo else ''}"
        for fact in state.facts:
            yield _fact(fact.source, fact.detail, (state.now_ns - fact.since_ns) / 1e9)
        for bed in state.beds:
            yield from _bed(bed, state)
        yield f"  {say('technician.alarms')}: {_alarms(technical)}"
        yield _proof(technical, state)
    yield f"  {say('technician.processes')}: " + ", ".join(
        f"{unit} {say('technician.answers') if not why else say('technician.silent')}"
        for unit, why in technical["processes"].items()
    )
    yield from _clouds(technical)
    yield from _room(technical)
    yield from _machine(technical)


def _fact(source: str, detail: str, since_s: float) -> str:
    key = f"fact.{source}" if f"fact.{source}" in table() else "fact.other"
    return f"  ! {say(key, source=source)} {detail} ({say('technician.since', span=span(max(since_s, 0)))})"


def _bed(bed: BedState, state: State) -> Iterator[str]:
    parts = [f"  {bed.name or bed.bed}:"]
    rate = bed.metrics.get("heart_rate")
    if rate is not None:
        blank = f"HR -- ({say(f'why.{rate.why}')}),"
        parts.append(blank if rate.value is None else f"HR {rate.value:.0f} {rate.unit},")
    parts.append(
        ", ".join(f"{d.label} {say(f'link.{d.state}')}" for d in bed.devices) or "no device configured"
    )
    admitted = "technician.admitted" if bed.patient is not None else "technician.not_admitted"
    parts.append(f"({say(admitted)})")
    yield " ".join(parts)
    for device in bed.devices:
        yield f"    {_device(device, state.now_ns)}"


def _device(device: DeviceState, now_ns: int) -> str:
    rate = f"{device.rate_hz:g} Hz" if device.rate_hz else "- Hz"
    since = say("technician.since", span=span(max(now_ns - device.since_ns, 0) / 1e9))
    damaged = f"{device.bytes_damaged}/{device.bytes_in}"
    errors = say("technician.errors", lost=str(device.samples_lost), damaged=damaged)
    mark = " " if device.state == "streaming" else "!"
    named = f"{device.label:<9} {device.title or device.kind} {device.device or '-'}"
    return f"{mark} {named}, {rate}, {say(f'link.{device.state}')} {since}, {errors}, {device.port}"


def _alarms(technical: dict[str, Any]) -> str:
    counts = (technical["health"] or {}).get("alarms", {})
    return ", ".join(f"{counts.get(p, 0)} {say(f'alarms.priority.{p}')}" for p in PRIORITIES)


def _proof(technical: dict[str, Any], state: State) -> str:
    """The last proof of the alarm chain, and how long ago it was."""
    said = (technical["health"] or {}).get("proof")
    if said is None:
        return f"  {say('proof.title')}: {say('proof.never')}"
    told = ProofTold.model_validate(said)
    ago = say("proof.ago", span=span(max(state.utc_ms - told.utc_ms, 0) / 1000))
    failed = ", ".join(say(f"proof.stage.{s.name}") for s in told.stages if s.state == "failed")
    mark = "!" if failed else " "
    return f" {mark}{say('proof.title')}: {verdict(told)}{f' ({failed})' if failed else ''}, {ago}"


def _clouds(technical: dict[str, Any]) -> Iterator[str]:
    for one in technical["clouds"]:
        waiting = sum(lane["waiting"] for lane in one["lanes"].values())
        mark = " " if one["state"] in {"idle", "sending", "starting"} and not one["quarantined"] else "!"
        waits = say("technician.waits", count=str(waiting), oldest=span(one["oldest_unsent_s"]))
        yield f" {mark}{say('technician.cloud', name=one['name'])}: {say('clouds.state.' + one['state'])}, {waits} {one['reason']}".rstrip()


def _room(technical: dict[str, Any]) -> Iterator[str]:
    if technical["disk_free_mb"] is not None:
        free = f"{technical['disk_free_mb'] / 1000:.1f}"
        yield f"  {say('technician.disk', free=free, used=str(technical['disk_used_pct']))}"
    parts = []
    for one in technical["hours_left"]:
        hours = say("technician.no_growth") if one["hours"] is None else span(one["hours"] * 3600)
        parts.append(f"{say('technician.kind.' + one['kind'])} {hours}")
    if parts:
        yield f"  {say('technician.hours_left')}: {', '.join(parts)}"
    if technical["next_to_go"]:
        yield f"  {say('technician.first', what=say('technician.goes.' + technical['next_to_go']))}"


def _machine(technical: dict[str, Any]) -> Iterator[str]:
    parts = [say("technician.clock_set" if technical["clock_is_set"] else "technician.clock_unset")]
    if technical["uptime_s"] is not None:
        parts.append(say("technician.uptime", span=span(technical["uptime_s"])))
    if technical["temperature_c"] is not None:
        parts.append(f"{technical['temperature_c']:.0f} °C")
    if technical["throttled"]:
        parts.append(say("technician.throttled"))
    if technical["memory_free_mb"] is not None:
        parts.append(say("technician.memory", free=str(technical["memory_free_mb"])))
    yield f"  {say('technician.box')}: {', '.join(parts)}"
    for path, until in technical["certificates"].items():
        yield f"  {say('technician.certificate', path=path, until=str(until)[:10])}"
    if technical["update"]["running"] is not None:
        yield from (f"  {line}" for line in slot_lines(technical["update"]))
    backup = technical["last_backup"]
    yield f"  {say('technician.backup', when=backup['made_at']) if backup else say('technician.no_backup')}"
