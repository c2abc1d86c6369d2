"""Backups and what is made of them, without a server."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from server.restoring import Restored, restore
from server.settings import Settings
from server.wiring import Services, open_services
from tests.postgres import needs_postgres
from tests.reliability.stored import edit, rows
from vault.catalog import portable
from vault.catalog.families import FAMILIES
from vault.catalog.schema import MIGRATIONS
from vault.errors import BadKeyring, Busy, Conflict, Damaged, NotFound, StorageFull, Unavailable, UnknownKey
from vault.maintenance import backing_up
from vault.maintenance.backing_up import Wishes, back_up
from vault.maintenance.mark import Mark
from vault.maintenance.place import Snapshot, find
from vault.models import Role
from vault.repositories import Action, Change
from vault.repositories.pointers import pointer_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer


class Silent:
    """Watches nothing."""

    def begin(self, check: str, total: int) -> None:
        pass

    def step(self, name: str) -> None:
        pass


def backup(services: Services, data: Path, target: Path, **wishes: Any) -> Snapshot:
    return back_up(services.parts(Settings(data=data)), target, Wishes(**wishes), Silent())


def put_keyring(data: Path, restored: Path) -> None:
    (restored / "keys").mkdir(0o700, parents=True)
    shutil.copy2(data / "keys" / "keyring.json", restored / "keys")


def restored_from(source: Path, data: Path, restored: Path, **settings: Any) -> Restored:
    put_keyring(data, restored)
    return restore(Settings(data=restored, **settings), source, Silent())


def catalog_of(services: Services) -> list[str]:
    with services.database.snapshot() as snapshot:
        return list(portable.exported(snapshot))


def without_audit(lines: list[str]) -> list[str]:
    """Return the lines of all tables but those of the audit log, which goes on with every start."""
    kept, keep = [], True
    for line in lines:
        if line.startswith("{"):
            keep = not line.startswith('{"table":"audit_')
        if keep:
            kept.append(line)
    return kept


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups"


class TestARestoredVault:
    def test_is_the_one_that_was_backed_up(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        backup(services, data, target)
        restored = restored_from(target, data, tmp_path / "restored")

        assert restored.problems == restored.report.findings() == []
        with closing(open_services(Settings(data=tmp_path / "restored"))) as other:
            assert without_audit(catalog_of(other)) == without_audit(catalog_of(services))
            assert set(other.blobs.ids()) == set(services.blobs.ids())
        [ours], [theirs] = (folder.glob("repositories/??/*.git") for folder in (data, tmp_path / "restored"))
        assert refs(ours) == refs(theirs) != ""

    def test_has_the_git_lfs_objects_of_all_its_commits(
        self, services: Services, data: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also of those that were made while the backup was."""
        snapshot, user, project = services.database.snapshot, services.people.administrator(), services.projects.get(1)
        assert user is not None

        @contextmanager
        def followed_by_a_commit() -> Iterator[Any]:
            with snapshot() as found:
                yield found
            change = Change(Action.CREATE, "late.lfs", "main", "late", b"not in the copy of the catalog")
            services.repositories.writing.write(project, user, Role.OWNER, change)

        monkeypatch.setattr(services.database, "snapshot", followed_by_a_commit)
        backup(services, data, target)
        restored_from(target, data, tmp_path / "restored")

        with closing(open_services(Settings(data=tmp_path / "restored"))) as other:
            for name in ("small.lfs", "large.lfs"):
                text = other.repositories.reading.content(
                    project, other.repositories.reading.file(project, "main", name)
                )
                pointer = pointer_in(text)
                assert pointer is not None
                assert other.lfs.get(1, pointer.oid) is not None
            with pytest.raises(NotFound):
                other.repositories.reading.file(project, "main", "late.lfs")

    def test_is_for_its_owner_alone(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            backup(services, data, target, with_keyring=True)
            restore(Settings(data=tmp_path / "restored"), target, Silent())
        finally:
            os.umask(before)

        for top in (target, tmp_path / "restored"):
            assert stat.S_IMODE(top.stat().st_mode) == 0o700
        for path in target.rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path

    def test_gives_out_no_id_a_second_time(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        services.database.write(lambda tx: tx.query("DELETE FROM tokens WHERE id = (SELECT MAX(id) FROM tokens)"))
        with services.database.snapshot() as snapshot:
            highest = snapshot.last_id("tokens")
        backup(services, data, target)
        restored_from(target, data, tmp_path / "restored")

        with closing(open_services(Settings(data=tmp_path / "restored"))) as other:
            user = other.people.administrator()
            assert user is not None
            token, _ = other.tokens.create(user, "next", ("api",), None)
        assert token.id == highest + 1

    @needs_postgres[0]
    @needs_postgres[1]
    def test_may_lie_in_another_engine(
        self, services: Services, data: Path, target: Path, tmp_path: Path, postgres: PostgresServer
    ) -> None:
        """Into PostgreSQL and a bucket's stand-in, and back again."""
        url = postgres.database(None)
        backup(services, data, target)
        there = restored_from(target, data, tmp_path / "there", database=url, blobs=str(tmp_path / "elsewhere"))
        assert there.report.findings() == []
        moved = Settings(data=tmp_path / "there", database=url, blobs=str(tmp_path / "elsewhere"))
        with closing(open_services(moved)) as other:
            back_up(other.parts(moved), tmp_path / "again", Wishes(), Silent())
        back = restored_from(tmp_path / "again", data, tmp_path / "back")
        postgres.drop(url)

        assert back.report.findings() == []
        with closing(open_services(Settings(data=tmp_path / "back"))) as other:
            assert without_audit(catalog_of(other)) == without_audit(catalog_of(services))


def refs(folder: Path) -> str:
    command = ["git", f"--git-dir={folder}", "for-each-ref"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class TestAnotherBackupIntoTheSameFolder:
    def test_copies_only_what_is_new(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        first = backup(services, data, target)
        before = {file: file.stat().st_ino for file in target.glob("blobs/??/*")}
        second = backup(services, data, target)

        assert {file: file.stat().st_ino for file in target.glob("blobs/??/*")} == before
        assert second.objects() == first.objects()
        [one], [two] = (each.folder.glob("repositories/*") for each in (first, second))
        assert one.samefile(two)
        assert restored_from(first.folder, data, tmp_path / "first").report.findings() == []

    def test_may_end_the_oldest_ones(self, services: Services, data: Path, target: Path) -> None:
        for _ in range(3):
            backup(services, data, target)
        edit(data, "DELETE FROM uploads")
        edit(data, "DELETE FROM blobs WHERE family = 'uploads'")
        last = backup(services, data, target, keep=1)

        assert [folder.name for folder in (target / "snapshots").iterdir()] == [last.name]
        assert {file.name for file in target.glob("blobs/??/*")} == set(last.objects())
        assert len(last.objects()) == len(FAMILIES) - 1

    def test_of_another_vault_is_refused(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        backup(services, data, target)
        other = open_services(Settings(data=tmp_path / "other"), create=True)
        with closing(other), pytest.raises(Conflict, match="holds the backups of another vault"):
            backup(other, tmp_path / "other", target)

    def test_copies_again_what_was_damaged_when_it_was_copied(
        self, services: Services, data: Path, target: Path, tmp_path: Path
    ) -> None:
        """The file was cut short, and has been put back whole since."""
        file = next((data / "blobs").glob("??/*"))
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        assert len(backup(services, data, target).manifest.damaged) == 1
        file.write_bytes(whole)

        assert backup(services, data, target).manifest.damaged == []
        assert restored_from(target, data, tmp_path / "restored").report.findings() == []

    def test_at_the_same_time_is_refused(self, services: Services, data: Path, target: Path) -> None:
        from vault.maintenance.mark import marked

        with marked(services.database), pytest.raises(Busy, match="another backup is under way"):
            backup(services, data, target)


class TestLinks:
    def test_are_made_where_asked(self, services: Services, data: Path, target: Path, tmp_path: Path) -> None:
        backup(services, data, target, link=True)

        for file in (data / "blobs").glob("??/*"):
            assert file.samefile(target / "blobs" / file.parent.name / file.name)
        assert restored_from(target, data, tmp_path / "restored").report.findings() == []


class TestSums:
    def test_are_read_by_a_program_that_everybody_has(self, services: Services, data: Path, target: Path) -> None:
        made = backup(services, data, target, with_keyring=True)
        command = ["sha256sum", "--check", "--strict", made.folder / "SHA256SUMS"]
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        named = {line.partition(":")[0] for line in done.stdout.splitlines()}
        there = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
        unnamed = {f"{made.folder.relative_to(target)}/{name}" for name in ("SHA256SUMS", "manifest.json")}
        assert there - named == {"lock", *unnamed}


class TestWhatIsRefusedBeforeAnythingIsWritten:
    @pytest.fixture
    def made(self, services: Services, data: Path, target: Path) -> Snapshot:
        return backup(services, data, target)

    def refused(self, restored: Path, source: Path, error: type[Exception], words: str) -> None:
        before = sorted(restored.rglob("*"))
        with pytest.raises(error, match=words):
            restore(Settings(data=restored), source, Silent())
        assert sorted(restored.rglob("*")) == before

    def test_a_missing_key(self, made: Snapshot, target: Path, tmp_path: Path) -> None:
        self.refused(
            tmp_path / "new", target, UnknownKey, r'needs the key "k1" \(check [0-9a-f]{8}\).*nothing was written'
        )

    def test_another_vaults_keyring(self, made: Snapshot, target: Path, tmp_path: Path) -> None:
        open_services(Settings(data=tmp_path / "other"), create=True).close()
        put_keyring(tmp_path / "other", tmp_path / "new")
        self.refused(tmp_path / "new", target, BadKeyring, "is the keyring of another vault")

    def test_a_folder_that_is_not_empty(self, made: Snapshot, data: Path, target: Path, tmp_path: Path) -> None:
        self.refused(data, target, Conflict, "is not empty")
        put_keyring(data, tmp_path / "new")
        (tmp_path / "new" / "mine.txt").write_text("precious")
        self.refused(tmp_path / "new", target, Conflict, "is not empty")

    def test_a_store_or_a_catalog_that_is_not_empty(
        self, made: Snapshot, data: Path, target: Path, tmp_path: Path
    ) -> None:
        put_keyring(data, tmp_path / "new")
        for engine in ({"blobs": str(data / "blobs")}, {"database": f"sqlite:{data / 'catalog.sqlite'}"}):
            with pytest.raises(Conflict, match="there is a vault in that catalog or store already"):
                restore(Settings(data=tmp_path / "new", **engine), target, Silent())
            (tmp_path / "new" / "restoring").unlink()
            shutil.rmtree(tmp_path / "new" / "blobs", ignore_errors=True)
            (tmp_path / "new" / "catalog.sqlite").unlink(missing_ok=True)
            for left in (tmp_path / "new").glob("catalog.sqlite*"):
                left.unlink()

    def test_a_backup_of_a_newer_program(self, made: Snapshot, target: Path, tmp_path: Path) -> None:
        change(made, migrations=[*(each.name for each in MIGRATIONS), "9999_later"])
        self.refused(tmp_path / "new", target, Conflict, "9999_later is unknown here")
        change(made, format=2)
        self.refused(tmp_path / "new", target, Conflict, "has a form that this program does not know")

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "repositories": 7}', "\xff"])
    def test_a_manifest_that_cannot_be_read(self, made: Snapshot, tmp_path: Path, text: str) -> None:
        (made.folder / "manifest.json").write_bytes(text.encode("latin-1"))
        self.refused(tmp_path / "new", made.folder, (Damaged, Conflict), "manifest.json|has a form")  # type: ignore[arg-type]

    def test_a_manifest_that_would_lead_out_of_the_folder(self, made: Snapshot, tmp_path: Path) -> None:
        change(made, repositories=[{"project_id": 1, "folder": "../../../etc", "refs": ""}])
        self.refused(tmp_path / "new", made.folder, Damaged, "names a repository as none is called")

    def test_what_is_no_backup(self, made: Snapshot, target: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        self.refused(tmp_path / "new", tmp_path / "empty", Unavailable, "there is no backup in")
        self.refused(tmp_path / "new", tmp_path / "absent", Unavailable, "there is no backup in")
        self.refused(tmp_path / "new", target / "snapshots" / "20200101T000000.000Z", Unavailable, "is no whole backup")

    def test_one_that_was_cut_short(self, made: Snapshot, target: Path, tmp_path: Path) -> None:
        cut = made.folder.rename(made.folder.with_name(made.name + ".unfinished"))
        for source in (target, cut):
            self.refused(tmp_path / "new", source, Unavailable, "was cut short and is not whole")

    def test_a_target_that_holds_something_else(self, services: Services, data: Path, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "file").write_text("precious")
        with pytest.raises(Conflict, match="holds something else than backups"):
            backup(services, data, tmp_path / "mine")
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def change(made: Snapshot, **fields: Any) -> None:
    file = made.folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


class TestDamage:
    def test_in_the_vault_is_named_and_the_rest_is_backed_up(
        self, services: Services, data: Path, target: Path, tmp_path: Path
    ) -> None:
        missing = next((data / "blobs").glob("??/*"))
        missing.unlink()
        [folder] = (data / "repositories").glob("??/*.git")
        next((folder / "objects").glob("??/*")).write_bytes(b"rubbish")
        made = backup(services, data, target)

        assert len(made.manifest.damaged) == 2
        assert f"object {missing.name} is missing from the store" in made.manifest.damaged
        restored = restored_from(target, data, tmp_path / "restored")
        assert restored.problems == []
        assert {each.object for each in restored.report.findings()} == {missing.name, ""}

    def test_in_the_backup_is_named_and_the_rest_is_restored(
        self, services: Services, data: Path, target: Path, tmp_path: Path
    ) -> None:
        backup(services, data, target)
        changed, gone, *_ = sorted(target.glob("blobs/??/*"))
        changed.write_bytes(changed.read_bytes()[:-1] + b"\x00")
        gone.unlink()
        restored = restored_from(target, data, tmp_path / "restored")

        assert len(restored.problems) == 2
        assert {each.object for each in restored.report.findings()} == {changed.name, gone.name}

    @pytest.mark.parametrize("name", ["catalog.jsonl", "SHA256SUMS"])
    def test_in_the_catalogs_copy_or_the_sums_is_told_before_anything_is_written(
        self, services: Services, data: Path, target: Path, tmp_path: Path, name: str
    ) -> None:
        file = backup(services, data, target).folder / name
        file.write_bytes(file.read_bytes().replace(b"1", b"2", 1))
        with pytest.raises(Damaged, match=r"not (what|the one that) was written"):
            restored_from(target, data, tmp_path / "restored")
        assert [path.name for path in (tmp_path / "restored").iterdir()] == ["keys"]


class TestTheKeyring:
    def test_is_left_out_unless_asked_for(self, services: Services, data: Path, target: Path) -> None:
        backup(services, data, target)
        secret = json.loads((data / "keys" / "keyring.json").read_text())["keys"][0]["key"].encode()

        assert not [path for path in target.rglob("*") if path.is_file() and secret in path.read_bytes()]

    def test_is_put_in_its_place_when_it_is_in_the_backup(
        self, services: Services, data: Path, target: Path, tmp_path: Path
    ) -> None:
        backup(services, data, target, with_keyring=True)
        restored = restore(Settings(data=tmp_path / "restored"), target, Silent())

        assert restored.report.findings() == []
        file = tmp_path / "restored" / "keys" / "keyring.json"
        assert file.read_bytes() == (data / "keys" / "keyring.json").read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_that_is_no_file_cannot_be_asked_for(self, services: Services, data: Path, target: Path) -> None:
        parts = services.parts(Settings(data=data))._replace(keyring=None)
        with pytest.raises(Conflict, match="the keyring is no file"):
            back_up(parts, target, Wishes(with_keyring=True), Silent())
        assert not target.exists()


class TestTheMark:
    def test_that_was_lost_ends_the_backup(
        self, services: Services, data: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a machine that slept."""
        check = Mark.check

        def slept(mark: Mark) -> None:
            edit(data, "UPDATE leases SET until = '2020-01-01T00:00:00.000Z'")
            check(mark)

        monkeypatch.setattr(Mark, "check", slept)
        with pytest.raises(Unavailable, match="was lost meanwhile: begin again"):
            backup(services, data, target)
        assert list((target / "snapshots").iterdir()) == []

    def test_goes_with_a_backup_that_fails_and_what_there_is_of_that_too(
        self, services: Services, data: Path, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> str:
            raise StorageFull("no room")

        monkeypatch.setattr(backing_up.copying, "copy", full)
        with pytest.raises(StorageFull):
            backup(services, data, target)

        assert list((target / "snapshots").iterdir()) == []
        assert rows(data, "SELECT * FROM leases WHERE name = 'backup'") == []


def test_the_newest_whole_backup_is_found_past_one_that_was_cut_short(
    services: Services, data: Path, target: Path
) -> None:
    made = backup(services, data, target)
    (target / "snapshots" / "29990101T000000.000Z.unfinished").mkdir()

    assert find(target).name == made.name
