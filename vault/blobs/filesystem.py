"""Blobs as files: `ab/ab12..` in 256 subfolders, `tmp/ab12..` while they are being written.

    open tmp/<id> -> write -> fsync -> rename to ab/<id> -> fsync ab/

A file is under `ab/` only when it is whole and on the disk; a kill at any point leaves at most a file in `tmp/`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vault.blobs import checked_id, checked_range, is_blob_id
from vault.blobs.open_file import OpenFile
from vault.errors import BlobMissing, Conflict, StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blobs import AtHand, BinaryWriter

_TMP = "tmp"
_BUCKETS = tuple(f"{number:02x}" for number in range(256))
# <fcntl.h>; https://man7.org/linux/man-pages/man2/sync_file_range.2.html
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
_SYNC_FILE_RANGE_WRITE = 2
_AHEAD = 512 * 1024
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class FilesystemBlobs:
    """A `BlobStore` in `folder`; what is missing of it is made, for its owner alone.

    The file system has to honour fsync of folders: one that cannot is refused here, with `Unavailable`.
    """

    read_size = 256 * 1024
    nearby = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._each_durable = True
        with _reported("prepare the blob folder"):
            _make_durable_folder(self._folder)
            present = {entry.name for entry in self._folder.iterdir()}
            for name in {_TMP, *_BUCKETS} - present:
                _make_private_folder(self._folder / name)
            # Even when nothing was missing: a neighbour may have made it a moment ago.
            _sync_folder(self._folder)

    @contextmanager
    def writer(self, blob_id: str) -> Iterator[BinaryWriter]:
        """Write into `tmp/` and publish by renaming."""
        draft = _Draft(self._folder / _TMP / checked_id(blob_id), Path(self._path(blob_id)))
        try:
            draft.begin()
            yield draft
            draft.publish(durable=self._each_durable)
        except BaseException:
            draft.discard()
            raise

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        """Read with one open and one pread: opening costs less than keeping and bounding a set of open files."""
        checked_range(offset, length)
        try:
            fd = os.open(self._path(checked_id(blob_id)), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read_range(fd, offset, length)
            finally:
                os.close(fd)
        except FileNotFoundError:
            raise self._missing(blob_id) from None
        except OSError as error:
            raise _failure("read a blob", error) from error

    def at_hand(self, blob_id: str, size: int) -> AtHand:  # noqa: ARG002 - the contract's signature
        """Open the file."""
        try:
            return OpenFile(self._path(checked_id(blob_id)), partial(_failure, "read a blob"))
        except FileNotFoundError:
            raise self._missing(blob_id) from None
        except OSError as error:
            raise _failure("read a blob", error) from error

    @contextmanager
    def durable_together(self) -> Iterator[None]:
        """Have what is written inside the block be durable only at its end, all at once: several times as quick.

        For filling a store that is of no use before it is full.
        """
        self._each_durable = False
        try:
            yield
        finally:
            self._each_durable = True
        with _reported("make the blobs durable"):
            _sync_disk(self._folder)

    def file_of(self, blob_id: str) -> Path:
        """Return the file that an object is, or would be."""
        return Path(self._path(checked_id(blob_id)))

    def take_from(self, file: Path, blob_id: str) -> bool:
        """Have the object in another folder's file as well, as a second name of that; say whether that went.

        It needs the same disk, and saves copying: objects never change. What damages the file damages both.
        """
        try:
            os.link(file, self.file_of(blob_id))
        except OSError:
            return False
        _sync_folder(self.file_of(blob_id).parent)
        return True

    def size(self, blob_id: str) -> int:
        """Ask the file system."""
        try:
            return Path(self._path(checked_id(blob_id))).stat().st_size
        except FileNotFoundError:
            raise self._missing(blob_id) from None
        except OSError as error:
            raise _failure("look at a blob", error) from error

    def delete(self, blob_id: str) -> None:
        """Unlink, without waiting for the disk: what a crash brings back is swept as an orphan."""
        try:
            Path(self._path(checked_id(blob_id))).unlink()
        except FileNotFoundError:
            self._refuse_absent_folder(blob_id)
        except OSError as error:
            raise _failure("delete a blob", error) from error

    def ids(self, older_than: float = 0.0) -> Iterator[str]:
        """List one subfolder after the other: objects that come and go meanwhile may or may not be among them."""
        latest = self._clock() - older_than if older_than else None
        for bucket in _BUCKETS:
            with _reported("list the blobs"), os.scandir(self._folder / bucket) as entries:
                names = [entry.name for entry in entries if latest is None or _is_older(entry, latest)]
            yield from (name for name in names if is_blob_id(name) and name.startswith(bucket))

    def _clock(self) -> float:
        """Return the time by the disk's clock, which over a network is another machine's: that of a new file."""
        probe = self._folder / _TMP / f"clock-{secrets.token_hex(8)}"
        with _reported("tell the time"):
            try:
                probe.touch(0o600)
                return probe.stat().st_mtime
            finally:
                probe.unlink(missing_ok=True)

    def sweep_unfinished(self) -> int:
        """Empty the folder of unfinished files."""
        with _reported("empty the folder of unfinished blobs"):
            leftovers = list((self._folder / _TMP).iterdir())
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)
        return len(leftovers)

    def check(self) -> None:
        """Look for one of the subfolders: a disk that is not mounted has none."""
        self._refuse_absent_folder(_BUCKETS[0])

    def _path(self, blob_id: str) -> str:
        return f"{self._folder}/{blob_id[:2]}/{blob_id}"

    def _missing(self, blob_id: str) -> BlobMissing:
        self._refuse_absent_folder(blob_id)
        return BlobMissing(f"blob {blob_id} is not in the store", blob_id=blob_id)

    def _refuse_absent_folder(self, blob_id: str) -> None:
        """Tell a lost file from a disk that is not mounted."""
        if not (self._folder / blob_id[:2]).is_dir():
            raise Unavailable("the blob folder is not there")


class _Draft:
    """One object being written: a file in `tmp/` until it is published or discarded."""

    def __init__(self, unfinished: Path, final: Path) -> None:
        self._unfinished = unfinished
        self._final = final
        self._lies_at: Path | None = None
        self._fd: int | None = None
        self._written = 0
        self._begun = 0

    def begin(self) -> None:
        """Make the file in `tmp/`. Raises `Conflict` when the id is published or about to be: rename would replace it.

        Looking for a published one once is enough: from here on nobody else can have the file in `tmp/` that it takes.
        """
        with _reported("begin a blob"):
            try:
                self._fd = os.open(self._unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                raise Conflict(f"blob {self._final.name} is being written already") from None
            self._lies_at = self._unfinished
            os.fchmod(self._fd, 0o600)  # whatever the umask took away
            if self._final.exists():
                raise Conflict(f"blob {self._final.name} exists already")

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Hand all of `data` to the kernel."""
        fd = self._open_fd()
        with _reported("write a blob"), memoryview(data).cast("B") as rest:
            done = 0
            while done < len(rest):
                done += os.write(fd, rest[done:])
            self._written += done
        if self._written - self._begun >= _AHEAD:
            _begin_to_sync(fd, self._begun, self._written - self._begun)
            self._begun = self._written

    def publish(self, *, durable: bool) -> None:
        """Make the bytes durable, then the name, in this order; without `durable` that is done for many at once."""
        with _reported("make a blob durable"):
            if durable:
                os.fsync(self._open_fd())
            self._close()
            self._lies_at = self._unfinished.rename(self._final)
            if durable:
                _sync_folder(self._final.parent)

    def discard(self) -> None:
        """Remove the file wherever it lies by now: one whose name may not last is not stored."""
        with suppress(OSError):
            self._close()
        if self._lies_at is not None:
            with suppress(OSError):
                self._lies_at.unlink()

    def _open_fd(self) -> int:
        if self._fd is None:
            raise ValueError(f"blob {self._final.name} is finished")
        return self._fd

    def _close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _begin_to_sync(fd: int, offset: int, length: int) -> None:
    """Have the disk begin to write, so that less is left to wait for at the end, where what it refuses shows."""
    if _sync_file_range is not None:
        _sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def _read_range(fd: int, offset: int, length: int) -> bytes:
    # pread allocates what it is asked for before it looks how much there is.
    wanted = min(length, max(os.fstat(fd).st_size - offset, 0))
    first = os.pread(fd, wanted, offset)
    if len(first) == wanted:
        return first
    pieces = [first]  # one call returns at most 2 GiB
    while pieces[-1]:
        done = sum(map(len, pieces))
        pieces.append(os.pread(fd, wanted - done, offset + done))
    return b"".join(pieces)


def _make_durable_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, each durable in the folder that holds it."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    _make_private_folder(folder)
    _sync_folder(folder.parent)


def _make_private_folder(folder: Path) -> None:
    with suppress(FileExistsError):  # a neighbour was quicker
        folder.mkdir(0o700)
        folder.chmod(0o700)  # whatever the umask took away


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_disk(folder: Path) -> None:
    """Make all durable that was written to the disk of a folder, and raise what it refused (Linux 5.8 and newer)."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(fd):
            raise OSError(ctypes.get_errno(), "the disk refused to write")
    finally:
        os.close(fd)


@contextmanager
def _reported(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failure(action, error) from error


def _is_older(entry: os.DirEntry[str], latest: float) -> bool:
    """Tell whether a file was finished by then; one that has gone meanwhile was not."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime <= latest
    except FileNotFoundError:
        return False


def _failure(action: str, error: OSError) -> Unavailable:
    reason = errno.errorcode.get(error.errno or 0, "unknown error")
    kind = StorageFull if error.errno in _NO_ROOM else Unavailable
    return kind(f"the disk refused to {action} ({reason})")
