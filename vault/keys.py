"""Whether a keyring and a catalog belong together; asked before anything is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as sql
from vault.catalog import master_keys as keys_sql
from vault.crypto.envelope import pepper_aad
from vault.crypto.keysource import OUTSIDE, WrappedKey
from vault.errors import BadKeyring, UnknownKey

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction
    from vault.crypto.keysource import MasterKeyring

INSTANCE, PEPPER, MOVED = "id", "pepper_check", "moved_at"


def instance_of(database: Database) -> str | None:
    """Return the id of the vault that the catalog is of; None for a new catalog."""
    return _value(database, INSTANCE)


def moved_at(database: Database) -> str | None:
    """Return when the vault was moved into this catalog; None for one that began here."""
    return _value(database, MOVED)


def remember_move(tx: Transaction) -> None:
    """Say in a catalog that a vault was moved into it now."""
    tx.query(sql.SET_INSTANCE_VALUE, name=MOVED, value=clock.now())


def _value(database: Database, name: str) -> str | None:
    rows = database.query(sql.INSTANCE_VALUE, name=name)
    return str(rows[0]["value"]) if rows else None


def needed_keys(database: Database) -> dict[str, str]:
    """Return the check value of each master key that the catalog has been used with, by key id."""
    return {row["id"]: row["key_check"] for row in database.query(keys_sql.MASTER_KEYS)}


def needs(database: Database) -> str:
    """Name the keys that the catalog needs, for a message: `the key "k1" (check 9f3a01c2)`."""
    return ", ".join(_named(key, check) for key, check in needed_keys(database).items()) or "its keyring"


def _named(key_id: str, check: str) -> str:
    return f'the key "{key_id}"' + (f" (check {check})" if check not in ("", OUTSIDE) else "")


def problem(database: Database, keyring: MasterKeyring) -> str:
    """Say what keeps the keyring from being used with the catalog, without a path; empty when nothing does."""
    try:
        keyring.follow()
    except BadKeyring:
        return "the keyring cannot be read any more; restore it from your backup"
    for key, check in needed_keys(database).items():
        if not keyring.has(key) or check not in (keyring.check_of(key), ""):
            return f"{_named(key, check)} is not in the keyring; restore the keyring from your backup"
    return ""


def claim(database: Database, keyring: MasterKeyring, data: str, source: str) -> None:
    """Check that `keyring` (from `source`) is the one of the catalog in `data`; a new catalog becomes its own.

    Raises `BadKeyring` for another vault's keyring, and for one with another pepper; `UnknownKey` for a key that is
    missing or not the same; `Unavailable` when a key service is asked and does not answer.
    """
    instance = instance_of(database)
    if instance is not None and instance != keyring.instance:
        raise BadKeyring(
            f"the data in {data} needs {needs(database)}; {source} is the keyring of another vault; "
            "restore the right one from your backup"
        )
    for key, check in needed_keys(database).items():
        if not keyring.has(key) or check not in (keyring.check_of(key), ""):
            raise UnknownKey(
                f"the data in {data} needs {_named(key, check)}, which is not in {source}; "
                "restore the keyring from your backup",
                key_id=key,
            )
    if instance is not None and _value(database, PEPPER) != keyring.pepper_check:
        raise BadKeyring(
            f"the tokens in {data} were made with another pepper than that of {source}: none of them would be good; "
            "restore the keyring from your backup"
        )
    primary = keyring.primary
    pepper = None if keyring.local or not primary or stored_pepper(database) else _wrapped_pepper(keyring)
    if instance is None or pepper or (primary and not needed_keys(database).get(primary)):
        database.write(lambda tx: _remember(tx, keyring, primary, pepper, first=instance is None))


def stored_pepper(database: Database) -> WrappedKey | None:
    """Return the pepper of a vault whose keys are kept by a service, wrapped by it; None when a keyring has it."""
    rows = database.query(keys_sql.PEPPER)
    return WrappedKey(rows[0]["kek_id"], bytes(rows[0]["wrapped"])) if rows else None


def rewrap_pepper(database: Database, keyring: MasterKeyring) -> None:
    """Move the stored pepper to the primary key; where a keyring has it by now, none is stored any more."""
    stored, primary = stored_pepper(database), keyring.primary
    if stored is None or stored.kek_id == primary:
        return
    pepper = None if keyring.local else _wrapped_pepper(keyring)
    database.write(lambda tx: _store_pepper(tx, keyring, pepper))


def note(tx: Transaction, key_id: str, check: str) -> None:
    """Remember that the catalog needs a master key: before the first row names it."""
    tx.query(keys_sql.ADD_MASTER_KEY, id=key_id, key_check=check, now=clock.now())
    tx.query(keys_sql.FILL_IN_CHECK, id=key_id, key_check=check, now=clock.now())


def _wrapped_pepper(keyring: MasterKeyring) -> WrappedKey:
    return keyring.wrap(keyring.pepper, pepper_aad(keyring.instance))


def _store_pepper(tx: Transaction, keyring: MasterKeyring, pepper: WrappedKey | None) -> None:
    tx.query(keys_sql.FORGET_PEPPER)
    if pepper is not None:
        note(tx, pepper.kek_id, keyring.check_of(pepper.kek_id))
        tx.query(keys_sql.SET_PEPPER, kek_id=pepper.kek_id, wrapped=pepper.blob)


def _remember(tx: Transaction, keyring: MasterKeyring, primary: str, pepper: WrappedKey | None, *, first: bool) -> None:
    if first:
        tx.query(sql.SET_INSTANCE_VALUE, name=INSTANCE, value=keyring.instance)
        tx.query(sql.SET_INSTANCE_VALUE, name=PEPPER, value=keyring.pepper_check)
    if primary:
        note(tx, primary, keyring.check_of(primary))
    if pepper is not None:
        _store_pepper(tx, keyring, pepper)
