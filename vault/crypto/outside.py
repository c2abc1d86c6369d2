"""A keyring whose primary key lies in an outside service, with whatever else still unwraps: older keys, a file.

What it costs to ask: each wrap and each unwrap is a request, with `kms.TIMEOUT` for it. Data keys that a service has
unwrapped are kept in memory for half a minute, so that a pipeline that reads the same files again asks once. That gives
nothing away: who asks has shown his row, and a row that is deleted has nothing to show; a key that is disabled at the
service opens for that half minute what was opened just before.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from vault import clock
from vault.crypto.kdf import hkdf
from vault.crypto.keyfile import KeyFile
from vault.crypto.keyring import Keyring
from vault.crypto.keysource import OUTSIDE
from vault.crypto.masterkeys import DECRYPT_ONLY, MasterKeys, fingerprint
from vault.errors import BadKeyring, Conflict, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vault.crypto.keysource import KeyInfo, KeySource, WrappedKey

KEPT_SECONDS = 30.0
KEPT_KEYS = 1000


class OutsideKeyring:
    """Master keys of several sources: all unwrap, the first of `sources` wraps, or with `keyring_first` the keyring.

    When that is not there nothing wraps, what there is opens, and `rotate` makes the keyring in `file`.
    """

    local = False

    def __init__(
        self,
        instance: str,
        pepper: bytes,
        sources: Sequence[KeySource],
        *,
        keyring: Keyring | None,
        keyring_first: bool,
        file: Path,
    ) -> None:
        self.instance = instance
        self.pepper = pepper
        self._sources: tuple[KeySource, ...] = (*sources, *((keyring,) if keyring else ()))
        self._first: KeySource | None = keyring if keyring_first else sources[0]
        self._keyring = keyring
        self._file = file
        self._recent = _RecentKeys(KEPT_SECONDS)

    def __repr__(self) -> str:
        return f"<OutsideKeyring {self.instance} at {self.place}>"

    @property
    def place(self) -> str:
        """Every place where keys are."""
        return " and ".join(source.place for source in self._sources)

    @property
    def primary(self) -> str:
        """The id of the key that wraps; empty when none does."""
        return self._first.primary if self._first else ""

    @property
    def pepper_check(self) -> str:
        """A fingerprint of the pepper."""
        return fingerprint(self.pepper)

    def derive(self, purpose: str) -> bytes:
        """Return a key for another purpose, as `Keyring.derive` does from the same pepper."""
        return hkdf(self.pepper, b"secure-files/v1/derive/" + purpose.encode())

    def has(self, key_id: str) -> bool:
        """Say whether one of the sources has the key."""
        return self._source(key_id) is not None

    def follow(self) -> None:
        """Follow the file of the keyring, when there is one."""
        if self._keyring is not None:
            self._keyring.follow()

    def check_of(self, key_id: str) -> str:
        """Return the fingerprint of a key of the keyring; of any other that it is outside. Raises `UnknownKey`."""
        if self._keyring is not None and self._keyring.has(key_id):
            return self._keyring.check_of(key_id)
        if not self.has(key_id):
            raise UnknownKey(f'the key "{key_id}" is not at {self.place}', key_id=key_id)
        return OUTSIDE

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Wrap with the first source."""
        if self._first is None:
            raise BadKeyring(f"no key wraps: `secure-files keys rotate` makes a keyring in {self._file}")
        return self._first.wrap(data_key, aad)

    def unwrap(self, wrapped: WrappedKey, aad: bytes) -> bytes:
        """Unwrap with the source that has the key, or return what it unwrapped within the last half minute."""
        source = self._source(wrapped.kek_id)
        if source is None:
            raise UnknownKey(
                f'the key "{wrapped.kek_id}" is not at {self.place}; is its service missing from the settings?',
                key_id=wrapped.kek_id,
            )
        if source.local:
            return source.unwrap(wrapped, aad)
        return self._recent.get((wrapped.kek_id, wrapped.blob, aad), lambda: source.unwrap(wrapped, aad))

    def described(self) -> tuple[KeyInfo, ...]:
        """Return the keys of all sources; only of the first one any is active."""
        found: list[KeyInfo] = []
        for source in self._sources:
            infos = source.described()
            found += infos if source is self._first else (replace(info, state=DECRYPT_ONLY) for info in infos)
        return tuple(found)

    def rotate(self, instead_of: str | None = None) -> str:
        """Make a keyring with a first key in the file, or add one to the keyring that wraps.

        Raises `BadKeyring` while a service wraps: its key is rotated there.
        """
        if self._keyring is not None and self._first is self._keyring:
            return self._keyring.rotate(instead_of)
        if self._first is not None:
            raise BadKeyring(
                f"the primary key is kept at {self.place}: rotate it there, then run `secure-files keys rewrap`"
            )
        keys = replace(MasterKeys.new(clock.now()), instance=self.instance, pepper=self.pepper)
        KeyFile(self._file).create(keys)
        self._keyring = self._first = Keyring.load(self._file)
        self._sources = (*self._sources, self._keyring)
        return keys.primary

    def rotated_copy(self, path: Path) -> str:
        """Refuse: there is no keyring to be copied."""
        raise BadKeyring(f"the primary key is kept at {self.place}: there is nothing to write to {path}")

    def removable(self, key_id: str) -> bool:
        """Say whether the key lies in a file that is ours to replace."""
        return self._keyring is not None and self._keyring.removable(key_id)

    def retire(self, key_id: str) -> None:
        """Remove a key of the file; the last one goes with its file. A service's key is given up there."""
        if self._keyring is None or not self._keyring.removable(key_id):
            raise BadKeyring(f'the key "{key_id}" is not in a file: give it up where it is kept')
        if key_id != self._keyring.primary:
            self._keyring.retire(key_id)
        elif len(self._keyring.keys) > 1:
            raise Conflict(f'"{key_id}" is the primary key of {self._keyring.place}: retire the other keys of it first')
        else:
            self._keyring.give_up()

    def _source(self, key_id: str) -> KeySource | None:
        """Return the source that has the key; the keyring may have got it a moment ago."""
        found = next((source for source in self._sources if source.has(key_id)), None)
        if found is None and self._keyring is not None:
            with suppress(BadKeyring):
                self._keyring.follow()
            found = self._keyring if self._keyring.has(key_id) else None
        return found


class _RecentKeys:
    """Data keys that were unwrapped a moment ago."""

    def __init__(self, seconds: float, most: int = KEPT_KEYS) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: OrderedDict[tuple[str, bytes, bytes], tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: tuple[str, bytes, bytes], unwrap: Callable[[], bytes]) -> bytes:
        """Return what is kept, else what `unwrap` returns, which is kept from now on."""
        now = time.monotonic()
        with self._lock:
            while self._kept and next(iter(self._kept.values()))[0] <= now:
                self._kept.popitem(last=False)
            if place in self._kept:
                return self._kept[place][1]
        key = unwrap()
        with self._lock:
            self._kept[place] = (time.monotonic() + self._seconds, key)
            self._kept.move_to_end(place)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return key
