"""The whole forwarder over a real store: everything arrives once, each destination alone, and people can see and steer it."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from benchmarks._backlog import BOOT, Bedside, recorded
from daemon.cli import main as vitald
from daemon.config import BadConfig, load
from daemon.control.clouds import CloudRoutes
from daemon.control.forwarding import ForwardClient, NotAnswering, Unknown
from daemon.forward.destinations import DONE
from daemon.forward.process import Forwarder, box_serial
from daemon.model.outgoing import Lane
from daemon.model.signals import FactState
from daemon.store.outbox import heads
from daemon.store.reader import ask
from tests.daemon.forward.kit import AGAIN, PARKED, REFUSED, Receiver

CONFIG = """
[box]
data = "{folder}/data"
run = "{folder}/run"
serial = "BOX-0001-0042"
[forward]
{forward}
{destinations}
"""


@pytest.fixture
def configured(tmp_path):
    def make(destinations: str, forward: str = ""):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "run").mkdir(exist_ok=True)
        path = tmp_path / "vitald.toml"
        path.write_text(CONFIG.format(folder=tmp_path, destinations=destinations, forward=forward))
        return load(path)

    return make


def to(name, kind="folder", **options):
    more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return f'[forward.destinations.{name}]\nkind = "{kind}"\n{more}\n'


@asynccontextmanager
async def forwarding(config, **more):
    for folder in (config.forward_data, config.forward_socket.parent):
        folder.mkdir(parents=True, exist_ok=True)
    forwarder = Forwarder(config, boot=BOOT, **more)
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, within_s=15.0):
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


def all_done(forwarder, *names):
    def check():
        senders = [forwarder.senders.get(name) for name in names]
        return all(
            s is not None
            and all(s.delivery.lanes.confirmed(lane) >= head for lane, head in forwarder.heads.heads.items())
            for s in senders
        )

    return check


def in_folder(folder):
    """Envelopes of all files."""
    files = sorted(folder.rglob("*.ndjson.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


async def test_all_that_is_stored_arrives_once_and_so_does_what_follows(configured, tmp_path):
    out = tmp_path / "stick"
    out.mkdir()
    config = configured(to("stick", folder=str(out)))
    await recorded(config.box.database, 20)
    async with forwarding(config) as forwarder:
        await until(all_done(forwarder, "stick"))
        bed = Bedside(config.box.database, boot="boot-2", began_ns=10**12)
        await bed.writer.start()
        for _ in range(3):
            await bed.second(alarms=1)
        await bed.writer.stop()
        head = max(ask(config.box.database, heads).values())
        await until(lambda: max(forwarder.heads.heads.values()) == head)
        await until(all_done(forwarder, "stick"))

    got = in_folder(out)
    assert Counter(e["seq"] for e in got) == Counter(range(1, head + 1))
    assert len({e["key"] for e in got}) == len(got)
    assert {e["schema"] for e in got} >= {
        "vitald.ecg.metrics/1",
        "vitald.ecg.waveform/1",
        "vitald.box.alarm/1",
    }


async def test_a_second_start_sends_nothing_again(configured, tmp_path):
    out = tmp_path / "stick"
    out.mkdir()
    config = configured(to("stick", folder=str(out)))
    await recorded(config.box.database, 5)
    for _ in range(2):
        async with forwarding(config) as forwarder:
            await until(all_done(forwarder, "stick"))
            await asyncio.sleep(0.3)

    assert max(Counter(e["seq"] for e in in_folder(out)).values()) == 1


@pytest.fixture
def receivers():
    return {}


@pytest.fixture
def made(receivers):
    def make(name, one):
        return receivers[name]

    return make


async def test_one_that_breaks_begins_anew_alone(configured, receivers, made):
    class Broken(Receiver):
        async def send(self, sealed):
            if len(self.asked) < 2:
                self.asked.append((0.0, sealed, []))
                raise RuntimeError("a bug")
            return await super().send(sealed)

    receivers.update(good=Receiver(), bad=Broken())
    config = configured(to("good") + to("bad"))
    await recorded(config.box.database, 5)
    async with forwarding(config, makes=made) as forwarder:
        await until(all_done(forwarder, "good"))
        await until(lambda: "bad" in forwarder.faults)
        async with ForwardClient(config.forward_socket) as client:
            told = {one.name: one for one in (await client.told()).destinations}
        assert told["bad"].state == "fault"
        assert told["good"].state in {"idle", "sending"}
        await until(all_done(forwarder, "bad"))

    assert Counter(receivers["bad"].seqs) == Counter(receivers["good"].seqs)


async def test_people_see_and_steer_it(configured, receivers, made, capsys, tmp_path):
    mended = False

    def answer(sealed, seqs):
        return REFUSED if 7 in seqs and not mended else DONE

    receivers.update(
        here=Receiver(answer), away=Receiver(lambda sealed, seqs: AGAIN), shut=Receiver(opens=lambda: PARKED)
    )
    config = configured(to("here") + to("away") + to("shut"))
    await recorded(config.box.database, 5)
    async with forwarding(config, makes=made) as forwarder:
        await until(all_done(forwarder, "here"))
        await until(lambda: forwarder.senders["away"].health.failing_since_ms)
        await until(lambda: forwarder.senders["shut"].delivery.standing.parked)
        await until(lambda: forwarder.senders["here"].quarantined)
        async with ForwardClient(config.forward_socket) as client:
            here, away, shut = (await client.told()).destinations
            assert (here.state, here.quarantined, here.oldest_unsent_s) == ("idle", 1, 0.0)
            assert (away.state, away.last_error) == ("waiting", "reset")
            assert (shut.state, shut.reason) == ("parked", PARKED.reason)
            assert away.lanes["metrics"].waiting == 5
            assert away.oldest_unsent_s > 1e6
            assert here.lanes["metrics"].sent_records == 5 - (7 in [r.seq for r in await metrics(forwarder)])

            (refused,) = (await client.quarantine("here")).records
            assert (refused.seq, refused.reply, refused.times) == (7, REFUSED.reason, 1)
            mended = True
            assert (await client.release("here", (7,), "nurse")).records == 1
            await until(lambda: 7 in receivers["here"].seqs)
            await client.act("here", "pause", "nurse")
            assert (await client.told()).destinations[0].reason == "paused by nurse"
            await client.act("here", "resume", "nurse")

            receivers["away"].answer = lambda sealed, seqs: DONE
            receivers["shut"].opens = lambda: DONE
            for name in ("away", "shut"):
                await client.act(name, "retry", "nurse")
            await until(all_done(forwarder, "away", "shut"))
            with pytest.raises(Unknown):
                await client.act("nowhere", "retry", "nurse")
            text = await client.metrics()
        path = str(tmp_path / "vitald.toml")
        assert await asyncio.to_thread(vitald, ["queue", "--config", path]) == 0
        assert await asyncio.to_thread(vitald, ["queue", "--config", path, "pause", "here"]) == 0
        assert await asyncio.to_thread(vitald, ["queue", "--config", path, "--json"]) == 1
        assert await asyncio.to_thread(vitald, ["queue", "--config", path, "pause", "nowhere"]) == 2

    assert 'vitald_forward_state{destination="here",state="idle"} 1.0' in text
    assert 'vitald_forward_records_total{destination="away",lane="metrics"} 5.0' in text
    said = capsys.readouterr().out
    assert said.startswith("destination")
    assert json.loads(said[said.index("{") :])["destinations"][0]["state"] == "paused"


async def metrics(forwarder):
    found = await forwarder.source.find(Lane.METRICS, 1, 1 << 40, 1000, newest=False)
    return found.records


async def test_the_daemon_hears_of_clouds_out_of_reach_and_of_what_all_have(configured, receivers, made):
    receivers.update(here=Receiver(), away=Receiver(lambda sealed, seqs: AGAIN))
    config = configured(to("here") + to("away"))
    await recorded(config.box.database, 5)
    heard = []
    routes = CloudRoutes(heard.append, lambda: 10**15)
    app = web.Application()
    routes.add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(config.box.socket)).start()
    confirmed = []
    async with forwarding(config, makes=made) as forwarder:
        await until(all_done(forwarder, "here"))
        await until(lambda: forwarder.senders["away"].health.failing_since_ms)
        telling = forwarder._telling
        now_ms = forwarder.senders["away"].health.failing_since_ms
        assert telling.clouds(now_ms + 599_000, 10**15).unreachable == ()
        seen = telling.clouds(now_ms + 600_000, 10**15)
        assert (seen.unreachable, seen.since_ns) == (("away",), 10**15 - 600 * 10**9)
        assert "reset" in seen.detail
        confirmed = telling.confirmed()
        assert confirmed["lanes"][str(int(Lane.METRICS))] < forwarder.heads.heads[Lane.METRICS]
        assert confirmed["identity"] == forwarder.heads.store
        telling.clouds = lambda now_ms, now_ns: seen
        telling.confirmed = dict
        for _ in range(2):
            await telling._tell()
        (fact,) = heard
        assert (fact.source, fact.state, fact.since_ns) == ("cloud", FactState.FAILED, seen.since_ns)
    await runner.cleanup()


class Orchestrator:
    """A registry with an entity tag."""

    def __init__(self):
        self.document = {
            "schema": "vitald.registry/1",
            "devices": [{"serial": "ECG-7711-0045", "backend": "ecg"}],
            "prefixes": [],
        }
        self.status, self.asked = 200, []

    async def answer(self, request):
        self.asked.append(dict(request.headers))
        etag = f'"{hash(json.dumps(self.document))}"'
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.json_response(self.document, headers={"ETag": etag})

    @asynccontextmanager
    async def serving(self):
        app = web.Application()
        app.router.add_get("/registry", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/registry"
        finally:
            await runner.cleanup()


async def test_the_registry_says_which_cloud_gets_a_device_also_when_it_is_away(configured, receivers, made):
    receivers.update(ecg=Receiver(), cpap=Receiver(), archive=Receiver())
    orchestrator = Orchestrator()
    async with orchestrator.serving() as url:
        destinations = to("ecg", routed=True) + to("cpap", routed=True) + to("archive")
        config = configured(destinations, f'registry_url = "{url}"')
        await recorded(config.box.database, 5)
        async with forwarding(config, makes=made) as forwarder:
            await until(all_done(forwarder, "ecg", "cpap", "archive"))
            await forwarder.registry.pull()
    every = Counter(receivers["archive"].seqs)
    of_the_box = {r.seq for r in await metrics_of_box(forwarder)}
    assert Counter(receivers["ecg"].seqs) == every
    assert set(receivers["cpap"].seqs) == of_the_box
    assert "If-None-Match" in orchestrator.asked[1]

    for name in receivers:
        receivers[name] = Receiver()
    (config.forward_data / "forward.db").rename(config.forward_data / "kept.db")
    config = configured(destinations.replace("ecg]", "ecg]\nbackend = 'heart'"), f'registry_url = "{url}"')
    async with forwarding(
        config, makes=made
    ) as forwarder:  # never heard of the registry: who is routed waits
        await until(all_done(forwarder, "archive"))
        await asyncio.sleep(0.3)
        assert not receivers["ecg"].asked
        async with ForwardClient(config.forward_socket) as client:
            told = {one.name: one for one in (await client.told()).destinations}
        assert told["ecg"].reason == "waits for the registry of serial numbers"
    for suffix in ("", "-wal", "-shm"):
        (config.forward_data / f"forward.db{suffix}").unlink(missing_ok=True)
    (config.forward_data / "kept.db").rename(config.forward_data / "forward.db")
    async with forwarding(config, makes=made) as forwarder:  # from what was kept
        await until(lambda: "ecg" in forwarder.senders)
        assert forwarder.registry.routes.backends("ECG-7711-0045") == ("ecg",)


async def metrics_of_box(forwarder):
    out = []
    for lane in Lane:
        found = await forwarder.source.find(lane, 1, 1 << 40, 1000, newest=False)
        out += [record for record in found.records if not record.device]
    return out


@pytest.mark.parametrize(
    ("destinations", "key"),
    [
        (to("x", "carrier_pigeon"), "forward.destinations.x.kind"),
        (to("x", "folder"), "forward.destinations.x.folder"),
        (to("x", "folder", folder="/tmp", colour="red"), "forward.destinations.x.colour"),
        (to("x", "folder", folder="/tmp", start="yesterday"), "forward.destinations.x.start"),
        (to("x", "folder", folder="/tmp", lanes=["speed"]), "forward.destinations.x.lanes"),
    ],
)
def test_bad_configuration_names_the_key(configured, tmp_path, capsys, destinations, key):
    with suppress(BadConfig):  # what only the kind knows is found when it is made
        configured(destinations)
    assert vitald(["forward", "--config", str(tmp_path / "vitald.toml")]) == 78
    assert key in capsys.readouterr().err


def test_the_names_of_the_application_before_make_a_destination(configured, monkeypatch):
    monkeypatch.setenv("BACKEND_API_URL", "http://127.0.0.1:3000/api/v1")
    assert not configured("").forward.destinations
    monkeypatch.setenv("BACKEND_UPLOAD_ENABLED", "true")
    monkeypatch.setenv("BACKEND_API_KEY", "secret")
    config = configured("")

    assert config.forward.destinations["backend"].options == {
        "url": "http://127.0.0.1:3000/api/v1",
        "api_key_file": "BACKEND_API_KEY",
    }
    forwarder = Forwarder(config, boot=BOOT)
    made = forwarder._make("backend", config.forward.destinations["backend"])
    assert made.place.secret("BACKEND_API_KEY").get_secret_value() == "secret"
    assert "secret" not in repr(config)


def test_the_box_has_a_serial_number_of_its_own(configured):
    assert box_serial(configured("")) == "BOX-0001-0042"


def test_the_process_starts_without_a_store_and_ends_at_sigterm(configured, tmp_path):
    configured(to("stick", folder=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.cli", "forward", "--config", str(tmp_path / "vitald.toml")],
        stderr=subprocess.PIPE,
        text=True,
    )
    socket = tmp_path / "run-forward" / "forward.sock"
    try:
        until_s = time.monotonic() + 15
        while not socket.exists():
            assert time.monotonic() < until_s
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        said = process.communicate()[1]
    assert "Traceback" not in said


async def test_asking_a_forwarder_that_does_not_run(configured, capsys, tmp_path):
    config = configured("")
    async with ForwardClient(config.forward_socket) as client:
        with pytest.raises(NotAnswering):
            await client.told()
    assert await asyncio.to_thread(vitald, ["queue", "--config", str(tmp_path / "vitald.toml")]) == 1
    assert capsys.readouterr().out.startswith("the forwarder does not answer")


def test_the_process_loads_no_library_of_a_destination_before_it_is_needed():
    code = "import sys; import daemon.forward.process; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not set(loaded) & {
        "boto3",
        "botocore",
        "obstore",
        "asyncssh",
        "aioftp",
        "aiomqtt",
        "paho",
        "scipy",
        "jinja2",
    }
