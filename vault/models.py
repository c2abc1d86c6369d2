"""The nouns of the vault: plain values that the catalog fills and the rules speak of."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Role(IntEnum):
    """GitLab's access levels, ordered: https://docs.gitlab.com/api/access_requests/#valid-access-levels."""

    NONE = 0
    MINIMAL = 5
    GUEST = 10
    PLANNER = 15
    REPORTER = 20
    DEVELOPER = 30
    MAINTAINER = 40
    OWNER = 50


class Visibility(StrEnum):
    """Who may know of a project: its members, everybody signed in, everybody."""

    PRIVATE = "private"
    INTERNAL = "internal"
    PUBLIC = "public"


class RepositoryAccess(StrEnum):
    """Whom a project's repository is there for: nobody, its members, everybody who may know of the project."""

    DISABLED = "disabled"
    PRIVATE = "private"
    ENABLED = "enabled"


SCOPES = ("api", "read_api", "read_user", "read_repository", "write_repository")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can hold tokens and roles."""

    id: int
    username: str
    name: str
    email: str
    state: str
    is_admin: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A user's own namespace or a group; `full_path` is that of its parents and its own `path`."""

    id: int
    kind: str
    name: str
    path: str
    full_path: str
    parent_id: int | None
    owner_id: int | None
    visibility: Visibility
    description: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Project:
    """What signing files, uploads, a repository and artifacts belong to."""

    id: int
    namespace_id: int
    name: str
    path: str
    full_path: str
    description: str
    default_branch: str
    visibility: Visibility
    archived: bool
    settings: dict[str, Any]
    creator_id: int | None
    created_at: str
    last_activity_at: str

    @property
    def repository_access(self) -> RepositoryAccess:
        """Whom its repository is there for."""
        return RepositoryAccess(self.settings.get("repository_access_level", RepositoryAccess.ENABLED))


@dataclass(frozen=True, slots=True)
class Member:
    """A user's access level in one project or group."""

    user: User
    access_level: Role
    expires_at: str | None
    created_at: str


@dataclass(frozen=True, slots=True)
class Token:
    """A personal access token, without its secret: only a keyed digest of that is kept."""

    id: int
    user_id: int
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked: bool
    last_used_at: str | None


@dataclass(frozen=True, slots=True)
class LfsObject:
    """A large file of a project's repository, outside of git: `oid` is the SHA-256 of its content in hex."""

    id: int
    project_id: int
    oid: str
    size: int
    blob_id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One run of jobs on a ref."""

    id: int
    project_id: int
    ref: str
    sha: str
    status: str
    parent_id: int | None
    user_id: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Job:
    """One CI job; while it runs, its token acts as the user who started it."""

    id: int
    project_id: int
    pipeline_id: int
    name: str
    stage: str
    ref: str
    status: str
    user_id: int
    failure_reason: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a user by a personal token, or a running job on that user's behalf."""

    user: User
    scopes: frozenset[str]
    token_id: int | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """The envelope of one sealed object; `sealed` holds the stream itself when it lies in the row.

    `owner` says in errors whose it is, where that is known: "secure file 12".
    """

    id: str
    family: str
    project_id: int
    size: int
    sha256: str
    alg: int
    kek_id: str
    wrapped: bytes
    commitment: bytes
    sealed: bytes | None
    created_at: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SecureFile:
    """One signing file.

    `document` is JSON text of what the API tells of it, from the opening brace on and without the id, kept finished
    so that a list is a join.
    """

    id: int
    project_id: int
    name: str
    blob_id: str
    checksum: str
    size: int
    expires_at: str | None
    metadata_error: str | None
    kind: str | None
    created_at: str
    updated_at: str
    document: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A file attached to text, whose secret is told only to who sent it. His names are None once he is gone."""

    id: int
    project_id: int
    filename: str
    blob_id: str
    size: int
    checksum: str
    uploader_id: int
    uploader_name: str | None
    uploader_username: str | None
    created_at: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a job left. `locked`: of the newest successful pipeline of its ref, it outlives its end."""

    id: int
    project_id: int
    job_id: int
    file_type: str
    file_format: str
    filename: str
    blob_id: str
    size: int
    checksum: str
    access: str
    expires_at: str | None
    created_at: str
    locked: bool

    def is_available(self, now: str) -> bool:
        """Say whether it is still to be had at the moment `now`, a catalog time."""
        return self.locked or self.expires_at is None or self.expires_at > now


class Finding(Protocol):
    """What an inspection of a file's content says; the vault is handed the function that makes it."""

    @property
    def kind(self) -> str | None:
        """Name the kind of file, when it was recognised."""

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Return GitLab's metadata object, or None when there is none to tell."""

    @property
    def expires_at(self) -> str | None:
        """Return the end of validity, UTC with milliseconds."""

    @property
    def error(self) -> str | None:
        """Return the reason code when the file could not be read."""


class Sift(Protocol):
    """Looks at a file's name and its first 4 KiB."""

    def __call__(self, name: str, head: bytes, /) -> Finding | None:
        """Return what is told of a file that no parser knows; None when its content is to be read."""


class Inspect(Protocol):
    """Reads a file's content: name, bytes and an optional password that is used once and forgotten."""

    def __call__(self, name: str, data: bytes | bytearray, password: str | None = None, /) -> Finding:
        """Never raises for what the file holds."""


COUNTED = 10_000
"""Up to so many rows a list says how many there are, as in GitLab: a million takes longer to count than to show."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list that is counted from 1."""

    number: int = 1
    size: int = 20

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    @property
    def most(self) -> int:
        """Rows to count at most: enough to know whether there are more than are told, and whether a page follows."""
        return max(COUNTED, self.offset + self.size) + 1


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One page of rows and how many there are in all; above `COUNTED` it may be that there are more."""

    rows: list[T]
    total: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a project may hold; settings of the server."""

    secure_file_bytes: int = 5 * 1024 * 1024
    secure_files_per_project: int = 100
    extra: dict[str, int] = field(default_factory=dict)
