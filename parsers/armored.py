"""Files in PEM: which of the blocks speaks for the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers import pem
from parsers.certificate import CertificateParser
from parsers.interface import Metadata, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget

_CERTIFICATES = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}


class ArmoredParser:
    """PEM of any kind; with several blocks in it the first certificate is what a user wants to know about."""

    kind = "pem"

    def sniff(self, head: bytes, _name: str) -> int:
        """Look for a BEGIN line, which may come after text."""
        return 95 if pem.BEGIN in head else 0

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """Describe the first certificate."""
        for block in list(pem.blocks(data)):
            if block.label in _CERTIFICATES:
                return CertificateParser().parse(block.decode(), password, budget)
        raise Unreadable("unrecognized")
