"""A vault out of a backup, into an empty place: objects, repositories, audit log, and the catalog last.

All goes in as it was, whatever engines it came from. `UNFINISHED` lies in the data folder until all is there, so that a
restore that was cut short is never taken for a vault.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from vault import keys
from vault.blobs import copying
from vault.blobs.filesystem import FilesystemBlobs
from vault.catalog import portable
from vault.catalog import repositories as repositories_sql
from vault.errors import BlobMissing, Conflict, Damaged, Unavailable
from vault.maintenance.place import AUDIT, BLOBS, CATALOG, KEYRING, REPOSITORIES, Snapshot, digest_of, write_durably
from vault.repositories import bundles
from vault.repositories.checking import has_branches
from vault.repositories.store import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from vault.blobs import BlobStore
    from vault.catalog.database import Database
    from vault.catalog.schema import Migration
    from vault.maintenance.verifying import Observer
    from vault.repositories.store import Store

UNFINISHED = "restoring"
KEYS_NEEDED = frozenset(("instance", "master_keys", "peppers"))
COPIES_AT_ONCE = 4
# A keyring put there before, the lock of a start that was refused, and what a new disk comes with.
MAY_BE_THERE = ("keys", "lock", "lost+found")


class Into(NamedTuple):
    """Where a vault is restored to."""

    database: Database
    blobs: BlobStore
    repositories: Store
    audit: Path | None


def require_room(data: Path) -> None:
    """Refuse a data folder that holds anything but a keyring. Raises `Conflict`."""
    refuse_unfinished(data)
    if data.exists() and any(entry.name not in MAY_BE_THERE for entry in data.iterdir()):
        raise Conflict(f"{data} is not empty: restore into a new folder, or move what is in this one away")


def refuse_unfinished(data: Path) -> None:
    """Raise `Unavailable` when a restore into the folder was cut short."""
    if (data / UNFINISHED).exists():
        raise Unavailable(f"a restore into {data} was cut short: remove all but its keys, and restore again")


def require_schema(snapshot: Snapshot) -> Sequence[Migration]:
    """Return the tables that a backup's catalog has. Raises `Conflict` when a newer program made it."""
    return portable.schema_of(snapshot.manifest.migrations)


@contextmanager
def unfinished(data: Path) -> Iterator[None]:
    """Leave word in the data folder while the block runs; it stays when the block does not come to its end."""
    write_durably(data / UNFINISHED, b"a restore is under way, or was cut short\n")
    sync(data)
    yield
    (data / UNFINISHED).unlink()
    sync(data)


def restore(snapshot: Snapshot, into: Into, observer: Observer) -> list[str]:
    """Put all of a backup in and return what of it was damaged or missing, and so is not there.

    Raises `Conflict` when there is a vault already, `Damaged` when the catalog's copy is not what was written.
    """
    schema = require_schema(snapshot)
    sums = snapshot.sums()
    _require(snapshot, sums, snapshot.folder / CATALOG)
    into.database.migrate(schema)
    if keys.instance_of(into.database) is not None or next(into.blobs.ids(), None) is not None:
        raise Conflict("there is a vault in that catalog or store already: name empty ones")
    # Only a store of files has it, and nothing counts before all is there.
    together = getattr(into.blobs, "durable_together", nullcontext)
    with together():
        problems = list(_put_objects(snapshot, into.blobs, observer))
    problems += _put_repositories(snapshot, sums, into.repositories, observer)
    problems += _put_audit(snapshot, sums, into.audit)
    observer.begin("catalog", 1)
    with (snapshot.folder / CATALOG).open(encoding="utf-8") as lines:
        portable.put_in(into.database, _from_the_start(lines), schema)
    _settle_branches(into)
    observer.step(CATALOG)
    return problems


def _require(snapshot: Snapshot, sums: dict[str, str], file: Path) -> None:
    name = file.relative_to(snapshot.top).as_posix()
    if not file.is_file() or digest_of(file) != sums.get(name):
        raise Damaged(f"{name} of the backup is not what was written")


def _put_objects(snapshot: Snapshot, store: BlobStore, observer: Observer) -> Iterator[str]:
    pool = FilesystemBlobs(snapshot.top / BLOBS)
    wanted = snapshot.objects()
    observer.begin("files", len(wanted))

    def put(each: tuple[str, str]) -> tuple[str, str]:
        blob_id, digest = each
        try:
            copying.copy(pool, store, blob_id, digest)
        except BlobMissing:
            return blob_id, f"object {blob_id} is missing from the backup"
        except copying.Unexpected:
            return blob_id, f"object {blob_id} in the backup is not what was written"
        return blob_id, ""

    with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
        waiting = iter(wanted.items())
        while some := list(islice(waiting, 64)):
            for blob_id, problem in threads.map(put, some):
                observer.step(blob_id)
                if problem:
                    yield problem


def _put_repositories(snapshot: Snapshot, sums: dict[str, str], store: Store, observer: Observer) -> Iterator[str]:
    observer.begin("repositories", len(snapshot.manifest.repositories))
    for each in snapshot.manifest.repositories:
        file = snapshot.folder / REPOSITORIES / f"{each.folder}.bundle"
        try:
            if each.refs:
                _require(snapshot, sums, file)
            bundles.unbundle(file if each.refs else None, store.path(each.folder))
        except Damaged as error:
            yield f"repository of project {each.project_id}: {error}"
        observer.step(each.folder)


def _put_audit(snapshot: Snapshot, sums: dict[str, str], folder: Path | None) -> Iterator[str]:
    files = sorted((snapshot.folder / AUDIT).glob("*.jsonl"))
    if folder is None or not files:
        return
    folder.mkdir(0o700, parents=True, exist_ok=True)
    for file in files:
        raw = file.read_bytes()
        if hashlib.sha256(raw).hexdigest() != sums.get(file.relative_to(snapshot.top).as_posix()):
            yield f"the file {file.name} of the audit log is not what was written"
        write_durably(folder / file.name, raw)
    sync(folder)


def put_needs(snapshot: Snapshot, database: Database) -> None:
    """Put into a new catalog what says which keys a backup needs, and no more. Raises `Damaged`, `Conflict`."""
    _require(snapshot, snapshot.sums(), snapshot.folder / CATALOG)
    with (snapshot.folder / CATALOG).open(encoding="utf-8") as lines:
        portable.put_in(database, _from_the_start(lines), require_schema(snapshot), only=KEYS_NEEDED)


def _from_the_start(lines: TextIO) -> Callable[[], Iterator[str]]:
    def again() -> Iterator[str]:
        lines.seek(0)
        yield from lines

    return again


def _settle_branches(into: Into) -> None:
    """Have the catalog say of each repository whether it has a branch: it may be ahead of the catalog's copy."""
    for project_id, folder in list(into.repositories.folders()):
        empty = int(not (folder.is_dir() and has_branches(folder)))
        into.database.write(
            lambda tx, project_id=project_id, empty=empty: tx.query(  # type: ignore[misc]
                repositories_sql.SET_EMPTY, project=project_id, empty=empty
            )
        )


def keyring_of(snapshot: Snapshot) -> bytes | None:
    """Return the keyring in a backup; None when it was left out. Raises `Damaged`."""
    if not snapshot.manifest.keyring:
        return None
    _require(snapshot, snapshot.sums(), snapshot.folder / KEYRING)
    return (snapshot.folder / KEYRING).read_bytes()
