"""What wraps data keys: the contract that a keyring of our own and every outside key service are held to.

`tests/keysource_suite.py` is the test of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

OUTSIDE = "outside"
"""What the catalog remembers in the place of the fingerprint of a key that lies in a service."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under the master key `kek_id`; safe to store."""

    kek_id: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What a list tells of a master key: `state` is active or decrypt-only, `check` a fingerprint if one is known."""

    id: str
    state: str
    check: str
    created_at: str
    place: str


class KeySource(Protocol):
    """Master keys of one kind. Safe to share between threads.

    Key ids are text and stay the same for ever: what an id wrapped, it unwraps, at any later time.
    """

    @property
    def local(self) -> bool:
        """Whether wrapping and unwrapping take microseconds and no network."""

    @property
    def place(self) -> str:
        """Where the keys are kept, for a person; never a secret."""

    @property
    def primary(self) -> str:
        """The id of the key that wraps now. May ask a service: raises `Unavailable`, `BadKeyring` as `wrap` does."""

    def has(self, key_id: str) -> bool:
        """Say whether what names this key is for this source to unwrap; asks no service."""

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Wrap 32 bytes with the primary key, bound to `aad`; never the same twice.

        Raises ValueError for another length, `Unavailable` when a service does not answer or refuses, `BadKeyring`
        when the keys cannot be used at all.
        """

    def unwrap(self, wrapped: WrappedKey, aad: bytes) -> bytes:
        """Return the data key.

        Raises `UnknownKey` when the key is not there (any more), `Tampered` when the key, its wrapping or `aad` is
        another one, `Unavailable` as `wrap` does.
        """

    def described(self) -> tuple[KeyInfo, ...]:
        """Return what is known of the keys, oldest first, without a secret."""


class MasterKeyring(KeySource, Protocol):
    """All master keys of one vault, and what is derived for other purposes."""

    @property
    def instance(self) -> str:
        """The id of the vault that these keys belong to: 32 hex digits."""

    @property
    def pepper(self) -> bytes:
        """What `derive` derives from: the same through every change of keys."""

    @property
    def pepper_check(self) -> str:
        """A fingerprint of the pepper: another one makes every stored token digest useless."""

    def derive(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for another purpose, such as token digests. Rotation does not change it."""

    def follow(self) -> None:
        """Read the keys again that lie in a file, when it has changed; asks no service. Raises `BadKeyring`."""

    def check_of(self, key_id: str) -> str:
        """Return what the catalog remembers a key by. Raises `UnknownKey` when it is not here."""

    def rotate(self, instead_of: str | None = None) -> str:
        """Add a key, make it the primary one and return its id; with `instead_of` only while that is the primary one.

        Raises `BadKeyring` where keys cannot be added here.
        """

    def rotated_copy(self, path: Path) -> str:
        """Write the keys and a new primary one into a new private file and return its id; nothing else changes."""

    def removable(self, key_id: str) -> bool:
        """Say whether `retire` can remove the key: it lies in a file that is ours to replace."""

    def retire(self, key_id: str) -> None:
        """Remove a key for good. Raises `UnknownKey`, `Conflict` for the primary one, `BadKeyring`."""
