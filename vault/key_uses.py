"""Wrapping, and what has to be minded with it: the catalog knows each master key before a row names it.

It also counts how often each was used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from vault import keys
from vault.catalog import master_keys as sql
from vault.crypto.keysource import OUTSIDE
from vault.errors import BadKeyring

if TYPE_CHECKING:
    from vault.catalog.database import Database, Row, Transaction
    from vault.crypto.keysource import MasterKeyring, WrappedKey

log = logging.getLogger("secure_files.keys")

MOST_USES = 1 << 30
"""Wrapped keys have random nonces of 96 bits: at 2^32 under one key two of them are the same with a chance of 2^-32."""

WRITTEN_EVERY = 60.0


class KeyUses:
    """Wraps data keys for one process. Safe to share between threads; `wrap` may write to the catalog."""

    def __init__(self, database: Database, keyring: MasterKeyring) -> None:
        self._db = database
        self._keyring = keyring
        self._noted: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._written = time.monotonic()

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Wrap a data key with the primary key, which the catalog remembers from now on.

        Raises what `Keyring.wrap` does, and `Unavailable`, `StorageFull` when the catalog cannot take a new key's id.
        """
        wrapped = self._keyring.wrap(data_key, aad)
        self.note(wrapped.kek_id)
        with self._lock:
            self._counts[wrapped.kek_id] += 1
        return wrapped

    def note(self, key_id: str) -> None:
        """Have the catalog know a key of the keyring, so that a keyring without it is refused at the next start."""
        if key_id not in self._noted:
            check = self._keyring.check_of(key_id)
            self._db.write(lambda tx: keys.note(tx, key_id, check))
            self._noted.add(key_id)

    def noted(self, key_id: str) -> bool:
        """Whether the catalog is known to know the key."""
        return key_id in self._noted

    def forget(self, key_id: str) -> None:
        """Take a key for unknown to the catalog: it was retired there."""
        self._noted.discard(key_id)

    def chore(self) -> None:
        """Write the counts down once a minute, and rotate a key that is used up."""
        if time.monotonic() >= self._written + WRITTEN_EVERY:
            self.write_down()

    def write_down(self) -> None:
        """Add this process's uses to those of all; what a crash loses of a minute does not matter beside 2^30."""
        self._written = time.monotonic()
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for key_id, uses in counts.items():
            rows = self._db.write(partial(_counted, key_id, uses))
            if rows and rows[0]["uses"] >= MOST_USES:
                self._renew(key_id)

    def _renew(self, used_up: str) -> None:
        """Rotate, unless a neighbour did or the key has no such limit."""
        if self._keyring.check_of(used_up) == OUTSIDE or self._keyring.primary != used_up:
            return
        try:
            new = self._keyring.rotate(instead_of=used_up)
        except BadKeyring as error:
            log.error('the master key "%s" has been used 2^30 times: rotate it (%s)', used_up, error)
            return
        self.note(new)
        log.warning('the master key "%s" was used 2^30 times: "%s" wraps now; back up the keyring', used_up, new)


def _counted(key_id: str, uses: int, tx: Transaction) -> list[Row]:
    return tx.query(sql.COUNT_USES, id=key_id, uses=uses)
