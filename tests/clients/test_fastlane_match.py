"""fastlane match's storage class, out of the checkout of fastlane that FASTLANE_SOURCE names; ruby is all it needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.programs import reported, works
from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from tests.harness import RunningVault

SCRIPT = Path(__file__).with_name("match.rb")
SOURCE = os.environ.get("FASTLANE_SOURCE", "")  # without it this file is not collected
CERTIFICATE = "certs/distribution/ABC.cer"
FILES = [CERTIFICATE, "certs/distribution/ABC.p12", "profiles/appstore/AppStore_app.mobileprovision"]

pytestmark = [
    pytest.mark.engine("fastlane"),
    pytest.mark.skipif(not works("ruby", "-e", "require 'net/http/post/multipart'"), reason="no ruby-multipart-post"),
]


class TestStorage:
    @pytest.mark.parametrize("kind", ["private_token", "job_token"])
    def test_uploads_downloads_deletes_and_goes_on_where_a_name_is_taken(
        self, vault: RunningVault, tmp_path: Path, kind: str
    ) -> None:
        project = vault.project()
        _, job = vault.job(vault.root, project["id"])
        token = job.token if kind == "job_token" else ROOT_TOKEN
        assert token
        path = project["path_with_namespace"]

        told = reported("ruby", SCRIPT, SOURCE, vault.url, path, kind, token, cwd=tmp_path)

        assert f"{CERTIFICATE} already exists in GitLab project {path}, file not uploaded" in told["error"]
        assert told["downloaded"] == FILES
        assert told["same"] is True
        assert told["left"] == [CERTIFICATE]
