"""Settings over the control socket: what is set, and changes of it.

`GET /settings` answers a `SettingsTold`, `GET /settings/limits` a `WardLimitsTold`. `POST /settings` takes a `SettingsAct` and
answers a `SettingsActed`. `GET /settings/file` gives all of it as one document, `POST /settings/file` takes one (`SettingsFile`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daemon.control.acting import refusal
from daemon.control.asking import ActsOnce, SocketClient, first_fault, told, told_from_disk
from daemon.model.actor import acting
from daemon.model.permissions import May
from daemon.model.settings import Level, person_level


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SettingsTold(_Message):
    """All that is set, by level (daemon/model/settings.py)."""

    levels: dict[str, dict[str, str]] = Field(default_factory=dict)


class WardLimitTold(_Message):
    """A default of the ward; the switch of an alarm has neither range nor unit."""

    row: str
    key: str
    value: bool | float
    factory: bool | float
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""


class WardLimitsTold(_Message):
    """In the order of the alarm table."""

    limits: tuple[WardLimitTold, ...] = ()


class SettingsAct(_Message):
    """Set what is named; null = as it comes. All of it, or none."""

    id: str = Field(min_length=8, max_length=64)
    levels: dict[str, dict[str, str | None]] = Field(default_factory=dict)
    limits: dict[str, dict[str, bool | float | None]] = Field(default_factory=dict)


class SettingsFile(_Message):
    """A document in place of all that is set."""

    id: str = Field(min_length=8, max_length=64)
    document: dict[str, Any]


class SettingsActed(_Message):
    """Done, or refused with the reason in words."""

    id: str
    acted: bool
    error: str = ""


class Document(_Message):
    """All that is set, as one file."""

    document: dict[str, Any] = Field(default_factory=dict)


class Settings(Protocol):
    """What the routes ask of the daemon (daemon/settings.py)."""

    @property
    def held(self) -> Any: ...

    async def change(
        self,
        identity: str,
        levels: Mapping[str, Mapping[str, str | None]],
        limits: Mapping[str, Mapping[str, float | bool | None]],
    ) -> None: ...

    async def take(self, identity: str, document: Mapping[str, Any]) -> None: ...

    def exported(self) -> dict[str, Any]: ...

    def ward_limits(self) -> Iterable[Any]: ...


class SettingsRoutes:
    """The routes, for `Server`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._once: ActsOnce[SettingsActed] = ActsOnce()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/settings", self._told)
        app.router.add_post("/settings", self._act)
        app.router.add_get("/settings/limits", self._limits)
        app.router.add_get("/settings/file", self._export)
        app.router.add_post("/settings/file", self._import)

    async def _told(self, _request: web.Request) -> web.Response:
        return told(SettingsTold(levels=self._settings.held.levels))

    async def _limits(self, _request: web.Request) -> web.Response:
        names = WardLimitTold.model_fields
        limits = (
            WardLimitTold(**{n: getattr(one, n) for n in names}) for one in self._settings.ward_limits()
        )
        return told(WardLimitsTold(limits=tuple(limits)))

    async def _act(self, request: web.Request) -> web.Response:
        try:
            act = SettingsAct.model_validate_json(await request.read())
        except ValidationError as error:
            return told(SettingsActed(id="", acted=False, error=first_fault(error)), 400)
        _permitted(act)
        return await told_from_disk(
            self._once.answer(
                act.id,
                "settings",
                lambda: _done(act.id, self._settings.change(act.id, act.levels, act.limits)),
            )
        )

    async def _export(self, _request: web.Request) -> web.Response:
        _need(May.SET_WARD)
        return told(Document(document=self._settings.exported()))

    async def _import(self, request: web.Request) -> web.Response:
        try:
            asked = SettingsFile.model_validate_json(await request.read())
        except ValidationError as error:
            return told(SettingsActed(id="", acted=False, error=first_fault(error)), 400)
        _need(May.SET_WARD)
        return await told_from_disk(
            self._once.answer(
                asked.id,
                "settings file",
                lambda: _done(asked.id, self._settings.take(asked.id, asked.document)),
            )
        )


async def _done(identity: str, act: Any) -> SettingsActed:
    try:
        await act
    except ValueError as refusal:
        return SettingsActed(id=identity, acted=False, error=str(refusal))
    return SettingsActed(id=identity, acted=True)


def _permitted(act: SettingsAct) -> None:
    """A person's own settings need no more than the screen's; all others are the ward's. Raises 403."""
    actor = acting()
    own = {person_level(actor.person)} if actor is not None and actor.person else set()
    if act.limits or not set(act.levels) <= own:
        _need(May.SET_WARD)
        others = {level for level in act.levels if level.startswith(f"{Level.PERSON}:")} - own
        if actor is not None and others and not actor.may(May.MANAGE_PEOPLE):
            raise refusal()
    else:
        _need(May.SILENCE, May.SET_WARD)


def _need(*one_of: May) -> None:
    actor = acting()
    if actor is not None and not any(actor.may(what) for what in one_of):
        raise refusal()


class SettingsClient(SocketClient):
    """The other end (control/asking.py)."""

    async def told(self) -> SettingsTold:
        """All that is set."""
        return await self._ask("GET", "/settings", SettingsTold)

    async def limits(self) -> WardLimitsTold:
        """The ward's defaults of alarm limits."""
        return await self._ask("GET", "/settings/limits", WardLimitsTold)

    async def act(self, act: SettingsAct) -> SettingsActed:
        """Change settings."""
        return await self._ask("POST", "/settings", SettingsActed, act)

    async def export(self) -> Document:
        """All of it as one document."""
        return await self._ask("GET", "/settings/file", Document)

    async def take(self, file: SettingsFile) -> SettingsActed:
        """Put a document in place of all that is set."""
        return await self._ask("POST", "/settings/file", SettingsActed, file)
