"""A session as HL7 v2.6: a batch file of ORU^R01 messages, one a minute with the medians of the numbers, and one an alarm.

A report (a PDF) goes as one more message at the end. Messages are written as they are made: a day of them is never in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from daemon.exchange import hl7
from daemon.exchange.observed import minutes
from daemon.exchange.stretch import NotExportable, Stretch
from daemon.model.signals import Nanos
from daemon.store.answers import StoredEvent
from daemon.words import say


def write_hl7(stretch: Stretch, to: Path, report: Path | None = None) -> int:
    """Write the batch; the number of messages. Raises `NotExportable`, OSError."""
    count = 0
    with to.open("wb") as file:
        head = {
            1: "^~\\&",
            2: "VITALD",
            6: hl7.time_of(stretch.at(stretch.t0_ns)),
            10: hl7.escaped(stretch.session.name),
        }
        file.write(hl7.segment("BHS", head).encode())
        for message in _messages(stretch):
            file.write(message.encode())
            count += 1
        if report is not None:
            file.write(hl7.report(_letter(stretch, stretch.t1_ns, "report."), "Report", "", {}).encode())
            with report.open("rb") as pdf:
                file.writelines(hl7.embedded(pdf))
            count += 1
        file.write(hl7.segment("BTS", {1: str(count)}).encode())
    if not count:
        raise NotExportable("the session has no numbers and no alarms in this span")
    return count


def _messages(stretch: Stretch) -> Iterator[str]:
    alarms = [event for event in stretch.events(["alarm"]) if event.body.get("kind") != "near_miss"]
    for begin_ns, found in minutes(stretch):
        while alarms and alarms[0].t_ns < begin_ns:
            yield _alarm(stretch, alarms.pop(0))
        if found:
            given = [hl7.Number(s.name, m.value, s.unit, s.lead, s.device, m.why) for s, m in found.items()]
            yield hl7.numbers(_letter(stretch, begin_ns, "m"), given)
    while alarms:
        yield _alarm(stretch, alarms.pop(0))


def _alarm(stretch: Stretch, event: StoredEvent) -> str:
    body = dict(event.body)
    kind = str(body.get("kind"))
    values = body.get("values")
    filled = {str(n): str(v) for n, v in values} if isinstance(values, list) else {}
    told = {
        "alarm": body.get("row"),
        "occurrence": body.get("occurrence"),
        "change": {"began": "onset", "ended": "end"}.get(kind, kind),
        "priority": body.get("priority"),
        "text": stretch.text(say(str(body.get("text") or ""), **filled)) if body.get("text") else "",
        "value": body.get("value"),
        "limit": body.get("limit"),
        "unit": body.get("unit"),
    }
    return hl7.alarm(_letter(stretch, event.t_ns, f"a.{kind}.{body.get('row')}."), told)


def _letter(stretch: Stretch, t_ns: Nanos, key: str) -> hl7.Letter:
    subject = stretch.subject
    person = None
    if subject is not None:
        born = f"{subject.born:%Y%m%d}" if subject.born else ""
        hidden = stretch.pseudonyms is not None or not stretch.named
        person = hl7.Person(subject.id, subject.name, born, subject.sex, pseudonym=hidden)
    session = stretch.session
    bed = session.bed if stretch.pseudonyms is None else ""
    # After the session's beginning: times since the box's start would join an export to its logs.
    named = f"{session.name}.{key}{(t_ns - session.began_ns) // 1_000_000}"
    return hl7.Letter(
        named,
        stretch.at(t_ns),
        stretch.box,
        person,
        session.name,
        bed,
        demo=stretch.demo,
        clock_is_set=session.clock_is_set,
    )
