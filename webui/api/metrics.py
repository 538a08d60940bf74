"""Numbers that were measured: of a session, or of a bed and a span of time, oldest first."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from daemon.contracts.times import instant
from daemon.model.scopes import Scope
from daemon.store.pages import FoundNumber, Stretch, numbers_page, of_session, stretches
from daemon.store.reader import Reader
from webui.api.paging import Page, Spanned, cursor_of, numbers_in
from webui.api.problems import NotAnswered
from webui.api.routes import Call, Model, Route
from webui.api.sessions import find
from webui.api.sources import known_bed, sources

MOST_NAMES = 50
_EVER = 2**61


class Metric(Model):
    """A number. `value` null: it was absent, and `why` says the reason. `device` "": the box measured it, by `rule`."""

    at: str
    clock: Literal["set", "unset"]
    name: str
    lead: str
    device: str
    value: float | None
    unit: str
    why: str
    quality: float
    rule: str
    segment: str | None = Field(description="With first and last: the samples that it was measured from")
    first: int | None
    last: int | None


class Metrics(Page):
    bed: str
    metrics: tuple[Metric, ...]


class MetricsQuery(Spanned):
    """`session`, or `bed` and `from`. `name`: with commas between. A page looks through six hours at most."""

    session: str = Field("", max_length=100)
    bed: str = Field("", max_length=64)
    name: str = Field("", max_length=1000)
    device: str | None = Field(None, max_length=100, description='"" = measured by the box itself')


async def metrics(call: Call) -> Metrics:
    """Of a session, narrowed by `from` and `to`; or of a bed since `from`."""
    asked: MetricsQuery = call.query
    names = [name for name in asked.name.split(",") if name]
    if len(names) > MOST_NAMES:
        raise NotAnswered("parameters", f"at most {MOST_NAMES} names", "name")
    after = numbers_in(asked.cursor, 3)
    one = await find(call, asked.session) if asked.session else None
    if one is None and not (asked.bed and asked.from_):
        raise NotAnswered("parameters", "a session, or a bed and from", "session")
    bed = one.bed if one is not None else known_bed(call, asked.bed)
    if asked.bed and asked.bed != bed:
        raise NotAnswered("parameters", "the session is of another bed", "bed")

    def question(reader: Reader) -> tuple[list[FoundNumber], tuple[int, int, int] | None]:
        from_ns, to_ns = asked.from_ns, asked.to_ns
        spans = (
            stretches(reader, from_ns or 0, _EVER if to_ns is None else to_ns)
            if one is None
            else [_narrowed(of_session(reader, one), from_ns, to_ns)]
        )
        place = None if after is None else (after[0], after[1], after[2])
        return numbers_page(
            reader, spans, bed=bed, names=names, device=asked.device, after=place, most=asked.limit
        )

    found, behind = await sources(call).history.ask(question)
    return Metrics(
        bed=bed, metrics=tuple(map(_told, found)), next=None if behind is None else cursor_of(*behind)
    )


def _narrowed(span: Stretch, from_ns: int | None, to_ns: int | None) -> Stretch:
    t0_ns, t1_ns, offset_ns = span.t0_ns, span.t1_ns, span.utc_offset_ns
    if from_ns is not None:
        t0_ns = max(t0_ns, from_ns - offset_ns)
    if to_ns is not None:
        t1_ns = min(t1_ns, to_ns - offset_ns)
    return Stretch(span.boot_id, span.boot, t0_ns, t1_ns, offset_ns, span.clock_is_set)


def _told(one: FoundNumber) -> Metric:
    number = one.number
    return Metric(
        at=instant(one.utc_ns),
        clock="set" if one.clock_is_set else "unset",
        name=number.name,
        lead=number.lead,
        device=number.device,
        value=number.value,
        unit=number.unit,
        why=number.why or "",
        quality=number.quality,
        rule=number.rule or "",
        segment=number.segment,
        first=number.first,
        last=number.last,
    )


ROUTES = (
    Route(
        "GET",
        "/metrics",
        (Scope.READ_METRICS,),
        metrics,
        "Numbers that were measured, oldest first",
        Metrics,
        MetricsQuery,
        problems=("not_found", "box_silent"),
    ),
)
