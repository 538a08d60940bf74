"""The kinds of destinations, a line each. Importing this imports none of their libraries: those wait until one is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from daemon.forward.destinations import Destination
from daemon.forward.destinations.azure import Azure, AzureOptions
from daemon.forward.destinations.dropbox import Dropbox, DropboxOptions
from daemon.forward.destinations.folder import Folder, FolderOptions
from daemon.forward.destinations.ftp import Ftp, FtpOptions
from daemon.forward.destinations.gcs import Gcs, GcsOptions
from daemon.forward.destinations.mllp import Mllp, MllpOptions
from daemon.forward.destinations.mqtt import Mqtt, MqttOptions
from daemon.forward.destinations.place import Options, Place
from daemon.forward.destinations.rest import Rest, RestOptions
from daemon.forward.destinations.s3 import S3, S3Options
from daemon.forward.destinations.sftp import Sftp, SftpOptions
from daemon.forward.destinations.sns import Sns, SnsOptions
from daemon.forward.destinations.webhook import Webhook, WebhookOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be set, and what is made of it."""

    options: type[Options]
    make: Callable[[Any, Place], Destination]


KINDS: Final[Mapping[str, Kind]] = {
    "azure": Kind(AzureOptions, Azure),
    "dropbox": Kind(DropboxOptions, Dropbox),
    "folder": Kind(FolderOptions, Folder),
    "ftp": Kind(FtpOptions, Ftp),
    "gcs": Kind(GcsOptions, Gcs),
    "mllp": Kind(MllpOptions, Mllp),
    "mqtt": Kind(MqttOptions, Mqtt),
    "rest": Kind(RestOptions, Rest),
    "s3": Kind(S3Options, S3),
    "sftp": Kind(SftpOptions, Sftp),
    "sns": Kind(SnsOptions, Sns),
    "webhook": Kind(WebhookOptions, Webhook),
}


class BadOptions(Exception):
    """A destination cannot be made of what is set; the text names the key and what is wrong with it, never its value."""


def make(kind: str, options: Mapping[str, Any], place: Place) -> Destination:
    """A destination of this kind; it does nothing before `open`. Raises `BadOptions`."""
    known = KINDS.get(kind)
    if known is None:
        raise BadOptions(f"kind: {kind!r} is none of {', '.join(KINDS)}")
    try:
        return known.make(known.options.model_validate(dict(options)), place)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadOptions(f"{key}: {first['msg']}" if key else str(first["msg"])) from None
