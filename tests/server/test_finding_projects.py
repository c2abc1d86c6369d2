"""How a project is named in a path: by number, by encoded full path, and in ways that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.harness import unique
from tests.server.support import files_of

if TYPE_CHECKING:
    from tests.harness import RunningVault

MISSING = {"message": "404 Project Not Found"}


def go(path: str) -> str:
    """Escape a path as Go's clients do: dots too."""
    return quote(path, safe="").replace(".", "%2E")


class TestByPath:
    def test_works_on_every_route(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """GitLab's own show route refuses a path there, though its manual promises one."""
        path = f"/projects/{quote(project['path_with_namespace'], safe='')}/secure_files"

        made = vault.root.post(path, data={"name": "a"}, files={"file": ("a", b"1")})
        one = f"{path}/{made.json['id']}"

        assert made.status == 201
        assert vault.root.get(path).json == [made.json]
        assert vault.root.get(one).json == made.json
        assert vault.root.get(f"{one}/download").body == b"1"
        assert vault.root.delete(one).status == 204

    @pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title, go, lambda path: path.replace("-", "%2D")])
    def test_does_not_tell_cases_or_escapes_apart(
        self, vault: RunningVault, project: dict[str, Any], spelling: Any
    ) -> None:
        path = spelling(project["path_with_namespace"])
        path = path if "%" in path else quote(path, safe="")

        assert vault.root.get(f"/projects/{path.replace('/', '%2F')}/secure_files").status == 200

    def test_reaches_into_subgroups(self, vault: RunningVault) -> None:
        top = vault.root.post("/groups", json={"name": "top", "path": unique("top")}).json
        below = vault.root.post("/groups", json={"name": "below", "path": "below", "parent_id": top["id"]}).json
        made = vault.root.post("/projects", json={"name": "deep.app", "namespace_id": below["id"]}).json

        answer = vault.root.get(f"/projects/{go(made['path_with_namespace'])}")

        assert (answer.status, answer.json["id"]) == (200, made["id"])
        assert made["path_with_namespace"] == f"{top['path']}/below/deep.app"

    def test_needs_the_namespace(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = vault.root.get(f"/projects/{project['path']}/secure_files")

        assert (answer.status, answer.json) == (404, MISSING)

    def test_needs_the_slash_encoded(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = vault.root.get(f"/projects/{project['path_with_namespace']}/secure_files")

        assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})

    def test_of_digits_finds_a_project_called_by_digits(self, vault: RunningVault) -> None:
        group = vault.root.post("/groups", json={"name": "g", "path": unique("g")}).json
        made = vault.root.post("/projects", json={"name": "n", "path": "404", "namespace_id": group["id"]}).json

        assert vault.root.get(f"/projects/{group['path']}%2F404").json["id"] == made["id"]


class TestByNumber:
    @pytest.mark.parametrize(
        "number",
        ["0", "-5", "999999", "9" * 18, "9" * 19, "9" * 40, "-", "1e3", "1.0", "0x1", "%D9%A1", "%C2%B2"],
    )
    def test_that_is_none_is_404(self, vault: RunningVault, number: str) -> None:
        answer = vault.root.get(f"/projects/{number}/secure_files")

        assert (answer.status, answer.json) == (404, MISSING)

    def test_finds_the_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert vault.root.get(f"/projects/{project['id']}").json["path"] == project["path"]


class TestWhatNamesNone:
    @pytest.mark.parametrize(
        "ref",
        [
            "no%2Fsuch",
            "a%2Fb%2Fc%2Fd",
            "%2F",
            "%2E%2E%2F%2E%2E",
            "a%00b",
            "a%2Fb%00c",
            "%ED%A0%80%2Fa",
            "%FF%2F%FE",
            "a%2Fb'--",
            "%25%25",
            "a%2F" + "b" * 2000,
            "%20",
            "[::1",
        ],
    )
    def test_is_404_as_json(self, vault: RunningVault, ref: str) -> None:
        for client, status, body in (
            (vault.root, 404, MISSING),
            (vault.nobody, 401, {"message": "401 Unauthorized"}),
        ):
            answer = client.get(f"/projects/{ref}/secure_files")

            assert (answer.status, answer.json) == (status, body)

    def test_a_deleted_project_and_its_files_are_gone(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", b"1").json

        assert vault.root.delete(f"/projects/{project['id']}").status == 202

        assert vault.root.get(files_of(project)).json == MISSING
        assert vault.root.get(f"{files_of(project)}/{made['id']}/download").json == MISSING
