"""Real git against `/group/project.git`: clone, fetch, push, who may, and what is never taken."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.repository_support import Repository, commit, push
from tests.server.support import exchange, request
from tests.vault.repositories.support import git, git_bytes, run_git

if TYPE_CHECKING:
    from pathlib import Path


GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40


@pytest.fixture
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("a", "first\n")
    return repository


@pytest.fixture
def clone(repository: Repository, tmp_path: Path) -> Path:
    """A working copy with one commit that is not pushed yet."""
    git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "clone"))
    commit(tmp_path / "clone", "new", b"new\n")
    return tmp_path / "clone"


class TestCloning:
    def test_gives_the_default_branch_as_the_api_wrote_it(self, repository: Repository, tmp_path: Path) -> None:
        repository.post("b", "x", branch="topic", start_branch="main")

        git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "c"))

        assert (tmp_path / "c/a").read_bytes() == b"first\n"
        assert git("branch", "--show-current", cwd=tmp_path / "c") == "main"
        assert git("branch", "-r", cwd=tmp_path / "c").split() == [
            "origin/HEAD",
            "->",
            *["origin/main"] * 2,
            "origin/topic",
        ]

    def test_of_an_empty_project_gives_an_empty_repository(self, vault: RunningVault, tmp_path: Path) -> None:
        empty = Repository(vault)

        done = run_git("clone", empty.url(empty.root), str(tmp_path / "c"))

        assert done.returncode == 0
        assert b"empty repository" in done.stderr

    @pytest.mark.parametrize("options", [["--depth", "1"], ["--filter=blob:none"], ["--mirror"], ["--single-branch"]])
    def test_takes_the_options_of_git(self, repository: Repository, tmp_path: Path, options: list[str]) -> None:
        git("clone", "--quiet", *options, repository.url(repository.root), str(tmp_path / "c"))

        assert git("rev-parse", "HEAD", cwd=tmp_path / "c") == repository.git("rev-parse", "main")

    @pytest.mark.parametrize("version", ["0", "1", "2"])
    def test_speaks_each_version_of_the_protocol(self, repository: Repository, tmp_path: Path, version: str) -> None:
        url = repository.url(repository.root)

        git("-c", f"protocol.version={version}", "clone", "--quiet", url, str(tmp_path / "c"))

        assert (tmp_path / "c/a").exists()

    def test_follows_a_default_branch_that_was_changed(self, repository: Repository, tmp_path: Path) -> None:
        repository.post("b", "x", branch="next", start_branch="main")
        repository.root.put(f"/projects/{repository.id}", json={"default_branch": "next"})

        git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "c"))

        assert git("branch", "--show-current", cwd=tmp_path / "c") == "next"


class TestAnAddressWithoutDotGit:
    """Which people type, and which GitLab redirects."""

    def test_is_cloned_and_pushed_to_all_the_same(self, repository: Repository, clone: Path, tmp_path: Path) -> None:
        short = repository.url(repository.root).removesuffix(".git")

        git("clone", "--quiet", short, str(tmp_path / "short"))
        assert push(clone, short, "HEAD:refs/heads/topic").startswith("ok ")
        git("fetch", "--quiet", cwd=tmp_path / "short")

        assert git("rev-parse", "origin/topic", cwd=tmp_path / "short") == repository.git("rev-parse", "topic")

    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_is_told_the_right_one_before_anybody_is_asked(self, repository: Repository, service: str) -> None:
        path = f"/{repository.project['path_with_namespace']}"

        answer = exchange(repository.vault.url, request("GET", f"{path}/info/refs?service={service}"))

        host = "http://vault.test"
        assert (answer.status, answer.headers["location"]) == (301, f"{host}{path}.git/info/refs?service={service}")

    @pytest.mark.parametrize(
        "path",
        [
            "/{}/info/refs",
            "/{}/info/refs?service=git-evil",
            "/{}/git-upload-pack",
            "/api/v4/projects/info/refs?service=git-upload-pack",
        ],
    )
    def test_is_none_for_anything_else(self, repository: Repository, path: str) -> None:
        asked = path.format(repository.project["path_with_namespace"])

        answer = exchange(repository.vault.url, request("GET", asked))

        assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})

    def test_leads_to_no_other_host(self, repository: Repository) -> None:
        answer = exchange(repository.vault.url, request("GET", "//evil.test/x/info/refs?service=git-upload-pack"))

        assert answer.headers.get("location", "http://vault.test/").startswith("http://vault.test/")


class TestFetching:
    def test_brings_what_was_written_meanwhile(self, repository: Repository, clone: Path) -> None:
        """With some hundred commits the client's requests are compressed."""
        for number in range(300):
            git("commit", "--quiet", "--allow-empty", "-m", f"{number}", cwd=clone)
        assert push(clone, "origin", "main").startswith("ok")
        made = repository.post("later", "x")
        for number in range(120):
            git("commit", "--quiet", "--allow-empty", "-m", f"own {number}", cwd=clone)

        git("fetch", "--quiet", cwd=clone)

        assert git("rev-parse", "origin/main", cwd=clone) == made["commit_id"]


class TestPushing:
    def test_is_seen_by_the_api_at_once(self, repository: Repository, clone: Path) -> None:
        tip = git("rev-parse", "HEAD", cwd=clone)

        assert push(clone, "origin", "main").startswith("ok")

        found = repository.get("new").json
        assert (found["commit_id"], found["last_commit_id"]) == (tip, tip)
        assert repository.raw("new").body == b"new\n"
        repository.git("fsck", "--strict")

    def test_of_megabytes_arrives_whole(self, repository: Repository, clone: Path) -> None:
        content = bytes(range(256)) * 30_000
        commit(clone, "large", content)

        assert push(clone, "origin", "main").startswith("ok")

        assert repository.raw("large").body == content

    def test_first_makes_the_project_what_it_brings(self, vault: RunningVault, clone: Path) -> None:
        empty = Repository(vault)

        assert push(clone, empty.url(empty.root), "main:trunk", "main:other").startswith("ok")

        project = vault.root.get(f"/projects/{empty.id}").json
        assert project["empty_repo"] is False
        assert project["default_branch"] in ("trunk", "other")
        assert empty.raw("new").body == b"new\n"

    def test_larger_than_the_limit_is_refused(self, tmp_path: Path, clone: Path) -> None:
        with RunningVault(tmp_path / "small", push_bytes=100_000) as vault:
            small = Repository(vault)
            commit(clone, "large", bytes(range(256)) * 1000 + os.urandom(200_000))

            assert "exceeds maximum allowed size" in push(clone, small.url(small.root), "main")
            assert vault.root.get(f"/projects/{small.id}").json["empty_repo"] is True


class TestPushOptions:
    def test_are_taken_and_mean_nothing_here(self, repository: Repository, clone: Path) -> None:
        """People skip pipelines with them, of which there are none."""
        done = run_git("push", "-o", "ci.skip", repository.url(repository.root), "HEAD:main", cwd=clone)

        assert done.returncode == 0, done.stderr
        assert repository.git("rev-parse", "main") == git("rev-parse", "HEAD", cwd=clone)


class TestWhoMay:
    @pytest.mark.parametrize(
        ("level", "fetches", "pushes"), [(GUEST, False, False), (REPORTER, True, False), (DEVELOPER, True, True)]
    )
    def test_members_of_a_private_project(
        self, vault: RunningVault, repository: Repository, clone: Path, level: int, fetches: bool, pushes: bool
    ) -> None:
        url = repository.url(vault.member(repository.id, level))

        assert (run_git("ls-remote", url).returncode == 0) == fetches
        assert push(clone, url, "main:topic").startswith("ok") == pushes

    def test_nobody_and_strangers_see_public_projects_only(
        self, vault: RunningVault, repository: Repository, clone: Path
    ) -> None:
        public = Repository(vault, "public")
        public.post("a", "x")
        stranger = vault.user()[1]

        assert run_git("ls-remote", public.url(None)).returncode == 0
        assert run_git("ls-remote", public.url(stranger)).returncode == 0
        git("fetch", "--quiet", public.url(None), "main", cwd=clone)
        assert b"could not read Username" in run_git("ls-remote", repository.url(None)).stderr
        assert b"not found" in run_git("ls-remote", repository.url(stranger)).stderr
        assert "could not read Username" in push(clone, public.url(None), "main:topic")
        assert "403" in push(clone, public.url(stranger), "main:topic")

    def test_a_missing_project_looks_like_a_hidden_one(self, vault: RunningVault, repository: Repository) -> None:
        stranger = vault.user()[1]
        answers = []
        for path in (repository.project["path_with_namespace"], "no/such"):
            place = f"/{path}.git/info/refs?service=git-upload-pack"
            for token in ({}, {"PRIVATE-TOKEN": str(stranger.token)}):
                answer = exchange(vault.url, request("GET", place, token))
                answers.append((answer.status, answer.body, answer.headers.get("www-authenticate")))

        assert answers[:2] == answers[2:]
        assert [answer[0] for answer in answers[:2]] == [401, 404]
        assert answers[0][2] == 'Basic realm="GitLab"'

    @pytest.mark.parametrize(
        ("scope", "fetches", "pushes"),
        [("read_repository", True, False), ("write_repository", True, True), ("read_api", False, False)],
    )
    def test_scopes_of_a_token(
        self, vault: RunningVault, repository: Repository, clone: Path, scope: str, fetches: bool, pushes: bool
    ) -> None:
        url = repository.url(vault.token_of(1, scope))

        assert (run_git("ls-remote", url).returncode == 0) == fetches
        assert push(clone, url, "main:topic").startswith("ok") == pushes

    def test_a_job_fetches_its_own_project(self, vault: RunningVault, repository: Repository, clone: Path) -> None:
        job = vault.job(vault.root, repository.id)[1]
        url = repository.url(job, "gitlab-ci-token")

        assert run_git("ls-remote", url).returncode == 0
        assert "not allowed to push" in push(clone, url, "main:topic")

    def test_a_wrong_token_is_asked_for_again(self, repository: Repository) -> None:
        url = repository.url(repository.root).replace(ROOT_TOKEN, "wrong")

        assert b"Authentication failed" in run_git("ls-remote", url).stderr


class TestTheDefaultBranch:
    def test_is_for_maintainers(self, vault: RunningVault, repository: Repository, clone: Path) -> None:
        developer, maintainer = (vault.member(repository.id, level) for level in (DEVELOPER, MAINTAINER))

        said = push(clone, repository.url(developer), "main")

        assert "You are not allowed to push code to protected branches on this project." in said
        assert push(clone, repository.url(maintainer), "main").startswith("ok")

    def test_takes_no_force_and_no_removal_from_anybody(self, repository: Repository, clone: Path) -> None:
        assert push(clone, "origin", "main").startswith("ok")

        forced = push(clone, "origin", "--force", "main~1:main")
        removed = push(clone, "origin", ":main")

        assert "You are not allowed to force push code to a protected branch on this project." in forced
        assert "The default branch of a project cannot be deleted." in removed
        assert repository.git("rev-parse", "main") == git("rev-parse", "HEAD", cwd=clone)

    def test_is_every_branch_while_the_repository_is_empty(self, vault: RunningVault, clone: Path) -> None:
        empty = Repository(vault)

        said = push(clone, empty.url(vault.member(empty.id, DEVELOPER)), "main:topic")

        assert "not allowed to push code to protected branches" in said

    def test_leaves_other_branches_free(self, vault: RunningVault, repository: Repository, clone: Path) -> None:
        url = repository.url(vault.member(repository.id, DEVELOPER))

        assert push(clone, url, "main:topic").startswith("ok")
        assert push(clone, url, "--force", "main~1:topic").startswith("ok")
        assert push(clone, url, ":topic").startswith("ok")


class TestEveryoneTogether:
    def test_ends_with_what_each_has_brought(self, vault: RunningVault, tmp_path: Path) -> None:
        """A clone of what the API and a push wrote has all files, and git finds nothing wrong with it."""
        repository = Repository(vault)
        repository.post("api", "1")
        git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "one"))
        commit(tmp_path / "one", "pushed", b"2")
        push(tmp_path / "one", "origin", "main")
        repository.post("api2", "3")

        git("clone", "--quiet", repository.url(repository.root), str(tmp_path / "two"))

        assert sorted(path.name for path in (tmp_path / "two").iterdir() if path.name != ".git") == [
            "api",
            "api2",
            "pushed",
        ]
        git_bytes("fsck", "--strict", cwd=tmp_path / "two")


class TestWhatWasPushed:
    @pytest.mark.parametrize("more", ["", "/raw", "/blame"])
    def test_is_not_read_by_head(self, repository: Repository, clone: Path, more: str) -> None:
        """Its SHA-256 is known by then; the object is cut off behind its head, so that who reads it fails."""
        content = os.urandom(2000)
        commit(clone, "large", content)
        assert push(clone, "origin", "main").startswith("ok")
        repository.vault.services.repositories.digests.settle()
        blob = repository.git("rev-parse", "main:large")
        path = repository.folder / "objects" / blob[:2] / blob[2:]
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:100])

        answer = repository.root("HEAD", repository.at("large", more, ref="main"))

        assert answer.headers["X-Gitlab-Content-Sha256"] == hashlib.sha256(content).hexdigest()
        assert repository.raw("large").status == 500, "so this test would notice"
