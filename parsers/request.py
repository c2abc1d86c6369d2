"""Certificate signing requests (PKCS#10, RFC 2986)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers import der, pem
from parsers.fingerprints import fingerprint
from parsers.interface import Metadata
from parsers.names import read_name

if TYPE_CHECKING:
    from parsers.interface import Budget

_LABELS = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"}
_OUTLINES = (b"\x30\x30\x02\x30\x31", b"\x30\x30\x02\x30\x30\x30\x06")  # with a subject, and with an empty one


class RequestParser:
    """A .csr or .certSigningRequest: whose key wants to be certified. It never expires."""

    kind = "certificate_request"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the PEM label, or by the outline: a version and at once a name."""
        outline = der.tags(head, 7)
        return 88 if pem.has_block(head, _LABELS) or any(map(outline.startswith, _OUTLINES)) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Describe the subject and its key."""
        request = der.sequence(der.load(pem.unwrap(data, _LABELS)), 3)
        _, subject, public_key = der.sequence(request[0], 3)[:3]
        name = read_name(subject)
        return Metadata(
            {
                "subject": name.flatten(),
                "subject_dn": name.rfc4514(),
                "public_key_sha256": fingerprint(der.expect(public_key, der.SEQUENCE).encoding),
            }
        )
