"""The calendar of what expires, as a calendar program subscribes to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from icalendar import Calendar

from tests.harness import ROOT_TOKEN

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def summaries(answer: Answer) -> set[str]:
    assert answer.status == 200
    return {str(event["summary"]) for event in Calendar.from_ical(answer.body).walk("VEVENT")}


def uids(answer: Answer) -> set[str]:
    return {str(event["uid"]) for event in Calendar.from_ical(answer.body).walk("VEVENT")}


class TestCalendar:
    def test_of_a_project_has_its_files_that_expire(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.upload(project["id"], "a.cer", sample("sample.cer"))
        vault.root.upload(project["id"], "never.txt", b"nothing")

        answer = vault.root.get(f"/projects/{project['id']}/secure_files/expiry.ics")

        assert summaries(answer) == {f"a.cer of {project['path_with_namespace']} expires"}
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-store"

    def test_over_all_projects_has_those_that_the_caller_may_read(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        vault.root.upload(project["id"], "mine.cer", sample("sample.cer"))
        title = f"mine.cer of {project['path_with_namespace']} expires"

        assert title in summaries(vault.root.get("/secure_files/expiry.ics"))
        assert title in summaries(vault.member(project["id"], 30).get("/secure_files/expiry.ics"))
        assert summaries(vault.member(project["id"], 20).get("/secure_files/expiry.ics")) == set()

    def test_takes_the_token_in_the_query_as_calendar_programs_send_it(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        vault.root.upload(project["id"], "a.cer", sample("sample.cer"))
        path = f"/projects/{project['id']}/secure_files/expiry.ics"

        assert vault.nobody.get(path).status == 401
        assert summaries(vault.nobody.get(f"{path}?private_token={ROOT_TOKEN}"))

    def test_moves_an_event_whose_file_is_replaced(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a.cer", sample("sample.cer")).json
        path = f"/projects/{project['id']}/secure_files"
        before = vault.root.get(f"{path}/expiry.ics")
        vault.root.put(f"{path}/{made['id']}", files={"file": ("f", sample("push-services.crt"))})
        after = vault.root.get(f"{path}/expiry.ics")

        assert uids(before) == uids(after)
        assert before.body != after.body

    def test_is_for_developers(self, vault: RunningVault, project: dict[str, Any]) -> None:
        assert vault.member(project["id"], 20).get(f"/projects/{project['id']}/secure_files/expiry.ics").status == 403
