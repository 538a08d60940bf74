"""`./dev demo --with-cloud`: the demo, and a reference cloud that its forwarder is told of by the seeds' own variables.

All other options are those of `vitald demo`. The cloud's database is gone afterwards.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys

from tests.cloud.app import serving
from tests.cloud.postgres import NoPostgres, private


async def run(dsn: str, options: list[str]) -> int:
    """Until the demo ends, by itself or by SIGTERM or Ctrl-C; its exit code."""
    key = secrets.token_hex(16)
    async with serving(dsn, api_keys={key: "demo"}) as cloud:
        print(f"cloud: {cloud.url}/", flush=True)
        backend = {"BACKEND_UPLOAD_ENABLED": "true", "BACKEND_API_URL": cloud.base, "BACKEND_API_KEY": key}
        # A session of its own: Ctrl-C reaches this process, which ends the other in order.
        demo = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "daemon.cli",
            "demo",
            *(() if "--as" in options else ("--as", "vlp_ecg")),
            *options,
            env={**os.environ, **backend},
            start_new_session=True,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, demo.terminate)
        return await demo.wait()


def main() -> int:
    options = [option for option in sys.argv[1:] if option != "--with-cloud"]
    try:
        with private() as dsn:
            return asyncio.run(run(dsn, options))
    except NoPostgres as error:
        print(f"demo: no cloud: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
