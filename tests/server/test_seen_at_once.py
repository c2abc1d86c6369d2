"""What another process changes holds for the next request: nothing that is remembered outlives a commit."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import pytest

from server.wiring import open_engines
from vault.models import Role
from vault.projects import Projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Client, RunningVault
    from vault.catalog.database import Database


class Seen(NamedTuple):
    """A developer who has just listed, shown and downloaded a file."""

    client: Client
    user: int
    project: int
    file: int

    def statuses(self) -> set[int]:
        """Return how the list, the file and its content are answered now."""
        files = f"/projects/{self.project}/secure_files"
        return {
            self.client.get(path).status for path in (files, f"{files}/{self.file}", f"{files}/{self.file}/download")
        }


@pytest.fixture
def elsewhere(vault: RunningVault) -> Iterator[Database]:
    """The catalog as another process has it open."""
    database, _ = open_engines(vault.settings)
    with closing(database):
        yield database


@pytest.fixture
def seen(vault: RunningVault) -> Seen:
    project = vault.project()["id"]
    user, client = vault.user()
    member = {"user_id": user, "access_level": int(Role.DEVELOPER)}
    assert vault.root.post(f"/projects/{project}/members", json=member).status == 201
    file = vault.root.upload(project, "a.txt", b"content").json["id"]
    found = Seen(client, user, project, file)
    assert found.statuses() == found.statuses() == {200}
    return found


def test_a_token_that_is_revoked_is_refused(seen: Seen, elsewhere: Database) -> None:
    elsewhere.write(lambda tx: tx.query("UPDATE tokens SET revoked = 1 WHERE user_id = :user", user=seen.user))
    assert seen.statuses() == {401}


def test_a_user_who_is_blocked_is_refused(seen: Seen, elsewhere: Database) -> None:
    elsewhere.write(lambda tx: tx.query("UPDATE users SET state = 'blocked' WHERE id = :user", user=seen.user))
    assert seen.statuses() == {401}


def test_a_project_is_hidden_from_who_is_no_member_any_more(seen: Seen, elsewhere: Database) -> None:
    elsewhere.write(lambda tx: tx.query("DELETE FROM members WHERE user_id = :user", user=seen.user))
    assert seen.statuses() == {404}


def test_a_level_that_is_lowered_is_too_low(seen: Seen, elsewhere: Database) -> None:
    sql = "UPDATE members SET access_level = 10 WHERE user_id = :user"
    elsewhere.write(lambda tx: tx.query(sql, user=seen.user))
    assert seen.statuses() == {403}


def test_a_membership_that_ends_with_a_day_ends(
    seen: Seen, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "UPDATE members SET expires_at = '2999-01-01' WHERE user_id = :user"
    elsewhere.write(lambda tx: tx.query(sql, user=seen.user))
    assert seen.statuses() == {200}
    monkeypatch.setattr("vault.clock.today", lambda: "2999-01-01")
    assert seen.statuses() == {404}


def test_a_file_that_is_deleted_is_gone(seen: Seen, elsewhere: Database) -> None:
    elsewhere.write(lambda tx: tx.query("DELETE FROM secure_files WHERE id = :id", id=seen.file))
    assert seen.client.get(f"/projects/{seen.project}/secure_files").json == []
    assert seen.client.get(f"/projects/{seen.project}/secure_files/{seen.file}/download").status == 404


def test_content_that_is_changed_is_not_what_was_remembered(seen: Seen, elsewhere: Database) -> None:
    sql = "UPDATE blobs SET sealed = wrapped WHERE id = (SELECT blob_id FROM secure_files WHERE id = :id)"
    elsewhere.write(lambda tx: tx.query(sql, id=seen.file))
    assert seen.client.get(f"/projects/{seen.project}/secure_files/{seen.file}/download").status == 500


def test_a_repository_that_is_switched_off_is_closed(seen: Seen, elsewhere: Database) -> None:
    place = f"/projects/{seen.project}/repository/files/a?ref=main"
    assert seen.client.get(place).status == 404
    Projects(elsewhere).update(seen.project, {"settings": {"repository_access_level": "disabled"}})
    assert seen.client.get(place).status == 403


def test_a_project_that_is_renamed_is_found_by_both_paths(seen: Seen, elsewhere: Database) -> None:
    former = seen.client.get(f"/projects/{seen.project}").json["path_with_namespace"]
    present = Projects(elsewhere).update(seen.project, {"path": "renamed"}).full_path
    assert seen.client.get(f"/projects/{seen.project}").json["path_with_namespace"] == present
    statuses = [seen.client.get(f"/projects/{quote(path, safe='')}").status for path in (former, present)]
    assert statuses == [301, 200]
