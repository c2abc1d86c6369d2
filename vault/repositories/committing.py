"""Writing: each change is one commit, and changes of different files to one branch all land.

A writer waits for the queue of its branch, which orders the threads and processes of the vault, and moves the branch
by compare-and-swap, which also holds against pushes: when the branch has moved on, the change is made again on the new
tip. Only what contradicts the file as it then is fails.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vault.errors import CannotCommit, NotFound
from vault.repositories.attributes import goes_into_lfs
from vault.repositories.changes import Action, find_place, tree_with, wanted_entry
from vault.repositories.content import blob_id_of, keep_blob, sha256_of
from vault.repositories.locks import branch_queue
from vault.repositories.paths import is_branch_name
from vault.repositories.pointers import pointer_in, pointer_to
from vault.repositories.refs import Moved, create_branch, move_branch, point_head
from vault.repositories.revisions import branch_tip, branches, resolve
from vault.repositories.rights import may_push
from vault.repositories.signatures import sign
from vault.repositories.trees import entry_at

if TYPE_CHECKING:
    from pathlib import Path

    import pygit2

    from vault.lfs import LfsObjects
    from vault.models import Project, Role, User
    from vault.repositories.changes import Change, Place
    from vault.repositories.facts import Facts
    from vault.repositories.housekeeping import Housekeeping
    from vault.repositories.opened import OpenRepository
    from vault.repositories.reading import Reader
    from vault.repositories.store import Store
    from vault.repositories.trees import Entry

PATIENCE = 15.0
NOT_ALLOWED = "You are not allowed to push into this branch"
NOT_ON_A_BRANCH = "You can only create or edit files when you are on a branch"
TAKEN = "A branch called '{}' already exists. Switch to that branch in order to make changes"
BAD_NAME = "Something went wrong when we tried to create '{}' for you: {}"
STALE = "You are attempting to update a file that has changed since you started editing it."
STALE_DELETE = "You are attempting to delete a file that has been previously updated."
LOST = "9:Could not update refs/heads/{}. Please refresh and try again.."


@dataclass(frozen=True, slots=True)
class Written:
    """What a change became; `blob_id` and `sha256` are None where a file was deleted."""

    commit_id: str
    blob_id: str | None
    sha256: str | None
    created: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change with all that does not depend on the state of the repository."""

    project: Project
    folder: Path
    user: User
    role: Role
    change: Change
    blob_id: pygit2.Oid | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A change against the repository as it is: the commit to build on, and what is to stand where.

    `parent` is None for the first commit of all; `new_branch` says that the branch is not there yet.
    """

    parent: pygit2.Commit | None
    new_branch: bool
    place: Place
    entry: Entry | None


class Writer:
    """Writes the files of all projects' repositories."""

    def __init__(self, store: Store, facts: Facts, reader: Reader, housekeeping: Housekeeping, lfs: LfsObjects) -> None:
        self._store = store
        self._lfs = lfs
        self._housekeeping = housekeeping
        self._facts = facts
        self._reader = reader

    def write(self, project: Project, user: User, role: Role, change: Change) -> Written:
        """Make one commit of a change and return what it became when it is durable. Raises `CannotCommit`."""
        return self.land(self.prepare(project, user, role, change))

    def prepare(self, project: Project, user: User, role: Role, change: Change) -> Prepared:
        """Look whether a change can be made and keep its content: all that needs no turn on the branch.

        Content that `.gitattributes` marks for Git LFS is kept as an object there; its pointer is what is committed.
        `role` is the user's in the project; he is the committer, and the author unless another is named. Raises
        `CannotCommit` with the reason.
        """
        asked = Prepared(project, self._store.ensure(project), user, role, change, None)
        # A look before the work; what is true when our turn comes decides.
        if change.action is Action.DELETE:
            self._store.use(asked.folder, lambda opened: self._plan(asked, opened))
            return asked
        prepared = self._store.use(asked.folder, lambda opened: self._with_content(asked, opened))
        if prepared.change.content != change.content:
            self._lfs.keep(project.id, change.content)
        self._store.use(asked.folder, lambda opened: keep_blob(opened, prepared.change.content))
        return prepared

    def _with_content(self, asked: Prepared, opened: OpenRepository) -> Prepared:
        """Return the change with what is to be committed, which may be a pointer. Raises `CannotCommit`."""
        change, place = asked.change, self._plan(asked, opened).place
        if self._goes_into_lfs(asked, opened, place):
            change = replace(change, content=pointer_to(change.content))
        blob_id = blob_id_of(change.content)
        wanted_entry(change, blob_id, place.entry)
        return replace(asked, change=change, blob_id=blob_id)

    def _goes_into_lfs(self, asked: Prepared, opened: OpenRepository, place: Place) -> bool:
        """Say whether the content becomes a pointer, as it would on a client with git-lfs.

        Not that of a symbolic link, nothing at all, and what is a pointer already to an object of the project.
        """
        content = asked.change.content
        if not content or (place.entry is not None and place.entry.symlink) or not goes_into_lfs(opened, place):
            return False
        pointer = pointer_in(content)
        return pointer is None or self._lfs.get(asked.project.id, pointer.oid) is None

    def land(self, prepared: Prepared) -> Written:
        """Make the commit on what is the branch's tip by now, durable on return. Raises `CannotCommit`."""
        change, blob_id = prepared.change, prepared.blob_id
        with branch_queue(prepared.folder, change.branch):
            commit_id, plan = self._retry(prepared)
        self._housekeeping.note(prepared.folder)
        self._settle(prepared)
        created = plan.place.entry is None
        if blob_id is None:
            return Written(commit_id, None, None, created)
        sha256 = sha256_of(change.content)
        self._facts.tell_sha256(prepared.project.id, str(blob_id), len(change.content), sha256)
        return Written(commit_id, str(blob_id), sha256, created)

    def _retry(self, prepared: Prepared) -> tuple[str, _Plan]:
        """Try until the branch has the change on top, or the change cannot be made."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._store.use(prepared.folder, lambda opened: self._attempt(prepared, opened))
            except Moved:
                if time.monotonic() > deadline:
                    raise CannotCommit(LOST.format(prepared.change.branch)) from None
                time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - so that two do not keep meeting

    def _attempt(self, prepared: Prepared, opened: OpenRepository) -> tuple[str, _Plan]:
        change = prepared.change
        plan = self._plan(prepared, opened)
        new = opened.git.create_commit(
            None,
            sign(prepared.user, change.author_name, change.author_email),
            sign(prepared.user),
            change.message,
            tree_with(opened, plan.place, plan.entry),
            [] if plan.parent is None else [plan.parent.id],
        )
        if plan.new_branch or plan.parent is None:
            create_branch(prepared.folder, change.branch, new)
        else:
            move_branch(opened, change.branch, plan.parent.id, new)
        return str(new), plan

    def _plan(self, prepared: Prepared, opened: OpenRepository) -> _Plan:
        """Hold the change against the repository as it is now. Raises `CannotCommit`."""
        change = prepared.change
        tip = branch_tip(opened, change.branch)
        parent = _parent(prepared, opened, tip)
        place = find_place(opened, parent, change.path)
        entry = wanted_entry(change, prepared.blob_id, place.entry)
        if change.last_commit_id and place.entry is not None and parent is not None:
            self._check_fresh(prepared, opened, parent, change.last_commit_id)
        return _Plan(parent, tip is None, place, entry)

    def _check_fresh(
        self, prepared: Prepared, opened: OpenRepository, parent: pygit2.Commit, last_commit_id: str
    ) -> None:
        """Refuse a change by who has not seen the file as it is: any commit that has it so will do."""
        project, path = prepared.project, prepared.change.path
        try:
            seen = resolve(opened, last_commit_id, project.default_branch)
        except NotFound:
            raise CannotCommit(f"last_commit_id '{last_commit_id}' is not a commit of this repository") from None
        ours = self._reader.last_commit(project, opened, parent, path)
        there = entry_at(opened, seen, path) is not None
        if not there or ours != self._reader.last_commit(project, opened, seen, path):
            raise CannotCommit(STALE_DELETE if prepared.change.action is Action.DELETE else STALE)

    def _settle(self, prepared: Prepared) -> None:
        """Remember that the repository has a branch; the first one it ever gets becomes the default branch."""
        if self._store.empty(prepared.project.id):
            names = self._store.use(prepared.folder, branches)
            point_head(prepared.folder, self._store.settle(prepared.project, names))


def _parent(prepared: Prepared, opened: OpenRepository, tip: pygit2.Commit | None) -> pygit2.Commit | None:
    """Return the commit to build on, None in an empty repository. Raises `CannotCommit`, in GitLab's order."""
    branch = prepared.change.branch
    start_branch = prepared.change.start_branch or branch
    names = branches(opened) if tip is None else [branch]
    if not may_push(prepared.project, prepared.role, branch, empty=not names):
        raise CannotCommit(NOT_ALLOWED)
    start = tip if start_branch == branch else branch_tip(opened, start_branch)
    if names and start is None:
        raise CannotCommit(NOT_ON_A_BRANCH)
    if tip is not None and start_branch != branch:
        raise CannotCommit(TAKEN.format(branch))
    if tip is None:
        _check_new_branch(branch, names)
    return start


def _check_new_branch(branch: str, names: list[str]) -> None:
    if not is_branch_name(branch):
        raise CannotCommit(BAD_NAME.format(branch, "Branch name is invalid"))
    for other in names:
        if other.startswith(f"{branch}/") or branch.startswith(f"{other}/"):
            raise CannotCommit(BAD_NAME.format(branch, f"git cannot have it beside the branch '{other}'"))
