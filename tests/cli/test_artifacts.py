"""`artifacts`: what is kept, and why, without touching anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.runner import Outcome, run
from tests.vault.ci import Ci, ci_of
from tests.vault.core import Core, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        yield core


@pytest.fixture
def ci(core: Core) -> Ci:
    """A project with an artifact of each fate."""
    ci = ci_of(core)
    ci.leave(ci.job(ci.pipeline(), left=None), b"x" * 1_500_000, expire_in="1 day")
    ci.job(ci.pipeline("b"), status="failed")
    ci.leave(ci.job(ci.pipeline("c"), status="failed", left=None), expire_in="1 day")
    ci.age(ci.job(ci.pipeline("d"), "over", status="failed"))
    return ci


def report(core: Core, *argv: str) -> Outcome:
    return run("artifacts", "--data", core.folder, *argv)


class TestReport:
    def test_is_a_table_with_totals_on_stderr(self, core: Core, ci: Ci) -> None:
        told = report(core)

        lines = told.out.splitlines()
        assert told.status == 0
        assert lines[0].split() == ["PROJECT", "JOB", "NAME", "REF", "TYPE", "MIB", "FATE", "WHY"]
        assert lines[1].endswith("main  archive  1.4  locked    of the newest successful pipeline of main")
        assert [line.split()[6] for line in lines[1:]] == ["locked", "kept", "expiring", "expired"]
        assert told.err.splitlines() == [
            "secure-files: locked: 1 artifact, 1.4 MiB",
            "secure-files: kept: 1 artifact, 0.0 MiB",
            "secure-files: expiring: 1 artifact, 0.0 MiB",
            "secure-files: expired: 1 artifact, 0.0 MiB",
        ]

    def test_removes_nothing(self, core: Core, ci: Ci) -> None:
        report(core)

        assert len(core.sql("SELECT id FROM artifacts")) == 4

    def test_may_be_json_and_of_one_fate(self, core: Core, ci: Ci) -> None:
        (row,) = json.loads(report(core, "--format", "json", "--fate", "expired").out)

        assert (row["project"], row["job"], row["ref"]) == (ci.project.full_path, "over", "d")
        assert row["reason"] == "the next sweep removes it"

    def test_may_be_of_one_project(self, core: Core, ci: Ci) -> None:
        other = ci_of(core)

        assert report(core, "--project", other.project.full_path).out == "there are no artifacts\n"
        assert len(report(core, "--project", ci.project.full_path).out.splitlines()) == 5

    def test_of_a_project_that_is_not_there_is_an_error(self, core: Core) -> None:
        told = report(core, "--project", "nix/nix")

        assert (told.status, told.err) == (5, "secure-files: there is no project nix/nix\n")
