"""The five routes of secure files: what they answer, in which fields, and what is checked before what."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import Client, unique
from tests.server.support import MIB, files_of, sample
from vault.errors import NotFound

if TYPE_CHECKING:
    from tests.harness import RunningVault

DOCUMENTED = {"id", "name", "checksum", "checksum_algorithm", "created_at", "expires_at", "metadata"}
BEYOND = {"file_extension", "metadata_error"}


class TestRoutes:
    def test_a_file_is_created_listed_shown_downloaded_and_deleted(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        path = files_of(project)

        made = vault.root.upload(project["id"], "myfile.jks", b"content")
        listed = vault.root.get(path)
        shown = vault.root.get(f"{path}/{made.json['id']}")
        down = vault.root.get(f"{path}/{made.json['id']}/download")
        gone = vault.root.delete(f"{path}/{made.json['id']}")

        assert [made.status, listed.status, shown.status, down.status, gone.status] == [201, 200, 200, 200, 204]
        assert listed.json == [made.json]
        assert shown.json == made.json
        assert down.body == b"content"
        assert gone.body == b""
        assert "Content-Type" not in gone.headers

    def test_a_deleted_file_is_not_there_any_more(self, vault: RunningVault, project: dict[str, Any]) -> None:
        one = f"{files_of(project)}/{vault.root.upload(project['id'], 'a', b'1').json['id']}"
        vault.root.delete(one)

        answers = [vault.root.get(one), vault.root.get(f"{one}/download"), vault.root.delete(one)]

        assert [answer.status for answer in answers] == [404, 404, 404]
        assert all(answer.json == {"message": "404 Not found"} for answer in answers)
        assert vault.root.get(files_of(project)).json == []

    def test_the_list_is_newest_first(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = [vault.root.upload(project["id"], name, b"1").json["id"] for name in "abc"]

        assert [file["id"] for file in vault.root.get(files_of(project)).json] == made[::-1]

    @pytest.mark.parametrize("path", ["", "/{}", "/{}/download"])
    def test_head_answers_as_get_does_without_the_body(
        self, vault: RunningVault, project: dict[str, Any], path: str
    ) -> None:
        made = vault.root.upload(project["id"], "a.bin", b"12345").json
        path = files_of(project) + path.format(made["id"])

        got, head = vault.root.get(path), vault.root("HEAD", path)

        assert (head.status, head.body) == (200, b"")
        volatile = {"Date", "X-Request-Id"}
        assert {k: v for k, v in head.headers.items() if k not in volatile} == {
            k: v for k, v in got.headers.items() if k not in volatile
        }

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "", "GET,HEAD,POST"),
            ("PATCH", "/1", "DELETE,GET,HEAD,PUT"),
            ("POST", "/1/download", "GET,HEAD"),
            ("OPTIONS", "", "GET,HEAD,POST"),
        ],
    )
    def test_a_method_that_is_not_there_is_405_and_told_which_are(
        self, vault: RunningVault, project: dict[str, Any], method: str, path: str, allowed: str
    ) -> None:
        answer = vault.root(method, files_of(project) + path)

        assert (answer.status, answer.json) == (405, {"error": "405 Not Allowed"})
        assert sorted(answer.headers["Allow"].split(",")) == allowed.split(",")

    @pytest.mark.parametrize("path", ["/nothing", "/projects/1/secure_file", "/projects/1/secure_files/1/raw", "/"])
    def test_an_unknown_path_is_404_as_json(self, vault: RunningVault, path: str) -> None:
        answer = vault.root.get(path)

        assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})

    @pytest.mark.parametrize("number", ["abc", "0", "-1", "1.5", "999999", "9" * 19, "9" * 30, "%00", "1%20", "%D9%A1"])
    def test_what_is_no_id_of_a_file_is_404(self, vault: RunningVault, project: dict[str, Any], number: str) -> None:
        vault.root.upload(project["id"], "a", b"1")

        for answer in (
            vault.root.get(f"{files_of(project)}/{number}"),
            vault.root.get(f"{files_of(project)}/{number}/download"),
            vault.root.delete(f"{files_of(project)}/{number}"),
        ):
            assert (answer.status, answer.json) == (404, {"message": "404 Not found"})

    def test_an_id_of_another_project_is_404(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(vault.project()["id"], "theirs", b"1").json

        assert vault.root.get(f"{files_of(project)}/{made['id']}").status == 404
        assert vault.root.get(f"{files_of(project)}/{made['id']}/download").status == 404
        assert vault.root.delete(f"{files_of(project)}/{made['id']}").status == 404

    def test_every_answer_forbids_browsers_to_guess_and_to_frame(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        paths = (files_of(project), "/nothing", "/projects/0/secure_files", "/version")

        for answer in (client.get(path) for path in paths for client in (vault.root, vault.nobody)):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Server"] == "secure-files"


class TestFields:
    def test_are_those_of_the_manual_and_two_more(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "myfile.jks", b"content").json

        assert set(made) == DOCUMENTED | BEYOND
        assert made["name"] == "myfile.jks"
        assert made["checksum"] == hashlib.sha256(b"content").hexdigest()
        assert made["checksum_algorithm"] == "sha256"
        assert type(made["id"]) is int

    def test_of_a_certificate_tell_whose_it_is_and_until_when(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        made = vault.root.upload(project["id"], "sample.cer", sample("sample.cer")).json

        metadata = made["metadata"]
        assert {"id", "issuer", "subject", "expires_at"} <= set(metadata)
        assert re.fullmatch(r"-?[0-9]+", metadata["id"])
        assert all(isinstance(text, str) for text in (*metadata["issuer"].values(), *metadata["subject"].values()))
        assert made["expires_at"] == metadata["expires_at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", made["expires_at"])
        assert made["metadata_error"] is None

    def test_of_an_unreadable_file_are_null_with_a_reason(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "rubbish.cer", sample("rubbish.cer"))

        assert made.status == 201
        assert (made.json["metadata"], made.json["expires_at"]) == (None, None)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", made.json["metadata_error"])

    def test_created_at_is_utc_with_milliseconds(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", b"1").json

        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["created_at"])

    def test_ids_grow_and_are_never_given_again(self, vault: RunningVault, project: dict[str, Any]) -> None:
        seen = []
        for _ in range(3):
            seen.append(vault.root.upload(project["id"], "a", b"1").json["id"])
            vault.root.delete(f"{files_of(project)}/{seen[-1]}")

        assert seen == sorted(set(seen))

    @pytest.mark.parametrize(
        ("name", "extension"),
        [
            ("a.jks", "jks"),
            ("a.tar.gz", "gz"),
            ("X.CER", "CER"),
            ("certs/distribution/X.p12", "p12"),
            ("file1", None),
            (".env", None),
            ("x.", None),
            ("folder.d/file1", None),
        ],
    )
    def test_file_extension_is_what_follows_the_last_dot(
        self, vault: RunningVault, project: dict[str, Any], name: str, extension: str | None
    ) -> None:
        assert vault.root.upload(project["id"], name, b"1").json["file_extension"] == extension


class TestOrderOfChecks:
    """Switch, token, scope, project, role, parameters, file: the first that fails decides."""

    def test_no_token_comes_before_everything(self, vault: RunningVault, project: dict[str, Any]) -> None:
        for path in (files_of(project), "/projects/999999/secure_files", "/projects/no%2Fsuch/secure_files/1"):
            for method in ("GET", "DELETE" if path.endswith("/1") else "POST"):
                assert vault.nobody(method, path).json == {"message": "401 Unauthorized"}

    def test_scope_comes_before_the_project(self, vault: RunningVault) -> None:
        _, client = vault.user("read_user")

        answer = client.get("/projects/999999/secure_files")

        assert (answer.status, answer.json["error"]) == (403, "insufficient_scope")

    def test_project_comes_before_parameters(self, vault: RunningVault) -> None:
        _, client = vault.user()

        assert client.post("/projects/999999/secure_files").json == {"message": "404 Project Not Found"}
        assert client.get("/projects/999999/secure_files?page=x").status == 404

    def test_role_comes_before_parameters(self, vault: RunningVault, project: dict[str, Any]) -> None:
        developer = vault.member(project["id"], 30)

        answer = developer.post(files_of(project))

        assert (answer.status, answer.json) == (403, {"message": "403 Forbidden"})

    def test_role_comes_before_the_file_and_its_size(self, vault: RunningVault, project: dict[str, Any]) -> None:
        developer = vault.member(project["id"], 30)

        assert developer.upload(project["id"], "a", bytes(5 * MIB)).status == 403
        assert developer.upload(project["id"], "a", bytes(8 * MIB)).status == 403
        assert developer.delete(f"{files_of(project)}/999999").status == 403

    def test_parameters_come_before_the_size_of_the_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = vault.root.post(files_of(project), files={"file": ("a", bytes(5 * MIB))})

        assert (answer.status, answer.json) == (400, {"error": "name is missing"})

    def test_size_comes_before_the_name(self, vault: RunningVault, project: dict[str, Any]) -> None:
        name = unique("taken")
        vault.root.upload(project["id"], name, b"1")

        assert vault.root.upload(project["id"], name, bytes(5 * MIB)).status == 413

    def test_a_wrong_token_is_401_whatever_is_sent(self, vault: RunningVault, project: dict[str, Any]) -> None:
        wrong = Client(vault.url, "glpat-wrong")

        assert wrong.post(files_of(project), data=b"\x00", headers={"Content-Type": "application/json"}).status == 401
        assert wrong.upload(project["id"], "a", bytes(6 * MIB)).status == 401


class TestDeletedProjects:
    def test_take_no_file_that_was_still_on_its_way(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """The project goes between the checks of the upload and its end: nothing may be left without an owner."""
        vault.root.delete(f"/projects/{project['id']}")

        with pytest.raises(NotFound):
            vault.services.secure_files.add(project["id"], "late", b"1" * 100_000)

        query = vault.services.database.query
        assert query("SELECT id FROM secure_files WHERE project_id = :id", id=project["id"]) == []
        assert query("SELECT id FROM blobs WHERE project_id = :id", id=project["id"]) == []
