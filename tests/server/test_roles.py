"""Who may do what with secure files: every kind of caller against every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import Client, unique
from tests.server.support import files_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Answer, RunningVault

GUEST, PLANNER, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 15, 20, 30, 40, 50
OPERATIONS = ("list", "show", "download", "create", "delete")
NONE = (401, 401, 401, 401, 401)
HIDDEN = (404, 404, 404, 404, 404)
FORBIDDEN = (403, 403, 403, 403, 403)
READING = (200, 200, 200, 403, 403)
ALL = (200, 200, 200, 201, 204)

BODIES = {
    401: {"message": "401 Unauthorized"},
    403: {"message": "403 Forbidden"},
    404: {"message": "404 Project Not Found"},
}


@dataclass(frozen=True)
class Stage:
    """A vault with one project of each visibility and the callers of the matrix."""

    vault: RunningVault
    projects: dict[str, dict[str, Any]]
    callers: dict[str, Client]

    def perform(self, operation: str, caller: str, project: str = "private") -> Answer:
        """Do one of the five operations, on a file of its own."""
        client, path = self.callers[caller], files_of(self.projects[project])
        if operation == "create":
            return client.upload(self.projects[project]["id"], unique("made"), b"1")
        if operation == "list":
            return client.get(path)
        one = f"{path}/{self.vault.root.upload(self.projects[project]['id'], unique('file'), b'1').json['id']}"
        answer = {
            "show": lambda: client.get(one),
            "download": lambda: client.get(f"{one}/download"),
            "delete": lambda: client.delete(one),
        }[operation]()
        self.vault.root.delete(one)
        return answer


@pytest.fixture(scope="module")
def stage(vault: RunningVault) -> Stage:
    projects = {kind: vault.project(kind) for kind in ("private", "internal", "public")}
    number = projects["private"]["id"]
    levels = {"guest": GUEST, "planner": PLANNER, "reporter": REPORTER, "developer": DEVELOPER}
    callers = {
        name: vault.member(number, level)
        for name, level in {**levels, "maintainer": MAINTAINER, "owner": OWNER}.items()
    }
    callers |= {
        "nobody": vault.nobody,
        "outsider": vault.user()[1],
        "administrator": vault.root,
        "reading developer": vault.member(number, DEVELOPER, "read_api"),
        "reading maintainer": vault.member(number, MAINTAINER, "read_api"),
        "owner for git only": vault.member(number, OWNER, "read_repository", "write_repository"),
        "owner for users only": vault.member(number, OWNER, "read_user"),
        "job of a developer": vault.job(callers["developer"], number)[1],
        "job of a maintainer": vault.job(callers["maintainer"], number)[1],
        "job of the administrator": vault.job(vault.root, number)[1],
        "ended job": vault.job(callers["maintainer"], number, status="success")[1],
        "job not begun": vault.job(callers["maintainer"], number, status="pending")[1],
        "deploy token": Client(vault.url, "gldt-something", "DEPLOY-TOKEN"),
    }
    return Stage(vault, projects, callers)


def matrix(rows: dict[tuple[str, str], tuple[int, ...]]) -> Callable[[Any], Any]:
    """Make one test case of each caller, project and operation."""
    cases = [
        pytest.param(caller, project, operation, status, id=f"{caller} {operation} {project}")
        for (caller, project), statuses in rows.items()
        for operation, status in zip(OPERATIONS, statuses, strict=True)
    ]
    return pytest.mark.parametrize(("caller", "project", "operation", "status"), cases)


class TestMatrix:
    @matrix(
        {
            ("nobody", "private"): NONE,
            ("nobody", "internal"): NONE,
            ("nobody", "public"): NONE,
            ("deploy token", "private"): NONE,
            ("outsider", "private"): HIDDEN,
            ("outsider", "internal"): FORBIDDEN,
            ("outsider", "public"): FORBIDDEN,
            ("guest", "private"): FORBIDDEN,
            ("planner", "private"): FORBIDDEN,
            ("reporter", "private"): FORBIDDEN,
            ("developer", "private"): READING,
            ("maintainer", "private"): ALL,
            ("owner", "private"): ALL,
            ("administrator", "private"): ALL,
            ("job of a developer", "private"): READING,
            ("job of a maintainer", "private"): ALL,
            ("job of the administrator", "private"): ALL,
            ("ended job", "private"): NONE,
            ("job not begun", "private"): NONE,
        }
    )
    def test_decides(self, stage: Stage, caller: str, project: str, operation: str, status: int) -> None:
        answer = stage.perform(operation, caller, project)

        assert answer.status == status, answer
        if status in BODIES:
            assert answer.json == BODIES[status]


class TestScopes:
    @matrix({("reading developer", "private"): READING, ("reading maintainer", "private"): READING})
    def test_read_api_reads_as_the_role_does_and_writes_nothing(
        self, stage: Stage, caller: str, project: str, operation: str, status: int
    ) -> None:
        answer = stage.perform(operation, caller, project)

        assert answer.status == status
        if status == 403:
            assert answer.json["error"] == "insufficient_scope"

    @matrix({("owner for git only", "private"): FORBIDDEN, ("owner for users only", "private"): FORBIDDEN})
    def test_without_api_or_read_api_nothing_goes(
        self, stage: Stage, caller: str, project: str, operation: str, status: int
    ) -> None:
        answer = stage.perform(operation, caller, project)

        assert (answer.status, answer.json["error"]) == (status, "insufficient_scope")


class TestJobsOfOtherProjects:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_are_told_both_names_where_their_user_has_a_role(self, stage: Stage, operation: str) -> None:
        other = stage.vault.project()
        stage.callers["job elsewhere"] = stage.vault.job(stage.vault.root, other["id"])[1]

        answer = stage.perform(operation, "job elsewhere")

        assert answer.status == 403
        assert answer.json["message"].startswith("403 Forbidden - ")
        assert other["path_with_namespace"] in answer.json["message"]
        assert stage.projects["private"]["path_with_namespace"] in answer.json["message"]

    def test_do_not_learn_of_a_project_their_user_cannot_see(self, stage: Stage) -> None:
        other = stage.vault.project()
        maintainer = stage.vault.member(other["id"], MAINTAINER)
        _, job = stage.vault.job(maintainer, other["id"])

        assert job.get(files_of(stage.projects["private"])).json == BODIES[404]

    @pytest.mark.parametrize("visibility", ["internal", "public"])
    def test_have_no_role_in_an_open_project_either(self, stage: Stage, visibility: str) -> None:
        other = stage.vault.project()
        _, job = stage.vault.job(stage.vault.root, other["id"])

        assert job.get(files_of(stage.projects[visibility])).status == 403


class TestRolesOverTime:
    def test_a_removed_member_is_an_outsider_again(self, vault: RunningVault, project: dict[str, Any]) -> None:
        client = vault.member(project["id"], MAINTAINER)
        me = client.get("/user").json["id"]
        assert client.get(files_of(project)).status == 200

        vault.root.delete(f"/projects/{project['id']}/members/{me}")

        assert client.get(files_of(project)).status == 404

    def test_a_changed_level_counts_at_once_also_for_running_jobs(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        client = vault.member(project["id"], MAINTAINER)
        _, job = vault.job(client, project["id"])
        assert job.upload(project["id"], "a", b"1").status == 201

        me = client.get("/user").json["id"]
        vault.root.put(f"/projects/{project['id']}/members/{me}", json={"access_level": DEVELOPER})

        assert client.upload(project["id"], "b", b"1").status == 403
        assert job.upload(project["id"], "c", b"1").status == 403
        assert job.get(files_of(project)).status == 200

    def test_a_membership_ends_on_its_day(self, vault: RunningVault, project: dict[str, Any]) -> None:
        client = vault.member(project["id"], MAINTAINER)
        me = client.get("/user").json["id"]

        body = {"access_level": MAINTAINER, "expires_at": "2020-01-01"}
        vault.root.put(f"/projects/{project['id']}/members/{me}", json=body)

        assert client.get(files_of(project)).status == 404

    def test_a_role_in_the_group_counts_in_its_projects(self, vault: RunningVault, project: dict[str, Any]) -> None:
        user_id, client = vault.user()
        group = project["namespace"]["id"]

        vault.root.post(f"/groups/{group}/members", json={"user_id": user_id, "access_level": MAINTAINER})

        assert client.upload(project["id"], "a", b"1").status == 201

    def test_the_higher_of_two_roles_counts(self, vault: RunningVault, project: dict[str, Any]) -> None:
        user_id, client = vault.user()
        for path, level in ((f"/groups/{project['namespace']['id']}", REPORTER), (f"/projects/{project['id']}", 30)):
            vault.root.post(f"{path}/members", json={"user_id": user_id, "access_level": level})

        assert client.get(files_of(project)).status == 200
