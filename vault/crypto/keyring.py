"""The keyring: the master keys as the vault uses them, from a file that may change meanwhile or from a setting."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vault import clock
from vault.crypto import keyring_json
from vault.crypto.kdf import hkdf
from vault.crypto.keyfile import KeyFile
from vault.crypto.keysource import KeyInfo, WrappedKey
from vault.crypto.masterkeys import KEY_SIZE, MasterKey, MasterKeys, fingerprint
from vault.errors import BadKeyring, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def new_data_key() -> bytes:
    """Return 32 random bytes: the key of one blob, used once."""
    return os.urandom(KEY_SIZE)


class Keyring:
    """Wraps and unwraps data keys: the primary master key wraps, all of them unwrap. Safe to share between threads.

    One that came from a file follows it: another process may rotate the keys, and what this one wrapped with a key
    that was retired there would be lost at the next start. So the file is looked at (one `stat`) before each wrapping,
    and when a key id is unknown.
    """

    local = True

    def __init__(self, keys: MasterKeys, file: KeyFile | None = None, place: str = "a setting") -> None:
        self._file = file
        self._place = place
        # One attribute, so that threads that read the file at once cannot mix one's keys with another's identity.
        self._state: tuple[MasterKeys, tuple[int, ...]] = (keys, ())

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """Make the keyring of a new vault, with one key, at `path`; durable on return.

        Raises `BadKeyring` when there is one already or the file cannot be written.
        """
        file, keys = KeyFile(path), MasterKeys.new(clock.now())
        file.create(keys)
        return cls(keys, file)

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Read the keyring at `path`. Raises `BadKeyring` when it is missing, malformed or open to others."""
        file = KeyFile(path)
        return cls(file.load(), file)

    @classmethod
    def from_json(cls, text: str, place: str = "a setting") -> Keyring:
        """Take the text of a keyring file, from a setting; such a keyring cannot be changed. Raises `BadKeyring`."""
        return cls(keyring_json.parse(text), place=place)

    @classmethod
    def from_master_key(cls, encoded: str, instance: str, place: str = "a setting") -> Keyring:
        """Take one master key, the base64 of 32 bytes, from a setting; its id is k1. Raises `BadKeyring`.

        `instance` is 32 hex digits; the key alone does not tell which vault it belongs to.
        """
        key = MasterKey("k1", keyring_json.decoded(encoded.strip(), "the master key"), created_at="")
        return cls(MasterKeys(instance, key.id, {key.id: key}), place=place)

    def __repr__(self) -> str:
        return f"<Keyring {self.instance} keys={','.join(self._keys.keys)} primary={self.primary}>"

    @property
    def _keys(self) -> MasterKeys:
        return self._state[0]

    @property
    def instance(self) -> str:
        """The id of the vault that these keys belong to: 32 hex digits."""
        return self._keys.instance

    @property
    def primary(self) -> str:
        """The id of the key that wraps."""
        return self._keys.primary

    @property
    def keys(self) -> tuple[MasterKey, ...]:
        """All keys, oldest first; their repr shows no secret."""
        return tuple(self._keys.keys.values())

    def removable(self, key_id: str) -> bool:
        """Say whether `retire` can remove the key: it lies in a file that is ours to replace."""
        return self._file is not None and self.has(key_id)

    @property
    def place(self) -> str:
        """The path of the file, or what kind of setting it was."""
        return str(self._file.path) if self._file else self._place

    @property
    def pepper_check(self) -> str:
        """A fingerprint of what `derive` derives from: another one makes every stored token digest useless."""
        return fingerprint(self.pepper)

    @property
    def pepper(self) -> bytes:
        """What `derive` derives from."""
        return self._keys.effective_pepper()

    def has(self, key_id: str) -> bool:
        """Say whether the keyring has this key."""
        return key_id in self._keys.keys

    def check_of(self, key_id: str) -> str:
        """Return the fingerprint of a key. Raises `UnknownKey`."""
        key = self._keys.keys.get(key_id)
        if key is None:
            raise UnknownKey(f'the key "{key_id}" is not in {self.place}', key_id=key_id)
        return key.check

    def described(self) -> tuple[KeyInfo, ...]:
        """Return what may be told of each key, oldest first."""
        return tuple(KeyInfo(key.id, key.state, key.check, key.created_at, self.place) for key in self.keys)

    def checks(self) -> dict[str, str]:
        """Return the fingerprint of each key by id, for comparing with those the catalog remembers."""
        return {key.id: key.check for key in self.keys}

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Wrap a data key with the primary key; `aad` is needed again to unwrap it.

        Raises `BadKeyring` when the file the keys came from is gone or spoiled: a new blob would be lost with them.
        """
        keys = self._followed()
        return WrappedKey(keys.primary, keys.keys[keys.primary].wrap(data_key, aad))

    def unwrap(self, wrapped: WrappedKey, aad: bytes) -> bytes:
        """Return the data key. Raises `UnknownKey`, and `Tampered` when the key, its wrapping or `aad` is another."""
        key = self._keys.keys.get(wrapped.kek_id) or self._followed().keys.get(wrapped.kek_id)
        if key is None:
            raise UnknownKey(
                f'the key "{wrapped.kek_id}" is not in the keyring; restore the keyring from your backup',
                key_id=wrapped.kek_id,
            )
        return key.unwrap(wrapped.blob, aad)

    def rewrap(self, wrapped: WrappedKey, aad: bytes) -> WrappedKey:
        """Return the same data key under the primary key. Raises as `unwrap` and `wrap` do."""
        return self.wrap(self.unwrap(wrapped, aad), aad)

    def derive(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for another purpose, such as token digests. Rotation does not change it."""
        return hkdf(self.pepper, b"secure-files/v1/derive/" + purpose.encode())

    def rotate(self, instead_of: str | None = None) -> str:
        """Add a key to the file, make it the primary one and return its id; the others only unwrap from now on.

        With `instead_of`, only while that is the primary key: somebody else may have rotated. Raises `BadKeyring` for
        a keyring that is not in a file, or when the file cannot be written.
        """
        self._change(lambda keys: keys.rotated(clock.now()) if instead_of in (None, keys.primary) else keys)
        return self.primary

    def rotated_copy(self, path: Path) -> str:
        """Write these keys and a new primary one into a new private file, and return its id; this keyring stays.

        Raises `BadKeyring` when there is a file already, or it cannot be written.
        """
        keys = self._followed().rotated(clock.now())
        KeyFile(path).create(keys)
        return keys.primary

    def retire(self, key_id: str) -> None:
        """Remove a key from the file for good; whether anything still needs it is for the caller to know.

        Raises `UnknownKey`, `Conflict` for the primary key, and `BadKeyring` as `rotate` does.
        """
        self._change(lambda keys: keys.without(key_id))

    def give_up(self) -> None:
        """Remove the file, once other keys have taken over from the last one in it. Raises `BadKeyring`."""
        if self._file is not None:
            self._file.remove(self._keys.keys.keys())

    def _change(self, change: Callable[[MasterKeys], MasterKeys]) -> None:
        if self._file is None:
            raise BadKeyring(
                "this keyring comes from a setting, not from a file: change it where it is kept; "
                "`secure-files keys rotate --output FILE` writes one with a new key"
            )
        self._state = (self._file.change(change), ())

    def follow(self) -> None:
        """Read the keys again when their file has changed. Raises `BadKeyring` when it cannot be used."""
        self._followed()

    def _followed(self) -> MasterKeys:
        """Return the keys as they are now in the file."""
        if self._file is not None and (identity := self._file.identity()) != self._state[1]:
            keys = self._file.load()
            if keys.instance != self.instance:
                raise BadKeyring(f"the keyring {self._file.path} is now that of another vault; restore yours")
            self._state = (keys, identity)
        return self._keys
