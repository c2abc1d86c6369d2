"""The headers that keep answers from being stored, shown in the wrong place, or run: on every answer that there is."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.conforming import endpoint_of
from tests.harness import Answer, Client, RunningVault
from tests.server.reaching import Scene
from tests.server.support import exchange, request
from tests.zips import archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERYWHERE = {
    "Server": "secure-files",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
}
NOT_KEPT = "private, no-store"
SCRIPT = b"<script>alert(document.cookie)</script>"
ACTIVE = {
    "a.html": b"<html>" + SCRIPT,
    "a.htm": b"<html>" + SCRIPT,
    "a.xhtml": b"<html xmlns='http://www.w3.org/1999/xhtml'>" + SCRIPT + b"</html>",
    "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "a.xml": b"<?xml version='1.0'?><?xml-stylesheet href='a.xsl' type='text/xsl'?><a/>",
    "a.xsl": b"<xsl:stylesheet xmlns:xsl='http://www.w3.org/1999/XSL/Transform'/>",
    "a.js": b"alert(1)",
    "a.pdf": b"%PDF-1.7 /OpenAction",
    "a.swf": b"FWS\x06",
    "a.mht": b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + SCRIPT,
    "a.shtml": b"<!--#exec cmd='id'-->" + SCRIPT,
    "a.png": b"<html>" + SCRIPT,
}
INERT = ("text/plain", "application/octet-stream")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with RunningVault(tmp_path_factory.mktemp("headers")) as vault:
        yield Scene(vault)


def missing(headers: Mapping[str, str]) -> dict[str, str | None]:
    """Return what of the headers that belong everywhere is not there as it should be."""
    return {name: headers.get(name) for name, value in EVERYWHERE.items() if headers.get(name) != value}


def full(path: str) -> str:
    return path if path.startswith("/-/") or ".git/" in path else f"/api/v4{path}"


class TestHeaders:
    def test_are_on_the_right_answer_of_every_endpoint(self, scene: Scene) -> None:
        wrong, kept, bare, seen = {}, {}, {}, 0
        for right in Scene(scene.vault).rights():  # the last of them delete what there is
            lines = {**right.login, **right.more.get("headers", {})}
            answer = Client(scene.vault.url, None)(right.method, right.path, **{**right.more, "headers": lines})
            assert answer.status < 500, (right, answer)
            name, endpoint = f"{right.method} {right.path}", endpoint_of(right.method, full(right.path))
            assert endpoint is not None, name
            if found := missing(answer.headers):
                wrong[name] = found
            caching = answer.headers["Cache-Control"]
            if caching != NOT_KEPT and ".git/" not in right.path and (endpoint.secret or right.method != "GET"):
                kept[name] = caching
            if "attachment" in answer.headers.get("Content-Disposition", "") and is_active_for_a_browser(answer):
                bare[name] = dict(answer.headers)
            seen += 1

        assert (wrong, kept, bare) == ({}, {}, {})
        assert seen > 80

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (request("GET", "/nowhere"), 404),
            (request("PATCH", "/api/v4/projects"), 405),
            (request("GET", "/api/v4/user"), 401),
            (request("GET", "/api/v4/projects", {"Host": "a b"}), 400),
            (request("POST", "/api/v4/projects/1/secure_files", {"Expect": "tea"}), 417),
            (b"GET / HTTP/1.1\r\nHost: x\r\nBroken\0: y\r\n\r\n", 400),
            (b"rubbish\r\n\r\n", 400),
        ],
        ids=["nowhere", "method", "token", "host", "expectation", "header", "line"],
    )
    def test_are_on_refusals_of_every_part_of_the_server(self, scene: Scene, sent: bytes, status: int) -> None:
        answer = exchange(scene.vault.url, sent)

        assert answer.status == status
        assert missing({name.title(): value for name, value in answer.headers.items()}) == {}

    def test_keep_an_answer_with_a_new_token_out_of_every_store(self, scene: Scene) -> None:
        root, body = scene.root, {"name": "t", "scopes": ["api"]}
        token = root.post("/users/1/personal_access_tokens", json=body)
        job = root.post(f"{scene.own}/jobs", json={"name": "j", "ref": "main"})
        upload = root.post(f"{scene.own}/uploads", files={"file": ("a", b"x")})

        assert all(answer.status == 201 for answer in (token, job, upload))
        assert {answer.headers["Cache-Control"] for answer in (token, job, upload)} == {NOT_KEPT}

    def test_let_lists_be_asked_for_again(self, scene: Scene) -> None:
        assert scene.root.get("/projects").headers["Cache-Control"] == "max-age=0, private, must-revalidate"


@pytest.fixture(scope="module")
def shown(scene: Scene) -> dict[str, list[Answer]]:
    """Every way in which a file of each active kind is had."""
    root, own = scene.root, scene.own
    done, _ = scene.left(archive(ACTIVE))
    root.put(f"/jobs/{done}", json={"state": "success"})
    found = {}
    for name, content in ACTIVE.items():
        file = root.upload(scene.project["id"], name, content).json["id"]
        upload = root.post(f"{own}/uploads", files={"file": (name, content)}).json
        change = {"branch": "main", "commit_message": "m", "content": b64encode(content).decode(), "encoding": "base64"}
        assert root.post(f"{own}/repository/files/{name}", json=change).status == 201
        places = (
            f"{own}/secure_files/{file}/download",
            f"{own}/uploads/{upload['id']}",
            f"{own}{upload['url']}",
            upload["full_path"],
            f"{own}/repository/files/{name}/raw?ref=main",
            f"{own}/jobs/{done}/artifacts/{name}",
        )
        found[name] = [root.get(place) for place in places]
    return found


def is_active_for_a_browser(answer: Answer) -> bool:
    """Say whether a browser might run what came in a page of this origin, or guess at what it is."""
    headers = answer.headers
    saved = headers.get("Content-Disposition", "").startswith("attachment;")
    boxed = headers.get("Content-Security-Policy") == "default-src 'none'; sandbox"
    inert = headers["Content-Type"].partition(";")[0] in INERT
    embedded_elsewhere = headers.get("Cross-Origin-Resource-Policy") != "same-origin"
    return headers.get("X-Content-Type-Options") != "nosniff" or embedded_elsewhere or not (saved or boxed or inert)


class TestWhatABrowserWouldRun:
    @pytest.mark.parametrize("name", ACTIVE)
    def test_runs_nowhere_by_whatever_route_it_is_had(self, shown: dict[str, list[Answer]], name: str) -> None:
        answers = shown[name]

        assert [(answer.status, answer.body) for answer in answers] == [(200, ACTIVE[name])] * 6
        assert [answer.headers for answer in answers if is_active_for_a_browser(answer)] == []
        assert {answer.headers["Cache-Control"] for answer in answers} == {NOT_KEPT}
