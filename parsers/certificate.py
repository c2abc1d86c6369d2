"""X.509 certificates: serial, names, dates and fingerprints. Keys are not looked into."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from parsers import der, names
from parsers.interface import Json, Metadata, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.interface import Budget

_OUTLINES = (b"\x30\x30\xa0\x02\x02\x30\x06", b"\x30\x30\x02\x30\x06")  # with a version, and version 1 without


@dataclass(frozen=True)
class Certificate:
    """A certificate's fields as text; `expires_at` and `starts_at` are `YYYY-MM-DDTHH:MM:SS.000Z`."""

    encoding: bytes
    serial: int
    issuer_name: der.Node
    subject_name: der.Node
    starts_at: str
    expires_at: str
    public_key: bytes

    @cached_property
    def issuer(self) -> dict[str, str]:
        """The issuer as GitLab shows it."""
        return names.flatten(self.issuer_name)

    @cached_property
    def subject(self) -> dict[str, str]:
        """The subject as GitLab shows it."""
        return names.flatten(self.subject_name)

    @property
    def sha1(self) -> str:
        """The fingerprint as keytool prints it: `0E:34:...`."""
        return fingerprint(self.encoding, "sha1")

    @property
    def sha256(self) -> str:
        """The fingerprint as keytool prints it: `0E:34:...`."""
        return fingerprint(self.encoding, "sha256")

    def summary(self) -> Json:
        """GitLab's four keys."""
        return {
            "id": str(self.serial),
            "issuer": self.issuer,
            "subject": self.subject,
            "expires_at": self.expires_at,
        }

    def describe(self) -> Json:
        """GitLab's four keys, and what tells this certificate and its key from all others."""
        return {
            **self.summary(),
            "starts_at": self.starts_at,
            "issuer_dn": names.rfc4514(self.issuer_name),
            "subject_dn": names.rfc4514(self.subject_name),
            "sha1": self.sha1,
            "sha256": self.sha256,
            "public_key_sha256": fingerprint(self.public_key),
        }


def read_certificate(data: bytes) -> Certificate:
    """Read one certificate in DER or BER. Raises `Unreadable`: "truncated" or "malformed"."""
    outer = der.load(data)
    parts = der.sequence(outer)
    if len(parts) != 3 or parts[1].tag != der.SEQUENCE or parts[2].tag != der.BIT_STRING:
        raise Unreadable("malformed")
    fields = der.sequence(parts[0], 6)
    if fields[0].tag == 0xA0:  # the version, which changes nothing about what is read here
        fields = fields[1:]
    if len(fields) < 6:
        raise Unreadable("malformed")
    serial, _, issuer, validity, subject, public_key = fields[:6]
    dates = der.sequence(validity, 2)
    return Certificate(
        encoding=outer.encoding,
        serial=der.integer(serial),
        issuer_name=der.expect(issuer, der.SEQUENCE),
        subject_name=der.expect(subject, der.SEQUENCE),
        starts_at=der.time(dates[0]),
        expires_at=der.time(dates[1]),
        public_key=der.expect(public_key, der.SEQUENCE).encoding,
    )


def leaf(certificates: Sequence[Certificate]) -> Certificate:
    """Return the one that issued none of the others; the first where there are several such, or none."""
    issuers = [names.comparable(certificate.issuer_name) for certificate in certificates]
    subjects = [names.comparable(certificate.subject_name) for certificate in certificates]
    issued = Counter(issuers)
    for certificate, issuer, subject in zip(certificates, issuers, subjects, strict=True):
        if issued[subject] == (issuer == subject):  # none, or itself only
            return certificate
    return certificates[0]


def fingerprint(encoding: bytes, algorithm: str = "sha256") -> str:
    """Return a digest in keytool's manner: upper-case hex in pairs, parted by colons."""
    return hashlib.new(algorithm, encoding, usedforsecurity=False).digest().hex(":").upper()


class CertificateParser:
    """A certificate in DER, whatever it is called."""

    kind = "certificate"

    def sniff(self, head: bytes, name: str) -> int:
        """Go by the outline: serial number and algorithm, with or without a version."""
        outline = der.tags(head, 7)
        if any(outline.startswith(known) for known in _OUTLINES):
            return 90
        return 30 if outline.startswith(b"\x30\x30") and name.lower().endswith((".cer", ".crt", ".der")) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Describe the first certificate in the data."""
        certificate = read_certificate(data)
        return Metadata(certificate.describe(), certificate.expires_at)
