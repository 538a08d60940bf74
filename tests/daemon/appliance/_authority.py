"""A hospital's authority, which signs what a box asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from daemon.appliance import authority as made

NOW = datetime.now(UTC).replace(microsecond=0)
"""OpenSSL looks at the machine's clock; nothing in the tests depends on the day."""


class House:
    """An authority that is not ours, with one between it and what it signs."""

    def __init__(self) -> None:
        self.keys = [made.new_key(), made.new_key()]
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("House", "House, wards")]
        self.chain = [
            self._signed(names[0], names[0], self.keys[0].public_key(), self.keys[0], authority=True),
            self._signed(names[1], names[0], self.keys[1].public_key(), self.keys[0], authority=True),
        ]

    def answer(self, request: bytes, since=NOW - timedelta(days=1), days=365, use=None, names=None) -> bytes:
        """Certificate and the one between, as they come back from a request."""
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        san = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if names is not None:
            san = x509.SubjectAlternativeName(made.general_names(names))
        own = self._signed(
            asked.subject, self.chain[1].subject, asked.public_key(), self.keys[1], since=since, days=days,
            san=san, use=use,
        )  # fmt: skip
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (own, self.chain[1]))

    @staticmethod
    def _signed(
        subject,
        issuer,
        key,
        by,
        authority=False,
        since=NOW - timedelta(days=1),
        days=3650,
        san=None,
        use=None,
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if san is not None:
            builder = builder.add_extension(san, critical=False)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        return builder.sign(by, hashes.SHA256())
