"""The file of a keyring: private to its owner, replaced whole and durably, never overwritten by a new one."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.crypto import keyring_json
from vault.errors import BadKeyring

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from vault.crypto.masterkeys import MasterKeys

OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class KeyFile:
    """One keyring file. A method that cannot do its work raises `BadKeyring`, which names the path and what to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> MasterKeys:
        """Read the file. Refuses one that is open to group or others, or lies in a folder they can write to."""
        with self._explained("read"):
            text = self._private_text()
        try:
            return keyring_json.parse(text)
        except BadKeyring as error:
            raise BadKeyring(f"{self.path}: {error}") from None

    def identity(self) -> tuple[int, ...]:
        """Return what is another value as soon as the file is another one."""
        with self._explained("read"):
            status = self.path.stat()
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size

    def create(self, keys: MasterKeys) -> None:
        """Write the first keyring; a folder is made for it, closed to others. Never replaces a keyring."""
        with self._explained("create"):
            if not self.path.parent.is_dir():
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _sync(self.path.parent.parent)
            with _locked(self.path.parent):
                _put(keys, self.path, _link)

    def change(self, change: Callable[[MasterKeys], MasterKeys]) -> MasterKeys:
        """Replace the keys in the file by what `change` makes of them and return those; one process at a time."""
        with self._explained("change"):
            target = self.path.resolve(strict=True)  # a symbolic link stays one
            with _locked(target.parent):
                keys = change(self.load())
                _put(keys, target, os.replace)
        return keys

    def remove(self, only: Collection[str]) -> None:
        """Remove the file, durably. Raises `BadKeyring` when it has other keys than `only` by now."""
        with self._explained("remove"):
            target = self.path.resolve(strict=True)
            with _locked(target.parent):
                if self.load().keys.keys() - only:
                    raise BadKeyring(f"{self.path} has got more keys meanwhile; it is not removed")
                target.unlink()
                _sync(target.parent)

    def _private_text(self) -> str:
        with self.path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & OPEN_TO_OTHERS:
                raise self._too_open("open to", mode, f"chmod 600 {shlex.quote(str(self.path))}")
            folder = self.path.resolve().parent
            mode = folder.stat().st_mode
            # In a sticky folder, such as /tmp, others can add files and not replace this one.
            if mode & WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX:
                raise self._too_open("in a folder writable by", mode, f"chmod go-w {shlex.quote(str(folder))}")
            return file.read().decode("utf-8", "replace")

    def _too_open(self, how: str, mode: int, remedy: str) -> BadKeyring:
        return BadKeyring(
            f"the keyring {self.path} is {how} group or others (mode {stat.S_IMODE(mode):04o}); run: {remedy}"
        )

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise BadKeyring(f"there is no keyring at {self.path}; restore it from your backup") from None
        except OSError as error:
            raise BadKeyring(f"cannot {verb} the keyring {self.path}: {error.strerror}") from error


def _put(keys: MasterKeys, target: Path, place: Callable[[Path, Path], None]) -> None:
    """Write a file beside `target` and `place` it there; durable on return. Needs the lock on the folder."""
    new = target.with_name(f".{target.name}.new")
    new.unlink(missing_ok=True)  # left by a process that was killed
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(keyring_json.dump(keys))
            file.flush()
            os.fsync(file.fileno())
        place(new, target)
    finally:
        new.unlink(missing_ok=True)
    _sync(target.parent)


def _link(new: Path, target: Path) -> None:
    try:
        os.link(new, target)  # unlike a rename, it fails when the name is taken
    except FileExistsError:
        raise BadKeyring(f"there is a keyring at {target} already; it is not replaced by a new one") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
