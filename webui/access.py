"""What each route of the pages needs: the one table. A route without a row here is refused, whoever asks.

A row is (method, the route's pattern as aiohttp gives it) -> what is needed. GET stands for HEAD too.
"""

from __future__ import annotations

from daemon.model.permissions import May

ASKS_NOBODY = frozenset(
    {("GET", "/static/{digest}/{name}"), ("GET", "/metrics"), ("GET", "/trust/authority.crt")}
)
"""Rows that are open to everybody, and answered without asking the daemon who it is."""

MACHINES = "/api/v1/"
"""Under it a machine's token counts and nothing else: webui/api/guard.py lets in there."""

STREAMED = frozenset({("POST", "/api/import")})
"""Rows whose handlers read a request's body themselves, and limit it themselves."""

ROUTES: dict[tuple[str, str], May] = {
    ("GET", "/"): May.WATCH,
    ("GET", "/bed/{bed}"): May.WATCH,
    ("GET", "/live"): May.WATCH,
    ("GET", "/calibrate"): May.WATCH,
    ("GET", "/static/{digest}/{name}"): May.ENTER,
    # Each verb has a row of its own in VERBS.
    ("POST", "/api/command"): May.SILENCE,
    # Only where the configuration switches it on; it holds no patient's data.
    ("GET", "/metrics"): May.ENTER,
    # how a machine of the network is made to trust the box
    ("GET", "/trust"): May.ENTER,
    ("GET", "/trust/authority.crt"): May.ENTER,
    # people
    ("GET", "/sign-in"): May.ENTER,
    ("GET", "/setup"): May.ENTER,
    ("GET", "/account"): May.ENTER,
    ("GET", "/api/who"): May.ENTER,
    ("GET", "/api/sign-in"): May.ENTER,
    ("POST", "/api/sign-in"): May.ENTER,
    ("POST", "/api/sign-out"): May.ENTER,
    ("POST", "/api/setup"): May.ENTER,
    ("POST", "/api/account"): May.ENTER,
    ("GET", "/people"): May.MANAGE_PEOPLE,
    ("GET", "/audit"): May.MANAGE_PEOPLE,
    ("GET", "/api/people"): May.MANAGE_PEOPLE,
    ("POST", "/api/people"): May.MANAGE_PEOPLE,
    ("GET", "/api/audit"): May.MANAGE_PEOPLE,
    ("GET", "/api/audit/chain"): May.MANAGE_PEOPLE,
    # machines' tokens, and whose devices are; what machines ask with a token is in webui/api/
    ("GET", "/tokens"): May.MANAGE_PEOPLE,
    ("GET", "/api/tokens"): May.MANAGE_PEOPLE,
    ("POST", "/api/tokens"): May.MANAGE_PEOPLE,
    ("GET", "/api/ownership"): May.SEE_DEVICES,
    ("POST", "/api/ownership"): May.SET_DEVICES,
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
    # review: what was recorded
    ("GET", "/bed/{bed}/trends"): May.LOOK_BACK,
    ("GET", "/api/trends"): May.LOOK_BACK,
    ("GET", "/bed/{bed}/disclosure"): May.LOOK_BACK,
    ("GET", "/api/disclosure"): May.LOOK_BACK,
    ("GET", "/bed/{bed}/gaps"): May.LOOK_BACK,
    ("GET", "/api/gaps"): May.LOOK_BACK,
    ("GET", "/api/why"): May.LOOK_BACK,
    # The page asks one of both: of what is shown now, and of alarms, which every watcher sees, this one.
    ("GET", "/bed/{bed}/why"): May.WATCH,
    ("GET", "/api/why/now"): May.WATCH,
    # what an admission asks before it is made
    ("POST", "/api/scan"): May.CARE,
    ("GET", "/api/alike"): May.CARE,
    # errors of the box, the assistant
    ("GET", "/crashes"): May.SEE_TECHNICAL,
    ("GET", "/api/crashes"): May.SEE_TECHNICAL,
    ("GET", "/api/crashes/{fingerprint}"): May.SEE_TECHNICAL,
    ("GET", "/bed/{bed}/assistant"): May.ASK_ASSISTANT,
    ("POST", "/api/assistant"): May.ASK_ASSISTANT,
    ("POST", "/api/assistant/{id}"): May.ASK_ASSISTANT,
    # settings; who may change what is the daemon's to say (control/settings.py)
    ("GET", "/settings"): May.SEE_DEVICES,
    ("GET", "/api/settings"): May.SEE_DEVICES,
    ("POST", "/api/settings"): May.SEE_DEVICES,
    ("GET", "/api/settings/limits"): May.SEE_DEVICES,
    ("GET", "/api/settings/file"): May.SET_WARD,
    ("POST", "/api/settings/file"): May.SET_WARD,
    # exports
    ("GET", "/bed/{bed}/export"): May.EXPORT,
    ("GET", "/api/export"): May.EXPORT,
    ("POST", "/api/export"): May.EXPORT,
    ("DELETE", "/api/export"): May.EXPORT,
    ("GET", "/api/export/{id}"): May.EXPORT,
    # reports
    ("GET", "/reports"): May.MAKE_REPORTS,
    ("GET", "/reports/{id}.pdf"): May.MAKE_REPORTS,
    ("GET", "/api/reports"): May.MAKE_REPORTS,
    ("POST", "/api/reports"): May.MAKE_REPORTS,
    ("GET", "/api/reports/jobs"): May.MAKE_REPORTS,
    ("DELETE", "/api/reports/jobs"): May.MAKE_REPORTS,
    ("POST", "/api/reports/{id}/identifiers"): May.CONFIRM,
    ("POST", "/api/reports/{id}/confirm"): May.CONFIRM,
    ("GET", "/api/uploads"): May.MAKE_REPORTS,
    # devices and clouds
    ("GET", "/devices"): May.SEE_DEVICES,
    ("GET", "/api/firmware"): May.SEE_DEVICES,
    ("POST", "/api/firmware"): May.SERVICE,
    ("GET", "/bed/{bed}/proposals"): May.CARE,
    ("GET", "/api/proposals"): May.SEE_DEVICES,
    ("POST", "/api/proposals"): May.CARE,
    ("GET", "/clouds"): May.SEE_TECHNICAL,
    ("GET", "/api/clouds"): May.SEE_TECHNICAL,
    ("POST", "/api/clouds/{name}/{verb}"): May.SERVICE,
    ("GET", "/api/clouds/{name}/quarantine"): May.SERVICE,
    ("POST", "/api/clouds/{name}/quarantine"): May.SERVICE,
}
