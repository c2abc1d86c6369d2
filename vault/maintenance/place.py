"""Where backups lie: a folder with a pool of objects that all of them share, and a folder for each.

    blobs/ab/<id>                     sealed objects, as the store has them
    snapshots/<time>/catalog.jsonl    the catalog as text
    snapshots/<time>/repositories/    a git bundle for each repository
    snapshots/<time>/audit/           the audit log
    snapshots/<time>/keyring.json     only when it was asked for
    snapshots/<time>/SHA256SUMS       of all these; `sha256sum --check` in the folder above all reads it
    snapshots/<time>/manifest.json    what it is of, and what it needs

A backup is made under a name that ends in `.unfinished` and gets its own last, when everything is on the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from vault.errors import Busy, Conflict, Damaged, Unavailable
from vault.repositories.store import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
BLOBS, SNAPSHOTS, UNFINISHED = "blobs", "snapshots", ".unfinished"
CATALOG, REPOSITORIES, AUDIT, KEYRING, SUMS, MANIFEST = (
    "catalog.jsonl",
    "repositories",
    "audit",
    "keyring.json",
    "SHA256SUMS",
    "manifest.json",
)
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository in a backup: whose it is, its folder's name, and a digest of its refs; "" when it had none."""

    project_id: int
    folder: str
    refs: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of, and what it needs: `keys` maps the ids of master keys to their checks."""

    format: int
    program: str
    instance: str
    keys: dict[str, str]
    created_at: str
    migrations: list[str]
    objects: int
    bytes: int
    repositories: list[Repository]
    sums: str
    keyring: bool
    damaged: list[str]

    def dump(self) -> str:
        """Return its text."""
        return json.dumps(asdict(self), indent=2) + "\n"


class Snapshot:
    """One whole backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.top = folder.parent.parent
        self.manifest = _manifest(folder)

    @property
    def name(self) -> str:
        """When it was begun, as its folder's name has it."""
        return self.folder.name

    def sums(self) -> dict[str, str]:
        """Return the SHA-256 of every file by its path from the folder of all backups. Raises `Damaged`."""
        try:
            raw = (self.folder / SUMS).read_bytes()
        except OSError as error:
            raise Damaged(f"the backup {self.folder} has lost its {SUMS}") from error
        if hashlib.sha256(raw).hexdigest() != self.manifest.sums:
            raise Damaged(f"the {SUMS} of the backup {self.folder} is not the one that was written")
        lines = (line.split("  ", 1) for line in raw.decode().splitlines())
        return {path: digest for digest, path in lines}

    def objects(self) -> dict[str, str]:
        """Return the SHA-256 of every object by its id."""
        return {path[-32:]: digest for path, digest in self.sums().items() if path.startswith(f"{BLOBS}/")}


def _manifest(folder: Path) -> Manifest:
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise Unavailable(f"{folder} is no whole backup: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise Damaged(f"the {MANIFEST} of the backup {folder} cannot be read") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Conflict(f"the backup {folder} has a form that this program does not know: use the one that made it")
    try:
        repositories = [Repository(**each) for each in told["repositories"]]
        found = Manifest(**{**told, "repositories": repositories})
    except (TypeError, KeyError) as error:
        raise Damaged(f"the {MANIFEST} of the backup {folder} lacks what one has") from error
    if not all(HEX.fullmatch(each.folder) for each in repositories):
        raise Damaged(f"the {MANIFEST} of the backup {folder} names a repository as none is called")
    return found


class Place:
    """The folder of all backups of one vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.snapshots = folder / SNAPSHOTS

    def prepare(self) -> None:
        """Make it, if there is none. Raises `Conflict` for a folder that holds something else."""
        others = (
            entry for entry in (self.folder.iterdir() if self.folder.is_dir() else ()) if entry.name != "lost+found"
        )
        if not self.snapshots.is_dir() and any(others):
            raise Conflict(f"{self.folder} holds something else than backups: name an empty folder, or a new one")
        self.folder.mkdir(0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.snapshots.mkdir(0o700, exist_ok=True)
        self.snapshots.chmod(0o700)
        sync(self.folder)
        sync(self.folder.parent)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other backups out of it while the block runs. Raises `Busy`."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Busy(f"another backup is being made into {self.folder}") from None
        finally:
            os.close(descriptor)

    def whole(self) -> list[Path]:
        """Return where the whole backups lie, oldest first."""
        return [self.snapshots / name for name in sorted(self._names()) if NAME.fullmatch(name)]

    def newest(self) -> Snapshot | None:
        """Return the newest whole backup; None when there is none, or its manifest is lost."""
        with suppress(Damaged, Unavailable, IndexError):
            return Snapshot(self.whole()[-1])
        return None

    def unfinished(self) -> list[Path]:
        """Return what backups have left that were cut short."""
        return [self.snapshots / name for name in sorted(self._names()) if name.endswith(UNFINISHED)]

    def _names(self) -> list[str]:
        return [entry.name for entry in self.snapshots.iterdir()] if self.snapshots.is_dir() else []

    def drop(self, folder: Path) -> None:
        """Remove a backup; one that is removed by half is an unfinished one. Silent when it is not there."""
        if not folder.name.endswith(UNFINISHED):
            folder = folder.rename(folder.with_name(folder.name + UNFINISHED))
        shutil.rmtree(folder, ignore_errors=True)


def find(source: Path) -> Snapshot:
    """Return the backup that `source` names: a folder of backups, of which it is the newest whole one, or one of them.

    Raises `Unavailable` when there is none, or it was cut short.
    """
    if source.name.endswith(UNFINISHED):
        raise Unavailable(f"the backup {source} was cut short and is not whole: make another")
    if (source / MANIFEST).exists() or source.parent.name == SNAPSHOTS:
        return Snapshot(source)
    place = Place(source)
    if whole := place.whole():
        return Snapshot(whole[-1])
    if left := place.unfinished():
        raise Unavailable(f"the backup {left[-1]} was cut short and is not whole, and there is no other: make another")
    raise Unavailable(f"there is no backup in {source}")


class Sums:
    """The SHA-256 of files as they are written, for `SHA256SUMS`."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._lines: list[str] = []

    def add(self, file: Path, digest: str) -> None:
        """Note a file's digest."""
        name = file.relative_to(self._top).as_posix().replace(f"{UNFINISHED}/", "/")  # what it will be called
        self._lines.append(f"{digest}  {name}\n")

    def write(self, file: Path) -> str:
        """Write them, sorted by path, and return the digest of all."""
        text = "".join(sorted(self._lines, key=lambda line: line[66:]))
        write_durably(file, text.encode())
        return hashlib.sha256(text.encode()).hexdigest()


def write_durably(file: Path, data: bytes) -> None:
    """Write a new file for its owner alone, on the disk when this returns."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:  # noqa: PTH123
        os.fchmod(opened.fileno(), 0o600)
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
