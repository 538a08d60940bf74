"""What the hub says of waves that are no ECG, and of a device that has gone to another bed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from daemon.control.known import TRACES_KEPT
from daemon.control.live import LiveHub
from daemon.control.messages import DisplayState
from daemon.control.waves import decode_waves
from daemon.model.findings import DisplayBlock, Metric, Why
from daemon.model.signals import (
    Channel,
    DeviceSeen,
    DeviceStatus,
    LinkState,
    Quantity,
    Reading,
    Segment,
    Stream,
    Tick,
)

DISPLAY = DisplayState(mode="monitor", mains_hz=50, cleaning=False)
FLOW = (
    Channel("flow", Quantity.FLOW, "L/s", 0.002),
    Channel("pressure", Quantity.AIRWAY_PRESSURE, "cmH2O", 0.02),
)


@pytest.fixture
def hub():
    beds = [("1", "Bed 1", DISPLAY), ("2", "Bed 2", DISPLAY)]
    return LiveHub(boot="b", version="1", box="Box", demo=True, beds=beds, utc_ms=lambda: 5)


def waves(device="CPAP-1", segment="s", bed="1"):
    of = Segment(segment, bed, Stream(device, "flow", 25.0, FLOW), "b", 1, 0)
    values = np.zeros((2, 2), np.float32)
    return DisplayBlock(of, 0, 0, 4e7, 0, ("flow", "pressure"), values, (), ("L/min", "cmH2O"))


def traces(hub, bed=0):
    return hub.state().beds[bed].traces


async def test_each_stream_has_an_index_of_its_own_and_keeps_it(hub):
    for bed in ("1", "2"):
        for device in ("CPAP-1", "OXI-1"):
            hub.publish(bed, Tick(0), [waves(device, bed=bed)])
    first = [trace.index for bed in (0, 1) for trace in traces(hub, bed)]
    reader = hub.subscribe()
    while isinstance(await reader.take(), str):
        hub.publish("1", Tick(0), [waves("OXI-1")])
    hub.publish("1", Tick(0), [waves("CPAP-1", segment="after")])

    assert len({0, 1, *first}) == 6
    assert [trace.index for bed in (0, 1) for trace in traces(hub, bed)] == first
    assert [(t.device, t.segment, t.units, t.quantities) for t in traces(hub)] == [
        ("CPAP-1", "after", ("L/min", "cmH2O"), ("flow", "airway_pressure")),
        ("OXI-1", "s", ("L/min", "cmH2O"), ("flow", "airway_pressure")),
    ]
    assert hub.state().beds[0].waves is None


async def test_frames_carry_the_index_of_their_stream(hub):
    reader = hub.subscribe()
    hub.publish("2", Tick(0), [waves("CPAP-1", bed="2")])
    taken = await reader.take()
    while isinstance(taken, str):
        taken = await reader.take()

    assert decode_waves(taken).index == traces(hub, 1)[0].index


def test_streams_of_a_bed_are_bounded(hub):
    for k in range(TRACES_KEPT + 4):
        hub.publish("1", Tick(0), [waves(f"D{k}")])

    assert len(traces(hub)) == TRACES_KEPT


def test_a_device_that_has_moved_leaves_nothing_at_its_old_bed(hub):
    seen = DeviceSeen("1", "cpap", "vlp", "VLP", "CPAP-1", "1", "/dev/x", LinkState.STREAMING, 0, 0)
    hub.publish("1", seen, [waves("CPAP-1")])
    hub.publish("1", Reading("1", "CPAP-1", "cpap_leak", 3.0, "L/min", 0), [])
    hub.publish("1", Reading("1", "OXI-1", "spo2", 97.0, "%", 0), [])
    hub.publish("1", DeviceStatus("1", "CPAP-1", "mode", "CPAP", 0), [])
    hub.publish("1", replace(seen, state=LinkState.MOVED), [])
    bed = hub.state().beds[0]

    assert (bed.devices, bed.traces, bed.statuses, list(bed.metrics)) == ((), (), (), ["spo2"])


def test_breaths_counted_in_the_airway_stand_before_those_guessed_from_the_ecg(hub):
    def rate(value, lead, t_s):
        why = None if value is not None else Why.NO_SIGNAL
        t_ns = t_s * 1_000_000_000
        return Metric(t_ns, t_ns, "respiration_rate", value, "/min", why, lead, 1.0, None)

    def shown():
        state = hub.state().beds[0].metrics["respiration_rate"]
        return state.lead, state.value

    hub.publish("1", Tick(0), [rate(14.0, "ecg", 0)])
    hub.publish("1", Tick(0), [rate(16.0, "flow", 1)])
    hub.publish("1", Tick(0), [rate(13.0, "ecg", 2)])
    assert shown() == ("flow", 16.0)
    hub.publish("1", Tick(0), [rate(13.0, "ecg", 40)])
    assert shown() == ("ecg", 13.0)
    hub.publish("1", Tick(0), [rate(None, "flow", 41)])
    hub.publish("1", Tick(0), [rate(12.0, "ecg", 42)])
    assert shown() == ("ecg", 12.0)
