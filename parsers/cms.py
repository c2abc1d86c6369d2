"""CMS and PKCS#7 signed data (RFC 5652): its content and its certificates. Signatures are not checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsers import der, pem
from parsers.certificate import Certificate, leaf, read_certificate
from parsers.interface import Metadata, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget

SIGNED_DATA = "1.2.840.113549.1.7.2"
SIGNED_DATA_OUTLINE = b"\x30\x06\xa0\x30"
SIGNED_DATA_OID = bytes.fromhex("06092a864886f70d010702")
_LABELS = {"PKCS7", "PKCS #7 SIGNED DATA", "CMS"}
_PROFILE_NAMES = (".mobileprovision", ".provisionprofile")


@dataclass(frozen=True)
class SignedData:
    """`content` is None where the signature is detached or the structure only carries certificates."""

    content: bytes | None
    certificates: list[bytes]


def read_signed_data(data: bytes) -> SignedData:
    """Read a ContentInfo holding SignedData, in DER or BER.

    Raises `Unreadable`: "truncated", "malformed", or "unrecognized" when it holds something else.
    """
    info = der.sequence(der.load(data), 2)
    if der.oid(info[0]) != SIGNED_DATA:
        raise Unreadable("unrecognized")
    fields = der.sequence(der.explicit(info[1], 0), 4)
    certificates = [field for field in fields[3:] if field.tag == 0xA0]
    return SignedData(
        content=_content(fields[2]),
        certificates=[
            choice.encoding for bag in certificates for choice in der.children(bag) if choice.tag == der.SEQUENCE
        ],
    )


def is_signed_data(head: bytes) -> bool:
    """Tell from a file's first bytes whether it may be signed data."""
    return der.tags(head, 4) == SIGNED_DATA_OUTLINE and SIGNED_DATA_OID in head[:32]


def is_profile_name(name: str) -> bool:
    """Tell whether a file is called like Apple's provisioning profiles, which are signed data as well."""
    return name.lower().endswith(_PROFILE_NAMES)


def _content(info: der.Node) -> bytes | None:
    parts = der.sequence(info)
    return der.octets(der.explicit(parts[1], 0)) if len(parts) > 1 else None


class CertificatesParser:
    """A PKCS#7 that carries certificates (.p7b, .p7c)."""

    kind = "pkcs7"

    def sniff(self, head: bytes, name: str) -> int:
        """Any signed data that is not called a provisioning profile."""
        if pem.has_block(head, _LABELS):
            return 89
        return 91 if is_signed_data(head) and not is_profile_name(name) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Describe the certificate that issued none of the others."""
        signed = read_signed_data(pem.unwrap(data, _LABELS))
        return describe_leaf([read_certificate(encoding) for encoding in signed.certificates])


def describe_leaf(certificates: list[Certificate]) -> Metadata:
    """Describe the end of a chain given in any order. Nothing expires where there is no certificate."""
    if not certificates:
        return Metadata({})
    found = leaf(certificates)
    return Metadata(found.describe(), found.expires_at)
