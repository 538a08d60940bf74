"""A session's ECG as HL7 v3 annotated ECG (the FDA's XML): one sequence set an unbroken stretch, its digits the device's counts.

After the structure that the HL7 aECG implementation guide (2005) describes. What is missing lies between two sequence sets; an
SLIST has no code for an absent sample. Leads carry the MDC names that the guide lists, other channels our own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from daemon.exchange import waves as samples
from daemon.exchange.stretch import MARK, Stretch
from daemon.model.codes import LEADS, MDC_OID
from daemon.model.signals import Channel
from daemon.units import LOCAL_SYSTEM

ACT_CODE = "2.16.840.1.113883.5.4"
GENDER = "2.16.840.1.113883.5.1"
CPT = "2.16.840.1.113883.6.12"
_NAMESPACE = uuid.UUID(LOCAL_SYSTEM.removeprefix("urn:uuid:"))
_LINE = 2000
"""Counts a line of the file: some readers choke on longer ones."""


def write_aecg(stretch: Stretch, to: Path) -> int:
    """Write the ECG of the stretch; the number of samples of all leads. Raises `NotExportable`, OSError."""
    waves = samples.ecg(stretch)
    piece = waves.whole()
    with to.open("w", encoding="utf-8") as file:
        file.writelines(_document(stretch, waves, piece))
    return int(piece.present.sum()) * len(samples.leads(waves.line))


def _document(stretch: Stretch, waves: samples.Waves, piece: samples.Piece) -> Iterator[str]:
    session = stretch.session
    identity = uuid.uuid5(_NAMESPACE, f"{session.uuid} {stretch.t0_ns - session.began_ns} aecg")
    begin, end = _time(stretch.at(stretch.t0_ns)), _time(stretch.at(stretch.t1_ns))
    span = f"<effectiveTime><low value={quoteattr(begin)}/><high value={quoteattr(end)}/></effectiveTime>"
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">\n'
    yield f'<id root="{identity}"/>\n<code code="93000" codeSystem="{CPT}" codeSystemName="CPT-4"/>\n'
    notes = [MARK] if stretch.demo else []
    notes += [] if session.clock_is_set else ["The clock of the box was never set: times are a guess."]
    yield f"<text>{escape(' '.join(notes))}</text>\n{span}\n"
    yield from _subject(stretch)
    yield f'<component><series>\n<id root="{uuid.uuid5(identity, "series")}"/>\n'
    yield f'<code code="RHYTHM" codeSystem="{ACT_CODE}" codeSystemName="ActCode"/>\n{span}\n'
    yield (
        f"<author><seriesAuthor><id root={quoteattr(str(uuid.uuid5(_NAMESPACE, stretch.serial(waves.line.device))))}"
        f" extension={quoteattr(stretch.serial(waves.line.device))}/>"
        f"<manufacturedSeriesDevice><manufacturerModelName>vitald</manufacturerModelName>"
        f"<softwareName>vitald {escape(stretch.version)}</softwareName></manufacturedSeriesDevice></seriesAuthor></author>\n"
    )
    for first, stop in samples.runs(piece.present):
        yield from _sequences(stretch, waves, piece, first, stop)
    yield "</series></component>\n</AnnotatedECG>\n"


def _subject(stretch: Stretch) -> Iterator[str]:
    subject = stretch.subject
    identity = subject.id if subject else f"TEMP-{stretch.session.name}"
    yield "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
    yield f'<id root="{_NAMESPACE}" extension={quoteattr(identity)}/><subjectDemographicPerson>'
    name = (
        f"TEST {subject.name if subject else ''}".strip() if stretch.demo else subject.name if subject else ""
    )
    if name:
        yield f"<name>{escape(name)}</name>"
    if subject and subject.sex in {"M", "F"}:
        yield f'<administrativeGenderCode code="{subject.sex}" codeSystem="{GENDER}"/>'
    if subject and subject.born:
        yield f'<birthTime value="{subject.born:%Y%m%d}"/>'
    yield "</subjectDemographicPerson></trialSubject></subject>"
    yield f'<componentOf><clinicalTrial><id root="{uuid.uuid5(_NAMESPACE, "no trial")}"/></clinicalTrial></componentOf>'
    yield "</subjectAssignment></componentOf></timepointEvent></componentOf>\n"


def _sequences(
    stretch: Stretch, waves: samples.Waves, piece: samples.Piece, first: int, stop: int
) -> Iterator[str]:
    rate_hz = waves.line.rate_hz
    head = _time(stretch.at(stretch.t0_ns + round(first * 1e9 / rate_hz)))
    yield f'<component><sequenceSet>\n<component><sequence><code code="TIME_ABSOLUTE" codeSystem="{ACT_CODE}"/>'
    yield f'<value xsi:type="GLIST_TS"><head value="{head}"/><increment value="{1 / rate_hz:.12g}" unit="s"/></value>'
    yield "</sequence></component>\n"
    for place in samples.leads(waves.line):
        channel = waves.line.channels[place]
        row = piece.counts[place, first:stop].tolist()
        yield f'<component><sequence>{_code(channel)}<value xsi:type="SLIST_PQ">{_scale(channel)}<digits>'
        for at in range(0, len(row), _LINE):
            yield ("\n" if at else "") + " ".join(map(str, row[at : at + _LINE]))
        yield "</digits></value></sequence></component>\n"
    yield "</sequenceSet></component>\n"


def _code(channel: Channel) -> str:
    if channel.name in LEADS:
        return (
            f'<code code="MDC_ECG_LEAD_{channel.name.upper()}" codeSystem="{MDC_OID}" codeSystemName="MDC"/>'
        )
    system = LOCAL_SYSTEM.removeprefix("urn:uuid:")
    return (
        f'<code code={quoteattr(channel.name)} codeSystem="{system}" displayName={quoteattr(channel.name)}/>'
    )


def _scale(channel: Channel) -> str:
    """In microvolts: value = origin + digit * scale."""
    micro, unit = {"mV": (1000.0, "uV"), "V": (1e6, "uV"), "uV": (1.0, "uV")}.get(
        channel.unit, (1.0, channel.unit)
    )
    scale = channel.gain * micro
    origin = -channel.offset * scale + 0.0
    return f'<origin value="{origin:.12g}" unit={quoteattr(unit)}/><scale value="{scale:.12g}" unit={quoteattr(unit)}/>'


def _time(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S}.{moment.microsecond // 1000:03d}{moment:%z}"
