"""A person's routes, then the registry, then a guess by what the message is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from daemon.forward.registry import Routes, read
from tests.daemon.forward.kit import record

DOCUMENT = """{"schema": "vitald.registry/1", "more": 1,
 "devices": [{"serial": "ECG-7711-0045", "backend": "heart"}, {"serial": "CPAP-2301-9912", "backend": "lung"}],
 "prefixes": [{"prefix": "OXY-", "backend": "air"}, {"prefix": "OXY-88", "backend": "thin-air"}]}"""


def of(serial, message="ecg.metrics/1"):
    return replace(record(1, device=serial), message=message)


@pytest.mark.parametrize(
    ("serial", "backends"),
    [
        ("ECG-7711-0045", ("heart",)),
        ("CPAP-2301-9912", ("own", "second")),
        ("OXY-8844-5521", ("thin-air",)),
        ("OXY-1", ("air",)),
        ("BOX-1", ("mine",)),
        ("ECG-1", ()),
    ],
)
def test_the_nearest_rule_holds(serial, backends):
    routes = read(DOCUMENT, {"CPAP-2301-9912": ("own", "second"), "B*": ("far",), "BOX-*": ("mine",)})

    assert routes.backends(serial) == backends
    for backend in ("heart", "lung", "air", "own", "second", "thin-air", "mine", "far"):
        assert routes.goes(of(serial), backend) == (backend in backends)


def test_a_device_that_nobody_knows_goes_by_its_message_or_prefix():
    routes = Routes()

    assert routes.goes(of("4711"), "ecg")
    assert routes.goes(of("CPAP-9", "box.alarm/1"), "cpap")
    assert not routes.goes(of("CPAP-9", "cpap.metrics/1"), "ecg")


def test_what_the_box_says_of_itself_goes_everywhere():
    assert Routes().goes(of("", "box.fact/1"), "anything")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": "other/1"}', '{"schema": "vitald.registry/1", "devices": [1]}']
)
def test_what_is_no_registry_is_refused(text):
    with pytest.raises(ValidationError):
        read(text, {})
