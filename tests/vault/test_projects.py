"""Groups and projects: how they are named, found and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.vault.core import LARGE, as_caller
from vault.addresses import slug
from vault.errors import Conflict, Invalid, NotFound
from vault.models import Page, Role, Visibility
from vault.projects import check_default_branch

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import Project, User

ALL = Page(1, 100)


@pytest.fixture
def user(core: Core) -> User:
    return core.user("ada")


class TestCreate:
    def test_a_project_lies_in_its_makers_namespace_unless_told_otherwise(self, core: Core, user: User) -> None:
        group = core.projects.create_group(as_caller(user), "Team", "team")
        own = core.projects.create(as_caller(user), "App", "app")
        teams = core.projects.create(as_caller(user), "App", "app", namespace=group)

        assert (own.full_path, teams.full_path) == ("ada/app", "team/app")
        assert (teams.namespace_id, teams.creator_id) == (group.id, user.id)
        assert (teams.visibility, teams.default_branch, teams.archived) == (Visibility.PRIVATE, "main", False)
        assert core.projects.get(teams.id) == teams

    def test_a_subgroups_path_holds_those_above(self, core: Core, user: User) -> None:
        top = core.projects.create_group(as_caller(user), "Top", "top")
        below = core.projects.create_group(as_caller(user), "Below", "below", parent_id=top.id)

        assert (below.full_path, below.parent_id) == ("top/below", top.id)
        assert core.projects.create(as_caller(user), "A", "a", namespace=below).full_path == "top/below/a"

    def test_a_group_below_none_is_not_found(self, core: Core, user: User) -> None:
        with pytest.raises(NotFound):
            core.projects.create_group(as_caller(user), "x", "x", parent_id=999)

    @pytest.mark.parametrize(
        ("name", "path", "made"),
        [("My App", "", "my-app"), ("", "app", "app"), ("A/B: c.d", "", "a-b-c.d"), ("-x-", "", "x")],
    )
    def test_of_name_and_path_one_is_enough(self, core: Core, user: User, name: str, path: str, made: str) -> None:
        project = core.projects.create(as_caller(user), name, path)

        assert (project.name, project.path) == (name or path, made)

    @pytest.mark.parametrize("path", ["app", "APP"])
    def test_a_path_is_taken_once_whatever_its_case(self, core: Core, user: User, path: str) -> None:
        core.projects.create(as_caller(user), "app", "app")

        with pytest.raises(Invalid) as raised:
            core.projects.create(as_caller(user), path, path)
        assert set(raised.value.problems) == {"project_namespace.name", "name", "path"}
        assert set(raised.value.problems.values()) == {"has already been taken"}

    def test_a_subgroup_and_a_project_cannot_share_a_path(self, core: Core, user: User) -> None:
        group = core.projects.create_group(as_caller(user), "Team", "team")
        core.projects.create(as_caller(user), "a", "a", namespace=group)
        core.projects.create_group(as_caller(user), "b", "b", parent_id=group.id)

        with pytest.raises(Conflict):
            core.projects.create_group(as_caller(user), "a", "A", parent_id=group.id)
        with pytest.raises(Invalid):
            core.projects.create(as_caller(user), "b", "B", namespace=group)

    @pytest.mark.parametrize(
        "path", ["-a", ".a", "a.", "a b", "a/b", "../a", "é", "a.git", "a.atom", "a\n", "a\0", "x" * 256]
    )
    def test_what_is_no_path_is_refused(self, core: Core, user: User, path: str) -> None:
        with pytest.raises(Invalid, match="path can contain only"):
            core.projects.create(as_caller(user), "name", path)
        with pytest.raises(Invalid, match="path can contain only"):
            core.projects.create_group(as_caller(user), "name", path)

    @pytest.mark.parametrize(("name", "problem"), [(" ", "can't be blank"), ("x" * 256, "is too long")])
    def test_what_is_no_name_is_refused(self, core: Core, user: User, name: str, problem: str) -> None:
        with pytest.raises(Invalid, match=f"name {problem}"):
            core.projects.create(as_caller(user), name, "path")


class TestFinding:
    def test_a_path_finds_whatever_its_case(self, core: Core, user: User) -> None:
        group = core.projects.create_group(as_caller(user), "Team", "Team")
        project = core.projects.create(as_caller(user), "App", "App", namespace=group)

        assert core.projects.at("tEAM/aPP") == project
        assert core.projects.namespace_at("TEAM") == group

    def test_a_projects_name_alone_finds_nothing(self, core: Core, user: User) -> None:
        core.projects.create(as_caller(user), "app", "app")

        with pytest.raises(NotFound):
            core.projects.at("app")

    def test_a_list_can_be_narrowed(self, core: Core, user: User) -> None:
        other = core.user("bob")
        mine = core.project(user)
        public = core.project(other, visibility="public")
        caller = as_caller(user)

        assert core.projects.find(caller, ALL).rows == [public, mine]
        assert core.projects.find(caller, ALL, membership=True).rows == [mine]
        assert core.projects.find(caller, ALL, owned=True).rows == [mine]
        assert core.projects.find(caller, ALL, visibility="public").rows == [public]
        assert core.projects.find(caller, ALL, search=public.path.upper()).rows == [public]
        assert core.projects.find(caller, Page(2, 1)).rows == [mine]
        assert core.projects.find(None, ALL).rows == [public]

    def test_membership_of_an_administrator_is_his_own(self, core: Core, user: User) -> None:
        core.project(user)
        root = core.user(is_admin=True)
        own = core.project(root)

        assert core.projects.find(as_caller(root), ALL, membership=True).rows == [own]
        assert core.projects.find(as_caller(root), ALL).total == 2


class TestUpdate:
    def test_what_is_not_given_stays(self, core: Core, user: User) -> None:
        project = core.projects.create(as_caller(user), "App", "app", settings={"a": 1, "b": 2})
        changed = core.projects.update(project.id, {"description": "new", "settings": {"b": 3}})

        assert (changed.description, changed.settings) == ("new", {"a": 1, "b": 3})
        assert (changed.name, changed.visibility) == (project.name, project.visibility)
        assert core.projects.get(project.id) == changed


class TestDelete:
    def full(self, core: Core, user: User, **where: Any) -> Project:
        """Make a project with something of each family in it."""
        project = core.project(user, **where)
        core.secure_files.add(project.id, "a.cer", bytes(LARGE))
        core.pipelines.create_job(as_caller(user), project.id, "build", "main")
        core.access.put_member("project", project.id, user, Role.OWNER, None)
        return project

    def left(self, core: Core) -> dict[str, int]:
        tables = ("projects", "secure_files", "blobs", "jobs", "pipelines")
        counts = {table: core.sql(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"] for table in tables}
        return {table: count for table, count in counts.items() if count}

    def test_a_project_takes_all_that_was_its_own(self, core: Core, user: User) -> None:
        project = self.full(core, user)
        core.projects.delete(project.id)

        assert self.left(core) == {}
        assert core.access.members("project", project.id) == []
        with pytest.raises(NotFound):
            core.projects.get(project.id)

    def test_its_neighbours_lose_nothing(self, core: Core, user: User) -> None:
        kept = self.full(core, user)
        core.projects.delete(self.full(core, user).id)

        assert set(self.left(core).values()) == {1}
        assert core.secure_files.documents(kept.id, ALL).total == 1

    def test_a_group_takes_what_lies_below_it(self, core: Core, user: User) -> None:
        group = core.group(user)
        below = core.group(user, group)
        self.full(core, user, namespace=group)
        self.full(core, user, namespace=below)
        core.projects.delete_group(group.id)

        assert self.left(core) == {}
        for gone in (group, below):
            with pytest.raises(NotFound):
                core.projects.namespace(gone.id)
            assert core.access.members("group", gone.id) == []

    def test_a_hook_that_fails_keeps_everything(self, core: Core, user: User) -> None:
        project = self.full(core, user)

        def refuse(*_: object) -> None:
            raise Conflict("not now")

        core.projects.on_delete(refuse)
        with pytest.raises(Conflict):
            core.projects.delete(project.id)
        assert core.projects.get(project.id) == project
        assert core.secure_files.documents(project.id, ALL).total == 1

    def test_a_path_that_became_free_names_a_new_project(self, core: Core, user: User) -> None:
        old = core.projects.create(as_caller(user), "app", "app")
        core.projects.delete(old.id)

        assert core.projects.create(as_caller(user), "app", "app").id > old.id


class TestRules:
    @pytest.mark.parametrize(
        ("name", "path"), [("My App", "my-app"), ("a..b", "a..b"), ("...", ""), ("Ü", ""), ("a/b\\c", "a-b-c")]
    )
    def test_a_slug_is_a_path_or_nothing(self, name: str, path: str) -> None:
        assert slug(name) == path

    @pytest.mark.parametrize("name", ["main", "feature/x", "v1.0", "ünïcode", "a@b", "release-2026"])
    def test_gits_branch_names_are_taken(self, name: str) -> None:
        assert check_default_branch(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            *("", "-a", "/a", "a/", ".a", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.lock"),
            *("a@{1}", "a//b", "a\x7f", "a\n", "a\0"),
        ],
    )
    def test_what_git_would_not_take_is_refused(self, name: str) -> None:
        with pytest.raises(Invalid, match="default_branch"):
            check_default_branch(name)


class TestGroupsListed:
    def test_a_member_sees_subgroups_of_his_group_until_his_membership_ends(self, core: Core) -> None:
        owner, member = as_caller(core.user()), core.user()
        group = core.projects.create_group(owner, "Team", "team")
        core.projects.create_group(owner, "Sub", "sub", parent_id=group.id)

        core.access.put_member("group", group.id, member, Role.GUEST, None)
        seen = core.projects.groups(as_caller(member), Page()).rows
        core.access.put_member("group", group.id, member, Role.GUEST, "2020-01-01")
        later = core.projects.groups(as_caller(member), Page()).rows

        assert [each.full_path for each in seen] == ["team", "team/sub"]
        assert later == []
