"""What the tests of the repository API share: a project with its client, and git at work on its address."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.vault.repositories.support import git, run_git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, Client, RunningVault


class Repository:
    """One project's repository, as seen through the API."""

    def __init__(self, vault: RunningVault, visibility: str = "private") -> None:
        self.vault = vault
        self.project = vault.project(visibility)
        self.id: int = self.project["id"]
        self.root = vault.root

    @property
    def folder(self) -> Path:
        """Where it lies."""
        found = self.vault.services.repositories.store.folder(self.id)
        assert found is not None
        return found

    def git(self, *arguments: str, given: bytes = b"") -> str:
        """Run git in the bare repository."""
        return git(f"--git-dir={self.folder}", *arguments, given=given)

    def at(self, path: str, more: str = "", **query: Any) -> str:
        """Return the address of a file, below /api/v4."""
        asked = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in query.items())
        return f"/projects/{self.id}/repository/files/{quote(path, safe='')}{more}" + (f"?{asked}" if asked else "")

    def get(self, path: str, ref: str = "main", client: Client | None = None, **more: Any) -> Answer:
        return (client or self.root).get(self.at(path, ref=ref), **more)

    def head(self, path: str, ref: str = "main", client: Client | None = None) -> Answer:
        return (client or self.root)("HEAD", self.at(path, ref=ref))

    def raw(self, path: str, client: Client | None = None, **more: Any) -> Answer:
        return (client or self.root).get(self.at(path, "/raw"), **more)

    def blame(self, path: str, query: str = "ref=main", client: Client | None = None) -> Answer:
        return (client or self.root).get(f"{self.at(path, '/blame')}?{query}")

    def change(self, method: str, path: str, client: Client | None = None, **fields: Any) -> Answer:
        """POST, PUT or DELETE a file as JSON; what is not said is `main`, a message, and a content."""
        body = {"branch": "main", "commit_message": f"{method} {path}", "content": "content", **fields}
        given = {key: value for key, value in body.items() if value is not None}
        return (client or self.root)(method, self.at(path), json=given)

    def post(self, path: str, content: str = "content", **fields: Any) -> dict[str, Any]:
        """Make a file, which has to succeed."""
        answer = self.change("POST", path, content=content, **fields)
        assert answer.status == 201, answer
        return dict(answer.json)

    # Over git

    def url(self, client: Client | None, user: str = "anybody") -> str:
        """Return the repository's address for git, with the client's token as the password."""
        address = f"{self.vault.url}/{self.project['path_with_namespace']}.git"
        token = client.token if client else None
        return address.replace("http://", f"http://{user}:{token}@") if token else address

    def plant(self, *entries: str, ref: str = "refs/heads/main") -> str:
        """Make a commit of tree entries as `git mktree` takes them, past every rule, and return its id."""
        tree = self.git("mktree", "--missing", given="".join(f"{entry}\n" for entry in entries).encode())
        commit = self.git("commit-tree", tree, "-m", "planted")
        self.git("update-ref", ref, commit)
        return commit


def curl(*arguments: str) -> str:
    """Run curl as the documentation does and return what it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull}
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", *arguments],
        env=environment,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout.decode()


def commit(clone: Path, name: str, content: bytes) -> str:
    (clone / name).write_bytes(content)
    git("add", "--all", cwd=clone)
    git("commit", "--quiet", "-m", f"change {name}", cwd=clone)
    return git("rev-parse", "HEAD", cwd=clone)


def push(clone: Path, url: str, *refs: str) -> str:
    """Push and return what git says, which begins with `ok` when it was taken."""
    done = run_git("push", url, *refs, cwd=clone)
    return ("ok " if done.returncode == 0 else "") + done.stderr.decode()
