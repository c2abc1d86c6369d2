"""`push` brings local files into a project, and can be repeated."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.between import Asked, Between, Reply
from tests.cli.pipeline import Job, between, job
from tests.cli.runner import Outcome, run
from tests.harness import ROOT_TOKEN, unique
from tests.server.support import sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["between", "job"]
TOO_LARGE = Reply(413, b'{"message":"413 Request Entity Too Large"}')
METHOD_UNKNOWN = Reply(405, b'{"error":"405 Not Allowed"}')
ROUTE_UNKNOWN = Reply(404, b'{"error":"404 Not Found"}')


def write(job: Job, name: str, content: bytes) -> Path:
    path = job.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def pushed(*argv: str | Path) -> list[dict[str, Any]]:
    """Push and return what became of each file; fails when it did not go well."""
    outcome = run("push", *argv, "--format", "json")
    assert outcome.status == 0, outcome
    return list(json.loads(outcome.out))


class TestNew:
    def test_a_file_gets_the_last_part_of_its_path_as_name(self, job: Job) -> None:
        (row,) = pushed(write(job, "build/upload.jks", b"\0keystore\r\n--"))

        assert (row["name"], row["state"]) == ("upload.jks", "created")
        assert job.stored() == {"upload.jks": b"\0keystore\r\n--"}

    @pytest.mark.parametrize("name", ["certs/distribution/X.cer", 'a "b" ключ.cer', "a+b%2Fc"])
    def test_or_the_name_that_is_given(self, job: Job, name: str) -> None:
        pushed(write(job, "a.cer", b"1"), "--name", name)

        assert job.stored() == {name: b"1"}

    def test_several_go_into_one_folder(self, job: Job) -> None:
        pushed(write(job, "x/a.cer", b"1"), write(job, "y/b.cer", b"2"), "--name", "certs/")

        assert job.stored() == {"certs/a.cer": b"1", "certs/b.cer": b"2"}

    def test_when_it_expires_is_told_at_once(self, job: Job) -> None:
        outcome = run("push", write(job, "sample.cer", sample("sample.cer")))

        head, line = outcome.out.splitlines()
        assert (outcome.status, outcome.err, head.split()) == (0, "", ["NAME", "ID", "STATE", "EXPIRES"])
        assert re.fullmatch(r"sample.cer +\d+ +created +2026-12-11", line)

    def test_an_empty_file_is_a_file(self, job: Job) -> None:
        pushed(write(job, "empty", b""))

        assert job.stored() == {"empty": b""}


class TestPassword:
    @pytest.fixture
    def keystore(self, job: Job) -> Path:
        job.set(P12_PASSWORD="wrong")
        return write(job, "distribution.p12", sample("distribution.p12"))

    def test_opens_the_file_once_and_is_in_no_message(self, job: Job, keystore: Path) -> None:
        outcome = run("push", keystore, "--password-env", "P12_PASSWORD")

        assert outcome.status == 0
        assert outcome.err == (
            "secure-files: distribution.p12 is stored, but what it holds could not be read: password_wrong\n"
        )

    def test_can_be_given_later_for_what_is_there_already(self, job: Job, keystore: Path) -> None:
        (before,) = pushed(keystore)
        assert (before["expires_at"], before["metadata_error"]) == (None, "password_missing")
        job.set(P12_PASSWORD=password_of("distribution.p12"))
        (after,) = pushed(keystore, "--password-env", "P12_PASSWORD")

        assert (after["state"], after["id"], after["metadata_error"]) == ("unchanged", before["id"], None)
        assert after["expires_at"]

    def test_is_no_use_to_a_gitlab_and_no_mistake(self, job: Job, keystore: Path, between: Between) -> None:
        between.interfere = lambda asked, pass_on: (
            ROUTE_UNKNOWN if asked.path.endswith("/metadata") else pass_on(asked).listing(metadata_error=None)
        )
        pushed(keystore)

        assert [row["state"] for row in pushed(keystore, "--password-env", "P12_PASSWORD")] == ["unchanged"]

    def test_2_when_its_variable_is_not_set(self, job: Job, keystore: Path) -> None:
        outcome = run("push", keystore, "--password-env", "NO_SUCH_VARIABLE")

        assert (outcome.status, job.stored()) == (2, {})


def password_of(name: str) -> str:
    from sample_certs.catalogue import catalogue

    return next(each.password for each in catalogue() if each.name == name) or ""


class TestThereAlready:
    def test_the_same_content_is_left_alone(self, job: Job, between: Between) -> None:
        number = job.put("a.jks", b"1")
        (row,) = pushed(write(job, "a.jks", b"1"))

        assert (row["state"], row["id"]) == ("unchanged", number)
        assert [asked.method for asked in between.seen] == ["GET"]

    def test_1_for_another_content_and_the_others_go_in(self, job: Job) -> None:
        job.put("a.jks", b"1")
        outcome = run("push", write(job, "a.jks", b"2"), write(job, "b.jks", b"3"))

        assert outcome.status == 1
        assert outcome.err.startswith("secure-files: a.jks is there with another content; --replace would")
        assert [line.split()[::2] for line in outcome.out.splitlines()[1:]] == [
            ["a.jks", "taken"],
            ["b.jks", "created"],
        ]
        assert job.stored() == {"a.jks": b"1", "b.jks": b"3"}

    def test_replace_keeps_the_id(self, job: Job) -> None:
        number = job.put("a.jks", b"1")
        (row,) = pushed("--replace", write(job, "a.jks", b"2"))

        assert (row["state"], row["id"]) == ("replaced", number)
        assert job.stored() == {"a.jks": b"2"}

    def test_a_name_taken_since_the_look_is_seen(self, job: Job, between: Between) -> None:
        def taken_meanwhile(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            if asked.method == "POST":
                job.put("a.jks", b"another's")
            return pass_on(asked)

        between.interfere = taken_meanwhile

        assert run("push", write(job, "a.jks", b"mine")).status == 1
        assert job.stored() == {"a.jks": b"another's"}

    @pytest.mark.parametrize("options", [[], ["--replace"]])
    def test_an_answer_that_was_lost_is_no_taken_name(self, job: Job, between: Between, options: list[str]) -> None:
        def lose(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            return replace(pass_on(asked), dropped=asked.method == "POST" and between.nth_time(asked) == 1)

        between.interfere = lose

        assert [row["state"] for row in pushed(*options, write(job, "a.jks", b"1"))] == ["created"]
        assert job.waits == [0.5]


class TestAGitLabThatCannotReplace:
    """There `--replace` deletes and uploads anew; whatever happens in between, no content is lost."""

    @pytest.fixture(params=[METHOD_UNKNOWN, ROUTE_UNKNOWN], ids=["405", "404"])
    def gitlab(self, job: Job, between: Between, request: pytest.FixtureRequest) -> Between:
        job.put("certs/a.jks", b"old")
        write(job, "a.jks", b"new")
        between.interfere = lambda asked, pass_on: request.param if asked.method == "PUT" else pass_on(asked)
        return between

    def replaced(self) -> Outcome:
        return run("push", "--replace", "--name", "certs/", "a.jks")

    def test_gets_the_new_content_under_another_id_and_it_is_said(self, job: Job, gitlab: Between) -> None:
        outcome = self.replaced()

        assert outcome.status == 0
        assert job.stored() == {"certs/a.jks": b"new"}
        assert re.search(
            r"certs/a\.jks: the vault has no .* deleted \(id \d+\) and uploaded anew \(id \d+\)", outcome.err
        )

    def without(self, gitlab: Between, refuses: Callable[[Asked], bool]) -> None:
        before = gitlab.interfere
        gitlab.interfere = lambda asked, pass_on: TOO_LARGE if refuses(asked) else before(asked, pass_on)

    def test_gets_the_old_one_back_when_the_new_one_is_refused(self, job: Job, gitlab: Between) -> None:
        self.without(gitlab, lambda asked: asked.method == "POST" and b"\r\nnew\r\n" in asked.body)
        outcome = self.replaced()

        assert outcome.status == 6
        assert "its old content is back" in outcome.err
        assert job.stored() == {"certs/a.jks": b"old"}

    def test_leaves_the_old_one_in_a_file_when_nothing_can_be_uploaded(self, job: Job, gitlab: Between) -> None:
        self.without(gitlab, lambda asked: asked.method == "POST")
        outcome = self.replaced()

        assert outcome.status == 6
        (kept,) = job.folder.glob("*-a.jks")
        assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (b"old", 0o600)
        assert f"that is in the file {kept.name}" in outcome.err

    def test_keeps_everything_when_it_cannot_be_deleted(self, job: Job, gitlab: Between) -> None:
        self.without(gitlab, lambda asked: asked.method == "DELETE")

        assert self.replaced().status == 6
        assert job.stored() == {"certs/a.jks": b"old"}


class TestMistakes:
    @pytest.mark.parametrize("more", [[], ["--replace"]])
    def test_a_project_that_was_renamed_wants_its_present_path(self, job: Job, more: list[str]) -> None:
        job.put("a.jks", b"old")
        job.vault.root.put(f"/projects/{job.id}", json={"path": unique("renamed")})
        job.set(CI_PROJECT_ID=None, CI_PROJECT_PATH=job.project["path_with_namespace"])
        write(job, "a.jks" if more else "b.jks", b"new")

        outcome = run("push", *more, "a.jks" if more else "b.jks")

        assert outcome.status == 6
        assert "not allowed for moved projects; give the project's present path, or its number" in outcome.err
        assert job.stored() == {"a.jks": b"old"}

    def test_2_for_one_name_for_several(self, job: Job) -> None:
        outcome = run("push", write(job, "a", b"1"), write(job, "b", b"2"), "--name", "c")

        assert (outcome.status, job.stored()) == (2, {})

    def test_2_for_two_files_of_one_name(self, job: Job) -> None:
        outcome = run("push", write(job, "x/a", b"1"), write(job, "y/a", b"2"))

        assert (outcome.status, job.stored()) == (2, {})
        assert "would both be called a" in outcome.err

    def test_5_for_a_file_that_cannot_be_read_and_none_is_sent(self, job: Job) -> None:
        outcome = run("push", write(job, "a", b"1"), job.folder / "absent")

        assert (outcome.status, job.stored()) == (5, {})
        assert outcome.err == f"secure-files: {job.folder / 'absent'}: No such file or directory\n"

    def test_6_for_a_role_that_may_not_write(self, job: Job) -> None:
        developer = job.vault.member(job.id, 30)
        assert developer.token
        job.set(SECURE_FILES_TOKEN=developer.token)
        outcome = run("push", write(job, "a", b"1"))

        assert outcome.status == 6
        assert "answered 403: 403 Forbidden; check the token, its scopes and its owner's role" in outcome.err

    @pytest.mark.parametrize(
        ("name", "said"), [("../a", "name should be a valid file path"), (" ", "name can't be blank")]
    )
    def test_6_with_the_servers_own_words_for_what_it_does_not_take(self, job: Job, name: str, said: str) -> None:
        outcome = run("push", write(job, "a", b"1"), "--name", name)

        assert outcome.status == 6
        assert outcome.err == f"secure-files: the vault answered 400: {said}\n"

    def test_8_when_the_server_holds_other_bytes(self, job: Job, between: Between) -> None:
        body = json.dumps({"id": 1, "name": "a", "checksum": "0" * 64}).encode()
        between.interfere = lambda asked, pass_on: Reply(201, body) if asked.method == "POST" else pass_on(asked)

        assert run("push", write(job, "a", b"1")).status == 8

    def test_the_token_is_in_no_output(self, job: Job, between: Between) -> None:
        job.set(SECURE_FILES_TOKEN=ROOT_TOKEN)
        between.interfere = lambda asked, pass_on: Reply(500) if asked.method == "POST" else pass_on(asked)
        outcome = run("push", write(job, "a", b"1"))

        assert outcome.status == 7
        assert ROOT_TOKEN not in outcome.out + outcome.err
