"""The zone of the clock on the wall, and the servers that keep the clock right: set with what this system has."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from daemon.appliance.system_steps import CannotDo, Run, Step, Write

CHRONY = Path("etc/chrony/sources.d/vitald.sources")
TIMESYNCD = Path("etc/systemd/timesyncd.conf.d/vitald.conf")
_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


class Time(BaseModel):
    """Where the clock's zone and time come from; what is empty stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = Field("", description="Time zone of the place: Europe/Berlin")
    servers: tuple[str, ...] = Field((), max_length=8, description="Time servers (NTP), names or addresses")

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        if zone and zone not in available_timezones():
            raise ValueError(f"{zone!r} is no time zone: Europe/Berlin is one")
        return zone

    @field_validator("servers")
    @classmethod
    def _servers_are_names(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            if not _SERVER.fullmatch(server):
                raise ValueError(f"{server!r} is no name or address of a server")
        return servers


def time_steps(wanted: Time, root: Path = Path("/")) -> list[Step]:
    """What sets it. Raises `CannotDo` where nothing on this system can."""
    steps: list[Step] = []
    if wanted.servers:
        steps += _server_steps(wanted.servers, root)
    if wanted.zone:
        if not (root / "usr/bin/timedatectl").exists():
            raise CannotDo(
                "the zone is set with timedatectl, which is not there: "
                f"ln -sf /usr/share/zoneinfo/{wanted.zone} /etc/localtime"
            )
        steps.append(Run(("timedatectl", "set-timezone", wanted.zone)))
    return steps


def _server_steps(servers: tuple[str, ...], root: Path) -> list[Step]:
    if (root / "usr/bin/chronyc").exists():
        text = "".join(f"server {server} iburst\n" for server in servers)
        return [Write(root / CHRONY, text), Run(("chronyc", "reload", "sources"), may_fail=True)]
    if (root / "usr/lib/systemd/systemd-timesyncd").exists():
        text = f"[Time]\nNTP={' '.join(servers)}\n"
        return [
            Write(root / TIMESYNCD, text),
            Run(("systemctl", "try-restart", "systemd-timesyncd.service"), may_fail=True),
        ]
    raise CannotDo("nothing here keeps the clock by time servers: apt install chrony")
