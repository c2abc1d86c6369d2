"""One change, one commit: what a tree takes, what it refuses, and what git says of the result."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.vault.repositories.support import git_bytes
from vault.errors import CannotCommit, NotFound
from vault.models import Role
from vault.repositories import Action, Change

if TYPE_CHECKING:
    from tests.vault.repositories.support import Site


def listing(site: Site, ref: str = "main") -> dict[str, str]:
    """Path and mode of every file."""
    lines = site.git("ls-tree", "-r", "-z", ref).split("\0")[:-1]
    return {line.partition("\t")[2]: line.split()[0] for line in lines}


class TestACommit:
    def test_holds_the_file_under_the_id_that_git_computes(self, site: Site) -> None:
        written = site.write("a/b/c.txt", b"hello\r\n\0")

        computed = git_bytes("hash-object", "--stdin", given=b"hello\r\n\0").decode().strip()
        assert written.blob_id == computed
        assert written.sha256 == hashlib.sha256(b"hello\r\n\0").hexdigest()
        assert written.commit_id == site.git("rev-parse", "main")
        assert site.content("a/b/c.txt") == b"hello\r\n\0"

    def test_leaves_every_other_file_as_it_was(self, site: Site) -> None:
        for path in ("a/b/one", "a/two", "three", "a.b", "a-b/x"):
            site.write(path, path.encode())
        before = listing(site)

        site.write("a/b/new")

        assert listing(site) == {**before, "a/b/new": "100644"}
        site.git("fsck", "--strict")

    def test_is_signed_by_the_user_and_authored_by_whom_he_names(self, site: Site) -> None:
        site.write("a", message="why\n\nand how\n", author_name="Äva", author_email="eva@example.com")
        site.write("b")

        form = "--format=%an|%ae|%cn|%ce|%ci|%B"
        user = f"{site.user.name}|{site.user.email}"
        named, plain = (site.git("log", "-1", form, ref).split("|") for ref in ("main~1", "main"))
        assert "|".join(named[:4]) == f"Äva|eva@example.com|{user}"
        assert "|".join(plain[:4]) == f"{user}|{user}"
        assert named[4].endswith("+0000")
        assert named[5] == "why\n\nand how"

    @pytest.mark.parametrize(
        ("given", "kept"),
        [("A <b>\n", "A b"), (" ,Ann. ", "Ann"), ("<>", None), ("", None), (" . ", None), ("A\nB", "AB")],
    )
    def test_has_an_author_without_what_git_cannot_hold(self, site: Site, given: str, kept: str | None) -> None:
        site.write("a", author_name=given, author_email=given)

        name, email = site.git("log", "-1", "--format=%an|%ae", "main").split("|")
        assert name == (kept or site.user.name)
        assert email == (kept or site.user.email)
        site.git("fsck", "--strict")

    def test_of_a_large_file_is_the_same_as_of_a_small_one(self, site: Site) -> None:
        content = bytes(range(256)) * 5000

        written = site.write("large", content)

        assert written.blob_id == git_bytes("hash-object", "--stdin", given=content).decode().strip()
        assert site.content("large") == content


class TestCreating:
    def test_is_refused_where_a_file_is(self, site: Site) -> None:
        site.write("a")

        with pytest.raises(CannotCommit, match=r"^A file with this name already exists$"):
            site.write("a", b"2", action=Action.CREATE)

    def test_is_refused_where_a_directory_is(self, site: Site) -> None:
        site.write("d/a")

        with pytest.raises(CannotCommit, match="'d' is a directory"):
            site.write("d", action=Action.CREATE)
        assert listing(site) == {"d/a": "100644"}

    @pytest.mark.parametrize("path", ["f/x", "f/x/y"])
    def test_is_refused_below_a_file(self, site: Site, path: str) -> None:
        site.write("f")

        with pytest.raises(CannotCommit, match="'f' is a file"):
            site.write(path, action=Action.CREATE)
        assert listing(site) == {"f": "100644"}

    def test_makes_an_empty_file(self, site: Site) -> None:
        site.write("empty", b"", action=Action.CREATE)

        assert site.file("empty").size == 0


class TestUpdating:
    def test_is_refused_where_no_file_is(self, site: Site) -> None:
        site.write("d/a")
        for path in ("b", "d/b", "x/y"):
            with pytest.raises(CannotCommit, match=r"^A file with this name doesn't exist$"):
                site.write(path, action=Action.UPDATE)
        with pytest.raises(CannotCommit, match="'d' is a directory"):
            site.write("d", action=Action.UPDATE)

    def test_with_the_same_content_makes_no_commit(self, site: Site) -> None:
        first = site.write("a", b"same")

        with pytest.raises(CannotCommit, match="the commit would be empty"):
            site.write("a", b"same", action=Action.UPDATE)
        assert site.git("rev-parse", "main") == first.commit_id

    def test_with_create_makes_what_is_not_there(self, site: Site) -> None:
        assert site.write("a", b"1", action=Action.PUT).created
        assert not site.write("a", b"2", action=Action.PUT).created


class TestModes:
    def test_are_plain_unless_asked(self, site: Site) -> None:
        site.write("plain")
        site.write("program", executable=True)

        assert listing(site) == {"plain": "100644", "program": "100755"}

    def test_stay_when_nothing_is_said_of_them(self, site: Site) -> None:
        site.write("program", executable=True)

        site.write("program", b"2", action=Action.UPDATE)

        assert listing(site) == {"program": "100755"}

    def test_may_change_with_the_same_content(self, site: Site) -> None:
        site.write("a", executable=True)

        site.write("a", action=Action.UPDATE, executable=False)

        assert listing(site) == {"a": "100644"}

    def test_of_a_symlink_is_kept_whatever_is_asked(self, site: Site) -> None:
        target = git_bytes(f"--git-dir={site.folder}", "hash-object", "-w", "--stdin", given=b"/etc/passwd").decode()
        plant(site, "120000", "blob", target.strip(), "link")

        site.write("link", b"elsewhere", action=Action.UPDATE, executable=True)

        assert listing(site) == {"link": "120000"}
        assert site.content("link") == b"elsewhere"

    def test_of_a_submodule_is_no_file_to_write(self, site: Site) -> None:
        plant(site, "160000", "commit", "1" * 40, "module")

        with pytest.raises(CannotCommit, match="'module' is a submodule"):
            site.write("module", action=Action.UPDATE)
        with pytest.raises(CannotCommit, match="'module' is a file"):
            site.write("module/x")
        found = site.file("module")
        assert (found.size, found.blob_id, found.submodule) == (0, "1" * 40, True)
        assert site.content("module") == b""


def plant(site: Site, mode: str, kind: str, object_id: str, name: str) -> None:
    """Make a commit of one entry, as only git itself can."""
    entry = f"{mode} {kind} {object_id}\t{name}\n".encode()
    tree = site.git("mktree", "--missing", given=entry)
    site.git("update-ref", "refs/heads/main", site.git("commit-tree", tree, "-m", "planted"))


class TestDeleting:
    def test_takes_one_file_and_the_directories_it_leaves_empty(self, site: Site) -> None:
        for path in ("a/b/c", "a/d"):
            site.write(path)

        site.write("a/b/c", action=Action.DELETE)

        assert listing(site) == {"a/d": "100644"}
        assert "a/b" not in site.git("ls-tree", "-r", "-t", "--name-only", "main").split()

    def test_of_the_last_file_leaves_an_empty_tree(self, site: Site) -> None:
        site.write("a/b")

        site.write("a/b", action=Action.DELETE)

        assert listing(site) == {}
        site.git("fsck", "--strict")

    def test_is_refused_for_a_directory_and_for_nothing(self, site: Site) -> None:
        site.write("d/a")

        with pytest.raises(CannotCommit, match="'d' is a directory"):
            site.write("d", action=Action.DELETE)
        with pytest.raises(CannotCommit, match="doesn't exist"):
            site.write("e", action=Action.DELETE)

    def test_takes_a_submodule(self, site: Site) -> None:
        plant(site, "160000", "commit", "1" * 40, "module")

        site.write("module", action=Action.DELETE)

        assert listing(site) == {}


class TestLastCommitId:
    """Whoever names the commit that he believes to have changed the file last is protected from overwriting more."""

    def test_of_the_file_as_it_is_passes(self, site: Site) -> None:
        first = site.write("a", b"1")
        site.write("other")
        later = site.git("rev-parse", "main")

        site.write("a", b"2", last_commit_id=first.commit_id)
        second = site.git("rev-parse", "main")
        site.write("another")

        assert later != second
        site.write("a", b"3", last_commit_id=site.git("rev-parse", "main"))  # a later commit that has the same file

    @pytest.mark.parametrize(
        ("action", "text"),
        [
            (Action.UPDATE, "You are attempting to update a file that has changed since you started editing it."),
            (Action.DELETE, "You are attempting to delete a file that has been previously updated."),
        ],
    )
    def test_of_the_file_as_it_was_is_refused(self, site: Site, action: Action, text: str) -> None:
        first = site.write("a", b"1")
        site.write("a", b"2")

        with pytest.raises(CannotCommit, match=f"^{text}$"):
            site.write("a", b"3", action=action, last_commit_id=first.commit_id)

    def test_of_a_commit_without_the_file_is_refused(self, site: Site) -> None:
        before = site.write("other")
        site.write("a", b"1")

        with pytest.raises(CannotCommit, match="has changed since"):
            site.write("a", b"2", last_commit_id=before.commit_id)

    @pytest.mark.parametrize("unknown", ["0" * 40, "nonsense", "main:a", "-x"])
    def test_of_no_commit_is_refused(self, site: Site, unknown: str) -> None:
        site.write("a", b"1")

        with pytest.raises(CannotCommit, match="is not a commit of this repository"):
            site.write("a", b"2", last_commit_id=unknown)


class TestBranches:
    def test_the_first_commit_makes_any_branch_and_that_is_the_default(self, site: Site) -> None:
        assert site.repositories.empty(site.id)

        site.write("a", branch="trunk", start_branch="nothing")

        assert site.project.default_branch == "trunk"
        assert not site.repositories.empty(site.id)
        assert site.content("a", None) == b"x"

    def test_later_ones_do_not_move_the_default(self, site: Site) -> None:
        site.write("a")
        site.write("a", b"2", branch="topic", start_branch="main")

        assert site.project.default_branch == "main"

    def test_a_new_branch_starts_where_it_is_told(self, site: Site) -> None:
        first = site.write("a", b"1")
        site.write("b", branch="topic/one", start_branch="main")

        assert site.git("rev-parse", "topic/one~1") == first.commit_id
        assert site.git("rev-parse", "main") == first.commit_id

    def test_a_start_branch_that_is_the_branch_is_no_new_one(self, site: Site) -> None:
        site.write("a")
        site.write("b", start_branch="main")

        assert set(listing(site)) == {"a", "b"}

    @pytest.mark.parametrize("names", [{"branch": "none"}, {"branch": "new", "start_branch": "none"}])
    def test_what_starts_nowhere_is_refused(self, site: Site, names: dict[str, Any]) -> None:
        site.write("a")

        with pytest.raises(CannotCommit, match=r"^You can only create or edit files when you are on a branch$"):
            site.write("b", **names)

    def test_one_that_is_there_is_not_started_anew(self, site: Site) -> None:
        site.write("a")
        site.write("b", branch="topic", start_branch="main")

        text = "^A branch called 'topic' already exists. Switch to that branch in order to make changes$"
        with pytest.raises(CannotCommit, match=text):
            site.write("c", branch="topic", start_branch="main")

    @pytest.mark.parametrize("name", ["a b", "-x", "a..b", "x.lock", "HEAD", "a" * 40, "x" * 260])
    def test_one_that_git_would_not_make_is_refused(self, site: Site, name: str) -> None:
        with pytest.raises(CannotCommit, match=r": Branch name is invalid$"):
            site.write("a", branch=name)
        site.write("a")
        with pytest.raises(CannotCommit, match=r": Branch name is invalid$"):
            site.write("b", branch=name, start_branch="main")

    @pytest.mark.parametrize("name", ["topic/one", "topic/one/more", "a/b/c"])
    def test_one_that_cannot_lie_beside_another_is_refused(self, site: Site, name: str) -> None:
        site.write("a", branch="main")
        for there in ("topic", "a/b/c/d"):
            site.write("b", branch=there, start_branch="main")
        site.git("pack-refs", "--all")
        commits = site.git("rev-list", "--all")

        with pytest.raises(CannotCommit, match="git cannot have it beside the branch"):
            site.write("c", branch=name, start_branch="main")
        assert site.git("rev-list", "--all") == commits


class TestRights:
    def test_developers_write_to_branches_that_are_not_the_default(self, site: Site) -> None:
        site.write("a")
        site.write("b", branch="topic", start_branch="main", role=Role.DEVELOPER)

        with pytest.raises(CannotCommit, match=r"^You are not allowed to push into this branch$"):
            site.write("b", role=Role.DEVELOPER)
        site.write("b", role=Role.MAINTAINER)

    def test_developers_do_not_make_the_first_commit(self, site: Site) -> None:
        with pytest.raises(CannotCommit, match="not allowed to push"):
            site.write("a", branch="topic", role=Role.DEVELOPER)

    def test_who_may_not_push_leaves_nothing_on_the_disk(self, site: Site) -> None:
        site.write("a")
        before = site.git("count-objects")

        with pytest.raises(CannotCommit):
            site.write("b", b"unwanted", role=Role.DEVELOPER)
        assert site.git("count-objects") == before


class TestAProjectThatIsDeleted:
    def test_takes_its_repository_along(self, site: Site) -> None:
        site.write("a")
        folder = site.folder

        project = site.project
        site.core.projects.delete(site.id)
        with pytest.raises(NotFound):
            site.repositories.reading.file(project, "main", "a")
        change = Change(Action.CREATE, "b", "main", "m", b"x")
        with pytest.raises(NotFound):
            site.repositories.writing.write(project, site.user, Role.OWNER, change)
        site.repositories.housekeeping.chore()

        assert not folder.exists()
        assert site.core.sql("SELECT * FROM repository_removals") == []
