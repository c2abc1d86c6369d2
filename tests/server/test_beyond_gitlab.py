"""What GitLab's secure files cannot do: replace, filter, read again, list across projects, conditional requests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.harness import Answer, Client, RunningVault

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def replace(client: Client, project: int, file: int, content: bytes, **fields: str) -> Answer:
    return client.put(f"/projects/{project}/secure_files/{file}", data=fields, files={"file": ("f", content)})


class TestReplacing:
    def test_keeps_id_and_name_and_gives_the_new_content(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.cer", sample("sample.cer")).json

        changed = replace(vault.root, project["id"], made["id"], sample("push-services.crt"))

        assert changed.status == 200
        assert (changed.json["id"], changed.json["name"]) == (made["id"], "a.cer")
        assert changed.json["checksum"] == hashlib.sha256(sample("push-services.crt")).hexdigest()
        assert changed.json["expires_at"] != made["expires_at"]
        down = vault.root.get(f"/projects/{project['id']}/secure_files/{made['id']}/download")
        assert down.body == sample("push-services.crt")

    def test_needs_a_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", b"1").json

        answer = vault.root.put(f"/projects/{project['id']}/secure_files/{made['id']}", data={"name": "b"})

        assert (answer.status, answer.json) == (400, {"error": "file is missing"})

    def test_of_a_file_that_is_not_there_is_404(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert replace(vault.root, project["id"], 999_999, b"x").status == 404

    def test_is_for_maintainers(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", b"1").json

        assert replace(vault.member(project["id"], 30), project["id"], made["id"], b"2").status == 403
        assert replace(vault.member(project["id"], 40), project["id"], made["id"], b"2").status == 200

    def test_of_too_large_a_file_leaves_the_old_one(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", b"old").json

        assert replace(vault.root, project["id"], made["id"], bytes(5 * 1024 * 1024)).status == 413

        down = vault.root.get(f"/projects/{project['id']}/secure_files/{made['id']}/download")
        assert down.body == b"old"


class TestPasswords:
    def test_one_given_at_upload_opens_the_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        without = vault.root.upload(project["id"], "1.p12", sample("distribution.p12")).json
        opened = vault.root.upload(project["id"], "2.p12", sample("distribution.p12"), password="sample").json

        assert without["metadata"] is None
        assert without["metadata_error"] == "password_missing"
        assert opened["metadata"]["subject"]["CN"]
        assert opened["metadata_error"] is None

    def test_one_given_later_reads_the_file_again(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "1.p12", sample("distribution.p12")).json
        path = f"/projects/{project['id']}/secure_files/{made['id']}"

        wrong = vault.root.post(f"{path}/metadata", json={"password": "wrong"})
        right = vault.root.post(f"{path}/metadata", json={"password": "sample"})
        wrong_again = vault.root.post(f"{path}/metadata", json={"password": "wrong"})

        assert (wrong.status, wrong.json["metadata"], wrong.json["metadata_error"]) == (200, None, "password_wrong")
        assert right.json["metadata"] is not None
        assert right.json["metadata_error"] is None
        assert wrong_again.json["metadata"] == right.json["metadata"], "what was read before stays"
        assert vault.root.get(path).json == right.json


class TestFilters:
    def test_a_name_finds_one_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        for name in ("a/x", "b", "B"):
            vault.root.upload(project["id"], name, b"1")

        found = vault.root.get(f"/projects/{project['id']}/secure_files?name=b")

        assert [file["name"] for file in found.json] == ["b"]
        assert found.headers["X-Total"] == "1"

    def test_a_date_finds_what_expires_before_it(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.upload(project["id"], "old", sample("development-expired.CER"))
        vault.root.upload(project["id"], "new", sample("names.cer"))
        vault.root.upload(project["id"], "never", b"not a certificate")
        path = f"/projects/{project['id']}/secure_files?expires_before="

        assert [file["name"] for file in vault.root.get(f"{path}2027-01-01").json] == ["old"]
        assert [file["name"] for file in vault.root.get(f"{path}2027-01-01T00:00:00Z").json] == ["old"]
        assert len(vault.root.get(f"{path}2200-01-01T00:00:00%2B02:00").json) == 2
        assert vault.root.get(f"{path}soon").json == {"error": "expires_before is invalid"}


class TestAcrossProjects:
    def test_a_caller_sees_what_he_may_read_soonest_first(self, vault: RunningVault) -> None:
        own, other = vault.project(), vault.project()
        client = vault.member(own["id"], 30)
        vault.root.upload(own["id"], "never", b"1")
        vault.root.upload(own["id"], "late.cer", sample("names.cer"))
        vault.root.upload(own["id"], "soon.cer", sample("sample.cer"))
        vault.root.upload(other["id"], "hidden.cer", sample("sample.cer"))

        found = client.get("/secure_files")

        assert [file["name"] for file in found.json] == ["soon.cer", "late.cer", "never"]
        assert {file["project"] for file in found.json} == {own["path_with_namespace"]}
        assert {file["project_id"] for file in found.json} == {own["id"]}
        assert client.get("/secure_files?name=late.cer&per_page=1").headers["X-Total"] == "1"

    def test_a_reporter_sees_nothing(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.upload(project["id"], "a", b"1")

        assert vault.member(project["id"], 20).get("/secure_files").json == []

    def test_a_job_sees_its_own_project_only(self, vault: RunningVault) -> None:
        own, other = vault.project(), vault.project()
        vault.root.upload(own["id"], "mine", b"1")
        vault.root.upload(other["id"], "theirs", b"1")
        _, job = vault.job(vault.root, own["id"])

        assert [file["name"] for file in job.get("/secure_files").json] == ["mine"]

    def test_nobody_sees_nothing(self, vault: RunningVault) -> None:
        assert vault.nobody.get("/secure_files").status == 401


class TestConditionalLists:
    def test_who_has_the_list_already_gets_304(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}/secure_files"
        first = vault.root.get(path)

        again = vault.root.get(path, headers={"If-None-Match": first.headers["ETag"]})
        vault.root.upload(project["id"], "a", b"1")
        changed = vault.root.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert (again.status, again.body) == (304, b"")
        assert changed.status == 200
