"""Java keystores: JKS through pyjks, Bouncy Castle's BKS (which pyjks only reads) by hand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import jks
from cryptography.hazmat.primitives.asymmetric import ec

from sample_certs import pbe

if TYPE_CHECKING:
    from datetime import datetime

    from sample_certs.issuing import Identity

_BKS_VERSION = 2
_SEALED_KEY = 4
_END_OF_ENTRIES = b"\0"
_PRIVATE = 0


def jks_of(alias: str, identity: Identity, password: str, made: datetime) -> bytes:
    """Return a JKS holding the key and its chain. pyjks salts the key anew each time."""
    entry = jks.PrivateKeyEntry.new(alias, identity.chain_der, identity.pkcs8)
    entry.timestamp = _milliseconds(made)
    data: bytes = jks.KeyStore.new("jks", [entry]).saves(password)
    return data


def bks_of(alias: str, identity: Identity, password: str, made: datetime) -> bytes:
    """Return a BKS of version 2 holding the key, sealed with the same password, and its chain."""
    entry = bytes([_SEALED_KEY]) + _text(alias) + struct.pack(">QI", _milliseconds(made), len(identity.chain))
    entry += b"".join(_text("X.509") + _blob(certificate) for certificate in identity.chain_der)
    entry += _blob(_salted() + pbe.encrypt(_bks_key(identity), password))
    entries = entry + _END_OF_ENTRIES
    return struct.pack(">I", _BKS_VERSION) + _salted() + entries + pbe.authenticate(entries, password)


def _bks_key(identity: Identity) -> bytes:
    algorithm = "EC" if isinstance(identity.key, ec.EllipticCurvePrivateKey) else "RSA"
    return bytes([_PRIVATE]) + _text("PKCS#8") + _text(algorithm) + _blob(identity.pkcs8)


def _salted() -> bytes:
    return _blob(pbe.SALT) + struct.pack(">I", pbe.ITERATIONS)


def _blob(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _text(text: str) -> bytes:
    # Java's writeUTF; the same as UTF-8 for the ASCII that is written here.
    return struct.pack(">H", len(text)) + text.encode("ascii")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
