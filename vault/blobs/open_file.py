"""A blob's file, open: read without waiting as far as the system has it in memory."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# <linux/fs.h>: give what is in the page cache and do not wait for the rest. Only Linux has it, and not for every disk.
NOW = getattr(os, "RWF_NOWAIT", 0)
_NOT_NOW = {errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class OpenFile:
    """An `AtHand` over a file of the disk. `failed` says what an error of the disk's is; the rest raise it as it is."""

    def __init__(self, path: str, failed: Callable[[OSError], Exception]) -> None:
        self._failed = failed
        self._fd: int | None = None
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    def read(self, target: memoryview, offset: int) -> int:
        """Ask until all is there: one call may return less than there is."""
        done = self._read(target, offset, 0)
        while 0 < done < len(target) and (more := self._read(target[done:], offset + done, 0)):
            done += more
        return done

    def read_now(self, target: memoryview, offset: int) -> int:
        """Ask once."""
        return self._read(target, offset, NOW) if NOW else 0

    def _read(self, target: memoryview, offset: int, flags: int) -> int:
        if self._fd is None:
            raise ValueError("the object is closed")
        try:
            return os.preadv(self._fd, [target], offset, flags)
        except OSError as error:
            if flags and error.errno in _NOT_NOW:
                return 0
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
