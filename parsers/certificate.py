"""X.509 certificates: serial, names, dates and fingerprints. Their keys are not looked into."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from parsers import der, pem
from parsers.fingerprints import fingerprint
from parsers.interface import Json, Metadata, Unreadable
from parsers.keys import keys_beside
from parsers.names import Name, read_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.interface import Budget

_SUFFIXES = (".cer", ".crt", ".der", ".pem")
_LABELS = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}
_EXTENSIONS, _BASIC_CONSTRAINTS = 0xA3, "2.5.29.19"
_OUTLINES = (b"\x30\x30\xa0\x02\x02\x30\x06", b"\x30\x30\x02\x30\x06")  # with a version, and version 1 without


@dataclass(frozen=True)
class Certificate:
    """A certificate's fields as text; its dates are `YYYY-MM-DDTHH:MM:SS.000Z`."""

    encoding: bytes
    serial: int
    issuer_node: der.Node
    subject_node: der.Node
    starts_at: str | None
    expires_at: str
    public_key: bytes
    extensions: der.Node | None

    # Names are read when they are asked for: of a keystore's thousands of certificates only the dates count.

    @cached_property
    def issuer(self) -> Name:
        """Who signed it. Raises `Unreadable("malformed")`."""
        return read_name(self.issuer_node)

    @cached_property
    def subject(self) -> Name:
        """Whose it is. Raises `Unreadable("malformed")`."""
        return read_name(self.subject_node)

    @property
    def is_ca(self) -> bool:
        """Whether it says of itself that it may issue others (RFC 5280 4.2.1.9)."""
        try:
            return self.extensions is not None and _says_ca(der.explicit(self.extensions, 3))
        except Unreadable:  # nothing that is shown depends on extensions
            return False

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
            "issuer": self.issuer.flatten(),
            "subject": self.subject.flatten(),
            "expires_at": self.expires_at,
        }

    def describe(self) -> Json:
        """GitLab's four keys, and what tells this certificate and its key from all others."""
        return {
            **self.summary(),
            "starts_at": self.starts_at,
            "issuer_dn": self.issuer.rfc4514(),
            "subject_dn": self.subject.rfc4514(),
            "is_ca": self.is_ca,
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
        issuer_node=issuer,
        subject_node=subject,
        starts_at=_time_or_none(dates[0]),
        expires_at=der.time(dates[1]),
        public_key=der.expect(public_key, der.SEQUENCE).encoding,
        extensions=next((field for field in fields[6:] if field.tag == _EXTENSIONS), None),
    )


def _says_ca(extensions: der.Node) -> bool:
    for extension in der.sequence(extensions):
        oid, *_, value = der.sequence(extension, 2)
        if der.oid(oid) == _BASIC_CONSTRAINTS:
            constraints = der.sequence(der.load(der.octets(value)))
            return bool(constraints) and constraints[0].tag == der.BOOLEAN and any(constraints[0].content)
    return False


def _time_or_none(node: der.Node) -> str | None:
    """Read a date that nothing depends on: openssl, too, reads a certificate whose notBefore is nonsense."""
    try:
        return der.time(node)
    except Unreadable:
        return None


def leaf(certificates: Sequence[Certificate]) -> Certificate:
    """Return the one that issued none of the others; the first where there are several such, or none."""
    issuers = [certificate.issuer.comparable() for certificate in certificates]
    subjects = [certificate.subject.comparable() for certificate in certificates]
    issued = Counter(issuers)
    for certificate, issuer, subject in zip(certificates, issuers, subjects, strict=True):
        if issued[subject] == (issuer == subject):  # none, or itself only
            return certificate
    return certificates[0]


class CertificateParser:
    """A certificate in DER or PEM, whatever it is called; in PEM with other things beside it, too."""

    kind = "certificate"

    def sniff(self, head: bytes, name: str) -> int:
        """Any PEM, since a certificate may come late in it; else go by the outline."""
        if pem.is_pem(head):
            return 90
        outline = der.tags(head, 7)
        if any(outline.startswith(known) for known in _OUTLINES):
            return 90
        return 10 if name.lower().endswith(_SUFFIXES) else 0

    def parse(self, data: bytes, _password: str | None, budget: Budget) -> Metadata:
        """Describe the first certificate in the data, and name the private keys that stand beside it."""
        encoding = pem.unwrap(data, _LABELS)
        if encoding[:1] != b"\x30":
            raise Unreadable("unrecognized")
        certificate = read_certificate(encoding)
        described = certificate.describe()
        if pem.is_pem(data):
            described |= keys_beside(data, described["public_key_sha256"], budget)
        return Metadata(described, certificate.expires_at)
