"""Accounts: register, sign in, a new token for an old one."""

from __future__ import annotations

import asyncio
import time
import uuid

from daemon.contracts.rest.v1 import LoggedIn, Login, Refreshed, Register, Registered
from tests.cloud.api.calls import Call, Refused
from tests.cloud.tokens import fits, hashed


async def register(call: Call) -> Registered:
    said = call.body(Register)
    kept = await asyncio.to_thread(hashed, said.password)
    user_id = str(uuid.uuid4())
    done = await call.db.execute(
        "INSERT INTO users (user_id, full_name, age, gender, phone, address, device_serial, password_hash)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        user_id,
        said.full_name,
        said.age,
        said.gender,
        said.phone,
        said.address,
        said.device_serial,
        kept,
    )
    if not done.endswith(" 1"):
        raise Refused(409, "this device has an account", "device_serial")
    return Registered(user_id=user_id, token=_token(call, user_id), expires_in=_life(call))


async def login(call: Call) -> LoggedIn:
    said = call.body(Login)
    found = await call.db.fetch(
        "SELECT * FROM users WHERE device_serial = $1 OR (full_name = $1 AND NOT EXISTS"
        " (SELECT 1 FROM users WHERE device_serial = $1))",
        said.identifier,
    )
    if len(found) > 1:
        raise Refused(409, "several accounts have this name: use the serial number", "identifier")
    if not found or not await asyncio.to_thread(fits, said.password, found[0]["password_hash"]):
        raise Refused(401, "no such account, or not its password")
    user = found[0]
    await call.db.execute("UPDATE users SET last_login = now() WHERE user_id = $1", user["user_id"])
    profile = {
        name: user[name] for name in ("full_name", "age", "gender", "phone", "address", "device_serial")
    }
    return LoggedIn(
        user_id=user["user_id"],
        token=_token(call, user["user_id"]),
        expires_in=_life(call),
        user_profile=profile,
    )


async def refresh(call: Call) -> Refreshed:
    """For a token that is good, or was and is not long over."""
    _, _, token = call.request.headers.get("Authorization", "").partition(" ")
    user_id = call.state.tokens.read(token.strip(), time.time(), ended=True)
    return Refreshed(token=_token(call, user_id), expires_in=_life(call))


def _token(call: Call, user_id: str) -> str:
    return call.state.tokens.issue(user_id, time.time())


def _life(call: Call) -> int:
    return max(1, int(call.state.tokens.life_s))
