"""python-gitlab, unmodified, against this server."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import gitlab
import pytest

from tests.harness import ROOT_TOKEN, unique
from tests.server.support import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gitlab.v4.objects import Project

    from tests.harness import RunningVault


@pytest.fixture
def gl(vault: RunningVault) -> Iterator[gitlab.Gitlab]:
    """A client of the administrator's; what python-gitlab warns of is an error."""
    client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
    client.session.trust_env = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield client


@pytest.fixture
def app(gl: gitlab.Gitlab) -> Project:
    """A new project."""
    return gl.projects.create({"name": unique("app")})


def client_of(vault: RunningVault, **login: str) -> gitlab.Gitlab:
    client = gitlab.Gitlab(vault.url, **login)
    client.session.trust_env = False
    return client


class TestLogin:
    def test_auth_knows_the_user(self, gl: gitlab.Gitlab, vault: RunningVault) -> None:
        gl.auth()

        assert gl.user is not None
        assert gl.user.username == "root"
        assert gl.user.web_url == f"{vault.url}/root"

    @pytest.mark.parametrize("how", ["private_token", "oauth_token"])
    def test_a_personal_token_goes_both_ways(self, vault: RunningVault, how: str) -> None:
        client_of(vault, **{how: ROOT_TOKEN}).auth()

    def test_a_wrong_token_is_an_authentication_error(self, vault: RunningVault) -> None:
        with pytest.raises(gitlab.GitlabAuthenticationError) as caught:
            client_of(vault, private_token="wrong").auth()

        assert caught.value.response_code == 401
        assert "401 Unauthorized" in str(caught.value)

    def test_the_version_is_told(self, gl: gitlab.Gitlab) -> None:
        version, revision = gl.version()

        assert version != "unknown"
        assert revision != "unknown"


class TestSecureFiles:
    def test_go_through_their_whole_life(self, app: Project) -> None:
        content = sample("sample.cer")

        made = app.secure_files.create({"name": "certs/a.cer", "file": content})
        again = app.secure_files.get(made.id)

        assert (again.name, again.checksum_algorithm) == ("certs/a.cer", "sha256")
        assert again.metadata["subject"]
        assert again.download() == content
        assert [file.id for file in app.secure_files.list(get_all=True)] == [made.id]
        made.delete()
        assert app.secure_files.list(get_all=True) == []

    def test_are_taken_from_an_open_file(self, app: Project, tmp_path: Path) -> None:
        (tmp_path / "key.jks").write_bytes(b"\x00\xff" * 100)

        with (tmp_path / "key.jks").open("rb") as file:
            made = app.secure_files.create({"name": "key.jks", "file": file})

        assert made.download() == b"\x00\xff" * 100

    def test_come_down_in_pieces(self, app: Project) -> None:
        content = bytes(range(256)) * 1000
        made = app.secure_files.create({"name": "a", "file": content})
        pieces: list[bytes] = []

        made.download(streamed=True, action=pieces.append, chunk_size=1000)
        iterated = b"".join(made.download(iterator=True, chunk_size=1000))

        assert b"".join(pieces) == iterated == content

    def test_that_are_taken_say_so(self, app: Project) -> None:
        app.secure_files.create({"name": "a", "file": b"1"})

        with pytest.raises(gitlab.GitlabCreateError) as caught:
            app.secure_files.create({"name": "a", "file": b"2"})

        assert caught.value.response_code == 400
        assert caught.value.error_message == {"name": ["has already been taken"]}

    def test_that_are_not_there_are_a_get_error(self, app: Project) -> None:
        with pytest.raises(gitlab.GitlabGetError) as caught:
            app.secure_files.get(999_999)

        assert caught.value.response_code == 404

    def test_are_reached_by_a_job_token(self, app: Project, vault: RunningVault) -> None:
        token = vault.job(vault.root, app.id)[1].token
        assert token

        inside = client_of(vault, job_token=token).projects.get(app.id, lazy=True)

        made = inside.secure_files.create({"name": "from a job", "file": b"1"})
        assert made.download() == b"1"
        assert [file.name for file in inside.secure_files.list(get_all=True)] == ["from a job"]

    def test_are_reached_by_the_projects_path(self, app: Project, gl: gitlab.Gitlab) -> None:
        app.secure_files.create({"name": "a", "file": b"1"})

        by_path = gl.projects.get(app.path_with_namespace)

        assert [file.name for file in by_path.secure_files.list(get_all=True)] == ["a"]


class TestLists:
    @pytest.fixture
    def many(self, app: Project) -> Project:
        """A project of 25 files."""
        for number in range(25):
            app.secure_files.create({"name": f"{number:02}", "file": b"1"})
        return app

    def test_are_followed_to_the_end(self, many: Project) -> None:
        names = {file.name for file in many.secure_files.list(iterator=True, per_page=4)}

        assert len(names) == 25

    def test_know_their_length_and_their_pages(self, many: Project) -> None:
        rows: Any = many.secure_files.list(iterator=True, per_page=10)

        assert len(rows) == rows.total == 25
        assert (rows.current_page, rows.prev_page, rows.next_page) == (1, None, 2)
        assert (rows.per_page, rows.total_pages) == (10, 3)

    def test_all_at_once_are_whole(self, many: Project) -> None:
        assert len(many.secure_files.list(get_all=True)) == 25

    def test_of_projects_users_groups_and_members_work_alike(self, gl: gitlab.Gitlab, many: Project) -> None:
        for rows in (
            gl.projects.list(iterator=True, per_page=1),
            gl.users.list(iterator=True, per_page=1),
            gl.groups.list(iterator=True, per_page=1),
            many.members_all.list(iterator=True, per_page=1),
            many.jobs.list(iterator=True, per_page=1),
            gl.personal_access_tokens.list(iterator=True, per_page=1),
        ):
            assert len(list(rows)) == len(rows)


class TestPeopleAndProjects:
    def test_a_whole_set_up(self, gl: gitlab.Gitlab, vault: RunningVault) -> None:
        group = gl.groups.create({"name": "Team", "path": unique("team")})
        project = gl.projects.create({"name": "App", "path": "app", "namespace_id": group.id, "visibility": "internal"})
        name = unique("dev")
        user = gl.users.create({"username": name, "name": name, "email": f"{name}@example.com", "password": "dropped"})
        token = user.personal_access_tokens.create({"name": "ci", "scopes": ["api"], "expires_at": "2099-01-01"})
        member = project.members.create({"user_id": user.id, "access_level": gitlab.const.AccessLevel.MAINTAINER})
        assert token.active
        assert gl.users.list(username=name)[0].id == user.id
        assert project.members.get(user.id).access_level == member.access_level == 40

        as_user = client_of(vault, private_token=token.token)
        as_user.auth()
        found = as_user.projects.get(f"{group.path}/app")
        found.secure_files.create({"name": "a", "file": b"1"})

        member.access_level = 30
        member.save()
        with pytest.raises(gitlab.GitlabCreateError) as caught:
            found.secure_files.create({"name": "b", "file": b"1"})
        assert caught.value.response_code == 403
        member.delete()
        assert project.members.list(get_all=True) == []
        project.delete()
        group.delete()

    def test_a_project_is_changed_by_saving_it(self, app: Project, gl: gitlab.Gitlab) -> None:
        app.description = "new"
        app.save()

        assert gl.projects.get(app.id).description == "new"

    def test_a_jobs_pipeline_and_state_are_read(self, app: Project, vault: RunningVault) -> None:
        made, _ = vault.job(vault.root, app.id, status="success")

        job = app.jobs.get(made["id"])

        assert (job.status, job.pipeline["project_id"]) == ("success", app.id)
        assert app.pipelines.get(job.pipeline["id"]).status == "success"
        assert [each.id for each in app.jobs.list(scope=["success"], get_all=True)] == [job.id]
        assert app.jobs.list(scope=["failed"], get_all=True) == []

    def test_a_token_shows_and_revokes_itself(self, gl: gitlab.Gitlab, vault: RunningVault) -> None:
        me = gl.users.list(username="root")[0]
        token = me.personal_access_tokens.create({"name": "t", "scopes": ["read_api"]})
        itself = client_of(vault, private_token=token.token)

        assert itself.personal_access_tokens.get("self").id == token.id
        gl.personal_access_tokens.delete(token.id)

        with pytest.raises(gitlab.GitlabAuthenticationError):
            itself.projects.list(get_all=True)
