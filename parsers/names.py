"""X.500 names as GitLab shows them: a flat object of OpenSSL's short names, and RFC 4514 text beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

from parsers import der

_X520 = (
    "2.5.4.3 CN, 2.5.4.4 SN, 2.5.4.5 serialNumber, 2.5.4.6 C, 2.5.4.7 L, 2.5.4.8 ST, 2.5.4.9 street, 2.5.4.10 O,"
    "2.5.4.11 OU, 2.5.4.12 title, 2.5.4.13 description, 2.5.4.14 searchGuide, 2.5.4.15 businessCategory,"
    "2.5.4.16 postalAddress, 2.5.4.17 postalCode, 2.5.4.18 postOfficeBox, 2.5.4.19 physicalDeliveryOfficeName,"
    "2.5.4.20 telephoneNumber, 2.5.4.21 telexNumber, 2.5.4.22 teletexTerminalIdentifier,"
    "2.5.4.23 facsimileTelephoneNumber, 2.5.4.24 x121Address, 2.5.4.25 internationaliSDNNumber,"
    "2.5.4.26 registeredAddress, 2.5.4.27 destinationIndicator, 2.5.4.28 preferredDeliveryMethod, 2.5.4.31 member,"
    "2.5.4.32 owner, 2.5.4.33 roleOccupant, 2.5.4.34 seeAlso, 2.5.4.41 name, 2.5.4.42 GN, 2.5.4.43 initials,"
    "2.5.4.44 generationQualifier, 2.5.4.45 x500UniqueIdentifier, 2.5.4.46 dnQualifier, 2.5.4.49 distinguishedName,"
    "2.5.4.50 uniqueMember, 2.5.4.51 houseIdentifier, 2.5.4.54 dmdName, 2.5.4.65 pseudonym, 2.5.4.72 role,"
    "2.5.29.17 subjectAltName, 2.5.4.97 organizationIdentifier, 2.5.4.98 c3, 2.5.4.99 n3, 2.5.4.100 dnsName"
)
_OTHERS = (
    "0.9.2342.19200300.100.1.1 UID, 0.9.2342.19200300.100.1.3 mail, 0.9.2342.19200300.100.1.25 DC,"
    "0.9.2342.19200300.100.1.44 uid, 1.2.840.113549.1.9.1 emailAddress, 1.2.840.113549.1.9.2 unstructuredName,"
    "1.2.840.113549.1.9.7 challengePassword,"
    "1.2.840.113549.1.9.8 unstructuredAddress, 1.3.6.1.4.1.311.60.2.1.1 jurisdictionL,"
    "1.3.6.1.4.1.311.60.2.1.2 jurisdictionST, 1.3.6.1.4.1.311.60.2.1.3 jurisdictionC,"
    "1.2.643.3.131.1.1 INN, 1.2.643.100.1 OGRN, 1.2.643.100.3 SNILS, 1.2.643.100.5 OGRNIP"
)
SHORT_NAMES: dict[str, str] = dict(re.findall(r"([\d.]+) (\w+)", f"{_X520},{_OTHERS}"))
"""OpenSSL's short name (`SN` in obj_mac.h) of each attribute type that names in certificates are made of."""

_CHARSETS = {
    0x0C: "utf-8",
    0x12: "latin-1",  # NumericString
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String: what every tool writes there, whatever T.61 says
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_RFC4514_SPECIAL = re.compile(r'^[ #]|[,+"\\<>;]| $')


@dataclass(frozen=True)
class Name:
    """A distinguished name: RDNs in the order they are encoded, each of (key, text) pairs.

    A key is OpenSSL's short name, or the dotted OID where it has none.
    """

    rdns: tuple[tuple[tuple[str, str], ...], ...]

    def flatten(self) -> dict[str, str]:
        """Return {key: text}; of a repeated attribute the one encoded first."""
        flat: dict[str, str] = {}
        for key, value in chain.from_iterable(self.rdns):
            flat.setdefault(key, value)
        return flat

    def rfc4514(self) -> str:
        """Return one line that loses nothing, the last RDN first (RFC 4514)."""
        return ",".join("+".join(f"{key}={_escape(value)}" for key, value in rdn) for rdn in reversed(self.rdns))

    def comparable(self) -> str:
        """Return what two names have in common when they name the same (RFC 5280 7.1, nearly)."""
        return " ".join(self.rfc4514().casefold().split())


def read_name(node: der.Node) -> Name:
    """Read a Name; a value that is no string becomes `#` and hex. Raises `Unreadable("malformed")`."""
    return Name(tuple(_rdn(rdn) for rdn in der.children(der.expect(node, der.SEQUENCE))))


def text(value: der.Node) -> str:
    """Return a string of any ASN.1 type as text; anything else as `#` and hex."""
    charset = _CHARSETS.get(value.tag)
    if charset is None:
        return "#" + value.encoding.hex().upper()
    try:
        return value.content.decode(charset)
    except UnicodeDecodeError:
        return value.content.decode("latin-1")


def _rdn(node: der.Node) -> tuple[tuple[str, str], ...]:
    return tuple(_attribute(pair) for pair in der.children(der.expect(node, der.SET)))


def _attribute(pair: der.Node) -> tuple[str, str]:
    parts = der.sequence(pair, 2)
    oid = der.oid(parts[0])
    return SHORT_NAMES.get(oid, oid), text(parts[1])


def _escape(value: str) -> str:
    if value.startswith("#") and re.fullmatch("#(?:[0-9A-F]{2})+", value):
        return value
    return _RFC4514_SPECIAL.sub(lambda match: "\\" + match[0], value)
