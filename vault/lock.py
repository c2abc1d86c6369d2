"""One data folder, one server: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Self

from vault.errors import Busy

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """Holds `<folder>/lock` while the block runs. Raises `Busy`, naming the process that has it, on entry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise Busy(f"{self._folder} is in use by another server (process {holder}); stop that one first") from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
