"""One segment of a sealed stream: its key, its nonce, its tag."""

from __future__ import annotations

import os
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.crypto.kdf import hkdf
from vault.crypto.layout import HEADER_SIZE, Layout
from vault.errors import Tampered

Bytes: TypeAlias = bytes | bytearray | memoryview

KEY_SIZE = 32
SALT_SIZE = 32


def new_header() -> bytes:
    """Return the header of a new stream: its own length, a random salt and a random nonce prefix."""
    return bytes((HEADER_SIZE,)) + os.urandom(HEADER_SIZE - 1)


class Segments:
    """Seals and opens the segments of the one stream that `header` begins.

    Raises `Tampered` for a header that is not of this format, ValueError for a data key that is not 32 bytes long.
    """

    def __init__(self, key: bytes, aad: bytes, header: bytes, layout: Layout) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a data key has {KEY_SIZE} bytes")
        if len(header) != HEADER_SIZE or header[0] != HEADER_SIZE:
            raise Tampered(f"bytes 0 to {HEADER_SIZE} of the sealed stream are not the header of one")
        self._layout = layout
        salt, self._prefix = header[1 : 1 + SALT_SIZE], header[1 + SALT_SIZE :]
        self._cipher = AESGCM(hkdf(key, aad, salt=salt))

    def seal_into(self, index: int, plain: Bytes, target: memoryview, *, last: bool) -> None:
        """Write segment `index` and its tag to `target`, which is 16 bytes longer than `plain`."""
        self._cipher.encrypt_into(self._nonce(index, last=last), plain, None, target)

    def open_into(self, index: int, sealed: Bytes, target: memoryview, *, last: bool) -> None:
        """Write the plaintext of segment `index` to `target`, 16 bytes shorter than `sealed`. Raises `Tampered`."""
        try:
            self._cipher.decrypt_into(self._nonce(index, last=last), sealed, None, target)
        except InvalidTag:
            # The cipher wrote before it could know: what an attacker chose must not be left there.
            target[:] = bytes(len(target))
            raise self._tampered(index, sealed) from None

    def opened(self, index: int, sealed: Bytes, *, last: bool) -> bytes:
        """Return the plaintext of segment `index`. Raises `Tampered`."""
        try:
            return self._cipher.decrypt(self._nonce(index, last=last), sealed, None)
        except InvalidTag:
            raise self._tampered(index, sealed) from None

    def _tampered(self, index: int, sealed: Bytes) -> Tampered:
        begin = index * self._layout.segment_size or HEADER_SIZE
        return Tampered(
            f"bytes {begin} to {begin + len(sealed)} of the sealed stream do not open: "
            "damaged, or sealed with another key or for another owner"
        )

    def _nonce(self, index: int, *, last: bool) -> bytes:
        return self._prefix + index.to_bytes(4, "big") + (b"\x01" if last else b"\x00")
