"""Every status that the description of the API names is one that the server does answer: each is had here."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from server import pace
from server.api import git_http, repository_files
from server.guessing import Guesses
from server.readiness import Readiness
from tests.conforming import ENDPOINTS, operation
from tests.harness import ROOT_TOKEN, Client, RunningVault
from tests.server.reaching import Right, Scene
from tests.server.support import exchange, request
from vault.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTED = {
    found.name: {int(status) for status in found.answers}
    for each in ENDPOINTS
    if each.about is not None and each.about.answers
    for found in [operation(each.method, re.sub(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "1", each.path))]
    if found is not None
}


# Parts of a path, and others of their kind that are not there.
NOWHERE = (
    (re.compile(r"/\d+(?=/|$|\?)"), "/999999"),
    (re.compile(r"/[0-9a-f]{32}/"), f"/{'0' * 32}/"),
    (re.compile(r"^/group-.*\.git"), "/no/where.git"),
)


class Walk:
    """Sends requests and remembers which operation answered what."""

    def __init__(self, vault: RunningVault, patch: pytest.MonkeyPatch) -> None:
        self.vault = vault
        self.patch = patch
        self.had: defaultdict[str, set[int]] = defaultdict(set)
        self.revoked = self._revoked()
        self.reading_users = self.vault.token_of(1, "read_user")
        self.reading_files = self.vault.token_of(1, "read_repository")

    def _revoked(self) -> str:
        token = self.vault.root.post("/users/1/personal_access_tokens", json={"name": "t", "scopes": ["api"]}).json
        self.vault.root.delete(f"/personal_access_tokens/{token['id']}")
        return str(token["token"])

    def send(self, right: Right, login: dict[str, str] | None = None, path: str = "", **headers: str) -> int:
        """Send a request with other headers or another path, and return the status."""
        client = Client(self.vault.url, None)
        lines = {**(right.login if login is None else login), **right.more.get("headers", {}), **headers}
        answer = client(right.method, path or right.path, **{**right.more, "headers": lines})
        self._note(right.method, path or right.path, answer.status)
        return answer.status

    def raw(self, right: Right, lines: dict[str, str], body: bytes = b"") -> None:
        """Send a request byte by byte."""
        place = "" if right.path.startswith("/-/") or ".git/" in right.path else "/api/v4"
        got = exchange(self.vault.url, request(right.method, place + right.path, lines, body), method=right.method)
        self._note(right.method, right.path, got.status)

    def _note(self, method: str, path: str, status: int) -> None:
        place = "" if path.startswith("/-/") or ".git/" in path else "/api/v4"
        found = operation(method, place + path)
        assert found is not None, path
        self.had[found.name].add(status)

    @contextmanager
    def patched(self, *where: tuple[Any, str, Any]) -> Iterator[None]:
        """Have attributes be others in the block."""
        with pytest.MonkeyPatch.context() as patch:
            for target, name, value in where:
                patch.setattr(target, name, value)
            yield

    # The ways to a refusal

    def refusals(self, right: Right, former: str) -> None:
        """Have the request refused in all ways in which one of its kind can be; it changes nothing.

        `former` is a path where a project lay once.
        """
        self.send(right, login=self._as(right, self.revoked))
        if not right.path.endswith("/self"):  # where every token will do
            self.send(right, login=self._as(right, self.reading_users.token or ""))
            self.send(right, login=self._as(right, self.reading_files.token or ""))
        self.send(right, login={})
        for pattern, nowhere in NOWHERE:
            if (path := pattern.sub(nowhere, right.path)) != right.path:
                self.send(right, path=path)
        if (path := re.sub(r"^/projects/\d+", f"/projects/{former}", right.path)) != right.path:
            self.send(right, path=path)
        if not right.path.startswith("/jobs/"):  # where no link is made of it
            self.send(right, Host="a b")
        self._too_many(right)
        self._failing(right)
        if right.method != "GET":
            self._bodies(right)

    @staticmethod
    def _as(right: Right, token: str) -> dict[str, str]:
        if "Authorization" in right.login:
            return {"Authorization": "Basic " + b64encode(f"a:{token}".encode()).decode()}
        return {"JOB-TOKEN": token} if right.path.startswith("/jobs/") else {"PRIVATE-TOKEN": token}

    def _too_many(self, right: Right) -> None:
        with self.patched((Guesses, "wrong", lambda *_: 7)):
            self.send(right, login=self._as(right, "wrong"))

    def _failing(self, right: Right) -> None:
        services = self.vault.services
        for error in (RuntimeError("a fault"), Unavailable()):

            def fail(*_: object, error: Exception = error, **__: object) -> None:
                raise error

            tokens = [(services.tokens, name, fail) for name in ("personal", "job")]
            with self.patched(*tokens, (services.pipelines, "of_runner", fail)):
                self.send(right)

        def full(*_: object, **__: object) -> None:
            raise StorageFull

        for failing in (fail, full):
            log = type(services.audit)
            with self.patched(*((log, name, failing) for name in ("check", "record"))):
                self.send(right)
        if right.method != "GET":
            files, database = services.repositories, type(services.database)
            git = [(type(files.writing), "land", full), (type(files.serving), "pushing", full)]
            with self.patched(*((database, name, full) for name in ("write", "submit", "begin")), *git):
                self.send(right)

    def _bodies(self, right: Right) -> None:
        """Send bodies that are too long, encoded, broken or never there; where the token is looked for in them, too."""
        kind = {"Content-Type": right.more.get("headers", {}).get("Content-Type", "application/json")}
        form = {"Content-Type": "multipart/form-data; boundary=x"} if "files" in right.more else kind
        for login in ({}, right.login) if right.more else ({},):
            self.raw(right, {**login, **kind, "Content-Encoding": "br"}, b"x")
            self.raw(right, {**login, **kind, "Content-Encoding": "gzip"}, b"no gzip")
            self.raw(right, {**login, **form}, b"{")
            self.raw(right, {**login, **form, "Content-Length": str(10**12)})
            with self.patched((pace, "WINDOW_SECONDS", 0.02), (git_http, "CLIENT_SILENCE", 0.05)):
                self.raw(right, {**login, **form, "Content-Length": "100000"})

    # The ways in which a right request has another answer

    def variants(self, right: Right) -> None:
        """Send the request once more: as one who has the answer, who wants a part of it, or who asks for it again."""
        if right.method == "GET":
            for more in ({"If-None-Match": "*"}, {"Range": "bytes=0-0"}, {"Range": "bytes=99999999-"}):
                self.send(right, login={**right.login, **more})
            with self.patched((repository_files, "JSON_LIMIT", 0)):
                self.send(right)
        elif "members" in right.path or right.path == "/users":
            self.send(right)


def of_its_own(walk: Walk, scene: Scene) -> None:
    """Have what only one route answers."""
    for path, body in (
        ("/groups", {"name": "n", "path": "p", "parent_id": 999999}),
        ("/projects", {"namespace_id": 999999, "name": "n"}),
    ):
        walk.send(Right("POST", path, {"json": body}))
    walk.send(Right("GET", "/jobs/999999/artifacts", login={"JOB-TOKEN": "glcbt-wrong"}))
    job, client = scene.left(b"this is no zip archive")
    login = {"JOB-TOKEN": client.token or ""}
    for path in (f"{scene.own}/jobs/{job}/artifacts/a", f"{scene.own}/jobs/{job}/artifacts/tree"):
        walk.send(Right("GET", path))
    client.put(f"/jobs/{job}", json={"token": client.token, "state": "success"})
    walk.send(Right("GET", f"{scene.own}/jobs/artifacts/main/raw/a?job=build"))
    job_without, client = scene.vault.job(scene.root, scene.project["id"])
    login = {"JOB-TOKEN": client.token or ""}
    walk.send(Right("GET", f"/jobs/{job_without['id']}/artifacts", login=login))

    lfs = f"{scene.git}/info/lfs/objects/batch"
    batch = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]}
    login = {"PRIVATE-TOKEN": ROOT_TOKEN, "Content-Type": "application/vnd.git-lfs+json"}
    for asked in ({**batch, "operation": "look"}, {**batch, "hash_algo": "sha512"}):
        walk.send(Right("POST", lfs, {"json": asked}, login))
    walk.send(Right("POST", f"{scene.git}/info/lfs/verify", {"json": {"oid": "no oid", "size": 1}}, login))
    for size in ("1", "9" * 30):
        walk.send(Right("PUT", f"{scene.git}/gitlab-lfs/objects/{'0' * 64}/{size}", {"data": b"1"}, login))

    async def wrong(*_: object) -> str:
        return "a reason"

    with walk.patched((Readiness, "_problem", wrong)):
        walk.send(Right("GET", "/-/readiness"))


@pytest.fixture(scope="module")
def had(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[int]]]:
    """Which statuses each operation answered, after all of them were asked in every way."""
    place = tmp_path_factory.mktemp("statuses")
    with RunningVault(place / "data", push_bytes=1) as vault, pytest.MonkeyPatch.context() as patch:
        walk, scene = Walk(vault, patch), Scene(vault)
        of_its_own(walk, scene)
        for right in scene.rights():
            walk.refusals(right, scene.former)
            assert walk.send(right) < 400 or right.path.endswith("/authorize"), right
            walk.variants(right)
        yield walk.had


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
class TestDocumentedStatuses:
    def test_are_all_had(self, had: dict[str, set[int]], name: str) -> None:
        assert DOCUMENTED[name] - had[name] == set()
