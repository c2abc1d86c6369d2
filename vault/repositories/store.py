"""Where repositories lie: bare ones in folders of random names, opened once by each thread."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from vault import clock
from vault.catalog import repositories as sql
from vault.errors import Conflict, Damaged, NotFound
from vault.repositories import program
from vault.repositories.locks import OWN, disk_failure
from vault.repositories.opened import OpenRepository, Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pygit2

    from vault.catalog.database import Database, Transaction
    from vault.models import Project
else:
    from vault.repositories.libgit2 import pygit2

T = TypeVar("T")

# Each holds files open and a cache of its own, about 20 times as quick as a fresh one.
OPEN_IN_A_THREAD = 16
CONFIG = "[core]\n\tbare = true\n\trepositoryformatversion = 0\n\tfilemode = true\n[gc]\n\tauto = 0\n"


class Store:
    """The repositories of one vault, by project."""

    def __init__(self, database: Database, root: Path) -> None:
        self._db = database
        self._root = root
        self._handles = _Handles()
        self._sound = Sound()

    def folder(self, project_id: int) -> Path | None:
        """Return where the project's repository lies, None while it has none."""
        rows = self._db.query(sql.REPOSITORY, project=project_id)
        return self.path(rows[0]["folder"]) if rows else None

    def empty(self, project_id: int) -> bool:
        """Say whether the project has no branch yet, as `settle` was told last."""
        rows = self._db.query(sql.REPOSITORY, project=project_id)
        return not rows or bool(rows[0]["empty"])

    def settle(self, project: Project, branches: Sequence[str]) -> str:
        """Remember whether the repository has a branch, and return the project's default branch.

        Where the repository got its first branches and the default is not among them, it is one of them from now on.
        """
        was_empty, is_empty = self.empty(project.id), not branches
        if was_empty == is_empty:
            return project.default_branch
        adopted = None
        if was_empty and project.default_branch not in branches:
            adopted = next((name for name in ("main", "master") if name in branches), branches[0])

        def work(tx: Transaction) -> None:
            tx.query(sql.SET_EMPTY, project=project.id, empty=int(is_empty))
            if adopted is not None:
                tx.query(sql.SET_DEFAULT_BRANCH, project=project.id, branch=adopted)

        self._db.write(work)
        return adopted or project.default_branch

    def folders(self) -> Iterator[tuple[int, Path]]:
        """Yield every project that has a repository, and where that lies."""
        for row in self._db.query(sql.REPOSITORIES):
            yield row["project_id"], self.path(row["folder"])

    def on_disk(self) -> Iterator[Path]:
        """Yield where repositories lie on the disk, entered into the catalog or not."""
        yield from self._root.glob("??/*.git")

    def ensure(self, project: Project) -> Path:
        """Return where the project's repository lies, made now if there was none.

        Raises `NotFound` when the project is gone, `StorageFull` or `Unavailable` when the disk refuses.
        """
        found = self.folder(project.id)
        if found is not None:
            return found
        name = secrets.token_hex(16)
        made = self.path(name)
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            make(made, project.default_branch)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            raise disk_failure(error) from error

        def work(tx: Transaction) -> str:
            tx.query(sql.ADD_REPOSITORY, project=project.id, folder=name, now=clock.now())
            return str(tx.query(sql.REPOSITORY, project=project.id)[0]["folder"])

        try:
            kept = self._db.write(work)
        except Conflict:  # the project is gone
            shutil.rmtree(made, ignore_errors=True)
            raise NotFound("Project") from None
        if kept != name:
            shutil.rmtree(made, ignore_errors=True)
        return self.path(kept)

    def use(self, folder: Path, work: Callable[[OpenRepository], T]) -> T:
        """Return `work(opened)`, done a second time with a fresh look at the disk when the first one failed.

        Packs are replaced while they are read, and folders that packing has emptied go. Raises `Damaged` when the
        second time fails as well, `StorageFull` or `Unavailable` when the disk does.
        """
        failures: list[Exception] = []
        for _ in range(2):
            try:
                return work(self.opened(folder))
            except (pygit2.GitError, KeyError, OSError, program.Failed) as error:
                failures.append(error)
                self.forget(folder)
        for failure in failures:
            if isinstance(failure, OSError):
                raise disk_failure(failure) from failure
        raise Damaged(f"the repository in {folder.name} cannot be read") from failures[-1]

    def opened(self, folder: Path) -> OpenRepository:
        """Return this thread's own object of a repository, which no other thread may use."""
        handles = self._handles.known
        known = handles.get(folder)
        if known is None or not known.is_current:
            self._let_go(folder)
            known = handles[folder] = OpenRepository(folder, self._sound)
        handles.move_to_end(folder)
        if len(handles) > OPEN_IN_A_THREAD:
            self._let_go(next(iter(handles)))
        return known

    def _let_go(self, folder: Path) -> None:
        known = self._handles.known.pop(folder, None)
        if known is not None:
            known.let_go()

    def forget(self, folder: Path) -> None:
        """Let go of this thread's object of a repository, and of what is known of its objects."""
        self._sound.forget(folder.name.encode())
        self._let_go(folder)

    def discard(self, tx: Transaction, project_id: int) -> None:
        """Forget a project that is being deleted; its folder is removed by `remove_noted`."""
        tx.query(sql.DELETE_BLOB_FACTS, project=project_id)
        tx.query(sql.DELETE_LAST_COMMITS, project=project_id)
        for row in tx.query(sql.DELETE_REPOSITORY, project=project_id):
            tx.query(sql.NOTE_REMOVAL, folder=row["folder"], now=clock.now())

    def remove_noted(self, limit: int = 20) -> int:
        """Remove the folders of deleted projects and return how many there were."""
        noted = [row["folder"] for row in self._db.query(sql.REMOVALS, now=clock.now(), limit=limit)]
        for name in noted:
            shutil.rmtree(self.path(name), ignore_errors=True)
            if not self.path(name).exists():
                self._db.write(lambda tx, name=name: tx.query(sql.REMOVED, folder=name))  # type: ignore[misc]
        return len(noted)

    def noted_for_removal(self) -> Iterator[Path]:
        """Yield where the repositories of deleted projects lie whose folders are still to be removed."""
        for row in self._db.query(sql.ANY_REMOVALS):
            yield self.path(row["folder"])

    def path(self, name: str) -> Path:
        """Return where the repository of that name lies, or would."""
        return self._root / name[:2] / f"{name}.git"


class _Handles(threading.local):
    def __init__(self) -> None:
        self.known: OrderedDict[Path, OpenRepository] = OrderedDict()


def make(folder: Path, default_branch: str) -> None:
    """Make an empty bare repository that is whole on the disk when this returns."""
    for inside in ("objects/info", "objects/pack", "refs/heads", "refs/tags", OWN):
        (folder / inside).mkdir(mode=0o700, parents=True)
    (folder / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", "utf-8")
    (folder / "config").write_text(CONFIG, "utf-8")
    for path in (*folder.rglob("*"), folder, folder.parent, folder.parent.parent):
        sync(path)


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
