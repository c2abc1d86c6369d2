"""A project's repository that is switched off, or there for its members only: `repository_access_level`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gitlab
import pytest

from tests.harness import ROOT_TOKEN, RunningVault, unique
from tests.server.repository_support import Repository, commit, push
from tests.server.test_repository_rights import FORBIDDEN, reads, writes
from tests.vault.repositories.support import git, run_git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, Client

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50


def switched(vault: RunningVault, level: str, visibility: str = "private") -> Repository:
    """A repository with a file `a`, whose access level was then changed."""
    repository = Repository(vault, visibility)
    repository.post("a", "content")
    assert switch(repository, level).status == 200
    return repository


def switch(repository: Repository, level: str) -> Answer:
    return repository.root.put(f"/projects/{repository.id}", json={"repository_access_level": level})


class TestARepositoryThatIsSwitchedOff:
    @pytest.mark.parametrize("visibility", ["private", "internal", "public"])
    def test_is_403_for_everybody_who_sees_the_project(self, vault: RunningVault, visibility: str) -> None:
        off = switched(vault, "disabled", visibility)
        members = [vault.member(off.id, level) for level in (GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER)]

        for client in (*members, vault.root):
            assert reads(off, client) == {403}
            assert writes(off, client) == {403}
            assert off.change("POST", "b", client=client).json == FORBIDDEN
            assert off.get("a", client=client).json == FORBIDDEN

    def test_is_403_for_nobody_in_particular_on_a_public_project(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled", "public")

        assert reads(off, vault.nobody) == {403}
        assert writes(off, vault.nobody) == {401}

    def test_stays_hidden_where_the_project_is(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")

        assert reads(off, vault.user()[1]) == {404}
        assert reads(off, vault.nobody) == {404}

    def test_is_refused_before_parameters_are_looked_at(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")

        assert off.root.get(off.at("a")).status == 403, "no ref"
        assert off.root.post(off.at("a"), json={}).status == 403, "no branch"
        assert off.root.post(off.at("a"), data=b"{", headers={"Content-Type": "application/json"}).status == 403

    def test_is_closed_to_job_tokens(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")

        assert off.raw("a", client=vault.job(vault.root, off.id)[1]).status == 403

    def test_keeps_what_is_in_it_for_when_it_is_switched_on_again(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")
        before = off.git("rev-parse", "main")

        assert switch(off, "enabled").status == 200

        assert off.raw("a").body == b"content"
        assert off.git("rev-parse", "main") == before

    def test_takes_nothing_else_from_the_project(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")
        place = f"/projects/{off.id}"
        added = off.root.post(f"{place}/secure_files", data={"name": "k"}, files={"file": ("k", b"key")})

        assert added.status == 201
        assert off.root.post(f"{place}/uploads", files={"file": ("a.png", b"x")}).status == 201
        assert off.root.get(f"{place}/jobs").status == 200


class TestGit:
    def test_is_told_that_nobody_may_read(self, vault: RunningVault, tmp_path: Path) -> None:
        off = switched(vault, "disabled", "public")

        for client in (vault.root, vault.member(off.id, DEVELOPER)):
            done = run_git("clone", off.url(client), str(tmp_path / "c"))
            assert done.returncode != 0
            assert b"remote: You are not allowed to download code from this project." in done.stderr
            assert b"403" in done.stderr

    def test_is_asked_for_a_token_when_it_brings_none(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled", "public")
        path = f"/{off.project['path_with_namespace']}.git/info/refs?service=git-upload-pack"

        assert vault.nobody.get(path).status == 401

    def test_can_neither_fetch_nor_push_with_what_it_cloned_before(self, vault: RunningVault, tmp_path: Path) -> None:
        repository = switched(vault, "enabled")
        url, clone = repository.url(vault.root), tmp_path / "clone"
        git("clone", "--quiet", url, str(clone))
        commit(clone, "new", b"new\n")
        before = repository.git("rev-parse", "main")

        switch(repository, "disabled")

        said = push(clone, url, "HEAD:refs/heads/main")
        assert "403" in said
        assert not said.startswith("ok ")
        assert run_git("fetch", cwd=clone).returncode != 0
        assert repository.git("rev-parse", "main") == before


class TestARepositoryForMembers:
    @pytest.mark.parametrize("visibility", ["public", "internal"])
    def test_is_read_by_every_member_and_by_nobody_else(self, vault: RunningVault, visibility: str) -> None:
        inner = switched(vault, "private", visibility)

        assert reads(inner, vault.member(inner.id, GUEST)) == {200}
        assert reads(inner, vault.user()[1]) == {403}
        assert reads(inner, vault.root) == {200}
        assert reads(inner, vault.nobody) == ({403} if visibility == "public" else {404})

    def test_of_a_private_project_is_read_from_reporter_up_as_before(self, vault: RunningVault) -> None:
        inner = switched(vault, "private")

        assert reads(inner, vault.member(inner.id, GUEST)) == {403}
        assert reads(inner, vault.member(inner.id, REPORTER)) == {200}

    def test_is_written_by_developers(self, vault: RunningVault) -> None:
        inner = switched(vault, "private", "public")

        assert inner.change("POST", "b", client=vault.member(inner.id, MAINTAINER)).status == 201
        assert writes(inner, vault.user()[1]) == {403}

    def test_is_cloned_by_members_only(self, vault: RunningVault, tmp_path: Path) -> None:
        inner = switched(vault, "private", "public")

        git("clone", "--quiet", inner.url(vault.member(inner.id, GUEST)), str(tmp_path / "c"))

        assert run_git("clone", inner.url(vault.user()[1]), str(tmp_path / "d")).returncode != 0
        assert run_git("clone", inner.url(None), str(tmp_path / "e")).returncode != 0


class TestTheSetting:
    def test_is_enabled_unless_given(self, vault: RunningVault) -> None:
        made = vault.root.post("/projects", json={"name": unique("app")})

        assert made.json["repository_access_level"] == "enabled"

    @pytest.mark.parametrize("level", ["disabled", "private", "enabled"])
    def test_is_given_when_a_project_is_made_and_told_by_every_answer(self, vault: RunningVault, level: str) -> None:
        name = unique("app")
        made = vault.root.post("/projects", data={"name": name, "repository_access_level": level})

        assert (made.status, made.json["repository_access_level"]) == (201, level)
        assert vault.root.get(f"/projects/{made.json['id']}").json["repository_access_level"] == level
        assert vault.root.get(f"/projects?search={name}").json[0]["repository_access_level"] == level

    def test_stays_when_something_else_is_changed(self, vault: RunningVault) -> None:
        off = switched(vault, "disabled")

        changed = off.root.put(f"/projects/{off.id}", json={"description": "d", "public_jobs": False})

        assert (changed.json["repository_access_level"], changed.json["public_jobs"]) == ("disabled", False)

    def test_is_one_of_three_words(self, vault: RunningVault) -> None:
        answer = switch(Repository(vault), "off")

        body = {"error": "repository_access_level does not have a valid value"}
        assert (answer.status, answer.json) == (400, body)

    def test_is_for_maintainers_to_change(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        change = {"repository_access_level": "disabled"}

        def status(client: Client) -> int:
            return client.put(f"/projects/{repository.id}", json=change).status

        assert status(vault.member(repository.id, DEVELOPER)) == 403
        assert status(vault.member(repository.id, MAINTAINER)) == 200

    def test_leaves_a_new_project_without_its_readme_where_there_is_no_repository(self, vault: RunningVault) -> None:
        body = {"name": unique("app"), "initialize_with_readme": True, "repository_access_level": "disabled"}

        made = vault.root.post("/projects", json=body)

        assert (made.status, made.json["empty_repo"]) == (201, True)

    def test_is_set_by_python_gitlab(self, vault: RunningVault) -> None:
        client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
        project = client.projects.get(switched(vault, "enabled").id)

        project.repository_access_level = "disabled"
        project.save()

        with pytest.raises(gitlab.exceptions.GitlabGetError) as refused:
            project.files.get(file_path="a", ref="main")
        assert refused.value.response_code == 403
