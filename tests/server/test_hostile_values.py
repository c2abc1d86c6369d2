"""Well-formed requests with values that are none, on every endpoint that takes values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import RunningVault


class TestValues:
    """Well-formed requests with values that are none, on every endpoint that takes values."""

    STRANGE: tuple[Any, ...] = ("", " ", "a" * 60_000, "\x00", "\ud800", "\n", "../..", 0, -1, 2**63, 2**70, 1.5)
    OTHER: tuple[Any, ...] = (True, None, [], {}, [None], {"a": []}, "%00", "\u202e", "\u0663", "1e9", "NaN", "9999-99")

    @pytest.mark.parametrize(
        ("method", "path", "fields"),
        [
            ("POST", "/groups", ("name", "path", "parent_id", "visibility", "description")),
            ("POST", "/projects", ("name", "path", "namespace_id", "visibility", "description", "default_branch")),
            (
                "PUT",
                "/projects/{id}",
                ("name", "visibility", "description", "default_branch", "public_jobs", "repository_access_level"),
            ),
            ("POST", "/users", ("username", "name", "email", "admin", "password")),
            ("POST", "/users/1/personal_access_tokens", ("name", "scopes", "expires_at")),
            ("POST", "/projects/{id}/members", ("user_id", "access_level", "expires_at")),
            ("POST", "/projects/{id}/pipelines", ("ref", "sha", "parent_id", "status")),
            ("POST", "/projects/{id}/jobs", ("name", "ref", "status", "pipeline_id", "stage")),
            ("POST", "/projects/{id}/secure_files", ("name", "file", "password")),
            ("POST", "/projects/{id}/secure_files/{file}/metadata", ("password",)),
        ],
    )
    def test_never_crash(self, vault: RunningVault, method: str, path: str, fields: tuple[str, ...]) -> None:
        project = vault.project()
        file = vault.root.upload(project["id"], "a", b"1").json["id"]
        place = path.format(id=project["id"], file=file)
        plain: dict[str, Any] = {"name": "n", "path": "p", "ref": "main", "username": "u", "email": "e", "user_id": 1}
        for field in fields:
            for value in (*self.STRANGE, *self.OTHER):
                body = json.dumps({**plain, field: value})
                answer = vault.root(method, place, data=body, headers={"Content-Type": "application/json"})

                assert answer.status < 500, (field, value, answer)
                assert isinstance(answer.json, dict)

    @pytest.mark.parametrize("query", ["scope=failed&scope[]=failed", "scope[]=failed&scope=failed", "scope[]&scope"])
    def test_given_once_as_text_and_once_as_a_list_never_crash(self, vault: RunningVault, query: str) -> None:
        project = vault.project()

        assert vault.root.get(f"/projects/{project['id']}/jobs?{query}").status in (200, 400)
        answer = vault.root.post(f"/projects/{project['id']}/jobs", data=f"name=a&name[]=b&ref=main&{query}")
        assert answer.status == 400

    @pytest.mark.parametrize("path", ["/projects", "/groups", "/users", "/secure_files", "/personal_access_tokens"])
    @pytest.mark.parametrize("name", ["search", "username", "user_id", "visibility", "owned", "name", "expires_before"])
    def test_in_queries_never_crash(self, vault: RunningVault, path: str, name: str) -> None:
        for value in ("", "%00", "%ED%A0%80", "%FF", "a" * 7000, "%25", "_", "!", "%27%22", "9" * 30, "%E2%80%AE"):
            for spelling in (name, f"{name}[]", f"{name}[a]"):
                answer = vault.root.get(f"{path}?{spelling}={value}")

                assert answer.status in (200, 400), (spelling, value, answer)
                assert isinstance(answer.json, dict | list)
