"""The log of alarms: one entry an alarm, from its beginning to its end, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from daemon import words
from daemon.contracts.times import instant
from daemon.model.scopes import Scope
from daemon.store.answers import Boot
from daemon.store.occurrences import Occurrence, Place
from daemon.store.reader import Reader
from webui.api.paging import Page, Spanned, cursor_of, numbers_in
from webui.api.routes import Call, Model, Route
from webui.api.sources import known_bed, sources


class Alarm(Model):
    """An alarm that was, or is. `value`: the worst; `over_at` null: it is not known to be over."""

    occurrence: str
    bed: str
    alarm: str
    instance: str
    priority: Literal["low", "medium", "high"]
    text: str
    value: float | None
    limit: float | None
    unit: str
    onset_at: str = Field(description="Of what it is about")
    began_at: str = Field(description="When it was decided")
    over_at: str | None
    ended_by: str
    acknowledged_at: str | None
    acknowledged_by: str
    covered_by: str = Field(description="The alarm of the same event that spoke for it")
    clock: Literal["set", "unset"]


class Alarms(Page):
    alarms: tuple[Alarm, ...]


class AlarmsQuery(Spanned):
    """By bed, by priority, by row of the alarm table, by when they began."""

    bed: str = Field("", max_length=64)
    priority: Literal["", "low", "medium", "high"] = ""
    alarm: str = Field("", max_length=64)


async def alarms(call: Call) -> Alarms:
    """Of one bed, or of all."""
    asked: AlarmsQuery = call.query
    beds = [known_bed(call, asked.bed)] if asked.bed else list(sources(call).beds)
    at = numbers_in(asked.cursor, 3)
    before = None if at is None else Place(at[0], at[1], at[2])
    found, behind, boots = await sources(call).history.ask(lambda reader: _page(reader, beds, asked, before))
    return Alarms(
        alarms=tuple(_told(one, boots[one.boot]) for one in found),
        next=None if behind is None else cursor_of(behind.boot, behind.t_ns, behind.id),
    )


def _page(
    reader: Reader, beds: list[str], asked: AlarmsQuery, before: Place | None
) -> tuple[list[Occurrence], Place | None, Mapping[str, Boot]]:
    """The next alarms behind a place, and the place behind them: the newest of the pages of all beds."""
    boots = {boot.boot: boot for boot in reader.boots()}
    pages = [
        reader.log.page(bed, before=before, priority=asked.priority, row=asked.alarm, most=asked.limit)
        for bed in beds
    ]
    entries = sorted((e for page in pages for e in page.entries), key=lambda e: _order(e.place), reverse=True)
    more = any(page.next for page in pages) or len(entries) > asked.limit
    shown = entries[: asked.limit]
    behind = shown[-1].place if shown and more else None
    from_ns, to_ns = asked.from_ns, asked.to_ns
    fit = []
    for one in shown:
        if not isinstance(one, Occurrence):
            continue
        utc_ns = one.began_ns + (boots[one.boot].utc_offset_ns or 0)
        if from_ns is not None and utc_ns < from_ns:
            # Older ones follow; an earlier boot's clock may have been anywhere, so that only its own order is sure.
            continue
        if to_ns is None or utc_ns < to_ns:
            fit.append(one)
    return fit, behind, boots


def _order(place: Place) -> tuple[int, int, int]:
    return place.boot, place.t_ns, place.id


def _told(one: Occurrence, boot: Boot) -> Alarm:
    def at(t_ns: int | None) -> str | None:
        return None if t_ns is None else instant(t_ns + (boot.utc_offset_ns or 0))

    filled = {name: v if isinstance(v, str) else f"{v:g}" for name, v in one.values}
    return Alarm(
        occurrence=one.occurrence,
        bed=one.bed,
        alarm=one.row,
        instance=one.instance,
        priority=one.priority,
        text=words.say(one.text, **filled) if one.text else "",
        value=one.value,
        limit=one.limit,
        unit=one.unit,
        onset_at=at(one.onset_ns) or "",
        began_at=at(one.began_ns) or "",
        over_at=at(one.over_ns),
        ended_by=one.ended_by,
        acknowledged_at=at(one.acknowledged_ns),
        acknowledged_by=one.acknowledged_by,
        covered_by=one.covered_by,
        clock="set" if boot.clock_is_set else "unset",
    )


ROUTES = (
    Route(
        "GET",
        "/alarms",
        (Scope.READ_ALARMS,),
        alarms,
        "The log of alarms, newest first",
        Alarms,
        AlarmsQuery,
        problems=("not_found", "box_silent"),
    ),
)
