"""The rules of the secure files family: https://docs.gitlab.com/api/secure_files/."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from vault import doctor
from vault.blob_reading import SmallBlob
from vault.catalog import readable
from vault.catalog import secure_files as sql
from vault.catalog.reach import FEW
from vault.catalog.readable import Asked
from vault.clock import in_days, now, today
from vault.contents import Content
from vault.documents import Documents
from vault.errors import BlobMissing, Invalid, LimitExceeded, NotFound, TooLarge
from vault.incoming import Incoming
from vault.keeping import keeping
from vault.models import COUNTED, Listing, Page, Principal, Role, SecureFile
from vault.secure_file_documents import columns, text_of, with_id
from vault.secure_file_names import check_name
from vault.storage import INLINE_LIMIT, Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from vault.blob_reading import BlobOpening
    from vault.catalog.database import Database, Transaction
    from vault.models import Blob, Finding, Inspect, Limits, Sift
    from vault.storage import SealedBlob, SealedStorage

T = TypeVar("T")
Data: TypeAlias = bytes | bytearray | Incoming

FAMILY = "secure_files"
END_OF_TIME = "9999-12-31T23:59:59.999Z"
# The reason code of a file that no parser was free for.
QUEUED, QUEUED_AT_ONCE = "queued", 20


class SecureFiles:
    """Signing files: sealed, checked, and read for what they hold before the answer is given."""

    def __init__(
        self,
        database: Database,
        storage: SealedStorage,
        inspect: Inspect,
        limits: Limits,
        sift: Sift = lambda _, __: None,
        glance: Sift = lambda _, __: None,
    ) -> None:
        self._db = database
        self._storage = storage
        self._inspect = inspect
        self._sift = sift
        self._glance = glance
        self._limits = limits

    def documents(
        self, project_id: int, page: Page, *, name: str | None = None, expires_before: str | None = None
    ) -> Documents:
        """Return the project's files as JSON texts, newest first; of one name, or expiring before a moment."""
        recent, key = self._db.known(), ("secure files", project_id, page, name, expires_before)
        found: Documents | None = recent.get(key)
        if found is None:
            found = self._documents(page, {"project": project_id, "name": name, "before": expires_before})
            recent.keep(key, found, 2 * len(found.body))
        return found

    def _documents(self, page: Page, where: dict[str, Any]) -> Documents:
        rows = self._db.query(sql.DOCUMENTS, **where, size=page.size, offset=page.offset)
        if page.number == 1 and len(rows) < page.size:
            total = len(rows)
        else:
            total = self._db.query(sql.COUNT_FILTERED, **where)[0]["n"]
        return Documents([with_id(row["id"], row["document"]) for row in rows], total)

    def of_project(self, project_id: int, page: Page) -> list[SecureFile]:
        """Return the project's files, newest first."""
        rows = self._db.query(sql.PAGE, project=project_id, name=None, before=None, size=page.size, offset=page.offset)
        return [sql.secure_file(row) for row in rows]

    def get(self, project_id: int, file_id: int) -> SecureFile:
        """Return one file of the project. Raises `NotFound`."""
        rows = self._db.query(sql.FILE, id=file_id, project=project_id)
        if not rows:
            raise NotFound
        return sql.secure_file(rows[0])

    def incoming(self, project_id: int, name: str | None) -> Incoming:
        """Return what takes the content of a file in pieces, for `add` or `replace`; its name, if that is known yet."""
        writer = self._storage.writer(FAMILY, project_id)
        return Incoming(writer, partial(self._sift, name) if name is not None else None)

    def _take(self, project_id: int, name: str, data: Data, password: str | None) -> tuple[Finding, SealedBlob]:
        if isinstance(data, Incoming):
            return data.finding(self._inspect, name, password), data.finish()
        return self._inspect(name, data, password), self._storage.put(FAMILY, project_id, data)

    def add(self, project_id: int, name: str, data: Data, password: str | None = None) -> SecureFile:
        """Keep a new file and return it with its metadata; an unreadable one is kept with a reason code.

        `password` opens the file this once and is not kept. Raises `TooLarge`, `UnsafePath`, `Invalid` (name blank,
        too long or taken), `LimitExceeded` (files of the project), `NotFound` (the project is gone).
        """
        return self.adding(project_id, name, data, password).result()

    def adds_quickly(self, name: str, data: Data) -> bool:
        """Whether `adding` with `queued` waits for nobody, so that an event loop may call it: a tenth of a millisecond.

        So it is with a small file that no parser knows.
        """
        return isinstance(data, Incoming) and self._storage.seals_quickly and data.is_told(partial(self._glance, name))

    def adding(
        self, project_id: int, name: str, data: Data, password: str | None = None, *, queued: bool = False
    ) -> Future[SecureFile]:
        """Do as `add` does, but for waiting for the commit: the file is kept when the future is done.

        With `queued` the commit is never this thread's.
        """
        if len(data) >= self._limits.secure_file_bytes:
            raise TooLarge(self._limits.secure_file_bytes)
        check_name(name)
        if len(data) > INLINE_LIMIT:  # a look before much work; the transaction below decides
            self._check_place(self._db.query, project_id, name)
        finding, sealed = self._take(project_id, name, data, password)
        created_at = now()
        values = {
            **_content(project_id, sealed),
            **columns(name, sealed.checksum, created_at, finding),
            "now": created_at,
        }

        def work(tx: Transaction) -> SecureFile:
            tx.lock("projects", project_id)
            self._storage.insert(tx, sealed)
            added = tx.query(sql.ADD, name=name, limit=self._limits.secure_files_per_project, **values)
            if not added:
                self._check_place(tx.query, project_id, name)
            return sql.secure_file(added[0])

        return keeping(self._db, self._storage, sealed, work, queued=queued)

    def _check_place(self, query: Any, project_id: int, name: str) -> None:
        (place,) = query(sql.PLACE, project=project_id, name=name)
        if not place["projects"]:  # deleted while the file came
            raise NotFound("Project")
        if place["of_that_name"]:
            raise Invalid("name", "has already been taken")
        limit = self._limits.secure_files_per_project
        if place["files"] >= limit:
            raise LimitExceeded(f"Maximum number of project ci secure files ({limit}) exceeded")

    def replace(self, project_id: int, file_id: int, data: Data, password: str | None = None) -> SecureFile:
        """Put new content in the place of a file's; id and name stay, the old content's key is erased.

        Raises `NotFound`, `TooLarge`.
        """
        return self.replacing(project_id, file_id, data, password).result()

    def replacing(self, project_id: int, file_id: int, data: Data, password: str | None = None) -> Future[SecureFile]:
        """Do as `replace` does, but for waiting for the commit: the content is kept when the future is done."""
        if len(data) >= self._limits.secure_file_bytes:
            raise TooLarge(self._limits.secure_file_bytes)
        file = self.get(project_id, file_id)
        finding, sealed = self._take(project_id, file.name, data, password)
        values = {**_content(project_id, sealed), **columns(file.name, sealed.checksum, file.created_at, finding)}

        def work(tx: Transaction) -> SecureFile:
            tx.lock("secure_files", file_id)
            before = tx.query(sql.FILE, id=file_id, project=project_id)
            if not before:
                raise NotFound
            self._storage.insert(tx, sealed)
            row = tx.query(sql.REPLACE, id=file_id, now=now(), **values)[0]
            self._storage.discard(tx, before[0]["blob_id"])
            return sql.secure_file(row)

        return keeping(self._db, self._storage, sealed, work)

    def read_again(self, project_id: int, file_id: int, password: str | None) -> SecureFile:
        """Read a file's metadata again, with a password that is used this once; return the file.

        When that does not succeed, metadata that was read before stays, and the returned file says why in
        `metadata_error`.
        """
        file, content = self.content(project_id, file_id)
        finding = self._inspect(file.name, content, password)
        told = json.loads("{" + file.document)
        if finding.error is not None and told["metadata"] is not None:
            return replace(file, document=text_of({**told, "metadata_error": finding.error}))
        values = columns(file.name, file.checksum, file.created_at, finding)
        rows = self._db.write(
            lambda tx: tx.query(sql.READ_AGAIN, id=file_id, blob_id=file.blob_id, now=now(), **values)
        )
        return sql.secure_file(rows[0]) if rows else self.get(project_id, file_id)

    def read_queued(self) -> int:
        """Read files that were kept unread, as no parser was free when they came; return how many were read.

        The password that came with one is gone. Safe beside requests and other processes.
        """
        done = 0
        for row in self._db.query(sql.QUEUED, limit=QUEUED_AT_ONCE):
            try:
                file = self.read_again(row["project_id"], row["id"], None)
            except NotFound:
                continue
            if file.metadata_error == QUEUED:
                break
            done += 1
        return done

    def expiry_windows(self) -> dict[str, int]:
        """Count all files by when they expire, each in the first window that it falls into."""
        days = {"now": 0, "week": 7, "month": 30, "quarter": 90}
        (row,) = self._db.query(sql.EXPIRY_WINDOWS, **{name: in_days(number) for name, number in days.items()})
        found = {name: int(count or 0) for name, count in row.items()}
        return {
            "expired": found["expired"],
            "7d": found["week"] - found["expired"],
            "30d": found["month"] - found["week"],
            "90d": found["quarter"] - found["month"],
            "later": found["dated"] - found["quarter"],
            "never": found["every"] - found["dated"],
        }

    def content_in_row(self, project_id: int, file_id: int) -> tuple[SecureFile, bytes | bytearray | None]:
        """Return a file, and its content when that lies in the catalog: two short reads. Raises as `content` does.

        Not the content where a service has to be asked for its key: that is not short.
        """
        if not self._storage.opens_quickly:
            return self.get(project_id, file_id), None
        file, blob = self._known(project_id, file_id)
        return file, blob.read() if isinstance(blob, SmallBlob) else None

    def _known(self, project_id: int, file_id: int) -> tuple[SecureFile, SmallBlob | Blob | None]:
        """Return a file, and its envelope, or what opens its content when that lies there; None where it is missing."""
        recent, key = self._db.known(), ("secure file", project_id, file_id)
        found: tuple[SecureFile, SmallBlob | Blob | None] | None = recent.get(key)
        if found is None:
            file = self.get(project_id, file_id)
            try:
                blob = self._envelope(file)
            except BlobMissing:
                return file, None
            found = file, blob if blob.sealed is None else self._storage.small(blob)
            recent.keep(key, found, len(blob.sealed or b"") + len(file.document))
        return found

    def content(self, project_id: int, file_id: int) -> tuple[SecureFile, bytes | bytearray]:
        """Return a file and its whole content, verified. Raises `NotFound`, `Damaged`, `UnknownKey`."""
        return self._present(project_id, file_id, lambda file: self._storage.read(self._envelope(file)))

    @property
    def fetches_quickly(self) -> bool:
        """Whether `fetch` is two short reads of the catalog and no more."""
        return self._storage.fetches_quickly

    def fetch(self, project_id: int, file_id: int) -> tuple[SecureFile, BlobOpening]:
        """Return a file, and its content with what opens it, whose turns raise as well. Raises as `content` does."""
        if self._storage.opens_quickly:
            file, blob = self._known(project_id, file_id)
            if blob is not None and not isinstance(blob, SmallBlob):
                with suppress(BlobMissing):  # looked for once more below
                    return file, self._storage.fetch(blob)
        return self._present(project_id, file_id, lambda file: self._storage.fetch(self._envelope(file)))

    def source(self, project_id: int, file_id: int) -> tuple[SecureFile, Content]:
        """Return a file and the way to its content, all of it verified and none kept. Raises as `content` does."""

        def checked(file: SecureFile) -> Content:
            for _ in self._storage.open(self._envelope(file)).pieces():
                pass
            return Content(self._storage, file.blob_id, _owner(file), file.id)

        return self._present(project_id, file_id, checked)

    def _present(self, project_id: int, file_id: int, look: Callable[[SecureFile], T]) -> tuple[SecureFile, T]:
        file = self.get(project_id, file_id)
        while True:
            try:
                return file, look(file)
            except BlobMissing:
                # Replaced or deleted between the looks? Then nothing is damaged.
                seen, file = file, self.get(project_id, file_id)
                if file.blob_id == seen.blob_id:
                    raise

    def _envelope(self, file: SecureFile) -> Blob:
        owner = _owner(file)
        try:
            return owner.claim(self._storage.envelope(file.blob_id))
        except NotFound:
            text = f"{owner.label}: the envelope of object {file.blob_id} is missing"
            raise BlobMissing(text, blob_id=file.blob_id) from None

    def remove(self, project_id: int, file_id: int) -> None:
        """Delete a file; its key is erased in the same transaction. Raises `NotFound`."""

        def work(tx: Transaction) -> None:
            rows = tx.query(sql.DELETE, id=file_id, project=project_id)
            if not rows:
                raise NotFound
            self._storage.discard(tx, rows[0]["blob_id"])

        self._db.write(work)

    def forget_project(self, tx: Transaction, project_id: int) -> None:
        """Delete all files of a project that is being deleted."""
        for row in tx.query(sql.DELETE_ALL, project=project_id):
            self._storage.discard(tx, row["blob_id"])

    def readable(
        self, caller: Principal, page: Page, *, name: str | None = None, expires_before: str | None = None
    ) -> Listing[tuple[SecureFile, str]]:
        """Return the files of all projects the caller may read, each with its project's path, soonest expiry first.

        Files that never expire come last. A job's token reaches its own project only.
        """
        asked = self._asked(caller, named=name is not None, dated=expires_before is not None)
        where = {**_reader(caller), "name": name, "before": expires_before}
        total = self._db.query(readable.count(asked), **where, most=page.most)[0]["n"]
        statement = readable.page(asked, many=total > COUNTED)
        rows = self._db.query(statement, **where, size=page.size, offset=page.offset, most=page.most)
        return Listing([(sql.secure_file(row), row["project"]) for row in rows], total)

    def readable_expiring(self, caller: Principal) -> list[dict[str, Any]]:
        """Return what expires of all that the caller may read, soonest first, as `expiring` does."""
        return self._db.query(readable.expiring(self._asked(caller)), **_reader(caller))

    def _asked(self, caller: Principal, *, named: bool = False, dated: bool = False) -> Asked:
        everything = caller.user.is_admin
        few = not everything and self._db.query(readable.REACH, **_reader(caller))[0]["n"] <= FEW
        return Asked(everything=everything, few=few, of_job=caller.job is not None, named=named, dated=dated)

    def expiring(self, before: str | None = None, project_id: int | None = None) -> list[dict[str, Any]]:
        """Return what expires, soonest first: across all projects or of one, up to `before` when it is given."""
        limit = END_OF_TIME if before is None else before
        if project_id is None:
            return self._db.query(sql.EXPIRING, before=limit)
        return self._db.query(sql.EXPIRING_OF_PROJECT, before=limit, project=project_id)

    def unreadable(self) -> int:
        """Return how many files of all projects could not be read, so that their expiry is not known."""
        return int(self._db.query(sql.UNREADABLE)[0]["n"])

    def examine(self, project_id: int) -> list[doctor.Finding]:
        """Return what is to be known of a project's files as one set; no file is opened for it."""
        return doctor.examine(self._told(project_id), datetime.now(UTC))

    def _told(self, project_id: int) -> Iterator[dict[str, Any]]:
        """Yield what is known of each file, one at a time: a document may have more than a megabyte."""
        for row in self._db.query(sql.OF_PROJECT, project=project_id):
            for found in self._db.query(sql.FILE, id=row["id"], project=project_id):
                yield {**json.loads(with_id(found["id"], found["document"])), "kind": found["kind"]}

    def projects(self) -> list[tuple[int, str]]:
        """Return the id and the path of each project that has files, by path."""
        return [(row["id"], row["full_path"]) for row in self._db.query(sql.PROJECTS)]


def _owner(file: SecureFile) -> Owner:
    return Owner(f"secure file {file.id}", FAMILY, file.project_id, file.size, file.checksum)


def present(file: SecureFile) -> str:
    """Return what the API tells of a file as JSON text."""
    return with_id(file.id, file.document)


def _content(project_id: int, sealed: SealedBlob) -> dict[str, Any]:
    return {"project": project_id, "blob_id": sealed.id, "checksum": sealed.checksum, "size": sealed.size}


def _reader(caller: Principal) -> dict[str, Any]:
    """Return who reads, for the statements of `vault/catalog/readable.py`."""
    return {
        "user": caller.user.id,
        "job_project": caller.job.project_id if caller.job else None,
        "level": int(Role.DEVELOPER),
        "today": today(),
    }
