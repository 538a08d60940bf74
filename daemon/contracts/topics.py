"""MQTT topics: where messages go and come from, ours and those of AWS IoT (shadow, jobs)."""

from __future__ import annotations

from typing import Final

from daemon.model.outgoing import Lane

LANES: Final = {lane: lane.name.lower() for lane in Lane}
_FORBIDDEN: Final = str.maketrans({"/": "-", "+": "-", "#": "-", "\0": "-"})


def data(kind: str, serial: str, lane: Lane) -> str:
    """`v1/<kind>/<serial>/<lane>`: kind is the service ("ecg", "cpap", "oxygen", "oximeter", "box")."""
    return f"v1/{kind}/{_level(serial)}/{LANES[lane]}"


def status(kind: str, serial: str) -> str:
    """Whether the sender is there: retained "online", "offline" by its will."""
    return f"v1/{kind}/{_level(serial)}/status"


def receipts(serial: str) -> str:
    """Where receivers say what they have: `box.receipt/1`."""
    return f"v1/{_level(serial)}/ack"


def config(kind: str, serial: str) -> str:
    """Desired settings on a broker without shadows, retained: the state of a shadow's delta, with its version."""
    return f"v1/{kind}/{_level(serial)}/config"


def config_reported(kind: str, serial: str) -> str:
    """What was set of it, or why not."""
    return f"v1/{kind}/{_level(serial)}/config/reported"


def shadow(thing: str, what: str) -> str:
    """AWS IoT's device shadow: `what` is "get", "get/accepted", "update", "update/delta" ..."""
    return f"$aws/things/{_level(thing)}/shadow/{what}"


def jobs(thing: str, what: str) -> str:
    """AWS IoT's jobs: `what` is "notify-next", "start-next", "<jobId>/update" ..."""
    return f"$aws/things/{_level(thing)}/jobs/{what}"


def _level(text: str) -> str:
    return text.translate(_FORBIDDEN) or "-"
