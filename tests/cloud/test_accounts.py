"""Accounts, the registry, and what is desired of devices."""

from __future__ import annotations

import uuid

from tests.cloud.saying import EXAMPLE, count


async def test_an_account_signs_in_and_renews_its_token(client):
    status, told = await client.post("/auth/login", {"identifier": client.serial, "password": "secret"})
    assert status == 200
    assert told["user_id"] == client.user_id
    assert told["user_profile"]["full_name"] == client.serial

    client.headers = {"Authorization": f"Bearer {told['token']}"}
    status, renewed = await client.post("/auth/refresh", {})

    assert status == 200
    assert renewed["token"] != told["token"]


async def test_a_wrong_password_or_token_is_401(client):
    for identifier, password in ((client.serial, "wrong"), ("nobody", "secret")):
        status, _ = await client.post("/auth/login", {"identifier": identifier, "password": password})
        assert status == 401
    for headers in (
        {},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "other"},
    ):
        client.headers = headers
        status, told = await client.post("/sessions/s/metrics", EXAMPLE)
        assert (status, told["status"]) == (401, "error")


async def test_a_token_ends_and_can_still_be_renewed(cloud, client):
    cloud.state.tokens.life_s = -1
    _, told = await client.post("/auth/refresh", {})
    client.headers = {"Authorization": f"Bearer {told['token']}"}

    assert (await client.post("/sessions/s/metrics", EXAMPLE))[0] == 401
    cloud.state.tokens.life_s = 60
    assert (await client.post("/auth/refresh", {}))[0] == 200


async def test_two_accounts_of_one_name_are_asked_for_the_serial_number(client):
    name = f"Same {uuid.uuid4()}"
    for number in (1, 2):
        said = {"full_name": name, "password": "p", "device_serial": f"{name}-{number}"}
        assert (await client.post("/auth/register", said))[0] == 200

    status, told = await client.post("/auth/login", {"identifier": name, "password": "p"})

    assert (status, told["field"]) == (409, "identifier")


async def test_an_api_key_is_enough(client, db):
    client.headers = {"X-API-Key": "a-key"}
    before = await count(db, "metrics", "by-key")

    assert (await client.post("/sessions/s/metrics", EXAMPLE))[0] == 200

    assert await count(db, "metrics", "by-key") == before + 1


async def test_the_registry_says_which_backend_a_serial_number_belongs_to(client):
    serial = f"CPAP-{uuid.uuid4().hex[:6].upper()}"
    entry = {"serial": serial, "kind": "cpap", "backend": "sleep"}
    async with client.session.put(
        f"{client.base}/registry/{serial}", json=entry, headers=client.headers
    ) as reply:
        assert reply.status == 200

    _, told = await client.get("/registry")
    async with client.session.get(f"{client.base}/registry", headers=client.headers) as reply:
        etag = reply.headers["ETag"]

    assert told["schema"] == "vitald.registry/1"
    assert {"serial": serial, "backend": "sleep"} in told["devices"]
    assert {"prefix": "CPAP-", "backend": "cpap"} in told["prefixes"]
    assert await client.get("/registry", **{"If-None-Match": etag}) == (304, etag)
    assert (await client.get(f"/registry/{serial}"))[1]["backend"] == "sleep"
    assert (await client.get("/registry/OXY-1"))[1]["backend"] == "oxygen"
    assert (await client.get("/registry/TOASTER-1"))[0] == 404


async def test_what_is_desired_of_a_device_is_checked_numbered_and_reported(client):
    serial = f"CPAP-{uuid.uuid4().hex[:6].upper()}"

    async def wish(config):
        at = f"{client.base}/devices/{serial}/config"
        async with client.session.put(at, json={"config": config}, headers=client.headers) as reply:
            return reply.status, await reply.json()

    assert (await wish({"target_pressure": 400}))[1]["field"] == "target_pressure"
    assert (await wish({"target_pressure": 12}))[1]["version"] == 1
    assert (await wish({"target_pressure": 11.5, "alerts": {"rr_low": 10}}))[1]["version"] == 2
    said = {
        "version": 2,
        "config": {"alerts": {"rr_low": 10}},
        "refused": {"target_pressure": "nobody agreed"},
    }
    assert (await client.post(f"/devices/{serial}/config/reported", said))[0] == 200

    _, told = await client.get(f"/devices/{serial}/config")
    assert told["config"] == {"target_pressure": 11.5, "alerts": {"rr_low": 10}}
    assert told["reported"]["alerts"] == {"rr_low": 10}
    assert told["reported"]["vitald"]["refused"] == {"target_pressure": "nobody agreed"}
    assert (await client.get("/devices/CPAP-UNKNOWN/config"))[0] == 404
