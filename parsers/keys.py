"""Keys outside any keystore: what kind they are, and which certificate they would match. Nothing of a key is shown."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from parsers import der, pem
from parsers.interface import Json, Metadata, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        from parsers.public_half import of_public  # noqa: PLC0415 - a quarter of what a child would load; few need it

        return Metadata(of_public(pem.unwrap(data, _PUBLIC)))


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
    from parsers.public_half import of_private  # noqa: PLC0415 - as above

    der.sequence(der.load(data), 2)
    return {"encrypted": False} | of_private(data)


def _describe_block(block: pem.Block) -> Json:
    content = block.decode()
    if block.label == _ENCRYPTED or b"ENCRYPTED" in block.headers:
        return {"encrypted": True}
    return _describe(content)


def _describe_openssh(data: bytes) -> Json:
    from parsers.public_half import of_openssh  # noqa: PLC0415 - as above

    found = of_openssh(data)
    return {"encrypted": True} if found is None else {"encrypted": False} | found
