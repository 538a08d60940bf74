"""The status as Prometheus reads it. Names are a promise: once shipped, they stay."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.control.forwarding import StateWord, Told

STATES: tuple[StateWord, ...] = ("starting", "fault", "paused", "parked", "waiting", "sending", "idle")


def exposition(told: Told) -> tuple[bytes, str]:
    """The text, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Forwarder(told))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Forwarder(Collector):
    def __init__(self, told: Told) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        by, by_lane = ["destination"], ["destination", "lane"]
        state = GaugeMetricFamily(
            "vitald_forward_state", "1 for the state that it is in", labels=["destination", "state"]
        )
        oldest = GaugeMetricFamily(
            "vitald_forward_oldest_unsent_seconds", "Age of the oldest record that waits", labels=by
        )
        rate = GaugeMetricFamily(
            "vitald_forward_bytes_per_second", "Delivered, over the last 30 s", labels=by
        )
        success = GaugeMetricFamily(
            "vitald_forward_last_success_timestamp_seconds", "When something was taken, UTC", labels=by
        )
        quarantined = GaugeMetricFamily(
            "vitald_forward_quarantined_records", "Records that are refused", labels=by
        )
        waiting = GaugeMetricFamily("vitald_forward_waiting_records", "Records that wait", labels=by_lane)
        waiting_bytes = GaugeMetricFamily(
            "vitald_forward_waiting_bytes", "About how many bytes that is", labels=by_lane
        )
        records = CounterMetricFamily("vitald_forward_records", "Records delivered", labels=by_lane)
        sent = CounterMetricFamily("vitald_forward_bytes", "Bytes delivered", labels=by_lane)
        requests = CounterMetricFamily(
            "vitald_forward_requests",
            "Tries by how they ended, since the start",
            labels=["destination", "verdict"],
        )
        for one in self._told.destinations:
            for word in STATES:
                state.add_metric([one.name, word], float(one.state == word))
            oldest.add_metric([one.name], one.oldest_unsent_s)
            rate.add_metric([one.name], one.bytes_per_s)
            success.add_metric([one.name], one.last_success_ms / 1000)
            quarantined.add_metric([one.name], one.quarantined)
            for name, lane in one.lanes.items():
                waiting.add_metric([one.name, name], lane.waiting)
                waiting_bytes.add_metric([one.name, name], lane.waiting_bytes)
                records.add_metric([one.name, name], lane.sent_records)
                sent.add_metric([one.name, name], lane.sent_bytes)
            for verdict, count in one.requests.items():
                requests.add_metric([one.name, verdict], count)
        unreadable = CounterMetricFamily(
            "vitald_forward_unreadable_records", "Samples gone or damaged in the store"
        )
        unreadable.add_metric([], self._told.unreadable)
        yield from (state, oldest, rate, success, quarantined, waiting, waiting_bytes, records, sent)
        yield from (requests, unreadable)
