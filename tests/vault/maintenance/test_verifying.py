"""Verifying: whatever was changed on the disk is named, and nothing else is."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import time
from operator import methodcaller
from typing import TYPE_CHECKING

import pytest

from tests.reliability.stored import edit, rows
from vault.blobs.filesystem import FilesystemBlobs
from vault.catalog.families import FAMILIES
from vault.catalog.schema import MIGRATIONS
from vault.errors import Unavailable
from vault.maintenance.findings import Weight
from vault.maintenance.verifying import Pace, Scope

if TYPE_CHECKING:
    from pathlib import Path

    from server.wiring import Services
    from vault.maintenance.findings import Finding, Report

SEGMENT = 65536
STORED = "SELECT id FROM blobs WHERE sealed IS NULL ORDER BY id"
IN_ROWS = "SELECT id FROM blobs WHERE sealed IS NOT NULL ORDER BY id"


def verify(services: Services, scope: Scope | None = None) -> Report:
    return services.verification.run(scope)


def damage(services: Services) -> list[Finding]:
    return verify(services).findings(Weight.DAMAGE)


def file_of(data: Path, blob_id: str) -> Path:
    return data / "blobs" / blob_id[:2] / blob_id


def flip(file: Path, at: int) -> None:
    mode = file.stat().st_mode
    file.chmod(0o600)
    raw = bytearray(file.read_bytes())
    raw[at] ^= 0x10
    file.write_bytes(raw)
    file.chmod(mode)


class TestAWholeVault:
    def test_has_no_findings_and_everything_was_looked_at(self, services: Services) -> None:
        report = verify(services)

        assert report.findings() == []
        assert report.as_dict()["clean"] is True
        looked = {tally.check: tally.looked_at for tally in report.tallies}
        assert (looked["keyring"], looked["files"], looked["repositories"]) == (1, 2 * len(FAMILIES), 1)
        assert looked["store"] == len(services.database.query(STORED))
        assert not report.partly

    def test_may_be_looked_at_in_part(self, services: Services) -> None:
        assert verify(services, Scope(since="2999-01-01T00:00:00.000Z")).tallies[2].looked_at == 0
        some = verify(services, Scope(share=1e-9))

        assert some.tallies[2].looked_at == 0
        assert some.partly

    def test_is_read_no_quicker_than_was_asked(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        size = verify(services).tallies[2].size

        verify(services, Scope(pace=Pace(1000.0)))

        assert max(slept) > size / 1000 * 0.9


class TestDamageToAFile:
    def test_of_any_byte_in_the_store_is_named_with_the_segment_it_is_in(self, services: Services, data: Path) -> None:
        for row in rows(data, STORED):
            file = file_of(data, row[0])
            at = random.randrange(40, file.stat().st_size)
            flip(file, at)
            [found] = damage(services)
            flip(file, at)

            assert found.object == row[0]
            [(first, end)] = found.ranges
            assert first == at // SEGMENT * SEGMENT
            assert first <= at < end
            assert f"segment {at // SEGMENT}" in found.problem

    def test_of_any_byte_in_a_row_is_named(self, services: Services, data: Path) -> None:
        for row in rows(data, IN_ROWS):
            [(sealed,)] = rows(data, "SELECT sealed FROM blobs WHERE id = ?", row[0])
            changed = bytearray(sealed)
            changed[random.randrange(len(changed))] ^= 1
            edit(data, "UPDATE blobs SET sealed = ? WHERE id = ?", bytes(changed), row[0])
            [found] = damage(services)
            edit(data, "UPDATE blobs SET sealed = ? WHERE id = ?", sealed, row[0])

            assert (found.object, found.key) == (row[0], "k1")
            assert " of project 1" in found.subject

    @pytest.mark.parametrize("column", ["family", "project_id", "size", "sha256", "alg", "wrapped", "commitment"])
    def test_of_any_column_of_its_envelope_is_named(self, services: Services, data: Path, column: str) -> None:
        [(blob_id,), *_] = rows(data, STORED)
        other = {"family": "'others'", "project_id": "7", "size": "3", "sha256": f"'{'0' * 64}'", "alg": "2"}
        value = other.get(column, "x'00'")
        edit(data, f"UPDATE blobs SET {column} = {value} WHERE id = ?", blob_id)

        assert {found.object for found in damage(services)} == {blob_id}

    @pytest.mark.parametrize("value", ["5", "'text'", "zeroblob(3)"])
    @pytest.mark.parametrize("column", ["size", "sha256", "alg", "wrapped", "commitment"])
    def test_of_a_row_that_holds_what_no_row_can_ends_nothing(
        self, services: Services, data: Path, column: str, value: str
    ) -> None:
        [(blob_id,), *_] = rows(data, STORED)
        edit(data, f"UPDATE blobs SET {column} = {value} WHERE id = ?", blob_id)

        report = verify(services)

        assert blob_id in {found.object for found in report.findings(Weight.DAMAGE)}
        assert report.tallies[2].looked_at == 2 * len(FAMILIES)

    def test_that_is_missing_cut_or_longer_is_named(self, services: Services, data: Path) -> None:
        (missing, cut, longer, *_) = (file_of(data, row[0]) for row in rows(data, STORED))
        missing.unlink()
        os.truncate(cut, SEGMENT)
        with longer.open("ab") as file:
            file.write(b"x")

        told = {found.object: found.problem for found in damage(services)}

        assert set(told) == {missing.name, cut.name, longer.name}
        assert "missing from the store" in told[missing.name]

    def test_that_a_disk_refuses_to_read_is_unchecked_and_not_damaged(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> bytes:
            raise Unavailable("the disk refused to read a blob (EIO)")

        monkeypatch.setattr(FilesystemBlobs, "read_at", refuse)
        report = verify(services)

        assert report.findings(Weight.DAMAGE) == []
        assert len(report.findings(Weight.UNCHECKED)) == len(FAMILIES)
        assert report.as_dict()["clean"] is False


class TestMarks:
    def test_tell_since_when_damage_is_known_and_go_when_the_file_is_whole_again(
        self, services: Services, data: Path
    ) -> None:
        file = file_of(data, rows(data, STORED)[0][0])
        flip(file, 100)
        assert [found.marked_at for found in damage(services)] == [None]
        [(marked_at,)] = rows(data, "SELECT found_at FROM damage")

        assert [found.marked_at for found in damage(services)] == [marked_at]

        flip(file, 100)
        assert damage(services) == []
        assert rows(data, "SELECT * FROM damage") == []

    def test_of_files_that_were_deleted_go_too(self, services: Services, data: Path) -> None:
        flip(file_of(data, rows(data, STORED)[0][0]), 100)
        damage(services)
        for table in (*FAMILIES, "blobs"):
            edit(data, f"DELETE FROM {table}")

        damage(services)

        assert rows(data, "SELECT * FROM damage") == []

    def test_that_cannot_be_written_keep_nothing_from_being_found(
        self, services: Services, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: object) -> None:
            raise Unavailable("the disk is full")

        flip(file_of(data, rows(data, STORED)[0][0]), 100)
        monkeypatch.setattr(services.database, "write", refuse)

        assert len(damage(services)) == 1


class TestTheCatalog:
    def test_rows_that_disagree_with_their_envelopes_are_named(self, services: Services, data: Path) -> None:
        edit(data, "UPDATE uploads SET size = 7 WHERE id = 1")
        edit(data, "UPDATE artifacts SET checksum = 'x' WHERE id = 1")

        assert {found.subject for found in damage(services)} == {"upload 1 of project 1", "artifact 1 of project 1"}

    def test_a_file_whose_row_is_gone_is_named_by_its_object(self, services: Services, data: Path) -> None:
        [(blob_id,)] = rows(data, "SELECT blob_id FROM secure_files WHERE name = 'large'")
        edit(data, "DELETE FROM secure_files WHERE name = 'large'")

        assert [found.object for found in damage(services)] == [blob_id]

    def test_a_name_that_was_changed_no_longer_fits_what_the_api_says(self, services: Services, data: Path) -> None:
        edit(data, "UPDATE secure_files SET name = 'lerge' WHERE name = 'large'")
        edit(data, "UPDATE secure_files SET document = 'x' WHERE name = 'small'")

        assert [found.problem for found in damage(services)] == [
            "what the API says of it is not JSON any more",
            "the catalog has two values of its name",
        ]

    def test_a_page_of_its_file_that_was_overwritten_is_named(self, services: Services, data: Path) -> None:
        services.database.close()
        with sqlite3.connect(data / "catalog.sqlite") as catalog:
            [(page,)] = catalog.execute("SELECT rootpage FROM sqlite_master WHERE name = 'secure_files_newest'")
            [(size,)] = catalog.execute("PRAGMA page_size")
        with (data / "catalog.sqlite").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * 64)
        from server.settings import Settings
        from server.wiring import open_services

        again = open_services(Settings(data=data))
        found = damage(again)
        again.close()

        assert any(each.subject == "the catalog" for each in found)

    def test_every_table_that_refers_to_objects_is_known_to_verify(self) -> None:
        from vault.catalog import care

        referring = {
            statement.split()[2]
            for migration in MIGRATIONS
            for statement in migration.statements
            if "REFERENCES blobs(id)" in statement
        }
        for sql in (care.OWNER_OF, care.DISAGREEING, care.UNOWNED):
            assert {table for table in referring if f"FROM {table}" in sql} == referring


class TestTheStore:
    def test_an_object_without_a_row_is_told_after_a_day_and_is_no_damage(self, services: Services, data: Path) -> None:
        fresh, old = "a" * 32, "b" * 32
        for blob_id in (fresh, old):
            file_of(data, blob_id).write_bytes(b"nobody's")
        then = time.time() - 25 * 3600
        os.utime(file_of(data, old), (then, then))

        report = verify(services)

        assert [(found.weight, found.object) for found in report.findings()] == [(Weight.NOTICE, old)]
        assert report.as_dict()["clean"] is True


class TestTheKeyring:
    def test_a_key_that_files_need_and_the_keyring_lacks_is_named(self, services: Services, data: Path) -> None:
        edit(data, "UPDATE blobs SET kek_id = 'k9' WHERE id = (SELECT blob_id FROM uploads WHERE id = 1)")

        told = [str(found) for found in damage(services)]

        assert told[0] == 'key "k9": the keyring does not have it, and 1 files need it'
        assert len(told) == 3
        assert "refers to a row of master_keys that is missing" in told[1]


class TestRepositories:
    def folder(self, data: Path) -> Path:
        [folder] = (data / "repositories").glob("??/*.git")
        return folder

    def test_a_byte_changed_in_any_loose_object_is_named(self, services: Services, data: Path) -> None:
        for file in (self.folder(data) / "objects").glob("??/*"):
            at = random.randrange(file.stat().st_size)
            flip(file, at)
            found = damage(services)
            flip(file, at)

            assert found, f"byte {at} of {file.name}"
            assert all("repository of project 1" in each.subject for each in found)

    def test_a_byte_changed_in_a_pack_is_named(self, services: Services, data: Path) -> None:
        from vault.repositories.housekeeping import pack

        assert pack(self.folder(data))
        [packed] = (self.folder(data) / "objects" / "pack").glob("*.pack")
        flip(packed, packed.stat().st_size // 2)

        assert damage(services)

    def test_a_lost_object_a_lost_branch_and_a_lost_repository_are_named(self, services: Services, data: Path) -> None:
        folder = self.folder(data)
        first = next((folder / "objects").glob("??/*"))
        aside = first.rename(folder / "aside")
        assert damage(services)
        aside.rename(first)
        branch = folder / "refs" / "heads" / "main"
        aside = branch.rename(folder / "aside")
        assert "has no branch" in damage(services)[0].problem
        aside.rename(branch)
        assert damage(services) == []
        shutil.rmtree(folder)
        assert "missing from the disk" in damage(services)[0].problem

    def test_a_repository_that_no_project_has_is_told(self, services: Services, data: Path) -> None:
        shutil.copytree(self.folder(data), data / "repositories" / "ff" / f"{'f' * 32}.git")

        [found] = verify(services).findings()

        assert (found.weight, found.subject) == (Weight.NOTICE, f"repository {'f' * 32}.git")


class TestBesideAServer:
    def test_what_is_deleted_meanwhile_is_no_finding(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each file goes between the look at its row and the look at its object."""
        envelope = services.storage.envelope

        def deleted_after(blob_id: str) -> object:
            found = envelope(blob_id)
            for table in FAMILIES:
                services.database.write(methodcaller("query", f"DELETE FROM {table} WHERE blob_id = :id", id=blob_id))
            services.database.write(lambda tx: services.storage.discard(tx, blob_id))
            services.storage.remove_noted()
            return found

        monkeypatch.setattr(services.storage, "envelope", deleted_after)

        assert damage(services) == []


def test_the_report_is_json(services: Services) -> None:
    assert json.loads(json.dumps(verify(services).as_dict()))["findings"] == []
