"""A vault without a server: real keyring, catalog and blobs, and what the tests of its rules need to begin with."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.wiring import close_folder
from tests.engines import ENGINES
from tests.harness import unique
from vault.access import Access
from vault.blobs import open_blobs
from vault.catalog import open_catalog
from vault.crypto.keyring import Keyring
from vault.keys import claim
from vault.models import Limits, Namespace, Principal, Project, User, Visibility
from vault.people import People
from vault.pipelines import Pipelines
from vault.projects import Projects
from vault.secure_files import SecureFiles
from vault.storage import SealedStorage
from vault.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from vault.catalog.database import Database
    from vault.storage import SealedBlob

LARGE = 64 * 1024 + 1
"""The smallest size that does not lie in the catalog's row."""


@dataclass(frozen=True)
class Found:
    """What an inspection says, made up by the test that wants it said."""

    kind: str | None = None
    metadata: dict[str, Any] | None = None
    expires_at: str | None = None
    error: str | None = None


@dataclass
class Reader:
    """Stands where the parsers are plugged in: gives the answer it was told to, and remembers what it was asked."""

    answer: Found = field(default_factory=Found)
    asked: list[tuple[str, bytes, str | None]] = field(default_factory=list)

    def __call__(self, name: str, data: bytes, password: str | None = None, /) -> Found:
        self.asked.append((name, data, password))
        return self.answer


class Core:
    """The parts of one vault under `folder`; `blobs_url` as `open_blobs` takes it, `database_url` as `open_catalog`."""

    def __init__(self, folder: Path, blobs_url: str = "", limits: Limits | None = None, database_url: str = "") -> None:
        close_folder(folder)
        self.folder = folder
        self.catalog_file = folder / "catalog.sqlite"
        self.keyring_file = folder / "keys" / "keyring.json"
        self.database_url = database_url or ENGINES.catalog_url(folder)
        self.database: Database = open_catalog(self.database_url)
        self.database.migrate()
        self.keyring = (
            Keyring.load(self.keyring_file) if self.keyring_file.exists() else Keyring.create(self.keyring_file)
        )
        claim(self.database, self.keyring, str(folder), str(self.keyring_file))
        self.blobs = open_blobs(blobs_url or str(folder / "blobs"))
        self.storage = SealedStorage(self.keyring, self.blobs, self.database)
        self.reader = Reader()
        self.people = People(self.database)
        self.projects = Projects(self.database)
        self.access = Access(self.database, self.projects)
        self.tokens = Tokens(self.database, self.keyring.derive("tokens"))
        self.pipelines = Pipelines(self.database, self.tokens.digest)
        self.secure_files = SecureFiles(self.database, self.storage, self.reader, limits or Limits())
        self.projects.on_delete(self.secure_files.forget_project)
        self.projects.on_delete(self.pipelines.forget_project)

    def sql(self, statement: str, **params: Any) -> list[dict[str, Any]]:
        """Run a statement past every rule, as somebody with access to the database can."""
        return self.database.write(lambda tx: tx.query(statement, **params))

    def keep(self, data: bytes, family: str = "secure_files", project_id: int = 1) -> SealedBlob:
        """Seal `data` and give it its row."""
        blob = self.storage.put(family, project_id, data)
        self.database.write(lambda tx: self.storage.insert(tx, blob))
        return blob

    def discard(self, blob_id: str) -> None:
        """Discard an object in a transaction of its own."""
        self.database.write(lambda tx: self.storage.discard(tx, blob_id))

    def content(self, blob_id: str) -> bytes:
        """Return an object's plaintext."""
        return bytes(self.storage.read(self.storage.envelope(blob_id)))

    def beside(self) -> AbstractContextManager[Core]:
        """Give the same vault once more, as another process would have it."""
        return opened(self.folder, database_url=self.database_url)

    # People and what they own

    def user(self, name: str = "", *, is_admin: bool = False) -> User:
        """Make a user."""
        name = name or unique("user")
        return self.people.create(name, name, f"{name}@example.com", is_admin=is_admin)

    def group(self, creator: User, parent: Namespace | None = None, visibility: str = "private") -> Namespace:
        """Make a group owned by `creator`."""
        name = unique("group")
        parent_id = parent.id if parent else None
        return self.projects.create_group(
            as_caller(creator), name, name, parent_id=parent_id, visibility=Visibility(visibility)
        )

    def project(self, creator: User, namespace: Namespace | None = None, visibility: str = "private") -> Project:
        """Make a project, in the creator's own namespace unless told otherwise."""
        name = unique("app")
        return self.projects.create(
            as_caller(creator), name, name, namespace=namespace, visibility=Visibility(visibility)
        )


def as_caller(user: User) -> Principal:
    """Return the user as one who asks with a token of scope `api`."""
    return Principal(user=user, scopes=frozenset(("api",)))


@contextmanager
def opened(folder: Path, blobs_url: str = "", limits: Limits | None = None, database_url: str = "") -> Iterator[Core]:
    """Give the vault in `folder`, which is made when there is none, and close it."""
    core = Core(folder, blobs_url, limits, database_url)
    try:
        yield core
    finally:
        core.database.close()
