"""`import` brings a project's secure files over from another server, as often as it takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.between import Asked, Between, Reply
from tests.cli.pipeline import Job, job
from tests.cli.runner import Outcome, run
from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.support import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["job"]
FILES = {"sample.cer": sample("sample.cer"), "certs/b.jks": b"\0b", "c": b""}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """Another vault, where the files are."""
    with RunningVault(tmp_path_factory.mktemp("other") / "data") as running:
        yield running


class Move:
    """A project with files at another vault, and an empty one at this."""

    def __init__(self, job: Job, other: RunningVault, between: Between) -> None:
        self.here = job
        self.between = between
        self.project = other.project()
        for name, content in FILES.items():
            assert other.root.upload(self.project["id"], name, content).status == 201
        job.set(SECURE_FILES_FROM_TOKEN=ROOT_TOKEN)

    def run(self, *more: str) -> Outcome:
        return run("import", "--from", self.between.url, "--from-project", self.project["path_with_namespace"], *more)

    def states(self, *more: str, status: int = 0) -> dict[str, str]:
        """Import and return what became of each file."""
        outcome = self.run("--format", "json", *more)
        assert outcome.status == status, outcome
        return {row["name"]: row["state"] for row in json.loads(outcome.out)}


@pytest.fixture
def move(job: Job, other: RunningVault) -> Iterator[Move]:
    with Between(other.url) as between:
        yield Move(job, other, between)


class TestAll:
    def test_files_come_with_their_names_and_are_read_anew(self, move: Move) -> None:
        outcome = move.run()

        assert (outcome.status, outcome.err) == (0, "")
        assert move.here.stored() == FILES
        assert outcome.out.splitlines()[-1].split() == ["sample.cer", "imported", "2026-12-11"]

    def test_nothing_but_reading_is_done_at_the_source(self, move: Move) -> None:
        move.run()

        assert {asked.method for asked in move.between.seen} == {"GET"}

    def test_neither_server_gets_the_others_token(self, move: Move) -> None:
        move.here.set(SECURE_FILES_FROM_TOKEN="glpat-of-the-source")
        move.between.interfere = lambda asked, pass_on: pass_on(
            replace(asked, headers={**asked.headers, "private-token": ROOT_TOKEN})
        )

        assert move.run().status == 0
        assert {asked.headers.get("private-token") for asked in move.between.seen} == {"glpat-of-the-source"}
        assert move.here.token not in str(move.between.seen)


class TestAgain:
    def test_what_is_there_already_is_passed_over(self, move: Move) -> None:
        move.here.put("c", b"")

        assert move.states() == {"c": "there", "certs/b.jks": "imported", "sample.cer": "imported"}
        assert set(move.states().values()) == {"there"}
        assert sum(asked.is_download for asked in move.between.seen) == 2

    def test_1_for_another_content_which_is_left_as_it_is(self, move: Move) -> None:
        move.here.put("c", b"mine")

        assert move.states(status=1) == {"c": "differs", "certs/b.jks": "imported", "sample.cer": "imported"}
        assert move.here.stored()["c"] == b"mine"
        assert "c: is there with another content" in move.run().err


class TestDryRun:
    def test_only_tells(self, move: Move) -> None:
        move.here.put("certs/b.jks", b"\0b")

        assert move.states("--dry-run") == {"c": "new", "certs/b.jks": "there", "sample.cer": "new"}
        assert set(move.here.stored()) == {"certs/b.jks"}
        assert not any(asked.is_download for asked in move.between.seen)

    def test_1_where_it_would_be_1(self, move: Move) -> None:
        move.here.put("c", b"mine")

        assert move.states("--dry-run", status=1)["c"] == "differs"


class TestWhatFails:
    def spoil(self, move: Move, reply: Callable[[Asked, Reply], Reply]) -> None:
        """Let the download of one file go wrong."""
        files = move.between.interfere(Asked("GET", self.listing(move), self.login(), b""), move.between._pass_on)
        number = next(row["id"] for row in json.loads(files.body) if row["name"] == "c")
        move.between.interfere = lambda asked, pass_on: (
            reply(asked, pass_on(asked)) if asked.path.endswith(f"/{number}/download") else pass_on(asked)
        )

    def listing(self, move: Move) -> str:
        return f"/api/v4/projects/{move.project['id']}/secure_files"

    def login(self) -> dict[str, str]:
        return {"private-token": ROOT_TOKEN}

    @pytest.mark.parametrize(
        ("wrong", "status", "said"),
        [
            (Reply(500, b'{"message":"500 Internal Server Error"}'), 7, "the source answered 500: 500 Internal"),
            (Reply(200, b"forged"), 8, "what came is not what its checksum says"),
            (Reply(404, b'{"message":"404 Not found"}'), 6, "the source answered 404: 404 Not found"),
        ],
    )
    def test_one_file_does_not_keep_the_others(self, move: Move, wrong: Reply, status: int, said: str) -> None:
        self.spoil(move, lambda asked, right: wrong)

        assert move.states(status=status) == {"c": "failed", "certs/b.jks": "imported", "sample.cer": "imported"}
        assert set(move.here.stored()) == {"certs/b.jks", "sample.cer"}
        assert said in move.run().err

    def test_begun_again_it_brings_the_rest(self, move: Move) -> None:
        self.spoil(move, lambda asked, right: Reply(200, b"forged"))
        move.run()
        move.between.interfere = lambda asked, pass_on: pass_on(asked)

        assert move.states() == {"c": "imported", "certs/b.jks": "there", "sample.cer": "there"}

    def test_what_the_vault_does_not_take_is_told(self, move: Move) -> None:
        with Between(move.here.vault.url) as target:
            move.here.set(CI_API_V4_URL=f"{target.url}/api/v4")
            full = Reply(400, b'{"message":{"base":["Maximum number of project ci secure files (1) exceeded"]}}')
            target.interfere = lambda asked, pass_on: full if asked.method == "POST" else pass_on(asked)
            outcome = move.run()

        assert outcome.status == 6
        assert "c: the vault answered 400: base Maximum number of project ci secure files (1) exceeded" in outcome.err

    @pytest.mark.parametrize("end", ["source", "target"])
    def test_a_token_that_is_refused_ends_it(self, move: Move, end: str) -> None:
        if end == "source":
            move.here.set(SECURE_FILES_FROM_TOKEN="glpat-wrong")
        else:
            move.here.set(CI_JOB_TOKEN="glcbt-wrong")
        outcome = move.run()

        assert (outcome.status, outcome.out) == (6, "")
        assert f"{'the source' if end == 'source' else 'the vault'} answered 401" in outcome.err


class TestMistakes:
    def test_2_without_a_token_for_the_source(self, move: Move) -> None:
        move.here.set(SECURE_FILES_FROM_TOKEN=None)
        outcome = move.run()

        assert outcome.status == 2
        assert "set SECURE_FILES_FROM_TOKEN, or name another variable with --from-token-env" in outcome.err
        assert move.between.seen == []

    def test_2_from_a_project_into_itself(self, job: Job) -> None:
        job.set(SECURE_FILES_FROM_TOKEN=ROOT_TOKEN)
        outcome = run("import", "--from", f"{job.vault.url}/api/v4/", "--from-project", str(job.id))

        assert outcome.status == 2
        assert "is the project that the files would go to" in outcome.err

    def test_the_path_is_the_same_at_both_unless_told_otherwise(self, move: Move) -> None:
        path = move.here.project["path_with_namespace"]
        outcome = run("import", "--from", move.between.url, "--project", path)

        assert outcome.status == 6
        assert move.between.seen[0].path.startswith(f"/api/v4/projects/{path.replace('/', '%2F')}/")

    def test_2_where_only_a_number_is_known(self, move: Move) -> None:
        outcome = run("import", "--from", move.between.url)

        assert (outcome.status, move.between.seen) == (2, [])
        assert "--from-project is missing" in outcome.err

    def test_2_without_a_source(self) -> None:
        assert run("import").status == 2
