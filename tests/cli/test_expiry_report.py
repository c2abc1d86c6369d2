"""`expiry-report`: what expires, soonest first, in every form, and the exit status that a pipeline goes by."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sample_certs.catalogue import catalogue
from tests.cli.runner import Outcome, run
from tests.engines import files
from tests.harness import ROOT_TOKEN
from tests.vault.core import Core, Found, opened
from vault import clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import RunningVault

FIELDS = ["project_id", "project", "id", "name", "kind", "expires_at", "days_left", "status"]
# Half a day more than the number of days, so that the tests need not hurry.
DAYS = {"gone.cer": -3, "soon.cer": 5, "month.p12": 29, "later.jks": 100, "last.cer": None}
LAST = "9999-12-31T23:59:59.000Z"


def in_days(days: int) -> str:
    return clock.stamp(datetime.now(UTC) + timedelta(days=days, hours=12))


def put(core: Core, project_id: int, name: str, expires_at: str | None, error: str | None = None) -> None:
    core.reader.answer = Found(None if error else "certificate", expires_at=expires_at, error=error)
    core.secure_files.add(project_id, name, b"")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        yield core


@pytest.fixture
def full(core: Core) -> Core:
    """A vault with files of two projects, added in no order."""
    user = core.user("ada")
    projects = [core.project(user).id for _ in range(2)]
    for number, (name, days) in enumerate(sorted(DAYS.items())):
        put(core, projects[number % 2], name, LAST if days is None else in_days(days))
    put(core, projects[0], "never.p8", None)
    return core


def report(core: Core, *argv: str) -> Outcome:
    return run("expiry-report", "--data", core.folder, *argv)


def rows(core: Core, *argv: str) -> list[dict[str, Any]]:
    outcome = report(core, "--format", "json", *argv)
    assert (outcome.status, outcome.err) == (0, "")
    return list(json.loads(outcome.out))


def names(core: Core, *argv: str) -> list[str]:
    return [row["name"] for row in rows(core, *argv)]


class TestJson:
    def test_is_a_list_soonest_first_across_projects(self, full: Core) -> None:
        found = rows(full)

        assert [row["name"] for row in found] == list(DAYS)
        assert [row["expires_at"] for row in found] == sorted(row["expires_at"] for row in found)
        assert len({row["project"] for row in found}) == 2

    def test_each_row_has_the_same_fields(self, full: Core) -> None:
        for row in rows(full):
            assert list(row) == FIELDS
            assert row["project"] == full.projects.get(row["project_id"]).full_path
            assert full.secure_files.get(row["project_id"], row["id"]).name == row["name"]

    def test_days_and_status_tell_how_long_it_is_good(self, full: Core) -> None:
        found = {row["name"]: (row["days_left"], row["status"]) for row in rows(full)}

        assert found.pop("last.cer")[1] == "valid"
        assert found == {
            "gone.cer": (-3, "expired"),
            "soon.cer": (5, "expiring"),
            "month.p12": (29, "expiring"),
            "later.jks": (100, "valid"),
        }

    def test_of_an_empty_vault_is_an_empty_list(self, core: Core) -> None:
        outcome = report(core, "--format", "json")

        assert (outcome.status, json.loads(outcome.out), outcome.err) == (0, [], "")


class TestWithin:
    @pytest.mark.parametrize(
        ("within", "count"),
        [
            *(("0", 1), ("0d", 1), ("5d", 1), ("6d", 2), ("131h", 1), ("133h", 2)),
            *(("4w", 2), ("5W", 3), (" 365 d ", 4), ("999999w", 5)),
        ],
    )
    def test_narrows_to_what_expires_in_the_time_or_has(self, full: Core, within: str, count: int) -> None:
        assert names(full, "--within", within) == list(DAYS)[:count]

    @pytest.mark.parametrize("within", ["", "d", "-1d", "1.5d", "1m", "1d1h", "soon", "10000000d"])
    def test_what_is_no_duration_is_refused(self, core: Core, within: str) -> None:
        outcome = report(core, f"--within={within}")

        assert (outcome.status, outcome.out) == (2, "")
        assert "is not a duration such as 30d, 4w or 12h" in outcome.err


class TestFailWithin:
    @pytest.mark.parametrize("within", ["0d", "7d", "365d"])
    def test_1_as_soon_as_something_has_expired(self, full: Core, within: str) -> None:
        assert report(full, "--fail-within", within).status == 1

    @pytest.mark.parametrize(
        ("days", "within", "status"), [(8, "7d", 0), (6, "7d", 1), (8, "9d", 1), (0, "11h", 0), (0, "13h", 1)]
    )
    def test_1_when_something_will(self, core: Core, days: int, within: str, status: int) -> None:
        put(core, core.project(core.user()).id, "a.cer", in_days(days))

        assert report(core, "--fail-within", within).status == status

    def test_0_when_there_is_nothing(self, core: Core) -> None:
        assert report(core, "--fail-within", "7d").status == 0

    def test_the_whole_report_is_printed_all_the_same(self, full: Core) -> None:
        outcome = report(full, "--fail-within", "7d", "--format", "json")

        assert [row["name"] for row in json.loads(outcome.out)] == list(DAYS)
        assert (outcome.status, outcome.err) == (1, "")

    def test_a_narrower_report_hides_nothing_from_the_check(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.cer", in_days(20))
        outcome = report(core, "--within", "7d", "--fail-within", "30d", "--format", "json")

        assert (outcome.status, json.loads(outcome.out)) == (1, [])

    def test_a_wider_report_does_not_fail_the_check(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "a.cer", in_days(20))
        outcome = report(core, "--within", "30d", "--fail-within", "7d", "--format", "json")

        assert (outcome.status, len(json.loads(outcome.out))) == (0, 1)


class TestTable:
    def test_has_a_head_and_a_line_for_each_file(self, full: Core) -> None:
        head, *lines = report(full).out.splitlines()
        date = rows(full)[1]["expires_at"][:10]

        assert head.split() == ["PROJECT", "NAME", "KIND", "EXPIRES", "DAYS", "STATUS"]
        assert [line.split()[1] for line in lines] == list(DAYS)
        assert lines[1].split()[2:] == ["certificate", date, "5", "expiring"]
        assert lines[-1].split()[3] == "9999-12-31"

    def test_columns_stand_below_their_heads_and_numbers_end_below_theirs(self, full: Core) -> None:
        head, *lines = report(full).out.splitlines()

        for line in lines:
            assert line[head.index("NAME") - 1] == " "
            assert line.index(line.split()[1]) == head.index("NAME")
            assert line[: head.index("DAYS") + 4].split()[-1] == line.split()[4]

    def test_of_nothing_says_so(self, core: Core) -> None:
        outcome = report(core)

        assert (outcome.status, outcome.out, outcome.err) == (0, "nothing expires in this time\n", "")

    @pytest.mark.parametrize("char", ["\x1b", "\x9b", "\x07", "\u202e", "\u2066", "\u2028", "\u200b", "\x7f"])
    def test_no_name_steers_the_terminal(self, core: Core, char: str) -> None:
        put(core, core.project(core.user()).id, f"a{char}[2Jb.cer", in_days(1))
        out = report(core).out

        assert char not in out
        assert len(out.splitlines()) == 2
        assert "a\\" in out

    def test_names_of_any_script_can_be_read(self, core: Core) -> None:
        put(core, core.project(core.user()).id, "certs/ключ Ünï 鍵.cer", in_days(1))

        assert " certs/ключ Ünï 鍵.cer " in report(core).out


class TestCsv:
    def test_has_the_fields_of_the_json(self, full: Core) -> None:
        read = list(csv.DictReader(report(full, "--format", "csv").out.splitlines()))

        assert read == [{key: str(value) for key, value in row.items()} for row in rows(full)]

    @pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "=cmd|'/c calc'!A1"])
    def test_no_cell_is_a_formula(self, core: Core, name: str) -> None:
        put(core, core.project(core.user()).id, name, in_days(1))
        (row,) = csv.DictReader(report(core, "--format", "csv").out.splitlines())

        assert row["name"] == f"'{name}"

    def test_commas_and_quotes_stay_in_their_cell(self, core: Core) -> None:
        put(core, core.project(core.user()).id, 'a, "b".cer', in_days(1))
        (row,) = csv.DictReader(report(core, "--format", "csv").out.splitlines())

        assert row["name"] == 'a, "b".cer'


class TestUnread:
    @pytest.mark.parametrize(("count", "text"), [(1, "1 file could"), (2, "2 files could")])
    def test_files_that_could_not_be_read_are_counted_on_stderr(self, core: Core, count: int, text: str) -> None:
        project = core.project(core.user()).id
        for number in range(count):
            put(core, project, f"{number}.p12", None, "password_missing")
        outcome = report(core, "--format", "json")

        assert (outcome.status, json.loads(outcome.out)) == (0, [])
        assert outcome.err.startswith(f"secure-files: {text} not be read and may expire unnoticed")


class TestVault:
    def test_it_need_not_be_stopped_for_it(self, full: Core) -> None:
        assert len(rows(full)) == len(DAYS)
        put(full, 1, "another.cer", in_days(1))
        assert len(rows(full)) == len(DAYS) + 1

    @files
    def test_5_where_there_is_none_and_none_is_made(self, tmp_path: Path) -> None:
        outcome = run("expiry-report", "--data", tmp_path / "absent")

        assert (outcome.status, outcome.out) == (5, "")
        assert f"there is no vault in {tmp_path / 'absent'}" in outcome.err
        assert list(tmp_path.iterdir()) == []

    def test_3_without_the_keyring(self, core: Core) -> None:
        core.keyring_file.unlink()

        assert report(core).status == 3

    def test_2_for_a_form_there_is_not(self, core: Core) -> None:
        assert report(core, "--format", "xml").status == 2


class TestOverHttp:
    """`--url` asks a server for the same."""

    @pytest.fixture
    def served(self, vault: RunningVault, monkeypatch: pytest.MonkeyPatch) -> RunningVault:
        monkeypatch.setenv("SECURE_FILES_TOKEN", ROOT_TOKEN)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        return vault

    def remote(self, vault: RunningVault, *argv: str) -> Outcome:
        return run("expiry-report", "--url", vault.url, *argv)

    def test_says_what_it_says_of_the_folder(self, served: RunningVault) -> None:
        made = datetime.now(UTC).replace(microsecond=0)
        project = served.project()["id"]
        for sample in catalogue():
            if sample.name in {"sample.cer", "development-expired.CER", "rubbish.cer", "AuthKey_SAMPLE0000.p8"}:
                assert served.root.upload(project, sample.name, sample.contents(made)).status == 201
        here = run("expiry-report", "--data", served.settings.data, "--format", "json")
        there = self.remote(served, "--format", "json")

        assert [row["name"] for row in json.loads(there.out)] == ["development-expired.CER", "sample.cer"]
        assert json.loads(there.out) == json.loads(here.out)
        assert (there.status, there.err) == (0, here.err)
        assert "1 file could not be read" in there.err
        assert self.remote(served, "--fail-within", "1d").status == 1
        assert json.loads(self.remote(served, "--within", "1d", "--format", "json").out) == json.loads(there.out)[:1]

    def test_a_token_that_is_refused_ends_with_5_and_is_not_shown(
        self, served: RunningVault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTHER_TOKEN", "hunter2")
        outcome = self.remote(served, "--token-env", "OTHER_TOKEN")

        assert (outcome.status, outcome.out) == (5, "")
        assert "the vault answered 401" in outcome.err
        assert "hunter2" not in outcome.err

    def test_no_token_is_a_mistake(self, served: RunningVault, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SECURE_FILES_TOKEN")
        outcome = self.remote(served)

        assert (outcome.status, outcome.out) == (2, "")
        assert "token is missing: set SECURE_FILES_TOKEN" in outcome.err

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://x", "vault.example.com", ""])
    def test_where_there_is_no_vault_it_ends_with_5(self, served: RunningVault, url: str) -> None:
        outcome = run("expiry-report", "--url", url)

        assert (outcome.status, outcome.out) == (5, "")
        assert outcome.err.count("\n") == 1
