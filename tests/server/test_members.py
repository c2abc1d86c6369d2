"""Members of projects and groups, and who may make, change and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import RunningVault


class TestMembers:
    def test_are_added_changed_shown_and_removed(self, vault: RunningVault, project: dict[str, Any]) -> None:
        user_id, client = vault.user()
        path = f"/projects/{project['id']}/members"

        made = vault.root.post(path, data={"user_id": user_id, "access_level": 30, "expires_at": "2099-01-01"})
        changed = vault.root.put(f"{path}/{user_id}", json={"access_level": 40})

        assert made.status == 201
        assert made.json.items() >= {"id": user_id, "access_level": 30, "expires_at": "2099-01-01"}.items()
        assert {"username", "name", "state", "web_url"} <= set(made.json)
        assert (changed.status, changed.json["access_level"]) == (200, 40)
        assert client.get(f"{path}/{user_id}").json == changed.json
        assert [member["id"] for member in client.get(path).json] == [user_id]
        assert vault.root.delete(f"{path}/{user_id}").status == 204
        assert vault.root.get(f"{path}/{user_id}").status == 404

    def test_of_the_group_are_among_all(self, vault: RunningVault, project: dict[str, Any]) -> None:
        user_id, _ = vault.user()
        group = f"/groups/{project['namespace']['id']}/members"
        vault.root.post(group, json={"user_id": user_id, "access_level": 20})

        direct = vault.root.get(f"/projects/{project['id']}/members").json
        every = vault.root.get(f"/projects/{project['id']}/members/all").json

        assert direct == []
        assert {member["id"]: member["access_level"] for member in every}[user_id] == 20
        assert vault.root.get(f"/projects/{project['id']}/members/all/{user_id}").status == 200

    @pytest.mark.parametrize(
        ("fields", "status", "body"),
        [
            ({"access_level": 30}, 400, {"error": "user_id is missing"}),
            ({"user_id": 1}, 400, {"error": "access_level is missing"}),
            ({"user_id": 1, "access_level": 33}, 400, {"error": "access_level does not have a valid value"}),
            ({"user_id": "x", "access_level": 30}, 400, {"error": "user_id is invalid"}),
            ({"user_id": 999_999, "access_level": 30}, 404, {"message": "404 User Not Found"}),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, vault: RunningVault, project: dict[str, Any], fields: dict[str, Any], status: int, body: Any
    ) -> None:
        answer = vault.root.post(f"/projects/{project['id']}/members", json=fields)

        assert (answer.status, answer.json) == (status, body)

    def test_are_added_once(self, vault: RunningVault, project: dict[str, Any]) -> None:
        user_id, _ = vault.user()
        body = {"user_id": user_id, "access_level": 30}
        vault.root.post(f"/projects/{project['id']}/members", json=body)

        again = vault.root.post(f"/projects/{project['id']}/members", json=body)

        assert (again.status, again.json) == (409, {"message": "Member already exists"})

    def test_are_the_business_of_maintainers_below_owners(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """A maintainer may neither make an owner, nor demote or remove one."""
        user_id, _ = vault.user()
        path = f"/projects/{project['id']}/members"
        developer, maintainer = vault.member(project["id"], 30), vault.member(project["id"], 40)
        owner = vault.member(project["id"], 50).get("/user").json["id"]

        assert developer.post(path, json={"user_id": user_id, "access_level": 10}).status == 403
        assert maintainer.post(path, json={"user_id": user_id, "access_level": 50}).status == 403
        assert maintainer.post(path, json={"user_id": user_id, "access_level": 40}).status == 201
        assert maintainer.put(f"{path}/{owner}", json={"access_level": 10}).status == 403
        assert maintainer.delete(f"{path}/{owner}").status == 403
        assert maintainer.delete(f"{path}/{user_id}").status == 204

    def test_may_always_leave(self, vault: RunningVault, project: dict[str, Any]) -> None:
        client = vault.member(project["id"], 10)
        me = client.get("/user").json["id"]

        assert client.delete(f"/projects/{project['id']}/members/{me}").status == 204
        assert client.get(f"/projects/{project['id']}").status == 404
