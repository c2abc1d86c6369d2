"""Tokens: made once, shown once, kept as a keyed digest, and good until they are not."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import as_caller
from vault import clock
from vault.errors import Conflict, Invalid, NotFound, TokenExpired, TokenRevoked, Unauthenticated
from vault.models import SCOPES
from vault.tokens import BASE62, JOB, PERSONAL, Tokens, is_mistyped, new_secret

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import User


@pytest.fixture
def user(core: Core) -> User:
    return core.user()


class TestNewSecret:
    @pytest.mark.parametrize("prefix", [PERSONAL, JOB])
    def test_is_a_prefix_32_random_characters_and_their_checksum(self, prefix: str) -> None:
        secret = new_secret(prefix)
        body, check = secret[len(prefix) : -6], secret[-6:]

        assert re.fullmatch(rf"{prefix}[0-9A-Za-z]{{38}}", secret)
        # A secret scanner computes this from the text alone.
        value = 0
        for char in check:
            value = value * 62 + BASE62.index(char)
        assert value == zlib.crc32(body.encode())

    def test_is_another_one_each_time(self) -> None:
        assert len({new_secret(PERSONAL) for _ in range(100)}) == 100


class TestCreate:
    def test_the_secret_is_given_once_and_is_nowhere_in_the_catalog(self, core: Core, user: User) -> None:
        token, secret = core.tokens.create(user, "laptop", ("api",), None)
        _, job_secret = core.pipelines.create_job(as_caller(user), core.project(user).id, "build", "main")

        assert secret not in repr(token)
        core.database.close()
        kept = [path.read_bytes() for path in core.folder.rglob("*") if path.is_file()]
        for each in (secret, job_secret):
            # Not even what would be left of it behind the part that is shown in lists.
            assert not any(each[9:].encode() in content for content in kept)

    def test_the_token_tells_what_was_asked_for(self, core: Core, user: User) -> None:
        token, _ = core.tokens.create(user, "laptop", ("api", "read_user"), date(2030, 1, 2))

        assert (token.user_id, token.name, token.scopes) == (user.id, "laptop", ("api", "read_user"))
        assert (token.expires_at, token.revoked, token.last_used_at) == ("2030-01-02", False, None)
        assert core.tokens.get(token.id) == token

    def test_a_secret_of_ones_own_is_taken_as_it_is_and_once(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "root", ("api",), None, "chosen by somebody")

        assert secret == "chosen by somebody"
        assert core.tokens.personal(secret).user == user
        with pytest.raises(Conflict):
            core.tokens.create(user, "root", ("api",), None, secret)

    @pytest.mark.parametrize(
        ("name", "scopes", "field"), [(" ", ("api",), "name"), ("a", (), "scopes"), ("a", ("api", "sudo"), "scopes")]
    )
    def test_a_blank_name_no_scope_or_an_unknown_one_is_refused(
        self, core: Core, user: User, name: str, scopes: tuple[str, ...], field: str
    ) -> None:
        with pytest.raises(Invalid) as raised:
            core.tokens.create(user, name, scopes, None)
        assert raised.value.field == field
        assert core.tokens.of_user(user.id) == []

    @pytest.mark.parametrize("scope", SCOPES)
    def test_every_scope_of_gitlabs_can_be_had(self, core: Core, user: User, scope: str) -> None:
        _, secret = core.tokens.create(user, "a", (scope,), None)

        assert core.tokens.personal(secret).scopes == {scope}


class TestPersonal:
    def test_stands_for_its_user_with_its_scopes(self, core: Core, user: User) -> None:
        token, secret = core.tokens.create(user, "a", ("api", "read_user"), None)
        principal = core.tokens.personal(secret)

        assert (principal.user, principal.token_id, principal.job) == (user, token.id, None)
        assert principal.scopes == {"api", "read_user"}

    @pytest.mark.parametrize("change", [str.swapcase, lambda text: text[:-1], lambda text: text + "x", lambda _: ""])
    def test_a_secret_that_is_not_quite_one_stands_for_nobody(self, core: Core, user: User, change: object) -> None:
        assert callable(change)
        _, secret = core.tokens.create(user, "a", ("api",), None)

        with pytest.raises(Unauthenticated):
            core.tokens.personal(change(secret))

    def test_a_typing_error_is_refused_without_a_look_into_the_catalog(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "a", ("api",), None)
        with pytest.raises(Unauthenticated):
            core.tokens.personal(f"{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}")
        core.database.close()

        for typo in (f"{secret[:-6]}{'0' * 6}", f"glcbt-{secret[6:-2]}00"):
            for ask in (core.tokens.personal, core.tokens.job):
                with pytest.raises(Unauthenticated):
                    ask(typo)

    def test_one_from_outside_that_only_looks_like_ours_is_good_in_every_process(self, core: Core, user: User) -> None:
        foreign = "glpat-" + "a" * 38
        other = Tokens(core.database, core.keyring.derive("tokens"))
        core.tokens.create(user, "root", ("api",), None, foreign)

        assert is_mistyped(foreign)
        assert core.tokens.personal(foreign).user == other.personal(foreign).user == user

    @pytest.mark.parametrize(
        ("expires_at", "good"), [(date(2026, 2, 21), False), (date(2026, 2, 22), False), (date(2026, 2, 23), True)]
    )
    def test_is_good_before_its_date_and_not_on_it(
        self, core: Core, user: User, monkeypatch: pytest.MonkeyPatch, expires_at: date, good: bool
    ) -> None:
        monkeypatch.setattr(clock, "today", lambda: "2026-02-22")
        _, secret = core.tokens.create(user, "a", ("api",), expires_at)

        if good:
            assert core.tokens.personal(secret).user == user
        else:
            with pytest.raises(TokenExpired):
                core.tokens.personal(secret)

    def test_a_revoked_one_says_so_even_when_it_has_expired_too(self, core: Core, user: User) -> None:
        token, secret = core.tokens.create(user, "a", ("api",), date(2000, 1, 1))
        for _ in range(2):
            core.tokens.revoke(token.id)

        assert core.tokens.get(token.id).revoked
        with pytest.raises(TokenRevoked):
            core.tokens.personal(secret)

    def test_a_blocked_users_tokens_stand_for_nobody(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "a", ("api",), None)
        _, job_secret = core.pipelines.create_job(as_caller(user), core.project(user).id, "build", "main")
        core.sql("UPDATE users SET state = 'blocked' WHERE id = :id", id=user.id)

        for ask, given in ((core.tokens.personal, secret), (core.tokens.job, job_secret)):
            with pytest.raises(Unauthenticated):
                ask(given)

    def test_each_kind_is_good_for_its_own_door_only(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "a", ("api",), None)
        _, job_secret = core.pipelines.create_job(as_caller(user), core.project(user).id, "build", "main")

        with pytest.raises(Unauthenticated):
            core.tokens.job(secret)
        with pytest.raises(Unauthenticated):
            core.tokens.personal(job_secret)


class TestJob:
    def test_stands_for_the_user_who_started_it(self, core: Core, user: User) -> None:
        job, secret = core.pipelines.create_job(as_caller(user), core.project(user).id, "build", "main")
        principal = core.tokens.job(secret)

        assert (principal.user, principal.job, principal.token_id) == (user, job, None)
        assert principal.scopes == {"api"}

    @pytest.mark.parametrize("status", ["pending", "created", "success", "failed"])
    def test_is_good_only_while_the_job_runs(self, core: Core, user: User, status: str) -> None:
        project = core.project(user)
        _, secret = core.pipelines.create_job(as_caller(user), project.id, "build", "main", status=status)

        with pytest.raises(Unauthenticated):
            core.tokens.job(secret)

    def test_ends_with_its_project(self, core: Core, user: User) -> None:
        project = core.project(user)
        _, secret = core.pipelines.create_job(as_caller(user), project.id, "build", "main")
        core.projects.delete(project.id)

        with pytest.raises(Unauthenticated):
            core.tokens.job(secret)


class TestDigest:
    def test_depends_on_a_key_that_is_not_in_the_catalog(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "a", ("api",), None)

        with pytest.raises(Unauthenticated):
            Tokens(core.database, bytes(32)).personal(secret)

    def test_survives_the_rotation_of_the_master_key(self, core: Core, user: User) -> None:
        _, secret = core.tokens.create(user, "a", ("api",), None)
        core.keyring.rotate()

        assert Tokens(core.database, core.keyring.derive("tokens")).personal(secret).user == user


class TestRememberUse:
    def test_the_last_use_is_remembered_to_the_minute(
        self, core: Core, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, secret = core.tokens.create(user, "a", ("api",), None)
        seen = []
        for now in ("2026-02-22T10:00:01.000Z", "2026-02-22T10:00:59.000Z", "2026-02-22T10:01:00.000Z"):
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            core.tokens.personal(secret)
            core.tokens.remember_use()
            seen.append(core.tokens.get(token.id).last_used_at)

        assert seen == ["2026-02-22T10:00:01.000Z", "2026-02-22T10:00:01.000Z", "2026-02-22T10:01:00.000Z"]

    def test_a_token_that_was_not_used_has_no_last_use(self, core: Core, user: User) -> None:
        token, _ = core.tokens.create(user, "a", ("api",), None)
        core.tokens.remember_use()

        assert core.tokens.get(token.id).last_used_at is None


class TestLists:
    def test_a_users_tokens_come_newest_first(self, core: Core, user: User) -> None:
        made = [core.tokens.create(user, name, ("api",), None)[0] for name in "abc"]
        core.tokens.create(core.user(), "theirs", ("api",), None)
        core.tokens.revoke(made[0].id)

        assert core.tokens.of_user(user.id) == [made[2], made[1], replace(made[0], revoked=True)]

    def test_a_number_that_no_token_has_is_not_found(self, core: Core) -> None:
        with pytest.raises(NotFound):
            core.tokens.get(7)
