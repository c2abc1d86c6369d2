"""The bytes of Java's JKS and JCEKS keystores, and of Bouncy Castle's BKS, up to but not into the keys.

This walk comes before any other reading: it refuses a file that claims more entries, certificates or bytes than it
has, and one that was cut short. What it sees on the way is all that a keystore tells without its password.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from parsers.cursor import Cursor
from parsers.entries import PRIVATE_KEY, SECRET_KEY, TRUSTED
from parsers.interface import Unreadable
from parsers.javaobject import skip_object

JKS_MAGIC, JCEKS_MAGIC = b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"
_DIGEST_SIZE = 20
_WHITENING = b"Mighty Aphrodite"  # the JDK's, in sun.security.provider.JavaKeyStore
_PRIVATE_KEY, _TRUSTED, _SECRET_KEY = 1, 2, 3
_BKS_CERTIFICATE, _BKS_KEY, _BKS_SECRET, _BKS_SEALED = 1, 2, 3, 4


@dataclass
class RawEntry:
    """An entry as it lies in the file: alias, kind (as in `parsers.entries`), the DER of its certificates."""

    alias: str
    kind: str
    chain: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """What the walk found: the entries in their order, and where the digest over everything before it begins."""

    data: bytes
    entries: list[RawEntry]
    end: int

    def verifies(self, password: str) -> bool:
        """Tell whether the digest at the end of a JKS or JCEKS was made with this password."""
        keyed = hashlib.sha1(password.encode("utf-16-be", "surrogatepass") + _WHITENING, usedforsecurity=False)
        keyed.update(self.data[: self.end])
        return hmac.compare_digest(keyed.digest(), self.data[self.end : self.end + _DIGEST_SIZE])


def read_jks(data: bytes) -> Layout:
    """Walk a JKS or JCEKS. Raises `Unreadable`: "truncated", "malformed" or "unsupported"."""
    cursor = Cursor(data, 4)
    if cursor.u32() != 2:  # version 1 went out of use with JDK 1.2
        raise Unreadable("unsupported")
    entries = [_jks_entry(cursor) for _ in range(cursor.u32())]
    end = cursor.at
    cursor.skip(_DIGEST_SIZE)
    return Layout(data, entries, end)


def _jks_entry(cursor: Cursor) -> RawEntry:
    tag, alias = cursor.u32(), cursor.text()
    cursor.skip(8)  # when it was made
    if tag == _PRIVATE_KEY:
        cursor.skip(cursor.u32())  # the key, encrypted
        return RawEntry(alias, PRIVATE_KEY, [_certificate(cursor) for _ in range(cursor.u32())])
    if tag == _TRUSTED:
        return RawEntry(alias, TRUSTED, [_certificate(cursor)])
    if tag == _SECRET_KEY and cursor.data.startswith(JCEKS_MAGIC):
        skip_object(cursor)
        return RawEntry(alias, SECRET_KEY)
    raise Unreadable("malformed")


def _certificate(cursor: Cursor) -> bytes:
    cursor.text()  # its type, "X.509"
    return cursor.blob()


def read_bks(data: bytes) -> list[RawEntry]:
    """Walk a BKS of version 1 or 2. Raises `Unreadable`: "truncated" or "malformed"."""
    cursor = Cursor(data, 4)
    if not cursor.blob():
        raise Unreadable("malformed")  # no salt
    cursor.skip(4)  # rounds of key derivation
    entries = []
    while tag := cursor.u8():
        entries.append(_bks_entry(cursor, tag))
    cursor.skip(_DIGEST_SIZE)
    return entries


def _bks_entry(cursor: Cursor, tag: int) -> RawEntry:
    alias = cursor.text()
    cursor.skip(8)  # when it was made
    chain = [_certificate(cursor) for _ in range(cursor.u32())]
    if tag == _BKS_CERTIFICATE:
        return RawEntry(alias, TRUSTED, [_certificate(cursor)])
    if tag == _BKS_KEY:
        cursor.skip(1)
        cursor.text()
        cursor.text()
    elif tag not in (_BKS_SECRET, _BKS_SEALED):
        raise Unreadable("malformed")
    cursor.skip(cursor.u32())
    return RawEntry(alias, PRIVATE_KEY if chain else SECRET_KEY, chain)
