"""What a box that has just started is judged by: this version of the software, not the ward."""

from pathlib import Path

import pytest

from daemon.appliance import health
from daemon.config import Config
from daemon.control.attached import DeviceState
from daemon.control.messages import BedState, FactSeen, State
from daemon.control.technician import HealthTold


def device(bytes_in: int, state: str = "streaming") -> DeviceState:
    return DeviceState(
        label="ecg", kind="dm_ecg", title="", device="", firmware="", port="/dev/ttyUSB0", state=state, since_ns=0,
        rate_hz=500.0, drift_ppm=None, bytes_in=bytes_in, bytes_damaged=0, samples_lost=0,
    )  # fmt: skip


def state(*devices: DeviceState, facts: tuple[FactSeen, ...] = ()) -> State:
    bed = BedState.model_construct(bed="1", devices=devices)
    return State.model_construct(beds=(bed,), facts=facts)


def told(tick_age_s: float | None = 0.1) -> HealthTold:
    return HealthTold(version="1", pid=1, up_s=9.0, tick_age_s=tick_age_s, waiting=0, overflowed=0)


def test_a_box_whose_bytes_come_is_well() -> None:
    assert list(health.judged(state(device(10)), state(device(20)), told())) == []


def test_a_device_that_is_unplugged_is_no_fault_of_the_software() -> None:
    gone = device(10, "lost")

    assert list(health.judged(state(gone), state(gone), told())) == []
    assert list(health.judged(state(), state(), told())) == []


def test_a_device_that_streams_and_brings_nothing_is() -> None:
    found = list(health.judged(state(device(10)), state(device(10)), told()))

    assert found == ["bed 1: ecg streams, and nothing comes of it"]


@pytest.mark.parametrize("age_s", [None, 5.0])
def test_without_a_tick_nothing_is_watched_over(age_s: float | None) -> None:
    assert len(list(health.judged(state(), state(), told(age_s)))) == 1


def test_a_store_that_fails_is_not_well() -> None:
    failing = FactSeen.model_construct(source="store", state="failed")

    assert list(health.judged(state(), state(facts=(failing,)), told())) == ["the store fails"]


async def test_a_box_where_nothing_runs_says_all_of_it(tmp_path: Path) -> None:
    config = Config(box={"data": tmp_path / "data", "run": tmp_path / "run"}, web={"port": 1})  # type: ignore[arg-type]

    found = await health.until_well(config, 0.0)

    assert [line.split(":")[0] for line in found] == [
        "the daemon does not answer",
        "the store cannot be read",
        "the pages do not answer",
        "the worker does not answer",
    ]


def test_a_configuration_that_cannot_be_used_ends_with_78(tmp_path: Path) -> None:
    assert health.main(["--config", str(tmp_path / "missing.toml")]) == 78
