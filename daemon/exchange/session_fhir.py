"""A session as a FHIR R4 Bundle: a transaction of Patient, Devices, Observations and a DiagnosticReport.

Every entry is created only where its identifier is not known yet (`ifNoneExist`), so a transaction that is sent twice is stored
once. Numbers are medians: of the stretch where it is no longer than a minute, else of every minute (SampledData, a missing
minute is "E"). Waves are SampledData of the device's own counts, for stretches of at most `MOST_WAVES_S`.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote

from daemon.exchange.letters import title
from daemon.exchange.observed import MINUTE_NS, Series, minutes
from daemon.exchange.stretch import MARK, NotExportable, Stretch
from daemon.exchange.waves import Line, Waves, lines
from daemon.model.codes import LEADS, LOINC_URI, MDC_URI, POTENTIAL, UCUM_URI
from daemon.model.signals import Channel, Quantity
from daemon.units import CODED, LOCAL_SYSTEM, UNITS
from daemon.words import say

MOST_WAVES_S = 60.0
"""A minute of twelve leads is some 2 MB of text; longer waves go as EDF+, WFDB or DICOM."""

LARGEST_PDF = 20_000_000
IDENTIFIERS = f"{LOCAL_SYSTEM}:identifier"
_NAMESPACE = uuid.UUID(LOCAL_SYSTEM.removeprefix("urn:uuid:"))
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}  # fmt: skip
_SEX = {"M": "male", "F": "female", "O": "other", "": "unknown"}
_VITAL = {"heart_rate", "respiration_rate", "spo2", "pulse_rate"}

Resource = dict[str, Any]


def write_fhir(stretch: Stretch, to: Path, report: Path | None = None) -> int:
    """Write the bundle as JSON; the number of its entries. Raises `NotExportable`, OSError."""
    made = _Bundle(stretch)
    made.observations()
    for line in lines(stretch):
        if line.is_ecg and stretch.seconds <= MOST_WAVES_S:
            made.waves(Waves(stretch, line))
    if not made.results:
        raise NotExportable("the session has no numbers and no ECG in this span")
    made.report(report)
    bundle: Resource = {
        "resourceType": "Bundle",
        "id": str(
            uuid.uuid5(_NAMESPACE, f"{stretch.session.uuid} {stretch.t0_ns - stretch.session.began_ns}")
        ),
        "type": "transaction",
        "entry": made.entries,
    }
    if stretch.demo:
        bundle["meta"] = {"tag": [_HTEST]}
    to.write_text(
        json.dumps(bundle, ensure_ascii=False, separators=(",", ":"), allow_nan=False), encoding="utf-8"
    )
    return len(made.entries)


class _Bundle:
    """The entries as they are added; a resource is referred to by its fullUrl."""

    def __init__(self, stretch: Stretch) -> None:
        self.entries: list[Resource] = []
        self.results: list[Resource] = []
        self._stretch = stretch
        self._devices: dict[str, Resource] = {}
        self._subject = self._patient()

    def observations(self) -> None:
        """One a series of numbers."""
        found: dict[Series, dict[int, float | None]] = {}
        whys: dict[Series, str] = {}
        begins: list[int] = []
        for begin_ns, given in minutes(self._stretch):
            for series, one in given.items():
                found.setdefault(series, {})[len(begins)] = one.value
                whys[series] = one.why
            begins.append(begin_ns)
        for series, values in found.items():
            told = [values.get(i) for i in range(len(begins))]
            self._number(series, told, whys[series])

    def waves(self, waves: Waves) -> None:
        """One Observation a stream, one component a lead; a missing sample is "E"."""
        line = waves.line
        piece = waves.whole()
        parts = []
        for row, channel in zip(piece.counts, line.channels, strict=True):
            if channel.quantity is not Quantity.ECG:
                continue
            low, high = int(row[piece.present].min()), int(row[piece.present].max())
            told = " ".join(
                str(v) if here else "E" for v, here in zip(row.tolist(), piece.present.tolist(), strict=True)
            )
            parts.append(
                {"code": _lead(channel), "valueSampledData": _sampled(channel, line, told, low, high)}
            )
        code = _concept([(MDC_URI, str(POTENTIAL.number), "MDC_ECG_ELEC_POTL")], "ECG")
        resource = self._observation(code, "procedure", line.device)
        self._add(
            "Observation",
            {**resource, "component": parts},
            f"waves {self._stretch.serial(line.device)} {line.name}",
        )

    def report(self, pdf: Path | None) -> None:
        """The report that holds it all together; preliminary: nobody has confirmed it."""
        stretch = self._stretch
        conclusion = say("exchange.unconfirmed")
        resource: Resource = {
            "status": "preliminary",
            "code": _concept([(LOINC_URI, "11524-6", "EKG study")], "ECG"),
            "effectivePeriod": self._period(),
            "result": self.results,
            "conclusion": conclusion,
        }
        if pdf is not None:
            data = pdf.read_bytes()
            if len(data) > LARGEST_PDF:
                raise NotExportable("the report is too large to go within a FHIR bundle")
            digest = b64encode(
                hashlib.sha1(data, usedforsecurity=False).digest()
            ).decode()  # what R4 asks for
            resource["presentedForm"] = [
                {
                    "contentType": "application/pdf",
                    "data": b64encode(data).decode(),
                    "size": len(data),
                    "hash": digest,
                }
            ]
        if stretch.demo:
            resource["conclusion"] = f"{MARK}. {conclusion}"
        self._add("DiagnosticReport", self._about(resource), "report")

    # --- parts -------------------------------------------------------------------------------------------

    def _patient(self) -> Resource | None:
        subject = self._stretch.subject
        if subject is None:
            return None
        resource: Resource = {"gender": _SEX[subject.sex]}
        if subject.name:
            resource["name"] = [{"text": f"TEST {subject.name}" if self._stretch.demo else subject.name}]
        if subject.born is not None:
            resource["birthDate"] = subject.born.isoformat()
        if subject.phone:
            resource["telecom"] = [{"system": "phone", "value": subject.phone}]
        if subject.address:
            resource["address"] = [{"text": subject.address}]
        url = self._add("Patient", resource, f"patient {subject.id}", identifier=subject.id)
        return {"reference": url}

    def _device(self, serial: str) -> Resource:
        told = self._stretch.serial(serial) or self._stretch.box or "vitald"
        if told not in self._devices:
            resource: Resource = {"status": "active", "serialNumber": told}
            if not serial:
                resource["deviceName"] = [{"name": "vitald", "type": "model-name"}]
                resource["version"] = [{"value": self._stretch.version or "0"}]
            self._devices[told] = {
                "reference": self._add("Device", resource, f"device {told}", identifier=told)
            }
        return self._devices[told]

    def _number(self, series: Series, told: list[float | None], why: str) -> None:
        unit = UNITS.get(series.unit)
        ucum = unit.ucum if unit else "1"
        code = _concept(_codings(series), title(series.name))
        category = "vital-signs" if series.name in _VITAL else "exam"
        resource = self._observation(code, category, series.device)
        if series.lead:
            resource["bodySite"] = {"text": f"lead {series.lead}"}
        values = [value for value in told if value is not None]
        if len(told) == 1:
            if values:
                resource["valueQuantity"] = _quantity(values[0], series.unit, ucum)
            else:
                resource["dataAbsentReason"] = _concept(
                    [(_ABSENT, "unknown", "Unknown")], say(f"why.{why}") if why else ""
                )
        else:
            resource["valueSampledData"] = {
                "origin": _quantity(0, series.unit, ucum),
                "period": MINUTE_NS / 1e6,
                "dimensions": 1,
                "data": " ".join("E" if value is None else f"{value:.10g}" for value in told),
            }
        resource["method"] = {"text": say("exchange.median")}
        self._add("Observation", resource, f"{series.name} {series.lead} {series.device}")

    def _observation(self, code: Resource, category: str, device: str) -> Resource:
        resource = {
            "status": "preliminary",
            "category": [_concept([(_CATEGORY, category, "")], "")],
            "code": code,
            "effectivePeriod": self._period(),
            "device": self._device(device),
        }
        return self._about(resource)

    def _about(self, resource: Resource) -> Resource:
        if self._subject is not None:
            resource["subject"] = self._subject
        if not self._stretch.session.clock_is_set:
            said = {"text": say("exchange.clock_unset")}
            # A DiagnosticReport has no note.
            resource |= (
                {"conclusion": f"{resource['conclusion']} {said['text']}"}
                if "conclusion" in resource
                else {"note": [said]}
            )
        return resource

    def _period(self) -> Resource:
        begin, end = (
            self._stretch.at(t).isoformat(timespec="milliseconds")
            for t in (self._stretch.t0_ns, self._stretch.t1_ns)
        )
        return {"start": begin, "end": end}

    def _add(self, kind: str, resource: Resource, what: str, identifier: str = "") -> str:
        """The fullUrl of a resource that is created where its identifier is not known. Patients and devices are of the box, the rest of the stretch."""
        after_ms = (self._stretch.t0_ns - self._stretch.session.began_ns) // 1_000_000
        value = identifier or str(
            uuid.uuid5(_NAMESPACE, f"{self._stretch.session.uuid} {after_ms} {self._stretch.seconds} {what}")
        )
        system = f"{IDENTIFIERS}:{kind.lower()}"
        url = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{kind} {what} {value}')}"
        made: Resource = {"resourceType": kind, "identifier": [{"system": system, "value": value}]}
        if self._stretch.demo:
            made["meta"] = {"tag": [_HTEST]}
        request = {
            "method": "POST",
            "url": kind,
            "ifNoneExist": f"identifier={system}|{quote(value, safe='')}",
        }
        self.entries.append({"fullUrl": url, "resource": {**made, **resource}, "request": request})
        if kind == "Observation":
            self.results.append({"reference": url})
        return url


def _codings(series: Series) -> list[tuple[str, str, str]]:
    """LOINC before MDC; our own name where neither knows it, or where it is of a single lead."""
    known = CODED.get(series.name)
    told = title(series.name)
    found: list[tuple[str, str, str]] = []
    if known is not None:
        found += [(LOINC_URI, code, told) for code in (known.loinc, known.also_loinc) if code]
        found += [(MDC_URI, str(known.mdc), known.mdc_name)] if known.mdc else []
    return found or [(LOCAL_SYSTEM, series.name, told)]


def _lead(channel: Channel) -> Resource:
    lead = LEADS.get(channel.name)
    if lead is None:
        return _concept([(LOCAL_SYSTEM, f"lead.{channel.name}", "")], channel.name)
    return _concept(
        [(MDC_URI, str(POTENTIAL.number + lead.term), f"MDC_ECG_ELEC_POTL_{channel.name.upper()}")],
        channel.name,
    )


def _sampled(channel: Channel, line: Line, data: str, low: int, high: int) -> Resource:
    """Counts as they are; value = origin + count * factor."""
    unit = UNITS.get(channel.unit)
    origin = _quantity(-channel.offset * channel.gain, channel.unit, unit.ucum if unit else "1")
    return {
        "origin": origin,
        "period": 1000 / line.rate_hz,
        "factor": channel.gain,
        "lowerLimit": low,
        "upperLimit": high,
        "dimensions": 1,
        "data": data,
    }


def _quantity(value: float, symbol: str, ucum: str) -> Resource:
    return {"value": round(value, 10) + 0.0, "unit": symbol or "1", "system": UCUM_URI, "code": ucum}


def _concept(codings: list[tuple[str, str, str]], text: str) -> Resource:
    coded = [{"system": s, "code": c, **({"display": d} if d else {})} for s, c, d in codings]
    return {"coding": coded, **({"text": text} if text else {})}
