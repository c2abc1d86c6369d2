"""Paths of groups and projects that change: what leads where, also when many change them at one time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import as_caller
from vault.errors import Conflict, Invalid, NotFound, ProjectMoved

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import Project, User


@pytest.fixture
def user(core: Core) -> User:
    return core.user("ada")


def lies_or_lay(core: Core, path: str) -> Project | None:
    """Return the project that a path leads to, in one way or the other."""
    try:
        return core.projects.at(path)
    except NotFound:
        pass
    try:
        return core.projects.formerly_at(path)
    except NotFound:
        return None


def both(core: Core) -> list[str]:
    """Return the paths where something lies and something else lay once; there may be none."""
    statement = """SELECT r.path_key FROM redirects r
        WHERE EXISTS (SELECT 1 FROM projects p WHERE p.path_key = r.path_key)
        OR EXISTS (SELECT 1 FROM namespaces n WHERE n.path_key = r.path_key) ORDER BY r.path_key"""
    return [row["path_key"] for row in core.database.query(statement)]


class TestAFormerPath:
    def test_leads_to_the_project_until_somebody_else_lies_there(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")

        core.projects.update(project.id, {"path": "renamed"})

        assert core.projects.formerly_at("ADA/app").id == project.id
        with pytest.raises(ProjectMoved) as moved:
            core.access.project(as_caller(user), "ada/app")
        assert moved.value.project.full_path == "ada/renamed"
        other = core.projects.create(as_caller(user), "App", "app")
        assert core.access.project(as_caller(user), "ada/app").id == other.id
        assert both(core) == []

    def test_goes_with_the_project(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")
        core.projects.update(project.id, {"path": "renamed"})

        core.projects.delete(project.id)

        assert lies_or_lay(core, "ada/app") is None
        assert core.database.query("SELECT * FROM redirects ORDER BY path_key") == []

    def test_with_signs_that_patterns_have_is_itself_only(self, core: Core, user: User) -> None:
        for path in ("a_b", "axb"):
            group = core.projects.create_group(as_caller(user), path, path)
            core.projects.create(as_caller(user), "p", "p", namespace=group)
            core.projects.update_group(group.id, {"path": f"moved-{path}"})

        core.projects.create_group(as_caller(user), "a_b", "a_b")

        assert (lies_or_lay(core, "a_b/p"), lies_or_lay(core, "axb/p") is None) == (None, False)

    def test_is_not_one_of_a_project_whose_name_alone_was_changed(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")

        assert core.projects.update(project.id, {"name": "Other"}).full_path == "ada/app"

        assert core.projects.at("ada/app").name == "Other"


class TestMovingToAnotherNamespace:
    def test_to_one_that_is_gone_is_not_found(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")

        with pytest.raises(NotFound):
            core.projects.transfer(project.id, 999)
        with pytest.raises(NotFound):
            core.projects.transfer(999, project.namespace_id)

    def test_to_where_a_subgroup_has_its_path_is_refused(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")
        group = core.projects.create_group(as_caller(user), "G", "g")
        core.projects.create_group(as_caller(user), "App", "app", parent_id=group.id)

        with pytest.raises(Conflict):
            core.projects.transfer(project.id, group.id)


class TestManyAtOneTime:
    def test_never_leave_a_path_that_means_two(self, core: Core, user: User) -> None:
        projects = [core.projects.create(as_caller(user), f"p{number}", f"p{number}") for number in range(4)]

        def rename(turn: int) -> None:
            for step in range(6):
                with suppress(Invalid):  # another lies there
                    core.projects.update(projects[turn].id, {"path": f"p{(turn + step) % 6}"})

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(rename, range(4)))

        paths = {core.projects.get(project.id).full_path for project in projects}
        assert len(paths) == 4
        assert both(core) == []
        assert {core.projects.at(path).id for path in paths} == {each.id for each in projects}

    def test_changes_of_one_project_lose_nothing(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: core.projects.update(project.id, {"settings": {key: 1}}), "abcdefgh"))

        assert core.projects.get(project.id).settings == dict.fromkeys("abcdefgh", 1)

    def test_a_project_made_in_a_group_that_is_renamed_lies_in_it(self, core: Core, user: User) -> None:
        group = core.projects.create_group(as_caller(user), "G", "g0")

        def rename(_: int) -> None:
            for number in range(1, 8):
                core.projects.update_group(group.id, {"path": f"g{number}"})

        def make(turn: int) -> None:
            for number in range(5):
                core.projects.create(as_caller(user), "p", f"p{turn}-{number}", namespace=group)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda turn: (rename if turn == 0 else make)(turn), range(3)))

        found = core.database.query("SELECT full_path, path FROM projects ORDER BY id")
        assert [row["full_path"] for row in found] == [f"g7/{row['path']}" for row in found]
        assert len(found) == 10
