"""HL7 v2.6 over MLLP: numbers, alarms and reports as ORU^R01 (daemon/exchange/hl7.py), one message in flight, each answered.

A message is 0x0B, its bytes, 0x1C 0x0D; the answer is an ACK whose MSA names the message. AA is done. AE and AR mean that the
same message will not be taken a second time: it is refused, unless the answer says that the fault is the receiver's own for
now, or that it takes no messages of this kind at all. An answer to another message is passed over; no answer, half of one, or a line
that ends is "again", on a new line: the receiver knows the message by its MSH-10, which stays the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from daemon.exchange import hl7
from daemon.forward.destinations import Bounds, Outcome, Sealed, Verdict
from daemon.forward.destinations.aside import Aside
from daemon.forward.destinations.files import check_report, report_file
from daemon.forward.destinations.place import Ended, Place
from daemon.forward.destinations.tls import TlsOptions, context
from daemon.forward.destinations.trouble import tried
from daemon.forward.record import Record

BEGIN, END = b"\x0b", b"\x1c\r"
MEDIA: Final = "application/hl7-v2"
LARGEST_ANSWER: Final = 64 * 1024
SECOND_NS: Final = 1_000_000_000

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_NOT_OF_THIS_KIND: Final = {"200", "201", "202", "203"}
"""Error codes of HL7 table 0357: unsupported message type, event, processing id, version."""
_NOT_NOW: Final = {"206", "207"}
"""Record locked, application internal error."""

FIELDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "ecg.metrics/1": {
        "heart_rate_bpm": ("heart_rate", "bpm"),
        "rr_ms": ("rr_interval", "ms"),
        "pr_ms": ("pr_interval", "ms"),
        "qrs_ms": ("qrs_duration", "ms"),
        "qt_ms": ("qt_interval", "ms"),
        "qrs_axis_deg": ("qrs_axis", "deg"),
        "p_axis_deg": ("p_axis", "deg"),
        "t_axis_deg": ("t_axis", "deg"),
        "hrv_sdnn_ms": ("sdnn", "ms"),
        "hrv_rmssd_ms": ("rmssd", "ms"),
        "respiration_rate_per_min": ("respiration_rate", "/min"),
    },
    "oximeter.metrics/1": {
        "spo2_pct": ("spo2", "%"),
        "pulse_bpm": ("pulse_rate", "bpm"),
        "perfusion_pct": ("perfusion_index", "%"),
    },
    "cpap.metrics/1": {
        "pressure_cm_h2o": ("cpap_pressure", "cmH2O"),
        "respiratory_rate_per_min": ("cpap_respiration_rate", "/min"),
        "leak_rate_lpm": ("cpap_leak", "L/min"),
    },
    "oxygen.metrics/1": {
        "oxygen_purity_pct": ("o2_purity", "%"),
        "flow_rate_lpm": ("o2_flow", "L/min"),
        "temperature_c": ("o2_temperature", "degC"),
        "battery_pct": ("o2_battery", "%"),
    },
}
"""Field of a message -> name and unit of the number."""


class MllpOptions(TlsOptions):
    """Where, and how often numbers go."""

    host: Annotated[str, Field(min_length=1, description="Name or address of the receiver")]
    port: Annotated[int, Field(ge=1, le=65535, description="Its TCP port")] = 2575
    tls: Annotated[bool, Field(description="Whether the line is encrypted (TLS)")] = True
    plain: Annotated[
        bool, Field(description="Whether it may go unencrypted beyond this machine, with `tls` off")
    ] = False
    numbers_every_s: Annotated[
        int, Field(ge=1, le=3600, description="Numbers of a device go once in so many seconds; alarms always")
    ] = 60
    demo: Annotated[
        bool, Field(description="Whether a demo's messages go, marked T (test); else none of them does")
    ] = False
    largest_bytes: Annotated[int, Field(ge=1024, description="Largest message without its report")] = 1 << 20
    at_once: Annotated[int, Field(ge=1, le=1, description="Messages under way: one, by the protocol")] = 1

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        if not self.tls and not self.plain and self.host not in _LOOPBACK:
            raise ValueError(
                "tls = false sends patients' data in the clear; set plain = true to do it all the same"
            )
        return self


class Mllp:
    """One line to one receiver, kept open between messages."""

    def __init__(self, options: MllpOptions, place: Place) -> None:
        self.options = options
        self.place = place
        self.bounds = Bounds(bytes=options.largest_bytes, records=1, at_once=1)
        self._aside = Aside(1, f"forward {place.name}")
        self._turn = asyncio.Lock()
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def takes(self, record: Record) -> bool:
        """Numbers of the seconds that are wanted, alarms, reports."""
        if not self.options.demo and (self.place.demo or record.body.get("demo_mode")):
            return False
        if record.message in FIELDS:
            return record.t_ns // SECOND_NS % self.options.numbers_every_s == 0
        return record.message in {"box.alarm/1", "box.report/1"}

    def gather(self, records: Sequence[Record]) -> int:
        return min(1, len(records))

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        record = records[0]
        letter = self._letter(record)
        file = ""
        if record.message in FIELDS:
            message = hl7.numbers(letter, _numbers(record))
        elif record.message == "box.alarm/1":
            message = hl7.alarm(letter, record.body)
        else:
            body = record.body
            message = hl7.report(
                letter, str(body.get("kind", "")), str(body.get("conclusion", "")), body.get("metrics") or {}
            )
            file = str(report_file(self.place, record))
        digest = str(record.body.get("sha256", "")) if file else ""
        path = f"ORU^R01/{record.key}" + (f"/{digest}" if digest else "")
        return Sealed(key, record.lane, path, MEDIA, "", message.encode(), file)

    async def open(self) -> Outcome:
        """A line is opened for the first message, or anew after trouble: nothing to sign in to. Certificates are read again."""
        await self.close()
        return await tried(self._ready(), self.options.timeout_s, _known)

    async def send(self, sealed: Sealed) -> Outcome:
        if len(sealed.data) > self.options.largest_bytes:
            return Outcome(Verdict.SPLIT, "larger than the destination takes")
        size = 0
        if sealed.file:
            with contextlib.suppress(OSError):
                size = Path(sealed.file).stat().st_size
        async with self._turn:
            outcome = await tried(self._say(sealed), self.options.timeout_s + size / 16384, _known)
            if outcome.verdict is Verdict.AGAIN:
                await self._hang_up()  # an answer that comes late must not be taken for the next one's
            return outcome

    async def close(self) -> None:
        async with self._turn:
            await self._hang_up()

    # --- the line ----------------------------------------------------------------------------------------

    async def _ready(self) -> None:
        self._trust()

    def _trust(self) -> ssl.SSLContext | None:
        return context(self.options, self.place) if self.options.tls else None

    async def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line[1].close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                async with asyncio.timeout(1.0):
                    await line[1].wait_closed()

    async def _say(self, sealed: Sealed) -> None:
        """Raises `Ended` unless the receiver has taken it."""
        try:
            await self._ask(sealed)
        except asyncio.CancelledError:
            line, self._line = self._line, None
            if line is not None:
                line[1].transport.abort()
            raise

    async def _ask(self, sealed: Sealed) -> None:
        if sealed.file:
            digest = sealed.path.split("/")[-1] if sealed.path.count("/") > 1 else ""
            await self._aside.run(partial(check_report, Path(sealed.file), digest))
        if self._line is not None and self._line[0].at_eof():
            await self._hang_up()
        if self._line is None:
            self._line = await asyncio.open_connection(
                self.options.host, self.options.port, ssl=self._trust(), limit=LARGEST_ANSWER
            )
        reader, writer = self._line
        writer.write(BEGIN + sealed.data)
        if sealed.file:
            await self._embed(writer, Path(sealed.file))
        writer.write(END)
        await writer.drain()
        identity = _control_id(sealed.data)
        while True:
            answer = await _answer(reader)
            said = acknowledged(answer)
            if said is not None and said[1] == identity:
                _judge(said[0], answer)
                return

    async def _embed(self, writer: asyncio.StreamWriter, path: Path) -> None:
        with path.open("rb") as file:
            pieces = hl7.embedded(file)
            while piece := await self._aside.run(lambda: next(pieces, b"")):
                writer.write(piece)
                await writer.drain()

    # --- what is said ------------------------------------------------------------------------------------

    def _letter(self, record: Record) -> hl7.Letter:
        demo = self.place.demo or bool(record.body.get("demo_mode"))
        moment = datetime.fromtimestamp(record.utc_ns // 1_000_000 / 1000, UTC)
        patient = record.body.get("patient") or self.place.patient(record.session)
        person = _person(patient, named=self.options.named_patients) if patient else None
        return hl7.Letter(
            key=record.key,
            at=moment,
            box=self.place.box,
            person=person,
            temporary=record.session or self.place.box,
            bed=str(record.body.get("bed", "")),
            demo=demo,
            clock_is_set=record.synced,
        )


def acknowledged(message: bytes) -> tuple[str, str] | None:
    """The code and the message id of an ACK's MSA; None for what is no ACK."""
    fields = _segment(message, "MSA")
    return (fields[1], fields[2]) if len(fields) > 2 else None


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The bytes of the next answer. Raises `Ended` where what comes is none."""
    try:
        framed = await reader.readuntil(END)
    except asyncio.IncompleteReadError:
        raise Ended(Verdict.AGAIN, "the line ended before the answer was whole") from None
    except asyncio.LimitOverrunError:
        raise Ended(Verdict.AGAIN, "what the receiver answers is no HL7") from None
    begin = framed.rfind(BEGIN)
    if begin < 0:
        raise Ended(Verdict.AGAIN, "what the receiver answers is no MLLP")
    return framed[begin + 1 : -len(END)]


def _judge(code: str, answer: bytes) -> None:
    """Raises `Ended` unless the answer is a yes. What else a receiver says is passed on to nobody: it may repeat the data."""
    if code in {"AA", "CA"}:
        return
    error = _segment(answer, "ERR")
    reason = error[3].split("^")[0] if len(error) > 3 else ""
    shown = f" ({code}, error {reason})" if reason.isdecimal() else f" ({code})" if code.isalpha() else ""
    if reason in _NOT_NOW:
        raise Ended(Verdict.WAIT, f"the receiver cannot take it now{shown}", 30.0)
    if reason in _NOT_OF_THIS_KIND:
        raise Ended(Verdict.PARKED, f"the receiver takes no such messages{shown}")
    if code in {"AE", "CE", "AR", "CR"}:
        raise Ended(Verdict.REFUSED, f"the receiver does not accept the message{shown}")
    raise Ended(Verdict.AGAIN, "the receiver's answer says neither yes nor no")


def _segment(message: bytes, name: str) -> list[str]:
    for line in message.decode("utf-8", "replace").split("\r"):
        if line.startswith(name) and len(line) > 3:
            return line.split(line[3])
    return []


def _control_id(message: bytes) -> str:
    return _segment(message, "MSH")[9]


def _numbers(record: Record) -> list[hl7.Number]:
    """Null is a number that is not there now: said as such, and never as 0."""
    body = record.body
    found = []
    for name, (metric, unit) in FIELDS[record.message].items():
        if name in body:
            found.append(hl7.Number(metric, body[name], unit, device=record.device))
    if "qtc_ms" in body:
        method = str(body.get("qtc_method", "bazett"))
        found.append(hl7.Number(f"qtc_{method}", body["qtc_ms"], "ms", device=record.device))
    for lead, microvolts in sorted((body.get("st_uv") or {}).items()):
        offset = round(body.get("st_offset_ms") or 0)
        name = f"st_j{offset}" if offset else "st_j"
        found.append(hl7.Number(name, microvolts, "uV", lead, record.device))
    return found


def _person(patient: Mapping[str, Any], *, named: bool) -> hl7.Person:
    identity = str(patient.get("patient_id") or "")
    if not named:
        return hl7.Person(identity, pseudonym=True)
    born = patient.get("birth_date")
    sex = {"m": "M", "f": "F", "o": "O"}.get(str(patient.get("gender") or "")[:1].lower(), "")
    dated = date.fromisoformat(born).strftime("%Y%m%d") if born else ""
    return hl7.Person(identity, str(patient.get("full_name") or ""), dated, sex)


def _known(_error: Exception) -> Outcome | None:
    """There is no library whose errors could be meant."""
    return None
