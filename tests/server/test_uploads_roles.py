"""Who may do what with Markdown uploads: every kind of caller against every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import Answer, Client, RunningVault

ACTIONS = ("upload", "list", "get by id", "get by secret", "link", "delete by id", "delete by secret")
LEVELS = {"guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}
MEMBER = (201, 403, 403, 200, 200, 403, 403)
MAINTAINER = (201, 200, 200, 200, 200, 204, 204)
PRIVATE = {
    "nobody": (401, 404, 404, 404, 404, 401, 401),
    "stranger": (404, 404, 404, 404, 404, 404, 404),
    "guest": MEMBER,
    "planner": MEMBER,
    "reporter": MEMBER,
    "developer": MEMBER,
    "maintainer": MAINTAINER,
    "owner": MAINTAINER,
    "administrator": MAINTAINER,
    "job of the maintainer": (401, 404, 404, 404, 404, 401, 401),
    "maintainer who reads": (403, 200, 200, 200, 200, 403, 403),
    "maintainer for git only": (403, 403, 403, 403, 403, 403, 403),
    "wrong token": (401,) * 7,
}
PUBLIC = {
    "nobody": (401, 403, 403, 200, 200, 401, 401),
    "stranger": (201, 403, 403, 200, 200, 403, 403),
    "guest": MEMBER,
    "developer": MEMBER,
    "maintainer": MAINTAINER,
    "owner": MAINTAINER,
    "job of the maintainer": (401, 403, 403, 200, 200, 401, 401),
    "wrong token": (401,) * 7,
}
INTERNAL = {"nobody": (401, 404, 404, 404, 404, 401, 401), "stranger": (201, 403, 403, 200, 200, 403, 403)}
BODIES = {
    401: {"message": "401 Unauthorized"},
    403: {"message": "403 Forbidden"},
    404: {"message": "404 Project Not Found"},
}
TOO_NARROW = ("maintainer who reads", "maintainer for git only")
"""Whose token's scope does not reach: that answer has a body of its own."""
CASES = [
    pytest.param(visibility, caller, action, status, id=f"{caller}, {action}, {visibility}")
    for visibility, rows in (("private", PRIVATE), ("public", PUBLIC), ("internal", INTERNAL))
    for caller, statuses in rows.items()
    for action, status in zip(ACTIONS, statuses, strict=True)
]


@dataclass(frozen=True)
class Stage:
    """A vault with a project of each visibility, and its callers by project."""

    vault: RunningVault
    projects: dict[str, dict[str, Any]]
    callers: dict[str, dict[str, Client]]

    def perform(self, action: str, client: Client, project: dict[str, Any]) -> Answer:
        path = f"/projects/{project['id']}/uploads"
        made = self.vault.root.post(path, files={"file": ("a.txt", b"1")}).json
        one, secret = f"{path}/{made['id']}", f"/projects/{project['id']}{made['url']}"
        return {
            "upload": lambda: client.post(path, files={"file": ("a.txt", b"1")}),
            "list": lambda: client.get(path),
            "get by id": lambda: client.get(one),
            "get by secret": lambda: client.get(secret),
            "link": lambda: client.get(made["full_path"]),
            "delete by id": lambda: client.delete(one),
            "delete by secret": lambda: client.delete(secret),
        }[action]()


@pytest.fixture(scope="module")
def stage(vault: RunningVault) -> Stage:
    projects = {kind: vault.project(kind) for kind in ("private", "internal", "public")}
    return Stage(vault, projects, {kind: callers_of(vault, project["id"]) for kind, project in projects.items()})


def callers_of(vault: RunningVault, project: int) -> dict[str, Client]:
    members = {name: vault.member(project, level) for name, level in LEVELS.items()}
    wrong = vault.user()[1]
    wrong._headers = {"PRIVATE-TOKEN": "glpat-wrong"}
    return {
        **members,
        "nobody": vault.nobody,
        "stranger": vault.user()[1],
        "administrator": vault.root,
        "job of the maintainer": vault.job(members["maintainer"], project)[1],
        "maintainer who reads": vault.member(project, LEVELS["maintainer"], "read_api"),
        "maintainer for git only": vault.member(project, LEVELS["maintainer"], "read_repository"),
        "wrong token": wrong,
    }


class TestMatrix:
    @pytest.mark.parametrize(("visibility", "caller", "action", "status"), CASES)
    def test_answers_each_caller(self, stage: Stage, visibility: str, caller: str, action: str, status: int) -> None:
        answer = stage.perform(action, stage.callers[visibility][caller], stage.projects[visibility])

        assert answer.status == status, answer
        if status in BODIES and caller not in TOO_NARROW:
            assert answer.json == BODIES[status]

    def test_an_uploader_alone_may_not_delete(self, stage: Stage) -> None:
        guest, project = stage.callers["private"]["guest"], stage.projects["private"]
        made = guest.post(f"/projects/{project['id']}/uploads", files={"file": ("a", b"1")}).json

        assert guest.delete(f"/projects/{project['id']}/uploads/{made['id']}").status == 403
