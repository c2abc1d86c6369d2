"""The audit log as GitLab's audit events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gitlab
import pytest

from tests.harness import ROOT_TOKEN
from tests.server.support import files_of

if TYPE_CHECKING:
    from tests.harness import RunningVault


def events(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/audit_events"


@pytest.fixture
def used(vault: RunningVault, project: dict[str, Any]) -> dict[str, Any]:
    """A project with a file that was brought, read and deleted."""
    made = vault.root.upload(project["id"], "a.txt", b"a").json
    vault.root.get(f"{files_of(project)}/{made['id']}/download")
    vault.root.delete(f"{files_of(project)}/{made['id']}")
    return project


class TestOfAProject:
    def test_are_there_at_once_newest_first(self, vault: RunningVault, used: dict[str, Any]) -> None:
        found = vault.root.get(events(used)).json

        names = [event["details"]["event_name"] for event in found]
        assert names == ["secure_file.delete", "secure_file.download", "secure_file.create", "project.create"]

    def test_have_gitlabs_fields(self, vault: RunningVault, used: dict[str, Any]) -> None:
        event = vault.root.get(events(used)).json[0]

        assert (event["entity_type"], event["entity_id"], event["author_id"]) == ("Project", used["id"], 1)
        assert event["details"]["author_name"] == "Administrator"
        assert event["details"]["ip_address"] == "127.0.0.1"
        assert event["details"]["entity_path"] == used["path_with_namespace"]
        assert vault.root.get(f"{events(used)}/{event['id']}").json == event

    def test_come_in_pages(self, vault: RunningVault, used: dict[str, Any]) -> None:
        first = vault.root.get(f"{events(used)}?per_page=3")
        second = vault.root.get(f"{events(used)}?per_page=3&page=2")

        assert (len(first.json), len(second.json), first.headers["X-Total"]) == (3, 1, "4")

    def test_are_narrowed_by_time(self, vault: RunningVault, used: dict[str, Any]) -> None:
        newest = vault.root.get(events(used)).json[0]["created_at"]

        assert len(vault.root.get(f"{events(used)}?created_before=2001-01-01").json) == 0
        assert vault.root.get(f"{events(used)}?created_after={newest}").json[0]["created_at"] == newest
        assert vault.root.get(f"{events(used)}?created_after=x").status == 400

    def test_are_for_maintainers_and_of_a_developer_his_own(self, vault: RunningVault, used: dict[str, Any]) -> None:
        developer, reporter = vault.member(used["id"], 30), vault.member(used["id"], 20)
        maintainer = vault.member(used["id"], 40)
        made = vault.root.upload(used["id"], "b.txt", b"b").json
        developer.get(f"{files_of(used)}/{made['id']}/download")

        assert reporter.get(events(used)).status == 403
        assert vault.user()[1].get(events(used)).status == 404
        own = developer.get(events(used)).json
        assert [event["details"]["event_name"] for event in own] == ["secure_file.download"]
        everybodys = maintainer.get(events(used)).json
        assert len(everybodys) > len(own)
        foreign = next(event for event in everybodys if event["author_id"] != own[0]["author_id"])
        assert developer.get(f"{events(used)}/{foreign['id']}").status == 404

    def test_are_not_those_of_others(self, vault: RunningVault, used: dict[str, Any]) -> None:
        event = vault.root.get(events(used)).json[0]
        other = vault.project()

        assert [found["entity_id"] for found in vault.root.get(events(other)).json] == [other["id"]]
        assert vault.root.get(f"{events(other)}/{event['id']}").json == {"message": "404 Audit Event Not Found"}
        assert vault.root.get(f"{events(used)}/x").json == {"error": "audit_event_id is invalid"}

    def test_tell_of_those_who_were_turned_away(self, vault: RunningVault, used: dict[str, Any]) -> None:
        vault.user()[1].get(f"{files_of(used)}/1/download")

        event = vault.root.get(events(used)).json[0]
        assert (event["details"]["event_name"], event["details"]["status"]) == ("secure_file.download", 404)


class TestOfEverything:
    def test_are_for_administrators(self, vault: RunningVault) -> None:
        assert vault.user()[1].get("/audit_events").status == 403

    def test_are_narrowed_by_what_they_are_about(self, vault: RunningVault, used: dict[str, Any]) -> None:
        of_one = vault.root.get(f"/audit_events?entity_type=Project&entity_id={used['id']}").json
        users = vault.root.get("/audit_events?entity_type=User").json

        assert len(of_one) == 4
        assert {event["entity_type"] for event in users} == {"User"}
        assert vault.root.get("/audit_events?entity_id=1").json == {"error": "entity_type is missing"}
        assert vault.root.get(f"/audit_events/{of_one[0]['id']}").json == of_one[0]


class TestOfAGroup:
    def test_are_for_its_owners(self, vault: RunningVault) -> None:
        group = vault.root.post("/groups", json={"name": "g", "path": "group-with-events"}).json
        user_id, _ = vault.user()
        vault.root.post(f"/groups/{group['id']}/members", json={"user_id": user_id, "access_level": 30})

        found = vault.root.get(f"/groups/{group['id']}/audit_events").json
        assert [event["details"]["event_name"] for event in found] == ["member.add", "group.create"]
        assert vault.root.get(f"/groups/{group['id']}/audit_events/{found[0]['id']}").json == found[0]
        assert vault.user()[1].get(f"/groups/{group['id']}/audit_events").status == 404


class TestPythonGitlab:
    def test_lists_and_gets_them(self, vault: RunningVault, used: dict[str, Any]) -> None:
        client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
        listed = client.projects.get(used["id"]).audit_events.list(get_all=True)

        assert [event.details["event_name"] for event in listed][-1] == "project.create"
        assert client.audit_events.get(listed[0].id).entity_id == used["id"]
