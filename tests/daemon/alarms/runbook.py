"""Writes docs/runbook.md: every alarm of the table and every finding of `vitald doctor`, with what to do about it.

python -m tests.daemon.alarms.runbook
"""

from __future__ import annotations

from pathlib import Path

from daemon.alarms.table import ROWS, TABLE
from daemon.appliance.findings import CHECKS, FINDINGS, number
from daemon.model.alarms import About
from daemon.words import say, table
from tests.daemon.alarms import page as alarms
from tests.daemon.alarms.runbook_words import TECHNICAL

PAGE = Path(__file__).parents[3] / "docs/runbook.md"

HEAD = """# Runbook

*Made by `python -m tests.daemon.alarms.runbook` from the table of alarms (`daemon/alarms/table.py`), the findings of `vitald doctor`
(`daemon/appliance/findings.py`) and their words; do not edit.* Limits, ranges and what latches: `alarms.md`. Commands: `technician.md`.

## Before anything else

1. **Look at the patient.** A technical alarm says that the box sees less, not that all is well.
2. Somebody stays at the bed until the box is well again. A restart of the daemon costs some seconds of samples; after 3 s the failure tone sounds.
3. `vitald status` says what is not well and since when; `vitald doctor` says what to do. Both change nothing. They work for members of the
   group `vitald`; `systemctl` needs root, and what else does says so.
4. Write down the time. `vitald gaps --from 1d` says afterwards what is missing of the recording; the page of alarms says what was said.

| to | say |
|---|---|
| see everything that is wrong | `vitald status`, `vitald doctor` (`--json` for machines; exit code 0 well, 1 not) |
| see devices and ports | `vitald devices`, `vitald devices --probe` |
| see what was logged | `vitald logs --since -1h`, `--unit vitald-sound` |
| try the way of an alarm | `vitald test-alarm BED`; from a board's bytes on: `vitald test-alarm --chain` |
| start a process anew | `systemctl restart vitald`, `vitald-sound`, `vitald-web`, `vitald-worker`, `vitald-forward` |
| ask somebody for help | `vitald support-bundle` (no patient's data in it) |
| keep what is there | `vitald backup FILE` |

## What has no row in the table

| what | what it means | what to do |
|---|---|---|
| two notes in turn, without a pause, as loud as it can | the failure tone: the daemon has been silent for 3 s, nobody judges alarms | Go to the patient. `systemctl status vitald`, `vitald logs --unit vitald`. It ends by itself when the daemon speaks again. To stop it: end the fault, or `systemctl stop vitald-sound` |
| {connection} on a page | this page hears nothing from the box | Look at the patient. The box may be well and the network not: look at another screen. `vitald doctor` at the box |
| {judged} on a page | {judged_check} | Go to the patient. `vitald doctor` (`daemon.no_ticks`, `daemon.behind`), `systemctl restart vitald` |
| the nurse call without an alarm | the relay has fallen: alarms cannot be heard, or the box has no power | As for SOUND MISSING; then the box's own power |
"""

PATIENT = """## Patient alarms

What the person at the bed does stands on the screen, and in the last column. It is always first.

A technician is called when an alarm of this list comes and the patient does not have it, or has it and the alarm does not come:

1. `/bed/KEY/alarms`: open the alarm's strip; read the value and the limit that it was judged by.
2. `/bed/KEY/why`: the samples that it was decided from, and the same computed again.
3. Leads, probe or sensor changed round or loose; the wrong device at the bed (`/devices`); the limits of this patient (`vitald limits BED`).
4. Many false ones: the page *Alarm load* counts them by hour and replays other limits over the last day. Limits are set by nurses and clinicians.
5. Not explained: `vitald support-bundle --incident ALARM`. It holds the patient's waves and needs the care of a record.
"""

FAULTS = """## What `vitald doctor` finds

Every finding, with the technical alarm that may stand at the same time. Words in braces are filled in.
"""


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def technical(row) -> list[str]:
    """One alarm as a section."""
    care = TECHNICAL[row.name]
    check = say(f"{row.text}.check", **alarms.PLACES)
    delay = alarms.delay(row)
    lines = [
        f"### {alarms.name(row)}",
        "",
        f'- **Says**: {alarms.priority(row)}; delay {delay}; ends after {alarms.ends(row)}. On the screen: "{check}"',
        f"- **Means**: {care.means}",
        f"- **Raised by**: {alarms.condition(row.condition)}."
        + (f" Limits: {limits}." if (limits := alarms.limits(row)) else ""),
        "- **Technician**:",
        *(f"  {n}. {step}" for n, step in enumerate(care.does, 1)),
    ]
    if care.findings:
        lines.append("- **`vitald doctor`**: " + ", ".join(f"`{one}`" for one in care.findings))
    return [*lines, ""]


def patient() -> list[str]:
    """Patient alarms as one table."""
    lines = [
        "| alarm | priority | it means | limits: default (range) | at the bed |",
        "|---|---|---|---|---|",
    ]
    for row in TABLE:
        if row.about is About.PATIENT:
            check = say(f"{row.text}.check", **alarms.PLACES)
            lines.append(
                f"| {alarms.name(row)} | {alarms.priority(row)} | {alarms.condition(row.condition)} | {alarms.limits(row)} | {check} |"
            )
    return lines


def beside(finding: str) -> str:
    """Names of the alarms that may stand with a finding."""
    return ", ".join(alarms.name(ROWS[name]) for name, care in TECHNICAL.items() if finding in care.findings)


def findings() -> list[str]:
    """Every finding of the doctor, check by check."""
    lines = []
    for check in CHECKS:
        lines += [f"### {number(check)}. {say(f'doctor.check.{check}')}", ""]
        lines += ["| finding | grade | what it means | what to do | alarm |", "|---|---|---|---|---|"]
        for one, grade in FINDINGS.items():
            if one.partition(".")[0] == check:
                told, remedy = cell(table()[f"doctor.{one}"]), cell(table()[f"doctor.{one}.do"])
                lines.append(
                    f"| `{one}` | {say(f'doctor.grade.{grade}')} | {told} | {remedy} | {beside(one)} |"
                )
        lines.append("")
    return lines


def page() -> str:
    head = HEAD.format(
        connection=say("page.no_connection"),
        judged=say("alarm.not_judged"),
        judged_check=say("alarm.not_judged.check"),
    )
    lines = [head, "## Technical alarms", ""]
    for row in TABLE:
        if row.about is About.TECHNICAL:
            lines += technical(row)
    return "\n".join([*lines, PATIENT, *patient(), "", FAULTS, *findings()]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
