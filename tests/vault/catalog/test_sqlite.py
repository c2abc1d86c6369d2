import sqlite3
import stat
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from os import umask

import pytest

from tests.database_suite import ADD, TEST_TABLES, DatabaseSuite, add, names, occupied
from vault.catalog.recent import BUDGET
from vault.catalog.schema import MIGRATIONS
from vault.catalog.sqlite import SqliteDatabase
from vault.catalog.sqlite_writer import MOST_AT_ONCE, exclusive
from vault.errors import Conflict, Damaged, StorageFull, Unavailable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.db"


@pytest.fixture
def database(path):
    with closing(SqliteDatabase(path)) as database:
        database.migrate(TEST_TABLES)
        yield database


def commits(path):
    """Count the commits in the write-ahead log: frames that carry the size of the database after them.

    The form is https://www.sqlite.org/fileformat2.html#walformat; a log that was not yet begun anew is assumed.
    """
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size, salt = struct.unpack_from(">8xI4x8s", log)
    frames = (struct.unpack_from(">4xI8s", log, at) for at in range(32, len(log), 24 + page_size))
    return sum(1 for size_after, frame_salt in frames if size_after and frame_salt == salt)


class TestSqliteDatabase(DatabaseSuite):
    """SQLite keeps the contract."""

    @pytest.fixture
    def database(self, path):
        with closing(SqliteDatabase(path)) as database:
            database.migrate(TEST_TABLES)
            yield database


class TestKnown:
    """What is kept of rows while nobody commits."""

    def test_is_the_same_until_another_process_commits(self, path, database):
        database.known().keep("a", "b")
        assert database.known().get("a") == "b"

        with closing(SqliteDatabase(path)) as other:
            add(other, "x")
        assert database.known().get("a") is None

    def test_is_the_same_after_a_work_that_changed_nothing(self, database):
        database.known().keep("a", "b")
        database.write(lambda tx: tx.query("SELECT 1 AS one"))
        assert database.known().get("a") == "b"

    def test_takes_no_more_than_its_room(self, database):
        place = database.known()
        for number in range(1000):
            place.keep(number, "x", 100_000)
        place.keep("huge", "x", BUDGET)
        kept = sum(place.get(number) is not None for number in range(1000))
        assert 0 < kept * 100_000 <= BUDGET
        assert place.get("huge") is None


class TestHolding:
    """A thread that submits several works in a moment has them in one commit."""

    def test_what_is_submitted_has_one_commit_when_it_is_released(self, database, path):
        add(database, "before")
        before = commits(path)
        database.hold()
        futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in range(5)]
        time.sleep(0.05)
        assert not any(future.done() for future in futures)
        database.release()
        assert [future.result(20) for future in futures]
        assert commits(path) == before + 1

    def test_nobody_else_waits_for_it(self, database):
        database.hold()
        kept = database.submit(lambda tx: tx.query(ADD, name="kept", owner="me"))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(add, database, "at once").result(20)
        add(database, "here too")
        assert names(database) == ["at once", "here too"]
        database.release()
        kept.result(20)

    def test_one_that_fails_takes_nobody_with_it(self, database):
        database.hold()
        futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=n, owner="me")) for n in ("a", "b", "a", "c")]
        database.release()
        assert [type(future.exception(20)) for future in futures] == [type(None), type(None), Conflict, type(None)]
        assert names(database) == ["a", "b", "c"]

    def test_closing_waits_for_it(self, database):
        database.hold()
        kept = database.submit(lambda tx: tx.query(ADD, name="kept", owner="me"))
        database.close()
        assert kept.result(0)


class TestFile:
    """The file, who may look at it, and what is left in it."""

    @pytest.mark.parametrize("mask", [0, 0o077, 0o777])
    def test_everything_is_for_the_owner_alone_whatever_the_umask(self, tmp_path, mask):
        before = umask(mask)
        try:
            with closing(SqliteDatabase(tmp_path / "new.db")) as database:
                database.migrate(TEST_TABLES)
                add(database, "a")
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        finally:
            umask(before)
        assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm", "new.db.writer-lock"), 0o600)

    def test_only_migrating_makes_a_catalog(self, path):
        with closing(SqliteDatabase(path)) as database:
            with pytest.raises(Unavailable):
                database.query("SELECT 1 AS one")
            with pytest.raises(Unavailable):
                database.write(lambda tx: None)
        assert not path.exists()

    def test_a_folder_that_is_not_there_is_reported(self, tmp_path):
        with closing(SqliteDatabase(tmp_path / "absent" / "catalog.db")) as database, pytest.raises(Unavailable):
            database.migrate()

    def test_a_file_that_is_no_database_is_damaged(self, path):
        path.write_bytes(b"this is not a database" * 100)
        with closing(SqliteDatabase(path)) as database, pytest.raises(Damaged):
            database.migrate()

    def test_what_is_deleted_is_overwritten(self, database, path):
        marker = b"wrapped data key " * 1000
        database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=marker))
        database.checkpoint()
        assert marker[:17] in path.read_bytes()
        database.write(lambda tx: tx.query("DELETE FROM things"))
        database.checkpoint()
        assert marker[:17] not in path.read_bytes()
        assert path.with_name("catalog.db-wal").stat().st_size == 0

    def test_closing_leaves_one_whole_file(self, database, path):
        add(database, "a")
        names(database)
        database.close()
        assert not path.with_name("catalog.db-wal").exists()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM things").fetchall() == [("a",)]
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_commits_are_synced_to_the_disk(self, database):
        def settings(tx):
            return [tx.query(f"PRAGMA {name}")[0][name] for name in ("synchronous", "journal_mode", "foreign_keys")]

        assert database.write(settings) == [2, "wal", 1]

    def test_a_program_that_is_too_old_says_so(self, database):
        with pytest.raises(Conflict, match="test_tables is unknown here"):
            database.migrate(MIGRATIONS)


class TestGroupCommit:
    """Works that wait share a commit."""

    def test_works_that_wait_together_need_few_commits(self, database, path):
        database.checkpoint()
        with occupied(database):
            futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in range(32)]
        for future in futures:
            future.result(20)
        assert len(names(database)) == 32
        assert commits(path) == 1

    def test_works_that_come_one_by_one_are_committed_one_by_one(self, database, path):
        database.checkpoint()
        for number in range(5):
            add(database, str(number))
        assert commits(path) == 5

    def test_a_group_has_a_limit(self, database, path):
        database.checkpoint()
        with occupied(database):
            many = range(2 * MOST_AT_ONCE)
            futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in many]
        for future in futures:
            future.result(20)
        assert commits(path) == 2

    def test_no_thread_and_no_open_file_come_before_they_are_needed(self, path):
        before = threading.active_count()
        with closing(SqliteDatabase(path)) as database:
            database.migrate(TEST_TABLES)
            assert not path.with_name("catalog.db-wal").exists()
            names(database)
            assert threading.active_count() == before
            add(database, "a")  # nobody else works: it is done in this thread
            assert threading.active_count() == before
            database.submit(lambda tx: tx.query(ADD, name="b", owner="me")).result(20)
            assert threading.active_count() == before + 1
        assert threading.active_count() == before

    def test_a_work_that_ends_its_own_transaction_is_told_that_nothing_is_kept(self, database):
        def work(tx):
            tx.query(ADD, name="lost", owner="me")
            tx.query("ROLLBACK")

        with pytest.raises(Exception, match="transaction"):
            database.write(work)
        add(database, "after")
        assert names(database) == ["after"]

    def test_who_comes_while_another_process_writes_waits_in_the_queue(self, database, path):
        with exclusive(path.with_name("catalog.db.writer-lock")):
            future = database.begin(lambda tx: tx.query(ADD, name="late", owner="me"))
            assert not future.done()
            assert future.cancel()
            database.begin(lambda tx: tx.query(ADD, name="later", owner="me"))
        add(database, "last")
        assert sorted(names(database)) == ["last", "later"]

    def test_works_begun_by_many_threads_are_all_kept(self, database):
        def begin(number):
            return database.begin(lambda tx: tx.query(ADD, name=str(number), owner="me"))

        with ThreadPoolExecutor(8) as pool:
            begun = list(pool.map(begin, range(200)))
        for future in begun:
            future.result(20)
        assert len(names(database)) == 200

    def test_a_reader_in_use_when_the_database_closes_ends_well(self, database, path):
        slow = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT SUM(i) AS s FROM n"
        )
        with ThreadPoolExecutor(4) as pool:
            readings = [pool.submit(database.query, slow) for _ in range(4)]
            while not path.with_name("catalog.db-wal").exists():  # until the first of them has opened the file
                time.sleep(0.001)
            database.close()
        outcomes = [reading.exception() or reading.result() for reading in readings]
        assert all(outcome == [{"s": 45000150000}] or isinstance(outcome, Unavailable) for outcome in outcomes)
        assert not path.with_name("catalog.db-wal").exists()


class TestRefusedByTheDisk:
    """A full or busy disk refuses works; the catalog goes on."""

    @pytest.fixture
    def room_for(self, database):
        def limit(pages):
            def work(tx):
                used = tx.query("PRAGMA page_count")[0]["page_count"]
                tx.query(f"PRAGMA max_page_count = {used + pages}")

            database.write(work)

        return limit

    def test_a_work_that_does_not_fit_is_told_that_the_storage_is_full(self, database, room_for):
        add(database, "before")
        room_for(5)
        with pytest.raises(StorageFull):
            database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=bytes(1 << 20)))
        assert names(database) == ["before"]
        add(database, "small enough")
        room_for(10_000)
        database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=bytes(1 << 20)))

    def test_its_neighbours_in_the_same_commit_still_land(self, database, room_for):
        room_for(5)
        with occupied(database):
            before = database.submit(lambda tx: tx.query(ADD, name="before", owner="me"))
            large = database.submit(lambda tx: tx.query("INSERT INTO things (data) VALUES (:d)", d=bytes(1 << 20)))
            after = database.submit(lambda tx: tx.query("DELETE FROM things WHERE name = 'before' RETURNING id"))
        with pytest.raises(StorageFull):
            large.result(20)
        assert before.result(20) == after.result(20)
        assert names(database) == []

    def test_when_a_transaction_ends_under_its_works_each_caller_gets_an_error_of_its_own(self, database):
        add(database, "before")
        with occupied(database):
            futures = [database.submit(lambda tx: tx.query(ADD, name="lost", owner="me"))]
            futures += [database.submit(lambda tx: tx.query("ROLLBACK")) for _ in range(3)]
        errors = [future.exception(20) for future in futures]
        assert {type(error) for error in errors} == {Unavailable}
        assert len({id(error) for error in errors}) == 4
        add(database, "after")
        assert names(database) == ["before", "after"]

    def test_a_work_that_ends_its_own_savepoint_spoils_its_commit_and_no_later_one(self, database):
        with pytest.raises(sqlite3.OperationalError):
            database.write(lambda tx: tx.query("RELEASE work"))
        add(database, "after")
        assert names(database) == ["after"]

    def test_a_program_that_keeps_the_file_locked_makes_writes_unavailable(self, path):
        with closing(SqliteDatabase(path, busy_timeout=0.05)) as database:
            database.migrate(TEST_TABLES)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(Unavailable, match="locked"):
                    add(database, "refused")
                assert names(database) == []
            add(database, "taken")
            assert names(database) == ["taken"]

    def test_a_lock_that_cannot_be_taken_makes_writes_unavailable(self, database, path):
        lock_file = path.with_name("catalog.db.writer-lock")
        lock_file.unlink()
        lock_file.mkdir()
        with pytest.raises(Unavailable, match="lock"):
            add(database, "refused")
        lock_file.rmdir()
        add(database, "taken")
        assert names(database) == ["taken"]

    def test_a_writer_elsewhere_that_hangs_does_not_hang_us(self, path):
        with closing(SqliteDatabase(path, patience=0.05)) as database:
            database.migrate(TEST_TABLES)
            with exclusive(path.with_name("catalog.db.writer-lock")):
                with pytest.raises(Unavailable, match="busy"):
                    add(database, "given up")
                assert names(database) == []
            with closing(SqliteDatabase(path)) as patient:
                add(patient, "served")
            assert names(database) == ["served"]
