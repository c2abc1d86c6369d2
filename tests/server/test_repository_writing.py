"""POST, PUT and DELETE of a file: parameters from everywhere, encodings, answers and refusals."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN, Client
from tests.server.repository_support import Repository
from tests.server.support import MULTIPART, multipart, part

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

MIB = 1024 * 1024
FIELDS = {"branch": "main", "commit_message": "m"}


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("README", "first")
    return repository


class TestTheAnswer:
    def test_of_post_is_201_with_the_ids_of_what_was_made(self, repository: Repository) -> None:
        answer = repository.change("POST", "made/here.txt", content="hello")

        assert answer.status == 201
        assert answer.json == {
            "file_path": "made/here.txt",
            "branch": "main",
            "commit_id": repository.git("rev-parse", "main"),
            "blob_id": repository.git("hash-object", "--stdin", given=b"hello"),
            "content_sha256": hashlib.sha256(b"hello").hexdigest(),
        }

    def test_of_put_is_200(self, repository: Repository) -> None:
        repository.post("put", "1")

        answer = repository.change("PUT", "put", content="2")

        assert (answer.status, answer.json["commit_id"]) == (200, repository.git("rev-parse", "main"))

    def test_of_put_that_creates_is_201(self, repository: Repository) -> None:
        assert repository.change("PUT", "upsert", content="1").status == 400
        assert repository.change("PUT", "upsert", content="1", create=True).status == 201
        assert repository.change("PUT", "upsert", content="2", create=True).status == 200

    def test_of_delete_is_204_and_nothing_but_a_header(self, repository: Repository) -> None:
        repository.post("gone", "1")

        answer = repository.change("DELETE", "gone", content=None)

        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["X-Gitlab-Commit-Id"] == repository.git("rev-parse", "main")
        assert repository.get("gone").status == 404

    @pytest.mark.parametrize(
        ("given", "clean"),
        [(".%2Fdot.txt", "dot.txt"), ("end.txt%2F", "end.txt"), (".%2F.%2Fa%2Fb.txt%2F%2F", "a/b.txt")],
    )
    def test_has_the_path_as_git_has_it(self, repository: Repository, given: str, clean: str) -> None:
        place = f"/projects/{repository.id}/repository/files/{given}"

        answer = repository.root.post(place, json={**FIELDS, "content": given})

        assert (answer.status, answer.json["file_path"]) == (201, clean)


class TestParameters:
    @pytest.mark.parametrize(
        ("method", "missing"),
        [
            ("POST", "branch commit_message content"),
            ("PUT", "branch commit_message content"),
            ("DELETE", "branch commit_message"),
        ],
    )
    def test_that_are_missing_are_all_named(self, repository: Repository, method: str, missing: str) -> None:
        answer = repository.root(method, repository.at("x"), json={})

        complaints = [
            text
            for name in missing.split()
            for text in ((f"{name} is missing",) if name == "content" else (f"{name} is missing", f"{name} is empty"))
        ]
        assert (answer.status, answer.json) == (400, {"error": ", ".join(complaints)})

    @pytest.mark.parametrize("name", ["branch", "commit_message"])
    @pytest.mark.parametrize("value", ["", "  "])
    def test_that_are_blank_are_named(self, repository: Repository, name: str, value: str) -> None:
        answer = repository.change("POST", "x", **{name: value})

        assert (answer.status, answer.json) == (400, {"error": f"{name} is empty"})

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"encoding": "hex"}, "encoding does not have a valid value"),
            ({"content": ["x"]}, "content is invalid"),
            ({"content": {"x": 1}}, "content is invalid"),
            ({"content": True}, "content is invalid"),
            ({"content": "\ud800"}, "content is invalid"),
            ({"execute_filemode": "perhaps"}, "execute_filemode is invalid"),
            ({"author_name": ["x"]}, "author_name is invalid"),
        ],
    )
    def test_of_another_kind_are_400(self, repository: Repository, fields: dict[str, Any], error: str) -> None:
        answer = repository.change("POST", "x", **fields)

        assert (answer.status, answer.json) == (400, {"error": error})

    def test_come_from_json_form_multipart_and_query_alike(self, repository: Repository) -> None:
        whole = {**FIELDS, "content": "c", "execute_filemode": "true"}
        root, at = repository.root, repository.at

        answers = [
            root.post(at("by/json"), json=whole),
            root.post(at("by/form"), data=whole),
            root.post(at("by/multipart"), files={name: (None, value) for name, value in whole.items()}),
            root.post(at("by/query", **whole)),
            root.post(at("by/query-and-body", branch="main", encoding="base64"), json={**FIELDS, "content": "Yw=="}),
        ]

        assert [answer.status for answer in answers] == [201] * 5
        for answer in answers:
            assert repository.raw(answer.json["file_path"]).body == b"c"
        modes = repository.git("ls-tree", "-r", "main", "by/").splitlines()
        assert [mode[:6] for mode in modes] == ["100755", "100755", "100755", "100755", "100644"]

    def test_of_delete_come_from_the_query_or_the_body(self, repository: Repository) -> None:
        for name in ("q", "b", "f"):
            repository.post(name, "x")

        assert repository.root.delete(repository.at("q", **FIELDS)).status == 204
        assert repository.root.delete(repository.at("b"), json=FIELDS).status == 204
        assert repository.root.delete(repository.at("f"), data=FIELDS).status == 204

    def test_named_like_parts_of_the_address_do_not_count(self, repository: Repository) -> None:
        fields = {"file_path": "elsewhere%2Fx", "id": 999, "start_branch": None, "avatar": ""}

        answer = repository.change("POST", "the/address", **fields)

        assert answer.json["file_path"] == "the/address"

    def test_that_are_numbers_in_json_are_text(self, repository: Repository) -> None:
        repository.change("POST", "number", content=12)

        assert repository.raw("number").body == b"12"

    def test_may_hold_the_token_in_the_body(self, repository: Repository) -> None:
        fields = {**FIELDS, "content": "x" * 100_000, "private_token": ROOT_TOKEN}

        assert repository.vault.nobody.post(repository.at("token/form"), data=fields).status == 201
        parts = {name: (None, value) for name, value in fields.items()}
        assert repository.vault.nobody.post(repository.at("token/multipart"), files=parts).status == 201

    def test_named_authors_sign_and_the_user_commits(self, repository: Repository) -> None:
        repository.post("signed", "x", author_name="Ann O'Neill", author_email="ann@example.com")

        told = repository.git("log", "-1", "--format=%an|%ae|%cn|%ce")
        assert told == "Ann O'Neill|ann@example.com|Administrator|root@example.com"


class TestContent:
    @pytest.mark.parametrize(
        "text",
        ["", "\n", "a\r\nb\r\n", "\ufeffbom", "nul\0nul", "ä€😀", "-----BEGIN CERTIFICATE-----\n", '{"json": 1}'],
    )
    def test_of_text_is_kept_byte_for_byte(self, repository: Repository, text: str) -> None:
        name = f"text-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

        assert repository.change("POST", name, content=text).status == 201

        assert repository.raw(name).body == text.encode()

    @pytest.mark.parametrize("breaks", ["", "\n", "\r\n", " "])
    def test_in_base64_may_have_line_breaks(self, repository: Repository, breaks: str) -> None:
        name, content = f"base64-{breaks.encode().hex()}", bytes(range(256))
        encoded = base64.b64encode(content).decode()
        written = breaks.join(encoded[at : at + 60] for at in range(0, len(encoded), 60)) + breaks

        assert repository.change("POST", name, content=written, encoding="base64").status == 201

        assert repository.raw(name).body == content

    def test_in_base64_comes_from_a_form_as_well(self, repository: Repository) -> None:
        content = bytes(range(256)) * 12 * 1024
        fields = {**FIELDS, "encoding": "base64", "content": base64.encodebytes(content).decode()}

        assert repository.root.post(repository.at("form.bin"), data=fields).status == 201

        assert repository.raw("form.bin").body == content

    @pytest.mark.parametrize("broken", ["a", "abc", "ab=c", "a*b=", "====", "YWJj\0", "ä"])
    def test_in_broken_base64_is_400_and_stored_nowhere(self, repository: Repository, broken: str) -> None:
        answer = repository.change("POST", "broken", content=broken, encoding="base64")

        assert (answer.status, answer.json) == (400, {"error": "content is not base64"})
        assert repository.get("broken").status == 404

    def test_of_20_mib_of_body_is_taken_and_more_is_not(self, repository: Repository) -> None:
        fits = "x" * (20 * MIB - 200)

        taken = repository.change("POST", "large", content=fits)
        refused = repository.change("POST", "larger", content=fits + "x" * 400)

        assert taken.status == 201
        assert repository.head("large").headers["X-Gitlab-Size"] == str(len(fits))
        assert refused.status == 413

    def test_of_a_file_part_is_no_text(self, repository: Repository) -> None:
        parts = [part(name, value.encode()) for name, value in FIELDS.items()]
        body = multipart([*parts, part("content", b"x", "x.txt")])

        answer = repository.root.post(repository.at("x"), data=body, headers=MULTIPART)

        assert (answer.status, answer.json) == (400, {"error": "content is invalid"})


def refused(answer: Answer) -> Any:
    assert answer.status == 400, answer
    return answer.json


class TestRefusals:
    def test_of_files_are_400_in_words(self, repository: Repository) -> None:
        repository.post("dir/file", "same")

        exists = {"message": "A file with this name already exists"}
        missing = {"message": "A file with this name doesn't exist"}
        assert refused(repository.change("POST", "dir/file")) == exists
        assert refused(repository.change("PUT", "dir/none")) == missing
        assert refused(repository.change("DELETE", "dir/none")) == missing
        empty = {"message": "'dir/file' has this content already: the commit would be empty"}
        assert refused(repository.change("PUT", "dir/file", content="same")) == empty
        for method in ("POST", "PUT", "DELETE"):
            directory = {"message": "'dir' is a directory, not a file"}
            assert refused(repository.change(method, "dir")) == directory
        below = {"message": "'dir/file' is a file: nothing can lie below it"}
        assert refused(repository.change("POST", "dir/file/x")) == below
        assert repository.raw("dir/file").body == b"same"

    @pytest.mark.parametrize("path", [".git/config", ".git", "a/.GIT/x", "git~1", "a//b", "a/./b", ".git\\x"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_of_paths_that_git_would_not_check_out_are_400(
        self, repository: Repository, method: str, path: str
    ) -> None:
        assert refused(repository.change(method, path)) == {"message": f"invalid path: '{path}'"}

    def test_of_branches_are_400_in_gitlabs_words(self, repository: Repository) -> None:
        nowhere = {"message": "You can only create or edit files when you are on a branch"}
        assert refused(repository.change("POST", "x", branch="none")) == nowhere
        assert refused(repository.change("POST", "x", branch="new", start_branch="none")) == nowhere
        repository.post("x", branch="topic", start_branch="main")
        taken = "A branch called 'topic' already exists. Switch to that branch in order to make changes"
        assert refused(repository.change("POST", "y", branch="topic", start_branch="main")) == {"message": taken}
        name = refused(repository.change("POST", "y", branch="a..b", start_branch="main"))["message"]
        assert name.endswith("'a..b' for you: Branch name is invalid")

    def test_of_stale_edits_are_400(self, repository: Repository) -> None:
        first = repository.post("edited", "1")["commit_id"]
        repository.change("PUT", "edited", content="2")

        update = repository.change("PUT", "edited", content="3", last_commit_id=first)
        delete = repository.change("DELETE", "edited", last_commit_id=first)

        changed = "You are attempting to update a file that has changed since you started editing it."
        assert refused(update) == {"message": changed}
        assert refused(delete) == {"message": "You are attempting to delete a file that has been previously updated."}
        now = repository.get("edited").json["last_commit_id"]
        assert repository.change("PUT", "edited", content="3", last_commit_id=now).status == 200
        assert repository.change("PUT", "edited", content="4", last_commit_id="").status == 200, "empty is not given"

    def test_leave_the_branch_as_it_was(self, repository: Repository) -> None:
        before = repository.git("for-each-ref")

        for change in ({"branch": "none"}, {"content": "!", "encoding": "base64"}, {"branch": "x y"}):
            assert repository.change("POST", "never", **change).status == 400

        assert repository.git("for-each-ref") == before


class TestTheFirstCommit:
    def test_makes_the_branch_and_the_project_says_so(self, vault: RunningVault) -> None:
        repository = Repository(vault)
        assert vault.root.get(f"/projects/{repository.id}").json["empty_repo"] is True

        repository.post("a", "x", branch="trunk")

        project = vault.root.get(f"/projects/{repository.id}").json
        assert (project["empty_repo"], project["default_branch"]) == (False, "trunk")
        assert repository.raw("a").body == b"x"

    def test_can_be_made_with_the_project(self, vault: RunningVault) -> None:
        fields = {"name": "with readme", "initialize_with_readme": True, "default_branch": "stable"}
        made = vault.root.post("/projects", json=fields)

        assert made.status == 201
        assert (made.json["empty_repo"], made.json["default_branch"]) == (False, "stable")
        readme = vault.root.get(f"/projects/{made.json['id']}/repository/files/README.md/raw")
        assert readme.body == b"# with readme\n"

    def test_of_an_update_or_a_removal_is_none(self, vault: RunningVault) -> None:
        repository = Repository(vault)

        for method in ("PUT", "DELETE"):
            assert refused(repository.change(method, "a")) == {"message": "A file with this name doesn't exist"}
        assert vault.root.get(f"/projects/{repository.id}").json["empty_repo"] is True


class TestOneWriterMovesOn:
    def test_default_branch_of_the_project(self, repository: Repository) -> None:
        repository.post("moved", "on main")
        repository.post("only-here", "x", branch="next", start_branch="main")

        changed = repository.root.put(f"/projects/{repository.id}", json={"default_branch": "next"})

        assert changed.json["default_branch"] == "next"
        assert repository.raw("only-here").status == 200
        repository.root.put(f"/projects/{repository.id}", json={"default_branch": "main"})
        assert repository.raw("only-here").status == 404


def test_every_client_of_a_session_may_write(vault: RunningVault) -> None:
    repository = Repository(vault)
    bearer = Client(vault.url, None)

    answer = bearer.post(
        repository.at("x"), json={**FIELDS, "content": "x"}, headers={"Authorization": f"Bearer {ROOT_TOKEN}"}
    )

    assert answer.status == 201
