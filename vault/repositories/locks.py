"""Who may touch a repository now, by locks that the kernel frees when their holder dies.

git's own locks are files that a killed process leaves behind, and nothing tells a live one from a stale one. Here a
writer of the vault holds the queue of its branch, and every git program that may write holds `git-at-work`, through
a descriptor that it inherits: whoever gets both alone knows that a `.lock` he meets has no owner any more.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vault.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A folder of ours inside the bare repository, where git minds no strangers.
OWN = "vault"
# Two branches may share a queue; that costs a little waiting and bounds the number of files.
QUEUES = 64
GRACE = 2.0


@contextmanager
def branch_queue(repository: Path, branch: str) -> Iterator[None]:
    """Wait for the branch's queue and hold it, among all threads and processes that write through the vault."""
    with _flock(_queue(repository, branch), fcntl.LOCK_EX):
        yield


@contextmanager
def nobody_in_queue(repository: Path, branch: str) -> Iterator[bool]:
    """Yield whether no writer of the vault has the branch; while the block runs, none begins."""
    with _attempt(_queue(repository, branch)) as taken:
        yield taken


def _queue(repository: Path, branch: str) -> Path:
    return repository / OWN / f"branch-{zlib.crc32(branch.encode('utf-8', 'surrogateescape')) % QUEUES:02x}"


@contextmanager
def git_at_work(repository: Path) -> Iterator[int]:
    """Hold a share of `git-at-work`; yield the descriptor that a git program has to inherit."""
    with _flock(repository / OWN / "git-at-work", fcntl.LOCK_SH) as descriptor:
        yield descriptor


@contextmanager
def no_git_at_work(repository: Path) -> Iterator[bool]:
    """Yield whether no git program is writing; while the block runs, none begins."""
    with _attempt(repository / OWN / "git-at-work") as taken:
        yield taken


def is_stale(repository: Path, lock: Path) -> bool:
    """Say whether a lock of git's has been there for longer than anybody who lives needs one: it is held for a rename.

    Told by the clock of the file system, which several machines may share. Where theirs do not see each other's locks
    (an NFS mounted with `local_lock`), this is what keeps one from taking away what another has just made.
    """
    now = repository / OWN / "now"
    now.touch(0o600)
    try:
        return now.stat().st_mtime - lock.stat().st_mtime > GRACE
    except FileNotFoundError:
        return False


@contextmanager
def housekeeping(repository: Path) -> Iterator[bool]:
    """Yield whether nobody else keeps house in this repository, and keep others from it."""
    with _attempt(repository / OWN / "housekeeping") as taken:
        yield taken


@contextmanager
def _attempt(path: Path) -> Iterator[bool]:
    try:
        with _flock(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


def disk_failure(error: OSError) -> Unavailable:
    """Return the vault's word for what the disk said; libgit2 hands on the system's text and not its number."""
    if "No space left" in str(error) or "quota exceeded" in str(error):
        return StorageFull("there is no room for the repository to grow")
    return Unavailable(f"the disk of the repositories does not answer ({type(error).__name__})")


@contextmanager
def _flock(path: Path, kind: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_failure(error) from error
    try:
        fcntl.flock(descriptor, kind)
        yield descriptor
    finally:
        # Not by LOCK_UN: a git program that outlives us keeps its share with its copy of the descriptor.
        with suppress(OSError):
            os.close(descriptor)
