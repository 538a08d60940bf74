"""A web process that other machines reach by TLS, with a certificate of the box's own authority; everything on the loopback."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime
from pathlib import Path

from daemon.appliance.certificates import Certificates
from daemon.appliance.own_names import OwnNames
from daemon.config import Config
from daemon.config_web import AUTHORITY, Web

NAMES = OwnNames(("localhost", "127.0.0.1"), (ipaddress.ip_network("127.0.0.1/32"),))


def encrypted(config: Config) -> Config:
    """The same box, served to other machines too."""
    web = Web(host="0.0.0.0", port=0, tls_port=0, names=("127.0.0.1",))
    return config.model_copy(update={"web": web})


def certified(config: Config, now: datetime | None = None) -> Certificates:
    """The files, made as of `now`."""
    config.cert_data.mkdir(exist_ok=True)
    files = Certificates(config.cert_data)
    files.begin_anew(NAMES, now or datetime.now(UTC))
    return files


def trusting(folder: Path) -> ssl.SSLContext:
    """A client that trusts the box's authority and nobody else."""
    return ssl.create_default_context(cafile=str(folder / AUTHORITY))
