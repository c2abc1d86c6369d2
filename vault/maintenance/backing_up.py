"""A backup of a vault that goes on serving.

    the mark is set: nothing is removed any more that a row named
      -> where branches and tags are -> the catalog, as of one moment -> the objects that it names
      -> repositories -> audit log -> sums and manifest -> the backup gets its name

Objects never change and do not go while the mark is held, so each row of the catalog's copy has its object. What is
written after that moment is in the next backup. Commits are those of just before it: each Git LFS object that they
point to had its row when they were made. A repository that was empty then may be ahead of the catalog.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from vault import clock, keys
from vault.blobs import copying
from vault.blobs.filesystem import FilesystemBlobs
from vault.catalog import portable
from vault.catalog.schema import MIGRATIONS
from vault.crypto.keyring import Keyring
from vault.crypto.keysource import OUTSIDE
from vault.errors import BlobMissing, Conflict, Damaged, Unavailable
from vault.maintenance.mark import Mark, marked
from vault.maintenance.named import Named, Stored
from vault.maintenance.place import (
    AUDIT,
    BLOBS,
    CATALOG,
    FORMAT,
    KEYRING,
    MANIFEST,
    REPOSITORIES,
    SUMS,
    UNFINISHED,
    Manifest,
    Place,
    Repository,
    Snapshot,
    Sums,
    digest_of,
    write_durably,
)
from vault.repositories import bundles
from vault.repositories.store import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedWriter
    from pathlib import Path

    from vault.blobs import BlobStore
    from vault.catalog.database import Database, Row
    from vault.maintenance.verifying import Observer
    from vault.repositories.store import Store

COPIES_AT_ONCE = 4


class Parts(NamedTuple):
    """What a vault consists of. `keyring` and `audit` are where those lie, None where they are no files."""

    database: Database
    blobs: BlobStore
    repositories: Store
    keyring: Path | None
    audit: Path | None
    program: str


class Wishes(NamedTuple):
    """How a backup is to be made; `keep` so many whole ones, 0: all of them."""

    with_keyring: bool = False
    link: bool = False
    keep: int = 0


def back_up(parts: Parts, target: Path, wishes: Wishes, observer: Observer) -> Snapshot:
    """Make a backup in `target`, beside those that are there, and return it; its `damaged` names what it lacks.

    Raises `Busy` when another is being made, `Conflict` when `target` holds something else or another vault's, and
    `Unavailable`, `StorageFull`: then what there is of it is no whole backup, and is told apart by its name.
    """
    instance = keys.instance_of(parts.database)
    if wishes.with_keyring and parts.keyring is None:
        raise Conflict("the keyring is no file, so it cannot go into the backup: back it up where it is kept")
    place = Place(target)
    place.prepare()
    with place.alone(), marked(parts.database) as mark:
        before = place.newest()
        if before is not None and before.manifest.instance != instance:
            raise Conflict(f"{target} holds the backups of another vault")
        for folder in place.unfinished():
            place.drop(folder)
        made = _Making(parts, place, before, observer).make(wishes, mark)
        _keep(place, wishes.keep)
    return made


class _Making:
    """One backup being made."""

    def __init__(self, parts: Parts, place: Place, before: Snapshot | None, observer: Observer) -> None:
        self._parts = parts
        self._place = place
        self._before = before
        self._observer = observer
        self._known = before.objects() if before else {}
        moment = datetime.now(UTC)
        self._created_at = clock.stamp(moment)
        self._name = self._created_at.replace("-", "").replace(":", "")
        self._folder = place.snapshots / (self._name + UNFINISHED)
        self._sums = Sums(place.folder)
        self._damaged: list[str] = []
        self._refs: dict[str, bytes] = {}
        self._size = 0

    def make(self, wishes: Wishes, mark: Mark) -> Snapshot:
        """Make it, and give it its name when all of it is on the disk. What fails is removed again."""
        self._folder.mkdir(0o700)
        try:
            self._fill(wishes)
            for inside in (*(path for path in self._folder.rglob("*") if path.is_dir()), self._folder):
                sync(inside)
            mark.check()
            named = self._folder.rename(self._place.snapshots / self._name)
        except BaseException:
            self._place.drop(self._folder)
            raise
        sync(self._place.snapshots)
        return Snapshot(named)

    def _fill(self, wishes: Wishes) -> None:
        self._look_at_refs()
        named = self._catalog()
        self._objects(named.objects, link=wishes.link)
        bundled = self._repositories(named.repositories)
        self._audit()
        if wishes.with_keyring:
            self._keyring(named.keys)
        sums = self._sums.write(self._folder / SUMS)
        manifest = self._manifest(named, bundled, sums, keyring=wishes.with_keyring)
        write_durably(self._folder / MANIFEST, manifest.dump().encode())

    def _look_at_refs(self) -> None:
        for _, repository in self._parts.repositories.folders():
            with suppress(Damaged, Unavailable, OSError):  # told of when it is bundled
                self._refs[repository.stem] = bundles.refs_of(repository)

    def _catalog(self) -> Named:
        """Write the catalog, and return what it names."""
        named = Named()

        def seen(table: str, row: Row) -> None:
            named.see(table, row)
            if table == "blobs":
                self._observer.step(row["id"])

        file, digest = self._folder / CATALOG, hashlib.sha256()
        self._observer.begin("catalog", self._parts.database.query("SELECT COUNT(*) AS n FROM blobs")[0]["n"])
        with self._parts.database.snapshot() as snapshot, _new_file(file) as out:
            for line in portable.exported(snapshot, seen):
                raw = line.encode()
                digest.update(raw)
                out.write(raw)
        self._sums.add(file, digest.hexdigest())
        self._size += file.stat().st_size
        return named

    def _objects(self, stored: list[Stored], *, link: bool) -> None:
        """Bring the objects into the pool that are not there, some at a time."""
        pool = FilesystemBlobs(self._place.folder / BLOBS)
        pool.sweep_unfinished()
        there = set(pool.ids())
        self._observer.begin("files", len(stored))

        def bring(each: Stored) -> tuple[Stored, str, str]:
            try:
                return each, self._brought(pool, each, there, link=link), ""
            except BlobMissing:
                return each, "", f"object {each.id} is missing from the store"

        with ThreadPoolExecutor(COPIES_AT_ONCE) as threads:
            waiting = iter(stored)
            while some := list(islice(waiting, 64)):
                for each, digest, problem in threads.map(bring, some):
                    self._note(each, digest, problem, pool)

    def _note(self, each: Stored, digest: str, problem: str, pool: FilesystemBlobs) -> None:
        if digest:
            self._sums.add(self._place.folder / BLOBS / each.id[:2] / each.id, digest)
            size = pool.size(each.id)
            self._size += size
            if size != each.size:
                problem = f"object {each.id} has {size} bytes where {each.size} were stored"
        if problem:
            self._damaged.append(problem)
        self._observer.step(each.id)

    def _brought(self, pool: FilesystemBlobs, each: Stored, there: set[str], *, link: bool) -> str:
        """Have the object in the pool and return the SHA-256 of its bytes."""
        if each.id in there and pool.size(each.id) == each.size:
            return self._known.get(each.id) or copying.digest_of(pool, each.id)
        if each.id in there:
            pool.delete(each.id)  # it was damaged when it was copied
        # Only a store of files has it, whatever stands before that store.
        file_of = getattr(self._parts.blobs, "file_of", None) if link else None
        if file_of is not None and pool.take_from(file_of(each.id), each.id):
            return copying.digest_of(pool, each.id)
        return copying.copy(self._parts.blobs, pool, each.id)

    def _repositories(self, named: list[tuple[int, str]]) -> list[Repository]:
        """Bundle the repositories whose refs are not those of the last backup, and take over the other bundles."""
        folder = self._folder / REPOSITORIES
        folder.mkdir(0o700)
        before = {each.folder: each.refs for each in self._before.manifest.repositories} if self._before else {}
        self._observer.begin("repositories", len(named))
        made = []
        for project_id, name in named:
            try:
                made.append(Repository(project_id, name, self._bundled(name, before.get(name, ""))))
            except (Damaged, Unavailable) as error:
                self._damaged.append(f"repository of project {project_id}: {error}")
            self._observer.step(name)
        return made

    def _bundled(self, name: str, before: str) -> str:
        repository = self._parts.repositories.path(name)
        if not repository.is_dir():
            raise Damaged(f"{name} is missing from the disk")
        file = self._folder / REPOSITORIES / f"{name}.bundle"
        told = self._refs.pop(name, b"") or bundles.refs_of(repository)
        if not told:
            return ""
        refs = hashlib.sha256(told).hexdigest()
        if refs != before or not self._taken_over(file):
            bundles.bundle(repository, told, file)
            file.chmod(0o600)
            sync(file)
        self._sums.add(file, digest_of(file))
        self._size += file.stat().st_size
        return refs

    def _taken_over(self, file: Path) -> bool:
        """Have a file of the last backup in this one as well, if it is there."""
        if self._before is None:
            return False
        with suppress(OSError):
            os.link(self._before.folder / file.relative_to(self._folder), file)
            return True
        return False

    def _audit(self) -> None:
        """Copy the audit log's whole lines; its files only grow, or go when they are old."""
        if self._parts.audit is None or not self._parts.audit.is_dir():
            return
        (self._folder / AUDIT).mkdir(0o700)
        for file in sorted(self._parts.audit.glob("*.jsonl")):
            with suppress(FileNotFoundError):
                raw = file.read_bytes()
                self._file(self._folder / AUDIT / file.name, raw[: raw.rfind(b"\n") + 1])

    def _file(self, file: Path, data: bytes) -> None:
        write_durably(file, data)
        self._sums.add(file, hashlib.sha256(data).hexdigest())
        self._size += len(data)

    def _keyring(self, needed: dict[str, str]) -> None:
        """Copy the keyring, which has to have the keys that the catalog's copy needs and no service keeps."""
        assert self._parts.keyring is not None
        raw = self._parts.keyring.read_bytes()
        held = Keyring.from_json(raw.decode()).checks()
        if any(check != held.get(key) for key, check in needed.items() if check not in ("", OUTSIDE)):
            raise Unavailable("the keys were changed while the backup was made: begin again")
        self._file(self._folder / KEYRING, raw)

    def _manifest(self, named: Named, repositories: list[Repository], sums: str, *, keyring: bool) -> Manifest:
        return Manifest(
            format=FORMAT,
            program=self._parts.program,
            instance=named.instance,
            keys=named.keys,
            created_at=self._created_at,
            migrations=[migration.name for migration in MIGRATIONS],
            objects=len(named.objects),
            bytes=self._size,
            repositories=repositories,
            sums=sums,
            keyring=keyring,
            damaged=self._damaged,
        )


@contextmanager
def _new_file(file: Path) -> Iterator[BufferedWriter]:
    """Give a new file, which is on the disk when the block has ended."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:  # noqa: PTH123
        yield opened
        opened.flush()
        os.fsync(opened.fileno())


def _keep(place: Place, count: int) -> None:
    """Remove all but the newest `count` backups, and the objects that no other names; 0 keeps all."""
    whole = place.whole()
    if not count or len(whole) <= count:
        return
    wanted = {blob_id for folder in whole[-count:] for blob_id in Snapshot(folder).objects()}
    for folder in whole[:-count]:
        place.drop(folder)
    pool = FilesystemBlobs(place.folder / BLOBS)
    for blob_id in list(pool.ids()):
        if blob_id not in wanted:
            pool.delete(blob_id)
