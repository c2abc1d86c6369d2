"""Clones and pushes, by git's own `git http-backend`: what it is started with, and what is noted after a push."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.errors import Unavailable
from vault.repositories import program
from vault.repositories.digests import Push, moves
from vault.repositories.locks import git_at_work
from vault.repositories.pushed_pointers import answering
from vault.repositories.refs import point_head
from vault.repositories.revisions import branches, tips
from vault.repositories.rights import may_push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault.lfs import LfsObjects
    from vault.models import Project, Role, User
    from vault.repositories.digests import Digests
    from vault.repositories.housekeeping import Housekeeping
    from vault.repositories.store import Store

FETCHING = {
    "http.uploadpack": "true",
    "http.receivepack": "false",
    "uploadpack.allowFilter": "true",
}
PUSHING = {
    "http.uploadpack": "false",
    "http.receivepack": "true",
    "receive.fsckObjects": "true",
    **{f"receive.fsck.{fault}": "ignore" for fault in program.HARMLESS},
    "receive.autogc": "false",
    "receive.advertisePushOptions": "true",  # as `git push -o ci.skip`, which fails where none are taken
    "receive.denyDeleteCurrent": "ignore",  # the hook says it in better words
    "core.filesRefLockTimeout": "5000",
    "core.packedRefsTimeout": "5000",
}
# No ref of these is told or taken: git would follow a replacement, and nothing else has a use for it.
HIDDEN = {"transfer.hideRefs": "refs/replace"}


@dataclass(frozen=True, slots=True)
class Backend:
    """A program to start: its command line, its environment but for the request's, and descriptors it inherits.

    `before` is what branches and tags led to when it was about to start.
    """

    command: list[str]
    environment: dict[str, str]
    inherit: tuple[int, ...]
    before: dict[str, str] = field(default_factory=dict)


class Serving:
    """Serves all projects' repositories to git clients."""

    def __init__(
        self, store: Store, housekeeping: Housekeeping, digests: Digests, push_bytes: int, lfs: LfsObjects
    ) -> None:
        self._store = store
        self._housekeeping = housekeeping
        self._digests = digests
        self._push_bytes = push_bytes
        self._lfs = lfs

    @contextmanager
    def fetching(self, project: Project) -> Iterator[Backend]:
        """Yield the program that answers a clone or fetch; a repository that was never written to is made, empty."""
        folder = self._store.ensure(project)
        point_head(folder, project.default_branch)
        yield Backend(_command(), {**program.environment({**HIDDEN, **FETCHING}), **_place(folder)}, ())

    @contextmanager
    def pushing(self, project: Project, user: User, role: Role) -> Iterator[Backend]:
        """Yield the program that takes a push, which the hook lets through as far as the role goes.

        While the block runs, and while the program does, no lock in the repository counts as forgotten.
        """
        if not os.access(program.HOOKS / "pre-receive", os.X_OK):
            # git would pass over a hook that it cannot run, and protect nothing.
            raise Unavailable("the hook that protects branches cannot be run: is it on a disk mounted noexec?")
        folder = self._store.ensure(project)
        before = self._store.use(folder, tips)
        empty = not any(name.startswith("refs/heads/") for name in before)
        config = {**HIDDEN, **PUSHING, "receive.maxInputSize": str(self._push_bytes)}
        who = {
            "REMOTE_USER": user.username,
            "VAULT_DEFAULT_BRANCH": project.default_branch,
            "VAULT_PROTECTS_ALL": str(int(empty)),
            "VAULT_MAY_PUSH": str(int(may_push(project, role, project.default_branch, empty=empty))),
        }

        def has(oid: str) -> bool:
            return self._lfs.get(project.id, oid) is not None

        with git_at_work(folder) as share, answering(has) as (ears, told):
            environment = {**program.environment(config), **_place(folder), **who, **told}
            yield Backend(_command(), environment, (share, *ears), before)

    def pushed(self, project: Project, backend: Backend) -> None:
        """Note what a push by this program has changed."""
        folder = self._store.folder(project.id)
        if folder is not None:
            self._housekeeping.note(folder)
            point_head(folder, self._store.settle(project, self._store.use(folder, branches)))
            after = self._store.use(folder, tips)
            self._digests.note(Push(project.id, folder, moves(backend.before, after, project.default_branch)))


def _command() -> list[str]:
    return [program.program(), "http-backend"]


def _place(folder: Path) -> dict[str, str]:
    return {"GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1"}
