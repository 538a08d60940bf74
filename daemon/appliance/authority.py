"""The box's own certificate authority, and the certificates that it signs for the pages (RFC 5280).

Pure: keys, names and times in, PEM text out. An authority may sign for this box's names and its networks' addresses alone
(critical name constraints), for servers alone: whoever steals its key can pretend to be a machine of the ward, not the internet.
Only short-lived processes import this: `cryptography` takes memory that nothing long-lived shall hold.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

AUTHORITY_LIFE = timedelta(days=20 * 365)
"""As long as a box: every end is one more time that browsers have to be told."""

LIFE = timedelta(days=397)
"""The longest that browsers take of a public authority; some hold private ones to 825 days."""

BACKDATED = timedelta(days=1)
"""A machine whose clock is behind takes it too."""

_NOBODY = ipaddress.ip_network("127.0.0.0/8")
"""Stands where a box has no address: without one, an authority could sign for every address."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key with the certificates for it, its own first."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def pem(self) -> bytes:
        """Key and certificates."""
        return key_pem(self.key) + self.public_pem

    @property
    def public_pem(self) -> bytes:
        """The certificates alone."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)


def new_key() -> ec.EllipticCurvePrivateKey:
    """ECDSA on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8, not encrypted: the file's rights keep it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in PEM text. Raises ValueError."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an ECDSA key")  # noqa: TRY004 - the text is at fault, not the program
    return key


def read_pair(pem: bytes) -> Pair:
    """What `Pair.pem` wrote. Raises ValueError, also where the key is of another certificate."""
    pair = Pair(read_key(pem), tuple(x509.load_pem_x509_certificates(pem)))
    if pair.certificate.public_key() != pair.key.public_key():
        raise ValueError("the key is of another certificate")
    return pair


def make_authority(name: str, names: Iterable[str], networks: Iterable[Network], now: datetime) -> Pair:
    """An authority called `name` that may sign for `names` (also below them) and for addresses in `networks`."""
    key = new_key()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vitald"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    may: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
    may += [x509.IPAddress(one) for one in (list(networks) or [_NOBODY])]
    made = (
        _began(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(permitted_subtrees=may, excluded_subtrees=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(key, (made,))


def make_certificate(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A certificate for these names and addresses, with a key of its own. It never outlives its authority."""
    key, signer = new_key(), authority.certificate
    life = min(LIFE, signer.not_valid_after_utc - now + BACKDATED)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    whose = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    made = (
        _began(subject, signer.subject, key, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=False)
        .add_extension(whose, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(key, (made,))


def make_request(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> bytes:
    """A request (PKCS#10, PEM) for the house's authority."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def may_sign(authority: x509.Certificate, name: str) -> bool:
    """Whether its constraints let it sign for a name or an address."""
    found = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    address = as_address(name)
    if address is None:
        below = [one.value for one in found if isinstance(one, x509.DNSName)]
        return any(name == one or name.endswith(f".{one}") for one in below)
    networks = [ipaddress.ip_network(str(one.value)) for one in found if isinstance(one, x509.IPAddress)]
    return any(address in network for network in networks)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that it is for, as text."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether that authority's key has signed it."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, capital hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex().upper()


def common_name(name: x509.Name) -> str:
    """What people call it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Names and addresses as a certificate has them."""
    return [
        x509.DNSName(one) if (address := as_address(one)) is None else x509.IPAddress(address)
        for one in names
    ]


def as_address(name: str) -> Address | None:
    """The address that is written there; None for a name."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _began(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    since = now.replace(microsecond=0) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
