"""`vitald token create|list|revoke`: what machines show to be let in at the box API (docs/api.md)."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering, NotPermitted
from daemon.control.tokens import MOST_DAYS, TokenAct, TokenClient, TokenTold
from daemon.model.ids import uuid7
from daemon.model.scopes import Scope
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
    create = verbs.add_parser("create", help="make one; it is printed once")
    create.add_argument("name", help="the program that will show it")
    create.add_argument(
        "scopes", nargs="+", metavar="SCOPE", help=", ".join(Scope) + ", or read (all that read)"
    )
    create.add_argument("--days", type=int, default=365, help="how long it is good; 0 = until it is revoked")
    listed = verbs.add_parser("list", help="all tokens, the newest first")
    listed.add_argument("--state", choices=("good", "expired", "revoked"), default="", help="only these")
    revoke = verbs.add_parser("revoke", help="from now on it opens nothing")
    revoke.add_argument("token", help="its id or its name")


def run(options: argparse.Namespace) -> int:
    acts: dict[str, Callable[[TokenClient], Awaitable[int]]] = {
        "create": lambda client: _create(client, options.name, _scopes(options.scopes), _days(options.days)),
        "list": lambda client: _list(client, options.state),
        "revoke": lambda client: _revoke(client, options.token),
    }
    return _talk(config_of(options), acts[options.verb])


def _scopes(given: list[str]) -> tuple[Scope, ...]:
    """The scopes that are named. Raises `BadInput`."""
    found: set[Scope] = set()
    for word in given:
        if word == "read":
            found |= {scope for scope in Scope if scope.startswith("read:")}
        elif word in {str(scope) for scope in Scope}:
            found.add(Scope(word))
        else:
            raise BadInput(f"{word} is no scope: {', '.join(Scope)}, or read")
    return tuple(sorted(found))


def _days(given: int) -> int:
    if not 0 <= given <= MOST_DAYS:
        raise BadInput(f"--days: 0 to {MOST_DAYS}")
    return given


async def _create(client: TokenClient, name: str, scopes: tuple[Scope, ...], days: int) -> int:
    if len(name) > 100:
        raise BadInput("a name has at most 100 characters")
    act = TokenAct(id=uuid7(0), verb="create", name=name, scopes=scopes, days=days)
    made = await client.act(act)
    if not made.acted:
        raise BadInput(made.error)
    print(made.secret)
    return WELL


async def _list(client: TokenClient, state: str) -> int:
    offset, total = 0, 1
    while offset < total:
        page = await client.tokens(state=state, offset=offset, most=200)
        for one in page.tokens:
            print(_line(one))
        offset, total = offset + 200, page.total
    if not total:
        print(say("tokens.none"))
    return WELL


async def _revoke(client: TokenClient, wanted: str) -> int:
    good = (await client.tokens(state="good", most=200)).tokens
    found = [one.id for one in good if wanted in {one.id, one.name}]
    done = await client.act(TokenAct(id=uuid7(0), verb="revoke", token=found[0] if found else wanted[:64]))
    if not done.acted:
        raise BadInput(done.error)
    return WELL


def _line(one: TokenTold) -> str:
    until = _day(one.expires_ms) if one.expires_ms is not None else "-"
    used = _day(one.used_ms) if one.used_ms is not None else "-"
    return f"{one.id}  {one.state:8}  {until:10}  {used:10}  {one.name}  {','.join(one.scopes)}"


def _day(utc_ms: int) -> str:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).date().isoformat()


def _talk(config: Config, act: Callable[[TokenClient], Awaitable[int]]) -> int:
    async def main() -> int:
        async with TokenClient(config.box.socket) as client:
            return await act(client)

    try:
        return asyncio.run(main())
    except NotPermitted as error:
        raise BadInput(str(error)) from None
    except NotAnswering as error:
        print(f"the box does not answer: {error}")
        return NOT_WELL
