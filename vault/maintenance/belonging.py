"""Whether what belongs together is there together: keys and files, rows and envelopes, envelopes and objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vault import keys
from vault.catalog import blobs as blobs_sql
from vault.catalog import care as sql
from vault.catalog import master_keys as keys_sql
from vault.maintenance.findings import Finding, Looked, Weight
from vault.maintenance.orphans import OLD_SECONDS, orphans_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blobs import BlobStore
    from vault.catalog.database import Database, Row
    from vault.crypto.keysource import MasterKeyring
    from vault.maintenance.verifying import Scope

ROWS_AT_ONCE = 500
TOLD = ("name", "checksum", "created_at", "expires_at")


class Keys:
    """Every key that files are wrapped with is in the keyring, and is the one that the catalog remembers."""

    name = "keyring"

    def __init__(self, database: Database, keyring: MasterKeyring) -> None:
        self._db = database
        self._keyring = keyring

    def total(self, scope: Scope) -> int:  # noqa: ARG002 - the same for every check
        """Return how many keys there are."""
        return len(keys.needed_keys(self._db))

    def look(self, scope: Scope) -> Iterator[Looked]:  # noqa: ARG002 - keys are few
        """Look at each key that files need, and at each that the catalog remembers."""
        files = {row["kek_id"]: row["n"] for row in self._db.query(keys_sql.FILES_BY_KEY)}
        remembered = keys.needed_keys(self._db)
        for key in sorted({*files, *remembered}):
            problem = ""
            if not self._keyring.has(key):
                problem = f"the keyring does not have it, and {files.get(key, 0)} files need it"
            elif remembered.get(key) not in (self._keyring.check_of(key), "", None):
                problem = "the keyring has another under this id"
            subject = f'key "{key}"'
            yield Looked(subject, 0, (Finding(Weight.DAMAGE, subject, problem, key=key),) if problem else ())


class Rows:
    """The catalog's own structures are sound, and every row says of its object what the envelope says."""

    name = "catalog"

    def __init__(self, database: Database) -> None:
        self._db = database

    def total(self, scope: Scope) -> int:  # noqa: ARG002 - the same for every check
        """Return how many looks there are, but for the documents."""
        return 3 + int(self._db.query(sql.COUNT_DOCUMENTS)[0]["n"])

    def look(self, scope: Scope) -> Iterator[Looked]:
        """Ask the engine, then compare rows with envelopes, then each secure file's columns with its document."""
        yield Looked("structures", 0, tuple(_damage("the catalog", fault) for fault in self._db.faults()))
        yield Looked("rows and envelopes", 0, tuple(self._disagreeing()))
        yield Looked("envelopes and rows", 0, tuple(self._unowned()))
        after = 0
        while rows := self._db.query(sql.DOCUMENTS, after=after, limit=ROWS_AT_ONCE):
            yield from (_document(row) for row in rows if scope.draws())
            after = rows[-1]["id"]

    def _disagreeing(self) -> Iterator[Finding]:
        for row in self._db.query(sql.DISAGREEING):
            subject = f"{row['what']} {row['id']} of project {row['project_id']}"
            problem = "its row does not say of its object what the object's envelope says"
            yield Finding(Weight.DAMAGE, subject, problem, object=row["blob_id"])

    def _unowned(self) -> Iterator[Finding]:
        for row in self._db.query(sql.UNOWNED):
            problem = "it has an envelope, and the row of the file that it was is missing"
            yield Finding(Weight.DAMAGE, f"object {row['id']}", problem, object=row["id"])


def _document(row: Row) -> Looked:
    """Compare the columns of a secure file with what its finished JSON says of it."""
    subject = f"secure file {row['id']} of project {row['project_id']}"
    problem = ""
    try:
        said = json.loads(f"{{{row['document']}")
        if differ := [name for name in TOLD if said[name] != row[name]]:
            problem = f"the catalog has two values of its {', '.join(differ)}"
    except (ValueError, KeyError, TypeError, RecursionError):
        problem = "what the API says of it is not JSON any more"
    return Looked(subject, 0, (_damage(subject, problem),) if problem else ())


def _damage(subject: str, problem: str) -> Finding:
    return Finding(Weight.DAMAGE, subject, problem)


class Objects:
    """Every object of the store has its row. One without is no damage; what an upload is making has none yet either."""

    name = "store"

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._db = database
        self._blobs = blobs

    def total(self, scope: Scope) -> int:  # noqa: ARG002 - the same for every check
        """Return how many objects the catalog has in the store."""
        return len(self._db.query(blobs_sql.STORED_BLOB_IDS))

    def look(self, scope: Scope) -> Iterator[Looked]:
        """Go through the store."""
        orphans = set(orphans_of(self._db, self._blobs, OLD_SECONDS))
        for blob_id in self._blobs.ids():
            problem = "it has been in the store for more than a day, and no row names it: it will be removed"
            found = Finding(Weight.NOTICE, f"object {blob_id}", problem, object=blob_id)
            if blob_id in orphans or scope.draws():
                yield Looked(blob_id, 0, (found,) if blob_id in orphans else ())
