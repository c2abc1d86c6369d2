"""Builds the vault from settings: the only place that names drivers, and the only one that makes keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parsers.isolated import Pool
from server.keyrings import open_keyring
from server.measures import Measures
from server.readiness import full_disk
from server.version import VERSION
from vault import keys
from vault.access import Access
from vault.artifacts import Artifacts
from vault.audit.catalog import AuditCatalog
from vault.audit.log import AuditLog, sealer_of
from vault.blobs import open_blobs
from vault.catalog import open_catalog
from vault.durations import duration
from vault.errors import Conflict, Invalid, Unavailable, VaultError
from vault.leases import Caretaker
from vault.lfs import LfsObjects
from vault.lfs_passes import LfsPasses
from vault.maintenance.audit import AuditChains
from vault.maintenance.backing_up import Parts
from vault.maintenance.belonging import Keys, Objects, Rows
from vault.maintenance.files import Files
from vault.maintenance.orphans import Orphans
from vault.maintenance.repositories import GitRepositories
from vault.maintenance.restoring import refuse_unfinished
from vault.maintenance.verifying import Verification
from vault.models import Limits
from vault.notices import Notices
from vault.people import People
from vault.pipelines import Pipelines
from vault.projects import Projects
from vault.repositories import Repositories
from vault.retention import Retention
from vault.rewrapping import Rewrapping
from vault.rotation import Rotation
from vault.secure_files import SecureFiles
from vault.sessions import Sessions
from vault.storage import SealedStorage
from vault.tokens import Tokens
from vault.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.settings import Settings
    from vault.blobs import BlobStore
    from vault.catalog.database import Database
    from vault.crypto.keysource import MasterKeyring


@dataclass(frozen=True)
class Services:
    """What the application and every command receive. Close it when done."""

    database: Database
    blobs: BlobStore
    keyring: MasterKeyring
    storage: SealedStorage
    rotation: Rotation
    rewrapping: Rewrapping
    parsers: Pool
    tokens: Tokens
    people: People
    projects: Projects
    access: Access
    pipelines: Pipelines
    secure_files: SecureFiles
    repositories: Repositories
    lfs: LfsObjects
    lfs_passes: LfsPasses
    uploads: Uploads
    artifacts: Artifacts
    retention: Retention
    notices: Notices
    verification: Verification
    orphans: Orphans
    measures: Measures
    sessions: Sessions
    caretaker: Caretaker
    folders: tuple[tuple[str, Path], ...]
    """What lies on disks of this machine, by what it holds."""
    audit: AuditLog

    @property
    def quick_catalog(self) -> Database | None:
        """The catalog, when its short reads may run on the event loop."""
        return self.database if self.database.reads_are_quick else None

    def checks(self) -> dict[str, Callable[[], str]]:
        """Return what has to be well for requests to be served: each says, or raises, what is not."""
        return {
            "catalog": self._catalog_problem,
            "blobs": self._blobs_problem,
            "keyring": lambda: keys.problem(self.database, self.keyring),
            "parsers": lambda: "no parser process starts" if self.parsers.broken else "",
            "disk": lambda: full_disk(self.folders),
            "audit": self.audit.problem,
        }

    def _catalog_problem(self) -> str:
        try:
            self.database.query("SELECT 1 AS one")
        except VaultError as error:
            return f"the catalog does not answer: {error}"
        return ""

    def _blobs_problem(self) -> str:
        try:
            self.blobs.check()
        except VaultError as error:
            return f"the blob store does not answer: {error}"
        return ""

    def chores(self) -> tuple[Callable[[], object], ...]:
        """Return what has to be done again and again while serving: each quick, safe beside requests and processes.

        What would be the same work in every process is the caretaker's, who is one of them all.
        """
        return (
            self.caretaker.does(self.storage.remove_noted),
            self.storage.uses.chore,
            self.caretaker.does(self.secure_files.read_queued),
            self.tokens.remember_use,
            self.caretaker.does(self.retention.sweep),
            self.orphans.chore,
            self.repositories.housekeeping.chore,
        )

    def parts(self, settings: Settings) -> Parts:
        """Return what a backup is made of."""
        keyring = settings.keyring_path()
        return Parts(
            database=self.database,
            blobs=self.blobs,
            repositories=self.repositories.store,
            keyring=keyring if keyring.is_file() else None,
            audit=settings.audit_path(),
            program=VERSION,
        )

    def close(self) -> None:
        """Let go of children, threads, files, and what this process alone does."""
        self.parsers.close()
        self.caretaker.retire()
        self.audit.close()
        self.database.close()


def open_services(settings: Settings, *, create: bool = False, moved: bool = False) -> Services:
    """Open the vault that the settings describe; with `create`, what is missing of a new one is made.

    Raises `BadKeyring` or `UnknownKey` when the keys and the data do not belong together: no new key is made where
    there is data. Raises `Unavailable` when there is no vault and `create` is not asked, and for the catalog of one
    that was moved elsewhere, unless `moved` asks for it.
    """
    refuse_unfinished(settings.data)
    if create:
        close_folder(settings.data)
    elif not settings.database and not (settings.data / "catalog.sqlite").exists():
        raise Unavailable(
            f"there is no vault in {settings.data}; `secure-files serve --data {settings.data}` makes one"
        )
    if not settings.database and not moved:
        _refuse_moved(settings.data)
    database, blobs = open_engines(settings)
    try:
        database.migrate()
        new = keys.instance_of(database) is None
        if new and next(blobs.ids(), None) is not None:
            raise Unavailable(
                f"the catalog of {settings.data} is missing, and its blob store holds files; restore the catalog from "
                "your backup: a new one would take them for leftovers of a crash"
            )
        if new and not create:
            raise Unavailable("there is no vault in this catalog yet; `secure-files serve` makes one")
        keyring = _claimed_keyring(settings, database, create=create)
        return _assemble(settings, database, keyring, blobs)
    except BaseException:
        database.close()
        raise


def moved_mark(folder: Path) -> Path:
    """Return the file that says that the catalog of this folder has moved elsewhere."""
    return folder / "moved"


def _refuse_moved(folder: Path) -> None:
    if moved_mark(folder).exists():
        raise Unavailable(
            f"the vault of {folder} was moved to another database: start with --database and --blobs as they are now. "
            f"What is written here would not be there; to stay here after all, remove {moved_mark(folder)}"
        )


def open_elsewhere(settings: Settings, database: str, blobs: str) -> tuple[Database, BlobStore]:
    """Open a catalog and a blob store that a vault is to move to. Raises `Invalid` for URLs that cannot be."""
    try:
        return open_catalog(database), open_blobs(blobs, settings.object_options())
    except ValueError as error:
        raise Invalid("--to-database or --to-blobs", f"cannot be used: {error}") from error


def open_engines(settings: Settings) -> tuple[Database, BlobStore]:
    """Return the catalog and the store that the settings name, whatever is in them. Raises `Invalid`, `Unavailable`."""
    try:
        database = open_catalog(settings.database_url(), ballast=True, connections=settings.database_connections)
        return database, open_blobs(settings.blobs_url(), settings.object_options())
    except ValueError as error:
        raise Invalid("--database or --blobs", f"cannot be used: {error}") from error


def close_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that is there already is closed to others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def _claimed_keyring(settings: Settings, database: Database, *, create: bool) -> MasterKeyring:
    """Return the keyring of the catalog, which a new catalog remembers from now on."""

    def claimed() -> MasterKeyring:
        keyring = open_keyring(settings, database, create=create)
        keys.claim(database, keyring, str(settings.data), keyring.place)
        return keyring

    try:
        return claimed()
    except Conflict:  # another server made the vault at this very moment: now its id is known
        return claimed()


def _assemble(settings: Settings, database: Database, keyring: MasterKeyring, blobs: BlobStore) -> Services:
    measures = Measures()
    database, blobs = measures.database(database), measures.blobs(blobs)
    storage = SealedStorage(keyring, blobs, database)
    parsers = Pool(settings.parser_children)
    tokens = Tokens(database, keyring.derive("tokens"))
    projects = Projects(database)
    pipelines = Pipelines(database, tokens.digest)
    limits = Limits(settings.secure_file_bytes, settings.secure_files_per_project)
    inspect, sift, glance = (
        measures.inspect(parsers.inspect),
        measures.sift(parsers.sift),
        measures.sift(parsers.glance),
    )
    secure_files = SecureFiles(database, storage, inspect, limits, sift, glance)
    uploads = Uploads(database, storage, tokens.digest)
    projects.on_delete(secure_files.forget_project)
    projects.on_delete(uploads.forget_project)
    artifacts = Artifacts(database, storage, duration(settings.artifacts_expire_in, "artifacts_expire_in"))
    projects.on_delete(artifacts.forget_project)
    lfs = LfsObjects(database, storage)
    projects.on_delete(lfs.forget_project)
    repositories = Repositories(database, settings.repositories_path(), settings.push_bytes, lfs)
    projects.on_delete(pipelines.forget_project)
    projects.on_delete(repositories.forget_project)
    audit = AuditLog(
        settings.audit_path(),
        sealer_of(keyring),
        AuditCatalog(database),
        file_bytes=settings.audit_file_bytes,
        days=settings.audit_days,
        shared=not settings.database_url().startswith("sqlite:"),
    )
    return Services(
        database=database,
        blobs=blobs,
        keyring=keyring,
        storage=storage,
        rotation=Rotation(database, keyring, storage.uses),
        rewrapping=Rewrapping(database, storage, keyring),
        parsers=parsers,
        tokens=tokens,
        people=People(database),
        projects=projects,
        access=Access(database, projects),
        pipelines=pipelines,
        secure_files=secure_files,
        repositories=repositories,
        lfs=lfs,
        lfs_passes=LfsPasses(database, tokens),
        uploads=uploads,
        artifacts=artifacts,
        retention=Retention(database, storage),
        notices=Notices(database),
        orphans=Orphans(database, blobs),
        verification=Verification(
            (
                Keys(database, keyring),
                Rows(database),
                Files(database, storage),
                Objects(database, blobs),
                GitRepositories(database, repositories.store),
                AuditChains(audit),
            )
        ),
        measures=measures,
        sessions=Sessions(database, tokens),
        caretaker=Caretaker(database, alone=settings.alone() and settings.workers == 1),
        folders=_folders(settings),
        audit=audit,
    )


def _folders(settings: Settings) -> tuple[tuple[str, Path], ...]:
    """Return the folders that are written to; those that are made with the first file are where that will be."""
    found = [("data", settings.data)]
    if "://" not in settings.blobs_url() and (blobs := Path(settings.blobs_url())).is_dir():
        found.append(("blobs", blobs))
    if (repositories := settings.repositories_path()).is_dir():
        found.append(("repositories", repositories))
    return tuple(found)
