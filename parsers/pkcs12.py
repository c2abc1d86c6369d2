"""PKCS#12 (RFC 7292) in DER and BER. Only what holds certificates is decrypted; private keys stay sealed.

cryptography's own reader is not used: it returns one key of several, checks the private key (which takes 75 times as
long as everything else), and runs whatever number of rounds a file asks for while holding the interpreter's lock.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from parsers import der, names, pbe
from parsers.certificate import Certificate, leaf, read_certificate
from parsers.entries import PRIVATE_KEY, SECRET_KEY, TRUSTED, Entry, describe_entries
from parsers.interface import Metadata, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parsers.interface import Budget

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_BAG = "1.2.840.113549.1.12.10.1."
_KEY_BAGS = {_BAG + "1", _BAG + "2"}  # in clear, and encrypted on its own
_SHROUDED_KEY_BAG, _CERTIFICATE_BAG, _SECRET_BAG, _NESTED = (_BAG + number for number in "2356")
_X509 = "1.2.840.113549.1.9.22.1"
_FRIENDLY_NAME, _LOCAL_KEY_ID = "1.2.840.113549.1.9.20", "1.2.840.113549.1.9.21"
_JAVA_TRUSTED = "2.16.840.1.113894.746875.1.1"  # Oracle's trustedKeyUsage: marks what keytool lists as trusted
_PBMAC1 = "1.2.840.113549.1.5.14"
_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "1.2.840.113549.2.5": "md5",
}
_MAX_NESTING = 8


@dataclass(frozen=True)
class _Bag:
    """A SafeBag: its type, its value, and the attributes that tie keys to certificates."""

    oid: str
    value: der.Node
    attributes: dict[str, der.Node]

    @cached_property
    def name(self) -> str:
        node = self.attributes.get(_FRIENDLY_NAME)
        return names.text(node) if node else ""

    @cached_property
    def key_id(self) -> bytes:
        node = self.attributes.get(_LOCAL_KEY_ID)
        return node.content if node else b""


@dataclass(frozen=True)
class _Safe:
    """One ContentInfo of the file: bags, encrypted where there is a scheme."""

    content: bytes
    scheme: pbe.Scheme | None

    def open(self, password: str | None) -> list[_Bag]:
        content = self.scheme.decrypt(password, self.content) if self.scheme else self.content
        return list(_bags(der.load(content)))


class _Mac:
    """The integrity check over all safes: PKCS#12's own, or PBMAC1 (RFC 9579)."""

    def __init__(self, node: der.Node) -> None:
        info, salt, *rounds = der.sequence(node, 2)[:3]
        algorithm, digest = der.sequence(info, 2)[:2]
        oid, parameters = pbe.algorithm_identifier(algorithm)
        self._expected = der.octets(digest)
        self._salt = der.octets(salt)
        self._kdf: pbe.Derivation | None = None
        if oid == _PBMAC1 and parameters is not None:
            kdf, scheme = der.sequence(parameters, 2)[:2]
            self._kdf, self._digest = pbe.read_derivation(kdf), pbe.hmac_digest(scheme)
            self.work = self._kdf.work
        elif oid in _DIGESTS:
            self._digest = _DIGESTS[oid]
            self.work = pbe.positive(rounds[0]) if rounds else 1
        else:
            raise Unreadable("unsupported")

    def verifies(self, password: str | None, content: bytes) -> bool:
        size = hashlib.new(self._digest).digest_size
        if self._kdf:
            key = self._kdf.derive(password, self._kdf.key_size or size)
        else:
            key = pbe.derive_pkcs12(self._digest, pbe.MAC, password, self._salt, self.work, size)
        return hmac.compare_digest(hmac.digest(key, content, self._digest), self._expected)


class _Archive:
    """A PFX, read as far as that is possible without a password."""

    def __init__(self, data: bytes) -> None:
        fields = der.sequence(der.load(data), 2)
        self.content = _data(der.sequence(fields[1]))
        self.safes = [_safe(info) for info in der.children(der.expect(der.load(self.content), der.SEQUENCE))]
        self.mac = _Mac(fields[2]) if len(fields) > 2 else None

    @property
    def work(self) -> int:
        """Rounds of derivation that the whole file asks for, keys that nobody opens included."""
        schemes = [safe.scheme for safe in self.safes if safe.scheme]
        return sum(scheme.work for scheme in schemes) + (self.mac.work if self.mac else 0) + self._work_of_keys()

    def _work_of_keys(self) -> int:
        clear = (bag for safe in self.safes if not safe.scheme for bag in safe.open(None))
        return sum(_work(bag.value) for bag in clear if bag.oid == _SHROUDED_KEY_BAG)

    def open(self, password: str | None) -> list[_Bag]:
        """Return all bags. Raises `Unreadable`: "password_wrong" or "password_missing"."""
        if password is None and not any(safe.scheme for safe in self.safes):
            return [bag for safe in self.safes for bag in safe.open(None)]
        for candidate in [password] if password else ["", None]:
            bags = self._try(candidate)
            if bags is not None:
                return bags
        raise Unreadable("password_missing" if password is None else "password_wrong")

    def _try(self, password: str | None) -> list[_Bag] | None:
        if self.mac and not self.mac.verifies(password, self.content):
            return None
        try:
            return [bag for safe in self.safes for bag in safe.open(password)]
        except Unreadable as reason:
            # Without a MAC only the outcome tells a wrong password: nonsense where bags should be.
            if reason.code == "password_wrong" or (self.mac is None and reason.code in ("malformed", "truncated")):
                return None
            raise


class Pkcs12Parser:
    """A .p12 or .pfx, a keystore that keytool wrote since Java 9, a trust store."""

    kind = "pkcs12"

    def sniff(self, head: bytes, _name: str) -> int:
        """A SEQUENCE that begins with the version, always 3, and a ContentInfo."""
        return 95 if der.tags(head, 4) == b"\x30\x02\x30\x06" and b"\x02\x01\x03\x30" in head[:24] else 0

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """Describe the keys' certificates, or the trusted ones where there is no key."""
        archive = _Archive(data)
        budget.afford(archive.work)
        return describe_entries(_entries(archive.open(password)), budget)


def _safe(info: der.Node) -> _Safe:
    parts = der.sequence(info, 2)
    kind = der.oid(parts[0])
    if kind == _DATA:
        return _Safe(_data(parts), None)
    if kind != _ENCRYPTED_DATA:  # enveloped for the owner of a private key: no password opens it
        raise Unreadable("unsupported")
    encrypted = der.sequence(der.sequence(der.explicit(parts[1], 0), 2)[1], 3)
    return _Safe(der.octets(encrypted[2], 0x80), pbe.read_scheme(encrypted[1]))


def _data(info: list[der.Node]) -> bytes:
    if len(info) != 2 or der.oid(info[0]) != _DATA:
        raise Unreadable("unsupported")
    return der.octets(der.explicit(info[1], 0))


def _bags(safe_contents: der.Node, depth: int = 0) -> Iterator[_Bag]:
    for node in der.children(der.expect(safe_contents, der.SEQUENCE)):
        parts = der.sequence(node, 2)
        oid, value = der.oid(parts[0]), der.explicit(parts[1], 0)
        if oid == _NESTED and depth < _MAX_NESTING:
            yield from _bags(value, depth + 1)
        else:
            yield _Bag(oid, value, _attributes(parts[2]) if len(parts) > 2 else {})


def _attributes(node: der.Node) -> dict[str, der.Node]:
    found: dict[str, der.Node] = {}
    for attribute in der.sequence(node, tag=der.SET):
        oid, values = der.sequence(attribute, 2)[:2]
        for value in der.children(values):
            found.setdefault(der.oid(oid), value)
    return found


def _work(encrypted_key: der.Node) -> int:
    try:
        return pbe.read_scheme(der.sequence(encrypted_key, 1)[0]).work
    except Unreadable:
        return 0  # a cipher that we do not know does not matter: the key is never opened


def _certificate(bag: _Bag) -> Certificate | None:
    kind, value = der.sequence(bag.value, 2)[:2]
    return read_certificate(der.octets(der.explicit(value, 0))) if der.oid(kind) == _X509 else None


def _entries(bags: list[_Bag]) -> list[Entry]:
    certificates = [
        (bag, certificate) for bag in bags if bag.oid == _CERTIFICATE_BAG and (certificate := _certificate(bag))
    ]
    keys = [bag for bag in bags if bag.oid in _KEY_BAGS]
    entries: list[Entry] = []
    for bag in keys:
        owner, found = _leaf(bag, certificates, alone=len(keys) == 1)
        name = bag.name or (owner.name if owner else "")
        entries.append(Entry(name or str(len(entries) + 1), PRIVATE_KEY, found))
    entries += [Entry(bag.name or str(len(entries) + 1), SECRET_KEY) for bag in bags if bag.oid == _SECRET_BAG]
    trusted = [pair for pair in certificates if not keys or _JAVA_TRUSTED in pair[0].attributes]
    return entries + [
        Entry(bag.name or str(len(entries) + number), TRUSTED, certificate)
        for number, (bag, certificate) in enumerate(trusted, 1)
    ]


def _leaf(
    key: _Bag, certificates: list[tuple[_Bag, Certificate]], *, alone: bool
) -> tuple[_Bag | None, Certificate | None]:
    """Find a key's certificate: by key id, else by name, else, for an only key, at the end of the chain."""
    for bag, certificate in certificates:
        if key.key_id and bag.key_id == key.key_id:
            return bag, certificate
    for bag, certificate in certificates:
        if key.name and bag.name == key.name:
            return bag, certificate
    others = [certificate for bag, certificate in certificates if _JAVA_TRUSTED not in bag.attributes]
    return None, leaf(others) if alone and others else None
