"""Java's own keystores, JKS and JCEKS. Their certificates lie in clear; the password only proves integrity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers.certificate import read_certificate
from parsers.entries import PRIVATE_KEY, SECRET_KEY, TRUSTED, Entry, describe_entries
from parsers.interface import Metadata, Unreadable
from parsers.layout import JCEKS_MAGIC, JKS_MAGIC, Layout, RawEntry, read_jks

if TYPE_CHECKING:
    import jks

    from parsers.interface import Budget

_MANY = 1000  # pyjks is slow with very many entries: 195,000 in one file take it 4 s


class _JavaKeystore:
    kind = ""
    magic = b""

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the magic number."""
        return 100 if head.startswith(self.magic) else 0

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """List the entries; with a password, only when it is the right one."""
        layout = read_jks(data)
        found = _opened(data, password) if _suits_pyjks(layout) else _listed(layout, password)
        return describe_entries([entry_of(raw) for raw in found], budget)


class JksParser(_JavaKeystore):
    """The JDK's default format until Java 8."""

    kind = "jks"
    magic = JKS_MAGIC


class JceksParser(_JavaKeystore):
    """The same layout with better encryption of keys, and secret keys besides."""

    kind = "jceks"
    magic = JCEKS_MAGIC


def entry_of(raw: RawEntry) -> Entry:
    """Read an entry's first certificate, which is the key's own or the trusted one."""
    return Entry(raw.alias, raw.kind, read_certificate(raw.chain[0]) if raw.chain else None)


def _suits_pyjks(layout: Layout) -> bool:
    """Tell whether pyjks can read the file: it refuses repeated aliases and deserializes secret keys."""
    aliases = {entry.alias for entry in layout.entries}
    return (
        len(aliases) == len(layout.entries) <= _MANY
        and all(entry.kind != SECRET_KEY for entry in layout.entries)
        and all(alias.isascii() for alias in aliases)  # it knows UTF-8, not Java's variant of it
    )


def _opened(data: bytes, password: str | None) -> list[RawEntry]:
    import jks  # noqa: PLC0415 - half of what a child has to load, and most files are no keystores of Java's

    try:
        store = jks.KeyStore.loads(data, password, try_decrypt_keys=False)
    except jks.util.KeystoreSignatureException:
        raise Unreadable("password_wrong") from None
    except jks.util.KeystoreException:
        raise Unreadable("malformed") from None
    return [_raw(alias, entry) for alias, entry in store.entries.items()]


def _raw(alias: str, entry: jks.PrivateKeyEntry | jks.TrustedCertEntry) -> RawEntry:
    import jks  # noqa: PLC0415 - as above

    if isinstance(entry, jks.TrustedCertEntry):
        return RawEntry(alias, TRUSTED, [entry.cert])
    return RawEntry(alias, PRIVATE_KEY, [encoding for _, encoding in entry.cert_chain])


def _listed(layout: Layout, password: str | None) -> list[RawEntry]:
    if password is not None and not layout.verifies(password):
        raise Unreadable("password_wrong")
    return list({entry.alias: entry for entry in layout.entries}.values())  # of one alias the last, as keytool does
