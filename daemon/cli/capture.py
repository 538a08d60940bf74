"""`vitald capture PORT --seconds N -o FILE`: the raw bytes of a port with the times at which they arrived.

Where the daemon holds the port it is asked for what it hears: the port is never opened twice. Refused while a patient is admitted at
that bed, unless forced.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from daemon.cli import NOT_WELL, WELL, BadInput
from daemon.cli.configured import add_config, config_of
from daemon.config import Config
from daemon.control.client import NotAnswering
from daemon.control.technician import Refused, TechnicianClient
from daemon.words import say


def arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("port", help="path of the port, as `vitald devices` shows it")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--baud", type=int, default=115200, help="speed of a port that the daemon does not hold"
    )
    parser.add_argument("--force", action="store_true", help="also while a patient is admitted at that bed")


def run(options: argparse.Namespace) -> int:
    if not 0 < options.seconds <= 3600:
        raise BadInput("--seconds: from a part of a second to an hour")
    config = config_of(options)
    count: int | None
    try:
        count = asyncio.run(_from_daemon(options, config))
    except OSError as error:
        raise BadInput(f"{options.output}: {error.strerror}") from None
    except Refused as error:
        if error.held:
            print(say("technician.capture_refused", why=str(error)))
            return NOT_WELL
        count = _by_ourselves(options)
    except NotAnswering as error:
        print(say("technician.daemon_silent", why=str(error)))
        count = _by_ourselves(options)
    if count is None:
        return NOT_WELL
    print(say("technician.captured", count=str(count), file=str(options.output)))
    return WELL


async def _from_daemon(options: argparse.Namespace, config: Config) -> int:
    async with TechnicianClient(config.box.socket) as client:
        pieces = client.tap(options.port, options.seconds, force=options.force)
        first = await anext(pieces)  # refusals come before anything is written
        with _private(options.output) as file:
            file.write(first)
            count = 0
            async for piece in pieces:
                count += file.write(piece)
    return count


def _by_ourselves(options: argparse.Namespace) -> int | None:
    from daemon.appliance.capture import arrival, head
    from daemon.appliance.listening import CannotOpen, Nobody, listen
    from firmware_bridge.frames import PortSettings

    settings = PortSettings(options.baud, "N", dtr=None, rts=None)
    about: dict[str, str | int] = {
        "port": options.port,
        "kind": "",
        "baud": options.baud,
        "began_utc": datetime.now(UTC).isoformat(),
    }
    count = 0
    try:
        arrivals = listen(options.port, options.seconds, settings)
        with _private(options.output) as file:
            file.write(head(about))
            for t_ns, data in arrivals:
                count += file.write(arrival(t_ns, data))
    except CannotOpen as error:
        options.output.unlink(missing_ok=True)
        raise BadInput(str(error)) from None
    except Nobody as error:
        print(say("technician.port_gone", why=str(error)))
        return None
    except OSError as error:
        raise BadInput(f"{options.output}: {error.strerror}") from None
    return count


def _private(path: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a file opened for writing
    """What a patient's body says is for whoever captures it alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
