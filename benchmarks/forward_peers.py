"""Our store beside two open ways to keep what a broken network does not take: what do ten kills cost each of them?

ThingsBoard Gateway's SQLite storage, and a mosquitto whose bridge has no network, both with the settings they are shipped with (mosquitto:
and persistence, which is off there). Killed at a random moment under load; what was acknowledged and is not there afterwards is lost.
The gateway lives in an environment of its own (`.venv-gateway`, from forward_peers.txt), which `./dev bench forward_peers` makes.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random

from benchmarks import Row
from benchmarks.forward_kills import killed

ROOT = Path(__file__).parents[1]
GATEWAY = ROOT / ".venv-gateway/bin/python"
KILLS, SEED = 10, 7
QUIET_S = 2.0


def rows() -> Iterable[Row]:
    logging.getLogger("asyncio").setLevel(
        logging.CRITICAL
    )  # a client whose broker is killed says so in many ways
    ours = killed(KILLS, early=False)
    note = f"{KILLS} kills, {ours.acknowledged} acknowledged"
    yield Row(
        "killed: vitald's store, acknowledged and lost", ours.missing, "rows", "0", ours.missing == 0, note
    )
    if GATEWAY.exists():
        said, lost, runs = _gateway()
        note = f"{KILLS} kills, {said} acknowledged; lost in {runs} of them"
        yield Row("killed: ThingsBoard Gateway's SQLite storage", lost, "records", note=note)
    else:
        print("forward_peers: no .venv-gateway: the gateway was not driven", file=sys.stderr)
    if (broker := shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")) is None:
        print("forward_peers: no mosquitto: the bridge was not driven", file=sys.stderr)
        return
    said, lost, runs = asyncio.run(_bridge(broker))
    note = f"{KILLS} kills, {said} acknowledged (QoS 1); lost in {runs} of them"
    yield Row("killed: mosquitto with a bridge, persistence on", lost, "messages", note=note)


def _gateway() -> tuple[int, int, int]:
    """Acknowledged, lost, and in how many runs."""
    chance, said, lost, runs = Random(SEED), 0, 0, 0
    script = Path(__file__).with_name("_gateway.py")
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            marks = Path(folder) / "marks"
            process = subprocess.Popen([GATEWAY, script, "write", folder], stderr=subprocess.DEVNULL)
            while not marks.exists() or not marks.read_bytes():
                if process.poll() is not None:
                    raise RuntimeError("the gateway's storage did not start")
                time.sleep(0.01)
            time.sleep(chance.uniform(0.5, 2.0))
            process.kill()
            process.wait()
            acknowledged = set(marks.read_text(encoding="ascii").split("\n")[:-1])
            read = subprocess.run(
                [GATEWAY, script, "read", folder], capture_output=True, text=True, check=True, timeout=120
            )
            missing = acknowledged - set(read.stdout.split())
            said, lost, runs = said + len(acknowledged), lost + len(missing), runs + bool(missing)
    return said, lost, runs


async def _bridge(broker: str) -> tuple[int, int, int]:
    """The same of a broker whose bridge finds nobody while it is filled; the cloud's broker comes after the kill."""
    chance, said, lost, runs = Random(SEED), 0, 0, 0
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            acknowledged, arrived = await _one_bridge(broker, Path(folder), chance.uniform(0.2, 0.8))
        said, lost, runs = (
            said + len(acknowledged),
            lost + len(acknowledged - arrived),
            runs + bool(acknowledged - arrived),
        )
    return said, lost, runs


async def _one_bridge(broker: str, folder: Path, after_s: float) -> tuple[set[int], set[int]]:
    here, cloud = _free_port(), _free_port()
    (folder / "kept").mkdir()
    folder.chmod(0o777)
    (folder / "kept").chmod(0o777)
    (folder / "bed.conf").write_text(
        f"listener {here} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/kept/\n"
        f"connection cloud\naddress 127.0.0.1:{cloud}\ntopic # out 1\ncleansession false\nrestart_timeout 1\n"
    )
    (folder / "cloud.conf").write_text(f"listener {cloud} 127.0.0.1\nallow_anonymous true\n")
    bed = await _started(broker, folder / "bed.conf", here)
    acknowledged: set[int] = set()
    publishing = asyncio.create_task(_publish(here, acknowledged))
    await asyncio.sleep(after_s)
    bed.kill()
    bed.wait()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    receiver = await _started(broker, folder / "cloud.conf", cloud)
    arrived: set[int] = set()
    hearing = asyncio.create_task(_hear(cloud, arrived))
    await asyncio.sleep(0.5)
    bed = await _started(broker, folder / "bed.conf", here)
    before = -1
    while len(arrived) > before or before < 0:
        before = len(arrived)
        await asyncio.sleep(QUIET_S)
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    for process in (bed, receiver):
        process.kill()
        process.wait()
    return acknowledged, arrived


async def _publish(port: int, acknowledged: set[int]) -> None:
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", port) as client:
        n = 0
        while True:
            await client.publish("v1/ecg/ECG-1/metrics", str(n), qos=1, timeout=5)
            acknowledged.add(n)
            n += 1


async def _hear(port: int, arrived: set[int]) -> None:
    import aiomqtt

    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("#", qos=1)
        async for message in client.messages:
            if str(message.topic).startswith("v1/"):  # not the bridge's own state
                arrived.add(int(str(message.payload, "ascii")))


async def _started(broker: str, config: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([broker, "-c", str(config)], stderr=subprocess.DEVNULL)
    async with asyncio.timeout(10):
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
