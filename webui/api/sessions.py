"""Recording sessions, and whether anything of them is missing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from daemon.contracts.times import instant
from daemon.control.review import CertificateTold, GapsAsked
from daemon.model.scopes import Scope
from daemon.store.pages import of_session, sessions_page
from daemon.store.reader import Reader
from daemon.store.recorded import RecordedSession
from daemon.store.recorded import session as recorded
from webui.api.paging import Page, Spanned, cursor_of, numbers_in
from webui.api.patients import Patient, patient
from webui.api.problems import NotAnswered
from webui.api.routes import Call, Model, Query, Route
from webui.api.sources import sources


class Session(Model):
    """A recording session. `ended_at` null: it goes on. `clock` "unset": the box did not know the time, and times are guesses."""

    session: str = Field(description="Its name: session_20260108_123456")
    uuid: str
    bed: str
    device: str = Field(description='Serial number of what streamed when it began; "" = none')
    source: Literal["live", "import"]
    began_at: str
    ended_at: str | None
    ended_by: str
    clock: Literal["set", "unset"]
    patient: Patient | None
    summary: dict[str, Any] | None = Field(description="As in box.session_end/1")


class Sessions(Page):
    sessions: tuple[Session, ...]


class SessionsQuery(Spanned):
    """By bed, by patient (an id), by when they began."""

    bed: str = Field("", max_length=64)
    patient: str = Field("", max_length=100)


class GapsQuery(Query):
    """`check`: read every stored second too, which takes its time."""

    check: bool = False


class Missing(Model):
    """A stretch that is missing, and why."""

    stream: str
    from_at: str
    to_at: str
    seconds: float
    cause: str


class Certificate(Model):
    """What is missing of a session; `complete`: nothing. `digest` is over the ledger rows that say so."""

    session: str
    from_at: str
    to_at: str
    complete: bool
    checked: bool
    missing: tuple[Missing, ...]
    left_out: int
    rows: int
    digest: str


async def sessions(call: Call) -> Sessions:
    """Newest first."""
    asked: SessionsQuery = call.query
    before = numbers_in(asked.cursor, 2)

    def question(reader: Reader) -> list[tuple[RecordedSession, tuple[int, int]]]:
        return sessions_page(
            reader,
            bed=asked.bed or None,
            patient=asked.patient or None,
            from_utc_ns=asked.from_ns,
            to_utc_ns=asked.to_ns,
            before=None if before is None else (before[0], before[1]),
            most=asked.limit + 1,
        )

    found = await sources(call).history.ask(question)
    more = len(found) > asked.limit
    shown = found[: asked.limit]
    return Sessions(
        sessions=tuple(told(call, one) for one, _ in shown), next=cursor_of(*shown[-1][1]) if more else None
    )


async def session(call: Call) -> Session:
    """By its name, or its uuid."""
    return told(call, await find(call, call.parts["session"]))


async def gaps(call: Call) -> Certificate:
    """The certificate of its span."""
    one = await find(call, call.parts["session"])
    span = await sources(call).history.ask(lambda reader: of_session(reader, one))
    from_ms, to_ms = ((t + one.utc_offset_ns) / 1e6 for t in (span.t0_ns, span.t1_ns))
    asked = GapsAsked(bed=one.bed, from_ms=from_ms, to_ms=to_ms, check=call.query.check)
    return _certificate(one, await sources(call).worker.gaps(asked))


async def find(call: Call, name: str) -> RecordedSession:
    """The session of a name. Raises `NotAnswered` where there is none."""
    found = await sources(call).history.ask(lambda reader: recorded(reader, name))
    if found is None:
        raise NotAnswered("not_found", "there is no such session", "session")
    return found


def told(call: Call, one: RecordedSession) -> Session:
    """A session, as far as the caller may know."""
    return Session(
        session=one.name,
        uuid=one.uuid,
        bed=one.bed,
        device=one.device,
        source=one.source,
        began_at=instant(one.began_ns + one.utc_offset_ns),
        ended_at=None if one.ended_ns is None else instant(one.ended_ns + one.utc_offset_ns),
        ended_by=one.ended_by,
        clock="set" if one.clock_is_set else "unset",
        patient=patient(call, one.patient),
        summary=None if one.summary is None else dict(one.summary),
    )


def _certificate(one: RecordedSession, made: CertificateTold) -> Certificate:
    return Certificate(
        session=one.name,
        from_at=instant(round(made.from_ms * 1e6)),
        to_at=instant(round(made.to_ms * 1e6)),
        complete=made.complete,
        checked=made.checked,
        missing=tuple(
            Missing(
                stream=gap.stream,
                from_at=instant(round(gap.from_ms * 1e6)),
                to_at=instant(round(gap.to_ms * 1e6)),
                seconds=gap.seconds,
                cause=gap.cause,
            )
            for gap in made.missing
        ),
        left_out=made.left_out,
        rows=made.rows,
        digest=made.digest,
    )


ROUTES = (
    Route(
        "GET",
        "/sessions",
        (Scope.READ_SESSIONS,),
        sessions,
        "Recording sessions, newest first",
        Sessions,
        SessionsQuery,
        problems=("box_silent",),
    ),
    Route(
        "GET",
        "/sessions/{session}",
        (Scope.READ_SESSIONS,),
        session,
        "A recording session",
        Session,
        problems=("not_found", "box_silent"),
    ),
    Route(
        "GET",
        "/sessions/{session}/gaps",
        (Scope.READ_SESSIONS,),
        gaps,
        "What is missing of a session, or that nothing is",
        Certificate,
        GapsQuery,
        problems=("not_found", "box_silent"),
    ),
)
