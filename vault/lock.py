"""One data folder, one server: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from vault.errors import Busy

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """Holds `<folder>/lock` while the block runs, and in the children that were forked meanwhile.

    Raises `Busy`, naming the process that has it, on entry: after `patience` seconds, as the workers of a server that
    was killed need a moment to notice.
    """

    def __init__(self, folder: Path, patience: float = 2.0) -> None:
        self._folder = folder
        self._patience = patience
        self._path = folder / "lock"
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._patience
        while not self._taken():
            if time.monotonic() > deadline:
                holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").partition("\n")[0] or "unknown"
                os.close(self._fd)
                raise Busy(f"{self._folder} is in use by another server (process {holder}); stop that one first")
            time.sleep(0.05)
        self._sign()
        return self

    def _sign(self) -> None:
        """Leave the process number for who is refused; a full disk, which may not take it, is no reason to fail."""
        with suppress(OSError):
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
