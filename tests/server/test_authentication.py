"""Tokens: the ways to send one, what is said of one that is no good, and that none is ever logged."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN, Client
from tests.server.support import MULTIPART, exchange, files_of, multipart, part, request

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

UNAUTHORIZED = {"message": "401 Unauthorized"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(vault: RunningVault, path: str, **headers: str) -> Answer:
    lines = {name.replace("_", "-"): text for name, text in headers.items()}
    return vault.nobody.get(path, headers=lines)


@pytest.fixture(scope="module")
def path(vault: RunningVault) -> str:
    """The path of some project's secure files."""
    return files_of(vault.project())


@pytest.fixture
def job_token(vault: RunningVault, path: str) -> str:
    """The token of a running job of that project."""
    token = vault.job(vault.root, int(path.split("/")[2]))[1].token
    assert token
    return token


class TestPersonalTokens:
    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("PRIVATE-TOKEN", ROOT_TOKEN),
            ("private-token", ROOT_TOKEN),
            ("Authorization", f"Bearer {ROOT_TOKEN}"),
            ("authorization", f"bearer {ROOT_TOKEN}"),
            ("Authorization", basic("anybody", ROOT_TOKEN)),
            ("Authorization", basic("", ROOT_TOKEN)),
        ],
    )
    def test_are_taken_in_these_headers(self, vault: RunningVault, path: str, header: str, value: str) -> None:
        assert vault.nobody.get(path, headers={header: value}).status == 200

    @pytest.mark.parametrize("name", ["private_token", "access_token"])
    def test_are_taken_in_the_query_of_any_method(self, vault: RunningVault, path: str, name: str) -> None:
        query = f"?{name}={ROOT_TOKEN}"

        made = vault.nobody.post(path + query, data={"name": name}, files={"file": ("f", b"1")})

        assert made.status == 201
        assert vault.nobody.get(path + query).status == 200
        assert vault.nobody.get(f"{path}/{made.json['id']}/download{query}").status == 200
        assert vault.nobody.delete(f"{path}/{made.json['id']}{query}").status == 204

    @pytest.mark.parametrize("name", ["private_token", "access_token"])
    def test_are_taken_as_a_field_of_a_body(self, vault: RunningVault, path: str, name: str) -> None:
        made = vault.nobody.post(path, data={"name": f"b {name}", name: ROOT_TOKEN}, files={"file": ("f", b"1")})
        as_form = vault.nobody.post("/groups", data={name: ROOT_TOKEN, "name": "g", "path": f"form-{name}"})
        as_json = vault.nobody.post("/groups", json={name: ROOT_TOKEN, "name": "g", "path": f"json-{name}"})
        gone = vault.nobody.delete(f"{path}/{made.json['id']}", json={name: ROOT_TOKEN})

        assert [made.status, as_form.status, as_json.status, gone.status] == [201, 201, 201, 204]

    def test_are_not_taken_from_the_body_of_a_get(self, vault: RunningVault, path: str) -> None:
        assert vault.nobody.get(path, json={"private_token": ROOT_TOKEN}).status == 401

    def test_in_a_header_come_before_one_in_the_query(self, vault: RunningVault, path: str) -> None:
        assert vault.root.get(f"{path}?private_token=wrong").status == 200
        assert ask(vault, f"{path}?private_token={ROOT_TOKEN}", PRIVATE_TOKEN="wrong").status == 401

    def test_as_bearer_come_before_the_private_token_header(self, vault: RunningVault, path: str) -> None:
        assert ask(vault, path, Authorization=f"Bearer {ROOT_TOKEN}", PRIVATE_TOKEN="wrong").status == 200
        assert ask(vault, path, Authorization="Bearer wrong", PRIVATE_TOKEN=ROOT_TOKEN).status == 401

    @pytest.mark.parametrize("name", ["PRIVATE_TOKEN", "Private-Token", "private%2Dtoken", "token"])
    def test_under_other_names_are_nothing(self, vault: RunningVault, path: str, name: str) -> None:
        assert vault.nobody.get(f"{path}?{name}={ROOT_TOKEN}").status == 401


class TestJobTokens:
    @pytest.mark.parametrize("header", ["JOB-TOKEN: {}", "job-token: {}", "Authorization: Bearer {}"])
    def test_are_taken_in_these_headers(self, vault: RunningVault, path: str, job_token: str, header: str) -> None:
        name, _, value = header.format(job_token).partition(": ")

        assert vault.nobody.get(path, headers={name: value}).status == 200

    @pytest.mark.parametrize("name", ["job_token", "token", "access_token"])
    def test_are_taken_in_query_and_body(self, vault: RunningVault, path: str, job_token: str, name: str) -> None:
        made = vault.nobody.post(path, data={"name": name, name: job_token}, files={"file": ("f", b"1")})

        assert made.status == 201
        assert vault.nobody.get(f"{path}?{name}={job_token}").status == 200

    def test_are_not_personal_tokens(self, vault: RunningVault, path: str, job_token: str) -> None:
        assert ask(vault, path, PRIVATE_TOKEN=job_token).json == UNAUTHORIZED
        assert vault.nobody.get(f"{path}?private_token={job_token}").json == UNAUTHORIZED
        assert ask(vault, path, Authorization=basic("gitlab-ci-token", job_token)).json == UNAUTHORIZED
        assert ask(vault, path, JOB_TOKEN=ROOT_TOKEN).json == UNAUTHORIZED

    @pytest.mark.parametrize("route", ["/user", "/users", "/version", "/groups", "/personal_access_tokens/self"])
    def test_are_no_login_elsewhere(self, vault: RunningVault, job_token: str, route: str) -> None:
        assert ask(vault, route, JOB_TOKEN=job_token).json == UNAUTHORIZED
        assert ask(vault, route, Authorization=f"Bearer {job_token}").json == UNAUTHORIZED

    @pytest.mark.parametrize("state", ["success", "failed"])
    def test_end_with_their_job(self, vault: RunningVault, path: str, state: str) -> None:
        job, client = vault.job(vault.root, int(path.split("/")[2]))
        assert client.get(path).status == 200

        ended = vault.nobody.put(f"/jobs/{job['id']}", json={"token": client.token, "state": state})

        assert ended.status == 200
        assert client.get(path).json == UNAUTHORIZED

    @pytest.mark.parametrize("status", ["pending", "created", "manual", "success"])
    def test_of_jobs_that_do_not_run_are_no_good(self, vault: RunningVault, path: str, status: str) -> None:
        _, client = vault.job(vault.root, int(path.split("/")[2]), status=status)

        assert client.get(path).json == UNAUTHORIZED


class TestTokensThatAreNoGood:
    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("PRIVATE-TOKEN", "glpat-unknown"),
            ("PRIVATE-TOKEN", ""),
            ("PRIVATE-TOKEN", "x" * 7000),
            ("PRIVATE-TOKEN", "\xff\xfe"),
            ("PRIVATE-TOKEN", ROOT_TOKEN + "x"),
            ("PRIVATE-TOKEN", ROOT_TOKEN.upper()),
            ("JOB-TOKEN", "glcbt-unknown"),
            ("DEPLOY-TOKEN", "gldt-unknown"),
            ("Authorization", "Bearer"),
            ("Authorization", "Bearer unknown"),
            ("Authorization", "Basic"),
            ("Authorization", "Basic ***"),
            ("Authorization", "Basic \xff"),
            ("Authorization", "Basic " + base64.b64encode(b"\xff:\xfe").decode()),
            ("Authorization", "Basic " + base64.b64encode(b"no colon").decode()),
            ("Authorization", "Digest x"),
            ("Authorization", ROOT_TOKEN),
            ("Cookie", f"private_token={ROOT_TOKEN}"),
        ],
    )
    def test_are_401(self, vault: RunningVault, path: str, header: str, value: str) -> None:
        answer = exchange(vault.url, request("GET", f"/api/v4{path}", {header: value}))

        assert (answer.status, answer.json) == (401, UNAUTHORIZED)

    def made(self, vault: RunningVault, **fields: Any) -> Answer:
        me = vault.root.get("/user").json["id"]
        body = {"name": "t", "scopes": ["api"], **fields}
        return vault.root.post(f"/users/{me}/personal_access_tokens", json=body)

    @pytest.mark.parametrize("send", ["PRIVATE-TOKEN: {}", "Authorization: Bearer {}"])
    def test_that_expired_are_told_so(self, vault: RunningVault, path: str, send: str) -> None:
        token = self.made(vault, expires_at="2020-01-01").json["token"]
        name, _, value = send.format(token).partition(": ")

        answer = vault.nobody.get(path, headers={name: value})

        assert answer.status == 401
        assert answer.json == {
            "error": "invalid_token",
            "error_description": "Token is expired. You can either do re-authorization or token refresh.",
        }
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")

    def test_that_were_revoked_are_told_so(self, vault: RunningVault, path: str) -> None:
        made = self.made(vault).json
        vault.root.delete(f"/personal_access_tokens/{made['id']}")

        answer = Client(vault.url, made["token"]).get(path)

        assert answer.status == 401
        assert answer.json == {
            "error": "invalid_token",
            "error_description": "Token was revoked. You have to re-authorize from the user.",
        }
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")

    def test_that_end_tomorrow_still_work(self, vault: RunningVault, path: str) -> None:
        token = self.made(vault, expires_at="9999-12-31").json["token"]

        assert Client(vault.url, token).get(path).status == 200


class TestScopes:
    @pytest.mark.parametrize(
        ("scopes", "reads", "writes"),
        [
            (("api",), 200, 400),
            (("read_api",), 200, 403),
            (("read_api", "api"), 200, 400),
            (("read_user",), 403, 403),
            (("read_repository", "write_repository"), 403, 403),
        ],
    )
    def test_open_reading_and_writing(
        self, vault: RunningVault, path: str, scopes: tuple[str, ...], reads: int, writes: int
    ) -> None:
        client = vault.token_of(vault.root.get("/user").json["id"], *scopes)

        assert client.get(path).status == reads
        assert client("HEAD", path).status == reads
        assert client.post(path).status == writes

    def test_that_do_not_reach_are_named_as_oauth_does(self, vault: RunningVault, path: str) -> None:
        answer = vault.token_of(vault.root.get("/user").json["id"], "read_user").get(path)

        assert answer.json == {
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": "api read_api",
        }

    def test_read_user_reads_users_and_the_version(self, vault: RunningVault) -> None:
        client = vault.token_of(vault.root.get("/user").json["id"], "read_user")

        assert [client.get(path).status for path in ("/user", "/users", "/version", "/metadata")] == [200] * 4
        assert client.get("/projects").status == 403

    @pytest.mark.parametrize("scope", ["api", "read_api", "read_user", "read_repository", "write_repository"])
    def test_of_any_kind_let_a_token_see_and_revoke_itself(self, vault: RunningVault, scope: str) -> None:
        client = vault.token_of(vault.root.get("/user").json["id"], scope)

        assert client.get("/personal_access_tokens/self").json["scopes"] == [scope]
        assert client.delete("/personal_access_tokens/self").status == 204
        assert client.get("/personal_access_tokens/self").json["error"] == "invalid_token"


class TestLogs:
    """Tokens travel in URLs, and URLs are logged."""

    @pytest.mark.parametrize(
        "query",
        [
            "private_token={}",
            "page=1&private_token={}&per_page=2",
            "access_token={}",
            "job_token={}",
            "token={}",
            "PRIVATE_TOKEN={}",
            "private%5Ftoken={}",
            "private%5ftok%65n={}",
            "page=1&%70rivate_token={}",
            "password={}",
            "private_token=a;{}",
        ],
    )
    def test_hold_no_secret_of_the_query(
        self, vault: RunningVault, path: str, query: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        secret = "a-secret-of-no-known-form"
        with caplog.at_level(logging.DEBUG):
            exchange(vault.url, request("GET", f"/api/v4{path}?{query.format(secret)}"))

        assert path in caplog.text, "the request itself is logged"
        assert "[FILTERED]" in caplog.text
        assert secret not in caplog.text

    def test_hold_the_rest_of_the_query(self, vault: RunningVault, path: str, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            vault.root.get(f"{path}?page=1&private_token=x&per_page=7")

        assert "page=1&private_token=[FILTERED]&per_page=7" in caplog.text

    def test_hold_no_secret_of_headers_and_bodies(
        self, vault: RunningVault, path: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        parts = [part("private_token", b"secret-4711"), part("password", b"secret-4711"), part("name", b"n")]
        body = multipart([*parts, part("file", b"secret-4711", "f")])
        with caplog.at_level(logging.DEBUG):
            exchange(vault.url, request("POST", f"/api/v4{path}", MULTIPART, body))
            exchange(vault.url, request("POST", f"/api/v4{path}", {**MULTIPART, "JOB-TOKEN": "secret-4711"}, body))
            exchange(vault.url, request("POST", f"/api/v4{path}", {"Authorization": "Bearer secret-4711"}, b"{"))

        assert path in caplog.text
        assert "secret-4711" not in caplog.text

    @pytest.mark.parametrize(
        "lines",
        [
            b"GET /api/v4/user?private_token=secret-4711\x01 HTTP/1.1\r\n\r\n",
            b"GET /api/v4/user HTTP/1.1\r\nPRIVATE-TOKEN: secret-4711\x00\r\n\r\n",
            b"GET /api/v4/user?private_token=secret-4711 HTTP/9.9\r\n\r\n",
            b"PRIVATE-TOKEN: secret-4711\r\n\r\n",
            b"GET /" + b"a" * 9000 + b"?private_token=secret-4711 HTTP/1.1\r\n\r\n",
        ],
    )
    def test_hold_no_line_that_was_not_understood(
        self, vault: RunningVault, lines: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            answer = exchange(vault.url, lines)

        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
        assert "secret-4711" not in caplog.text
        assert b"secret-4711" not in answer.body
