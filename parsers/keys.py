"""Keys outside any keystore: what kind they are, and which certificate they would match. Nothing of a key is shown."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_ssh_private_key,
)

from parsers import der, pem
from parsers.fingerprints import fingerprint
from parsers.interface import Json, Metadata, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from parsers.interface import Budget

_OPENSSH = "OPENSSH PRIVATE KEY"
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_PRIVATE = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ANY PRIVATE KEY"}
_PUBLIC = {"PUBLIC KEY", "RSA PUBLIC KEY"}
_OUTLINES = {
    b"\x30\x02\x30\x06": False,  # PKCS#8
    b"\x30\x02\x02\x02": False,  # PKCS#1, and DSA's old form
    b"\x30\x02\x04\xa0": False,  # SEC 1
    b"\x30\x30\x06\x30": True,  # PKCS#8, encrypted
}
_ALGORITHMS = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA",
    "1.2.840.10045.2.1": "EC",
    "1.2.840.10040.4.1": "DSA",
    "1.3.101.110": "X25519",
    "1.3.101.111": "X448",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}


class PrivateKeyParser:
    """A private key in PEM or DER: .p8, .key, and fastlane's .p12 files that are PEM."""

    kind = "private_key"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the PEM label or the outline."""
        if pem.has_block(head, _PRIVATE | {_ENCRYPTED, _OPENSSH}):
            return 87
        return 70 if der.tags(head, 4) in _OUTLINES else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell the algorithm and the fingerprint of the public half; of an encrypted key only that it is one."""
        if not pem.is_pem(data):
            return Metadata(_describe_der(data))
        block = pem.first(data, _PRIVATE | {_ENCRYPTED, _OPENSSH})
        return Metadata(_describe_openssh(data) if block.label == _OPENSSH else _describe_block(block))


class PublicKeyParser:
    """A public key in PEM."""

    kind = "public_key"

    def sniff(self, head: bytes, _name: str) -> int:
        """Go by the PEM label."""
        return 86 if pem.has_block(head, _PUBLIC) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell the algorithm and the fingerprint."""
        try:
            key = load_der_public_key(pem.unwrap(data, _PUBLIC))
        except (ValueError, UnsupportedAlgorithm):
            raise Unreadable("malformed") from None
        return Metadata(_describe_public(key))


def keys_beside(data: bytes, certified: str, budget: Budget) -> Json:
    """Tell the public halves of private keys that stand in PEM beside a certificate; nothing where there are none.

    An encrypted one is taken for the key of the certificate, whose own fingerprint is `certified`.
    """
    blocks = (block for block in pem.blocks(data) if block.label in _PRIVATE | {_ENCRYPTED})
    found = list(islice(blocks, budget.entries))
    return {"public_keys_sha256": list(_fingerprints(found, certified))} if found else {}


def _fingerprints(blocks: list[pem.Block], certified: str) -> Iterator[str]:
    for block in blocks:
        try:
            described = _describe_block(block)
        except Unreadable:
            continue
        if described["encrypted"]:
            yield certified
        elif "public_key_sha256" in described:
            yield described["public_key_sha256"]


def _describe_der(data: bytes) -> Json:
    parts = der.sequence(der.load(data), 2)
    if not _OUTLINES[der.tags(data[:4096], 4)]:
        return _describe(data)
    if parts[1].tag != der.OCTET_STRING:  # a DSA public key begins in the same way
        raise Unreadable("unrecognized")
    return {"encrypted": True}


def _describe(data: bytes) -> Json:
    described: Json = {"encrypted": False}
    der.sequence(der.load(data), 2)
    try:
        # The check of an RSA key's primes takes 35 ms and tells nothing that is shown.
        key = load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        return described
    except (ValueError, TypeError):
        raise Unreadable("malformed") from None
    return described | _describe_public(key.public_key())


def _describe_block(block: pem.Block) -> Json:
    content = block.decode()
    if block.label == _ENCRYPTED or b"ENCRYPTED" in block.headers:
        return {"encrypted": True}
    return _describe(content)


def _describe_openssh(data: bytes) -> Json:
    try:
        key = load_ssh_private_key(data, None)
    except (TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        return {"encrypted": True}
    except ValueError:
        raise Unreadable("malformed") from None
    return {"encrypted": False} | _describe_public(key.public_key())


def _describe_public(key: PublicKeyTypes) -> Json:
    encoding = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    oid = der.oid(der.sequence(der.sequence(der.load(encoding), 2)[0], 1)[0])
    described: Json = {"algorithm": _ALGORITHMS.get(oid, oid), "public_key_sha256": fingerprint(encoding)}
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        described["bits"] = key.key_size
    return described
