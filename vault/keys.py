"""Whether a keyring and a catalog belong together; asked before anything is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as sql
from vault.catalog import master_keys as keys_sql
from vault.errors import BadKeyring, UnknownKey

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction
    from vault.crypto.keyring import Keyring

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
    keys = [f'the key "{key}" (check {check})' for key, check in needed_keys(database).items()]
    return ", ".join(keys) or "its keyring"


def problem(database: Database, keyring: Keyring) -> str:
    """Say what keeps the keyring from being used with the catalog, without a path; empty when nothing does."""
    try:
        keyring.follow()
    except BadKeyring:
        return "the keyring cannot be read any more; restore it from your backup"
    checks = keyring.checks()
    for key, check in needed_keys(database).items():
        if checks.get(key) != check:
            return f'the key "{key}" (check {check}) is not in the keyring; restore the keyring from your backup'
    return ""


def claim(database: Database, keyring: Keyring, data: str, source: str) -> None:
    """Check that `keyring` (from `source`) is the one of the catalog in `data`; a new catalog becomes its own.

    Raises `BadKeyring` for another vault's keyring, and for one with another pepper; `UnknownKey` for a key that is
    missing or not the same.
    """
    instance = instance_of(database)
    if instance is not None and instance != keyring.instance:
        raise BadKeyring(
            f"the data in {data} needs {needs(database)}; {source} is the keyring of another vault; "
            "restore the right one from your backup"
        )
    checks = keyring.checks()
    for key, check in needed_keys(database).items():
        if key not in checks or check not in (checks[key], ""):
            raise UnknownKey(
                f'the data in {data} needs the key "{key}" (check {check}), which is not in {source}; '
                "restore the keyring from your backup",
                key_id=key,
            )
    if instance is not None and _value(database, PEPPER) != keyring.pepper_check:
        raise BadKeyring(
            f"the tokens in {data} were made with another pepper than that of {source}: none of them would be good; "
            "restore the keyring from your backup"
        )
    if instance is None or needed_keys(database).get(keyring.primary, "") == "":
        database.write(lambda tx: _remember(tx, keyring, first=instance is None))


def note(tx: Transaction, key_id: str, check: str) -> None:
    """Remember that the catalog needs a master key: before the first row names it."""
    tx.query(keys_sql.ADD_MASTER_KEY, id=key_id, key_check=check, now=clock.now())
    tx.query(keys_sql.FILL_IN_CHECK, id=key_id, key_check=check, now=clock.now())


def _remember(tx: Transaction, keyring: Keyring, *, first: bool) -> None:
    if first:
        tx.query(sql.SET_INSTANCE_VALUE, name=INSTANCE, value=keyring.instance)
        tx.query(sql.SET_INSTANCE_VALUE, name=PEPPER, value=keyring.pepper_check)
    note(tx, keyring.primary, keyring.checks()[keyring.primary])
