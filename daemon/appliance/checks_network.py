"""Checks of `vitald doctor` on the network, the clouds and certificates. What was reached is handed in (cli/doctor.py asks)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from daemon.appliance.findings import Finding, found
from daemon.appliance.network import interfaces
from daemon.appliance.surroundings import Surroundings
from daemon.config import Config
from daemon.config_web import SHOWN
from daemon.words import say

SOON_DAYS = 30
_LOCAL = {"folder"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def network(box: Surroundings) -> Iterator[Finding]:
    """A link that is up, where anything needs one."""
    if box.config is None or not _needs_network(box.config):
        return
    links = interfaces(box.root)
    if not any(link.up for link in links):
        names = ", ".join(link.name for link in links) or say("technician.no_interface")
        yield found("network.down", why=say("technician.not_connected", names=names))


def destinations(box: Surroundings) -> Iterator[Finding]:
    """As far as each was reached, and what waits for it."""
    for one in box.reached:
        if one.failed:
            identity = "destinations.name" if one.failed == "name" else f"destinations.{one.failed}"
            credentials = box.config.forward.credentials if box.config else ""
            yield found(
                identity, name=one.name, host=one.host, port=one.port, why=one.why, credentials=credentials
            )
        elif one.until_utc_s is not None:
            yield from _ends(f"{one.host} port {one.port}", one.until_utc_s, box.utc_ns() / 1e9, "the server")
    failed = {one.name for one in box.reached if one.failed}
    for told in box.told.destinations if box.told else ():
        waiting = sum(lane.waiting for lane in told.lanes.values())
        if told.state == "parked" and told.name not in failed:
            credentials = box.config.forward.credentials if box.config else ""
            yield found("destinations.refused", name=told.name, why=told.reason, credentials=credentials)
        elif told.state == "waiting" and told.name not in failed:
            oldest = say("technician.seconds", seconds=f"{told.oldest_unsent_s:.0f}")
            yield found(
                "destinations.waiting", name=told.name, why=told.reason, waiting=waiting, oldest=oldest
            )
        if told.quarantined:
            yield found("destinations.quarantine", name=told.name, count=told.quarantined)


def certificates(box: Surroundings) -> Iterator[Finding]:
    """Every certificate file that the configuration names."""
    if box.config is None:
        return
    for path, unit in certificate_files(box.config):
        try:
            until = ends(path)
        except (OSError, ValueError) as error:
            yield found("certificates.unreadable", path=path, why=getattr(error, "strerror", None) or error)
            continue
        yield from _ends(str(path), until.timestamp(), box.utc_ns() / 1e9, unit)


def certificate_files(config: Config) -> Iterator[tuple[Path, str]]:
    """Files of certificates, and the unit that uses each: settings whose name speaks of a certificate or an authority."""
    if config.web.is_encrypted:
        yield config.cert_data / SHOWN, "vitald-web"
    for one in config.forward.destinations.values():
        for name, value in one.options.items():
            if one.enabled and _is_certificate(name) and value:
                yield Path(config.forward.credentials) / str(value), "vitald-forward"


def ends(path: Path) -> datetime:
    """When the first certificate of a PEM file to end does. Raises OSError, ValueError."""
    found_ = x509.load_pem_x509_certificates(path.read_bytes())
    return min(one.not_valid_after_utc for one in found_)


def _is_certificate(name: str) -> bool:
    return name in {"ca_file", "certificate_file"} or "certificate" in name or name.endswith("cert")


def _ends(what: str, until_s: float, utc_s: float, unit: str) -> Iterator[Finding]:
    days = int((until_s - utc_s) // 86400)
    if until_s <= utc_s:
        yield found("certificates.expired", path=what, days=max(-days, 0), unit=unit)
    elif days < SOON_DAYS:
        until = datetime.fromtimestamp(until_s, UTC).date().isoformat()
        yield found("certificates.ends", path=what, days=days, until=until, unit=unit)


def _needs_network(config: Config) -> bool:
    sends = config.forward.enabled and any(
        one.enabled and one.kind not in _LOCAL for one in config.forward.destinations.values()
    )
    return sends or config.web.host not in _LOOPBACK
