"""Bar (g), and what an hour of 12-lead ECG weighs on the wire: ours beside the seeds' plain JSON, at 80 Hz and at full rate.

Real ECG (PTB s0010_re at 500 Hz, in steps of a microvolt, eight leads of which the other four follow), sent as at a bed: samples every 5 s,
numbers every second, over one kept HTTPS connection through a proxy that counts every byte both ways, TLS records and headers with
them. TCP's and IP's own headers (some 3 %) are in none of the figures. The seeds' form has no keys, no times of its samples and no
units beside it; ours has. A backlog goes in larger requests: the same records, as many as a request takes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from benchmarks import Row
from benchmarks._backlog import metrics
from daemon.contracts.envelope import compact
from daemon.contracts.seeds import Sender, rest
from daemon.forward.destinations import Verdict
from daemon.forward.destinations.kinds import make
from daemon.forward.destinations.place import Place
from daemon.forward.destinations.rest import Rest
from daemon.forward.destinations.sealing import envelope
from daemon.forward.record import Record, Samples
from daemon.model.ids import uuid7
from daemon.model.outgoing import Lane
from daemon.model.signals import Channel, Counts, Quantity
from daemon.store.codec import CODEC, checksum, encode
from tests.daemon.forward.destinations.certificates import Authority
from tests.daemon.forward.faults_proxy import FaultsProxy

RATE, SEEDS_RATE, SECONDS, COLLECT_S = 500, 80, 35, 5
LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
SERIAL, SESSION = "ECG-7711-0045", "session_20260101_000000"
UTC_NS = 1_767_225_600 * 10**9
HOUR_S = 3600

Send = Callable[[], Awaitable[None]]


@dataclass
class Wire:
    """A destination over TLS, and the proxy that counts."""

    rest: Rest
    proxy: FaultsProxy

    async def bytes_of(self, send: Send) -> int:
        """Both ways; the connection is there before."""
        await send()
        before = self.proxy.up_bytes + self.proxy.down_bytes
        await send()
        await asyncio.sleep(0.1)
        return self.proxy.up_bytes + self.proxy.down_bytes - before


def rows() -> Iterable[Row]:
    data = os.environ.get("VITALD_DATA")
    if not data:
        print("forward_wire: VITALD_DATA is not set: nothing was measured", file=sys.stderr)
        return
    logging.getLogger("daemon.forward").setLevel(logging.ERROR)
    yield from asyncio.run(measured(recording(Path(data) / "ptbdb" / "s0010_re")))


def recording(header: Path) -> Counts:
    """Eight leads at 500 Hz in microvolts: int32 (8, n)."""
    import wfdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb's own use of pandas
        record = wfdb.rdrecord(str(header))
    names = [name.lower() for name in record.sig_name]
    signal = record.p_signal[:, [names.index(name.lower()) for name in LEADS]].T
    halved = (signal[:, : signal.shape[1] // 2 * 2 : 2] + signal[:, 1::2]) / 2
    return np.ascontiguousarray(np.round(1000 * halved[:, : SECONDS * RATE])).astype(np.int32)


async def measured(counts: Counts) -> Iterable[Row]:
    waves = chunks(counts, 0.001)
    coarse = chunks(np.round(counts / 5).astype(np.int32), 0.005)
    numbers = [_record(n, Lane.METRICS, "ecg.metrics/1", metrics(n)) for n in range(SECONDS)]
    hour = {}
    async with wired(form="plan", extensions=True) as wire:
        for rate in (SEEDS_RATE, RATE):
            hour[f"the seeds' JSON, 12 leads, {rate} Hz"] = await wire.bytes_of(
                _seeds(wire, counts, rate, TWELVE)
            )
        hour["8 leads"] = await wire.bytes_of(_seeds(wire, counts, RATE, LEADS))
        hour["the seeds' JSON, numbers"] = await wire.bytes_of(_seeds_numbers(wire, numbers))
        hour["vitald, form plan (mV, our envelope beside)"] = await wire.bytes_of(
            _ours(wire, waves, COLLECT_S)
        )
    async with wired(form="plan", coded=True) as wire:
        hour["vitald, form plan, coded"] = await wire.bytes_of(_ours(wire, waves, COLLECT_S))
    async with wired(form="records") as wire:
        hour["vitald, form records"] = await wire.bytes_of(_ours(wire, waves, COLLECT_S))
        hour["vitald, form records, from a backlog"] = await wire.bytes_of(_ours(wire, waves, SECONDS))
        hour["in steps of 5 uV"] = await wire.bytes_of(_ours(wire, coarse, COLLECT_S))
        hour["vitald, numbers, live"] = await wire.bytes_of(_ours(wire, numbers, 1))
        many = [_record(n, Lane.METRICS, "ecg.metrics/1", metrics(n)) for n in range(500)]
        hour["numbers of a backlog"] = round(await wire.bytes_of(_ours(wire, many, 500)) * SECONDS / 500)
    return _table(hour, counts.size)


def _table(hour: dict[str, int], samples: int) -> Iterable[Row]:
    """Megabytes an hour, and the two ratios of the bar."""
    plain = hour[f"the seeds' JSON, 12 leads, {RATE} Hz"]
    for name, size in hour.items():
        if name.startswith(("the seeds' JSON, 12", "vitald, form")):
            note = f"{plain / size:.3g} x less than the seeds' at {RATE} Hz"
            yield Row(f"an hour of ECG: {name}", size * HOUR_S / SECONDS / 1e6, "MB", note=note)
    for name in ("the seeds' JSON, numbers", "vitald, numbers, live", "numbers of a backlog"):
        yield Row(f"an hour of numbers: {name}", hour[name] * HOUR_S / SECONDS / 1e6, "MB")
    ours = hour["vitald, form records"]
    waveform, numbers = (
        hour["8 leads"] / ours,
        hour["the seeds' JSON, numbers"] / hour["numbers of a backlog"],
    )
    note = f"{hour['8 leads'] / samples:.3g} and {ours / samples:.3g} B a sample"
    yield Row("(g) same 8 leads: seeds' JSON against ours, live", waveform, "x", ">= 8", waveform >= 8, note)
    backlog = hour["8 leads"] / hour["vitald, form records, from a backlog"]
    yield Row("(g) the same from a backlog", backlog, "x", ">= 8", backlog >= 8)
    coarse = hour["8 leads"] / hour["in steps of 5 uV"]
    yield Row("(g) the same live, in the box in steps of 5 uV", coarse, "x", note="as MIT-BIH has them")
    yield Row("(g) numbers: seeds' JSON against ours, backlog", numbers, "x", ">= 5", numbers >= 5)


def chunks(counts: Counts, gain: float) -> list[Record]:
    """The stored chunks, a second each; `gain` makes millivolts of the counts."""
    channels = tuple(Channel(name, Quantity.ECG, "mV", gain) for name in LEADS)
    made = []
    for n in range(counts.shape[1] // RATE):
        part = np.ascontiguousarray(counts[:, n * RATE : (n + 1) * RATE])
        samples = Samples(
            "019b7a2e-0000-7000-8000-000000000001", "ecg", n * RATE, float(RATE), 2e6, channels, part, CODEC, checksum(part), encode(part)
        )  # fmt: skip
        made.append(_record(n, Lane.WAVEFORM, "ecg.waveform/1", {}, samples))
    return made


def _record(n: int, lane: Lane, message: str, body: dict[str, Any], samples: Samples | None = None) -> Record:
    t_ns = n * 10**9
    key = uuid7(UTC_NS + t_ns)
    return Record(
        n + 1, key, lane, message, SERIAL, SESSION, "boot", t_ns, UTC_NS + t_ns, True, body, samples
    )


def _ours(wire: Wire, records: Sequence[Record], at_once: int) -> Send:
    """Requests of so many records, sealed as the forwarder seals them."""
    parts = [records[at : at + at_once] for at in range(0, len(records), at_once)]
    requests = [wire.rest.seal(uuid7(UTC_NS), part) for part in parts]

    async def send() -> None:
        for sealed in requests:
            outcome = await wire.rest.send(sealed)
            if outcome.verdict is not Verdict.DONE:
                raise RuntimeError(outcome.reason)

    return send


def _seeds(wire: Wire, counts: Counts, rate: int, leads: Sequence[str]) -> Send:
    """The REST plan's waveform requests as the seeds' client makes them: millivolts to three places, without spaces."""
    bodies = []
    for n in range(SECONDS // COLLECT_S):
        part = _twelve(counts[:, n * COLLECT_S * RATE : (n + 1) * COLLECT_S * RATE])
        at = (np.arange(COLLECT_S * rate) * RATE) // rate
        values = {name: [round(v / 1000, 3) for v in part[name][at].tolist()] for name in leads}
        bodies.append(
            {
                "timestamp": f"2026-01-01T00:00:{n * COLLECT_S:02d}.000Z",
                "sampling_rate": rate,
                "leads": values,
            }
        )
    return _posted(wire, f"/sessions/{SESSION}/waveform", bodies)


def _seeds_numbers(wire: Wire, numbers: Sequence[Record]) -> Send:
    """The plan's metrics requests, one a second."""
    requests = [
        rest.request(envelope(uuid7(UTC_NS), one, named=False), Sender("user", SERIAL), beside=False)
        for one in numbers
    ]
    return _posted(wire, requests[0].path, [request.body for request in requests])


def _posted(wire: Wire, path: str, bodies: Sequence[dict[str, Any]]) -> Send:
    async def send() -> None:
        headers = {"Content-Type": "application/json", **await _signed(wire)}
        for body in bodies:
            reply = await wire.rest._web.ask(
                wire.rest._base + path, compact(body), headers, 10.0, wire.rest._trust
            )
            if reply.status != 200:
                raise RuntimeError(reply.status)

    return send


async def _signed(wire: Wire) -> dict[str, str]:
    assert wire.rest._account is not None
    return await wire.rest._account.headers()


def _twelve(counts: Counts) -> dict[str, Counts]:
    """Einthoven and Goldberger: the four that follow from I and II."""
    of = dict(zip(LEADS, counts, strict=True))
    one, two = of["I"], of["II"]
    return {**of, "III": two - one, "aVR": -(one + two) // 2, "aVL": one - two // 2, "aVF": two - one // 2}


@asynccontextmanager
async def wired(**options: Any) -> AsyncIterator[Wire]:
    """A server that takes everything, by TLS, and a destination that has signed in to it."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response(
            {"status": "success", "metrics_id": "metric_12345", "token": "x" * 200, "expires_in": 3600}
        )

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", take)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        authority = Authority(folder, "authority")
        pair = authority.pair("server", hosts=("localhost", "127.0.0.1"))
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(pair.certificate, pair.key)
        (folder / "password").write_text("secret")
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust).start()
            async with FaultsProxy("127.0.0.1", runner.addresses[0][1]) as proxy:
                account = {"identifier": SERIAL, "password_file": "password", "ca_file": str(authority.file)}
                url = f"https://localhost:{proxy.port}/api/v1"
                place = Place("cloud", "BOX-0001-0042", folder, folder / "state", folder)
                one = make("rest", {"url": url, **account, **options}, place)
                assert isinstance(one, Rest)
                if (outcome := await one.open()).verdict is not Verdict.DONE:
                    raise RuntimeError(outcome.reason)
                one._sessions.keep(SESSION, SESSION)
                try:
                    yield Wire(one, proxy)
                finally:
                    await one.close()
        finally:
            await runner.cleanup()
