"""The files of an audit folder: `<chain>-<number of its first line>.jsonl`, each chain written by one process."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault.audit.lines import Line, Sealer

NAME = re.compile(r"([0-9a-f]{16})-([0-9]{12})\.jsonl")
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, order=True, slots=True)
class LogFile:
    """A file of a chain; `first` is the number of its first line."""

    chain: str
    first: int
    path: Path

    def lines(self) -> Iterator[bytes]:
        """Yield the lines as they stand, the last one perhaps without its end of line."""
        with self.path.open("rb") as file:
            while raw := file.readline(LONGEST_LINE):
                yield raw

    def end(self, sealer: Sealer) -> tuple[Line | None, bool, bool]:
        """Return the last whole line (None when it is none of ours), whether a torn one follows, and whether there is
        a whole one at all.
        """
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * LONGEST_LINE))
            whole, newline, torn = file.read().rpartition(b"\n")
        return sealer.read(whole.rpartition(b"\n")[2]), bool(torn), bool(newline)


def new_chain() -> str:
    """Return the name of a new chain."""
    return secrets.token_hex(8)


def file_of(folder: Path, chain: str, first: int) -> LogFile:
    """Return the file of a chain that begins with line `first`."""
    return LogFile(chain, first, folder / f"{chain}-{first:012}.jsonl")


def files_of(folder: Path, chain: str | None = None) -> list[LogFile]:
    """Return the log files of a folder, those of one chain beside each other and in order."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        name = NAME.fullmatch(path.name)
        if name and chain in (None, name[1]):
            found.append(LogFile(name[1], int(name[2]), path))
    return sorted(found)


def chains_of(folder: Path) -> dict[str, list[LogFile]]:
    """Return the files of each chain, in order."""
    chains: dict[str, list[LogFile]] = {}
    for file in files_of(folder):
        chains.setdefault(file.chain, []).append(file)
    return chains


def take(file: LogFile) -> int | None:
    """Open the newest file of a chain for appending and hold it against other processes; None when another has it."""
    with suppress(OSError):
        fd = os.open(file.path, APPEND)
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have begun another file just before it let go of this one.
            if files_of(file.path.parent, file.chain)[-1:] == [file]:
                return fd
        os.close(fd)
    return None


def make(file: LogFile) -> int:
    """Make the file, durable by name, and hold it. Raises `OSError`."""
    fd = os.open(file.path, APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whatever the umask took away
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_folder(file.path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
