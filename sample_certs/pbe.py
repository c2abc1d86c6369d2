"""PKCS#12's own way from a password to a key (RFC 7292, appendix B), with SHA-1 and three-key Triple-DES.

Old, and still what Keychain exports, `keytool` before Java 9 and Bouncy Castle write. `cryptography` offers it for
whole files only, with one key in each and never with an empty password.
"""

from __future__ import annotations

import hashlib
import hmac
from itertools import cycle, islice

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

SALT = b"a sample"  # fixed, so that the same file comes out again
ITERATIONS = 2048

_BLOCK = 64
_KEY, _IV, _MAC = 1, 2, 3


def encrypt(data: bytes, password: str) -> bytes:
    """Encrypt with pbeWithSHAAnd3-KeyTripleDES-CBC under `SALT` and `ITERATIONS`."""
    padder = PKCS7(64).padder()
    padded = padder.update(data) + padder.finalize()
    encryptor = Cipher(TripleDES(_derive(_KEY, password, 24)), CBC(_derive(_IV, password, 8))).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def authenticate(data: bytes, password: str) -> bytes:
    """Return the HMAC-SHA-1 of `data` under `SALT` and `ITERATIONS`."""
    return hmac.digest(_derive(_MAC, password, 20), data, "sha1")


def _derive(purpose: int, password: str, size: int) -> bytes:
    state = _whole_blocks(SALT) + _whole_blocks(f"{password}\0".encode("utf-16-be"))
    derived = b""
    while len(derived) < size:
        digest = bytes([purpose]) * _BLOCK + state
        for _ in range(ITERATIONS):
            digest = hashlib.sha1(digest).digest()
        derived += digest
        state = _advance(state, digest)
    return derived[:size]


def _advance(state: bytes, digest: bytes) -> bytes:
    step = int.from_bytes(_whole_blocks(digest)) + 1
    blocks = (int.from_bytes(state[at : at + _BLOCK]) for at in range(0, len(state), _BLOCK))
    return b"".join(((block + step) % (1 << 8 * _BLOCK)).to_bytes(_BLOCK) for block in blocks)


def _whole_blocks(text: bytes) -> bytes:
    return bytes(islice(cycle(text), -(-len(text) // _BLOCK) * _BLOCK))
