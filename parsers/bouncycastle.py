"""Bouncy Castle's keystores: BKS, UBER, and BCFKS by name only."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from parsers import der
from parsers.cursor import Cursor
from parsers.entries import PRIVATE_KEY, SECRET_KEY, TRUSTED, describe_entries
from parsers.interface import Metadata, Unreadable
from parsers.keystore import entry_of
from parsers.layout import RawEntry, read_bks

if TYPE_CHECKING:
    import jks

    from parsers.interface import Budget

_VERSIONS = (b"\0\0\0\1\0\0\0", b"\0\0\0\2\0\0\0")  # and three octets of the salt's length, which is short
_BLOCK = 16


class BksParser:
    """BKS, version 1 or 2: certificates in clear, the password proves integrity and opens keys."""

    kind = "bks"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the version and a short salt."""
        return 70 if head.startswith(_VERSIONS) else 0

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """List the entries; with a password, only when it is the right one."""
        try:
            found = read_bks(data)
        except Unreadable:
            if _may_be_uber(data):
                raise Unreadable("unrecognized") from None
            raise
        if password is not None:
            budget.afford(_iterations(data))
            found = _opened(data, password)
        return describe_entries([entry_of(raw) for raw in found], budget)


class UberParser:
    """UBER: a BKS encrypted as a whole, with Twofish."""

    kind = "uber"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the only version there is and a short salt."""
        return 65 if head.startswith(_VERSIONS[0]) else 0

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """List the entries."""
        if not _may_be_uber(data):
            raise Unreadable("truncated")
        budget.afford(_iterations(data))
        if password is None:
            raise Unreadable("password_missing")
        if not _has_twofish():
            raise Unreadable("unsupported")
        found = _opened(data, password, whole=True)
        return describe_entries([entry_of(raw) for raw in found], budget)


class BcfksParser:
    """BCFKS, which no library for Python reads."""

    kind = "bcfks"

    def sniff(self, head: bytes, _name: str) -> int:
        """Encrypted data where anything else has a version or a name: one SEQUENCE deeper than an encrypted key."""
        return 60 if der.tags(head, 4) == b"\x30\x30\x30\x06" else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Say that it cannot be read."""
        der.load(data)
        raise Unreadable("unsupported")


@cache
def _has_twofish() -> bool:
    """Tell whether pyjks can decrypt: the package needs a compiler to install and does not load on Python 3.12."""
    try:
        import_module("twofish")
    except ImportError:
        return False
    return True


def _may_be_uber(data: bytes) -> bool:
    """Tell an UBER from a BKS of version 1: all but its header is blocks of a cipher."""
    cursor = Cursor(data, 4)
    try:
        cursor.blob()
        cursor.u32()
    except Unreadable:
        return False
    rest = len(data) - cursor.at
    return data.startswith(_VERSIONS[0]) and rest > 0 and rest % _BLOCK == 0


def _iterations(data: bytes) -> int:
    cursor = Cursor(data, 4)
    cursor.blob()
    return cursor.u32()


def _opened(data: bytes, password: str, *, whole: bool = False) -> list[RawEntry]:
    """Return the entries, with `whole` of a store that is encrypted as one."""
    import jks  # noqa: PLC0415 - slow to load, and most files are none of these

    kind = jks.UberKeyStore if whole else jks.BksKeyStore
    try:
        store = kind.loads(data, password, try_decrypt_keys=False)
    except (jks.util.KeystoreSignatureException, jks.util.DecryptionFailureException):
        raise Unreadable("password_wrong") from None
    except jks.util.KeystoreException:
        raise Unreadable("malformed") from None
    return [_raw(alias, entry) for alias, entry in store.entries.items()]


def _raw(alias: str, entry: jks.bks.AbstractBksEntry | jks.TrustedCertEntry) -> RawEntry:
    import jks  # noqa: PLC0415 - as above

    if isinstance(entry, jks.TrustedCertEntry):
        return RawEntry(alias, TRUSTED, [entry.cert])
    chain = [certificate.cert for certificate in entry.cert_chain]
    return RawEntry(alias, PRIVATE_KEY if chain else SECRET_KEY, chain)
