"""Who may read and write a repository's files: roles, visibility, scopes, job tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.repository_support import Repository

if TYPE_CHECKING:
    from tests.harness import Client, RunningVault

GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40
FORBIDDEN = {"message": "403 Forbidden"}
HIDDEN = {"message": "404 Project Not Found"}
NOT_ALLOWED = {"message": "You are not allowed to push into this branch"}


@pytest.fixture(scope="module")
def private(vault: RunningVault) -> Repository:
    return seeded(vault, "private")


@pytest.fixture(scope="module")
def internal(vault: RunningVault) -> Repository:
    return seeded(vault, "internal")


@pytest.fixture(scope="module")
def public(vault: RunningVault) -> Repository:
    return seeded(vault, "public")


def seeded(vault: RunningVault, visibility: str) -> Repository:
    repository = Repository(vault, visibility)
    repository.post("a", "content")
    return repository


def reads(repository: Repository, client: Client) -> set[int]:
    """The statuses of all that reads, GET and HEAD."""
    places = [repository.at("a", more, ref="main") for more in ("", "/raw", "/blame")]
    return {client(method, place).status for method in ("GET", "HEAD") for place in places}


def writes(repository: Repository, client: Client, branch: str = "main") -> set[int]:
    """The statuses of all that writes, tried on a file that is not there: 400 once it is allowed."""
    start = {} if branch == "main" else {"start_branch": "main"}
    return {
        repository.change(method, "none", client=client, branch=branch, **start).status for method in ("PUT", "DELETE")
    }


class TestReading:
    @pytest.mark.parametrize(("level", "status"), [(GUEST, 403), (REPORTER, 200), (DEVELOPER, 200), (MAINTAINER, 200)])
    def test_of_a_private_project_needs_a_reporter(
        self, vault: RunningVault, private: Repository, level: int, status: int
    ) -> None:
        member = vault.member(private.id, level)

        assert reads(private, member) == {status}
        if status == 403:
            assert private.get("a", client=member).json == FORBIDDEN

    def test_of_a_private_project_is_not_for_strangers(self, vault: RunningVault, private: Repository) -> None:
        stranger = vault.user()[1]

        for client in (stranger, vault.nobody):
            assert reads(private, client) == {404}
            assert private.get("a", client=client).json == HIDDEN

    def test_of_an_internal_project_needs_a_login(self, vault: RunningVault, internal: Repository) -> None:
        assert reads(internal, vault.user()[1]) == {200}
        assert reads(internal, vault.member(internal.id, GUEST)) == {200}
        assert reads(internal, vault.nobody) == {404}

    def test_of_a_public_project_is_for_everybody(self, vault: RunningVault, public: Repository) -> None:
        assert reads(public, vault.nobody) == {200}
        assert reads(public, vault.user()[1]) == {200}

    def test_with_a_wrong_token_is_401_even_there(self, vault: RunningVault, public: Repository) -> None:
        answer = public.get("a", client=vault.nobody, headers={"PRIVATE-TOKEN": "glpat-wrong"})

        assert (answer.status, answer.json) == (401, {"message": "401 Unauthorized"})


class TestWriting:
    @pytest.mark.parametrize("level", [GUEST, REPORTER])
    def test_needs_a_developer(self, vault: RunningVault, private: Repository, public: Repository, level: int) -> None:
        for repository in (private, public):
            member = vault.member(repository.id, level)
            assert writes(repository, member) == {403}
            assert repository.change("POST", "b", client=member).status == 403

    def test_to_the_default_branch_needs_a_maintainer(self, vault: RunningVault, private: Repository) -> None:
        developer, maintainer = (vault.member(private.id, level) for level in (DEVELOPER, MAINTAINER))

        answer = private.change("POST", "b", client=developer)

        assert (answer.status, answer.json) == (400, NOT_ALLOWED)
        assert private.change("POST", "by/maintainer", client=maintainer).status == 201
        assert private.change("POST", "b", client=developer, branch="topic", start_branch="main").status == 201

    def test_to_a_public_project_is_not_for_strangers(self, vault: RunningVault, public: Repository) -> None:
        assert writes(public, vault.user()[1]) == {403}
        assert writes(public, vault.nobody) == {401}

    def test_to_a_hidden_project_is_404(self, vault: RunningVault, private: Repository) -> None:
        assert writes(private, vault.user()[1]) == {404}

    def test_first_needs_a_maintainer_whatever_the_branch(self, vault: RunningVault) -> None:
        empty = Repository(vault)
        developer = vault.member(empty.id, DEVELOPER)

        answer = empty.change("POST", "a", client=developer, branch="topic")

        assert (answer.status, answer.json) == (400, NOT_ALLOWED)

    def test_is_refused_before_anything_is_kept(self, vault: RunningVault, private: Repository) -> None:
        before = private.git("count-objects")

        private.change("POST", "b", client=vault.member(private.id, DEVELOPER), content="never kept")

        assert private.git("count-objects") == before


class TestScopes:
    @pytest.mark.parametrize("scope", ["read_api", "read_repository"])
    def test_for_reading_read_and_do_not_write(self, vault: RunningVault, private: Repository, scope: str) -> None:
        client = vault.member(private.id, MAINTAINER, scope)

        assert reads(private, client) == {200}
        assert writes(private, client) == {403}
        assert private.change("PUT", "a", client=client).json["error"] == "insufficient_scope"

    @pytest.mark.parametrize("scope", ["read_user", "write_repository"])
    def test_for_other_things_do_neither(self, vault: RunningVault, private: Repository, scope: str) -> None:
        client = vault.member(private.id, MAINTAINER, scope)

        assert reads(private, client) == {403}
        assert writes(private, client) == {403}


class TestJobTokens:
    def test_read_raw_and_nothing_else(self, vault: RunningVault, private: Repository) -> None:
        job = vault.job(vault.root, private.id)[1]

        assert private.raw("a", client=job).body == b"content"
        assert private.root("HEAD", private.at("a", "/raw")).status == 200
        assert private.get("a", client=job).status == 404, "the token is none here, and nobody may know the project"
        assert private.blame("a", client=job).status == 404
        assert private.change("POST", "b", client=job).status == 401

    def test_of_other_projects_read_nothing(self, vault: RunningVault, private: Repository, public: Repository) -> None:
        other = vault.job(vault.root, public.id)[1]

        assert private.raw("a", client=other).status in (403, 404)
