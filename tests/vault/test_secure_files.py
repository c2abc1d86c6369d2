"""The rules of secure files: names, limits, order, what an inspection leaves behind, and what goes with what."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.vault.core import LARGE, Core, Found, as_caller, opened
from vault.errors import BlobMissing, Invalid, LimitExceeded, NotFound, TooLarge, UnsafePath, VaultError
from vault.models import Limits, Page, Principal, Project, Role, SecureFile
from vault.secure_file_names import check_name, extension
from vault.secure_files import present

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOON, LATER = "2030-01-01T00:00:00.000Z", "2040-01-01T00:00:00.000Z"
READ = Found("certificate", {"id": "7", "issuer": {"CN": "Ünïcode, Inc."}}, SOON)
ALL = Page(1, 100)


@pytest.fixture
def project(core: Core) -> Project:
    return core.project(core.user())


def names(core: Core, project: Project, page: Page = ALL, **where: str) -> list[str]:
    return [json.loads(text)["name"] for text in core.secure_files.documents(project.id, page, **where).rows]


def told(file: SecureFile) -> dict[str, Any]:
    return dict(json.loads(present(file)))


class TestName:
    @pytest.mark.parametrize(
        "name",
        [
            "certs/distribution/X.cer",
            "c++.jks",
            "a%41b.cer",
            "100%.cer",
            "two words.p12",
            "...",
            "a..b",
            "..a/b",
            ".env",
            "/leading/slash",
            "ключ.jks",
            "x" * 255,
            "я" * 255,
        ],
    )
    def test_gitlabs_names_are_kept_letter_for_letter(self, core: Core, project: Project, name: str) -> None:
        assert core.secure_files.add(project.id, name, b"x").name == name
        assert names(core, project, name=name) == [name]

    @pytest.mark.parametrize(
        "name",
        [
            ".",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "..\\x",
            "a\\..\\b",
            "a\\..",
            "%2e%2e/x",
            "..%2fx",
            "a%2F..%2Fb",
            "a\nb",
            "a\rb",
            "a%0ab",
            "a\0b",
        ],
    )
    def test_a_name_that_would_climb_is_refused_also_behind_percent_signs(self, name: str) -> None:
        with pytest.raises(UnsafePath):
            check_name(name)

    @pytest.mark.parametrize("name", ["", " ", "\t "])
    def test_a_blank_name_is_refused(self, name: str) -> None:
        with pytest.raises(Invalid, match="name can't be blank"):
            check_name(name)

    def test_256_characters_are_too_many(self) -> None:
        with pytest.raises(Invalid, match="too long"):
            check_name("x" * 256)

    def test_half_a_surrogate_pair_is_refused_and_leaves_nothing(self, core: Core, project: Project) -> None:
        with pytest.raises(Invalid):
            core.secure_files.add(project.id, "a\ud800.cer", bytes(LARGE))
        assert list(core.blobs.ids()) == []

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("a.cer", "cer"),
            ("a.tar.gz", "gz"),
            ("a.CER", "CER"),
            ("certs/x.p12", "p12"),
            ("..a.b", "b"),
            (".a.b", "b"),
            ("file1", None),
            (".env", None),
            ("x.", None),
            ("folder.d/file1", None),
            ("...", None),
            ("", None),
        ],
    )
    def test_extension_is_what_ruby_says(self, name: str, expected: str | None) -> None:
        assert extension(name) == expected


class TestAdd:
    def test_the_file_is_told_as_gitlab_does(self, core: Core, project: Project) -> None:
        core.reader.answer = READ
        file = core.secure_files.add(project.id, "a.tar.gz", b"content")

        assert told(file) == {
            "id": file.id,
            "name": "a.tar.gz",
            "checksum": hashlib.sha256(b"content").hexdigest(),
            "checksum_algorithm": "sha256",
            "created_at": file.created_at,
            "expires_at": SOON,
            "metadata": READ.metadata,
            "metadata_error": None,
            "file_extension": "gz",
        }
        assert core.secure_files.get(project.id, file.id) == file

    @pytest.mark.parametrize("size", [0, 1, LARGE])
    def test_the_content_comes_back(self, core: Core, project: Project, size: int) -> None:
        plain = os.urandom(size)
        file = core.secure_files.add(project.id, "a", plain)

        assert core.secure_files.content(project.id, file.id) == (file, plain)
        assert file.size == size

    def test_an_unreadable_file_is_kept_with_its_reason(self, core: Core, project: Project) -> None:
        core.reader.answer = Found("pkcs12", error="password_missing")
        file = core.secure_files.add(project.id, "a.p12", b"content")

        assert (told(file)["metadata"], told(file)["metadata_error"]) == (None, "password_missing")
        assert core.secure_files.unreadable() == 1

    def test_the_password_is_used_once_and_kept_nowhere(self, core: Core, project: Project) -> None:
        core.secure_files.add(project.id, "a.p12", b"content", "tr0ub4dor&3")

        assert core.reader.asked == [("a.p12", b"content", "tr0ub4dor&3")]
        core.database.close()
        kept = [path.read_bytes() for path in core.folder.rglob("*") if path.is_file()]
        assert not any(b"tr0ub4dor&3" in content for content in kept)

    def test_a_name_is_taken_once_in_a_project(self, core: Core, project: Project) -> None:
        core.secure_files.add(project.id, "a.cer", b"1")

        with pytest.raises(Invalid) as raised:
            core.secure_files.add(project.id, "a.cer", bytes(LARGE))
        assert raised.value.problems == {"name": "has already been taken"}
        assert list(core.blobs.ids()) == []

    def test_names_that_differ_in_case_or_project_are_others(self, core: Core, project: Project) -> None:
        other = core.project(core.user())
        for owner, name in ((project, "a.cer"), (project, "A.cer"), (other, "a.cer")):
            core.secure_files.add(owner.id, name, b"1")

        assert names(core, project) == ["A.cer", "a.cer"]

    def test_ids_are_never_given_twice(self, core: Core, project: Project) -> None:
        first = core.secure_files.add(project.id, "a", b"1")
        core.secure_files.remove(project.id, first.id)

        assert core.secure_files.add(project.id, "a", b"1").id > first.id


class TestLimits:
    @pytest.fixture
    def core(self, tmp_path: Path) -> Iterator[Core]:
        with opened(tmp_path / "data", limits=Limits(secure_file_bytes=1000, secure_files_per_project=3)) as core:
            yield core

    def test_a_file_of_the_limit_is_refused_and_one_byte_less_is_not(self, core: Core, project: Project) -> None:
        core.secure_files.add(project.id, "fits", bytes(999))

        with pytest.raises(TooLarge) as raised:
            core.secure_files.add(project.id, "does not", bytes(1000))
        assert raised.value.limit == 1000
        with pytest.raises(TooLarge):
            core.secure_files.replace(project.id, 1, bytes(1000))

    def test_too_large_a_file_is_never_looked_at(self, core: Core, project: Project) -> None:
        with pytest.raises(TooLarge):
            core.secure_files.add(project.id, "a", bytes(1000))
        assert core.reader.asked == []

    def test_one_more_than_the_project_may_hold_is_refused(self, core: Core, project: Project) -> None:
        for number in range(3):
            core.secure_files.add(project.id, str(number), b"")

        with pytest.raises(LimitExceeded) as raised:
            core.secure_files.add(project.id, "3", b"")
        assert str(raised.value) == "Maximum number of project ci secure files (3) exceeded"
        core.secure_files.add(core.project(core.user()).id, "3", b"")

    def test_a_place_that_becomes_free_can_be_taken(self, core: Core, project: Project) -> None:
        files = [core.secure_files.add(project.id, str(number), b"") for number in range(3)]
        core.secure_files.remove(project.id, files[0].id)

        core.secure_files.add(project.id, "3", b"")

    def test_replacing_takes_no_place(self, core: Core, project: Project) -> None:
        files = [core.secure_files.add(project.id, str(number), b"") for number in range(3)]

        assert core.secure_files.replace(project.id, files[0].id, b"new").id == files[0].id

    def test_of_many_at_once_only_as_many_as_there_are_places_get_in(self, core: Core, project: Project) -> None:
        outcomes = at_once(12, lambda number: core.secure_files.add(project.id, str(number), bytes(900)))

        assert sorted(type(each).__name__ for each in outcomes) == ["LimitExceeded"] * 9 + ["SecureFile"] * 3

    def test_of_many_with_one_name_one_gets_in(self, core: Core, project: Project) -> None:
        outcomes = at_once(8, lambda _: core.secure_files.add(project.id, "one", bytes(900)))

        assert sorted(type(each).__name__ for each in outcomes) == ["Invalid"] * 7 + ["SecureFile"]


def at_once(count: int, call: Any) -> list[Any]:
    """Let `count` threads call at one time, and return what each got or met."""
    start = threading.Barrier(count)

    def outcome(number: int) -> Any:
        start.wait()
        try:
            return call(number)
        except VaultError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


class TestTooLate:
    """What changed while a file was being read decides, and the file that came too late leaves nothing."""

    def meanwhile(self, core: Core, change: Callable[[], object]) -> None:
        """Have `change` happen once, while the next file is being read."""
        reader = core.reader

        def interrupted(name: str, data: bytes, password: str | None = None, /) -> Found:
            core.secure_files._inspect = reader
            change()
            return reader(name, data, password)

        core.secure_files._inspect = interrupted

    def test_a_name_that_was_taken_meanwhile(self, core: Core, project: Project) -> None:
        self.meanwhile(core, lambda: core.secure_files.add(project.id, "a", b"first"))

        with pytest.raises(Invalid, match="has already been taken"):
            core.secure_files.add(project.id, "a", bytes(LARGE))
        assert list(core.blobs.ids()) == []
        assert names(core, project) == ["a"]

    def test_a_file_that_was_removed_meanwhile(self, core: Core, project: Project) -> None:
        file = core.secure_files.add(project.id, "a", b"first")
        self.meanwhile(core, lambda: core.secure_files.remove(project.id, file.id))

        with pytest.raises(NotFound):
            core.secure_files.replace(project.id, file.id, bytes(LARGE))
        assert list(core.blobs.ids()) == []
        assert names(core, project) == []

    def test_a_file_that_was_replaced_meanwhile_keeps_the_newer_metadata(self, core: Core, project: Project) -> None:
        file = core.secure_files.add(project.id, "a", b"first")
        self.meanwhile(core, lambda: core.secure_files.replace(project.id, file.id, b"second"))
        core.reader.answer = READ
        after = core.secure_files.read_again(project.id, file.id, "password of the first")

        assert told(after)["checksum"] == hashlib.sha256(b"second").hexdigest()
        assert core.reader.asked[-1][1] == b"first"


class TestDocuments:
    def test_newest_come_first_also_within_a_millisecond(self, core: Core, project: Project) -> None:
        for number in range(5):
            core.secure_files.add(project.id, str(number), b"")
        core.sql("UPDATE secure_files SET created_at = '2026-01-01T00:00:00.000Z'")

        assert names(core, project) == ["4", "3", "2", "1", "0"]

    def test_pages_are_parts_of_one_list(self, core: Core, project: Project) -> None:
        for number in range(5):
            core.secure_files.add(project.id, str(number), b"")

        pages = [core.secure_files.documents(project.id, Page(number, 2)) for number in (1, 2, 3, 4)]
        assert [len(page.rows) for page in pages] == [2, 2, 1, 0]
        assert {page.total for page in pages} == {5}

    def test_another_projects_files_are_not_among_them(self, core: Core, project: Project) -> None:
        core.secure_files.add(core.project(core.user()).id, "theirs", b"")

        assert names(core, project) == []

    def test_can_be_asked_for_one_name_or_for_what_expires_before(self, core: Core, project: Project) -> None:
        for name, expires_at in (("soon", SOON), ("later", LATER), ("never", None)):
            core.reader.answer = Found(expires_at=expires_at)
            core.secure_files.add(project.id, name, b"")

        assert names(core, project, name="soon") == ["soon"]
        assert names(core, project, name="SOON") == []
        assert names(core, project, expires_before=LATER) == ["soon"]
        assert names(core, project, expires_before="2050-01-01T00:00:00.000Z") == ["later", "soon"]


class TestReplace:
    def test_id_name_and_date_stay_and_all_else_is_the_new_files(self, core: Core, project: Project) -> None:
        before = core.secure_files.add(project.id, "a.cer", b"old")
        core.reader.answer = READ
        after = core.secure_files.replace(project.id, before.id, b"new")

        assert (after.id, after.name, after.created_at) == (before.id, "a.cer", before.created_at)
        assert told(after)["checksum"] == hashlib.sha256(b"new").hexdigest()
        assert told(after)["metadata"] == READ.metadata
        assert core.secure_files.content(project.id, after.id)[1] == b"new"

    def test_the_old_content_cannot_be_opened_any_more(self, core: Core, project: Project) -> None:
        before = core.secure_files.add(project.id, "a.cer", bytes(LARGE))
        after = core.secure_files.replace(project.id, before.id, bytes(LARGE))

        with pytest.raises(NotFound):
            core.storage.envelope(before.blob_id)
        core.storage.remove_noted()
        assert list(core.blobs.ids()) == [after.blob_id]

    def test_a_file_that_is_missing_or_another_projects_is_not_found(self, core: Core, project: Project) -> None:
        theirs = core.secure_files.add(core.project(core.user()).id, "a", b"theirs")

        for file_id in (theirs.id, 999):
            with pytest.raises(NotFound):
                core.secure_files.replace(project.id, file_id, bytes(LARGE))
        assert list(core.blobs.ids()) == []

    def test_a_reader_of_the_old_content_gets_the_new(self, core: Core, project: Project) -> None:
        """The row was looked at before the replacement, its content after."""
        file = core.secure_files.add(project.id, "a", bytes(LARGE))
        replaced = threading.Event()
        envelope = core.storage.envelope

        def replaced_meanwhile(blob_id: str) -> Any:
            if not replaced.is_set():
                replaced.set()
                core.secure_files.replace(project.id, file.id, b"new")
            return envelope(blob_id)

        core.storage.envelope = replaced_meanwhile  # type: ignore[method-assign]
        assert core.secure_files.content(project.id, file.id)[1] == b"new"


class TestReadAgain:
    def test_a_password_that_opens_it_brings_the_metadata(self, core: Core, project: Project) -> None:
        core.reader.answer = Found("pkcs12", error="password_missing")
        before = core.secure_files.add(project.id, "a.p12", b"content")
        core.reader.answer = READ
        after = core.secure_files.read_again(project.id, before.id, "secret")

        assert core.reader.asked[-1] == ("a.p12", b"content", "secret")
        assert (told(after)["metadata"], told(after)["metadata_error"]) == (READ.metadata, None)
        assert core.secure_files.get(project.id, before.id) == after
        assert core.secure_files.unreadable() == 0

    def test_one_that_does_not_leaves_what_was_read_before(self, core: Core, project: Project) -> None:
        core.reader.answer = READ
        before = core.secure_files.add(project.id, "a.p12", b"content")
        core.reader.answer = Found("pkcs12", error="password_wrong")
        after = core.secure_files.read_again(project.id, before.id, "guess")

        assert told(after) == {**told(before), "metadata_error": "password_wrong"}
        assert core.secure_files.get(project.id, before.id) == before


class TestContent:
    def test_a_lost_object_is_an_error_of_this_file_alone(self, core: Core, project: Project) -> None:
        lost, kept = (core.secure_files.add(project.id, name, bytes(LARGE)) for name in "ab")
        core.blobs.delete(lost.blob_id)

        with pytest.raises(BlobMissing, match=lost.blob_id):
            core.secure_files.content(project.id, lost.id)
        assert len(core.secure_files.content(project.id, kept.id)[1]) == LARGE
        assert names(core, project) == ["b", "a"]

    def test_only_small_ones_are_had_from_the_row(self, core: Core, project: Project) -> None:
        small, large = (core.secure_files.add(project.id, str(size), bytes(size)) for size in (10, LARGE))

        assert core.secure_files.content_in_row(project.id, small.id) == (small, bytes(10))
        assert core.secure_files.content_in_row(project.id, large.id) == (large, None)

    def test_another_projects_file_is_not_found(self, core: Core, project: Project) -> None:
        theirs = core.secure_files.add(core.project(core.user()).id, "a", b"theirs")

        for ask in (core.secure_files.get, core.secure_files.content, core.secure_files.content_in_row):
            with pytest.raises(NotFound):
                ask(project.id, theirs.id)


class TestRemove:
    def test_the_file_and_its_key_go_together(self, core: Core, project: Project) -> None:
        file = core.secure_files.add(project.id, "a", bytes(LARGE))
        core.secure_files.remove(project.id, file.id)

        with pytest.raises(NotFound):
            core.secure_files.get(project.id, file.id)
        with pytest.raises(NotFound):
            core.storage.envelope(file.blob_id)
        with pytest.raises(NotFound):
            core.secure_files.remove(project.id, file.id)

    def test_another_projects_file_stays(self, core: Core, project: Project) -> None:
        theirs = core.secure_files.add(core.project(core.user()).id, "a", b"theirs")

        with pytest.raises(NotFound):
            core.secure_files.remove(project.id, theirs.id)
        assert core.content(theirs.blob_id) == b"theirs"

    def test_a_project_takes_its_files_and_their_keys_along(self, core: Core, project: Project) -> None:
        files = [core.secure_files.add(project.id, str(size), bytes(size)) for size in (10, LARGE)]
        kept = core.secure_files.add(core.project(core.user()).id, "kept", bytes(LARGE))
        core.projects.delete(project.id)

        for file in files:
            with pytest.raises(NotFound):
                core.storage.envelope(file.blob_id)
        core.storage.remove_noted()
        assert list(core.blobs.ids()) == [kept.blob_id]


class TestExpiring:
    def test_soonest_first_across_projects_without_what_never_does(self, core: Core, project: Project) -> None:
        other = core.project(core.user())
        for owner, name, expires_at in (
            (project, "later", LATER),
            (project, "never", None),
            (other, "soon", SOON),
            (project, "soon too", SOON),
        ):
            core.reader.answer = Found("certificate", expires_at=expires_at)
            core.secure_files.add(owner.id, name, b"")

        rows = core.secure_files.expiring()
        assert [(row["project"], row["name"], row["kind"]) for row in rows] == [
            (other.full_path, "soon", "certificate"),
            (project.full_path, "soon too", "certificate"),
            (project.full_path, "later", "certificate"),
        ]
        assert [row["name"] for row in core.secure_files.expiring(SOON)] == ["soon", "soon too"]
        assert core.secure_files.expiring("2029-12-31T23:59:59.999Z") == []


class TestReadable:
    """The list across projects holds what its caller may read and not one file more."""

    def seen(self, core: Core, caller: Principal, **where: str) -> list[str]:
        listing = core.secure_files.readable(caller, ALL, **where)
        assert listing.total == len(listing.rows)
        return [file.name for file, _ in listing.rows]

    def test_it_agrees_with_the_role_in_each_project(self, core: Core) -> None:
        """What `Access` decides one by one and this statement decides for all: the same."""
        owner, caller = core.user(), core.user()
        group = core.group(owner)
        below = core.group(owner, group)
        like_named = core.projects.create_group(as_caller(owner), "x", f"{group.path}-x")
        outside = core.group(owner)
        own = [core.project(caller)]
        others = [core.project(owner, namespace) for namespace in (group, below, like_named, outside, None)]
        projects = own + others
        core.access.put_member("group", group.id, caller, Role.DEVELOPER, None)
        core.access.put_member("project", others[3].id, caller, Role.MAINTAINER, "2000-01-01")
        core.access.put_member("project", others[4].id, caller, Role.REPORTER, None)
        for project in projects:
            core.secure_files.add(project.id, str(project.id), b"")

        for who in (as_caller(caller), as_caller(owner), as_caller(core.user(is_admin=True)), as_caller(core.user())):
            allowed = [str(each.id) for each in projects if core.access.role(who, each) >= Role.DEVELOPER]
            assert sorted(self.seen(core, who)) == sorted(allowed)
        assert sorted(self.seen(core, as_caller(caller))) == sorted(str(each.id) for each in (own[0], *others[:2]))

    def test_a_jobs_token_sees_its_own_project_only(self, core: Core, project: Project) -> None:
        user = core.user(is_admin=True)
        core.secure_files.add(project.id, "its own", b"")
        core.secure_files.add(core.project(user).id, "another", b"")
        job, _ = core.pipelines.create_job(as_caller(user), project.id, "build", "main")
        caller = Principal(user=user, scopes=frozenset(("api",)), job=job)

        assert self.seen(core, caller) == ["its own"]

    def test_soonest_expiry_comes_first_and_never_last(self, core: Core, project: Project) -> None:
        caller = as_caller(core.user(is_admin=True))
        for name, expires_at in (("never", None), ("later", LATER), ("soon", SOON)):
            core.reader.answer = Found(expires_at=expires_at)
            core.secure_files.add(project.id, name, b"")

        assert self.seen(core, caller) == ["soon", "later", "never"]
        assert self.seen(core, caller, name="later") == ["later"]
        assert self.seen(core, caller, expires_before=LATER) == ["soon"]
