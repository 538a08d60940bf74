"""`GET /metrics` for Prometheus, where the configuration switches it on: how the box, its devices and its clouds are doing.

No patient and no measurement is in it. What does not answer is said so (`vitald_up` 0), and the rest is told all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from daemon.control import client, forwarding
from daemon.control.client import ControlClient
from daemon.control.forwarding import ForwardClient
from daemon.control.messages import State
from webui.pages import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

MEDIA = "text/plain; version=0.0.4; charset=utf-8"

_FORWARDER = web.AppKey("metrics forwarder", ForwardClient)


def install(app: web.Application, daemon: ControlClient) -> None:
    """Add the route, if it is switched on."""
    if app[CONFIG].web.metrics:
        app.cleanup_ctx.append(_client)
        app.router.add_get("/metrics", _metrics(daemon))


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with ForwardClient(app[CONFIG].forward_socket) as one:
        app[_FORWARDER] = one
        yield


def _metrics(daemon: ControlClient) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            state: State | None = await daemon.status()
        except client.NotAnswering:
            state = None
        clouds: str | None = None
        if request.app[CONFIG].forward.enabled:
            try:
                clouds = await request.app[_FORWARDER].metrics()
            except forwarding.NotAnswering:
                clouds = None
        text = exposition(state, forwards=clouds is not None) + (clouds or "")
        return web.Response(body=text.encode(), headers={"Content-Type": MEDIA})

    return answer


def exposition(state: State | None, *, forwards: bool) -> str:
    """What the daemon says, as Prometheus reads it; None: it does not answer. Names are a promise: once shipped, they stay."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    class Box:
        def collect(self) -> Iterable[Metric]:
            return _families(state, forwards=forwards)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Box())
    return generate_latest(registry).decode()


def _families(state: State | None, *, forwards: bool) -> list[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    up = GaugeMetricFamily("vitald_up", "Whether a process of the box answers", labels=["process"])
    up.add_metric(["daemon"], float(state is not None))
    up.add_metric(["forward"], float(forwards))
    of = ["bed", "label"]
    fact = GaugeMetricFamily(
        "vitald_trouble", "1 for each trouble that the box has", labels=["source", "bed"]
    )
    streams = GaugeMetricFamily("vitald_device_streaming", "Whether a device's data come", labels=of)
    taken = CounterMetricFamily("vitald_device_bytes", "Bytes that came from a device", labels=of)
    damaged = CounterMetricFamily(
        "vitald_device_damaged_bytes", "Bytes that were none of its frames", labels=of
    )
    lost = CounterMetricFamily("vitald_device_lost_samples", "Samples that never came", labels=of)
    for seen in state.facts if state else ():
        fact.add_metric([seen.source, seen.bed], 1.0)
    for bed in state.beds if state else ():
        for device in bed.devices:
            place = [bed.bed, device.label]
            streams.add_metric(place, float(device.state == "streaming"))
            taken.add_metric(place, device.bytes_in)
            damaged.add_metric(place, device.bytes_damaged)
            lost.add_metric(place, device.samples_lost)
    return [up, fact, streams, taken, damaged, lost]
