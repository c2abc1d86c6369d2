"""Where repositories lie, what is durable, what is told of a damaged one, and what is kept of its objects."""

from __future__ import annotations

import random
import shutil
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.vault.core import opened
from tests.vault.repositories.support import Site, git
from vault.errors import CannotCommit, Damaged, NotFound, StorageFull, Unavailable
from vault.repositories import facts, history
from vault.repositories.content import LARGE
from vault.repositories.housekeeping import pack
from vault.repositories.opened import Sound
from vault.repositories.revisions import resolve


class TestARepository:
    def test_is_made_by_the_first_write_and_any_git_reads_it(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="Commit"):
            site.file("a")
        assert site.repositories.store.folder(site.id) is None

        site.write("a", b"content")
        git("clone", "--quiet", str(site.folder), str(tmp_path / "clone"))

        assert (tmp_path / "clone/a").read_bytes() == b"content"

    def test_is_made_once_whoever_comes_first(self, site: Site) -> None:
        before = set(site.repositories.store.on_disk())

        with ThreadPoolExecutor(6) as pool:
            folders = set(pool.map(lambda _: site.repositories.store.ensure(site.project), range(6)))

        assert len(folders) == 1
        assert set(site.repositories.store.on_disk()) - before == folders

    def test_lies_in_a_folder_that_only_its_owner_enters(self, site: Site) -> None:
        site.write("a")

        assert (site.core.folder / "repositories").stat().st_mode & 0o077 == 0

    def test_is_found_again_by_the_next_start(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            site = Site(core)
            site.write("a", b"kept")
            project = site.project
        with opened(tmp_path / "data") as core:
            again = Site(core)
            found = again.repositories.reading.file(project, "main", "a")

            assert again.repositories.reading.content(project, found) == b"kept"

    def test_is_opened_by_each_thread_for_itself(self, site: Site) -> None:
        site.write("a")
        store, found = site.repositories.store, []

        def look() -> None:
            found.append(store.opened(site.folder))
            assert store.opened(site.folder) is found[-1]

        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

        assert found[0] is not found[1]


class TestAnOpenRepository:
    def test_lets_go_of_packs_that_were_replaced(self, site: Site) -> None:
        for number in range(3):
            site.write(f"a{number}")
            assert pack(site.folder)
            site.git("repack", "-a", "-d", "-q")
            assert site.content(f"a{number}") == b"x"

        assert not [path for path in held(site.folder) if path.endswith("(deleted)")]

    def test_remembers_so_many_sound_objects_and_no_more(self) -> None:
        sound = Sound(places=3)

        for number in range(100):
            sound.add(b"one", bytes([number]))

        assert 0 < sum(sound.knows(b"one", bytes([number])) for number in range(100)) <= 3
        assert sound.knows(b"one", b"\x63")

    def test_takes_no_more_memory_for_many_sound_objects_than_for_none(self) -> None:
        sound = Sound()
        tracemalloc.start()
        try:
            for number in range(100_000):
                sound.add(b"one", number.to_bytes(20))
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert taken < 10_000

    def test_forgets_the_sound_objects_of_one_repository(self) -> None:
        sound = Sound()
        sound.add(b"one", b"1")
        sound.add(b"two", b"1")

        sound.forget(b"one")

        assert not sound.knows(b"one", b"1")
        assert sound.knows(b"two", b"1")


def held(folder: Path) -> list[str]:
    """Return the files below a folder that this process has mapped or open, as the system names them."""
    mapped = [line[line.find("/") :] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line]
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            opened.append(str(descriptor.readlink()))
    return [path for path in (*mapped, *opened) if path.startswith(str(folder))]


class TestADamagedRepository:
    def test_is_told_by_its_name_and_nothing_of_the_disk(self, site: Site) -> None:
        site.write("a", b"1")
        shutil.rmtree(site.folder / "objects")
        (site.folder / "objects").mkdir()

        with pytest.raises(Damaged) as told:
            site.repositories.store.use(site.folder, lambda opened: opened.git["0" * 40])
        assert site.folder.name in str(told.value)
        assert str(site.core.folder) not in str(told.value)

    @pytest.mark.parametrize("kind", ["commit", "tree", "subtree", "blob"])
    @pytest.mark.parametrize("left", [0.0, 0.05, 0.3, 0.6, 0.9, 0.99])
    def test_whose_object_was_cut_short_is_told_and_stops_nobody(self, site: Site, kind: str, left: float) -> None:
        """libgit2 would read such a file for ever, and no other thread would run meanwhile."""
        written = site.write("d/a", random.Random(1).randbytes(500), message="m" * 500)
        site.core.database.submit(lambda tx: None).result(20)
        ids = site.git("rev-parse", "main^{commit}", "main^{tree}", "main:d", "main:d/a").split()
        cut(site, dict(zip(["commit", "tree", "subtree", "blob"], ids, strict=True))[kind], left)

        with pytest.raises(Damaged):
            site.content("d/a")
        with pytest.raises((Damaged, CannotCommit)):
            site.write("d/b") if kind != "blob" else site.write("d/a", random.Random(1).randbytes(500), executable=True)
        assert site.git("rev-parse", "main") == written.commit_id

    @pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
    def test_whose_object_was_changed_is_told(self, site: Site, kind: str) -> None:
        site.write("a", random.Random(1).randbytes(500))
        site.core.database.submit(lambda tx: None).result(20)
        ids = site.git("rev-parse", "main^{commit}", "main^{tree}", "main:a").split()
        path = cut(site, dict(zip(["commit", "tree", "blob"], ids, strict=True))[kind], 1.0)
        changed = bytearray(path.read_bytes())
        changed[len(changed) // 2] ^= 1
        path.write_bytes(changed)

        with pytest.raises(Damaged):
            site.content("a")

    def test_with_another_objects_content_in_the_place_of_one_is_told(self, site: Site) -> None:
        site.write("a", b"right")
        site.core.database.submit(lambda tx: None).result(20)
        other = site.git("hash-object", "-w", "--stdin", given=b"wrong")
        path = cut(site, site.git("rev-parse", "main:a"), 1.0)
        path.write_bytes((site.folder / "objects" / other[:2] / other[2:]).read_bytes())

        with pytest.raises(Damaged):
            site.content("a")

    @pytest.mark.parametrize(
        ("words", "kind"),
        [
            ("failed to write: No space left on device", StorageFull),
            ("failed: Disk quota exceeded", StorageFull),
            ("failed: Read-only file system", Unavailable),
        ],
    )
    def test_on_a_disk_that_refuses_is_told_as_that(self, site: Site, words: str, kind: type[Exception]) -> None:
        site.write("a")

        def fail(_: object) -> None:
            raise OSError(words)

        with pytest.raises(kind):
            site.repositories.store.use(site.folder, fail)


def cut(site: Site, object_id: str, left: float) -> Path:
    """Leave a part of the file of a loose object, and return it; nobody has looked at it yet."""
    site.repositories.store.forget(site.folder)
    path = site.folder / "objects" / object_id[:2] / object_id[2:]
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    return path


class TestContent:
    @pytest.mark.parametrize("size", [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
    def test_of_any_size_is_read_whole(self, site: Site, size: int) -> None:
        content = bytes(range(251)) * (size // 251 + 1)
        blob = site.git("hash-object", "-w", "--stdin", given=content[:size])
        tree = site.git("mktree", given=f"100644 blob {blob}\tf\n".encode())
        site.git("update-ref", "refs/heads/main", site.git("commit-tree", tree, "-m", "m"))

        assert site.content("f") == content[:size]
        assert site.file("f").sha256 == site.file("f").sha256

    def test_that_is_cut_short_is_no_content(self, site: Site) -> None:
        """A large blob comes through a program: its end has to be a good one."""
        content = bytes(3 * LARGE)
        site.write("f", content)
        found = site.file("f")
        blob = site.folder / "objects" / found.blob_id[:2] / found.blob_id[2:]
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-20])

        with pytest.raises(Exception, match="cat-file"):
            site.repositories.reading.content(site.project, found)


class TestFacts:
    def test_of_a_written_file_are_known_without_its_content(self, site: Site) -> None:
        written = site.write("a", b"content")
        site.core.database.submit(lambda tx: None).result(20)  # behind what was queued
        blob = site.folder / "objects" / str(written.blob_id)[:2] / str(written.blob_id)[2:]
        # Only the head of the object is left: enough for its size.
        blob.chmod(0o600)
        header = blob.read_bytes()[:-4]
        blob.write_bytes(header)

        assert site.file("a").sha256 == written.sha256

    def test_of_a_pushed_file_are_found_out_once(self, site: Site) -> None:
        blob = site.git("hash-object", "-w", "--stdin", given=b"pushed")
        tree = site.git("mktree", given=f"100644 blob {blob}\tf\n".encode())
        site.git("update-ref", "refs/heads/main", site.git("commit-tree", tree, "-m", "m"))

        first = site.file("f").sha256
        site.core.database.submit(lambda tx: None).result(20)

        rows = site.core.sql("SELECT size, sha256 FROM git_blobs WHERE blob_id = :id", id=blob)
        assert rows == [{"size": 6, "sha256": first}]

    def test_of_long_walks_are_kept_and_shorten_the_next(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(facts, "WORTH_KEEPING", 5)
        old = site.write("old").commit_id
        for number in range(8):
            site.write("new", b"%d" % number)
        assert site.file("old").last_commit_id == old
        site.core.database.submit(lambda tx: None).result(20)
        tip = site.git("rev-parse", "main")
        site.write("new", b"last")

        known = site.repositories.reading._facts.last_commits(site.id, "old")
        assert known == {tip: old}
        opened = site.repositories.store.opened(site.folder)
        commit = resolve(opened, "main", "main")
        assert history.last_commit(opened, commit, "old", known, ask_git=str) == (old, 1)

    def test_of_short_walks_are_not_kept(self, site: Site) -> None:
        site.write("old")
        site.write("new")
        site.file("old")
        site.core.database.submit(lambda tx: None).result(20)

        assert site.repositories.reading._facts.last_commits(site.id, "old") == {}

    def test_go_with_the_project(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(facts, "WORTH_KEEPING", 0)
        site.write("a")
        site.file("a")
        site.core.database.submit(lambda tx: None).result(20)
        tables = ("git_last_commits", "git_blobs", "repositories")
        kept = "SELECT COUNT(*) AS n FROM {} WHERE project_id = :id"
        assert [site.core.sql(kept.format(table), id=site.id)[0]["n"] for table in tables] == [1, 1, 1]

        site.core.projects.delete(site.id)

        assert [site.core.sql(kept.format(table), id=site.id)[0]["n"] for table in tables] == [0, 0, 0]

    @pytest.mark.parametrize("name", [":(glob)*", "-x", "--all", "ä", "a b\tc", "HEAD"])
    def test_of_long_walks_come_from_git(self, site: Site, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setattr(history, "LONGEST_WALK", 3)
        old = site.write(f"d/{name}").commit_id
        for number in range(6):
            site.write("d/new", b"%d" % number)
        pack(site.folder)

        assert site.file(f"d/{name}").last_commit_id == old

    def test_of_a_long_walk_that_git_cannot_go_on_with_are_told_as_damage(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "LONGEST_WALK", 1)
        commits = [site.write(name).commit_id for name in ("old", "lost", "new", "newest")]
        (site.folder / "objects" / commits[1][:2] / commits[1][2:]).unlink()
        site.repositories.store.forget(site.folder)

        with pytest.raises(Damaged):
            site.file("old")
