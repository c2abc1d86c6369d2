"""One chain while this process writes it: taking it up where it ended, appending, and beginning another file."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.audit.files import chains_of, file_of, make, new_chain, take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vault.audit.catalog import AuditCatalog, Head
    from vault.audit.files import LogFile
    from vault.audit.lines import Entry, Line, Sealer


class LogLost(Exception):
    """The file that is being written was removed, moved, or changed by somebody else."""


class Chain:
    """Appends lines to the newest file of a chain, which this process holds. Not safe to share between threads."""

    def __init__(self, sealer: Sealer, file: LogFile, fd: int, last: Line | None) -> None:
        self.name = file.chain
        self.seq = last.seq if last else 0
        self.hash = last.hash if last else sealer.genesis(file.chain)
        self.path = file.path
        self.fd = fd
        self._sealer = sealer
        self._size = os.fstat(fd).st_size
        self._day = last.entry.time[:10] if last else ""
        self._torn = False

    def check(self) -> None:
        """Raise `LogLost` unless the file is as it was left."""
        found = os.fstat(self.fd)
        if found.st_nlink == 0:
            raise LogLost(f"{self.path.name} was removed")
        if found.st_size != self._size:
            raise LogLost(f"{self.path.name} was changed by another program")

    def check_place(self) -> None:
        """Raise `LogLost` unless the file is where it was."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if there is None or there.st_ino != os.fstat(self.fd).st_ino:
            raise LogLost(f"{self.path.name} was moved")

    def append(self, entry: Entry, file_bytes: int) -> None:
        """Write one line. Raises `OSError`, `LogLost`: then it is not in the file, and may be tried again."""
        self.check()
        if self._size and (self._torn or self._size >= file_bytes or entry.time[:10] != self._day):
            self._begin_file()
        data, digest = self._sealer.line(self.seq + 1, entry, self.hash)
        self._write(data)
        self.seq += 1
        self.hash = digest
        self._size += len(data)
        self._day = entry.time[:10]

    def _write(self, data: bytes) -> None:
        written = os.write(self.fd, data)
        if written == len(data):
            return
        # The disk took a part of it: that is taken back, or is the last there is of this file.
        with suppress(OSError):
            os.ftruncate(self.fd, self._size)
        size = os.fstat(self.fd).st_size
        self._torn, self._size = size != self._size, size
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def _begin_file(self) -> None:
        """Go on in another file; where none can be made, a line that is not torn goes on in this one."""
        file = file_of(self.path.parent, self.name, self.seq + 1)
        try:
            fd = make(file)
        except OSError:
            if self._torn:
                raise
            return
        os.fsync(self.fd)
        os.close(self.fd)
        self.fd, self.path, self._size, self._torn = fd, file.path, 0, False

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)


def take_up(folder: Path, sealer: Sealer, catalog: AuditCatalog, host: str) -> Chain:
    """Return a chain of the folder that nobody writes and that ends as it should, or a new one. Raises `OSError`.

    One whose end was cut or changed is left as it is, for who looks into it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for files in chains_of(folder).values():
        fd = take(files[-1])
        if fd is None:
            continue
        chain = _continued(files, fd, sealer, catalog.head(files[-1].chain))
        if chain is not None:
            return chain
        os.close(fd)
    file = file_of(folder, new_chain(), 1)
    fd = make(file)
    try:
        # From here on the catalog misses the file when it is gone.
        catalog.begin(file.chain, host, sealer.genesis(file.chain))
    except BaseException:
        os.close(fd)
        file.path.unlink()
        raise
    return Chain(sealer, file, fd, None)


def _continued(files: Sequence[LogFile], fd: int, sealer: Sealer, head: Head | None) -> Chain | None:
    """Return the chain whose newest file `fd` is; None when its end is not the one that was written."""
    newest = files[-1]
    last, torn, whole = _end(files, sealer)
    if whole and last is None:
        return None
    seq, digest = (last.seq, last.hash) if last else (0, sealer.genesis(newest.chain))
    if head is None or head.seq > seq or (head.seq == seq and head.hash != digest):
        return None
    if torn and newest.first > seq:
        os.ftruncate(fd, 0)  # all that is in it is a part of a line that nobody was told of
        torn = False
    if torn or (newest.first > seq and newest.first != seq + 1):
        os.close(fd)
        newest = file_of(newest.path.parent, newest.chain, seq + 1)
        fd = make(newest)
    return Chain(sealer, newest, fd, last)


def _end(files: Sequence[LogFile], sealer: Sealer) -> tuple[Line | None, bool, bool]:
    """Return the last whole line, whether the newest file ends with a torn one, and whether there is a whole one."""
    newest_is_torn = False
    for file in reversed(files):
        last, torn, whole = file.end(sealer)
        newest_is_torn = newest_is_torn or (torn and file == files[-1])
        if whole:
            return last, newest_is_torn, True
    return None, newest_is_torn, False
