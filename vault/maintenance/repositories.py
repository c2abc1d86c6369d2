"""Whether every repository is whole: objects, refs, and whether it has what the catalog says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.maintenance.findings import Finding, Looked, Weight
from vault.maintenance.marks import Marks
from vault.maintenance.verifying import looked_twice
from vault.repositories import checking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault.catalog.database import Database
    from vault.maintenance.verifying import Scope
    from vault.repositories.store import Store

KIND = "repository"


class GitRepositories:
    """Has git look at every repository; a moment's `--since` does not count here, as any push may touch old objects."""

    name = "repositories"

    def __init__(self, database: Database, store: Store) -> None:
        self._db = database
        self._store = store

    def total(self, scope: Scope) -> int:
        """Return how many will be looked at, about."""
        return round(len(list(self._store.folders())) * scope.share)

    def look(self, scope: Scope) -> Iterator[Looked]:
        """Look at one after the other."""
        marks = Marks(self._db, KIND)
        for project_id, _ in list(self._store.folders()):
            looked = None
            if scope.draws():
                looked = looked_twice(lambda project_id=project_id: self._look_at(project_id))  # type: ignore[misc]
            if looked is not None:
                yield Looked(looked.subject, looked.size, marks.settle(str(project_id), looked.findings))
        if scope.whole:
            marks.forget_unseen()
            yield from self._unlisted()

    def _look_at(self, project_id: int) -> Looked | None:
        folder = self._store.folder(project_id)
        if folder is None:
            return None
        subject = f"repository of project {project_id} ({folder.name})"
        faults = checking.faults(folder)
        if not faults and not self._store.empty(project_id) and not checking.has_branches(folder):
            faults = ["it has no branch, and the catalog says that it has"]
        return Looked(subject, 0, tuple(Finding(Weight.DAMAGE, subject, fault) for fault in faults))

    def _unlisted(self) -> Iterator[Looked]:
        """Tell of folders that belong to no project. One that is being made, or was deleted a moment ago, has none."""
        for folder in self._store.on_disk():
            if self._is_unlisted(folder):
                problem = "no project has it; look what it holds, and remove it by hand"
                yield Looked(folder.name, 0, (Finding(Weight.NOTICE, f"repository {folder.name}", problem),))

    def _is_unlisted(self, folder: Path) -> bool:
        known = {path for _, path in self._store.folders()} | set(self._store.noted_for_removal())
        return folder not in known and any((folder / "objects").glob("??/*"))
