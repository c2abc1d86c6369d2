"""Nineteen things that one client or another trips over, each as that client meets it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.ci import Ci
from tests.server.support import MULTIPART, exchange, multipart, part, request, sample

if TYPE_CHECKING:
    from tests.harness import RunningVault

NAME = "certs/distribution/ABC.cer"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CHANGE = {"branch": "main", "commit_message": "m"}


@pytest.fixture
def own(project: dict[str, Any]) -> str:
    """The project's path below /api/v4."""
    return f"/projects/{project['id']}"


@pytest.fixture
def ci(vault: RunningVault, project: dict[str, Any]) -> Ci:
    return Ci(vault, project)


def committed(vault: RunningVault, own: str, path: str, content: str = "text\n") -> None:
    answer = vault.root.post(f"{own}/repository/files/{quote(path, safe='')}", json={**CHANGE, "content": content})
    assert answer.status == 201, answer


class TestTraps:
    def test_1_a_delete_has_its_parameters_in_the_query_or_a_body_and_the_path_wins(
        self, vault: RunningVault, own: str
    ) -> None:
        ways: list[dict[str, Any]] = [
            {"params": CHANGE, "headers": JSON},
            {"json": {**CHANGE, "file_path": "other", "start_branch": None, "avatar": "?"}},
            {"data": CHANGE},
            {"files": {name: (None, value) for name, value in CHANGE.items()}},
        ]
        for way in ways:
            committed(vault, own, "a/b")
            assert vault.root.delete(f"{own}/repository/files/a%2Fb", **way).status == 204

    @pytest.mark.parametrize("body", [b"", b"{}"])
    def test_2_json_without_anything_in_it_is_no_error(self, vault: RunningVault, ci: Ci, body: bytes) -> None:
        file = vault.root.upload(ci.project["id"], "a", b"1").json["id"]

        assert vault.root.get(ci.path, headers=JSON, data=body).status == 200
        assert vault.root.post(f"{ci.archive(ci.job())}/keep", headers=JSON, data=body).status == 200
        assert vault.root.delete(f"{ci.path}/secure_files/{file}", headers=JSON, data=body).status == 204

    def test_3_the_file_comes_before_its_name_with_headers_of_its_own_and_in_chunks(
        self, vault: RunningVault, own: str
    ) -> None:
        more = ("Content-Length: 5", "Content-Transfer-Encoding: binary")
        body = multipart([part("file", b"12345", NAME, *more), part("name", NAME.encode()), part("avatar", b"")])
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, "Transfer-Encoding": "chunked"}

        answer = exchange(vault.url, request("POST", f"/api/v4{own}/secure_files", lines), chunks)

        assert (answer.status, answer.json["name"]) == (201, NAME)

    def test_4_a_name_keeps_its_slashes_and_is_quoted_where_it_is_a_header(
        self, vault: RunningVault, project: dict[str, Any], own: str
    ) -> None:
        name = 'certs/a "b" ü.cer'
        made = vault.root.upload(project["id"], name, b"1").json

        header = vault.root.get(f"{own}/secure_files/{made['id']}/download").headers["Content-Disposition"]

        assert made["name"] == name
        assert header == "attachment; filename=\"a _b_ _.cer\"; filename*=UTF-8''a%20%22b%22%20%C3%BC.cer"

    def test_5_slashes_dots_and_percents_of_a_path_may_be_escaped(self, vault: RunningVault, own: str) -> None:
        for path in ("a/b.rb", "a/raw", "a%41"):
            committed(vault, own, path, f"{path}\n")
        files = f"{own}/repository/files"

        assert vault.root.get(f"{files}/a%2Fb%2Erb/raw").body == b"a/b.rb\n"
        assert vault.root.get(f"{files}/a%2Fraw?ref=main").json["file_path"] == "a/raw"
        assert vault.root.get(f"{files}/a%2541/raw").body == b"a%41\n"
        assert vault.root.get(f"{files}/a/b.rb/raw").status == 404

    def test_6_a_ref_has_its_slashes_raw_and_is_as_long_as_can_be(self, vault: RunningVault, ci: Ci) -> None:
        for ref in ("feature/x", "x/raw"):
            ci.job(ref=ref)
        at = f"{ci.path}/jobs/artifacts"

        assert vault.root.get(f"{at}/feature/x/download?job=build").status == 200
        assert vault.root.get(f"{at}/feature%2Fx/download?job=build").status == 200
        assert vault.root.get(f"{at}/x/raw/raw/report.json?job=build").body == b'{"good": true}'

    def test_7_a_ref_is_needed_but_for_raw_and_head_is_one(self, vault: RunningVault, own: str) -> None:
        committed(vault, own, "a")
        file = f"{own}/repository/files/a"

        assert vault.root.get(f"{file}/raw").status == 200
        for path in (file, f"{file}/blame"):
            assert vault.root.get(path).status == vault.root("HEAD", path).status == 400
            assert vault.root.get(f"{path}?ref=HEAD").status == 200

    def test_8_a_token_comes_in_a_header_of_any_case_in_the_query_or_in_a_form(
        self, vault: RunningVault, ci: Ci
    ) -> None:
        _, job = ci.running()
        files = f"{ci.path}/secure_files"
        nobody = vault.nobody

        assert nobody.get(files, headers={"private-token": ROOT_TOKEN}).status == 200
        assert nobody.get(files, headers={"authorization": f"bearer {ROOT_TOKEN}"}).status == 200
        assert nobody.get(f"{files}?private_token={ROOT_TOKEN}").status == 200
        assert nobody.get(files, headers={"job-token": job.token}).status == 200
        assert nobody.get(f"{files}?job_token={job.token}").status == 200
        assert nobody.delete(f"{files}/999999", data={"job_token": job.token}).status == 404

    def test_9_errors_have_three_shapes(self, vault: RunningVault, project: dict[str, Any], own: str) -> None:
        vault.root.upload(project["id"], "a", b"1")

        assert vault.root.upload(project["id"], "a", b"1").json == {"message": {"name": ["has already been taken"]}}
        assert vault.root.post(f"{own}/secure_files").json == {"error": "name is missing, file is missing"}
        assert vault.root.get("/projects/999999").json == {"message": "404 Project Not Found"}

    def test_10_a_link_has_the_host_and_the_path_that_the_client_used(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        for name in "ab":
            vault.root.upload(project["id"], name, b"1")
        path = f"/projects/{quote(project['path_with_namespace'], safe='')}/secure_files"

        first = vault.root.get(f"{path}?per_page=1", headers={"Host": "vault.test:81"}).headers
        last = vault.root.get(f"{path}?per_page=1&page=2").headers

        assert f"<http://vault.test:81/api/v4{path}?id=" in first["Link"]
        assert '&page=2&per_page=1>; rel="next"' in first["Link"]
        assert last["X-Next-Page"] == ""

    def test_11_a_page_has_20_rows_and_may_have_100(
        self, vault: RunningVault, project: dict[str, Any], own: str
    ) -> None:
        for asked, got in (("", "20"), ("?per_page=100", "100"), ("?per_page=500", "100")):
            assert vault.root.get(f"{own}/secure_files{asked}").headers["X-Per-Page"] == got

    def test_12_nothing_redirects(self, vault: RunningVault, project: dict[str, Any], own: str) -> None:
        made = vault.root.upload(project["id"], "a", b"1").json

        assert vault.root.get(f"{own}/secure_files/{made['id']}/download").status == 200
        for method, path in (("POST", "/projects"), ("PUT", own), ("POST", f"{own}/secure_files")):
            assert vault.root(method, f"{path}/").status == vault.root(method, path).status

    def test_13_downloads_have_a_type_that_no_client_reads_as_text_and_a_length(
        self, vault: RunningVault, ci: Ci
    ) -> None:
        file = vault.root.upload(ci.project["id"], "a.json", b"{}").json
        job = ci.job()
        kinds = {
            f"{ci.path}/secure_files/{file['id']}/download": "application/octet-stream",
            ci.archive(job): "application/octet-stream",
            f"{ci.archive(job)}/report.json": "application/json",
            f"{ci.archive(job)}/index.html": "application/octet-stream",
        }
        for path, kind in kinds.items():
            got, head = vault.root.get(path), vault.root("HEAD", path)
            assert got.headers["Content-Type"] == head.headers["Content-Type"] == kind
            assert got.headers["Content-Length"] == head.headers["Content-Length"] == str(len(got.body))

    def test_14_downloads_are_never_packed(self, vault: RunningVault, project: dict[str, Any], own: str) -> None:
        made = vault.root.upload(project["id"], "a", bytes(50_000)).json

        answer = vault.root.get(f"{own}/secure_files/{made['id']}/download", headers={"Accept-Encoding": "gzip, br"})

        assert "Content-Encoding" not in answer.headers
        assert len(answer.body) == 50_000

    def test_15_go_finds_the_types_it_wants(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.cer", sample("sample.cer")).json
        plain = vault.root.upload(project["id"], "plain", b"1").json

        assert isinstance(made["id"], int)
        assert isinstance(made["metadata"]["id"], str)
        names = [*made["metadata"]["issuer"].values(), *made["metadata"]["subject"].values()]
        assert all(isinstance(each, str) for each in names)
        assert made["expires_at"].endswith("Z")
        assert plain["metadata"] is None
        assert plain["expires_at"] is None

    def test_16_base64_may_have_line_breaks_and_a_download_says_its_plain_name(
        self, vault: RunningVault, ci: Ci
    ) -> None:
        content = bytes(range(256))
        fields = {**CHANGE, "encoding": "base64", "content": base64.encodebytes(content).decode()}

        assert vault.root.post(f"{ci.path}/repository/files/a", data=fields, headers=FORM).status == 201

        assert vault.root.get(f"{ci.path}/repository/files/a/raw").body == content
        for path in (ci.archive(ci.job()), f"{ci.archive(ci.job())}/report.json"):
            headers = vault.root.get(path).headers
            assert 'filename="' in headers["Content-Disposition"]
            assert "charset" not in headers["Content-Type"]

    def test_17_each_kind_of_success_has_its_status(self, vault: RunningVault, ci: Ci) -> None:
        made = vault.root.upload(ci.project["id"], "a", b"1")
        one = f"{ci.path}/secure_files/{made.json['id']}"
        number, runner = ci.running()

        assert made.status == ci.send(runner, number).status == 201
        assert vault.root.put(one, files={"file": ("a", b"2")}).status == 200
        assert vault.root.post(f"{ci.archive(number)}/keep").status == 200
        assert vault.root.delete(f"{ci.path}/artifacts").status == 202
        removed = vault.root.delete(one)
        assert (removed.status, removed.body) == (204, b"")

    def test_18_the_address_of_an_upload_is_one_that_the_web_serves(
        self, vault: RunningVault, project: dict[str, Any], own: str
    ) -> None:
        made = vault.root.post(f"{own}/uploads", files={"file": ("a.bin", b"12345")}).json

        assert made["full_path"] == f"/-/project/{project['id']}{made['url']}"
        assert vault.root.get(made["full_path"]).body == b"12345"

    def test_19_a_jobs_token_ends_with_the_job_as_401(self, vault: RunningVault, ci: Ci) -> None:
        number, job = ci.running()
        assert job.get(f"{ci.path}/secure_files").status == 200

        job.put(f"/jobs/{number}", json={"state": "success"})

        answer = job.get(f"{ci.path}/secure_files")
        assert (answer.status, answer.json) == (401, {"message": "401 Unauthorized"})
