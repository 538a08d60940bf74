"""Settings from a cloud: what is valid comes back as it was, in either naming; and contracts stay pure."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import daemon.contracts
from daemon.contracts.cpap.v1 import Alerts, Config
from daemon.contracts.envelope import compact
from daemon.contracts.seeds import settings

PURE = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "datetime",
    "hashlib",
    "json",
    "math",
    "numpy",
    "numpy.typing",
    "pydantic",
    "pydantic.json_schema",
    "pydantic_core",
    "typing",
    "urllib.parse",
}


def numbers(least, most):
    return st.none() | st.integers(least, most) | st.floats(least, most)


alerts = st.builds(
    Alerts,
    leak_threshold_lpm=numbers(1, 120),
    rr_low_per_min=numbers(1, 20),
    rr_high_per_min=numbers(21, 100),
)
configs = st.builds(
    Config,
    target_pressure_cm_h2o=numbers(3, 40),
    humidity_level=st.none() | st.integers(0, 8),
    alerts=st.none() | alerts,
)


@given(configs)
def test_settings_come_back_from_their_bytes(config):
    sent = compact(settings.document("CPAP-1", config))

    read = settings.desired("cpap", json.loads(sent))

    assert compact(settings.document("CPAP-1", read)) == sent
    assert settings.state(read) == settings.state(settings.desired("cpap", settings.state(config)))


@given(configs)
def test_both_namings_mean_the_same(config):
    ours = config.model_dump(exclude_none=True)

    assert settings.desired("cpap", ours) == settings.desired("cpap", settings.state(config))
    assert settings.desired("cpap", {**ours, **settings.state(config)}) == settings.desired("cpap", ours)


def test_contracts_do_no_input_or_output_and_read_no_clock():
    folder = Path(daemon.contracts.__file__).parent
    imported = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    ours = {name for name in imported if name.startswith("daemon.")}

    assert imported - ours <= PURE
    assert {name.split(".")[1] for name in ours} == {"contracts", "model"}


@given(configs)
def test_settings_by_dotted_name_are_the_roadmaps_document_again(config):
    told = settings.flat(config.model_dump(exclude_none=True))

    assert settings.as_seeds(told) == {k: v for k, v in settings.state(config).items() if v != {}}
    assert set(told) == {*settings.flat(config.model_dump())}
    assert settings.digest(settings.state(config)) == settings.digest(config.model_dump(exclude_none=True))


def test_what_no_device_of_the_kind_has_is_named_as_it_was_sent():
    sent = {"target_pressure": 9, "flow_rate_lpm": 2, "alerts": {"rr_low": 8, "spo2": 90}}

    assert settings.unknown("cpap", sent) == ("flow_rate_lpm", "alerts.spo2")
    assert settings.unknown("oxygen", sent) == ("target_pressure", "alerts.rr_low", "alerts.spo2")
    assert settings.seeds_name("alerts.rr_low_per_min") == "alerts.rr_low"
