"""What the tests of repositories share: a vault with one project, and the git program to compare with."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from vault.lfs import LfsObjects
from vault.models import Role
from vault.repositories import Action, Change, Repositories

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.core import Core
    from vault.repositories import Written

MIB = 1024 * 1024


def git(*arguments: str, cwd: Path | None = None, given: bytes = b"", variables: dict[str, str] | None = None) -> str:
    """Run git as its users do and return what it says; it has to succeed."""
    return git_bytes(*arguments, cwd=cwd, given=given, variables=variables).decode("utf-8", "surrogateescape").strip()


def git_bytes(
    *arguments: str, cwd: Path | None = None, given: bytes = b"", variables: dict[str, str] | None = None
) -> bytes:
    done = run_git(*arguments, cwd=cwd, given=given, variables=variables)
    assert done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def run_git(
    *arguments: str, cwd: Path | None = None, given: bytes = b"", variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git with nothing of this machine's configuration and return how it ended."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.com",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.com",
        **(variables or {}),
    }
    return subprocess.run(["git", *arguments], cwd=cwd, env=environment, input=given, capture_output=True, check=False)


class Site:
    """One project of a vault, and shorthands for what is done to its repository."""

    def __init__(self, core: Core, push_bytes: int = 100 * MIB) -> None:
        self.core = core
        self.lfs = LfsObjects(core.database, core.storage)
        self.repositories = Repositories(core.database, core.folder / "repositories", push_bytes, self.lfs)
        core.projects.on_delete(self.repositories.forget_project)
        self.user = core.user()
        self.id = core.project(self.user).id

    @property
    def project(self) -> Any:
        """The project as it is now: its default branch may have been another before."""
        return self.core.projects.get(self.id)

    @property
    def folder(self) -> Path:
        """Where the repository lies; it is made if there is none yet."""
        return self.repositories.store.ensure(self.project)

    def git(self, *arguments: str, **options: Any) -> str:
        """Run git in the bare repository."""
        return git(f"--git-dir={self.folder}", *arguments, **options)

    def write(
        self,
        path: str,
        content: bytes = b"x",
        *,
        action: Action = Action.PUT,
        branch: str = "main",
        role: Role = Role.OWNER,
        **more: Any,
    ) -> Written:
        change = Change(action, path, branch, more.pop("message", f"change {path}"), content, **more)
        return self.repositories.writing.write(self.project, self.user, role, change)

    def file(self, path: str, ref: str | None = "main") -> Any:
        return self.repositories.reading.file(self.project, ref, path)

    def content(self, path: str, ref: str | None = "main") -> bytes:
        return self.repositories.reading.content(self.project, self.file(path, ref))
