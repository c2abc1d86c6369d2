"""`doctor`: what is wrong with signing files as one set, in a folder and over HTTP, and what a pipeline goes by."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.runner import Outcome, run
from tests.engines import files
from tests.harness import ROOT_TOKEN
from tests.server.support import files_of, sample
from tests.vault.core import Core, Found, opened
from vault import clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import RunningVault

FIELDS = ["project", "code", "severity", "what", "files", "what_to_do", "expires_at"]


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        yield core


def put(core: Core, project_id: int, name: str, days: int | None, error: str | None = None) -> None:
    """Keep a file that expires in so many days."""
    expires_at = None if days is None else clock.stamp(datetime.now(UTC) + timedelta(days=days, hours=12))
    core.reader.answer = Found("jks", None if error else {"kind": "jks"}, expires_at, error)
    core.secure_files.add(project_id, name, b"")


def examined(core: Core, *argv: str) -> Outcome:
    return run("doctor", "--data", core.folder, *argv)


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.err == ""
    return list(json.loads(outcome.out))


class TestExitStatus:
    def test_0_when_nothing_is_wrong(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.jks", 100)

        outcome = examined(core)

        assert (outcome.status, outcome.out, outcome.err) == (0, "nothing is wrong with these files\n", "")

    def test_0_when_nothing_is_an_error(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.jks", 5)

        assert examined(core).status == 0

    def test_1_when_something_is(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.jks", -5)

        assert examined(core).status == 1

    @files
    def test_5_when_there_is_no_vault(self, tmp_path: Path) -> None:
        outcome = run("doctor", "--data", tmp_path / "nowhere")

        assert outcome.status == 5
        assert "there is no vault in" in outcome.err


class TestJson:
    def test_has_the_findings_of_all_projects_the_most_severe_first(self, core: Core) -> None:
        user = core.user()
        first, second = core.project(user), core.project(user)
        put(core, first.id, "soon.jks", 5)
        put(core, first.id, "locked.jks", None, "password_missing")
        put(core, second.id, "gone.jks", -5)
        put(core, second.id, "long-gone.jks", -50)

        found = rows(examined(core, "--format", "json"))

        assert [row["files"][0]["name"] for row in found] == ["long-gone.jks", "gone.jks", "soon.jks", "locked.jks"]
        assert [row["project"] for row in found] == [
            second.full_path,
            second.full_path,
            first.full_path,
            first.full_path,
        ]
        assert all(list(row) == FIELDS for row in found)

    def test_of_an_empty_vault_is_an_empty_list(self, core: Core) -> None:
        assert rows(examined(core, "--format", "json")) == []


class TestProject:
    def test_is_named_by_path_or_number(self, core: Core) -> None:
        user = core.user()
        wanted, other = core.project(user), core.project(user)
        for project in (wanted, other):
            put(core, project.id, "a.jks", -5)

        for name in (wanted.full_path, wanted.full_path.upper(), str(wanted.id)):
            found = rows(examined(core, "--project", name, "--format", "json"))
            assert [row["project"] for row in found] == [wanted.full_path]

    @pytest.mark.parametrize("name", ["nobody/nothing", "999", "", "-1"])
    def test_that_is_not_there_is_told(self, core: Core, name: str) -> None:
        outcome = examined(core, f"--project={name}")

        assert (outcome.status, outcome.out) == (5, "")
        assert outcome.err == f"secure-files: there is no project {name!r}\n"


class TestTable:
    def test_tells_what_is_wrong_with_which_files_and_what_to_do(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.jks", -5)

        head, line = examined(core).out.splitlines()

        assert head.split() == ["SEVERITY", "PROJECT", "FILES", "FINDING"]
        assert line.split()[0] == "error"
        assert line.split()[2] == "a.jks"
        assert line.endswith("Renew it and replace it, or delete it.")

    def test_no_name_steers_the_terminal(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a\x1b[2J\u202e.jks", -5)

        out = examined(core).out

        assert "\x1b" not in out
        assert "\u202e" not in out


class TestOverHttp:
    @pytest.fixture
    def project(self, vault: RunningVault) -> dict[str, Any]:
        """A project with something to find."""
        made = vault.project()
        assert vault.root.upload(made["id"], "old.cer", sample("development-expired.CER")).status == 201
        return made

    @pytest.fixture(autouse=True)
    def token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECURE_FILES_TOKEN", ROOT_TOKEN)

    def test_says_what_the_server_says(self, vault: RunningVault, project: dict[str, Any]) -> None:
        for name in (project["path_with_namespace"], str(project["id"])):
            outcome = run("doctor", "--url", vault.url, "--project", name, "--format", "json")

            expected = vault.root.get(f"{files_of(project)}/health").json
            assert rows(outcome) == [{"project": name, **finding} for finding in expected]
            assert outcome.status == 1

    def test_says_the_same_as_the_folder(self, vault: RunningVault, project: dict[str, Any]) -> None:
        """Of all projects that the token reaches."""
        remote = run("doctor", "--url", vault.url, "--format", "json")
        local = run("doctor", "--data", vault.settings.data, "--format", "json")

        assert project["path_with_namespace"] in {row["project"] for row in rows(remote)}
        assert rows(remote) == rows(local)

    def test_a_job_looks_at_its_own_project(
        self, vault: RunningVault, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """By the variables that every job has, and nothing else."""
        _, job = vault.job(vault.root, project["id"])
        monkeypatch.delenv("SECURE_FILES_TOKEN")
        monkeypatch.setenv("CI_API_V4_URL", f"{vault.url}/api/v4")
        monkeypatch.setenv("CI_JOB_TOKEN", str(job.token))
        monkeypatch.chdir(tmp_path)

        assert {row["project"] for row in rows(run("doctor", "--format", "json"))} == {project["path_with_namespace"]}

    def test_a_project_that_is_not_there_is_the_servers_word(self, vault: RunningVault) -> None:
        outcome = run("doctor", "--url", vault.url, "--project", "no/such")

        assert outcome.status == 5
        assert "404" in outcome.err
