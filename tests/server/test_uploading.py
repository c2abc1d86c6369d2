"""What may be uploaded as a secure file, under which names, and in which shapes of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.support import MIB, MULTIPART, exchange, files_of, multipart, part, request

if TYPE_CHECKING:
    from tests.harness import RunningVault
    from tests.server.support import RawAnswer

BLANK = {"message": {"name": ["can't be blank"]}}
TAKEN = {"message": {"name": ["has already been taken"]}}


def send(vault: RunningVault, project: dict[str, Any], body: bytes, **headers: str) -> RawAnswer:
    """POST a multipart body as it is to the project's secure files."""
    lines = {
        "PRIVATE-TOKEN": ROOT_TOKEN,
        **MULTIPART,
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    return exchange(vault.url, request("POST", f"/api/v4{files_of(project)}", lines, body))


class TestParameters:
    @pytest.mark.parametrize(
        ("fields", "files", "error"),
        [
            ({}, {}, "name is missing, file is missing"),
            ({"name": "a"}, {}, "file is missing"),
            ({}, {"file": ("a", b"1")}, "name is missing"),
            ({"name": "a", "file": "text"}, {}, "file is invalid"),
            ({"name": "a"}, {"file[]": ("a", b"1")}, "file is invalid"),
            ({}, {"name": ("a", b"a"), "file": ("a", b"1")}, "name is invalid"),
        ],
    )
    def test_that_are_missing_or_wrong_are_named(
        self, vault: RunningVault, project: dict[str, Any], fields: dict[str, str], files: Any, error: str
    ) -> None:
        answer = vault.root.post(files_of(project), data=fields, files=files or None)

        assert (answer.status, answer.json) == (400, {"error": error})

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"name": "a", "file": "text"}, "file is invalid"),
            ({"name": "a", "file": None}, "file is missing"),
            ({"name": None}, "name is missing, file is missing"),
            ({"name": ["a"], "file": {"tempfile": "/etc/passwd"}}, "name is invalid, file is invalid"),
            ({"name": {"a": 1}}, "name is invalid, file is missing"),
            ({"name": True}, "name is invalid, file is missing"),
        ],
    )
    def test_in_json_never_make_a_file(
        self, vault: RunningVault, project: dict[str, Any], body: dict[str, Any], error: str
    ) -> None:
        answer = vault.root.post(files_of(project), json=body)

        assert (answer.status, answer.json) == (400, {"error": error})

    def test_that_nobody_knows_are_ignored(self, vault: RunningVault, project: dict[str, Any]) -> None:
        parts = [part("avatar", b"", ""), part("sudo", b"x"), part("id", b"999"), part("name", b"a")]

        assert send(vault, project, multipart([*parts, part("file", b"1", "f")])).status == 201

    def test_of_one_name_the_last_counts(self, vault: RunningVault, project: dict[str, Any]) -> None:
        parts = [part("name", b"first"), part("file", b"1", "f"), part("name", b"last"), part("file", b"2", "f")]

        made = send(vault, project, multipart(parts))

        assert made.json["name"] == "last"
        assert vault.root.get(f"{files_of(project)}/{made.json['id']}/download").body == b"2"

    def test_name_may_stand_in_the_query(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.post(f"{files_of(project)}?name=from%20query", files={"file": ("f", b"1")})

        assert (made.status, made.json["name"]) == (201, "from query")

    def test_name_of_the_body_wins_over_the_query(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.post(f"{files_of(project)}?name=query", data={"name": "body"}, files={"file": ("f", b"1")})

        assert made.json["name"] == "body"


class TestNames:
    @pytest.mark.parametrize("name", ["", " ", "\t  ", "\u3000"])
    def test_that_are_blank_are_refused(self, vault: RunningVault, project: dict[str, Any], name: str) -> None:
        answer = vault.root.upload(project["id"], name, b"1")

        assert (answer.status, answer.json) == (400, BLANK)

    @pytest.mark.parametrize(
        "name",
        [
            "certs/distribution/X.cer",
            "c++.jks",
            "%41.jks",
            "a%2Fb",
            "with space.p12",
            " edges ",
            "quote\"d'.p12",
            "semi;colon",
            "schlüssel-鍵-🔑.p12",
            "a/./b",
            "...",
            "..a",
            "a..b/c..",
            "/rooted",
            "folder/",
            "C:\\keys\\release.jks",
            "tab\there",
        ],
    )
    def test_are_kept_as_they_are_given(self, vault: RunningVault, project: dict[str, Any], name: str) -> None:
        body = multipart([part("name", name.encode()), part("file", b"1", "another name")])

        made = send(vault, project, body)

        assert (made.status, made.json["name"]) == (201, name)
        assert vault.root.get(files_of(project)).json[0]["name"] == name

    @pytest.mark.parametrize(
        "name",
        ["..", ".", "../x", "a/../b", "a/..", "..\\x", "a\\..\\b", "a\\..", "a\nb", "a\rb", "x\r\nSet-Cookie: a=b"],
    )
    @pytest.mark.parametrize("encoded", [False, True], ids=["plain", "encoded"])
    def test_that_climb_or_break_the_line_are_refused(
        self, vault: RunningVault, project: dict[str, Any], name: str, encoded: bool
    ) -> None:
        given = quote(name, safe="").replace(".", "%2E") if encoded else name
        body = multipart([part("name", given.encode()), part("file", b"1", "f")])

        answer = send(vault, project, body)

        assert answer.status == 400
        assert vault.root.get(files_of(project)).json == []

    @pytest.mark.parametrize("name", [b"nul\x00", b"\xff\xfe", b"\xed\xa0\x80"])
    def test_that_are_no_text_are_refused(self, vault: RunningVault, project: dict[str, Any], name: bytes) -> None:
        answer = send(vault, project, multipart([part("name", name), part("file", b"1", "f")]))

        assert (answer.status, answer.json) == (400, {"error": "name is invalid"})

    def test_fit_up_to_255_characters(self, vault: RunningVault, project: dict[str, Any]) -> None:
        fits = send(vault, project, multipart([part("name", ("ä" * 255).encode()), part("file", b"1", "f")]))
        longer = send(vault, project, multipart([part("name", ("ä" * 256).encode()), part("file", b"1", "f")]))

        assert fits.status == 201
        assert longer.status == 400
        assert longer.json == {"message": {"name": ["is too long (maximum is 255 characters)"]}}

    def test_that_are_taken_are_refused_in_the_words_fastlane_knows(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        vault.root.upload(project["id"], "Key.p12", b"1")

        answer = vault.root.upload(project["id"], "Key.p12", b"2")

        assert (answer.status, answer.json) == (400, TAKEN)

    def test_differ_by_case_by_form_and_by_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        names = ["Key.p12", "key.p12", "KEY.P12", "\u00e9", "e\u0301", "key.p12 "]

        answers = [vault.root.upload(project["id"], name, b"1") for name in names]
        answers.append(vault.root.upload(vault.project()["id"], "Key.p12", b"1"))

        assert {answer.status for answer in answers} == {201}

    def test_are_free_again_after_a_delete(self, vault: RunningVault, project: dict[str, Any]) -> None:
        first = vault.root.upload(project["id"], "a", b"1").json
        vault.root.delete(f"{files_of(project)}/{first['id']}")

        assert vault.root.upload(project["id"], "a", b"2").status == 201


class TestContent:
    @pytest.mark.parametrize("content", [b"", b"\r\n", b"--frontier", b"\r\n--frontie", b"\x00" * 10, b"\r" * 70_000])
    def test_comes_back_as_it_was(self, vault: RunningVault, project: dict[str, Any], content: bytes) -> None:
        made = send(vault, project, multipart([part("name", b"a"), part("file", content, "f")]))

        down = vault.root.get(f"{files_of(project)}/{made.json['id']}/download")

        assert (made.status, down.body) == (201, content)

    @pytest.mark.parametrize("size", [65_479, 65_480, 65_481, 131_000, MIB, 5 * MIB - 1])
    def test_of_any_size_comes_back_as_it_was(self, vault: RunningVault, project: dict[str, Any], size: int) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        made = vault.root.upload(project["id"], "a", content[:size])

        assert vault.root.get(f"{files_of(project)}/{made.json['id']}/download").body == content[:size]


class TestShapes:
    """Every client writes its multipart bodies its own way."""

    def test_as_fastlane_match_sends_them(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """File part first, with a length and a transfer encoding of its own; then the name, with folders."""
        content = b"\x00\x01 sealed by match"
        body = multipart(
            [
                part(
                    "file",
                    content,
                    "X.cer",
                    f"Content-Length: {len(content)}",
                    "Content-Type: application/octet-stream",
                    "Content-Transfer-Encoding: binary",
                ),
                part("name", b"certs/distribution/X.cer"),
            ]
        )

        made = send(vault, project, body)
        again = send(vault, project, body)
        listed = vault.root.get(f"{files_of(project)}?per_page=100").json

        assert (made.status, made.json["name"]) == (201, "certs/distribution/X.cer")
        assert (again.status, again.json) == (400, TAKEN)
        assert [(file["name"], file["checksum"]) for file in listed] == [(made.json["name"], made.json["checksum"])]
        down = exchange(
            vault.url,
            request("GET", f"/api/v4{files_of(project)}/{made.json['id']}/download", {"PRIVATE-TOKEN": ROOT_TOKEN}),
        )
        assert (down.status, down.body) == (200, content)

    def test_as_glab_sends_them(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """The file part bears the whole name, slashes included."""
        body = multipart(
            [
                part("file", b"1", "ios/certs/a.p12", "Content-Type: application/octet-stream"),
                part("name", b"ios/certs/a.p12"),
            ]
        )

        assert send(vault, project, body).json["name"] == "ios/certs/a.p12"

    def test_as_python_gitlab_sends_them(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """The file part is called `file`, has no type, and an empty part follows."""
        body = multipart([part("name", b"a.jks"), part("file", b"1", "file"), part("avatar", b"")])

        assert send(vault, project, body).json["name"] == "a.jks"

    def test_in_chunks_without_a_length(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = multipart([part("name", b"a"), part("file", b"1" * 1000, "f")])
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
        )
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, "Transfer-Encoding": "chunked"}

        made = exchange(vault.url, request("POST", f"/api/v4{files_of(project)}", lines, chunks + b"0\r\n\r\n"))

        assert made.status == 201

    def test_byte_by_byte(self, vault: RunningVault, project: dict[str, Any]) -> None:
        whole = request(
            "POST",
            f"/api/v4{files_of(project)}",
            {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART},
            multipart([part("file", b"\r\n--frontiex", "f"), part("name", b"a")]),
        )

        assert exchange(vault.url, *(whole[at : at + 1] for at in range(len(whole)))).status == 201

    @pytest.mark.parametrize(
        "kind",
        [
            'multipart/form-data; boundary="frontier"',
            "Multipart/Form-Data; charset=utf-8; boundary=frontier",
            "multipart/form-data;boundary=frontier",
            "multipart/form-data ; Boundary=frontier ;",
        ],
    )
    def test_with_other_spellings_of_the_type(self, vault: RunningVault, project: dict[str, Any], kind: str) -> None:
        body = multipart([part("name", b"a"), part("file", b"1", "f")])

        assert send(vault, project, body, Content_Type=kind).status == 201

    def test_with_text_before_and_after_the_parts(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = b"preamble\r\n" + multipart([part("name", b"a"), part("file", b"1", "f")]) + b"epilogue\r\n" * 100

        assert send(vault, project, body).status == 201

    def test_after_a_hundred_continue(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = multipart([part("name", b"a"), part("file", b"1", "f")])

        assert send(vault, project, body, Expect="100-continue").status == 201
