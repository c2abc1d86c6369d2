"""One right request for every endpoint, as bytes, and files that must outlive what becomes of them."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.harness import Client
from tests.server.support import MULTIPART, multipart, part, request
from tests.zips import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import RunningVault

    Right = tuple[bytes, bytes]

CONTENT = bytes(range(256)) * 8
ZIP = archive({"a/b.txt": b"an entry", "c.bin": CONTENT})
PARTS = multipart([part("name", b"certs/a.cer"), part("file", b"\x00\x01", "a.cer", "Content-Type: a/b")])
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Stored:
    """A project with a file of each family in it, and somebody who may read and not change them."""

    def __init__(self, vault: RunningVault, root: str) -> None:
        project = vault.project()
        path = f"/projects/{project['id']}"
        file = vault.root.upload(project["id"], "kept", CONTENT).json
        upload = vault.root.post(f"{path}/uploads", files={"file": ("kept.bin", CONTENT)}).json
        change = {"branch": "main", "commit_message": "m", "content": b64encode(CONTENT).decode(), "encoding": "base64"}
        committed = vault.root.post(f"{path}/repository/files/kept%2Ebin", json=change)
        assert committed.status == 201, committed
        job, runner = vault.job(vault.root, project["id"])
        sent = runner.post(f"/jobs/{job['id']}/artifacts", files={"file": ("a.zip", ZIP)})
        assert sent.status == 201, sent
        runner.put(f"/jobs/{job['id']}", json={"token": runner.token, "state": "success"})
        self.project = project["id"]
        self._root = Client(vault.url, root)
        self._places = {
            f"{path}/secure_files/{file['id']}/download": CONTENT,
            f"{path}/uploads/{upload['id']}": CONTENT,
            f"{path}/repository/files/kept%2Ebin/raw": CONTENT,
            f"{path}/jobs/{job['id']}/artifacts": ZIP,
        }

    def lost(self) -> list[str]:
        """Return where something else lies than what was stored."""
        return [path for path, content in self._places.items() if self._root.get(path).body != content]


def right_requests(vault: RunningVault, stored: Stored) -> list[Right]:
    """Return the requests, as head and body, of somebody who may change one project and only read what is stored."""
    project = vault.project()
    user, client = vault.user()
    for number, level in ((project["id"], 40), (stored.project, 20)):
        body = {"user_id": user, "access_level": level}
        assert vault.root.post(f"/projects/{number}/members", json=body).status == 201
    assert client.token
    assert vault.root.token
    own = f"/api/v4/projects/{project['id']}"
    token = {"PRIVATE-TOKEN": client.token}
    return [
        *_of_secure_files(vault, project, own, token),
        *_of_uploads(client, project, own, token),
        *_of_repository_files(client, project, own, token),
        *_of_jobs(vault, client, project, own, token),
        *_around(own, {"PRIVATE-TOKEN": vault.root.token}),
    ]


def _gets(paths: list[str], token: dict[str, str]) -> Iterator[Right]:
    for path in paths:
        yield request("GET", path, token), b""


def _json(method: str, path: str, token: dict[str, str], body: dict[str, Any]) -> Right:
    return request(method, path, {**token, **JSON}), json.dumps(body).encode()


def _of_secure_files(vault: RunningVault, project: dict[str, Any], own: str, token: dict[str, str]) -> Iterator[Right]:
    file = vault.root.upload(project["id"], "a", b"12345").json["id"]
    by_path = f"/api/v4/projects/{project['path_with_namespace'].replace('/', '%2F')}/secure_files"
    one = f"{own}/secure_files/{file}"
    lists = [f"{own}/secure_files?page=1&per_page=20&name=a&expires_before=2030-01-01", by_path]
    everywhere = "/api/v4/secure_files?name=a&expires_before=2030-01-01T00:00:00Z"
    yield from _gets([*lists, everywhere, one, f"{one}/download", f"{own}/secure_files/health"], token)
    yield request("GET", f"{one}/download", {**token, "Range": "bytes=1-2", "If-None-Match": '"a"'}), b""
    yield request("POST", f"{own}/secure_files", {**token, **MULTIPART}), PARTS
    yield request("PUT", one, {**token, **MULTIPART}), PARTS
    yield _json("POST", f"{one}/metadata", token, {"password": "p"})
    yield _json("DELETE", f"{own}/secure_files/999999", token, {})


def _of_uploads(client: Client, project: dict[str, Any], own: str, token: dict[str, str]) -> Iterator[Right]:
    made = client.post(f"/projects/{project['id']}/uploads", files={"file": ("a.png", b"\x89PNG\r\n")}).json
    yield from _gets([f"{own}/uploads", f"{own}/uploads/{made['id']}", own + made["url"], made["full_path"]], token)
    yield request("POST", f"{own}/uploads", {**token, **MULTIPART}), PARTS
    yield request("POST", f"{own}/uploads/authorize", token), b""
    yield request("DELETE", f"{own}/uploads/999999", token), b""
    yield request("DELETE", f"{own}/uploads/{'0' * 32}/a.png", token), b""


def _of_repository_files(client: Client, project: dict[str, Any], own: str, token: dict[str, str]) -> Iterator[Right]:
    file = f"{own}/repository/files/a%2Fb%2Etxt"
    change = {"branch": "main", "commit_message": "m", "content": "one\ntwo\n", "execute_filemode": False}
    made = client.post(file.removeprefix("/api/v4"), json=change)
    assert made.status == 201, made
    yield from _gets([f"{file}?ref=main", f"{file}/raw?ref=HEAD&lfs=true", f"{file}/raw"], token)
    yield from _gets([f"{file}/blame?ref=main&range[start]=1&range[end]=2", f"{own}/repository/files/a/b"], token)
    yield request("HEAD", f"{file}?ref=main", token), b""
    yield _json("POST", f"{own}/repository/files/c%2Fd", token, {**change, "encoding": "base64", "content": "YQ=="})
    yield _json("PUT", file, token, {**change, "last_commit_id": made.json["commit_id"], "author_name": "A"})
    yield _json("DELETE", f"{own}/repository/files/missing", token, change)
    git = f"/{project['path_with_namespace']}.git"
    basic = {"Authorization": "Basic " + b64encode(f"a:{client.token}".encode()).decode()}
    yield from _gets([f"{git}/info/refs?service=git-upload-pack"], {**basic, "Git-Protocol": "version=2"})
    for service, body in (("git-upload-pack", b"0014command=ls-refs\n0000"), ("git-receive-pack", b"0000")):
        kind = {"Content-Type": f"application/x-{service}-request"}
        yield request("POST", f"{git}/{service}", {**basic, **kind}), body
    kind = {"Content-Type": "application/vnd.git-lfs+json"}
    asked = {"oid": sha256(b"12345").hexdigest(), "size": 5}
    batch = {"operation": "upload", "transfers": ["basic"], "hash_algo": "sha256", "objects": [asked]}
    yield request("POST", f"{git}/info/lfs/objects/batch", {**basic, **kind}), json.dumps(batch).encode()
    yield request("POST", f"{git}/info/lfs/verify", {**basic, **kind}), json.dumps(asked).encode()
    yield request("PUT", f"{git}/gitlab-lfs/objects/{asked['oid']}/5", basic), b"12345"
    yield request("GET", f"{git}/gitlab-lfs/objects/{asked['oid']}", {**basic, "Range": "bytes=1-2"}), b""


def _of_jobs(
    vault: RunningVault, client: Client, project: dict[str, Any], own: str, token: dict[str, str]
) -> Iterator[Right]:
    done, runner = vault.job(client, project["id"], name="done")
    assert runner.post(f"/jobs/{done['id']}/artifacts", files={"file": ("a.zip", ZIP)}).status == 201
    runner.put(f"/jobs/{done['id']}", json={"token": runner.token, "state": "success"})
    running, runner = vault.job(client, project["id"])
    assert runner.token
    its_own = {"JOB-TOKEN": runner.token}
    left = f"{own}/jobs/{done['id']}/artifacts"
    ref = f"{own}/jobs/artifacts/main"
    yield from _gets([left, f"{left}/a/b.txt", f"{left}/tree?path=a&recursive=true&page=1"], token)
    yield from _gets([f"{ref}/download?job=done", f"{ref}/raw/c.bin?job=done"], token)
    yield from _gets([f"{own}/jobs?scope[]=running&page=1", f"{own}/jobs/{done['id']}", f"{own}/pipelines"], token)
    yield _json("POST", f"{left}/keep", token, {})
    yield request("DELETE", f"{own}/jobs/999999/artifacts", token), b""
    yield request("DELETE", f"{own}/artifacts", token), b""
    job = {"name": "a", "ref": "main", "status": "success", "pipeline_id": None, "stage": "t"}
    yield _json("POST", f"{own}/jobs", token, job)
    yield _json("POST", f"{own}/pipelines", token, {"ref": "main", "sha": "abc", "parent_id": None})
    query = "?artifact_format=zip&artifact_type=archive&expire_in=1+day"
    sent = multipart([part("file", ZIP, "a.zip")])
    yield request("POST", f"/api/v4/jobs/{running['id']}/artifacts{query}", {**its_own, **MULTIPART}), sent
    yield from _gets([f"/api/v4/jobs/{done['id']}/artifacts", "/api/v4/job"], its_own)
    yield _json("PUT", f"/api/v4/jobs/{running['id']}", {}, {"token": runner.token, "state": "running"})


def _around(own: str, root: dict[str, str]) -> Iterator[Right]:
    lists = ["/api/v4/projects?search=a&membership=true&visibility=private", "/api/v4/groups?search=a"]
    lists += ["/api/v4/users?username=root&search=r", "/api/v4/personal_access_tokens?user_id=1"]
    yield from _gets([*lists, own, f"{own}/members/all", "/api/v4/version", "/-/readiness"], root)
    yield _json("POST", f"{own}/members", root, {"user_id": 1, "access_level": 30, "expires_at": "2030-01-01"})
    yield _json("PUT", own, root, {"description": "d", "visibility": "private", "default_branch": "main"})
    yield _json("POST", "/api/v4/projects", root, {"name": "N", "path": "p", "namespace_id": 1, "visibility": "public"})
    yield _json("POST", "/api/v4/groups", root, {"name": "N", "path": "p", "parent_id": 1})
    yield _json("POST", "/api/v4/users", root, {"username": "u", "name": "N", "email": "e@example.com"})
    body = {"name": "t", "scopes": ["api"], "expires_at": None}
    yield _json("POST", "/api/v4/users/1/personal_access_tokens", root, body)
    yield request("POST", "/api/v4/groups", {**root, **FORM}), b"name=a&path=b&visibility=private"
