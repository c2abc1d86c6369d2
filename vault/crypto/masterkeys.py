"""The master keys of one vault as immutable values; their repr shows no key."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.crypto.kdf import hkdf
from vault.errors import BadKeyring, Conflict, Tampered, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE, DECRYPT_ONLY = "active", "decrypt-only"

KEY_SIZE = 32
NONCE_SIZE = 12
WRAPPED_SIZE = NONCE_SIZE + KEY_SIZE + 16


def fingerprint(secret: bytes) -> str:
    """Return eight hex digits that tell secrets apart and nothing else about them."""
    return hkdf(secret, b"check", length=4).hex()


@dataclass(frozen=True)
class MasterKey:
    """A key that wraps data keys; `state` is "active" for the primary one and "decrypt-only" for all others."""

    id: str
    secret: bytes = field(repr=False)
    created_at: str
    state: str = ACTIVE

    @cached_property
    def check(self) -> str:
        """The fingerprint of the key, which the catalog remembers it by."""
        return fingerprint(self.secret)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self.secret)

    def wrap(self, data_key: bytes, aad: bytes) -> bytes:
        """Return nonce, encrypted data key and tag: 60 bytes. Raises ValueError unless `data_key` has 32 bytes."""
        if len(data_key) != KEY_SIZE:
            raise ValueError(f"a data key has {KEY_SIZE} bytes")
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, data_key, aad)

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Return the data key in `blob`. Raises `Tampered`."""
        if len(blob) != WRAPPED_SIZE:
            raise Tampered(f"a wrapped key has {WRAPPED_SIZE} bytes, not {len(blob)}", key_id=self.id)
        try:
            return self._cipher.decrypt(blob[:NONCE_SIZE], blob[NONCE_SIZE:], aad)
        except InvalidTag:
            raise Tampered(
                f'the wrapped key does not open with the master key "{self.id}" (check {self.check}): '
                "it, or the row it belongs to, was changed",
                key_id=self.id,
            ) from None


@dataclass(frozen=True)
class MasterKeys:
    """All master keys of a vault, by id; immutable: rotation returns another value.

    `pepper` is what keys for other purposes are derived from. It stays the same through every rotation; None stands
    for one derived from the only key there is.
    """

    instance: str
    primary: str
    keys: Mapping[str, MasterKey]
    pepper: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{32}", self.instance):
            raise BadKeyring("the instance id of a keyring is 32 lower-case hex digits; take it from your backup")

    @classmethod
    def new(cls, created_at: str) -> MasterKeys:
        """Return the keys of a new vault: one, called k1."""
        key = MasterKey("k1", os.urandom(KEY_SIZE), created_at)
        return cls(os.urandom(16).hex(), key.id, {key.id: key}, os.urandom(KEY_SIZE))

    def effective_pepper(self) -> bytes:
        """Return the pepper, derived when none is written down."""
        return self.pepper or hkdf(self.keys[self.primary].secret, b"secure-files/v1/pepper")

    def rotated(self, created_at: str) -> MasterKeys:
        """Return these keys and a new primary one; the others only unwrap from now on."""
        number = max((int(key_id[1:]) for key_id in self.keys if re.fullmatch(r"k\d{1,9}", key_id)), default=0) + 1
        key = MasterKey(f"k{number}", os.urandom(KEY_SIZE), created_at)
        keys = {old.id: replace(old, state=DECRYPT_ONLY) for old in self.keys.values()}
        return replace(self, primary=key.id, keys=keys | {key.id: key}, pepper=self.effective_pepper())

    def without(self, key_id: str) -> MasterKeys:
        """Return these keys less one. Raises `UnknownKey`, and `Conflict` for the primary key."""
        if key_id not in self.keys:
            raise UnknownKey(f'there is no key "{key_id}" in the keyring', key_id=key_id)
        if key_id == self.primary:
            raise Conflict(f'"{key_id}" is the primary key: rotate first')
        return replace(self, keys={other: key for other, key in self.keys.items() if other != key_id})
