"""TLS as every destination uses it: 1.2 or newer, the server's name checked, the box's own certificate where it has one."""

from __future__ import annotations

import ssl
from typing import Annotated

from pydantic import Field

from daemon.forward.destinations import Verdict
from daemon.forward.destinations.place import Ended, Options, Place


class TlsOptions(Options):
    """Whom to believe, and who the box is."""

    ca_file: Annotated[
        str, Field(description="Certificates of the authorities to believe; empty = the system's")
    ] = ""
    certificate_file: Annotated[str, Field(description="The box's own certificate (PEM), if it has one")] = ""
    key_file: Annotated[str, Field(description="Private key of that certificate (PEM)")] = ""


def context(options: TlsOptions, place: Place) -> ssl.SSLContext:
    """The settings of a TLS client. Raises `Ended` (parked) when a file of them cannot be used."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.ca_file:
        made = _believing(options, place)
    if options.certificate_file:
        key = place.secret_file(options.key_file) if options.key_file else None
        try:
            # A passphrase would be asked for on the terminal: the box has none.
            made.load_cert_chain(place.secret_file(options.certificate_file), key, password=lambda: "")
        except (OSError, ssl.SSLError, ValueError):
            raise Ended(Verdict.PARKED, "the box's certificate or its key cannot be read") from None
    return made


def _believing(options: TlsOptions, place: Place) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=place.secret_file(options.ca_file))
    except (OSError, ssl.SSLError):
        raise Ended(Verdict.PARKED, f"the file of authorities {options.ca_file!r} cannot be read") from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made
