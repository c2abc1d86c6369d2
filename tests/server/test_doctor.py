"""`GET /projects/:id/secure_files/health`: the signing set as a whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import files
from tests.server.support import files_of, sample

if TYPE_CHECKING:
    from tests.harness import Client, RunningVault

PASSWORD = "sample"


def codes(client: Client, project: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the files that each code was found for."""
    found: dict[str, list[str]] = {}
    for finding in client.get(f"{files_of(project)}/health").json:
        found.setdefault(finding["code"], []).extend(place["name"] for place in finding["files"])
    return {code: sorted(names) for code, names in found.items()}


class TestHealth:
    def test_of_no_files_is_an_empty_list(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = vault.root.get(f"{files_of(project)}/health")

        assert (answer.status, answer.json) == (200, [])

    def test_tells_of_each_finding_what_it_is_of_which_files_and_what_to_do(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        made = vault.root.upload(project["id"], "old.cer", sample("development-expired.CER")).json

        expired, keyless = vault.root.get(f"{files_of(project)}/health").json

        assert expired == {
            "code": "expired",
            "severity": "error",
            "what": "It expired on 2026-10-22.",
            "files": [{"id": made["id"], "name": "old.cer"}],
            "what_to_do": "Renew it and replace it, or delete it.",
            "expires_at": "2026-10-22T12:00:00.000Z",
        }
        assert (keyless["code"], keyless["severity"]) == ("private_key_missing", "warning")

    def test_sees_what_the_samples_are_to_each_other(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """Certificates, keys, keystores and profiles as Apple's and Android's tools write them."""
        names = ("sample.p12", "app-store.mobileprovision", "sample.mobileprovision", "release.jks", "debug.keystore",
                 "push-services.crt", "chain.pem", "truncated.jks", "legacy.p12")  # fmt: skip
        for name in names:
            password = {} if name in ("sample.p12", "debug.keystore") else {"password": PASSWORD}
            assert vault.root.upload(project["id"], name, sample(name), **password).status == 201

        found = codes(vault.root, project)

        assert found["debug_keystore"] == ["debug.keystore"]
        assert found["unreadable"] == ["truncated.jks"]
        assert found["private_key_missing"] == ["chain.pem", "push-services.crt"]
        assert found["profile_certificate_missing"] == ["app-store.mobileprovision", "sample.mobileprovision"]
        assert "same_key" not in found

    def test_finds_the_certificate_of_a_profile_by_its_fingerprint(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        """Two certificates of one key are two: the profile names one of them."""
        vault.root.upload(project["id"], "app.mobileprovision", sample("app-store.mobileprovision"))
        vault.root.upload(project["id"], "dist.cer", certificate_of_profile("app-store.mobileprovision"))

        assert "profile_certificate_missing" not in codes(vault.root, project)

    def test_knows_a_key_in_two_files(self, vault: RunningVault, project: dict[str, Any]) -> None:
        for name in ("1.jks", "2.jks"):
            vault.root.upload(project["id"], name, sample("upload-keystore.jks"))

        assert codes(vault.root, project)["same_key"] == ["1.jks", "2.jks"]

    def test_follows_what_is_read_again_with_a_password(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.p12", sample("distribution.p12")).json
        assert codes(vault.root, project)["unreadable"] == ["a.p12"]

        vault.root.post(f"{files_of(project)}/{made['id']}/metadata", json={"password": PASSWORD})

        assert "unreadable" not in codes(vault.root, project)


class TestWhoMayAsk:
    @pytest.mark.parametrize(("level", "status"), [(20, 403), (30, 200), (40, 200)])
    def test_developers_and_up(self, vault: RunningVault, project: dict[str, Any], level: int, status: int) -> None:
        assert vault.member(project["id"], level).get(f"{files_of(project)}/health").status == status

    def test_nobody_else_knows_that_there_is_such_a_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        _, stranger = vault.user()

        assert stranger.get(f"{files_of(project)}/health").status == 404
        assert vault.nobody.get(f"{files_of(project)}/health").status == 401

    def test_a_token_for_reading_will_do_and_a_jobs(self, vault: RunningVault, project: dict[str, Any]) -> None:
        _, job = vault.job(vault.root, project["id"])

        assert job.get(f"{files_of(project)}/health").status == 200
        assert vault.member(project["id"], 30, "read_api").get(f"{files_of(project)}/health").status == 200

    def test_a_project_may_be_named_by_its_path(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = project["path_with_namespace"].replace("/", "%2F")

        assert vault.root.get(f"/projects/{path}/secure_files/health").status == 200


class TestItsPlace:
    def test_only_get_is_there(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """As for any other id that is none."""
        assert vault.root.delete(f"{files_of(project)}/health").status == 404

    @files
    def test_nothing_of_a_file_is_opened_for_it(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """What was read at upload is enough: the stored bytes may even be gone."""
        made = vault.root.upload(project["id"], "a.cer", sample("sample.cer") + bytes(70_000)).json
        blob = vault.services.secure_files.get(project["id"], made["id"]).blob_id
        next(path for path in vault.settings.data.rglob(f"*{blob}*") if path.is_file()).unlink()

        assert "private_key_missing" in json.dumps(vault.root.get(f"{files_of(project)}/health").json)


def certificate_of_profile(name: str) -> bytes:
    """Return the certificate inside a sample profile, as another library reads it."""
    import plistlib

    from asn1crypto import cms

    content = cms.ContentInfo.load(sample(name))["content"]["encap_content_info"]["content"].native
    return bytes(plistlib.loads(content)["DeveloperCertificates"][0])
