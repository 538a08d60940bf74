"""The file for whoever helps from afar. An allow-list: what is not named here is not in it.

No database, no waveform, no number of a patient, nothing that a person has typed as text: names of boxes, beds, labels and
destinations are replaced by numbers, since a patient's name may stand in any of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daemon.config import Bed, Config, Destination
from daemon.control.forwarding import Told
from daemon.control.messages import State

TEXT = "(text)"
LEFT_OUT = (
    "both databases, all waveforms and numbers",
    "names of patients and people, of the box, of beds, devices' labels, destinations",
    "secrets, and every text of the configuration but those of a fixed vocabulary",
    "texts of log lines that are not the program's own words, and what was filled into them",
    "what clouds have answered, addresses of this box, the kernel's log",
)
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Of an entry of a zip file: its times tell nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the bundle."""

    name: str
    data: bytes


def as_json(name: str, value: object) -> Part:
    """A part that holds JSON."""
    return Part(name, (json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n").encode())


def pack(parts: Sequence[Part], version: str, left_out: Sequence[str] = LEFT_OUT) -> bytes:
    """The parts with their manifest as a zip file."""
    files = {
        part.name: {"bytes": len(part.data), "sha256": hashlib.sha256(part.data).hexdigest()}
        for part in parts
    }
    manifest = {
        "what": "vitald support bundle",
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version,
        "files": files,
        "left_out": list(left_out),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for part in (as_json("manifest.json", manifest), *parts):
            entry = zipfile.ZipInfo(part.name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            made.writestr(entry, part.data)
    return out.getvalue()


def configuration(config: Config) -> dict[str, Any]:
    """How the box is set, without what a person has typed as text."""
    kept = config.store.model_dump(mode="json")
    sound = _plain(config.sound.model_dump(mode="json"), {"device"})
    web = _plain(config.web.model_dump(mode="json"), {"host"})
    return {
        "box": {"demo": config.box.demo, "serial": bool(config.box.serial)},
        "store": kept,
        "web": web,
        "sound": sound,
        "hardware": {name: value is not None for name, value in config.hardware.model_dump().items()},
        "beds": {f"bed {n}": _bed(bed) for n, bed in enumerate(config.beds.values(), start=1)},
        "forward": {
            "enabled": config.forward.enabled,
            "registry": bool(config.forward.registry_url),
            "routes": len(config.forward.routes),
            "destinations": {
                f"destination {n}": _destination(one)
                for n, one in enumerate(config.forward.destinations.values(), start=1)
            },
        },
    }


def state(config: Config, told: State | None) -> dict[str, Any]:
    """How the box is, bed by bed, without who is in it."""
    if told is None:
        return {"answers": False}
    numbers = {key: n for n, key in enumerate(config.beds, start=1)}
    return {
        "answers": True,
        "version": told.version,
        "boot": told.boot,
        "facts": [
            {"source": fact.source, "since_s": (told.now_ns - fact.since_ns) / 1e9} for fact in told.facts
        ],
        "beds": {
            f"bed {numbers.get(bed.bed, 0)}": {
                "admitted": bed.patient is not None,
                "devices": [
                    {
                        "kind": device.kind,
                        "firmware_known": bool(device.firmware),
                        "state": device.state,
                        "since_s": (told.now_ns - device.since_ns) / 1e9,
                        "rate_hz": device.rate_hz,
                        "drift_ppm": device.drift_ppm,
                        "bytes_in": device.bytes_in,
                        "bytes_damaged": device.bytes_damaged,
                        "samples_lost": device.samples_lost,
                        "port": _port(device.port),
                    }
                    for device in bed.devices
                ],
            }
            for bed in told.beds
        },
    }


def clouds(config: Config, told: Told | None) -> list[dict[str, Any]]:
    """How sending goes, by number and kind."""
    numbers = {name: n for n, name in enumerate(config.forward.destinations, start=1)}
    return [
        {
            "destination": numbers.get(one.name, 0),
            "kind": config.forward.destinations[one.name].kind if one.name in numbers else "",
            "state": one.state,
            "waiting": {lane: counted.waiting for lane, counted in one.lanes.items()},
            "oldest_unsent_s": one.oldest_unsent_s,
            "quarantined": one.quarantined,
            "last_success_ms": one.last_success_ms,
            "failing_since_ms": one.failing_since_ms,
            "requests": {code: count for code, count in one.requests.items() if code.isdecimal()},
        }
        for one in (told.destinations if told else ())
    ]


def database(path: Path) -> dict[str, Any]:
    """Size, schema and number of rows of a database; nothing of what is in them."""
    import sqlite3

    from daemon.store.connection import open_reading

    if not path.exists():
        return {"there": False}
    facts: dict[str, Any] = {"there": True, "bytes": path.stat().st_size}
    try:
        db = open_reading(path)
    except sqlite3.Error as error:
        return {**facts, "error": type(error).__name__}
    try:
        facts["schema"] = db.execute("PRAGMA user_version").fetchone()[0]
        names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        facts["newest_row"] = {
            name: db.execute(f'SELECT max(rowid) FROM "{name}"').fetchone()[0]  # noqa: S608 - from the schema
            for (name,) in names.fetchall()
        }
    except sqlite3.Error as error:
        facts["error"] = type(error).__name__
    finally:
        db.close()
    return facts


def _bed(bed: Bed) -> dict[str, Any]:
    return {
        "display": bed.display.model_dump(mode="json"),
        "devices": [
            {
                "kind": device.kind,
                "port": _port(device.port),
                "ask": device.ask,
                "serial_wanted": bool(device.serial),
                "options": len(device.options),
            }
            for device in bed.devices
        ],
    }


def _destination(one: Destination) -> dict[str, Any]:
    url = str(one.options.get("url") or one.options.get("endpoint") or "")
    return {
        "kind": one.kind,
        "enabled": one.enabled,
        "lanes": list(one.lanes),
        "routed": one.routed,
        "max_bytes_per_s": one.max_bytes_per_s,
        "collect_s": one.collect_s,
        "scheme": urlsplit(url).scheme if url else "",
        "port": one.options.get("port") if isinstance(one.options.get("port"), int) else None,
        "options_set": len(one.options),
    }


def _port(port: str) -> str:
    """A device file by its usual name; any other path only as such."""
    name = Path(port).name
    usual = name.startswith(("ttyUSB", "ttyACM", "ttyAMA", "ttyS", "serial"))
    return f"/dev/{name}" if port == f"/dev/{name}" and usual else "(path)"


def _plain(values: Mapping[str, Any], texts: set[str]) -> dict[str, Any]:
    """Numbers and switches as they are; of texts only whether they are set."""
    return {
        name: value if isinstance(value, bool | int | float) or value is None else TEXT
        for name, value in values.items()
        if name not in texts
    } | {name: bool(values.get(name)) for name in texts}
