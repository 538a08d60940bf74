"""Devices: the orchestrator's registry, and what is desired of each."""

from __future__ import annotations

from aiohttp import web

from daemon.contracts.faults import BadMessage
from daemon.contracts.rest.v1 import (
    ConfigReport,
    ConfigWish,
    DeviceConfig,
    Done,
    Registry,
    RegistryDevice,
    RegistryEntry,
    RegistryPrefix,
)
from daemon.contracts.seeds import settings
from tests.cloud.api.calls import Call, Refused, route
from tests.cloud.database import Connection


async def registry(db: Connection) -> Registry:
    devices = await db.fetch("SELECT serial, backend FROM devices ORDER BY serial")
    prefixes = await db.fetch("SELECT prefix, backend FROM prefixes ORDER BY prefix")
    return Registry(
        schema_="vitald.registry/1",
        devices=[RegistryDevice(serial=d["serial"], backend=d["backend"]) for d in devices],
        prefixes=[RegistryPrefix(prefix=p["prefix"], backend=p["backend"]) for p in prefixes],
    )


async def read_registry(call: Call) -> Registry:
    return await registry(call.db)


async def find_device(call: Call) -> RegistryEntry:
    """What is known of one serial number: as registered, else what its beginning hints at."""
    serial = call.part("serial")
    row = await call.db.fetchrow("SELECT * FROM devices WHERE serial = $1", serial)
    if row is not None:
        return RegistryEntry(serial=serial, kind=row["kind"], backend=row["backend"], url=row["url"])
    hint = await call.db.fetchval("SELECT backend FROM prefixes WHERE starts_with($1, prefix)", serial)
    if hint is None:
        raise Refused(404, "nobody has registered this device")
    return RegistryEntry(serial=serial, kind=hint, backend=hint)


async def write_registry(call: Call) -> Done:
    said = call.body(RegistryEntry)
    if said.serial != call.part("serial"):
        raise BadMessage("serial", "is not the one in the path")
    await call.db.execute(
        "INSERT INTO devices (serial, kind, backend, url) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (serial) DO UPDATE SET kind = $2, backend = $3, url = $4",
        said.serial,
        said.kind,
        said.backend,
        said.url,
    )
    return Done()


async def read_config(call: Call) -> DeviceConfig:
    found = await config_of(call.db, call.part("serial"))
    if found is None:
        raise Refused(404, "nothing was ever desired of this device")
    return found


async def config_of(db: Connection, serial: str) -> DeviceConfig | None:
    row = await db.fetchrow("SELECT * FROM configs WHERE serial = $1", serial)
    if row is None:
        return None
    return DeviceConfig(
        serial=serial, version=row["version"], config=row["desired"], reported=row["reported"]
    )


async def write_config(call: Call) -> DeviceConfig:
    """Desired from now on. A wish that the contract does not allow is 422."""
    serial = call.part("serial")
    kind = await call.db.fetchval("SELECT kind FROM devices WHERE serial = $1", serial)
    guess = await call.db.fetchval("SELECT backend FROM prefixes WHERE starts_with($1, prefix)", serial)
    service = str(kind or guess or "")
    if service not in {"cpap", "oxygen"}:
        raise Refused(404, "nothing can be desired of such a device")
    wish = settings.state(settings.desired(service, call.body(ConfigWish).config))
    await call.db.execute(
        "INSERT INTO configs (serial, kind, version, desired) VALUES ($1, $2, 1, $3)"
        " ON CONFLICT (serial) DO UPDATE SET version = configs.version + 1, desired = $3",
        serial,
        service,
        wish,
    )
    found = await config_of(call.db, serial)
    assert found is not None
    if call.state.asked is not None:
        call.afterwards.append(call.state.asked(serial))
    return found


async def reported(call: Call) -> Done:
    said = call.body(ConfigReport)
    if not await report(call.db, call.part("serial"), said.as_reported(), said.version):
        raise Refused(404, "nothing was ever desired of this device")
    return Done()


async def report(db: Connection, serial: str, told: dict[str, object], version: int | None) -> bool:
    """What a device says of its settings; False: nothing was ever desired of it."""
    done = await db.execute(
        "UPDATE configs SET reported = $2, reported_version = coalesce($3, version) WHERE serial = $1",
        serial,
        told,
        version,
    )
    return bool(done.endswith(" 1"))


def routes(app: web.Application, base: str) -> None:
    route(app, "GET", f"{base}/devices/{{serial}}/config", read_config)
    route(app, "PUT", f"{base}/devices/{{serial}}/config", write_config)
    route(app, "POST", f"{base}/devices/{{serial}}/config/reported", reported)
    route(app, "GET", f"{base}/registry", read_registry)
    route(app, "GET", f"{base}/registry/{{serial}}", find_device)
    route(app, "PUT", f"{base}/registry/{{serial}}", write_registry)
