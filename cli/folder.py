"""A folder that secrets are written to: each file whole or not at all, and readable to its owner alone."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from vault.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NoPlace(VaultError):
    """A name that cannot be a file in the folder, or not beside the others."""


class Folder:
    """Writes files under names that a server made up; a slash in a name makes a folder, and no name leads out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: set[tuple[int, int]] = set()

    def place(self, name: str) -> Path:
        """Return where a name's file goes. Raises `NoPlace`."""
        return self.path.joinpath(*_parts(name))

    def check(self, names: Iterable[str]) -> None:
        """Raise `NoPlace` unless all these names can be files here, beside each other."""
        files: dict[tuple[str, ...], str] = {}
        for name in names:
            parts = _parts(name)
            if parts in files:
                raise NoPlace(f"{name!r} and {files[parts]!r} would be the same file")
            files[parts] = name
        for parts, name in files.items():
            for depth in range(1, len(parts)):
                if parts[:depth] in files:
                    raise NoPlace(f"{files[parts[:depth]]!r} would be a file, and the folder of {name!r}")

    def write(self, name: str, content: bytes) -> Path:
        """Put a file in its place and return that; what stood there is replaced when the new one is safe on disk.

        Folders on the way are made, and never are symbolic links. Raises `NoPlace`, `OSError`; then the place is as
        it was, and nothing else is left behind.
        """
        *folders, last = _parts(name)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = self.path
        try:
            with ExitStack() as opened:
                at = self._open(opened, os.open(self.path, OPEN_FOLDER))
                for folder in folders:
                    reached /= folder
                    with suppress(FileExistsError):
                        os.mkdir(folder, 0o700, dir_fd=at)
                    at = self._open(opened, os.open(folder, OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=at))
                reached /= last
                self._put(at, last, content)
        except OSError as error:
            raise _explained(error, reached) from error
        return reached

    def _open(self, opened: ExitStack, descriptor: int) -> int:
        opened.callback(os.close, descriptor)
        return descriptor

    def _put(self, at: int, last: str, content: bytes) -> None:
        draft = f".{secrets.token_hex(8)}.part"
        try:
            with open(os.open(draft, NEW_FILE, 0o600, dir_fd=at), "wb") as file:  # noqa: PTH123 - Path has no dir_fd
                os.fchmod(file.fileno(), 0o600)  # whatever the umask took away
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                self._claim(at, last, file.fileno())
            os.rename(draft, last, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=at)
            raise

    def _claim(self, at: int, last: str, descriptor: int) -> None:
        """Refuse a place that this folder has given away: to some disks `A.cer` and `a.cer` are the same name."""
        with suppress(FileNotFoundError):
            there = os.stat(last, dir_fd=at, follow_symlinks=False)
            if (there.st_dev, there.st_ino) in self._written:
                raise NoPlace(f"this disk takes {last!r} and the name of another file for the same")
        ours = os.fstat(descriptor)
        self._written.add((ours.st_dev, ours.st_ino))


def _parts(name: str) -> tuple[str, ...]:
    """Return a name's folders and its last part; a slash at the beginning and doubled ones do not count."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not parts or name.endswith("/") or ".." in parts or "\0" in name or not _is_encodable(name):
        raise NoPlace(f"{name!r} cannot be the name of a file")
    return parts


def _is_encodable(name: str) -> bool:
    """Say whether the name is text at all: JSON can spell half a character."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _explained(error: OSError, path: Path) -> OSError:
    """Return the error with the whole path, and with the reason where the system's own words hide it."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR) and path.is_symlink():
        return OSError(error.errno, "is a symbolic link; secure files are not written through one", str(path))
    return OSError(error.errno, error.strerror, str(path))
