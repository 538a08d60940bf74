"""Writes docs/alarms.md from the code: the list of alarms in a form that a clinician can sign, and the transition table.

python tests/daemon/alarms/page.py
"""

from __future__ import annotations

from pathlib import Path

from daemon import words
from daemon.alarms import conditions as when
from daemon.alarms import devices, engine, heart, pauses
from daemon.alarms.limits import Limits
from daemon.alarms.phases import Stimulus, after
from daemon.alarms.rows import UNTIL_SEEN
from daemon.alarms.table import CHALLENGE, ROWS, TABLE
from daemon.model.alarms import About, Phase

PAGE = Path(__file__).parents[3] / "docs/alarms.md"

HEAD = f"""# Alarms

*Made by `python tests/daemon/alarms/page.py` from `daemon/alarms/table.py` and `phases.py`; do not edit.*

The engine is designed after IEC 60601-1-8 and IEC 60601-2-27. No conformity is claimed: the numbers are proposals until the responsible
organisation has signed them (last section).

## How to read this page

- **HIGH**: respond at once. **MEDIUM**: respond promptly. **LOW**: be aware. Patient and technical alarms are kept apart.
- A condition is true, false, or *cannot be told*: a lead is off, the signal is bad, a value is older than 3 s. What cannot be told never ends an
  alarm and never begins a limit alarm; a running delay waits for it {engine.FROZEN_S:.0f} s at most. A bad signal may hold back a limit; it becomes a technical
  alarm itself (NOISY ECG after 15 s). It never holds back ASYSTOLE, VENT FIB or VENT TACHY.
- *Delay* begins when the condition, with its own built-in time, is there. *Ends*: how long it must be gone, past hysteresis.
- *Latches*: the sound stops with the condition; the picture stays until somebody acknowledges it, or for the time given.
- *Speaks for*: the alarms of the same event that are listed below it and silent. An alarm of high priority is silent only while a worse one is
  really heard: not while that one is acknowledged or paused.
- Alarms that are or may become HIGH can never be switched off. What a person has switched off is marked on the screen, and said again every
  {engine.OFF_REMINDER_S / 60:.0f} min. A new patient gets the ward's limits, and everything on.
- A good pulse (oximeter or pressure) may delay ASYSTOLE until {engine.PULSE_TOTAL_S:.0f} s after the last beat, and EXTREME BRADY as long where it is
  clearly faster than the limit. It delays nothing else and takes no alarm away; with all others it is noted.
- A row is armed when its measurement has been valid once for this patient. What is not armed is listed on the screen.
- A device that a person puts to another bed is missed there from then on: here the rows of what it alone gave are armed no more, and their
  alarms end; one that latches stays on the list until it is seen. One that falls silent or off by itself stays missed.
- SCREEN LOST is for a bed that had a screen and has somebody to be looked at: a patient was admitted, or a measurement has been valid.
- REMOTE ALARMS LOST is for receivers that people rely on (`relied_on` in the configuration): none of the alarms that wait has been confirmed
  for 30 s, or the forwarder has been silent as long.
"""

KEYS = f"""## What people do

| word | sound | picture | ends |
|---|---|---|---|
| AUDIO PAUSED | none for what was there when it began, nor for what is new and not worse | stays | after {pauses.AUDIO_PAUSE_S / 60:.0f} min ({pauses.LONGEST_S / 60:.0f} at most), or by the key |
| ALARM PAUSED | none | none; the pause itself is shown | after {pauses.LONGEST_S / 60:.0f} min at most, or by the key |
| ALARM OFF | none | none; the crossed bell is shown | by the key, or with a new patient |
| ACKNOWLEDGED | none for the occurrences that are there now | stays, steady | by itself, with the occurrence |

- A **new alarm of HIGH priority always sounds**, whatever is paused; so does one whose priority rises. This is stricter than the standard asks.
- One person can keep the sound paused for {pauses.CHAIN_S / 60:.0f} min at most; then it must return, or a second person must pause it.
- What is acknowledged and still there is recalled by one burst after {engine.REMINDERS_S["high"] / 60:.0f} min (HIGH) or {engine.REMINDERS_S["low"] / 60:.0f} min (others).
- Pauses, acknowledgements, limits and tests carry who did it and from which screen, and go to the log.
- After a restart of up to 30 s an active alarm sounds again and stands until it can be judged; a pause goes on for what was left of it. After a longer
  one, or a reboot, all is judged anew.
"""

SIGN = """## Signature

| | name | date | signature |
|---|---|---|---|
| for the responsible organisation | | | |
| for the clinical unit | | | |
"""


PLACES = dict.fromkeys(("instance", "cause", "device", "code"), "…") | {"cause_unit": ""}
"""What fills the places of a sentence that names no case."""


def number(value):
    return f"{value:g}"


def condition(c):
    """A condition in a sentence."""
    match c:
        case when.Beyond():
            base = f" from {c.setting}" if c.setting else ""
            only = f", only without {c.unless}" if c.unless else ""
            only += f", not before {c.grace} is 1" if c.grace else ""
            metric = f"{c.metric} (or {c.also})" if c.also else c.metric
            return f"{metric} {c.side} limit{base}; hysteresis {number(c.hysteresis)}{only}"
        case devices.EachBeyond():
            return f"{' or '.join(c.metrics)} of a device {c.side} limit; hysteresis {number(c.hysteresis)}"
        case devices.Together():
            return f"{condition(c.effect)}, while {condition(c.cause)}"
        case heart.BeatRate():
            return f"rate of the last beats (0: heart_rate) {c.side} limit; hysteresis {number(c.hysteresis)}"
        case heart.InRhythm():
            return f"rhythm {', '.join(sorted(c.labels))}"
        case heart.Neighbours():
            return f"{c.metric} {c.side} limit in 2 neighbouring leads; hysteresis {number(c.hysteresis)}"
        case when.Happened():
            return f"event {c.event}" + (f": {', '.join(n for n, _ in c.least)} at least" if c.least else "")
        case when.Absent():
            return f"no {c.metric}: {', '.join(sorted(c.reasons))}" + (", or poor signal" if c.poor else "")
        case when.Missing():
            return f"no {c.metric}, or none for {number(c.stale_s)} s"
        case when.Failed():
            return f"state of the box: {c.source}"
    return (type(c).__doc__ or "").split(".")[0].split(";")[0].replace("`", "")


def limits(row):
    parts = []
    for limit in row.limits:
        text = f"{limit.key} **{number(limit.default)}** {limit.unit} ({number(limit.low)} to {number(limit.high)}, step {number(limit.step)})"
        if limit.follows:
            f = limit.follows
            text += f", at least {f.by:+g} from {words.say('alarm.' + f.row)}, to {number(f.cap)}"
        parts.append(text)
    parts += [f"{own}: {key} of {words.say('alarm.' + of)}" for own, of, key in row.uses]
    return "; ".join(parts)


def ends(row):
    latches = {0.0: "", UNTIL_SEEN: "; latches until seen"}.get(
        row.latch_s, f"; shown {number(row.latch_s)} s"
    )
    return f"{number(row.off_s)} s{latches}"


def delay(row):
    d = row.delay
    return f"{number(d.seconds)} s" + (f" ({number(d.least)} to {number(d.most)})" if d.adjustable else "")


def name(row):
    return words.say(row.text, **PLACES)


def priority(row):
    text = row.priority.upper()
    for after_s, risen in row.escalates:
        text += f", {risen.upper()} after {number(after_s)} s"
    return text + ("" if row.on else ", off by default") + ("" if row.sound else ", picture only")


def table(about):
    lines = [
        "| alarm | priority | condition | limits: default (range) | delay | ends | speaks for | check |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in TABLE:
        if row.about is about:
            covers = ", ".join(name(ROWS[n]) for n in row.covers)
            check = words.say(row.text + ".check", **PLACES)
            lines.append(
                f"| {name(row)} | {priority(row)} | {condition(row.condition)} | {limits(row)} | {delay(row)} | {ends(row)} | {covers} | {check} |"
            )
    return "\n".join(lines)


def phases():
    lines = [
        "| phase | " + " | ".join(s.replace("_", " ") for s in Stimulus) + " |",
        "|---" * (len(Stimulus) + 1) + "|",
    ]
    for phase in Phase:
        cells = [after(phase, s) for s in Stimulus]
        shown = ["" if cell is phase else cell.replace("_", " ") for cell in cells]
        lines.append(f"| **{phase.replace('_', ' ')}** | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def challenge():
    lines = ["| alarm | limits |", "|---|---|"]
    for row, values in CHALLENGE.items():
        own = Limits(preset=CHALLENGE)
        assert not own.refused
        lines.append(
            f"| {name(ROWS[row])} | {', '.join(f'{key} {number(v)}' for key, v in values.items())} |"
        )
    return "\n".join(lines)


def page():
    return "\n".join(
        [
            HEAD,
            "## Patient alarms\n",
            table(About.PATIENT),
            "\n## Technical alarms\n",
            table(About.TECHNICAL),
            "\n## Phases of an alarm\n",
            "Empty: it stays. Every pair is there; `tests/daemon/alarms/test_explore.py` tries every way through it.\n",
            phases(),
            "",
            KEYS,
            "## Limits of the PhysioNet/CinC Challenge 2015\n",
            challenge(),
            "",
            SIGN,
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
