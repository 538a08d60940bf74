"""The client of the control socket: never gives up, says silence as silence."""

from __future__ import annotations

import pytest

from daemon.control.client import ControlClient, NotAnswering, Said, Silence, WaveFrame
from daemon.control.messages import Act, State
from daemon.control.waves import decode_waves

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _next(events, kind):
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError


async def test_states_and_waves_come_as_they_were_sent(feeder) -> None:
    async with ControlClient(feeder.socket) as client:
        events = client.live()
        said = await _next(events, Said)
        frame = await _next(events, WaveFrame)
        await events.aclose()

    assert isinstance(said.message, State)
    assert State.model_validate_json(said.text) == said.message
    assert decode_waves(frame.frame).values.shape[0] == 12


async def test_a_daemon_that_is_not_there_is_silence_until_it_comes(feeder) -> None:
    await feeder.stop()
    async with ControlClient(feeder.socket) as client:
        events = client.live()
        assert isinstance(await anext(events), Silence)
        await feeder.start()
        assert isinstance(await _next(events, Said), Said)
        await events.aclose()


@pytest.mark.slow
async def test_a_daemon_that_hangs_is_silence_once_and_goes_on_when_it_wakes(feeder) -> None:
    async with ControlClient(feeder.socket) as client:
        events = client.live()
        await _next(events, Said)
        feeder.talking = False
        await _next(events, Silence)
        feeder.talking = True
        assert isinstance(await anext(events), (Said, WaveFrame))
        await events.aclose()


async def test_status_and_acts(feeder) -> None:
    act = Act(id="act-0002", bed="1", verb="display", values={"mains_hz": "60"})
    async with ControlClient(feeder.socket) as client:
        assert (await client.status()).box == "test box"
        assert (await client.act(act)).acted
        feeder.refuse = "no"
        assert (await client.act(act)).error == "no"
        await feeder.stop()
        with pytest.raises(NotAnswering):
            await client.status()
        with pytest.raises(NotAnswering):
            await client.act(act)
    await feeder.start()
