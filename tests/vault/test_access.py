"""Who may do what: roles from every source, and hidden things that look like missing ones."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import as_caller
from vault import clock
from vault.access import parse_id
from vault.errors import Forbidden, NotFound
from vault.models import Page, Principal, Role, Visibility

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import Namespace, Project, User

MAINTAINER = Role.MAINTAINER


TODAY = date(2026, 2, 22)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the calendar: a test may run at midnight."""
    monkeypatch.setattr(clock, "today", TODAY.isoformat)


def day(offset: int) -> str:
    return (TODAY + timedelta(days=offset)).isoformat()


@pytest.fixture
def owner(core: Core) -> User:
    return core.user()


@pytest.fixture
def user(core: Core) -> User:
    return core.user()


@pytest.fixture
def group(core: Core, owner: User) -> Namespace:
    return core.group(owner)


@pytest.fixture
def project(core: Core, owner: User, group: Namespace) -> Project:
    return core.project(owner, group)


def job_of(core: Core, user: User, project: Project) -> Principal:
    job, _ = core.pipelines.create_job(as_caller(user), project.id, "build", "main")
    return Principal(user=user, scopes=frozenset(("api",)), job=job)


class TestRole:
    def test_nobody_and_a_stranger_have_none(self, core: Core, project: Project, user: User) -> None:
        assert core.access.role(None, project) == Role.NONE
        assert core.access.role(as_caller(user), project) == Role.NONE

    @pytest.mark.parametrize("level", [Role.GUEST, Role.REPORTER, Role.DEVELOPER, Role.MAINTAINER, Role.OWNER])
    def test_a_direct_member_has_his_level(self, core: Core, project: Project, user: User, level: Role) -> None:
        core.access.put_member("project", project.id, user, level, None)

        assert core.access.role(as_caller(user), project) == level

    def test_a_member_of_the_group_has_it_in_its_projects(
        self, core: Core, group: Namespace, project: Project, user: User
    ) -> None:
        core.access.put_member("group", group.id, user, MAINTAINER, None)

        assert core.access.role(as_caller(user), project) == MAINTAINER

    def test_a_level_reaches_down_through_subgroups_and_not_up(
        self, core: Core, owner: User, group: Namespace, project: Project, user: User
    ) -> None:
        middle = core.group(owner, group)
        lowest = core.group(owner, middle)
        deep = core.project(owner, lowest)
        core.access.put_member("group", middle.id, user, MAINTAINER, None)

        assert core.access.role(as_caller(user), deep) == MAINTAINER
        assert core.access.role(as_caller(user), project) == Role.NONE
        assert core.access.group_role(as_caller(user), lowest) == MAINTAINER
        assert core.access.group_role(as_caller(user), group) == Role.NONE

    def test_of_several_levels_the_highest_counts(
        self, core: Core, group: Namespace, project: Project, user: User
    ) -> None:
        for in_project, in_group in ((Role.GUEST, MAINTAINER), (MAINTAINER, Role.GUEST)):
            core.access.put_member("project", project.id, user, in_project, None)
            core.access.put_member("group", group.id, user, in_group, None)

            assert core.access.role(as_caller(user), project) == MAINTAINER
            assert core.access.levels(as_caller(user), project) == (in_project, in_group)

    def test_the_maker_of_a_group_owns_it(self, core: Core, owner: User, group: Namespace, project: Project) -> None:
        assert core.access.group_role(as_caller(owner), group) == Role.OWNER
        assert core.access.role(as_caller(owner), project) == Role.OWNER

    def test_everybody_owns_what_lies_in_his_own_namespace(self, core: Core, user: User, owner: User) -> None:
        theirs = core.project(user)

        assert core.access.role(as_caller(user), theirs) == Role.OWNER
        assert core.access.role(as_caller(owner), theirs) == Role.NONE

    def test_an_administrator_owns_everything(self, core: Core, project: Project, group: Namespace) -> None:
        root = as_caller(core.user(is_admin=True))

        assert core.access.role(root, project) == Role.OWNER
        assert core.access.group_role(root, group) == Role.OWNER

    @pytest.mark.parametrize(("expires_in", "level"), [(-1, Role.NONE), (0, Role.NONE), (1, MAINTAINER)])
    def test_a_membership_ends_with_the_day_before_its_date(
        self, core: Core, group: Namespace, project: Project, user: User, expires_in: int, level: Role
    ) -> None:
        core.access.put_member("group", group.id, user, MAINTAINER, day(expires_in))

        assert core.access.role(as_caller(user), project) == level

    def test_a_level_that_is_put_again_is_replaced(self, core: Core, project: Project, user: User) -> None:
        core.access.put_member("project", project.id, user, Role.OWNER, day(-1))
        core.access.put_member("project", project.id, user, Role.GUEST, None)

        assert core.access.role(as_caller(user), project) == Role.GUEST

    def test_a_removed_member_has_none_and_cannot_be_removed_again(
        self, core: Core, project: Project, user: User
    ) -> None:
        core.access.put_member("project", project.id, user, Role.OWNER, None)
        core.access.remove_member("project", project.id, user.id)

        assert core.access.role(as_caller(user), project) == Role.NONE
        with pytest.raises(NotFound):
            core.access.remove_member("project", project.id, user.id)

    def test_a_project_and_a_group_of_one_number_are_two_things(self, core: Core, owner: User, user: User) -> None:
        project = core.project(owner)
        core.access.put_member("group", project.id, user, Role.OWNER, None)

        assert core.access.role(as_caller(user), project) == Role.NONE


class TestJobs:
    """A job acts as its user, in its own project only."""

    def test_it_has_its_users_role_there(self, core: Core, project: Project, user: User) -> None:
        core.access.put_member("project", project.id, user, Role.DEVELOPER, None)

        assert core.access.role(job_of(core, user, project), project) == Role.DEVELOPER

    def test_it_loses_it_when_its_user_does(self, core: Core, project: Project, user: User) -> None:
        core.access.put_member("project", project.id, user, Role.DEVELOPER, None)
        caller = job_of(core, user, project)
        core.access.remove_member("project", project.id, user.id)

        assert core.access.role(caller, project) == Role.NONE

    @pytest.mark.parametrize("is_admin", [False, True])
    def test_elsewhere_it_has_none_whoever_its_user_is(self, core: Core, project: Project, is_admin: bool) -> None:
        user = core.user(is_admin=is_admin)
        other = core.project(user)

        assert core.access.role(job_of(core, user, project), other) == Role.NONE

    def test_where_its_user_could_go_it_is_told_why_it_cannot(self, core: Core, project: Project, user: User) -> None:
        other = core.project(user)

        with pytest.raises(Forbidden) as raised:
            core.access.project(job_of(core, user, project), str(other.id))
        assert str(raised.value) == (
            f"Authentication by CI/CD job token not allowed from {project.full_path} to {other.full_path}."
        )

    def test_where_its_user_could_not_there_is_nothing(self, core: Core, project: Project, user: User) -> None:
        hidden = core.project(core.user())

        with pytest.raises(NotFound):
            core.access.project(job_of(core, user, project), str(hidden.id))


class TestProject:
    """What a caller may not know of is not there."""

    def missing(self, core: Core, caller: Principal | None, ref: str, needed: Role = Role.NONE) -> None:
        with pytest.raises(NotFound) as raised:
            core.access.project(caller, ref, needed)
        assert (raised.value.what, raised.value.reason) == ("Project", "")

    def test_a_hidden_one_is_missing_by_number_and_by_path(self, core: Core, project: Project, user: User) -> None:
        for ref in (str(project.id), project.full_path, "999999", f"{project.full_path}x"):
            for caller in (as_caller(user), None):
                self.missing(core, caller, ref)
                self.missing(core, caller, ref, Role.OWNER)

    @pytest.mark.parametrize(
        ("visibility", "to_nobody", "to_strangers"),
        [("private", False, False), ("internal", False, True), ("public", True, True)],
    )
    def test_visibility_says_who_may_know(
        self, core: Core, owner: User, user: User, visibility: str, to_nobody: bool, to_strangers: bool
    ) -> None:
        project = core.project(owner, visibility=visibility)

        assert core.access.visible(None, project, Role.NONE) is to_nobody
        assert core.access.visible(as_caller(user), project, Role.NONE) is to_strangers
        assert core.access.visible(as_caller(user), project, Role.GUEST)

    def test_a_visible_one_is_forbidden_to_whom_the_role_does_not_reach(
        self, core: Core, owner: User, user: User
    ) -> None:
        project = core.project(owner, visibility="public")

        for caller in (as_caller(user), None):
            assert core.access.project(caller, str(project.id)) == project
            with pytest.raises(Forbidden):
                core.access.project(caller, str(project.id), Role.GUEST)

    def test_a_role_that_is_just_enough_is_enough(self, core: Core, project: Project, user: User) -> None:
        core.access.put_member("project", project.id, user, Role.DEVELOPER, None)

        assert core.access.project(as_caller(user), project.full_path, Role.DEVELOPER) == project
        with pytest.raises(Forbidden):
            core.access.project(as_caller(user), project.full_path, Role.MAINTAINER)

    def test_an_expired_member_is_a_stranger_again(self, core: Core, project: Project, user: User) -> None:
        core.access.put_member("project", project.id, user, Role.OWNER, day(0))

        self.missing(core, as_caller(user), str(project.id))

    def test_a_path_is_found_whatever_its_case(self, core: Core, project: Project, owner: User) -> None:
        assert core.access.project(as_caller(owner), project.full_path.upper()) == project

    @pytest.mark.parametrize(
        "ref",
        [
            *("", "0", "-1", "--1", "1.0", "+1", " 1", "1 ", "٣", "1e3", "9223372036854775808", "9" * 400),
            *("app", "/", "//", "a/\0", "a/b\n", "a/'; DROP TABLE projects; --", "a/\ud800"),
        ],
    )
    def test_what_cannot_name_one_names_none(self, core: Core, ref: str) -> None:
        core.project(core.user())

        self.missing(core, as_caller(core.user(is_admin=True)), ref)


class TestGroup:
    def missing(self, core: Core, caller: Principal, ref: str) -> None:
        with pytest.raises(NotFound) as raised:
            core.access.group(caller, ref)
        assert raised.value.what == "Group"

    def test_a_private_one_is_missing_to_strangers(self, core: Core, group: Namespace, user: User) -> None:
        for ref in (str(group.id), group.full_path, "999999", "no-such-group"):
            self.missing(core, as_caller(user), ref)

    @pytest.mark.parametrize("visibility", ["internal", "public"])
    def test_others_are_known_and_kept_from_strangers(
        self, core: Core, owner: User, user: User, visibility: str
    ) -> None:
        group = core.group(owner, visibility=visibility)

        assert core.access.group(as_caller(user), group.full_path.upper()) == group
        with pytest.raises(Forbidden):
            core.access.group(as_caller(user), group.full_path, Role.DEVELOPER)

    def test_a_member_finds_it_by_number_and_by_path(self, core: Core, group: Namespace, user: User) -> None:
        core.access.put_member("group", group.id, user, Role.GUEST, None)

        for ref in (str(group.id), group.full_path):
            assert core.access.group(as_caller(user), ref) == group

    def test_a_users_own_namespace_is_no_group(self, core: Core, user: User) -> None:
        own = core.projects.namespace_of_user(user.id)

        for ref in (str(own.id), own.full_path):
            self.missing(core, as_caller(user), ref)


class TestMembers:
    def test_direct_ones_are_listed_with_level_and_end(
        self, core: Core, project: Project, user: User, owner: User
    ) -> None:
        core.access.put_member("project", project.id, user, Role.REPORTER, day(9))

        found = core.access.members("project", project.id)
        assert [(each.user, each.access_level, each.expires_at) for each in found] == [(user, Role.REPORTER, day(9))]

    def test_all_of_them_are_listed_once_with_the_highest_level(
        self, core: Core, group: Namespace, owner: User, user: User
    ) -> None:
        below = core.group(owner, group)
        project = core.project(owner, below)
        core.access.put_member("group", group.id, user, Role.MAINTAINER, None)
        core.access.put_member("project", project.id, user, Role.GUEST, None)

        found = [(each.user.id, each.access_level) for each in core.access.all_members(project)]
        assert found == [(owner.id, Role.OWNER), (user.id, Role.MAINTAINER)]


class TestLists:
    """A list shows what could be opened one by one."""

    def test_projects_are_those_the_caller_may_know_of(self, core: Core, owner: User, user: User) -> None:
        group, strangers = core.group(owner), core.group(owner)
        below = core.group(owner, group)
        projects = [core.project(owner, namespace) for namespace in (group, below, strangers)]
        projects += [core.project(owner, strangers, visibility) for visibility in ("internal", "public")]
        projects += [core.project(user), core.project(core.user())]
        core.access.put_member("group", group.id, user, Role.GUEST, None)
        core.access.put_member("project", projects[2].id, user, Role.OWNER, day(0))

        for caller in (as_caller(user), as_caller(owner), as_caller(core.user(is_admin=True)), None):
            listing = core.projects.find(caller, Page(1, 100))
            known = [p for p in projects if core.access.visible(caller, p, core.access.role(caller, p))]
            assert listing.rows == sorted(known, key=lambda each: -each.id)
            assert listing.total == len(known)

    def test_groups_are_those_the_caller_may_know_of(self, core: Core, owner: User, user: User) -> None:
        groups = [core.group(owner, visibility=visibility) for visibility in Visibility]
        core.access.put_member("group", groups[0].id, user, Role.GUEST, None)

        listed = core.projects.groups(as_caller(user), Page(1, 100))
        assert {each.id for each in listed.rows} == {each.id for each in groups}
        listed = core.projects.groups(as_caller(core.user()), Page(1, 100))
        assert {each.id for each in listed.rows} == {each.id for each in groups[1:]}


class TestParseId:
    @pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
    def test_digits_are_an_id(self, text: str, number: int) -> None:
        assert parse_id(text) == number

    @pytest.mark.parametrize("text", ["", "0", "00", "-1", "+1", "1.0", "a", "1a", "٣", "²", str(2**63), "1" * 20])
    def test_anything_else_is_none(self, text: str) -> None:
        assert parse_id(text) is None
