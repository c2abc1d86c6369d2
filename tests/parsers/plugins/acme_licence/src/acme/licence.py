"""Acme's licence files: `ACME`, ten digits, and eight of a date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from parsers.interface import Metadata, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget

MAGIC, SIZE = b"ACME", 22


class LicenceParser:
    """One licence, encrypted by nobody."""

    kind = "acme_licence"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the first four bytes."""
        return 100 if head.startswith(MAGIC) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell the number and the date."""
        if len(data) < SIZE:
            raise Unreadable("truncated")
        try:
            until = datetime.strptime(data[14:SIZE].decode("ascii"), "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            raise Unreadable("malformed") from None
        expires_at = until.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return Metadata({"id": data[4:14].decode("ascii"), "expires_at": expires_at}, expires_at)
