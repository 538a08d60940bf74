"""`python -m tests.cloud`: the reference cloud by itself."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from tests.cloud.app import serving
from tests.cloud.broker import Address, listening
from tests.cloud.postgres import Cluster, NoPostgres, private


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cloud", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=3000, help="port (default 3000; 0 = any free one)")
    database = parser.add_mutually_exclusive_group()
    database.add_argument("--postgres", metavar="DSN", help="a database of yours")
    database.add_argument(
        "--folder",
        type=Path,
        help="a PostgreSQL of its own, kept there (default: one that is gone afterwards)",
    )
    parser.add_argument(
        "--api-key", action="append", default=[], help="a key taken as X-API-Key; may be repeated"
    )
    parser.add_argument("--mqtt", metavar="HOST:PORT", help="take part at this broker")
    return parser.parse_args()


async def run(options: argparse.Namespace, dsn: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keys = {key: f"api-key-{number}" for number, key in enumerate(options.api_key)}
    async with contextlib.AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(
            serving(dsn, host=options.host, port=options.port, api_keys=keys)
        )
        if options.mqtt:
            host, _, port = options.mqtt.rpartition(":")
            await stack.enter_async_context(listening(cloud.state, Address(host, int(port))))
        print(f"reference cloud: {cloud.url}/  REST: {cloud.base}  database: {dsn}", flush=True)
        await stop.wait()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    options = arguments()
    try:
        if options.postgres:
            asyncio.run(run(options, options.postgres))
        elif options.folder:
            cluster = Cluster(options.folder)
            cluster.start()
            try:
                asyncio.run(run(options, cluster.dsn))
            finally:
                cluster.stop()
        else:
            with private() as dsn:
                asyncio.run(run(options, dsn))
    except NoPostgres as error:
        print(f"reference cloud: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
