"""What can go wrong in the vault, as one short tree.

    VaultError
    ├── Unauthenticated      no credential that is good (TokenEnded: TokenExpired, TokenRevoked)
    ├── Forbidden            known, but not allowed (InsufficientScope)
    ├── NotFound             there is no such thing, or it is hidden from the caller
    ├── ProjectMoved         it lies elsewhere now, and the caller may know where
    ├── Conflict             the state of the vault does not permit it (CannotCommit)
    ├── LimitExceeded        a count or a size is used up (TooLarge)
    ├── Invalid              a value that cannot be taken; carries the fields it is about
    ├── UnsafePath           a name that would climb out of its folder
    ├── BadArchive           an artifact is not the archive it is taken for
    ├── Damaged              stored bytes are not what was stored (Tampered, Truncated, BlobMissing)
    ├── UnknownKey           a master key that the keyring does not have
    ├── BadKeyring           the keyring itself cannot be used
    ├── Busy                 another server holds the data folder
    └── Unavailable          an engine or a disk does not answer (StorageFull)

Messages name files, projects and keys by id; never a secret, never plaintext.
How an error looks to a client is decided in `server/errors.py`, its exit code in `cli/main.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.models import Project


class VaultError(Exception):
    """Root of everything the vault raises on purpose."""


class Unauthenticated(VaultError):
    """No credential was given, or the one given is not good."""


class TokenEnded(Unauthenticated):
    """The token was good once; `token_id` and `username` say which, for those who look for its use."""

    def __init__(self, reason: str = "", *, token_id: int | None = None, username: str | None = None) -> None:
        super().__init__(reason)
        self.token_id = token_id
        self.username = username


class TokenExpired(TokenEnded):
    """The token was good until its expiry date."""


class TokenRevoked(TokenEnded):
    """The token was revoked by its owner or an administrator."""


class Forbidden(VaultError):
    """The caller is known and may not do this. The text, when there is one, is the reason shown."""


class InsufficientScope(Forbidden):
    """The token's scopes do not reach; `needed` names those that would."""

    def __init__(self, needed: tuple[str, ...]) -> None:
        super().__init__("The request requires higher privileges than provided by the access token.")
        self.needed = needed


class NotFound(VaultError):
    """There is no such thing, or the caller may not know that there is. `what` is e.g. "Project"."""

    def __init__(self, what: str = "", reason: str = "") -> None:
        super().__init__(what or "record")
        self.what = what
        self.reason = reason


class ProjectMoved(VaultError):
    """The path named `project` once; raised only for who may know of it."""

    def __init__(self, project: Project) -> None:
        super().__init__(f"project {project.id} lies elsewhere now")
        self.project = project


class Conflict(VaultError):
    """The request is well formed, but the present state does not permit it."""


class CannotCommit(Conflict):
    """A change that the repository, the branch or the file as it is does not take. The text is the reason shown."""


class LimitExceeded(VaultError):
    """A count is used up: `base` is the sentence shown."""


class TooLarge(LimitExceeded):
    """A body is larger than its limit. `limit` in bytes; `message` is shown instead of the usual one."""

    def __init__(self, limit: int, message: str = "") -> None:
        super().__init__(message or f"larger than the limit of {limit} bytes")
        self.limit = limit
        self.message = message


class Invalid(VaultError):
    """A value that breaks a rule of the model: `problems` holds a text for each field that is wrong."""

    def __init__(self, field: str, problem: str, *, also: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problems = {field: problem, **(also or {})}


class UnsafePath(VaultError):
    """A name that would climb out of its folder; `field` is the parameter it came in."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} should be a valid file path")
        self.field = field


class BadArchive(VaultError):
    """What a job sent is kept well, but is no archive, or does not unpack. The text is the reason shown."""


class Damaged(VaultError):
    """Stored bytes are not what was stored. Nothing catches this to go on."""

    def __init__(self, message: str, *, blob_id: str = "", key_id: str = "") -> None:
        super().__init__(message)
        self.blob_id = blob_id
        self.key_id = key_id


class Tampered(Damaged):
    """Authentication failed: a byte, a row or the associated data is not the one that was sealed."""


class Truncated(Damaged):
    """The stored length cannot be that of a whole sealed stream."""


class BlobMissing(Damaged):
    """The store has no object under this id."""


class UnknownKey(VaultError):
    """The keyring lacks the master key that something was wrapped with."""

    def __init__(self, message: str, *, key_id: str = "") -> None:
        super().__init__(message)
        self.key_id = key_id


class BadKeyring(VaultError):
    """The keyring is unreadable, malformed, open to others, or belongs to another vault."""


class Busy(VaultError):
    """Another server is using the data folder."""


class Unavailable(VaultError):
    """The database, the store or the disk does not answer now; trying again later may help."""


class StorageFull(Unavailable):
    """There is no room left to write to."""
