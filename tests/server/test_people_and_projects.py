"""Users, tokens, groups and projects: the fields and statuses that clients of GitLab rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import unique

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

FORBIDDEN = {"message": "403 Forbidden"}


class TestUsers:
    def test_the_caller_is_told_who_he_is(self, vault: RunningVault) -> None:
        me = vault.root.get("/user")

        assert me.status == 200
        assert {"id", "username", "name", "state", "web_url", "is_admin", "email", "created_at"} <= set(me.json)
        assert me.json["web_url"] == f"{vault.url}/root"
        assert (me.json["username"], me.json["state"], me.json["is_admin"]) == ("root", "active", True)

    def test_are_made_by_administrators(self, vault: RunningVault) -> None:
        name = unique("new")
        body = {"username": name, "name": "N", "email": f"{name}@x", "password": "dropped", "skip_confirmation": True}

        made = vault.root.post("/users", json=body)

        assert made.status == 201
        assert made.json.items() >= {"username": name, "name": "N", "state": "active", "is_admin": False}.items()
        assert "password" not in made.json
        assert vault.root.get(f"/users/{made.json['id']}").json == made.json
        assert vault.user()[1].post("/users", json={**body, "username": unique("x")}).json == FORBIDDEN

    def test_are_found_by_name_whatever_its_case(self, vault: RunningVault) -> None:
        user_id, client = vault.user()
        name = client.get("/user").json["username"]

        assert [user["id"] for user in vault.root.get(f"/users?username={name.upper()}").json] == [user_id]
        assert vault.root.get("/users?username=nobody-at-all").json == []

    def test_show_their_address_to_administrators_and_themselves_only(self, vault: RunningVault) -> None:
        user_id, client = vault.user()

        assert "email" in client.get(f"/users/{user_id}").json
        assert "email" in vault.root.get(f"/users/{user_id}").json
        assert "email" not in vault.user()[1].get(f"/users/{user_id}").json
        assert all("email" not in user for user in vault.user()[1].get("/users").json)

    def test_that_are_taken_missing_or_impossible_are_refused(self, vault: RunningVault) -> None:
        post = vault.root.post
        taken = post("/users", json={"username": "ROOT", "name": "a", "email": "a@x"})
        missing = post("/users", json={"username": None})
        impossible = post("/users", json={"username": "a/b", "name": "a", "email": "a@x"})

        assert (taken.status, taken.json) == (409, {"message": "Username has already been taken"})
        assert (missing.status, missing.json) == (
            400,
            {"error": "username is missing, email is missing, name is missing"},
        )
        assert (impossible.status, list(impossible.json["message"])) == (400, ["username"])

    @pytest.mark.parametrize("number", ["0", "999999", "abc", "-1", "9" * 30])
    def test_that_are_not_there_are_404(self, vault: RunningVault, number: str) -> None:
        answer = vault.root.get(f"/users/{number}")

        assert (answer.status, answer.json) == (404, {"message": "404 User Not Found"})


class TestTokens:
    def make(self, vault: RunningVault, user: int, **fields: Any) -> Answer:
        return vault.root.post(f"/users/{user}/personal_access_tokens", json={"name": "t", "scopes": ["api"], **fields})

    def test_are_shown_in_clear_once(self, vault: RunningVault) -> None:
        user, _ = vault.user()

        made = self.make(vault, user, scopes=["read_api", "read_user"], expires_at="2099-12-31")

        assert made.status == 201
        assert made.json["token"].startswith("glpat-")
        shown = vault.root.get(f"/personal_access_tokens/{made.json['id']}")
        assert shown.json == {key: value for key, value in made.json.items() if key != "token"}
        assert (
            shown.json.items()
            >= {
                "name": "t",
                "scopes": ["read_api", "read_user"],
                "user_id": user,
                "active": True,
                "revoked": False,
                "expires_at": "2099-12-31",
            }.items()
        )

    def test_may_be_made_in_a_form_with_a_list(self, vault: RunningVault) -> None:
        user, _ = vault.user()

        made = vault.root.post(
            f"/users/{user}/personal_access_tokens",
            data={"name": "t", "scopes[]": ["api", "read_user"], "expires_at": ""},
        )

        assert (made.status, made.json["scopes"], made.json["expires_at"]) == (201, ["api", "read_user"], None)

    def test_of_a_past_date_are_expired_from_the_start(self, vault: RunningVault) -> None:
        made = self.make(vault, vault.user()[0], expires_at="2001-01-01")

        assert (made.status, made.json["active"]) == (201, False)

    @pytest.mark.parametrize(
        ("fields", "body"),
        [
            ({"scopes": None}, {"error": "scopes is missing"}),
            ({"scopes": []}, {"message": {"scopes": ["can't be blank"]}}),
            ({"scopes": ["everything"]}, {"message": {"scopes": ["can only contain available scopes"]}}),
            ({"name": None}, {"error": "name is missing"}),
            ({"name": " "}, {"message": {"name": ["can't be blank"]}}),
            ({"expires_at": "soon"}, {"error": "expires_at is invalid"}),
        ],
    )
    def test_that_cannot_be_are_refused(self, vault: RunningVault, fields: dict[str, Any], body: Any) -> None:
        answer = self.make(vault, vault.user()[0], **fields)

        assert (answer.status, answer.json) == (400, body)

    def test_are_the_business_of_their_owner_and_administrators(self, vault: RunningVault) -> None:
        user, client = vault.user()
        other = vault.user()[1]
        own = client.get("/personal_access_tokens/self").json["id"]

        assert other.get(f"/personal_access_tokens/{own}").status == 404
        assert other.delete(f"/personal_access_tokens/{own}").status == 404
        assert other.post(f"/users/{user}/personal_access_tokens", json={"name": "t", "scopes": ["api"]}).status == 403
        assert client.delete(f"/personal_access_tokens/{own}").status == 204
        assert client.get("/user").status == 401

    def test_for_nobody_are_404(self, vault: RunningVault) -> None:
        assert self.make(vault, 999_999).json == {"message": "404 User Not Found"}


class TestGroups:
    def test_belong_to_who_makes_them(self, vault: RunningVault) -> None:
        _, client = vault.user()
        path = unique("Team")

        made = client.post("/groups", json={"name": "The team", "path": path})

        assert made.status == 201
        assert {"id", "name", "path", "full_path", "web_url", "visibility", "parent_id"} <= set(made.json)
        assert made.json["web_url"] == f"{vault.url}/groups/{path}"
        assert made.json["visibility"] == "private"
        assert client.get(f"/groups/{path.upper()}").json == made.json
        assert client.get("/groups").json == [made.json]
        assert vault.user()[1].get(f"/groups/{made.json['id']}").json == {"message": "404 Group Not Found"}
        assert client.delete(f"/groups/{made.json['id']}").status == 202
        assert client.get(f"/groups/{made.json['id']}").status == 404

    def test_take_their_subgroups_and_projects_with_them(self, vault: RunningVault) -> None:
        top = vault.root.post("/groups", json={"name": "t", "path": unique("t")}).json
        below = vault.root.post("/groups", json={"name": "b", "path": "b", "parent_id": top["id"]}).json
        project = vault.root.post("/projects", json={"name": "p", "namespace_id": below["id"]}).json
        vault.root.upload(project["id"], "a", b"1")

        vault.root.delete(f"/groups/{top['id']}")

        assert vault.root.get(f"/projects/{project['id']}").status == 404
        assert vault.root.get(f"/groups/{below['id']}").status == 404

    def test_that_are_taken_or_impossible_are_refused(self, vault: RunningVault) -> None:
        path = unique("taken")
        vault.root.post("/groups", json={"name": "a", "path": path})

        again = vault.root.post("/groups", json={"name": "a", "path": path.upper()})

        assert (again.status, again.json) == (
            400,
            {"message": 'Failed to save group {:path=>["has already been taken"]}'},
        )
        assert vault.root.post("/groups", json={"name": "a"}).json == {"error": "path is missing"}
        for impossible in ("a b", "-a", "a/b", "a.git", "..", ""):
            assert vault.root.post("/groups", json={"name": "a", "path": impossible}).status == 400

    def test_below_a_hidden_group_cannot_be_made(self, vault: RunningVault) -> None:
        top = vault.root.post("/groups", json={"name": "t", "path": unique("t")}).json
        body = {"name": "b", "path": "b", "parent_id": top["id"]}

        assert vault.user()[1].post("/groups", json=body).json == {"message": "404 Group Not Found"}


class TestProjects:
    FIELDS = frozenset(
        [
            "id",
            "name",
            "path",
            "path_with_namespace",
            "default_branch",
            "visibility",
            "namespace",
            "web_url",
            "permissions",
            "empty_repo",
            "archived",
            "description",
            "created_at",
            "creator_id",
            "http_url_to_repo",
            "last_activity_at",
        ]
    )

    def test_have_the_fields_that_clients_read(self, vault: RunningVault, project: dict[str, Any]) -> None:
        shown = vault.root.get(f"/projects/{project['id']}").json

        assert set(shown) >= self.FIELDS
        assert set(shown["namespace"]) >= {"id", "name", "path", "full_path", "kind"}
        assert (shown["default_branch"], shown["visibility"], shown["archived"]) == ("main", "private", False)
        assert shown["web_url"] == f"{vault.url}/{shown['path_with_namespace']}"
        assert shown == project

    def test_tell_the_callers_level_in_the_project_and_in_its_group(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        """semantic-release refuses when both are null."""
        member = vault.member(project["id"], 30).get(f"/projects/{project['id']}").json["permissions"]
        owner = vault.root.get(f"/projects/{project['id']}").json["permissions"]

        assert member["project_access"]["access_level"] == 30
        assert member["group_access"] is None
        assert owner["group_access"]["access_level"] == 50

    def test_of_a_name_alone_lie_in_the_callers_own_namespace(self, vault: RunningVault) -> None:
        """python-gitlab sends the name in the query of the POST and `{}` as its body."""
        _, client = vault.user()
        username = client.get("/user").json["username"]

        made = client.post("/projects?name=My%20App", json={})

        assert made.status == 201
        assert made.json["path_with_namespace"] == f"{username}/my-app"
        assert made.json["namespace"]["kind"] == "user"
        assert made.json["permissions"]["group_access"] or made.json["permissions"]["project_access"]
        assert client.delete(f"/projects/{made.json['id']}").status == 202

    @pytest.mark.parametrize("how", ["json", "data", "params"])
    def test_may_be_described_in_json_form_and_query(self, vault: RunningVault, how: str) -> None:
        group = vault.root.post("/groups", json={"name": "g", "path": unique("g")}).json
        fields = {"path": "app", "namespace_id": group["id"], "visibility": "internal", "description": "ä"}

        made = vault.root.post("/projects", **{how: fields})

        assert made.status == 201, made
        assert made.json.items() >= {"name": "app", "visibility": "internal", "description": "ä"}.items()
        assert made.json["path_with_namespace"] == f"{group['path']}/app"

    @pytest.mark.parametrize(
        ("fields", "body"),
        [
            ({}, {"error": "name, path are missing, at least one parameter must be provided"}),
            (
                {"name": None, "path": None},
                {"error": "name, path are missing, at least one parameter must be provided"},
            ),
            ({"name": "a", "visibility": "secret"}, {"error": "visibility does not have a valid value"}),
            ({"name": "a", "namespace_id": "x"}, {"error": "namespace_id is invalid"}),
            ({"name": "a", "default_branch": "a..b"}, {"message": {"default_branch": ["is invalid"]}}),
        ],
    )
    def test_that_cannot_be_are_refused(self, vault: RunningVault, fields: dict[str, Any], body: Any) -> None:
        answer = vault.root.post("/projects", json=fields)

        assert (answer.status, answer.json) == (400, body)

    def test_whose_path_is_taken_are_refused(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = {"name": "x", "path": project["path"].upper(), "namespace_id": project["namespace"]["id"]}

        answer = vault.root.post("/projects", json=body)

        assert answer.status == 400
        assert answer.json["message"]["path"] == ["has already been taken"]

    def test_in_a_group_are_for_its_developers_and_say_nothing_of_hidden_ones(self, vault: RunningVault) -> None:
        hidden = vault.root.post("/groups", json={"name": "h", "path": unique("h")}).json
        user_id, client = vault.user()
        missing = client.post("/projects", json={"name": "p", "namespace_id": 999_999})

        outside = client.post("/projects", json={"name": "p", "namespace_id": hidden["id"]})
        vault.root.post(f"/groups/{hidden['id']}/members", json={"user_id": user_id, "access_level": 20})
        reporter = client.post("/projects", json={"name": "p", "namespace_id": hidden["id"]})
        vault.root.put(f"/groups/{hidden['id']}/members/{user_id}", json={"access_level": 30})
        developer = client.post("/projects", json={"name": "p", "namespace_id": hidden["id"]})

        assert (outside.status, outside.json) == (missing.status, missing.json)
        assert outside.status == 404
        assert [reporter.status, developer.status] == [403, 201]

    def test_are_listed_to_those_who_may_know_of_them(self, vault: RunningVault) -> None:
        own, public, internal, other = (vault.project(kind) for kind in ("private", "public", "internal", "private"))
        client = vault.member(own["id"], 10)
        ids = [each["id"] for each in (internal, public, own)]

        def listed(answer: Answer) -> list[int]:
            return [each["id"] for each in answer.json if each["id"] in {*ids, other["id"]}]

        assert listed(client.get("/projects")) == ids
        assert listed(vault.nobody.get("/projects")) == [public["id"]]
        assert listed(client.get("/projects?membership=true")) == [own["id"]]
        assert client.get("/projects?owned=true").json == []
        assert listed(vault.root.get(f"/projects?search={own['path'].upper()}")) == [own["id"]]

    def test_are_changed_by_their_maintainers(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}"
        body = {"description": "new", "visibility": "public"}

        assert vault.member(project["id"], 30).put(path, json=body).status == 403
        changed = vault.member(project["id"], 40).put(path, json=body)

        assert changed.status == 200
        assert changed.json.items() >= {**body, "name": project["name"], "default_branch": "main"}.items()
        assert vault.nobody.get(path).status == 200

    @pytest.mark.parametrize("name", ["", "  ", "a" * 256])
    def test_do_not_lose_their_names(self, vault: RunningVault, project: dict[str, Any], name: str) -> None:
        answer = vault.root.put(f"/projects/{project['id']}", json={"name": name})

        assert answer.status == 400
        assert list(answer.json["message"]) == ["name"]

    def test_are_deleted_by_their_owners(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}"

        assert vault.member(project["id"], 40).delete(path).json == FORBIDDEN
        gone = vault.member(project["id"], 50).delete(path)

        assert (gone.status, gone.json) == (202, {"message": "202 Accepted"})
        assert vault.root.get(path).status == 404
