"""The rules of job artifacts: https://docs.gitlab.com/api/job_artifacts/, and how long they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from vault import clock
from vault.artifact_entries import Archives
from vault.artifact_search import ArtifactSearch
from vault.artifact_types import ARCHIVE, TRACE, check_format
from vault.catalog import artifacts as sql
from vault.catalog import jobs as jobs_sql
from vault.contents import Content
from vault.durations import duration
from vault.errors import Conflict, Forbidden, NotFound
from vault.models import Role
from vault.storage import Owner

if TYPE_CHECKING:
    from datetime import timedelta

    from vault.catalog.database import Database, Transaction
    from vault.models import Artifact, Job
    from vault.storage import BlobWriter, SealedBlob, SealedStorage

FAMILY = "artifacts"
LEAST_ROLE = {"public": Role.NONE, "private": Role.DEVELOPER, "maintainer": Role.MAINTAINER}
"""Who may have artifacts of each access level; those of `none` nobody."""
ACCESS_LEVELS = (*LEAST_ROLE, "none")


@dataclass(frozen=True, slots=True)
class Label:
    """What a job says of an artifact it sends. `expire_in` as in `vault.durations`, empty for the default."""

    file_type: str = ARCHIVE
    file_format: str = "zip"
    access: str = "public"
    expire_in: str = ""


class Expired(NamedTuple):
    """How many artifacts a bulk delete has given up, and how many it left as they are locked."""

    expired: int
    locked: int


class Artifacts:
    """What jobs leave. An artifact without a term of its own is kept for `default_term`, forever if that is None.

    `search` finds them by ref and job name, `archives` looks into them.
    """

    def __init__(self, database: Database, storage: SealedStorage, default_term: timedelta | None) -> None:
        self._db = database
        self._storage = storage
        self._default_term = default_term
        self.search = ArtifactSearch(database, self.available)
        self.archives = Archives(self.content)

    # Taking in

    def writer(self, project_id: int) -> BlobWriter:
        """Return what takes the bytes of a new artifact, for a `with` block; `add` finishes it."""
        return self._storage.writer(FAMILY, project_id)

    def end(self, label: Label) -> str | None:
        """Return when an artifact that comes in now expires, None for never. Raises `Invalid`."""
        check_format(label.file_type, label.file_format)
        term = duration(label.expire_in) if label.expire_in.strip() else self._default_term
        return None if term is None or label.file_type == TRACE else clock.stamp(datetime.now(UTC) + term)

    def add(self, job: Job, label: Label, name: str, writer: BlobWriter) -> Artifact:
        """Keep what was written under a safe name, and return it; what the job has sent before is a success again.

        Raises `Invalid` for a label that does not fit, `Conflict` when the job has another artifact of the type,
        `NotFound` when the job is gone.
        """
        expires_at = self.end(label)
        sealed = writer.finish()
        values = _columns(job, label, name, sealed, expires_at)

        def work(tx: Transaction) -> Artifact:
            tx.lock("jobs", job.id)
            if not tx.query(jobs_sql.JOB_BY_ID, id=job.id):
                raise NotFound("Job")
            if not tx.query(sql.OF_TYPE, job=job.id, file_type=label.file_type):
                self._storage.insert(tx, sealed)
                tx.query(sql.ADD, **values)
            return sql.artifact(tx.query(sql.OF_TYPE, job=job.id, file_type=label.file_type)[0])

        try:
            kept = self._db.write(work)
        except NotFound:
            self._storage.abandon(sealed)
            raise
        if kept.blob_id != sealed.id:
            self._storage.abandon(sealed)
            if kept.checksum != sealed.checksum:
                raise Conflict(
                    "another artifact of the same type already exists: "
                    f"the one kept has sha256 {kept.checksum}, this one {sealed.checksum}"
                )
        return kept

    # Looking up

    def of_job(self, job_id: int) -> list[Artifact]:
        """Return all that a job left, in the order it came."""
        return [sql.artifact(row) for row in self._db.query(sql.OF_JOB, job=job_id)]

    def of_type(self, job: Job, file_type: str = ARCHIVE) -> Artifact:
        """Return the job's artifact of a type, whether its time is over or not. Raises `NotFound`."""
        rows = self._db.query(sql.OF_TYPE, job=job.id, file_type=file_type)
        if not rows:
            what = "artifacts" if file_type == ARCHIVE else f"artifact of the type {file_type}"
            raise NotFound(reason=f"job {job.id} has no {what}")
        return sql.artifact(rows[0])

    def available(self, job: Job) -> Artifact:
        """Return the job's archive while its time is not over. Raises `NotFound`."""
        artifact = self.of_type(job)
        if not artifact.is_available(clock.latest()):
            raise NotFound(reason=f"the artifacts of job {job.id} expired at {artifact.expires_at}")
        return artifact

    def content(self, artifact: Artifact) -> Content:
        """Return the way to an artifact's bytes."""
        owner = Owner(f"artifact {artifact.id}", FAMILY, artifact.project_id, artifact.size, artifact.checksum)
        return Content(self._storage, artifact.blob_id, owner, artifact.id)

    # Keeping and giving up

    def keep(self, job: Job) -> None:
        """Let the job's artifacts never expire. Raises `NotFound` when it has no archive or its time is over."""

        def work(tx: Transaction) -> None:
            rows = tx.query(sql.OF_TYPE, job=job.id, file_type=ARCHIVE)
            if not rows:
                raise NotFound(reason=f"job {job.id} has no artifacts")
            expires_at = rows[0]["expires_at"]
            if expires_at is not None and expires_at <= clock.now():
                raise NotFound(reason=f"the artifacts of job {job.id} expired at {expires_at}")
            if not tx.query(sql.KEEP, job=job.id):  # swept between the two
                raise NotFound(reason=f"job {job.id} has no artifacts")

        self._db.write(work)

    def remove(self, job: Job) -> None:
        """Delete the job's artifacts at once, locked ones too; its log stays. Silent when there are none."""

        def work(tx: Transaction) -> None:
            for row in tx.query(sql.DELETE_OF_JOB, job=job.id):
                self._storage.discard(tx, row["blob_id"])

        self._db.write(work)

    def expire_all(self, project_id: int) -> Expired:
        """Let all of the project expire now that is not locked, also what was to be kept; the sweep removes it."""

        def work(tx: Transaction) -> Expired:
            expired = tx.query(sql.EXPIRE_UNLOCKED, project=project_id, now=clock.now())
            return Expired(len(expired), tx.query(sql.COUNT_LOCKED, project=project_id)[0]["n"])

        return self._db.write(work)

    def forget_project(self, tx: Transaction, project_id: int) -> None:
        """Delete all artifacts of a project that is being deleted."""
        for row in tx.query(sql.DELETE_ALL, project=project_id):
            self._storage.discard(tx, row["blob_id"])


def check_access(artifact: Artifact, role: Role) -> None:
    """Refuse who may see the job and not what it left. Raises `Forbidden`."""
    if artifact.access not in LEAST_ROLE or role < LEAST_ROLE[artifact.access]:
        raise Forbidden


def _columns(job: Job, label: Label, name: str, sealed: SealedBlob, expires_at: str | None) -> dict[str, Any]:
    return {
        "project": job.project_id,
        "job": job.id,
        "file_type": label.file_type,
        "file_format": label.file_format,
        "filename": name,
        "blob_id": sealed.id,
        "size": sealed.size,
        "checksum": sealed.checksum,
        "access": label.access,
        "expires_at": expires_at,
        "now": clock.now(),
    }
