"""What each route of the pages needs: the one table. A route without a row here is refused, whoever asks.

A row is (method, the route's pattern as aiohttp gives it) -> what is needed. GET stands for HEAD too.
"""

from __future__ import annotations

from daemon.model.permissions import May

ROUTES: dict[tuple[str, str], May] = {
    ("GET", "/"): May.WATCH,
    ("GET", "/bed/{bed}"): May.WATCH,
    ("GET", "/live"): May.WATCH,
    ("GET", "/calibrate"): May.WATCH,
    ("GET", "/static/{digest}/{name}"): May.ENTER,
    # Each verb has a row of its own in VERBS.
    ("POST", "/api/command"): May.SILENCE,
    # alarms
    ("GET", "/bed/{bed}/alarms"): May.WATCH,
    ("GET", "/api/alarms"): May.WATCH,
    ("GET", "/api/limits"): May.WATCH,
    ("GET", "/api/strip"): May.WATCH,
    ("GET", "/api/load"): May.WATCH,
    ("GET", "/api/rehearsal"): May.LOOK_BACK,
    ("POST", "/api/rehearsal"): May.LOOK_BACK,
    ("DELETE", "/api/rehearsal"): May.LOOK_BACK,
    # patients, sessions, nights
    ("GET", "/bed/{bed}/sessions"): May.LOOK_BACK,
    ("GET", "/api/sessions"): May.LOOK_BACK,
    ("POST", "/api/sessions"): May.CARE,
    ("GET", "/bed/{bed}/import"): May.IMPORT,
    ("GET", "/api/import"): May.IMPORT,
    ("POST", "/api/import"): May.IMPORT,
    ("DELETE", "/api/import"): May.IMPORT,
    ("GET", "/bed/{bed}/night"): May.LOOK_BACK,
    ("GET", "/api/nights"): May.LOOK_BACK,
    ("GET", "/api/night"): May.LOOK_BACK,
    # devices and clouds
    ("GET", "/devices"): May.SEE_DEVICES,
    ("GET", "/bed/{bed}/proposals"): May.CARE,
    ("GET", "/api/proposals"): May.CARE,
    ("POST", "/api/proposals"): May.CARE,
    ("GET", "/clouds"): May.SEE_TECHNICAL,
    ("GET", "/api/clouds"): May.SEE_TECHNICAL,
    ("POST", "/api/clouds/{name}/{verb}"): May.SERVICE,
    ("GET", "/api/clouds/{name}/quarantine"): May.SERVICE,
    ("POST", "/api/clouds/{name}/quarantine"): May.SERVICE,
}
