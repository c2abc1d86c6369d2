"""Files move to a new master key while they are served; what was moved opens, what cannot be moved is told."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.postgres import needs_postgres
from tests.vault.ci import Ci, ci_of
from tests.vault.core import LARGE, Core, as_caller, opened
from vault import clock
from vault.catalog.families import FAMILIES
from vault.crypto.keyring import Keyring
from vault.errors import Conflict, NotFound, Tampered, Unavailable, UnknownKey
from vault.key_uses import MOST_USES
from vault.lfs import LfsObjects
from vault.rewrapping import Outcome, Rewrapping, Watch
from vault.rotation import Rotation
from vault.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer
    from vault.catalog.database import Transaction
    from vault.models import Blob

EITHER_PLACE = pytest.mark.parametrize("size", [100, LARGE], ids=["in the row", "in a file"])


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def core(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Core]:
    """A new vault over each engine."""
    if request.param == "sqlite":
        with opened(tmp_path / "data") as core:
            yield core
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.database()
    with opened(tmp_path / "data", database_url=url) as core:
        yield core
    server.drop(url)


ALL = len(FAMILIES)


class Vault:
    """A vault with a file of each family, and what moves them."""

    def __init__(self, core: Core, size: int = 100) -> None:
        self.core = core
        self.rotation = Rotation(core.database, core.keyring, core.storage.uses)
        self.rewrapping = Rewrapping(core.database, core.storage, core.keyring)
        self.ci: Ci = ci_of(core, None)
        self.uploads = Uploads(core.database, core.storage, core.tokens.digest)
        self.project = self.ci.project.id
        self.lfs = LfsObjects(core.database, core.storage)
        self.plain = {family: os.urandom(size) for family in FAMILIES}
        self.file = core.secure_files.add(self.project, "a.jks", self.plain["secure_files"])
        self.job = self.ci.job(self.ci.pipeline(), left=self.plain["artifacts"])
        self.lfs.keep(self.project, self.plain["lfs_objects"])
        with self.uploads.writer(self.project) as writer:
            writer.write(self.plain["uploads"])
            self.upload, _ = self.uploads.add(as_caller(core.user()), self.project, "a.png", writer)

    def contents(self) -> dict[str, bytes]:
        """Read every file the way its family does."""
        artifact = self.ci.artifacts.of_type(self.job)
        upload = self.uploads.get(self.project, self.upload.id)
        large = self.lfs.find(self.project, hashlib.sha256(self.plain["lfs_objects"]).hexdigest())
        return {
            "secure_files": bytes(self.core.secure_files.content(self.project, self.file.id)[1]),
            "uploads": bytes(self.uploads.content(upload).read(0, upload.size)),
            "artifacts": bytes(self.ci.artifacts.content(artifact).read(0, artifact.size)),
            "lfs_objects": bytes(self.lfs.content(large).read(0, large.size)),
        }

    def rows(self, what: str = "*") -> list[dict[str, Any]]:
        return self.core.sql(f"SELECT {what} FROM blobs ORDER BY id")

    def keys(self) -> list[str]:
        """The master key of each row."""
        return [row["kek_id"] for row in self.rows()]

    def bodies(self) -> dict[str, str]:
        """What lies on the disk, by name, as SHA-256."""
        files = [path for path in (self.core.folder / "blobs").rglob("*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(params=[100, LARGE], ids=["in the row", "in a file"])
def vault(core: Core, request: pytest.FixtureRequest) -> Vault:
    return Vault(core, request.param)


class TestRewrap:
    def test_moves_every_family_to_the_new_key_and_touches_no_body(self, vault: Vault) -> None:
        untouched = "id, size, sha256, alg, first_kek_id, commitment, sealed, created_at"
        before, bodies = vault.rows(untouched), vault.bodies()
        vault.rotation.rotate()

        assert vault.rewrapping.rewrap() == Outcome("k2", ALL)
        assert vault.keys() == ["k2"] * ALL
        assert (vault.rows(untouched), vault.bodies()) == (before, bodies)
        assert vault.contents() == vault.plain

    def test_makes_the_old_key_one_that_nothing_needs(self, vault: Vault) -> None:
        vault.rotation.rotate()
        vault.rewrapping.rewrap()
        vault.rotation.retire("k1")

        assert [key.id for key in vault.rotation.reports()] == ["k2"]
        with vault.core.beside() as again:
            assert again.content(vault.rows()[0]["id"])

    def test_has_nothing_to_do_where_there_was_no_rotation(self, vault: Vault) -> None:
        before = vault.rows()

        assert vault.rewrapping.rewrap() == Outcome("k1", 0)
        assert vault.rows() == before

    def test_goes_on_where_one_that_was_stopped_left_off(self, core: Core) -> None:
        blobs = [core.keep(os.urandom(10)) for _ in range(20)]
        vault = Vault(core)
        vault.rotation.rotate()

        def stop(_: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            vault.rewrapping.rewrap(Watch(step=stop, at_once=5))
        assert sorted(vault.keys()) == ["k1"] * (15 + ALL) + ["k2"] * 5
        totals: list[int] = []
        assert vault.rewrapping.rewrap(Watch(begin=totals.append)).moved == 15 + ALL
        assert totals == [15 + ALL]
        assert all(core.content(blob.id) for blob in blobs)

    def test_two_at_once_harm_nothing_and_move_each_file_once(self, core: Core) -> None:
        blobs = {core.keep(plain).id: plain for plain in (os.urandom(20) for _ in range(60))}
        vault = Vault(core)
        vault.rotation.rotate()
        outcomes: list[Outcome] = []

        def run() -> None:
            with core.beside() as other:
                outcomes.append(Rewrapping(other.database, other.storage, other.keyring).rewrap(Watch(at_once=7)))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(outcome.moved for outcome in outcomes) == 60 + ALL
        assert set(vault.keys()) == {"k2"}
        assert {blob_id: core.content(blob_id) for blob_id in blobs} == blobs

    def test_takes_what_is_stored_under_the_old_key_meanwhile(self, vault: Vault) -> None:
        core = vault.core
        late = core.storage.put("secure_files", 1, b"late")
        vault.rotation.rotate()

        def store(_: int) -> None:
            if len(vault.keys()) == ALL:
                core.database.write(lambda tx: core.storage.insert(tx, late))

        assert vault.rewrapping.rewrap(Watch(step=store)).moved == ALL + 1
        assert core.content(late.id) == b"late"

    def test_leaves_a_damaged_row_as_it_is_and_says_which(self, vault: Vault) -> None:
        blob_id = vault.core.secure_files.get(vault.project, vault.file.id).blob_id
        vault.core.sql("UPDATE blobs SET size = size + 1 WHERE id = :id", id=blob_id)
        vault.rotation.rotate()

        outcome = vault.rewrapping.rewrap()
        assert (outcome.moved, list(outcome.failed)) == (ALL - 1, [blob_id])
        assert f"object {blob_id} (key k1)" in outcome.failed[blob_id]
        assert sorted(vault.keys()) == ["k1", *["k2"] * (ALL - 1)]

    def test_never_brings_back_a_file_that_is_deleted_meanwhile(self, vault: Vault) -> None:
        vault.rotation.rotate()
        wrapped = vault.core.storage.rewrapped

        def delete_first(blob: Blob) -> Any:
            if vault.core.sql("SELECT id FROM secure_files"):
                vault.core.secure_files.remove(vault.project, vault.file.id)
            return wrapped(blob)

        vault.core.storage.rewrapped = delete_first  # type: ignore[method-assign]
        assert vault.rewrapping.rewrap().moved == ALL - 1
        assert len(vault.rows()) == ALL - 1


class TestReencrypt:
    def test_gives_every_file_a_new_body_and_a_new_key(self, vault: Vault) -> None:
        before, bodies = vault.rows(), vault.bodies()
        vault.rotation.rotate()

        assert vault.rewrapping.reencrypt() == Outcome("k2", ALL)
        after = vault.rows()
        assert {row["id"] for row in before} & {row["id"] for row in after} == set()
        assert {row["commitment"] for row in before} & {row["commitment"] for row in after} == set()
        assert {(row["kek_id"], row["first_kek_id"]) for row in after} == {("k2", "k2")}
        assert len(vault.bodies()) == 2 * len(bodies)
        assert vault.contents() == vault.plain

    def test_tells_the_same_of_each_file_afterwards(self, vault: Vault) -> None:
        told = "id, name, checksum, size, document, created_at, updated_at"
        before = vault.core.sql(f"SELECT {told} FROM secure_files")
        vault.rotation.rotate()
        vault.rewrapping.reencrypt()

        assert vault.core.sql(f"SELECT {told} FROM secure_files") == before

    def test_takes_files_that_were_only_rewrapped_since_the_key_leaked(self, vault: Vault) -> None:
        vault.rotation.rotate()
        vault.rewrapping.rewrap()

        assert vault.rewrapping.reencrypt().moved == ALL
        assert vault.rewrapping.reencrypt().moved == 0

    def test_leaves_what_was_sealed_under_the_new_key_alone(self, vault: Vault) -> None:
        vault.rotation.rotate()
        new = vault.core.secure_files.add(vault.project, "new.jks", b"new")

        assert vault.rewrapping.reencrypt().moved == ALL
        assert vault.core.secure_files.get(vault.project, new.id).blob_id == new.blob_id

    def test_keeps_the_old_bytes_a_while_for_those_who_read_them(self, core: Core) -> None:
        vault = Vault(core, 3 * LARGE)
        bodies = vault.bodies()
        pieces = vault.uploads.content(vault.upload).pieces(0, vault.upload.size)
        first = bytes(next(pieces))
        vault.rotation.rotate()
        vault.rewrapping.reencrypt()
        core.storage.remove_noted()

        assert first + b"".join(pieces) == vault.plain["uploads"]
        assert bodies.items() <= vault.bodies().items()
        core.sql("UPDATE removals SET noted_at = :past", past=clock.stamp(datetime.now(UTC)))
        assert core.storage.remove_noted() == ALL
        assert not bodies.items() & vault.bodies().items()

    def test_is_not_noticed_by_who_looked_the_file_up_before(self, vault: Vault) -> None:
        """A download looks up the file, then its object: in between the object may have become another."""
        upload, artifact = vault.uploads.content(vault.upload), vault.ci.artifacts.of_type(vault.job)
        content = vault.ci.artifacts.content(artifact)
        vault.rotation.rotate()
        vault.rewrapping.reencrypt()

        assert upload.read(0, upload.size) == vault.plain["uploads"]
        assert b"".join(content.pieces(0, content.size)) == vault.plain["artifacts"]

    def test_keeps_nothing_of_a_file_that_is_deleted_meanwhile(self, vault: Vault) -> None:
        vault.rotation.rotate()
        exchange = vault.rewrapping._exchange

        def delete_first(tx: Any, old: Blob, new: Any) -> None:
            if old.family == "uploads":
                row = tx.query("DELETE FROM uploads WHERE blob_id = :id RETURNING blob_id", id=old.id)[0]
                vault.core.storage.discard(tx, row["blob_id"])
            exchange(tx, old, new)

        vault.rewrapping._exchange = delete_first  # type: ignore[method-assign]
        outcome = vault.rewrapping.reencrypt()
        # The delete was of the same transaction, and went with it.
        assert (outcome.moved, outcome.failed) == (ALL - 1, {})
        assert vault.contents() == vault.plain

    @pytest.mark.parametrize("change", ["size = size + 1", "commitment = wrapped", "project_id = project_id + 1"])
    def test_does_not_make_damage_whole(self, vault: Vault, change: str) -> None:
        vault.core.sql(f"UPDATE blobs SET {change} WHERE id = :id", id=vault.upload.blob_id)
        vault.rotation.rotate()

        outcome = vault.rewrapping.reencrypt()
        assert (outcome.moved, list(outcome.failed)) == (ALL - 1, [vault.upload.blob_id])
        with pytest.raises(Tampered):
            vault.contents()

    def test_tells_of_an_object_that_no_file_has(self, core: Core) -> None:
        blob = core.keep(b"nobody's")
        vault = Vault(core)
        vault.rotation.rotate()

        outcome = vault.rewrapping.reencrypt()
        assert (outcome.moved, outcome.failed) == (ALL, {blob.id: f"object {blob.id} (key k1): no file has it"})

    def test_leaves_nothing_behind_of_what_it_could_not_exchange(self, core: Core) -> None:
        core.keep(os.urandom(LARGE))
        core.keyring.rotate()
        assert len(Rewrapping(core.database, core.storage, core.keyring).reencrypt().failed) == 1

        assert len(list(core.blobs.ids())) == 1


class TestWhoWritesTheCatalog:
    """A row that was pointed at a stranger's object gets none of it, whichever family it is of."""

    def test_has_no_upload_serve_what_is_another_projects(self, vault: Vault) -> None:
        other = vault.core.project(vault.core.user())
        with vault.uploads.writer(other.id) as writer:
            writer.write(b"s" * vault.upload.size)
            theirs, _ = vault.uploads.add(as_caller(vault.core.user()), other.id, "a.png", writer)
        vault.core.sql("DELETE FROM uploads WHERE id = :id", id=theirs.id)
        vault.core.sql("UPDATE uploads SET blob_id = :new WHERE id = :id", new=theirs.blob_id, id=vault.upload.id)

        with pytest.raises(Tampered, match=f"upload {vault.upload.id}: .*not the one that was stored"):
            vault.contents()


class TestRotation:
    def test_new_files_are_wrapped_under_the_new_key_at_once_elsewhere_too(self, core: Core) -> None:
        with core.beside() as server:
            assert server.storage.put("secure_files", 1, b"1").key.kek_id == "k1"
            Rotation(core.database, core.keyring, core.storage.uses).rotate()
            blob = server.keep(b"2")

            assert blob.key.kek_id == "k2"
            assert server.content(blob.id) == core.content(blob.id) == b"2"

    def test_tokens_and_upload_secrets_stay_good_when_their_key_is_retired(self, core: Core) -> None:
        _, secret = core.tokens.create(core.user("root"), "t", ("api",), None)
        rotation = Rotation(core.database, core.keyring, core.storage.uses)
        rotation.rotate()
        rotation.retire("k1")

        with core.beside() as again:
            assert again.tokens.personal(secret).user.username == "root"

    def test_what_was_sealed_before_and_is_stored_after_its_key_was_retired_is_refused(self, core: Core) -> None:
        """Otherwise it would be acknowledged, and nobody could ever open it."""
        late = core.storage.put("secure_files", 1, b"late")
        rotation = Rotation(core.database, core.keyring, core.storage.uses)
        rotation.rotate()
        rotation.retire("k1")

        with pytest.raises(Unavailable, match='"k1" was retired meanwhile; try again'):
            core.database.write(lambda tx: core.storage.insert(tx, late))
        assert core.content(core.keep(b"late").id) == b"late"

    def test_a_row_that_is_being_stored_keeps_its_key_from_being_retired(self, core: Core) -> None:
        late = core.storage.put("secure_files", 1, b"late")
        rotation = Rotation(core.database, core.keyring, core.storage.uses)
        rotation.rotate()
        stored, go_on = threading.Event(), threading.Event()

        def store(tx: Transaction) -> None:
            core.storage.insert(tx, late)
            stored.set()
            go_on.wait(10)

        with core.beside() as other, ThreadPoolExecutor(2) as threads:
            storing = threads.submit(other.database.write, store)
            stored.wait(10)
            retiring = threads.submit(rotation.retire, "k1")
            with pytest.raises(TimeoutError):
                retiring.result(0.2)
            go_on.set()
            storing.result(10)
            with pytest.raises(Conflict, match="1 file is still wrapped"):
                retiring.result(10)
        assert core.content(late.id) == b"late"

    def test_a_key_that_only_a_neighbour_knows_is_remembered_before_a_row_names_it(self, core: Core) -> None:
        Keyring.load(core.keyring_file).rotate()
        core.keep(b"1")

        assert [row["id"] for row in core.sql("SELECT id FROM master_keys ORDER BY id")] == ["k1", "k2"]

    def test_a_list_tells_of_keys_that_rows_name_and_nobody_has(self, core: Core, tmp_path: Path) -> None:
        core.keep(b"1")
        core.sql("INSERT INTO master_keys (id, \"check\", created_at) VALUES ('k9', '9f3a01c2', '')")
        core.sql("UPDATE blobs SET kek_id = 'k9'")

        (ours, lost) = Rotation(core.database, core.keyring, core.storage.uses).reports()
        assert (ours.id, ours.state, ours.files, ours.where) == ("k1", "active", 0, str(core.keyring_file))
        assert (lost.id, lost.state, lost.files, lost.check) == ("k9", "missing", 1, "9f3a01c2")


class TestUses:
    """A key is used 2^30 times at most; nobody has to think of it."""

    @pytest.fixture
    def used_up(self, core: Core) -> Core:
        core.sql("UPDATE master_keys SET uses = :uses", uses=MOST_USES - 1)
        return core

    def test_are_counted_over_all_processes(self, core: Core) -> None:
        with core.beside() as other:
            for one in (core, core, other):
                one.storage.put("secure_files", 1, b"1")
            for one in (core, other):
                one.storage.uses.write_down()

        assert core.sql("SELECT id, uses FROM master_keys") == [{"id": "k1", "uses": 3}]

    def test_at_the_limit_the_key_rotates_by_itself(self, used_up: Core) -> None:
        used_up.storage.put("secure_files", 1, b"1")
        used_up.storage.uses.write_down()

        assert used_up.storage.put("secure_files", 1, b"1").key.kek_id == "k2"
        assert [row["id"] for row in used_up.sql("SELECT id FROM master_keys ORDER BY id")] == ["k1", "k2"]

    def test_at_the_limit_only_one_of_many_processes_rotates(self, used_up: Core) -> None:
        with used_up.beside() as other:
            for one in (used_up, other):
                one.storage.put("secure_files", 1, b"1")
            for one in (used_up, other):
                one.storage.uses.write_down()

        assert [key.id for key in Keyring.load(used_up.keyring_file).keys] == ["k1", "k2"]


def test_a_file_that_is_gone_is_missing_also_when_it_was_sealed_anew(core: Core) -> None:
    vault = Vault(core)
    content = vault.uploads.content(vault.upload)
    vault.rotation.rotate()
    vault.rewrapping.reencrypt()
    vault.uploads.remove(vault.project, vault.upload.id)

    with pytest.raises(NotFound):
        content.read(0, content.size)


def test_a_key_that_is_lost_is_told_for_each_file(core: Core) -> None:
    vault = Vault(core)
    Rotation(core.database, core.keyring, core.storage.uses).rotate()
    core.keyring.retire("k1")

    outcome = vault.rewrapping.rewrap()
    assert (outcome.moved, len(outcome.failed)) == (0, ALL)
    assert all('the key "k1" is not in the keyring' in why for why in outcome.failed.values())
    with pytest.raises(UnknownKey):
        vault.contents()
