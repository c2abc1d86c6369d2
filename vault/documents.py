"""A page of files as they are told of: finished JSON, made once for as long as nobody commits anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from vault.abridging import LIMIT


@dataclass(frozen=True)
class Documents:
    """The JSON texts of one page of files, and how many files there are in all."""

    rows: list[str]
    total: int

    @cached_property
    def body(self) -> bytes:
        """The page as a JSON array."""
        return f"[{','.join(self.rows)}]".encode("utf-8", "replace")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the body."""
        return hashlib.sha256(self.body).digest()

    @property
    def too_long(self) -> bool:
        """Whether this is too much for one answer."""
        return len(self.body) > LIMIT
