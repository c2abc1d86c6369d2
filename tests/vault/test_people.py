"""Users, and the namespace that each of them owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.core import as_caller
from vault.errors import Conflict, Invalid, NotFound
from vault.models import Page
from vault.people import like

if TYPE_CHECKING:
    from tests.vault.core import Core

ALL = Page(1, 100)


class TestCreate:
    def test_a_user_is_active_no_administrator_and_found_again(self, core: Core) -> None:
        made = core.people.create("Ada.L", "Ada Lovelace", "ada@example.com")

        assert (made.username, made.name, made.email) == ("Ada.L", "Ada Lovelace", "ada@example.com")
        assert (made.state, made.is_admin) == ("active", False)
        assert core.people.get(made.id) == made

    def test_a_namespace_of_the_same_name_is_his(self, core: Core) -> None:
        made = core.user("ada")
        own = core.projects.namespace_of_user(made.id)

        assert (own.kind, own.full_path, own.owner_id, own.parent_id) == ("user", "ada", made.id, None)

    @pytest.mark.parametrize("name", ["ada", "ADA"])
    def test_a_name_is_taken_once_whatever_its_case(self, core: Core, name: str) -> None:
        core.user("ada")

        with pytest.raises(Conflict, match="Username has already been taken"):
            core.user(name)
        assert core.people.find(ALL).total == 1

    def test_a_groups_path_is_no_username_and_the_other_way_round(self, core: Core) -> None:
        ada = core.user("ada")
        core.projects.create_group(as_caller(ada), "Team", "team")

        with pytest.raises(Conflict):
            core.user("Team")
        with pytest.raises(Conflict):
            core.projects.create_group(as_caller(ada), "Ada", "ADA")

    @pytest.mark.parametrize("name", ["a", "_", "7", "a-", "a-b", "a.b", "a_b", "A9", "x" * 255])
    def test_gitlabs_usernames_are_taken(self, core: Core, name: str) -> None:
        assert core.user(name).username == name

    @pytest.mark.parametrize(
        "name",
        ["-a", ".a", "a.", "a b", "a/b", "a\n", "é", "a.git", "a.atom", "a\0", "x" * 256],
    )
    def test_other_names_are_refused(self, core: Core, name: str) -> None:
        with pytest.raises(Invalid) as raised:
            core.people.create(name, "name", "mail")
        assert raised.value.field == "username"

    def test_an_empty_username_and_a_blank_name_are_refused(self, core: Core) -> None:
        with pytest.raises(Invalid, match="username"):
            core.people.create("", "name", "mail")
        with pytest.raises(Invalid, match="name can't be blank"):
            core.people.create("ada", "  ", "mail")


class TestFinding:
    def test_the_newest_come_first(self, core: Core) -> None:
        made = [core.user() for _ in range(5)]

        assert core.people.find(ALL).rows == made[::-1]
        assert core.people.find(Page(2, 2)).rows == made[2:0:-1]
        assert core.people.find(Page(2, 2)).total == 5

    def test_a_username_is_found_whole_and_whatever_its_case(self, core: Core) -> None:
        ada = core.user("Ada")
        core.user("Ada-2")

        assert core.people.find(ALL, username="aDA").rows == [ada]
        assert core.people.find(ALL, username="Ad").rows == []

    @pytest.mark.parametrize(
        ("term", "found"), [("DA", ["x_ada", "ada"]), ("_", ["x_ada"]), ("%", []), ("!", []), ("", ["x_ada", "ada"])]
    )
    def test_a_part_of_one_is_taken_letter_for_letter(self, core: Core, term: str, found: list[str]) -> None:
        core.user("ada")
        core.user("x_ada")

        assert [each.username for each in core.people.find(ALL, search=term).rows] == found

    def test_nobody_is_found_by_a_number_that_nobody_has(self, core: Core) -> None:
        with pytest.raises(NotFound, match="User"):
            core.people.get(7)

    def test_the_oldest_administrator_is_the_one(self, core: Core) -> None:
        assert core.people.administrator() is None
        core.user()
        first = core.user(is_admin=True)
        core.user(is_admin=True)

        assert core.people.administrator() == first


class TestLike:
    def test_every_sign_with_a_meaning_is_escaped(self) -> None:
        assert like("50%_of!A") == "%50!%!_of!!a%"
        assert like("") is None
        assert like(None) is None
