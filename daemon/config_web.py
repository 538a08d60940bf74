"""How the pages are served: `[web]` of the configuration."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

AUTHORITY = "trust.crt"
"""File of the box's own authority, for browsers to trust; not there while the house's certificate is served."""

SERVED = "served.pem"
"""Key and certificates that the pages are served with, in one file: they change together."""

SHOWN = "served.crt"
"""The same certificates without the key."""

TOLD = "served.json"
"""What a page says of them: names, the day on which they end, whether they are the house's."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class Web(BaseModel):
    """The page's server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address the pages are served on")
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port of the pages; 0 = any free one")] = 8080
    tls: bool = Field(
        True, description="Whether other machines are served by TLS alone; the box's own screen needs none"
    )
    tls_port: Annotated[int, Field(ge=0, le=65535, description="TCP port of the pages by TLS")] = 8443
    names: tuple[str, ...] = Field(
        (), description="Further names and addresses of the box: in its certificate, and taken in requests"
    )
    metrics: bool = Field(False, description="Whether Prometheus may read /metrics there")
    scanner_prefix: str = Field("", description="What a barcode scanner types before a code; empty = nothing")
    scanner_suffix: Literal["Enter", "Tab"] = Field("Enter", description="Key that it presses after one")

    @field_validator("names")
    @classmethod
    def _names_are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                ipaddress.ip_address(name)
            except ValueError:
                if len(name) > 253 or not _NAME.fullmatch(name):
                    raise ValueError(
                        f"{name!r}: a name in small letters (box3.ward.lan), or an address"
                    ) from None
        return names

    @model_validator(mode="after")
    def _ports_differ(self) -> Web:
        if self.is_encrypted and self.port == self.tls_port != 0:
            raise ValueError("port and tls_port are the same")
        return self

    @property
    def is_local(self) -> bool:
        """Whether the box itself alone reaches the pages."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_encrypted(self) -> bool:
        """Whether other machines are served, by TLS alone."""
        return self.tls and not self.is_local

    @property
    def plain_hosts(self) -> tuple[str, ...]:
        """Where plain HTTP is listened for: the box's own screen comes by the loopback, whatever else is served."""
        everywhere = self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        return (self.host,) if self.is_local or everywhere else (self.host, "127.0.0.1")
