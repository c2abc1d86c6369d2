"""Every page in a real browser: Chromium by playwright-core, examined by axe-core; node finds both by NODE_PATH."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.programs import call, works
from tests.harness import ROOT_TOKEN
from tests.zips import archive

if TYPE_CHECKING:
    from tests.harness import RunningVault

HERE = Path(__file__).parent
SAMPLES = HERE.parent.parent / "sample_certs" / "files"
EVIL = b"<html><svg xmlns='http://www.w3.org/2000/svg'><script>window.hacked = 1; alert(1)</script></svg></html>"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.engine("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(
        not works("node", "-e", "require('playwright-core'); require('axe-core')"),
        reason="node finds no playwright-core or axe-core",
    ),
]


@pytest.fixture(scope="module")
def told(vault: RunningVault, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a browser saw of a project with something on every page."""
    project = vault.project()["id"]
    for name in ("release.jks", "sample.mobileprovision", "forgotten.p12", "development-expired.CER", "names.cer"):
        vault.root.upload(project, name, (SAMPLES / name).read_bytes())
    for name, content in (("taken.cer", b"x"), ("evil.svg", EVIL), ("evil.html", EVIL), ("<b>&\"'.cer", b"x")):
        vault.root.upload(project, name, content)
    vault.root.post(f"/projects/{project}/uploads", files={"file": ("evil.svg", EVIL)})
    _, job = vault.job(vault.root, project)
    number = job.get("/job").json["id"]
    left = archive({"evil.html": EVIL, "folder/a b.txt": b"x", "folder/deep/c.bin": b"y"})
    sent = job.post(f"/jobs/{number}/artifacts", files={"file": ("artifacts.zip", left)})
    assert sent.status == 201
    command = ("node", HERE / "driven.cjs", vault.url, ROOT_TOKEN, str(project), SAMPLES)
    seen: dict[str, Any] = json.loads(call(*command, cwd=tmp_path_factory.mktemp("node"), patience=240.0))
    return seen


class TestPages:
    def test_have_no_serious_fault_for_who_cannot_see_and_fit_a_phone(self, told: dict[str, Any]) -> None:
        assert told["faults"] == []

    def test_raise_no_error_in_their_script(self, told: dict[str, Any]) -> None:
        assert told["errors"] == []

    def test_are_reached_by_keyboard(self, told: dict[str, Any]) -> None:
        assert told["first"] == "Skip to the content"
        assert any(place.startswith("/-/projects/") for place in told["reached"])


class TestFiles:
    def test_are_dropped_read_copied_from_replaced_and_deleted(self, told: dict[str, Any]) -> None:
        assert told["chosen"] == "distribution.p12"
        assert told["uploaded"] == "The file is in the vault."
        assert "password" in told["locked"]
        assert told["read"].startswith("Expires in")
        assert len(told["copied"]) >= 59
        assert told["same"]
        assert told["replaced"] == "certificate"
        assert not told["deleted"]

    def test_that_are_refused_are_told_beside_the_form(self, told: dict[str, Any]) -> None:
        assert told["taken"] == "Name has already been taken."


class TestHostileFiles:
    def test_are_saved_and_never_run(self, told: dict[str, Any]) -> None:
        assert (told["evil.svg"], told["evil.html"]) == ("evil.svg", "evil.html")
        assert not told["ran"]
        assert told["dialogs"] == 0


class TestSessions:
    def test_take_no_form_of_another_site(self, told: dict[str, Any]) -> None:
        assert "another site" in told["forged"]

    def test_are_of_no_use_after_signing_out(self, told: dict[str, Any]) -> None:
        assert told["stolen"].startswith("/-/sign_in")
