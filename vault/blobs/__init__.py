"""Where sealed bytes lie: immutable objects under opaque ids.

A store sees ciphertext only and knows nothing of keys, names or projects. Every driver is held to the contract
below by one suite, `tests/blobstore_suite.py`; which driver is used is decided by URL in `open_blobs`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_BLOB_ID = re.compile(r"[0-9a-f]{32}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HTTP = re.compile(r"https?://[^/@?#]+(/[\w./-]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class ObjectOptions:
    """How an object store is reached; what is empty comes from the provider's own variables, such as AWS_REGION."""

    endpoint: str = ""
    region: str = ""
    virtual_hosted: bool = False
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    allow_http: bool = False
    ca_file: str = ""

    def __post_init__(self) -> None:
        """Refuse an endpoint that is no address, or one in the clear unless that was allowed. Raises `ValueError`."""
        if self.endpoint and not _HTTP.fullmatch(self.endpoint):
            raise ValueError("the endpoint of the object store is written https://host:port or https://host/path")
        if self.endpoint.lower().startswith("http:") and not self.allow_http:
            raise ValueError("the endpoint of the object store is http, which has to be allowed")


NO_OPTIONS = ObjectOptions()


class BinaryWriter(Protocol):
    """Takes the bytes of one object in order."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Append `data`; the buffer may be used again when this returns."""


class AtHand(Protocol):
    """One object that is read without asking for it again: it stays readable until it is closed, though it be deleted.

    Both reads fill the front of `target` with the bytes from `offset` and return how many these are: fewer than it
    takes at the end. For one thread at a time.
    """

    size: int
    """Stored bytes; more than were expected where somebody added to them."""

    def read(self, target: memoryview, offset: int) -> int:
        """Read, and wait for the disk where that has to be. Raises `Unavailable`."""

    def read_now(self, target: memoryview, offset: int) -> int:
        """Read what takes no waiting: as far as it lies in memory, which may be nothing. Raises `Unavailable`."""

    def close(self) -> None:
        """Let go of it; again does nothing."""


class BlobStore(Protocol):
    """Immutable objects under ids of 32 lower-case hex digits, chosen by the caller and never used twice.

    Safe to use from any thread. Anything else than such an id raises `ValueError`; a store that does not answer
    raises `Unavailable`, from any of the methods.
    """

    read_size: int
    """Bytes that are well fetched with one `read_at`: with less, what it costs to ask counts."""

    nearby: bool
    """Whether `at_hand` takes microseconds, and no network."""

    def writer(self, blob_id: str) -> AbstractContextManager[BinaryWriter]:
        """Write one object; leaving the block without an error makes it durable and visible, whole, at once.

        Leaving it with an error leaves nothing behind. Raises `StorageFull` when there is no room, `Unavailable`
        when the store does not take the bytes, `Conflict` when the id is taken: the object there stays as it is.
        """

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        """Return the bytes from `offset`, fewer than `length` only at the end. Raises `BlobMissing`."""

    def at_hand(self, blob_id: str, size: int) -> AtHand:
        """Have all of an object that should have `size` bytes, to be read at once. Raises `BlobMissing`.

        A store that is not nearby has fetched them when this returns.
        """

    def size(self, blob_id: str) -> int:
        """Return the number of stored (sealed) bytes. Raises `BlobMissing`."""

    def delete(self, blob_id: str) -> None:
        """Remove the object; silent when it is not there.

        A crash may bring it back: an orphan like any other, and its key is gone.
        """

    def ids(self, older_than: float = 0.0) -> Iterator[str]:
        """Yield the id of every visible object, in no order; of those only that the store has had for so many seconds.

        The age is by the store's own clock, whatever this machine's says: a store that runs apart has another.
        """

    def sweep_unfinished(self) -> int:
        """Remove what killed writers left behind and return how many pieces that were; 0 where the store cannot tell.

        For the start, before anything is served: what a living writer has not finished would go as well.
        """

    def check(self) -> None:
        """Return when the store is there and answers, within seconds. Raises `Unavailable`."""


def is_blob_id(text: str) -> bool:
    """Tell whether `text` is 32 lower-case hex digits."""
    return _BLOB_ID.fullmatch(text) is not None


def checked_id(blob_id: str) -> str:
    """Return `blob_id`, which may then be part of a file name or a URL. Raises `ValueError`."""
    if not is_blob_id(blob_id):
        raise ValueError("a blob id is 32 lower-case hex digits")
    return blob_id


def checked_range(offset: int, length: int) -> None:
    """Refuse a range that counts from the end or runs backwards. Raises `ValueError`."""
    if offset < 0 or length < 0:
        raise ValueError("offset and length cannot be negative")


def open_blobs(url: str, options: ObjectOptions = NO_OPTIONS) -> BlobStore:
    """Open the store that `url` names: `file:///folder`, a plain path, `memory:` (gone with the process), or a bucket:
    `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, reached as `options` say.

    A folder is made when it is not there, a bucket is not, and is not looked at before the first call. Raises
    `ValueError` for anything else, `Unavailable` when the folder cannot be used.
    """
    # Drivers are imported here: an engine that is not chosen need not be installed.
    found = _SCHEME.match(url)
    match found[1].lower() if found else "":
        case "file":
            from vault.blobs.filesystem import FilesystemBlobs  # noqa: PLC0415

            return FilesystemBlobs(_folder(url))
        case "memory":
            from vault.blobs.memory import MemoryBlobs  # noqa: PLC0415

            return MemoryBlobs()
        case "" if url:
            from vault.blobs.filesystem import FilesystemBlobs  # noqa: PLC0415

            return FilesystemBlobs(Path(url))
        case "s3" | "gs" | "az":
            return _bucket(url, options)
        case unknown:
            # Only the scheme is repeated: the rest of such a URL may hold a password.
            known = "file:///folder, a plain path, s3://bucket, gs://bucket, az://container and memory:"
            raise ValueError(f"unknown blob store {unknown!r}: known are {known}")


def _bucket(url: str, options: ObjectOptions) -> BlobStore:
    try:
        from vault.blobs.objects import ObjectBlobs  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise ValueError("a bucket needs the extra `scale`: pip install 'secure-files-vault[scale]'") from None
    return ObjectBlobs(url, options)


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    if parts.netloc not in {"", "localhost"} or not folder.is_absolute() or parts.query or parts.fragment:
        raise ValueError("a file URL names a folder of this machine by its whole path: file:///folder")
    return folder
