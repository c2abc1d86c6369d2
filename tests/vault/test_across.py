from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.vault.core import Core, Found, as_caller
from vault import models, secure_files
from vault.models import Page, Principal, Role, Visibility

if TYPE_CHECKING:
    from vault.models import Project, User


class House:
    """Groups within groups, people's own namespaces, projects with files, and users who may read some of it."""

    def __init__(self, core: Core) -> None:
        self.core = core
        chance = random.Random(7)
        self.owner = core.user()
        groups = [core.group(self.owner)]
        for _ in range(8):
            groups.append(core.group(self.owner, chance.choice([None, *groups])))
        self.users = [core.user() for _ in range(4)]
        self.projects = [
            core.project(self.users[number % 4] if number % 5 == 0 else self.owner, None if number % 5 == 0 else group)
            for number, group in enumerate(chance.choice(groups) for _ in range(24))
        ]
        for user in self.users[1:]:
            for _ in range(3):
                self._let_in(chance, user, "project", chance.choice(self.projects).id)
                self._let_in(chance, user, "group", chance.choice(groups).id)
        for number, project in enumerate(self.projects):
            core.reader.answer = Found(expires_at=chance.choice([None, f"20{30 + number}-01-01T00:00:00.000Z"]))
            core.secure_files.add(project.id, chance.choice("ab"), b"1")
            core.secure_files.add(project.id, f"c{number}", b"1")

    def _let_in(self, chance: random.Random, user: User, kind: str, source: int) -> None:
        until = chance.choice([None, None, "2001-01-01", "2101-01-01"])
        self.core.access.put_member(kind, source, user, chance.choice([Role.REPORTER, Role.DEVELOPER]), until)

    def expected(self, caller: Principal, name: str | None, before: str | None) -> list[tuple[str, int]]:
        """Return what is to come out, project by project as a single request would decide."""
        found = [
            (row["expires_at"] or "~", row["id"])
            for project in self.projects
            if self.core.access.role(caller, project) >= Role.DEVELOPER
            for row in self.core.sql("SELECT * FROM secure_files WHERE project_id = :id", id=project.id)
            if name is None or row["name"] == name
            if before is None or (row["expires_at"] or "~") < before
        ]
        return sorted(found)


@pytest.fixture
def house(core: Core) -> House:
    return House(core)


def job_of(core: Core, user: User, project: Project) -> Principal:
    job, _ = core.pipelines.create_job(as_caller(user), project.id, "build", "main")
    return Principal(user=user, scopes=frozenset(("api",)), job=job)


class TestReadable:
    """What a caller finds across projects is what he would find asking project by project."""

    @pytest.mark.parametrize("limits", [{}, {"FEW": -1}, {"FEW": -1, "COUNTED": 0}], ids=["few", "some", "many"])
    def test_is_what_each_project_would_give(
        self, core: Core, house: House, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whichever way is taken to them, which is by how many projects and files there are."""
        for name, value in limits.items():
            monkeypatch.setattr(secure_files, name, value)
        admin = core.user(is_admin=True)
        callers = [as_caller(user) for user in (*house.users, house.owner, admin)]
        callers += [job_of(core, user, project) for user in (*house.users, admin) for project in house.projects[:6]]
        several = 0
        for caller in callers:
            for name, before in ((None, None), ("a", None), (None, "2045-01-01"), ("b", "2045-01-01")):
                expected = house.expected(caller, name, before)
                several += len(expected) > 3
                listing = core.secure_files.readable(caller, Page(size=100), name=name, expires_before=before)
                assert [(file.expires_at or "~", file.id) for file, _ in listing.rows] == expected
                assert listing.total == len(expected)
        assert several > 10

    def test_has_the_path_of_each_project(self, core: Core, house: House) -> None:
        paths = {project.id: project.full_path for project in house.projects}
        rows = core.secure_files.readable(as_caller(core.user(is_admin=True)), Page(size=100)).rows
        assert [path for file, path in rows] == [paths[file.project_id] for file, _ in rows]

    def test_comes_in_pages_that_leave_nothing_out(self, core: Core, house: House) -> None:
        admin = as_caller(core.user(is_admin=True))
        pages = [core.secure_files.readable(admin, Page(number, 7)) for number in range(1, 8)]
        ids = [file.id for page in pages for file, _ in page.rows]
        assert ids == [number for _, number in house.expected(admin, None, None)]

    def test_as_a_report_is_what_expires_of_it(self, core: Core, house: House) -> None:
        for user in (*house.users, core.user(is_admin=True)):
            expected = [each for each in house.expected(as_caller(user), None, None) if each[0] != "~"]
            rows = core.secure_files.readable_expiring(as_caller(user))
            assert [(row["expires_at"], row["id"]) for row in rows] == expected


class TestExpiring:
    def test_goes_up_to_the_moment_and_may_be_of_one_project(self, core: Core, house: House) -> None:
        everything = [
            each for each in house.expected(as_caller(core.user(is_admin=True)), None, None) if each[0] != "~"
        ]
        [moment, last] = everything[len(everything) // 2]
        some = core.secure_files.expiring(moment)
        assert [row["id"] for row in some] == [number for _, number in everything if (_, number) <= (moment, last)]
        assert [row["id"] for row in core.secure_files.expiring()] == [number for _, number in everything]
        project = some[0]["project_id"]
        of_one = [row["id"] for row in core.secure_files.expiring(project_id=project)]
        assert of_one == [row["id"] for row in core.secure_files.expiring() if row["project_id"] == project]


class TestProjects:
    """What projects a caller finds is what he would be shown one by one."""

    def test_are_those_he_may_know_of_the_newest_first(self, core: Core, house: House) -> None:
        for number, visibility in enumerate((Visibility.PUBLIC, Visibility.INTERNAL)):
            for project in house.projects[number::7]:
                core.projects.update(project.id, {"visibility": visibility})
        callers = [as_caller(user) for user in (*house.users, house.owner, core.user(is_admin=True))]
        several = 0
        for caller in callers:
            for membership in (False, True):
                for term in (None, "1"):
                    expected = self._expected(core, house, caller, membership, term)
                    several += 3 < len(expected) < len(house.projects)
                    found = core.projects.find(caller, Page(size=100), membership=membership, search=term)
                    assert [project.id for project in found.rows] == expected
                    assert found.total == len(expected)
                    self._come_in_pages(core, caller, expected, {"membership": membership, "search": term})
        assert several > 5

    @staticmethod
    def _expected(core: Core, house: House, caller: Principal, membership: bool, term: str | None) -> list[int]:
        found = []
        for project in map(core.projects.get, sorted((each.id for each in house.projects), reverse=True)):
            member = core.access.role(Principal(replace(caller.user, is_admin=False), caller.scopes), project)
            known = caller.user.is_admin or project.visibility != Visibility.PRIVATE
            if (member > Role.NONE or (known and not membership)) and (term or "") in project.full_path:
                found.append(project.id)
        return found

    @staticmethod
    def _come_in_pages(core: Core, caller: Principal, expected: list[int], asked: dict[str, Any]) -> None:
        pages = [core.projects.find(caller, Page(number, 5), **asked) for number in range(1, len(expected) // 5 + 3)]
        assert [project.id for page in pages for project in page.rows] == expected
        assert {page.total for page in pages} == {len(expected)}

    def test_of_which_more_match_than_are_counted_are_the_newest_as_well(
        self, core: Core, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(models, "COUNTED", 3)
        newest = sorted((project.id for project in house.projects), reverse=True)
        found = core.projects.find(as_caller(core.user(is_admin=True)), Page(size=5), search="a")
        assert [project.id for project in found.rows] == newest[:5]
        assert found.total > 5


class TestManyRows:
    """Of very many it is known that there are more, not how many."""

    @pytest.mark.parametrize(
        ("page", "most"), [(Page(1, 20), 10_001), (Page(600, 20), 12_001), (Page(100, 100), 10_001)]
    )
    def test_as_much_is_counted_as_has_to_be_told(self, page: Page, most: int) -> None:
        assert page.most == most
