"""Who may do what with job artifacts: every kind of caller against every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import Client
from tests.server.ci import ZIP, Ci

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

READS = ("archive by job", "archive by ref", "entry by job", "entry by ref", "tree")
WRITES = ("keep", "delete one", "delete all")
LEVELS = {"guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}

# Reading, keep, delete one, delete all.
PRIVATE = {
    "nobody": (404, 401, 401, 401),
    "stranger": (404, 404, 404, 404),
    "guest": (200, 403, 403, 403),
    "planner": (200, 403, 403, 403),
    "reporter": (200, 403, 403, 403),
    "developer": (200, 200, 403, 403),
    "maintainer": (200, 200, 204, 202),
    "owner": (200, 200, 204, 202),
    "administrator": (200, 200, 204, 202),
    "job of the project": (200, 401, 401, 401),
    "ended job": (401, 401, 401, 401),
    "job of another project": (404, 401, 401, 401),
    "job of another project that its user may see": (403, 401, 401, 401),
    "maintainer who reads": (200, 403, 403, 403),
    "maintainer for git only": (403, 403, 403, 403),
    "wrong token": (401, 401, 401, 401),
}
PUBLIC = {
    "nobody": (200, 401, 401, 401),
    "stranger": (200, 403, 403, 403),
    "guest": (200, 403, 403, 403),
    "developer": (200, 200, 403, 403),
    "maintainer": (200, 200, 204, 202),
    "job of the project": (200, 401, 401, 401),
    "job of another project": (200, 401, 401, 401),
    "wrong token": (401, 401, 401, 401),
}
# With the project's jobs for its members only (`public_jobs` off).
HIDDEN_JOBS = {
    "nobody": (403, 401, 401, 401),
    "stranger": (403, 403, 403, 403),
    "guest": (403, 403, 403, 403),
    "reporter": (200, 403, 403, 403),
    "developer": (200, 200, 403, 403),
}


def cases() -> list[Any]:
    found = []
    for kind, rows in (("private", PRIVATE), ("public", PUBLIC), ("hidden", HIDDEN_JOBS)):
        for caller, (reading, *writing) in rows.items():
            statuses = dict(zip(WRITES, writing, strict=True)) | dict.fromkeys(READS, reading)
            found += [
                pytest.param(kind, caller, action, status, id=f"{caller}, {action}, {kind}")
                for action, status in statuses.items()
            ]
    return found


@dataclass(frozen=True)
class Stage:
    """Projects by kind and their callers."""

    ci: dict[str, Ci]
    callers: dict[str, dict[str, Client]]

    def perform(self, kind: str, caller: str, action: str) -> Answer:
        ci, client = self.ci[kind], self.callers[kind][caller]
        job = ci.job()
        archive, by_ref = ci.archive(job), f"{ci.path}/jobs/artifacts/main"
        return {
            "archive by job": lambda: client.get(archive),
            "archive by ref": lambda: client.get(f"{by_ref}/download?job=build"),
            "entry by job": lambda: client.get(f"{archive}/report.json"),
            "entry by ref": lambda: client.get(f"{by_ref}/raw/report.json?job=build"),
            "tree": lambda: client.get(f"{archive}/tree"),
            "keep": lambda: client.post(f"{archive}/keep"),
            "delete one": lambda: client.delete(archive),
            "delete all": lambda: client.delete(f"{ci.path}/artifacts"),
        }[action]()


@pytest.fixture(scope="module")
def stage(vault: RunningVault) -> Stage:
    kinds = {"private": "private", "public": "public", "hidden": "public"}
    ci = {kind: Ci(vault, vault.project(visibility)) for kind, visibility in kinds.items()}
    off = vault.root.put(ci["hidden"].path, json={"public_jobs": False})
    assert off.status == 200, off
    return Stage(ci, {kind: callers_of(vault, each.project["id"]) for kind, each in ci.items()})


def callers_of(vault: RunningVault, project: int) -> dict[str, Client]:
    members = {name: vault.member(project, level) for name, level in LEVELS.items()}
    other = vault.project()["id"]
    own = vault.member(other, LEVELS["maintainer"])
    return {
        **members,
        "nobody": vault.nobody,
        "stranger": vault.user()[1],
        "administrator": vault.root,
        "job of the project": vault.job(members["developer"], project)[1],
        "ended job": vault.job(members["developer"], project, status="success", ref="other")[1],
        "job of another project": vault.job(own, other)[1],
        "job of another project that its user may see": vault.job(vault.root, other)[1],
        "maintainer who reads": vault.member(project, LEVELS["maintainer"], "read_api"),
        "maintainer for git only": vault.member(project, LEVELS["maintainer"], "read_repository"),
        "wrong token": Client(vault.url, "glpat-wrong"),
    }


class TestMatrix:
    @pytest.mark.parametrize(("kind", "caller", "action", "status"), cases())
    def test_answers_each_caller(self, stage: Stage, kind: str, caller: str, action: str, status: int) -> None:
        answer = stage.perform(kind, caller, action)

        assert answer.status == status, answer
        if status == 404:
            assert answer.json == {"message": "404 Project Not Found"}


class TestJobTokens:
    @pytest.mark.parametrize("action", READS)
    def test_are_a_login_as_header_and_as_parameter(self, stage: Stage, action: str) -> None:
        ci, token = stage.ci["private"], stage.callers["private"]["job of the project"].token
        nobody = ci.vault.nobody
        ways = {
            "parameter": lambda path: nobody.get(path + ("&" if "?" in path else "?") + f"job_token={token}"),
            "header": lambda path: nobody.get(path, headers={"JOB-TOKEN": token}),
            "bearer": lambda path: nobody.get(path, headers={"Authorization": f"Bearer {token}"}),
        }
        archive, by_ref = ci.archive(ci.job()), f"{ci.path}/jobs/artifacts/main"
        path = {
            "archive by job": archive,
            "archive by ref": f"{by_ref}/download?job=build",
            "entry by job": f"{archive}/report.json",
            "entry by ref": f"{by_ref}/raw/report.json?job=build",
            "tree": f"{archive}/tree",
        }[action]

        assert {name: way(path).status for name, way in ways.items()} == dict.fromkeys(ways, 200)

    def test_refused_by_another_project_name_both(self, stage: Stage) -> None:
        answer = stage.perform("private", "job of another project that its user may see", "archive by job")

        paths = [each.project["path_with_namespace"] for each in (stage.ci["private"],)]
        assert answer.json["message"].startswith(
            "403 Forbidden - Authentication by CI/CD job token not allowed from group-"
        )
        assert answer.json["message"].endswith(f" to {paths[0]}.")

    def test_end_with_the_job(self, stage: Stage) -> None:
        ci = stage.ci["private"]
        job, client = ci.running()
        ci.send(client, job)

        before = client.get(ci.archive(job))
        client.put(f"/jobs/{job}", json={"token": client.token, "state": "success"})

        assert (before.status, client.get(ci.archive(job)).status) == (200, 401)


class TestAccessLevels:
    """`artifacts:access` and `artifacts:public`, which a runner passes on as `accessibility`."""

    @pytest.mark.parametrize(
        ("accessibility", "statuses"),
        [
            ("public", (200, 200, 200, 200, 200)),
            ("private", (403, 403, 403, 200, 200)),
            ("maintainer", (403, 403, 403, 403, 200)),
            ("none", (403, 403, 403, 403, 403)),
        ],
    )
    @pytest.mark.parametrize("path", ["", "/report.json", "/tree"])
    def test_hide_what_a_job_left(self, stage: Stage, accessibility: str, statuses: tuple[int, ...], path: str) -> None:
        ci, callers = stage.ci["public"], stage.callers["public"]
        job = ci.job(query=f"?accessibility={accessibility}")
        asked = ("nobody", "stranger", "guest", "developer", "maintainer")

        assert tuple(callers[name].get(ci.archive(job) + path).status for name in asked) == statuses

    def test_do_not_keep_it_from_the_jobs_that_follow(self, stage: Stage) -> None:
        ci = stage.ci["private"]
        job = ci.job(query="?accessibility=none")
        _, client = ci.running()

        assert client.get(f"/jobs/{job}/artifacts").body == ZIP
