"""Markdown uploads: the six routes of the document, what they answer, and how files are called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import RunningVault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, Client

PNG = b"\x89PNG\r\n\x1a\n rest of a picture"
UNKNOWN = (
    "400 Bad request - The resource that you are attempting to access does not exist or you don't have permission to "
    "perform this action."
)


def uploads_of(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/uploads"


def upload(client: Client, project: dict[str, Any], name: str = "dk.png", content: bytes = PNG) -> Answer:
    return client.post(uploads_of(project), files={"file": (name, content)})


def by_secret(made: Answer, project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}{made.json['url']}"


class TestRoutes:
    def test_a_new_upload_is_told_with_its_secret_address(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = upload(vault.root, project)

        secret = made.json["url"].split("/")[2]
        assert made.status == 201
        assert re.fullmatch(r"[0-9a-f]{32}", secret)
        assert made.json == {
            "id": made.json["id"],
            "alt": "dk",
            "url": f"/uploads/{secret}/dk.png",
            "full_path": f"/-/project/{project['id']}/uploads/{secret}/dk.png",
            "markdown": f"![dk](/uploads/{secret}/dk.png)",
        }

    def test_comes_back_by_id_by_secret_and_by_its_link(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = upload(vault.root, project)
        paths = [f"{uploads_of(project)}/{made.json['id']}", by_secret(made, project), made.json["full_path"]]

        answers = [vault.root.get(path) for path in paths]

        assert [(answer.status, answer.body) for answer in answers] == [(200, PNG)] * 3

    def test_the_list_is_newest_first_and_tells_who_but_never_the_secret(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        made = [upload(vault.root, project, name) for name in ("a.png", "b.pdf")]

        listed = vault.root.get(uploads_of(project))

        assert [each["id"] for each in listed.json] == [each.json["id"] for each in made][::-1]
        assert listed.json[0] == {
            "id": made[1].json["id"],
            "size": len(PNG),
            "filename": "b.pdf",
            "created_at": listed.json[0]["created_at"],
            "uploaded_by": {"id": 1, "name": "Administrator", "username": "root"},
        }
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", listed.json[0]["created_at"])
        assert made[1].json["url"].split("/")[2].encode() not in listed.body

    def test_the_list_comes_in_pages(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = [upload(vault.root, project).json["id"] for _ in range(3)]

        second = vault.root.get(f"{uploads_of(project)}?per_page=2&page=2")

        assert [each["id"] for each in second.json] == made[:1]
        assert (second.headers["X-Total"], second.headers["X-Next-Page"]) == ("3", "")

    @pytest.mark.parametrize("way", ["id", "secret"])
    def test_a_deleted_upload_is_gone_by_every_way(
        self, vault: RunningVault, project: dict[str, Any], way: str
    ) -> None:
        made = upload(vault.root, project)
        ways = {"id": f"{uploads_of(project)}/{made.json['id']}", "secret": by_secret(made, project)}

        deleted = vault.root.delete(ways[way])

        assert (deleted.status, deleted.body) == (204, b"")
        paths = (*ways.values(), made.json["full_path"])
        assert [vault.root.get(path).status for path in paths] == [404, 404, 404]
        assert vault.root.get(uploads_of(project)).json == []

    def test_an_id_is_never_given_out_twice(self, vault: RunningVault, project: dict[str, Any]) -> None:
        first = upload(vault.root, project).json["id"]
        vault.root.delete(f"{uploads_of(project)}/{first}")

        assert upload(vault.root, project).json["id"] > first

    def test_equal_files_have_secrets_of_their_own(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert upload(vault.root, project).json["url"] != upload(vault.root, project).json["url"]

    def test_an_upload_goes_with_its_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = upload(vault.root, project)

        assert vault.root.delete(f"/projects/{project['id']}").status == 202
        assert vault.root.get(made.json["full_path"]).status == 404

    def test_the_project_may_be_named_by_its_path(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = project["path_with_namespace"].replace("/", "%2F")

        assert vault.root.post(f"/projects/{path}/uploads", files={"file": ("a", b"1")}).status == 201


class TestHeaders:
    @pytest.mark.parametrize("name", ["a.png", "a.html", "a.svg", "a.txt", "a.json", "a"])
    @pytest.mark.parametrize("way", ["id", "secret"])
    def test_of_the_api_are_those_of_bytes_to_be_saved(
        self, vault: RunningVault, project: dict[str, Any], name: str, way: str
    ) -> None:
        made = upload(vault.root, project, name)
        path = f"{uploads_of(project)}/{made.json['id']}" if way == "id" else by_secret(made, project)

        down = vault.root.get(path)

        assert down.headers["Content-Type"] == "application/octet-stream"
        assert down.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert down.headers["Content-Transfer-Encoding"] == "binary"
        assert down.headers["X-Content-Type-Options"] == "nosniff"

    def test_of_head_are_those_of_get(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = by_secret(upload(vault.root, project), project)

        head, got = vault.root("HEAD", path), vault.root.get(path)

        volatile = {"Date", "X-Request-Id"}
        assert (head.status, head.body) == (200, b"")
        assert {k: v for k, v in head.headers.items() if k not in volatile} == {
            k: v for k, v in got.headers.items() if k not in volatile
        }


class TestRefusals:
    @pytest.mark.parametrize(
        ("upload_id", "status", "body"),
        [
            ("999999", 404, {"message": "404 Not found"}),
            ("0", 404, {"message": "404 Not found"}),
            ("99999999999999999999", 404, {"message": "404 Not found"}),
            ("x", 400, {"error": "upload_id is invalid"}),
            ("1.5", 400, {"error": "upload_id is invalid"}),
        ],
    )
    def test_of_an_id_that_is_not_there(
        self, vault: RunningVault, project: dict[str, Any], upload_id: str, status: int, body: object
    ) -> None:
        for method in ("GET", "DELETE"):
            answer = vault.root(method, f"{uploads_of(project)}/{upload_id}")

            assert (answer.status, answer.json) == (status, body)

    def test_of_an_upload_of_another_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made, other = upload(vault.root, project), vault.project()

        assert vault.root.get(f"{uploads_of(other)}/{made.json['id']}").status == 404
        assert vault.root.get(by_secret(made, other)).status == 404
        assert vault.root.delete(by_secret(made, other)).status == 400
        assert vault.root.get(by_secret(made, project)).status == 200

    @pytest.mark.parametrize("secret", ["0" * 32, "0" * 10, "A" * 32, "x" * 32, "0" * 33, "*", "%25", "..."])
    def test_of_a_secret_that_is_wrong_or_none(self, vault: RunningVault, project: dict[str, Any], secret: str) -> None:
        path = f"{uploads_of(project)}/{secret}/dk.png"

        assert (vault.root.get(path).status, vault.root.get(path).json) == (404, {"message": "404 Not found"})
        deleted = vault.root.delete(path)
        assert (deleted.status, deleted.json) == (400, {"message": UNKNOWN})

    def test_of_another_name_than_the_uploads(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = by_secret(upload(vault.root, project), project)

        assert vault.root.get(path.replace("dk.png", "other.png")).status == 404
        assert vault.root.get(path.replace("dk.png", "DK.png")).status == 404
        assert vault.root.get(path[:-1]).status == 404

    @pytest.mark.parametrize("name", ["..", "..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", "..%5Cx", "a%00b", "a%0Ab"])
    def test_of_a_name_that_climbs(self, vault: RunningVault, project: dict[str, Any], name: str) -> None:
        answer = vault.root.get(f"{uploads_of(project)}/{'0' * 32}/{name}")

        assert (answer.status, answer.json) == (400, {"error": "filename should be a valid file path"})

    def test_of_what_only_a_front_server_asks(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert vault.root.post(f"{uploads_of(project)}/authorize").status == 403
        assert vault.nobody.post(f"{uploads_of(project)}/authorize").status == 401


class TestNames:
    @pytest.mark.parametrize(
        ("given", "kept", "alt", "shown"),
        [
            ("dk.png", "dk.png", "dk", True),
            ("PHOTO.JPeG", "PHOTO.JPeG", "PHOTO", True),
            ("film.mp4", "film.mp4", "film", True),
            ("song.ogg", "song.ogg", "song", True),
            ("drawing.svg", "drawing.svg", "drawing.svg", True),
            ("report.pdf", "report.pdf", "report.pdf", False),
            ("a.png.txt", "a.png.txt", "a.png.txt", False),
            (".png", ".png", ".png", False),
            ("no extension", "no_extension", "no_extension", False),
            ("c++ & [x](y).md", "c++____x__y_.md", "c++____x__y_.md", False),
            ("../../etc/passwd", "passwd", "passwd", False),
            ("C:\\Users\\me\\dk.png", "dk.png", "dk", True),
            ("..", "_..", "_..", False),
            ("", "unnamed", "unnamed", False),
            ("schlüssel 鍵.png", "schlüssel_鍵.png", "schlüssel_鍵", True),
            ("right\u202eto-left.png", "right_to-left.png", "right_to-left", True),
        ],
    )
    def test_are_made_safe_and_decide_how_markdown_shows_the_file(
        self, vault: RunningVault, project: dict[str, Any], given: str, kept: str, alt: str, shown: bool
    ) -> None:
        made = upload_named(vault, project, given)

        assert made.status == 201, made
        url = made.json["url"]
        assert url.rpartition("/")[2] == kept
        assert made.json["alt"] == alt
        assert made.json["markdown"] == f"{'!' if shown else ''}[{alt}]({url})"
        assert vault.root.get(by_secret(made, project)).body == b"1"

    def test_fit_up_to_255_bytes(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert upload_named(vault, project, "ä" * 127 + "x").status == 201
        refused = upload_named(vault, project, "ä" * 128)
        assert (refused.status, refused.json) == (
            400,
            {"message": {"filename": ["is too long (maximum is 255 bytes)"]}},
        )


def upload_named(vault: RunningVault, project: dict[str, Any], name: str) -> Answer:
    """Upload a file whose part bears the name as it is, in quotes."""
    quoted = name.replace("\\", "\\\\")
    body = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n\r\n1\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return vault.root.post(uploads_of(project), data=body.encode(), headers=headers)


class TestLink:
    """The address that Markdown text points to, which GitLab answers only to a browser's session."""

    @pytest.mark.parametrize(
        ("name", "content", "content_type"),
        [
            ("a.png", PNG, "image/png"),
            ("a.jpg", b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
            ("a.gif", b"GIF89a.", "image/gif"),
            ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            ("a.mp4", b"\0\0\0\x18ftypmp42", "video/mp4"),
            ("a.webm", b"\x1a\x45\xdf\xa3....", "video/webm"),
            ("a.mp3", b"ID3\x03", "audio/mpeg"),
            ("a.wav", b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        ],
    )
    def test_shows_pictures_film_and_sound_in_place(
        self, vault: RunningVault, project: dict[str, Any], name: str, content: bytes, content_type: str
    ) -> None:
        shown = vault.root.get(upload(vault.root, project, name, content).json["full_path"])

        assert shown.headers["Content-Type"] == content_type
        assert shown.headers["Content-Disposition"] == f'inline; filename="{name}"'

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.png", b"<html><script>alert(1)</script>"),
            ("a.png", b""),
            ("a.jpg", PNG),
            ("a.html", b"<script>alert(1)</script>"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
            ("a.xml", b"<?xml version='1.0'?>"),
            ("a.xhtml", b"<html/>"),
            ("a.pdf", b"%PDF-1.7"),
            ("a.js", b"alert(1)"),
            ("a.swf", b"FWS"),
            ("a.txt", b"text"),
            ("a", PNG),
        ],
    )
    def test_has_everything_else_saved_and_run_nowhere(
        self, vault: RunningVault, project: dict[str, Any], name: str, content: bytes
    ) -> None:
        made = upload(vault.root, project, name, content)

        answer = vault.root.get(made.json["full_path"])

        assert answer.body == content
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"

    def test_takes_tokens_of_every_shape(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = upload(vault.root, project).json["full_path"]
        token = vault.root.token

        answers = [
            vault.nobody.get(path, headers={"PRIVATE-TOKEN": token}),
            vault.nobody.get(path, headers={"Authorization": f"Bearer {token}"}),
            vault.nobody.get(f"{path}?private_token={token}"),
        ]

        assert [(answer.status, answer.body) for answer in answers] == [(200, PNG)] * 3

    def test_never_answers_with_a_page(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = upload(vault.root, project).json["full_path"]

        hidden, wrong = vault.nobody.get(path), vault.nobody.get(path, headers={"PRIVATE-TOKEN": "glpat-wrong"})

        assert (hidden.status, wrong.status) == (404, 401)
        assert {answer.headers["Content-Type"].partition(";")[0] for answer in (hidden, wrong)} == {"application/json"}

    def test_of_a_public_project_is_open_to_all(self, vault: RunningVault) -> None:
        path = upload(vault.root, vault.project("public")).json["full_path"]

        assert vault.nobody.get(path).body == PNG

    def test_names_a_project_by_its_number_only(self, vault: RunningVault, project: dict[str, Any]) -> None:
        url = upload(vault.root, project).json["url"]

        assert vault.root.get(f"/-/project/{project['path_with_namespace'].replace('/', '%2F')}{url}").status == 404


class TestLeastRole:
    """Whether a stranger may upload to a public project is for the server's owner to say."""

    def test_keeps_out_who_has_less(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data", upload_role="reporter") as vault:
            project = vault.project("public")
            callers = [vault.user()[1], vault.member(project["id"], 10), vault.member(project["id"], 20)]

            assert [upload(caller, project).status for caller in callers] == [403, 403, 201]
