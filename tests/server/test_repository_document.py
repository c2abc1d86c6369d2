"""Every request of GitLab's document of repository files, sent by curl as it stands there.

https://docs.gitlab.com/api/repository_files/
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.repository_support import Repository, curl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import RunningVault

TOKEN = ("--header", f"PRIVATE-TOKEN: {ROOT_TOKEN}")
JSON = ("--header", "Content-Type: application/json")
KEY = "# == Schema Info\nclass Key\nend\n"
FILE = "require 'fileutils'\nrequire 'open3'\n\n"


@pytest.fixture(scope="module")
def repository(vault: RunningVault) -> Repository:
    repository = Repository(vault)
    repository.post("app/models/key.rb", KEY, branch="master")
    repository.post("path/to/file.rb", FILE, branch="master", commit_message="Add feature\n\nalso fix bug\n")
    return repository


@pytest.fixture
def address(repository: Repository) -> Callable[[str], str]:
    return lambda path: f"{repository.vault.url}/api/v4/projects/{repository.id}/repository/files/{path}"


def headers_of(text: str) -> dict[str, str]:
    status, *lines = text.replace("\r", "").strip().split("\n")
    assert status == "HTTP/1.1 200 OK"
    return dict(line.split(": ", 1) for line in lines)


class TestTheDocument:
    def test_get_file_from_repository(self, repository: Repository, address: Callable[[str], str]) -> None:
        found = json.loads(curl(*TOKEN, address("app%2Fmodels%2Fkey%2Erb?ref=master")))

        first, tip = repository.git("rev-parse", "master~1", "master").split()
        assert list(found)[:10] == [
            "file_name",
            "file_path",
            "size",
            "encoding",
            "content",
            "content_sha256",
            "ref",
            "blob_id",
            "commit_id",
            "last_commit_id",
        ]
        assert found == {
            "file_name": "key.rb",
            "file_path": "app/models/key.rb",
            "size": len(KEY),
            "encoding": "base64",
            "content": base64.b64encode(KEY.encode()).decode(),
            "content_sha256": hashlib.sha256(KEY.encode()).hexdigest(),
            "ref": "master",
            "blob_id": repository.git("hash-object", "--stdin", given=KEY.encode()),
            "commit_id": tip,
            "last_commit_id": first,
            "execute_filemode": False,
        }

    @pytest.mark.parametrize("more", ["", "/blame", "/raw"])
    def test_head_gets_just_file_metadata(
        self, repository: Repository, address: Callable[[str], str], more: str
    ) -> None:
        said = headers_of(curl("--head", *TOKEN, address(f"app%2Fmodels%2Fkey%2Erb{more}?ref=master")))

        file = repository.get("app/models/key.rb", "master").json
        assert {name: value for name, value in said.items() if name.startswith("X-Gitlab-")} == {
            "X-Gitlab-Blob-Id": file["blob_id"],
            "X-Gitlab-Commit-Id": file["commit_id"],
            "X-Gitlab-Content-Sha256": file["content_sha256"],
            "X-Gitlab-Encoding": "base64",
            "X-Gitlab-Execute-Filemode": "false",
            "X-Gitlab-File-Name": "key.rb",
            "X-Gitlab-File-Path": "app/models/key.rb",
            "X-Gitlab-Last-Commit-Id": file["last_commit_id"],
            "X-Gitlab-Ref": "master",
            "X-Gitlab-Size": str(len(KEY)),
        }

    def test_get_file_blame_from_repository(self, repository: Repository, address: Callable[[str], str]) -> None:
        found = json.loads(curl(*TOKEN, address("path%2Fto%2Ffile.rb/blame?ref=master")))

        commit, parent = repository.git("rev-parse", "master", "master~1").split()
        when = repository.git("log", "-1", "--format=%aI").removesuffix("Z").removesuffix("+00:00") + ".000+00:00"
        assert found == [
            {
                "commit": {
                    "id": commit,
                    "parent_ids": [parent],
                    "message": "Add feature\n\nalso fix bug\n",
                    "authored_date": when,
                    "author_name": "Administrator",
                    "author_email": "root@example.com",
                    "committed_date": when,
                    "committer_name": "Administrator",
                    "committer_email": "root@example.com",
                },
                "lines": ["require 'fileutils'", "require 'open3'", ""],
            }
        ]

    def test_get_raw_file_from_repository(self, address: Callable[[str], str]) -> None:
        assert curl(*TOKEN, address("app%2Fmodels%2Fkey%2Erb/raw?ref=master")) == KEY
        assert curl(*TOKEN, address("app%2Fmodels%2Fkey%2Erb/raw")) == KEY, "the default is the HEAD of the project"

    def test_create_update_and_delete_a_file(self, repository: Repository, address: Callable[[str], str]) -> None:
        body = (
            '{"branch": "master", "author_email": "author@example.com", "author_name": "Firstname Lastname",'
            '"content": "%s", "commit_message": "%s"}'
        )
        place = address("app%2Fproject%2Erb")

        create = ("--request", "POST", *TOKEN, *JSON, "--data", body % ("some content", "create a new file"))
        created = json.loads(curl(*create, "--write-out", "%{http_code}", place).removesuffix("201"))
        update = ("--request", "PUT", *TOKEN, *JSON, "--data", body % ("other content", "update file"))
        updated = json.loads(curl(*update, "--write-out", "%{http_code}", place).removesuffix("200"))
        delete = ("--request", "DELETE", *TOKEN, *JSON, "--data", body % ("", "delete file"))
        deleted = curl(*delete, "--write-out", "%{http_code}", place)

        for answer in (created, updated):
            assert (answer["file_path"], answer["branch"]) == ("app/project.rb", "master")
        assert deleted == "204"
        log = repository.git("log", "-3", "--format=%an <%ae>: %s", "--", "app/project.rb").splitlines()
        author = "Firstname Lastname <author@example.com>"
        assert log == [f"{author}: delete file", f"{author}: update file", f"{author}: create a new file"]

    def test_the_three_causes_of_a_failed_commit_are_400_each_in_words(self, repository: Repository) -> None:
        """The document calls them non-specific; here each says what it is. The third happens to nobody any more."""
        climbing = repository.change("POST", "app/../key.rb", branch="master")
        empty = repository.change("PUT", "app/models/key.rb", branch="master", content=KEY)

        assert (climbing.status, climbing.json) == (400, {"error": "file_path should be a valid file path"})
        assert empty.status == 400
        assert "has this content already" in empty.json["message"]

    def test_files_of_a_public_project_are_read_without_a_token(self, vault: RunningVault) -> None:
        public = Repository(vault, "public")
        public.post("a", "open", branch="master")
        place = f"{vault.url}/api/v4/projects/{public.id}/repository/files/a"

        assert json.loads(curl(f"{place}?ref=master"))["content"] == base64.b64encode(b"open").decode()
        assert curl(f"{place}/raw") == "open"
        assert json.loads(curl(f"{place}/blame?ref=master"))[0]["lines"] == ["open"]
