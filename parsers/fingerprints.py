"""Fingerprints as keytool prints them."""

from __future__ import annotations

import hashlib


def fingerprint(encoding: bytes, algorithm: str = "sha256") -> str:
    """Return a digest in keytool's manner: upper-case hex in pairs, parted by colons."""
    return hashlib.new(algorithm, encoding, usedforsecurity=False).digest().hex(":").upper()
