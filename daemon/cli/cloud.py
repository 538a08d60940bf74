"""`vitald cloud register DESTINATION`: the box's own account at a REST backend, made once by an administrator.

The secret is on the disk before the backend hears of it: a command that was cut off in the middle, or whose answer was lost, is
given again and goes on with the same secret.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config

if TYPE_CHECKING:
    from daemon.forward.destinations import Outcome
    from daemon.forward.destinations.rest import Rest

SECRET_BYTES = 24
"""32 letters and digits of base64: nobody types it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("act", choices=("register",))
    parser.add_argument("destination", help="of kind rest, with `identifier` and `password_file`")
    parser.add_argument("--name", default="", help="full name for the account; else the box's name")
    parser.add_argument("--phone", default="", help="of whoever answers for the box")
    parser.add_argument("--address", default="", help="where the box stands")


def run(options: argparse.Namespace) -> int:
    config = config_of(options)
    secret = _path(config, options.destination)
    if secret.exists():
        raise BadInput(f"{secret} exists: the box has an account there; take the file away to make another")
    fresh = secret.with_name(f"{secret.name}.new")
    details = {"full_name": options.name or config.box.name}
    details |= {key: value for key in ("phone", "address") if (value := getattr(options, key))}
    try:
        password = fresh.read_text(encoding="ascii").strip() if fresh.exists() else _written(fresh)
        outcome, user_id = asyncio.run(_register(_rest(config, options.destination, password), details))
        if not outcome:
            fresh.rename(secret)
            _synced(secret.parent)
    except OSError as error:
        raise BadInput(f"{secret}: {error.strerror}") from None
    if outcome:
        print(f"no account was made: {outcome}")
        return NOT_WELL
    print(f"the box has an account at {options.destination}; its secret is in {secret}")
    if user_id:
        print(f'[forward.destinations.{options.destination}] user_id = "{user_id}"')
    return WELL


def _path(config: Config, name: str) -> Path:
    """The file that the secret belongs in."""
    one = config.forward.destinations.get(name)
    if one is None:
        known = ", ".join(config.forward.destinations) or "none"
        raise BadInput(f"there is no destination {name}; there are: {known}")
    if one.kind != "rest":
        raise BadInput(f"{name} is of kind {one.kind}: only rest has accounts")
    if not one.options.get("identifier") or not one.options.get("password_file"):
        raise BadInput(f"{name} needs identifier and password_file")
    return Path(config.forward.credentials) / str(one.options["password_file"])


def _rest(config: Config, name: str, password: str) -> Rest:
    from daemon.config import BadConfig
    from daemon.forward.destinations.kinds import BadOptions, make
    from daemon.forward.destinations.place import Place
    from daemon.forward.destinations.rest import Rest
    from daemon.forward.process import box_serial

    options = config.forward.destinations[name].options
    place = Place(
        name=name,
        box=box_serial(config),
        credentials=Path(config.forward.credentials),
        state=config.forward_data / name,
        reports=config.box.data / "reports",
        given={str(options["password_file"]): SecretStr(password)},
    )
    try:
        made = make("rest", options, place)
    except BadOptions as error:
        raise BadConfig(f"forward.destinations.{name}.{error}") from None
    assert isinstance(made, Rest)
    return made


async def _register(rest: Rest, details: dict[str, str]) -> tuple[str, str]:
    """Why there is no account, "" where there is; and its user_id, where it was said."""
    from daemon.forward.destinations import Verdict

    try:
        outcome, user_id = await rest.register(details)
        if outcome.verdict is Verdict.DONE:
            return "", user_id
        # An earlier try may have made it: then its secret lets the box in.
        entered: Outcome = await rest.open()
        return ("", "") if entered.verdict is Verdict.DONE else (outcome.reason, "")
    finally:
        await rest.close()


def _written(path: Path) -> str:
    """A new secret, on the disk for its folder's owner alone."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(0o600, exist_ok=False)
    with path.open("w", encoding="ascii") as file:
        file.write(f"{secret}\n")
        folder = path.parent.stat()
        with suppress(PermissionError):  # who is not root keeps it as its own
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.flush()
        os.fsync(file.fileno())
    _synced(path.parent)
    return secret


def _synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
