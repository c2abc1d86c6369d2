"""What an administrator does with master keys: look at them, add one, take one away that nothing needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault import keys
from vault.catalog import master_keys as sql
from vault.crypto.masterkeys import DECRYPT_ONLY
from vault.errors import Conflict, Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from vault.catalog.database import Database
    from vault.crypto.keysource import MasterKeyring
    from vault.key_uses import KeyUses


@dataclass(frozen=True)
class KeyReport:
    """A master key as a list tells of it: `state` is active, decrypt-only, or missing (needed, and nobody has it).

    `files` are wrapped under it now; `needed` says that a keyring without it is refused at a start.
    """

    id: str
    state: str
    files: int
    needed: bool
    check: str
    created_at: str
    where: str


class Rotation:
    """Changes the keyring, and what the catalog remembers of it."""

    def __init__(self, database: Database, keyring: MasterKeyring, uses: KeyUses) -> None:
        self._db = database
        self._keyring = keyring
        self._uses = uses

    def reports(self) -> list[KeyReport]:
        """Return the keys of the keyring, oldest first, then those that rows name and the keyring lacks."""
        files = {row["kek_id"] or "": row["n"] for row in self._db.query(sql.FILES_BY_KEY)}
        noted = {row["id"]: row for row in self._db.query(sql.MASTER_KEYS)}
        here = {key.id: key for key in self._keyring.described()}
        reports = []
        for key_id in (*here, *sorted((files.keys() | noted.keys()) - here.keys())):
            key, row = here.get(key_id), noted.get(key_id)
            made = (key.created_at if key else "") or (row["created_at"] if row else "")
            check = key.check if key else row["key_check"] if row else ""
            state = key.state if key else DECRYPT_ONLY if self._keyring.has(key_id) else "missing"
            where = key.place if key else ""
            reports.append(KeyReport(key_id, state, files.get(key_id, 0), row is not None, check, made, where))
        return reports

    def rotate(self) -> str:
        """Add a key that wraps from now on, in every running server too, and return its id. Raises `BadKeyring`."""
        key_id = self._keyring.rotate()
        self._uses.note(key_id)
        return key_id

    def rotated_copy(self, path: Path) -> str:
        """Write the keyring with one more key into a new file, for one that is kept elsewhere; return the key's id.

        Nothing changes until that is the vault's keyring. Raises `BadKeyring` when there is a file already.
        """
        return self._keyring.rotated_copy(path)

    def retire(self, key_id: str) -> bool:
        """Take a key out of the catalog, and of the keyring for good, once nothing is wrapped under it.

        Returns False when it is not in a file, and has to be given up where it is kept. Raises `Invalid` for a key
        there is not, `Conflict` while it is needed, `BadKeyring` when the file cannot be changed. Backups of the
        catalog from before need the key: it is in the keyring that was backed up with them.
        """
        here = self._keyring.has(key_id)
        if not here and key_id not in {row["id"] for row in self._db.query(sql.MASTER_KEYS)}:
            raise Invalid("KEY", f'is not the id of a key of this vault: "{key_id}"')
        if key_id == self._keyring.primary:
            raise Conflict(f'"{key_id}" is the primary key: run `secure-files keys rotate` first')
        self._refuse_while_needed(key_id)
        try:
            self._db.write(lambda tx: tx.query(sql.FORGET_MASTER_KEY, id=key_id))
        except Conflict:
            self._refuse_while_needed(key_id)
            raise
        if self._keyring.removable(key_id):
            self._keyring.retire(key_id)
            return True
        return not here

    def _refuse_while_needed(self, key_id: str) -> None:
        files = self._db.query(sql.FILES_OF_KEY, id=key_id)[0]["n"]
        pepper = keys.stored_pepper(self._db)
        if files:
            what = f"{files} files are" if files != 1 else "1 file is"
        elif pepper is not None and pepper.kek_id == key_id:
            what = "the secret behind the tokens is"
        else:
            return
        raise Conflict(f'{what} still wrapped under "{key_id}": run `secure-files keys rewrap` first')
