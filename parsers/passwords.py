"""Files that are secret from end to end: of these only the kind is told."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from parsers.interface import Metadata, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget

_SETTING = re.compile(rb"^[ \t]*(storePassword|keyPassword|storeFile|keyAlias)[ \t]*[=:]", re.MULTILINE)
_MARKS = (b"store", b"keyAlias")  # of two names one has one of these; they are found in a tenth of the time
_ENCRYPTED = (b"Salted__", b"match_encrypted_v2__")  # openssl enc, which match used first, and match's own


class KeystorePropertiesParser:
    """The keystore.properties of an Android build: it is the passwords."""

    kind = "keystore_properties"

    def sniff(self, head: bytes, _name: str) -> int:
        """Two of the names that the Android build documents."""
        likely = any(mark in head for mark in _MARKS)
        return 70 if likely and len(set(_SETTING.findall(head))) > 1 else 0

    def parse(self, _data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell nothing."""
        return Metadata({})


class MatchParser:
    """A file that fastlane match encrypted before it came here."""

    kind = "match_encrypted"

    def sniff(self, head: bytes, _name: str) -> int:
        """Base64 of match's own header."""
        return 100 if _decoded(head[:64]).startswith(_ENCRYPTED) else 0

    def parse(self, _data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Say that only match can open it."""
        raise Unreadable("encrypted_elsewhere")


def _decoded(head: bytes) -> bytes:
    text = b"".join(head.split())
    try:
        return head if head.startswith(_ENCRYPTED) else base64.b64decode(text[: len(text) // 4 * 4], validate=True)
    except binascii.Error:
        return b""
