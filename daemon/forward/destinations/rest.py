"""The seeds' REST backend: accounts, sessions, metrics, waveforms, events, reports; or whole batches where it knows ours.

`form` "plan" makes the plan's requests (daemon/contracts/seeds/rest.py), one a message, waveforms of up to ten seconds; "records"
sends batches of canonical envelopes to /records. A session has our name in the sealed path; the id that the backend gave it
is put in its place when it is sent. Every request carries its key as `Idempotency-Key`: sent twice, it is stored once.
"""

from __future__ import annotations

import gzip
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import quote, unquote

from pydantic import Field, SecretStr, model_validator

from daemon.contracts.envelope import compact
from daemon.contracts.faults import BadMessage
from daemon.contracts.registry import CONTRACTS
from daemon.contracts.rest.v1 import ConfigReport
from daemon.contracts.seeds import Chunk, Sender, rest
from daemon.forward.destinations import Bounds, Outcome, Sealed, Verdict
from daemon.forward.destinations.account import Account
from daemon.forward.destinations.aside import Aside
from daemon.forward.destinations.desired import Desired, told
from daemon.forward.destinations.files import SLOWEST, Content, check_report, report_file
from daemon.forward.destinations.place import Ended, Place, Service
from daemon.forward.destinations.sealing import JSON, NDJSON, envelope, fitting, lines, packed
from daemon.forward.destinations.sessions import KEPT, Sessions
from daemon.forward.destinations.tls import TlsOptions, context
from daemon.forward.destinations.trouble import of_status, patience, tried
from daemon.forward.destinations.web import Reply, Web, checked_url, known, without_secrets
from daemon.forward.record import Record
from daemon.model.outgoing import Lane

if TYPE_CHECKING:
    import ssl

START: Final = "/sessions/start"
FORM: Final = "multipart/form-data"

GRACE_S: Final = 60.0
"""So long data of a session waits for the message that starts it; then (it was sent elsewhere, or long ago) we start it."""

_STARTS: Final = uuid.UUID("6f1f7c52-6a0b-5c1e-9d0a-5b8f0c0f4a11")
"""Name space of the keys under which we start sessions: one session, one key, at every try."""

_PLAN: Final = {"ecg.metrics/1", "ecg.waveform/1", "box.session_start/1", "box.session_end/1", "box.report/1"}

_BAD: Final = "BAD"

_FIELD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}|\d+(\.[A-Za-z0-9_-]{1,40}){1,6}")


class RestOptions(TlsOptions):
    """Where, as whom, and in which form."""

    url: Annotated[str, Field(description="Base address, with its version: https://api.example.org/api/v1")]
    identifier: Annotated[str, Field(description="The box's account: its serial number there")] = ""
    password_file: Annotated[str, Field(description="Credential: password of that account")] = ""
    api_key_file: Annotated[
        str, Field(description="Credential: key for X-API-Key where there is no account")
    ] = ""
    user_id: Annotated[str, Field(description="The account's user_id, for messages that name it")] = ""
    form: Annotated[
        Literal["plan", "records"], Field(description="The seeds' requests, or batches of ours to /records")
    ] = "plan"
    extensions: Annotated[
        bool, Field(description="Also what the seeds have no path for, and our envelope beside theirs")
    ] = True
    coded: Annotated[bool, Field(description="Waveforms in our coding in place of arrays of millivolts")] = (
        False
    )
    waveform_s: Annotated[float, Field(gt=0, le=60, description="Seconds of waveform in one request")] = 10.0
    compress: Annotated[bool, Field(description="gzip, until the server says that it takes none")] = False
    plain_http: Annotated[bool, Field(description="Whether http:// may be used beyond this machine")] = False
    settings_of: Annotated[
        dict[str, Service],
        Field(description="Devices whose wished settings come from here"),
    ] = Field(default_factory=dict)
    timeout_s: Annotated[
        float,
        Field(gt=0, le=600, description="Of a request; half of it for metrics, three times for reports"),
    ] = 10.0

    @model_validator(mode="after")
    def _checked(self) -> Self:
        checked_url(self.url, plain=self.plain_http)
        if bool(self.identifier) != bool(self.password_file):
            raise ValueError("identifier and password_file go together")
        return self


class Rest:
    def __init__(self, options: RestOptions, place: Place) -> None:
        self.options = options
        self.place = place
        self.bounds = Bounds(at_once=options.at_once)
        self._base = checked_url(options.url, plain=options.plain_http)
        self._sender = Sender(options.user_id or options.identifier or place.box, place.box)
        self._web = Web(options.at_once)
        self._trust: ssl.SSLContext | None = None
        self._account: Account | None = None
        self._aside = Aside(options.at_once, f"forward {place.name}")
        self._sessions = Sessions(place.state)
        self._waited: dict[str, float] = {}
        self._desired = Desired(options.settings_of, place.wishes)
        self._compress = options.compress or options.form == "records"

    # -- what goes into a request -------------------------------------------------------------------------

    def takes(self, record: Record) -> bool:
        """Without extensions only what the seeds have a path for: the ECG's data in a session, and reports."""
        if self.options.form == "records":
            return True
        if self.options.extensions:
            return record.message in CONTRACTS or record.kind == "waveform"
        return record.message in _PLAN and (bool(record.session) or record.kind == "report")

    def gather(self, records: Sequence[Record]) -> int:
        if records[0].lane is Lane.REPORTS:
            return 1
        if self.options.form == "records":
            return fitting(records, self.bounds)
        if records[0].samples is None:
            return 1
        return _together(records[: self.bounds.records], self.options.waveform_s)

    def seal(self, key: str, records: Sequence[Record]) -> Sealed:
        """A record that does not keep its contract is sealed as such: sending it says so and does no more."""
        first = records[0]
        named = self.options.named_patients
        if self.options.form == "records" and first.kind != "report":
            return Sealed(
                key, first.lane, f"POST {rest.RECORDS_PATH}", NDJSON, "gzip", lines(key, records, named=named)
            )
        envelopes = [envelope(key, record, named=named) for record in records]
        beside = self.options.extensions
        try:
            if first.samples is None:
                request = rest.request(envelopes[0], self._sender, beside=beside)
            else:
                chunks = [
                    Chunk(e, r.samples.counts)
                    for e, r in zip(envelopes, records, strict=True)
                    if r.samples is not None
                ]
                request = rest.waveform(chunks, self._sender, coded=self.options.coded, beside=beside)
        except BadMessage as bad:
            return Sealed(key, first.lane, f"{_BAD} {bad.field}", JSON, "", b"{}")
        path = f"{request.method} {request.path}"
        if request.path.startswith("/sessions/"):
            path += f" {_subject(request.path, first, self._sender)}"
        data = compact(request.body)
        if request.multipart:
            return Sealed(key, first.lane, path, FORM, "", data, str(report_file(self.place, first)))
        return (
            Sealed(key, first.lane, path, JSON, "gzip", packed(data))
            if self.options.compress
            else Sealed(key, first.lane, path, JSON, "", data)
        )

    # -- sending ------------------------------------------------------------------------------------------

    async def open(self) -> Outcome:
        """Read the credentials anew and sign in."""
        await self._web.close()
        self._account = None
        return await tried(self._sign_in(), self.options.timeout_s, known)

    async def close(self) -> None:
        await self._web.close()

    async def register(self, details: Mapping[str, Any]) -> tuple[Outcome, str]:
        """Make the box's account (`details`: full_name, age, gender, phone, address of who answers for it), and its user_id."""
        user_id = ""

        async def ask() -> None:
            nonlocal user_id
            self._prepare()
            password = self.place.secret(self.options.password_file).get_secret_value()
            said = {**details, "password": password, "device_serial": self.options.identifier}
            reply = await self._post("/auth/register", said, {})
            if (outcome := of_status(reply.status)) is not None:
                raise Ended(outcome.verdict, outcome.reason, outcome.wait_s)
            user_id = str(reply.json.get("user_id", ""))

        return await tried(ask(), self.options.timeout_s, known), user_id

    # -- what the cloud wishes of devices -------------------------------------------------------------------

    @property
    def settings_of(self) -> Mapping[str, Service]:
        return self.options.settings_of

    async def ask_settings(self) -> Outcome:
        """Ask for what is desired of each device."""
        return await tried(
            self._ask_settings(), self.options.timeout_s * max(1, len(self.settings_of)), known
        )

    async def report_settings(self, device: str, report: ConfigReport) -> Outcome:
        return await self.send(told(device, report, time.time_ns()))

    async def _ask_settings(self) -> None:
        await self._sign_in()
        await self._desired.ask(self._get, _judge)

    async def send(self, sealed: Sealed) -> Outcome:
        size = len(sealed.data)
        if sealed.file:
            try:
                size += Path(sealed.file).stat().st_size
            except OSError:
                return Outcome(Verdict.REFUSED, "the report's file is not on the box any more")
        wait = self.options.timeout_s
        if sealed.file:
            wait = 3 * wait + size / SLOWEST
        elif "/metrics" in sealed.path:
            wait /= 2
        return await tried(self._send(sealed, wait), wait, known)

    async def _send(self, sealed: Sealed, wait_s: float) -> str:
        """What a report is called there, "" where it is none."""
        method, path, subject = [*sealed.path.split(" ", 2), ""][:3]
        if method == _BAD:
            raise Ended(Verdict.REFUSED, f"the record does not keep its contract: {path}")
        report = None
        if sealed.file:
            report = await self._aside.run(lambda: check_report(Path(sealed.file), _announced(sealed)))
        await self._sign_in()
        if path == START:
            await self._start(unquote(subject), sealed, wait_s)
            return ""
        reply = await self._exchange(await self._placed(path, subject), sealed, sealed.key, report, wait_s)
        _judge(reply, sealed.key)
        told = reply.json.get("url") or reply.json.get("report_id") or ""
        return without_secrets(told) if report is not None and isinstance(told, str) else ""

    async def _placed(self, path: str, subject: str) -> str:
        """The path with the backend's id of the session in it. Starts the session where nothing else does."""
        if not path.startswith("/sessions/"):
            return path
        _, _, quoted, what = path.split("/", 3)
        name = unquote(quoted)
        found = self._sessions.known(name) or await self._aside.run(lambda: self._sessions.find(name))
        if not found:
            now = time.monotonic()
            if len(self._waited) > KEPT:
                self._waited.clear()
            if now - self._waited.setdefault(name, now) < GRACE_S:
                raise Ended(Verdict.WAIT, "the session has not started there yet", 1.0)
            key = str(uuid.uuid5(_STARTS, f"{self.place.box}/{name}"))
            body = compact({"device_serial": unquote(subject), "device_info": {}})
            start = Sealed(key, Lane.EVENTS, "", JSON, "", body)
            found = await self._start(name, start, self.options.timeout_s)
            self._waited.pop(name, None)
        return f"/sessions/{quote(found, safe='')}/{what}"

    async def _start(self, name: str, sealed: Sealed, wait_s: float) -> str:
        """Start a session there and keep the id it was given: the first one, should it be started twice."""
        found = self._sessions.known(name) or await self._aside.run(lambda: self._sessions.find(name))
        if found and not self.options.extensions:
            return found  # the plan's request says no more than the one that started it
        reply = await self._exchange(START, sealed, sealed.key, None, wait_s)
        _judge(reply, sealed.key)
        if not found:
            given = reply.json.get("session_id")
            found = given if isinstance(given, str) and given else name
            await self._aside.run(lambda: self._sessions.keep(name, found))
        return found

    async def _get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """A question; again with a new token after a 401."""
        assert self._account is not None
        renewed = False
        while True:
            who = await self._account.headers()
            reply = await self._web.ask(
                self._base + path, None, {**headers, **who}, self.options.timeout_s, self._trust, "GET"
            )
            if reply.status != 401 or renewed or not await self._account.turned_down(who):
                return reply
            renewed = True

    async def _exchange(
        self, path: str, sealed: Sealed, key: str, report: Content | None, wait_s: float
    ) -> Reply:
        """One request; again with a new token after a 401, and without compression after a 415."""
        assert self._account is not None
        renewed = False
        while True:
            who = await self._account.headers()
            with ExitStack() as files:
                data, headers = self._body(sealed, report, files)
                said = {**headers, **who, "Idempotency-Key": key}
                reply = await self._web.ask(self._base + path, data, said, wait_s, self._trust)
            if reply.status == 401 and not renewed and await self._account.turned_down(who):
                renewed = True
            elif reply.status == 415 and "Content-Encoding" in headers:
                self._compress = False
            else:
                return reply

    def _body(self, sealed: Sealed, report: Content | None, files: ExitStack) -> tuple[Any, dict[str, str]]:
        if report is not None and report.file is not None:
            import aiohttp

            form = aiohttp.FormData()
            file = files.enter_context(report.file.open("rb"))
            form.add_field("file", file, filename=report.file.name, content_type="application/pdf")
            form.add_field("metadata", sealed.data.decode())
            return form, {}
        headers = {"Content-Type": sealed.media}
        if not sealed.coding:
            return sealed.data, headers
        if self._compress:
            return sealed.data, {**headers, "Content-Encoding": sealed.coding}
        return gzip.decompress(sealed.data), headers

    # -- the account --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        secure = self._base.startswith("https:")
        self._trust = context(self.options, self.place) if secure else None

    async def _sign_in(self) -> None:
        if self._account is None:
            self._prepare()
            options, place = self.options, self.place
            password = place.secret(options.password_file) if options.password_file else None
            key: SecretStr | None = place.secret(options.api_key_file) if options.api_key_file else None
            self._account = Account(self._post, options.identifier, password, key)
        await self._account.headers()

    async def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        said = {"Content-Type": JSON, **headers}
        return await self._web.ask(
            self._base + path, compact(dict(body)), said, self.options.timeout_s, self._trust
        )


def _together(records: Sequence[Record], seconds: float) -> int:
    """How many chunks go on from one another, up to so many seconds."""
    first = records[0].samples
    assert first is not None
    end, most = first.first + first.counts.shape[1], seconds * first.rate_hz
    for number, record in enumerate(records[1:], 1):
        samples = record.samples
        if (
            samples is None
            or samples.segment != first.segment
            or samples.first != end
            or samples.channels != first.channels
            or record.session != records[0].session
            or end + samples.counts.shape[1] - first.first > most
        ):
            return number
        end += samples.counts.shape[1]
    return len(records)


def _subject(path: str, record: Record, sender: Sender) -> str:
    """What the sender must know of a request below /sessions: the session that starts, or whose device it is."""
    if path == START:
        return quote(str(record.body.get("session_id", "")), safe="")
    return quote(record.device or sender.box, safe="")


def _announced(sealed: Sealed) -> str:
    """The digest of the report, where our envelope is beside it; else only its length is known."""
    metadata = json.loads(sealed.data)
    beside = metadata.get("vitald")
    if beside:
        return str(beside[0]["body"].get("sha256", ""))
    return ""


def _judge(reply: Reply, key: str) -> None:
    """Raises `Ended` unless the backend has it."""
    if reply.status == 409 and key in reply.text + reply.headers.get("Idempotency-Key", ""):
        return  # it had it before
    if reply.status == 409 and "Retry-After" in reply.headers:
        raise Ended(Verdict.AGAIN, "the server is still at it (409)", patience(reply.headers["Retry-After"]))
    outcome = of_status(reply.status, reply.headers.get("Retry-After"))
    if outcome is not None:
        field = reply.json.get("field")
        # The name of a field helps a person; what else a server says may repeat the data.
        where = f": {field}" if isinstance(field, str) and _FIELD.fullmatch(field) else ""
        raise Ended(outcome.verdict, outcome.reason + where, outcome.wait_s)
