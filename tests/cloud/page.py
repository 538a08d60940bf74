"""One page that shows what arrived: counts, devices, sessions, the last alarms and events, the last seconds of a lead."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from aiohttp import web

from daemon.contracts.ecg.v1 import ChannelOf
from daemon.contracts.seeds import waves
from tests.cloud.database import Connection
from tests.cloud.state import STATE

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>vitald: reference cloud</title><style>
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:64rem;padding:0 1rem;color:#123}
h1{font-size:1.3rem}h2{font-size:1rem;margin:1.5rem 0 .3rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.15rem .6rem .15rem 0;border-bottom:1px solid #dde;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:9rem;background:#fff6f6;border:1px solid #ecc}
</style><h1>Reference cloud: what arrived</h1>"""

_COUNTS = ("records", "metrics", "waveforms", "events", "reports", "sessions", "requests", "users")


async def show(request: web.Request) -> web.Response:
    async with request.app[STATE].pool.acquire() as db:
        parts = [
            _HEAD,
            await _counts(db),
            await _wave(db),
            await _table(
                db,
                "Latest numbers",
                "SELECT DISTINCT ON (device_serial, kind) device_serial AS device, kind, timestamp AS at, metrics"
                " FROM metrics ORDER BY device_serial, kind, timestamp DESC LIMIT 20",
            ),
            await _table(
                db,
                "Alarms and events",
                "SELECT timestamp AS at, type, device_serial AS device, coalesce(body->'alarm'->>'text', body->'arrhythmia'->>'type',"
                " body->'event'->>'name', body->'fact'->>'source', body->'error'->>'error_type', '') AS what,"
                " coalesce(body->'alarm'->>'change', body->'fact'->>'state', '') AS change"
                " FROM events ORDER BY timestamp DESC, event_id DESC LIMIT 20",
            ),
            await _table(
                db,
                "Sessions",
                "SELECT session_id AS session, device_serial AS device, start_time AS start, end_time AS end,"
                " duration_seconds AS seconds, average_heart_rate AS bpm FROM sessions ORDER BY start_time DESC NULLS LAST LIMIT 10",
            ),
            await _table(
                db,
                "Reports",
                "SELECT created_at AS at, filename, size_bytes AS bytes, file IS NOT NULL AS here FROM reports"
                " ORDER BY created_at DESC LIMIT 10",
            ),
            await _table(
                db,
                "Desired of devices",
                "SELECT serial, version, desired, reported, reported_version FROM configs ORDER BY serial",
            ),
        ]
    return web.Response(text="".join(parts), content_type="text/html")


async def report(request: web.Request) -> web.Response:
    async with request.app[STATE].pool.acquire() as db:
        file = await db.fetchval(
            "SELECT file FROM reports WHERE report_id = $1", request.match_info["report_id"]
        )
    if file is None:
        raise web.HTTPNotFound
    return web.Response(body=file, content_type="application/pdf")


async def _counts(db: Connection) -> str:
    cells = []
    for table in _COUNTS:
        count = await db.fetchval(f"SELECT count(*) FROM {table}")
        cells.append(f"<tr><td>{table}<td class=n id={table}>{count}")
    return f"<table>{''.join(cells)}</table>"


async def _table(db: Connection, title: str, query: str) -> str:
    found = await db.fetch(query)
    if not found:
        return ""
    head = "".join(f"<th>{escape(name)}" for name in found[0].keys())  # noqa: SIM118 - a record is no dict
    rows = "".join("<tr>" + "".join(f"<td>{escape(_text(v))}" for v in row.values()) for row in found)
    return f"<h2>{escape(title)}</h2><table><tr>{head}{rows}</table>"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items() if inner is not None)
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)


async def _wave(db: Connection) -> str:
    """The newest samples of one device: lead II, or the first there is."""
    newest = await db.fetchrow(
        "SELECT device_serial, channels FROM waveforms WHERE channels->0->>'unit' IN ('mV', 'uV', 'V')"
        " ORDER BY timestamp DESC LIMIT 1"
    )
    if newest is None:
        return ""
    found = await db.fetch(
        "SELECT * FROM waveforms WHERE device_serial = $1 AND channels = $2 ORDER BY timestamp DESC, first DESC LIMIT 8",
        newest["device_serial"],
        newest["channels"],
    )
    names = [channel["name"] for channel in newest["channels"]]
    row = names.index("II") if "II" in names else 0
    pieces = [_millivolts(chunk, row) for chunk in reversed(found)]
    values = np.concatenate(pieces)[-4000:]
    low, high = float(values.min()), float(values.max())
    scaled = 100 - 100 * (values - low) / ((high - low) or 1.0)
    step = max(1, values.size // 1500)
    points = " ".join(f"{x},{y:.1f}" for x, y in enumerate(scaled[::step]))
    width = len(scaled[::step])
    return (
        f"<h2>{escape(newest['device_serial'])}, {escape(names[row])}: {low:.2f} to {high:.2f} mV, newest samples</h2>"
        f'<svg viewBox="0 -5 {width} 110" preserveAspectRatio="none"><polyline fill="none" stroke="#a22"'
        f' stroke-width="1" vector-effect="non-scaling-stroke" points="{points}"/></svg>'
    )


def _millivolts(row: Any, channel: int) -> Any:
    if row["counts"] is None:
        return np.array(row["millivolts"][channel])
    told = ChannelOf.model_validate(row["channels"][channel])
    counts = np.array(row["counts"][channel], np.int32)[None, :]
    return np.array(next(iter(waves.millivolts([told], counts).values())))
