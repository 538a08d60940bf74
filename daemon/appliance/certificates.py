"""The files of the pages' certificate: who may read which, when it is made anew, and how the house's own gets there.

authority.pem (0600) key and certificate of the box's authority   asked.pem (0600) key of the last request to the house
served.pem (0640) what the pages are served with                  served.crt, served.json, trust.crt (0644) for everybody
The folder and its group say whose they are: vitald-cert makes them, vitald-web alone is in its group.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from daemon.appliance import authority as made
from daemon.appliance.authority import Pair
from daemon.appliance.own_names import OwnNames
from daemon.appliance.whole_file import replace_whole
from daemon.config_web import AUTHORITY, SERVED, SHOWN, TOLD

SECRET, ASKED = "authority.pem", "asked.pem"


class Outcome(StrEnum):
    """What `ensure` did; its words are `cert.<value>`, those of a reason `cert.why.<value>`."""

    KEPT = "kept"
    MADE = "made"
    AUTHORITY_MADE = "authority_made"
    NO_CLOCK = "clock"
    NO_ADDRESS = "address"

    @property
    def is_lacking(self) -> bool:
        """Whether there is no certificate."""
        return self in {Outcome.NO_CLOCK, Outcome.NO_ADDRESS}


class NotInstalled(Exception):
    """A certificate of the house cannot be served. `reason`: its words are `cert.bad.<reason>`, filled with `values`."""

    def __init__(self, reason: str, **values: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.values = values


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files in `folder`. All of it raises OSError where a file is not ours to read or write."""

    folder: Path

    def served(self) -> Pair | None:
        """What the pages are served with; None where there is nothing that could be."""
        return self._pair(SERVED)

    def authority(self) -> Pair | None:
        """The box's own."""
        return self._pair(SECRET)

    def shown(self) -> tuple[x509.Certificate, ...]:
        """The certificates that are served, for whoever may not read the key."""
        return self._public(SHOWN)

    def trusted(self) -> x509.Certificate | None:
        """The authority that browsers are told to trust."""
        return next(iter(self._public(AUTHORITY)), None)

    def is_house(self) -> bool:
        """Whether what is served was signed by somebody else."""
        shown, own = self.shown(), self.trusted()
        return bool(shown) and (own is None or not made.is_signed_by(shown[0], own))

    def ensure(self, own: OwnNames, now: datetime, *, clock_set: bool) -> Outcome:
        """Make what is missing or due. With a clock that nobody can believe nothing is made, and nothing taken away."""
        served, authority = self.served(), self.authority()
        if served is not None and (not clock_set or self.is_house()):
            return Outcome.KEPT
        if not clock_set:
            return Outcome.NO_CLOCK
        if authority is None or is_spent(authority.certificate, own.names, now):
            return self.begin_anew(own, now) if own.has_address else Outcome.NO_ADDRESS
        if served is not None and not is_due(served.certificate, authority.certificate, own.names, now):
            return Outcome.KEPT
        self.serve(
            made.make_certificate(authority, covered(authority.certificate, own.names), now), authority
        )
        return Outcome.MADE

    def begin_anew(self, own: OwnNames, now: datetime) -> Outcome:
        """A new authority, which every browser has to be told of, and a certificate by it."""
        name = f"{own.names[0]} {secrets.token_hex(3)}"[:64]
        names = [one for one in own.names if made.as_address(one) is None]
        authority = made.make_authority(name, names, own.networks, now)
        self._write(SECRET, authority.pem, 0o600)
        self.serve(
            made.make_certificate(authority, covered(authority.certificate, own.names), now), authority
        )
        return Outcome.AUTHORITY_MADE

    def serve(self, pair: Pair, authority: Pair | None) -> None:
        """Serve `pair` from now on; `authority` None: it is the house's. A power cut leaves the one or the other."""
        if authority is None:
            (self.folder / AUTHORITY).unlink(missing_ok=True)
        self._write(SERVED, pair.pem, 0o640)
        self._write(SHOWN, pair.public_pem, 0o644)
        if authority is not None:
            self._write(AUTHORITY, authority.public_pem, 0o644)
        told = {
            "names": list(made.names_of(pair.certificate)),
            "until": pair.certificate.not_valid_after_utc.date().isoformat(),
            "house": authority is None,
        }
        self._write(TOLD, json.dumps(told).encode(), 0o644)

    def ask(self, names: Sequence[str]) -> bytes:
        """A request for the house's authority, with a new key that stays here."""
        key = made.new_key()
        self._write(ASKED, made.key_pem(key), 0o600)
        return made.make_request(key, names)

    def install(self, pem: bytes, names: Sequence[str], now: datetime) -> Pair:
        """Serve what the house has signed. Raises `NotInstalled`."""
        try:
            chain = tuple(x509.load_pem_x509_certificates(pem))
        except ValueError:
            raise NotInstalled("pem") from None
        keys = [read for name in (ASKED, SERVED) if (read := self._key(name)) is not None]
        own = [key for key in keys if key.public_key() == chain[0].public_key()]
        if not own:
            raise NotInstalled("key")
        check(chain, names, now)
        pair = Pair(own[0], chain)
        self.serve(pair, None)
        (self.folder / ASKED).unlink(missing_ok=True)
        return pair

    def _key(self, name: str) -> EllipticCurvePrivateKey | None:
        try:
            return made.read_key((self.folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _pair(self, name: str) -> Pair | None:
        """None where it is missing or damaged: then it is made anew."""
        try:
            return made.read_pair((self.folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _public(self, name: str) -> tuple[x509.Certificate, ...]:
        try:
            return tuple(x509.load_pem_x509_certificates((self.folder / name).read_bytes()))
        except (FileNotFoundError, ValueError):
            return ()

    def _write(self, name: str, data: bytes, mode: int) -> None:
        """Whole or not at all, also over a power cut; the folder's owner and group have it."""
        replace_whole(self.folder / name, data, mode, self.folder.stat())


def renewed_from(certificate: x509.Certificate) -> datetime:
    """When two thirds of its life are over."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + life * 2 / 3


def covered(authority: x509.Certificate, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that the authority may sign for."""
    return tuple(name for name in names if made.may_sign(authority, name))


def is_spent(authority: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    """Whether it is of no use any more: it has ended, or may sign for none of `names`."""
    return authority.not_valid_after_utc <= now or not covered(authority, names)


def is_due(
    served: x509.Certificate, authority: x509.Certificate, names: Sequence[str], now: datetime
) -> bool:
    """Whether another certificate is to be made: old, of another authority, or without a name that it could have."""
    if not made.is_signed_by(served, authority) or now < served.not_valid_before_utc:
        return True
    return now >= renewed_from(served) or not set(covered(authority, names)) <= set(made.names_of(served))


def check(chain: Sequence[x509.Certificate], names: Sequence[str], now: datetime) -> None:
    """Whether browsers could take it. Raises `NotInstalled`."""
    own = chain[0]
    since, until = own.not_valid_before_utc, own.not_valid_after_utc
    if not since <= now < until:
        raise NotInstalled("ended", since=since.date().isoformat(), until=until.date().isoformat())
    try:
        uses = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    if ExtendedKeyUsageOID.SERVER_AUTH not in uses:
        raise NotInstalled("use")
    if not any(_is_for(one, name) for one in made.names_of(own) for name in names):
        raise NotInstalled("names", names=", ".join(names))
    for signed, signer in pairwise(chain):
        if not made.is_signed_by(signed, signer):
            raise NotInstalled("chain", name=made.common_name(signer.subject))


def _is_for(one: str, name: str) -> bool:
    return one == name or (one.startswith("*.") and name.partition(".")[2] == one[2:])
