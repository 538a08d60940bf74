"""Every technical alarm of the box that issue and table name, from its cause to the alarm list of the running daemon.

One box has all its troubles at once: its disk fills up, its clock was never set, the cable falls off, the last page goes, no
cloud answers for a day, and the forwarder that people rely on for alarms elsewhere does not run.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import aiohttp
import pytest

from benchmarks._box import Box, boottime_ns
from daemon.control.client import ControlClient, Said
from daemon.control.clouds import CloudsSeen
from daemon.control.messages import AlarmsSeen, ScreensSeen, ScreenState

pytestmark = pytest.mark.slow

S = 1_000_000_000
ONE = ScreensSeen(screens=(ScreenState(bed="1", visible=True, draws=True, sound="on"),))
RELIED = '[forward.destinations.ward]\nkind = "folder"\nfolder = "/nowhere"\nrelied_on = true\n'
NEVER_SET = (
    "import daemon.wallclock as clock; clock.EARLIEST_NS = 1 << 62; from daemon.cli import main; main()"
)
"""As on a box that woke in a year before this program was written."""


class Troubled(Box):
    def start_daemon(self) -> None:
        with (self.folder / "daemon.log").open("a", encoding="utf-8") as log:
            command = [sys.executable, "-c", NEVER_SET, "run", "--config", str(self.config)]
            self.processes["daemon"] = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True
            )


@pytest.fixture
def box(tmp_path, small_disk):
    """One whose data are on a file system of 48 MB."""
    small_disk(tmp_path, 48, "data")
    box = Troubled(tmp_path)
    text = box.config.read_text(encoding="utf-8").replace(
        "ballast_mb = 4", "ballast_mb = 4\nkeep_free_mb = 8"
    )
    box.config.write_text(text + RELIED, encoding="utf-8")
    try:
        box.start_simulators()
        box.start_daemon()
        yield box
    finally:
        box.__exit__()


async def rows(client: ControlClient):
    """Rows that are on the list of bed 1, whenever it changes; the picture's own word for what is not armed."""
    async for event in client.live():
        if isinstance(event, Said) and isinstance(event.message, AlarmsSeen):
            picture = event.message.picture
            yield {alarm.row for alarm in picture.alarms}, set(picture.unarmed)


async def until(client: ControlClient, expected: set[str], within_s: float) -> None:
    there: set[str] = set()
    try:
        async with asyncio.timeout(within_s):
            async for there, unarmed in rows(client):  # noqa: B007 - for the message
                if expected <= there and "no_heart_rate" not in unarmed:
                    return
    except TimeoutError:
        raise AssertionError(f"missing: {expected - there}") from None


async def test_each_trouble_of_the_box_is_an_alarm(box):
    async with ControlClient(box.folder / "run" / "control.sock") as client:
        await until(client, {"clock_unset"}, 40)  # and the heart is seen
        await client.screens(ONE)
        day = CloudsSeen(unreachable=("archive",), since_ns=boottime_ns() - 25 * 3600 * S)
        connector = aiohttp.UnixConnector(path=str(box.folder / "run" / "control.sock"))
        async with (
            aiohttp.ClientSession("http://vitald", connector=connector) as session,
            session.post("/clouds", json=day.model_dump()) as reply,
        ):
            assert reply.status == 204
        greedy = box.folder / "data" / "greedy"
        with greedy.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue
        box.stop("simulators")
        expected = {"clock_unset", "cloud_unreachable", "no_data_ecg", "screen_lost", "remote_lost"}
        await until(client, expected | {"recording_stopped"}, 60)
        await until(client, {"disk_full", "disk_low"}, 90)
