"""A right request for each described operation, and the ways in which each of its statuses is had."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.harness import ROOT_TOKEN, Client, unique
from tests.zips import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import RunningVault

ZIP = archive({"a/b.txt": b"an entry"})
FILE = {"file": ("a.bin", b"12345")}


@dataclass
class Right:
    """A request that is right, for the route of an endpoint. `login` are the headers that a client of its own sends."""

    method: str
    path: str
    more: dict[str, Any] = field(default_factory=dict)
    login: dict[str, str] = field(default_factory=lambda: {"PRIVATE-TOKEN": ROOT_TOKEN})


class Scene:
    """A project with something of everything, whose right requests may each be sent once."""

    def __init__(self, vault: RunningVault) -> None:
        self.vault = vault
        self.root = vault.root
        self.former, self.project = self._renamed()
        self.group = self.project["namespace"]["id"]
        self.own = f"/projects/{self.project['id']}"
        self.git = f"/{self.project['path_with_namespace']}.git"

    def _renamed(self) -> tuple[str, dict[str, Any]]:
        """Return the encoded path at which the project lay once, and the project."""
        made = self.vault.project()
        answer = self.root.put(f"/projects/{made['id']}", json={"path": unique("renamed")})
        assert answer.status == 200, answer
        return quote(made["path_with_namespace"], safe=""), dict(answer.json)

    def rights(self) -> Iterator[Right]:
        """Yield a right request for each operation, those that take something away after those that need it."""
        yield from self._around()
        yield from self._of_people()
        yield from self._of_secure_files()
        yield from self._of_uploads()
        yield from self._of_repository()
        yield from self._of_jobs()
        yield from self._of_the_audit_log()
        yield Right("DELETE", self.own)
        yield Right("DELETE", f"/groups/{self.group}")

    def _around(self) -> Iterator[Right]:
        for path in ("/-/health", "/-/liveness", "/-/readiness", "/version", "/metadata", "/openapi.json"):
            yield Right("GET", path)
        for path in ("/user", "/users", "/users/1", "/personal_access_tokens", "/personal_access_tokens/self"):
            yield Right("GET", path)
        for path in ("/groups", f"/groups/{self.group}", "/projects", self.own):
            yield Right("GET", path)
        name = unique("made")
        yield Right("POST", "/groups", {"json": {"name": name, "path": name}})
        yield Right("POST", "/projects", {"json": {"name": name}})
        yield Right("PUT", self.own, {"json": {"description": "d"}})
        yield Right("PUT", f"/groups/{self.group}", {"json": {"description": "d"}})
        other = self.root.post("/projects", json={"name": unique("other")}).json["id"]
        yield Right("PUT", f"/projects/{other}/transfer", {"json": {"namespace": self.group}})

    def _of_people(self) -> Iterator[Right]:
        name = unique("user")
        yield Right("POST", "/users", {"json": {"username": name, "name": name, "email": f"{name}@example.com"}})
        new = {"json": {"name": "t", "scopes": ["api"]}}
        yield Right("POST", "/users/1/personal_access_tokens", new)
        token = self.root.post("/users/1/personal_access_tokens", **new).json
        yield Right("GET", f"/personal_access_tokens/{token['id']}")
        yield Right("DELETE", f"/personal_access_tokens/{token['id']}")
        token = self.root.post("/users/1/personal_access_tokens", **new).json
        yield Right("DELETE", "/personal_access_tokens/self", login={"PRIVATE-TOKEN": token["token"]})
        user, _ = self.vault.user()
        for members in (f"{self.own}/members", f"/groups/{self.group}/members"):
            yield Right("POST", members, {"json": {"user_id": user, "access_level": 30}})
            for path in (members, f"{members}/all", f"{members}/{user}", f"{members}/all/{user}"):
                yield Right("GET", path)
            yield Right("PUT", f"{members}/{user}", {"json": {"access_level": 20}})
            yield Right("DELETE", f"{members}/{user}")

    def _of_secure_files(self) -> Iterator[Right]:
        files = f"{self.own}/secure_files"
        made = self.root.upload(self.project["id"], unique("file"), b"12345").json
        one = f"{files}/{made['id']}"
        yield Right("POST", files, {"data": {"name": unique("file")}, "files": FILE})
        for path in (files, one, f"{one}/download", f"{files}/health", f"{files}/expiry.ics"):
            yield Right("GET", path)
        for path in ("/secure_files", "/secure_files/expiry.ics"):
            yield Right("GET", path)
        yield Right("PUT", one, {"files": FILE})
        yield Right("POST", f"{one}/metadata", {"json": {"password": "p"}})
        yield Right("DELETE", one)

    def _of_the_audit_log(self) -> Iterator[Right]:
        for place in ("", f"/groups/{self.group}", self.own):
            yield Right("GET", f"{place}/audit_events")
            newest = self.root.get(f"{place}/audit_events").json[0]
            yield Right("GET", f"{place}/audit_events/{newest['id']}")

    def _of_uploads(self) -> Iterator[Right]:
        uploads = f"{self.own}/uploads"
        made = [self.root.post(uploads, files=FILE).json for _ in range(2)]
        yield Right("POST", uploads, {"files": FILE})
        yield Right("POST", f"{uploads}/authorize")
        by_secret = self.own + made[1]["url"]
        for path in (uploads, f"{uploads}/{made[0]['id']}", by_secret, made[0]["full_path"]):
            yield Right("GET", path)
        yield Right("DELETE", f"{uploads}/{made[0]['id']}")
        yield Right("DELETE", by_secret)

    def _of_repository(self) -> Iterator[Right]:
        file = f"{self.own}/repository/files/a%2Fb.txt"
        change = {"branch": "main", "commit_message": "m", "content": "one\n"}
        yield Right("POST", file, {"json": change})
        for path in (f"{file}?ref=main", f"{file}/raw", f"{file}/blame?ref=main"):
            yield Right("GET", path)
        yield Right("PUT", file, {"json": {**change, "content": "two\n"}})
        yield Right("PUT", f"{file}.new", {"json": {**change, "create": True}})
        yield Right("DELETE", file, {"json": change})
        basic = {"Authorization": "Basic " + b64encode(f"a:{ROOT_TOKEN}".encode()).decode()}
        for service, body in (("git-upload-pack", b"0014command=ls-refs\n0000"), ("git-receive-pack", b"0000")):
            yield Right("GET", f"{self.git}/info/refs?service={service}", login=basic)
            kind = {"Content-Type": f"application/x-{service}-request", "Git-Protocol": "version=2"}
            yield Right("POST", f"{self.git}/{service}", {"data": body, "headers": kind}, basic)
        yield from self._of_lfs(basic)

    def _of_lfs(self, login: dict[str, str]) -> Iterator[Right]:
        content = bytes(200_000)
        asked = {"oid": sha256(content).hexdigest(), "size": len(content)}
        talk = {"headers": {"Content-Type": "application/vnd.git-lfs+json"}}
        place = f"{self.git}/gitlab-lfs/objects/{asked['oid']}"
        batch = {"operation": "upload", "objects": [asked]}
        yield Right("POST", f"{self.git}/info/lfs/objects/batch", {"data": dumps(batch), **talk}, login)
        yield Right("PUT", f"{place}/{asked['size']}", {"data": content}, login)
        yield Right("POST", f"{self.git}/info/lfs/verify", {"data": dumps(asked), **talk}, login)
        yield Right("GET", place, login=login)

    def left(self, content: bytes = ZIP) -> tuple[int, Client]:
        """Have a job leave an archive and return its id, and a client with its token."""
        job, client = self.vault.job(self.root, self.project["id"])
        assert client.post(f"/jobs/{job['id']}/artifacts", files={"file": ("a.zip", content)}).status == 201
        return job["id"], client

    def _of_jobs(self) -> Iterator[Right]:
        yield Right("POST", f"{self.own}/pipelines", {"json": {"ref": "main"}})
        yield Right("POST", f"{self.own}/jobs", {"json": {"name": "j", "ref": "main", "status": "pending"}})
        done, client = self.left()
        client.put(f"/jobs/{done}", json={"token": client.token, "state": "success"})
        pipeline = self.root.get(f"{self.own}/jobs/{done}").json["pipeline"]["id"]
        left, ref = f"{self.own}/jobs/{done}/artifacts", f"{self.own}/jobs/artifacts/main"
        for path in (f"{self.own}/pipelines", f"{self.own}/pipelines/{pipeline}", f"{self.own}/jobs"):
            yield Right("GET", path)
        for path in (f"{self.own}/jobs/{done}", left, f"{left}/a/b.txt", f"{left}/tree"):
            yield Right("GET", path)
        for path in (f"{ref}/download?job=build", f"{ref}/raw/a/b.txt?job=build"):
            yield Right("GET", path)
        yield Right("POST", f"{left}/keep", {"json": {}})
        yield Right("DELETE", left)
        yield Right("DELETE", f"{self.own}/artifacts")
        job, client = self.vault.job(self.root, self.project["id"])
        assert client.token
        login, at = {"JOB-TOKEN": client.token}, f"/jobs/{job['id']}"
        yield Right("POST", f"{at}/artifacts/authorize", login=login)
        yield Right("POST", f"{at}/artifacts", {"files": {"file": ("a.zip", ZIP)}}, login)
        yield Right("GET", f"{at}/artifacts", login=login)
        yield Right("GET", "/job", login=login)
        yield Right("PUT", at, {"json": {"state": "success"}}, login)
