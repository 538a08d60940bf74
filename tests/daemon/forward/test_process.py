"""The whole forwarder over a real store: everything arrives once, each destination alone, and people can see and steer it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from aiohttp import web

from benchmarks._backlog import Bedside, recorded
from daemon.cli import main as vitald
from daemon.control.clouds import CloudRoutes
from daemon.control.forwarding import ForwardClient, Unknown
from daemon.forward.destinations import DONE
from daemon.model.outgoing import Lane
from daemon.model.signals import FactState
from daemon.store.outbox import heads
from daemon.store.reader import ask
from tests.daemon.forward.kit import AGAIN, PARKED, REFUSED, Receiver
from tests.daemon.forward.running import all_done, forwarding, in_folder, to, until


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
