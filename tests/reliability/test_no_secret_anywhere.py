"""No token, password or secret of an address stands in any file of the vault or in a log, raw or encoded."""

from __future__ import annotations

import base64
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN, Client
from tests.reliability.processes import Server
from tests.server.support import MULTIPART, exchange, multipart, part, request, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# One for each way of sending it, so that a find says which leaked. Letters that base64 and percent signs change alike.
WORDS = {
    way: f"Hidden{number:02}Zx9Qk7Vw3Rt5Yp1Lm"
    for number, way in enumerate(
        (
            "a query",
            "a query with an escaped name",
            "PRIVATE-TOKEN",
            "JOB-TOKEN",
            "Bearer",
            "Basic",
            "git",
            "a form",
            "JSON",
            "multipart",
            "a path",
            "a file's password in a form",
            "a file's password in JSON",
            "a body that is broken",
            "a header that is broken",
            "a request line that is broken",
            "a new user's password",
            "a push",
        )
    )
}


def forms_of(secret: str) -> Iterator[bytes]:
    """Yield the secret as it may lie about: raw, hex, base64 at each offset, percent-encoded, reversed."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield raw[::-1]
    for offset in range(3):
        coded = base64.b64encode(bytes(offset) + raw)
        yield coded[4 if offset else 0 : len(coded) // 4 * 4 - 4]
    yield urllib.parse.quote(secret, safe="").encode()


def send_all(url: str, project: int, file: int) -> None:
    """Send every one of the words, each in its own way."""
    word, files = WORDS, f"/api/v4/projects/{project}/secure_files"
    token = {"PRIVATE-TOKEN": ROOT_TOKEN}
    basic = {way: base64.b64encode(f"x:{WORDS[way]}".encode()).decode() for way in ("Basic", "git", "a push")}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    as_json = {"Content-Type": "application/json"}
    for sent in (
        request("GET", f"{files}?private_token={word['a query']}"),
        request("GET", f"{files}?priv%61te_t%6Fken={word['a query with an escaped name']}&x=1"),
        request("GET", files, {"PRIVATE-TOKEN": word["PRIVATE-TOKEN"]}),
        request("GET", files, {"JOB-TOKEN": word["JOB-TOKEN"]}),
        request("GET", files, {"Authorization": f"Bearer {word['Bearer']}"}),
        request("GET", files, {"Authorization": f"Basic {basic['Basic']}"}),
        request("GET", "/a/b.git/info/refs?service=git-upload-pack", {"Authorization": f"Basic {basic['git']}"}),
        request("POST", "/a/b.git/git-receive-pack", {"Authorization": f"Basic {basic['a push']}"}, b"0000"),
        request("POST", files, form, f"private_token={word['a form']}&name=a".encode()),
        request("POST", files, as_json, f'{{"private_token": "{word["JSON"]}"}}'.encode()),
        request("POST", files, MULTIPART, multipart([part("private_token", word["multipart"].encode())])),
        request("GET", f"/api/v4/projects/glpat-{word['a path']}/secure_files", token),
        request("POST", f"{files}/{file}/metadata", {**token, **form}, f"password={word[PASSWORD_IN_A_FORM]}".encode()),
        request("POST", f"{files}/{file}/metadata", {**token, **as_json}, _json("password", PASSWORD_IN_JSON)),
        request("POST", files, {**token, **as_json}, f'{{"password": "{word["a body that is broken"]}", '.encode()),
        f"GET / HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: {word['a header that is broken']}\0\r\n\r\n".encode(),
        f"GET /?private_token={word['a request line that is broken']}\x01 HTTP/9.9\r\n\r\n".encode(),
        request("POST", "/api/v4/users", {**token, **as_json}, _json("password", "a new user's password")),
    ):
        exchange(url, sent)


def follow_links(url: str, project: int, upload: dict[str, Any]) -> None:
    """Ask for an upload by the secret in its address, in each way that there is and in some that there are not."""
    token, secret, path = {"PRIVATE-TOKEN": ROOT_TOKEN}, upload["url"].split("/")[2], upload["full_path"]
    files = f"/api/v4/projects/{project}/uploads"
    for method, target in (
        ("GET", path),
        ("GET", f"{path}?private_token={ROOT_TOKEN}"),
        ("GET", f"{path}/more"),
        ("GET", path.replace("/uploads/", "/uploads//")),
        ("GET", path.replace("/uploads/", "/upl%6fads/")),
        ("GET", path.replace("/uploads/", "/uploads%2F")),
        ("GET", f"/a/b{upload['url']}"),
        ("GET", f"{files}/{secret}/{upload['alt']}.bin"),
        ("GET", f"{files}/%{ord(secret[0]):02x}{secret[1:]}/{upload['alt']}.bin"),
        ("GET", f"{files}/{secret}"),
        ("GET", f"{files}/{secret}/%FF"),
        ("GET", f"{files}/{secret.upper()}/a"),
        ("PUT", f"{files}/{secret}/a"),
        ("DELETE", f"{files}/{secret}/{upload['alt']}"),
    ):
        exchange(url, request(method, target, token))


PASSWORD_IN_A_FORM, PASSWORD_IN_JSON = "a file's password in a form", "a file's password in JSON"


def _json(name: str, way: str) -> bytes:
    return f'{{"{name}": "{WORDS[way]}", "username": "u", "name": "u", "email": "u@example.com"}}'.encode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_token_and_no_password_stands_in_any_file_or_log(tmp_path: Path, form: str) -> None:
    with Server(tmp_path / "data", workers=2, log=form) as server:
        project = server.project()
        made = server.root.upload(project, "a.p12", sample("distribution.p12"), password=WORDS["multipart"]).json
        send_all(server.url, project, made["id"])
        upload = server.root.post(f"/projects/{project}/uploads", files={"file": ("notes", b"x")}).json
        follow_links(server.url, project, upload)
        tokens = [server.client_with_new_token().token or ""]
        job = server.root.post(f"/projects/{project}/jobs", json={"name": "a", "ref": "main"}).json["token"]
        Client(server.url, job, "JOB-TOKEN").get(f"/projects/{project}/secure_files")
        Client(server.url, tokens[0]).get(f"/projects/{project}/secure_files?private_token={tokens[0]}")
        server.signal(15)
        server.wait_until_gone(30)
        places = {
            str(path.relative_to(tmp_path)): path.read_bytes()
            for path in tmp_path.rglob("*")
            if path.is_file() and path.name != "keyring.json"
        }
    hidden = {**WORDS, "the first token": ROOT_TOKEN, "a new token": tokens[0], "a job's token": job}
    hidden["an upload's address"] = upload["url"].split("/")[2]

    found = [
        (way, place)
        for way, secret in hidden.items()
        for place, content in places.items()
        # A token's first letters are shown in lists.
        if any(each in content for each in (*forms_of(secret[8:]), secret[8:].upper().encode()))
    ]

    assert found == []
    assert any(place.endswith(".jsonl") and content for place, content in places.items())
    assert b"secure_files" in places["data.log"], "the log was written"
