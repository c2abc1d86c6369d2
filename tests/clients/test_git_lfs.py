"""git with git-lfs, as people and pipelines use it."""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.server.repository_support import Repository
from tests.server.test_audit import lines
from tests.vault.repositories.support import run_git

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.harness import Client, RunningVault

pytestmark = [
    pytest.mark.engine("git-lfs"),
    pytest.mark.skipif(shutil.which("git-lfs") is None, reason="there is no git-lfs here"),
]
LARGE = os.urandom(20_000_000)
SMALL = os.urandom(100)


class Desk:
    """Somebody's machine with git-lfs: a home of its own, and clones in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.git("lfs", "install", cwd=folder)

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
        home = {"HOME": str(self.home), "GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"), "NO_PROXY": "*"}
        return run_git(*arguments, cwd=cwd, variables=home)

    def git(self, *arguments: str, cwd: Path) -> str:
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def clone(self, url: str, name: str = "clone") -> Path:
        self.git("clone", "--quiet", url, name, cwd=self.folder)
        return self.folder / name

    def commit(self, clone: Path, name: str, content: bytes) -> None:
        (clone / name).write_bytes(content)
        self.git("add", "--all", cwd=clone)
        self.git("commit", "--quiet", "-m", f"change {name}", cwd=clone)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    return repository


def pushed(desk: Desk, repository: Repository, client: Client | None = None) -> Path:
    """Return a clone whose large files were pushed."""
    clone = desk.clone(repository.url(client or repository.root))
    desk.commit(clone, "large.bin", LARGE)
    desk.commit(clone, "small.bin", SMALL)
    desk.git("push", "--quiet", "origin", "main", cwd=clone)
    return clone


class TestPushing:
    def test_brings_objects_that_another_clone_gets(self, desk: Desk, repository: Repository) -> None:
        pushed(desk, repository)

        other = desk.clone(repository.url(repository.root), "other")

        assert (other / "large.bin").read_bytes() == LARGE
        assert (other / "small.bin").read_bytes() == SMALL
        assert desk.git("status", "--porcelain", cwd=other) == ""

    def test_brings_objects_that_the_api_gives(self, desk: Desk, repository: Repository) -> None:
        pushed(desk, repository)

        assert repository.root.get(repository.at("large.bin", "/raw", lfs="true")).body == LARGE
        assert repository.raw("large.bin").body.startswith(b"version https://git-lfs.github.com/spec/v1\n")

    def test_a_second_time_sends_nothing(self, desk: Desk, repository: Repository) -> None:
        clone = pushed(desk, repository)
        before = lines(repository.vault)

        desk.git("lfs", "push", "--all", "origin", cwd=clone)

        asked = [line["action"] for line in lines(repository.vault)[len(before) :]]
        assert "lfs_object.batch" in asked
        assert "lfs_object.upload" not in asked

    def test_goes_on_without_locks(self, desk: Desk, repository: Repository) -> None:
        clone = pushed(desk, repository)
        desk.commit(clone, "another.bin", b"another")

        done = desk.run("push", "origin", "main", cwd=clone)

        assert done.returncode == 0
        assert b"error" not in done.stderr

    def test_by_a_reporter_is_refused(self, vault: RunningVault, desk: Desk, repository: Repository) -> None:
        reporter = vault.member(repository.id, 20)
        clone = desk.clone(repository.url(reporter))
        desk.commit(clone, "large.bin", LARGE)

        done = desk.run("lfs", "push", "origin", "main", cwd=clone)

        assert done.returncode != 0
        assert b"You are not allowed to push code to this project." in done.stderr


class TestFetching:
    def test_gives_what_the_api_wrote_as_an_unchanged_file(self, desk: Desk, repository: Repository) -> None:
        content = b64encode(LARGE[:1_000_000]).decode()
        repository.post("api.bin", content, encoding="base64")

        clone = desk.clone(repository.url(repository.root))

        assert (clone / "api.bin").read_bytes() == LARGE[:1_000_000]
        assert desk.git("status", "--porcelain", cwd=clone) == ""
        assert desk.git("lfs", "ls-files", "--name-only", cwd=clone) == "api.bin"
        desk.git("lfs", "fsck", cwd=clone)

    def test_of_a_public_project_needs_no_token(self, vault: RunningVault, desk: Desk) -> None:
        public = Repository(vault, "public")
        public.post(".gitattributes", "*.bin filter=lfs\n")
        public.post("a.bin", "large, let us say")

        clone = desk.clone(public.url(None))

        assert (clone / "a.bin").read_bytes() == b"large, let us say"

    def test_works_for_a_job(self, vault: RunningVault, desk: Desk, repository: Repository) -> None:
        repository.post("a.bin", "large, let us say")
        _, job = vault.job(vault.root, repository.id)

        clone = desk.clone(repository.url(job, user="gitlab-ci-token"))

        assert (clone / "a.bin").read_bytes() == b"large, let us say"

    def test_works_with_a_header_of_the_users(self, desk: Desk, repository: Repository) -> None:
        """As pipelines have it that keep tokens out of addresses."""
        repository.post("a.bin", "large, let us say")
        basic = b64encode(f"x:{repository.root.token}".encode()).decode()
        desk.git("config", "--global", "http.extraHeader", f"Authorization: Basic {basic}", cwd=desk.folder)

        clone = desk.clone(repository.url(None))

        assert (clone / "a.bin").read_bytes() == b"large, let us say"

    def test_works_with_a_credential_helper(self, desk: Desk, repository: Repository) -> None:
        repository.post("a.bin", "large, let us say")
        helper = f"!f() {{ echo username=x; echo password={repository.root.token}; }}; f"
        desk.git("config", "--global", "credential.helper", helper, cwd=desk.folder)

        clone = desk.clone(repository.url(None))

        assert (clone / "a.bin").read_bytes() == b"large, let us say"
