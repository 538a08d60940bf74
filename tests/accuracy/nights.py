"""Breathing against the machine's own: real nights of an AirSense 10, its 25 Hz flow and pressure analysed as at the bed.

    VITALD_DATA=... python -m tests.accuracy.nights        prints the section of docs/accuracy.md
    VITALD_DATA=... python -m tests.accuracy.nights json   prints today's figures, as nights.json keeps them

The machine's own numbers are the 0.5 Hz channels of the same card (PLD), means over whole minutes of both; its events are
those of EVE. Its flow has vent and leak taken out already, so that its leak goes through as told; how well the mask's curve is
learned is measured on a total flow put together from its flow, its leak and a vent of 10 L/min per sqrt(cmH2O).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from daemon.dsp.ecg.tables import load_qrs_table
from daemon.dsp.pipeline import Pipeline
from daemon.dsp.respiration.leak import MaskCurve
from daemon.model.findings import Event, Metric
from daemon.model.signals import Reading, SampleBlock, Segment, Stream
from firmware_bridge.recordings.resmed_card import open_card

NIGHTS = (date(2023, 8, 21), date(2023, 8, 22), date(2023, 8, 25), date(2023, 9, 6))
"""Those in which the machine kept events."""

REACHED = Path(__file__).parent / "nights.json"
SECOND_NS = 1_000_000_000
BLOCK_S = 20
NUMBERS = {  # ours: the machine's channel, factor to our unit, unit
    "respiration_rate": ("respiration_rate", 1.0, "/min"),
    "tidal_volume": ("tidal_volume", 1000.0, "mL"),
    "minute_volume": ("minute_volume", 1.0, "L/min"),
    "leak": ("leak", 60.0, "L/min"),
}
CURVE = "leak, mask curve learned"
VENT = 10.0
SETTLED_S = 180  # until the curve is learned
KINDS = {  # the machine's: ours that agree with it
    "obstructive_apnoea": ("apnoea_obstructive",),
    "central_apnoea": ("apnoea_clear_airway",),
    "hypopnoea": ("hypopnoea",),
    "arousal": ("flow_limitation_run",),
}
OURS = (
    "apnoea_obstructive",
    "apnoea_clear_airway",
    "apnoea_unclassified",
    "hypopnoea",
    "flow_limitation_run",
)
BEFORE_S, AFTER_S = 30.0, 10.0
"""A hypopnoea's or arousal's stamp comes after it; an apnoea's span is known to a second or two."""


@dataclass
class Agreement:
    """Ours minus the machine's, minute by minute: how many, the machine's mean, correlation, median, bias, limits of agreement."""

    n: int
    mean: float
    r: float
    median: float
    bias: float
    low: float
    high: float


@dataclass
class Scored:
    """One night."""

    night: date
    numbers: dict[str, Agreement]
    events: list[tuple[str, str, float, str]] = field(
        default_factory=list
    )  # theirs: time, kind, seconds; ours
    extra: dict[str, int] = field(default_factory=dict)
    hours: float = 0.0
    ahi: tuple[float, float | None] = (0.0, None)  # ours, the machine's


def score(card, night: date) -> Scored:
    """Analyse a night and put it beside what the machine kept."""
    kept = card.night(night)
    sessions = [s for s in kept.sessions if s.flow is not None and s.therapy is not None]
    begun = sessions[0].start
    findings, curve = [], []
    pipeline = Pipeline(load_qrs_table(), None)
    for session in sessions:
        for item in _items(session, begun):
            findings += pipeline.push(item)
        curve += _curve(session, begun)
    said = {name: _minutes(findings, name) for name in NUMBERS}
    theirs = {name: _machine(sessions, begun, *NUMBERS[name][:2]) for name in NUMBERS}
    scored = Scored(night, {name: _agreement(said[name], theirs[name]) for name in NUMBERS})
    scored.numbers[CURVE] = _agreement(_by_minute(curve), theirs["leak"])
    _compare_events(scored, [f for f in findings if isinstance(f, Event)], kept.events, begun)
    finished = {f.name: f.value for f in pipeline.finish() if isinstance(f, Metric)}
    scored.hours = finished["usage_hours"] or 0.0
    scored.ahi = (finished["ahi"] or 0.0, card.summaries[night].value("AHI"))
    return scored


def _items(session, begun):
    """A session's flow in blocks, and behind each what the machine told of its leak by then."""
    flow, leak = session.flow, session.therapy.physical("leak")
    t0_ns = _ns(flow.start, begun)
    segment = Segment(str(flow.start), "1", Stream("card", "flow", flow.rate_hz, flow.channels), "", 0, t0_ns)
    period_ns, step = SECOND_NS / flow.rate_hz, round(BLOCK_S * flow.rate_hz)
    for at in range(0, flow.n, step):
        counts = np.ascontiguousarray(flow.counts[:, at : at + step])
        end_ns = t0_ns + round((at + counts.shape[1]) * period_ns)
        yield SampleBlock(segment, at, t0_ns + round(at * period_ns), period_ns, counts, end_ns)
        told = int((end_ns - _ns(session.therapy.start, begun)) / SECOND_NS * session.therapy.rate_hz)
        if 0 <= told < len(leak) and np.isfinite(leak[told]):
            yield Reading("1", "card", "cpap_leak", float(leak[told]) * 60, "L/min", end_ns)


def _curve(session, begun) -> list[tuple[int, float]]:
    """Leak (L/min) of each second from a total flow, by the mask curve that it learns."""
    flow, pressure = session.flow.physical("flow"), session.flow.physical("pressure")
    hz = round(session.flow.rate_hz)
    whole = len(flow) // hz
    offset_s = (session.flow.start - session.therapy.start).total_seconds()
    told = session.therapy.physical("leak")
    at = np.arange(len(told)) / session.therapy.rate_hz
    leak = np.interp(np.arange(whole) + 0.5 + offset_s, at[np.isfinite(told)], told[np.isfinite(told)])
    roots = np.sqrt(np.maximum(pressure[: whole * hz], 0)).reshape(whole, hz).mean(axis=1)
    total = flow[: whole * hz].reshape(whole, hz).mean(axis=1) + leak + VENT / 60 * roots
    mask, t0_ns, found = MaskCurve(), _ns(session.flow.start, begun), []
    for second in range(whole):
        escaping = mask.step(float(total[second]), float(roots[second]))
        if escaping.unintended_lpm is not None and second >= SETTLED_S:
            found.append((t0_ns + second * SECOND_NS, escaping.unintended_lpm))
    return found


def _minutes(findings, name: str) -> dict[int, float]:
    """Means over minutes of what was said, each value held until the next one, at most 10 s."""
    said = [(f.t_ns, f.value) for f in findings if isinstance(f, Metric) and f.name == name]
    seconds = []
    for (t_ns, value), (after_ns, _) in zip(said, [*said[1:], (0, 0.0)], strict=True):
        held = min(max(round((after_ns - t_ns) / SECOND_NS), 1), 10)
        if value is not None:
            seconds += [(t_ns + k * SECOND_NS, value) for k in range(held)]
    return _by_minute(seconds)


def _by_minute(seconds: list[tuple[int, float]], least: int = 50) -> dict[int, float]:
    minutes: dict[int, list[float]] = {}
    for t_ns, value in seconds:
        minutes.setdefault(t_ns // (60 * SECOND_NS), []).append(value)
    return {minute: float(np.mean(values)) for minute, values in minutes.items() if len(values) >= least}


def _machine(sessions, begun, channel: str, factor: float) -> dict[int, float]:
    """The machine's own minutes."""
    seconds = []
    for session in sessions:
        t0_ns = _ns(session.therapy.start, begun)
        values = session.therapy.physical(channel).astype(float) * factor
        step_ns = round(SECOND_NS / session.therapy.rate_hz)
        seconds += [(t0_ns + k * step_ns, v) for k, v in enumerate(values.tolist()) if np.isfinite(v)]
    return _by_minute(seconds, 28)


def _agreement(ours: dict[int, float], theirs: dict[int, float]) -> Agreement:
    both = sorted(ours.keys() & theirs.keys())
    a, b = (np.array([of[minute] for minute in both]) for of in (ours, theirs))
    difference = a - b
    bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    middle, r = float(np.median(difference)), float(np.corrcoef(a, b)[0, 1])
    return Agreement(len(both), float(b.mean()), r, middle, bias, bias - spread, bias + spread)


def _compare_events(scored: Scored, said: list[Event], kept, begun) -> None:
    """Each of the machine's events with ours that meets it; what of ours meets none is extra."""
    ours = [event for event in said if event.name in OURS]
    used: set[int] = set()
    for theirs in kept:
        if theirs.kind not in KINDS:
            continue
        at_s = (theirs.at - begun).total_seconds()
        before_s = AFTER_S if "apnoea" in theirs.kind else BEFORE_S
        span = (at_s - before_s, at_s + theirs.duration_s + AFTER_S)
        met = [k for k, event in enumerate(ours) if _start(event) < span[1] and _end(event) > span[0]]
        met.sort(key=lambda k: (ours[k].name not in KINDS[theirs.kind], abs(_start(ours[k]) - at_s)))
        answer = ""
        if met:
            event = ours[met[0]]
            used.add(met[0])
            clock = (begun + timedelta(seconds=round(_start(event)))).strftime("%H:%M:%S")
            answer = f"{event.name} {clock}, {_end(event) - _start(event):.0f} s"
        scored.events.append((theirs.at.strftime("%H:%M:%S"), theirs.kind, theirs.duration_s, answer))
    for k, event in enumerate(ours):
        if k not in used:
            scored.extra[event.name] = scored.extra.get(event.name, 0) + 1


def agrees(kind: str, answer: str) -> bool:
    """Whether ours is of the machine's kind."""
    return bool(answer) and answer.split()[0] in KINDS[kind]


def _start(event: Event) -> float:
    return event.t_ns / SECOND_NS


def _end(event: Event) -> float:
    return _start(event) + next(value for name, value, _ in event.numbers if name == "duration")


def _ns(when, begun) -> int:
    return round((when - begun).total_seconds() * SECOND_NS)


def scored(recordings: Path) -> list[Scored]:
    """All nights with events."""
    with open_card(recordings / "resmed/airsense10_a") as card:
        return [score(card, night) for night in NIGHTS]


def figures(nights: list[Scored]) -> dict:
    """What the test holds us to."""
    found: dict = {}
    for one in nights:
        numbers = {
            name: {"r": round(a.r, 3), "bias": round(a.bias, 2), "half_width": round((a.high - a.low) / 2, 2)}
            for name, a in one.numbers.items()
        }
        found[one.night.isoformat()] = {
            "numbers": numbers,
            "agreed": sum(agrees(kind, answer) for _, kind, _, answer in one.events),
            "extra": sum(one.extra.values()),
        }
    return found


HEAD = """## Breathing, against the machine's own

Four nights of an AirSense 10 in which it kept events ({hours:.1f} h of therapy), its 25 Hz flow and pressure analysed as at the bed
(`tests/accuracy/nights.py`). Ours minus the machine's 0.5 Hz channels, means of whole minutes; limits of agreement are bias ± 1.96 SD.
These nights are all there are, so they are no unseen test: definitions are published ones or follow from physiology, no number was
searched for on them, and they were looked at {looks}.
The machine's flow has vent and leak taken out, so its leak goes through as told; "mask curve learned" is our estimate from a total
flow put together of its flow, its leak and a vent of 10 L/min per √cmH2O, from the fourth minute of each session on. Rate and
volume differ most in minutes of slow, uneven breathing (probably awake), which move the bias and hardly the median.

| night | number | minutes | machine's mean | r | median | bias | limits of agreement |
|---|---|---|---|---|---|---|---|
"""
LOOKS = """ten times while this was written: what the pressure does in the five apnoeas (which told that a closed airway answers with 11 to
18 cmH2O s/L at the mask), first figures, what was missed (three times; then variance took the place of mean flow, and a hypopnoea
came to need two breaths), and the figures as they came to be (five times)"""
EVENTS = """
Its events, one by one. An apnoea agrees when the spans meet within 10 s, a hypopnoea or arousal when ours lies within 30 s before its
stamp. Neither has an oxygen criterion: this is no AASM scoring.

| night | machine | its length | ours |
|---|---|---|---|
"""


def section(nights: list[Scored]) -> str:
    """The section of docs/accuracy.md."""
    parts = [HEAD.format(hours=sum(one.hours for one in nights), looks=LOOKS)]
    for one in nights:
        for name, a in one.numbers.items():
            unit = NUMBERS[name][2] if name in NUMBERS else "L/min"
            label = name.replace("_", " ")
            parts.append(
                f"| {one.night} | {label}, {unit} | {a.n} | {a.mean:.2f} | {a.r:.3f} | {a.median:+.2f} | {a.bias:+.2f} | {a.low:+.2f} .. {a.high:+.2f} |\n"
            )
    parts.append(EVENTS)
    for one in nights:
        for clock, kind, seconds, answer in one.events:
            length = f"{seconds:.0f} s" if seconds else ""
            parts.append(
                f"| {one.night} | {kind.replace('_', ' ')} {clock} | {length} | {answer.replace('_', ' ') or 'none'} |\n"
            )
    parts.append(
        "\n| night | agreed | of the machine's | ours alone | AHI by flow, ours | the machine's |\n|---|---|---|---|---|---|\n"
    )
    for one in nights:
        agreed = sum(agrees(kind, answer) for _, kind, _, answer in one.events)
        extra = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(one.extra.items())) or "none"
        parts.append(
            f"| {one.night} | {agreed} | {len(one.events)} | {extra} | {one.ahi[0]:.1f} | {one.ahi[1]:.1f} |\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    done = scored(Path(os.environ["VITALD_DATA"]))
    print(json.dumps(figures(done), indent=1) if sys.argv[1:] == ["json"] else section(done))
