"""Files as they stand in a commit: what is known of them, their content, and who wrote each line."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import NotFound
from vault.repositories import program
from vault.repositories.blame import blame
from vault.repositories.content import LARGE
from vault.repositories.history import ask_git, last_commit
from vault.repositories.paths import clean_path
from vault.repositories.revisions import resolve
from vault.repositories.trees import entry_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pygit2

    from vault.models import Project
    from vault.repositories.blame import BlameRange, Lines
    from vault.repositories.facts import Facts
    from vault.repositories.opened import OpenRepository
    from vault.repositories.store import Store
else:
    from vault.repositories.libgit2 import pygit2


@dataclass(frozen=True, slots=True)
class File:
    """A file as it stands in one commit. `ref` is repeated as it was asked; a submodule has no content."""

    path: str
    ref: str
    commit_id: str
    last_commit_id: str
    blob_id: str
    size: int
    sha256: str
    executable: bool
    submodule: bool

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


class Reader:
    """Reads the files of all projects' repositories."""

    def __init__(self, store: Store, facts: Facts) -> None:
        self._store = store
        self._facts = facts

    def file(self, project: Project, ref: str | None, path: str) -> File:
        """Return what stands at a path in the commit that `ref` names, by default the tip of the default branch.

        The content is read only where nobody has asked for its SHA-256 before. Raises `UnsafePath`,
        `NotFound("Commit")`, `NotFound("File")` also for a directory.
        """
        path = clean_path(path)
        folder = self._folder(project)
        ref = project.default_branch if ref is None else ref

        def work(opened: OpenRepository) -> File:
            commit = resolve(opened, ref, project.default_branch)
            entry = entry_at(opened, commit, path)
            if entry is None:
                raise NotFound("File")
            size = 0 if entry.submodule else opened.size(entry.id)
            blob_id = str(entry.id)
            return File(
                path=path,
                ref=ref,
                commit_id=str(commit.id),
                last_commit_id=self.last_commit(project, opened, commit, path),
                blob_id=blob_id,
                size=size,
                sha256=self._sha256(project, folder, blob_id, size, has_content=not entry.submodule),
                executable=entry.executable,
                submodule=entry.submodule,
            )

        return self._store.use(folder, work)

    def last_commit(self, project: Project, opened: OpenRepository, commit: pygit2.Commit, path: str) -> str:
        """Return the commit that changed a file of `commit` last."""

        known = self._facts.last_commits(project.id, path)
        found, walked = last_commit(opened, commit, path, known, lambda start: ask_git(opened.folder, start, path))
        self._facts.tell_last_commit(project.id, path, str(commit.id), found, walked)
        return found

    def content(self, project: Project, file: File) -> bytes:
        """Return a file's whole content."""
        with self.pieces(project, file) as pieces:
            return b"".join(pieces)

    @contextmanager
    def pieces(self, project: Project, file: File) -> Iterator[Iterator[bytes]]:
        """Yield a file's content in pieces; the block may end before they do."""
        if file.submodule:
            yield iter(())
            return
        with self._blob(self._folder(project), file.blob_id, file.size) as pieces:
            yield pieces

    def blame(self, project: Project, file: File, asked: Lines | None = None) -> list[BlameRange]:
        """Return who changed each line last, all lines or those asked for, cut at the file's end."""
        if file.submodule or not file.size:
            return []
        content = self.content(project, file)
        folder = self._folder(project)

        def work(opened: OpenRepository) -> list[BlameRange]:
            return blame(opened, file.commit_id, file.path, content, asked)

        return self._store.use(folder, work)

    def _folder(self, project: Project) -> Path:
        folder = self._store.folder(project.id)
        if folder is None:
            raise NotFound("Commit")
        return folder

    def _sha256(self, project: Project, folder: Path, blob_id: str, size: int, *, has_content: bool) -> str:
        digest = hashlib.sha256()
        if not has_content:
            return digest.hexdigest()
        known = self._facts.sha256(project.id, blob_id)
        if known is not None:
            return known
        with self._blob(folder, blob_id, size) as pieces:
            for piece in pieces:
                digest.update(piece)
        self._facts.tell_sha256(project.id, blob_id, size, digest.hexdigest())
        return digest.hexdigest()

    @contextmanager
    def _blob(self, folder: Path, blob_id: str, size: int) -> Iterator[Iterator[bytes]]:
        if size > LARGE:
            with program.output(folder, "cat-file", "blob", blob_id) as pieces:
                yield pieces
        else:
            oid = pygit2.Oid(hex=blob_id)
            yield iter((self._store.use(folder, lambda opened: opened.content(oid)),))
