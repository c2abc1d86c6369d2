"""What every catalog engine promises, as one suite: a driver's test file brings a `database` and inherits the rest."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from threading import Event
from typing import TYPE_CHECKING

import pytest

from vault.catalog.schema import MIGRATIONS, Migration
from vault.errors import Conflict, Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.catalog.database import Database, Row, Scalar, Transaction

TEST_TABLES = (
    *MIGRATIONS,
    Migration(
        "test_tables",
        (
            """CREATE TABLE things (
                id {ID}, name TEXT, number {INT}, ratio DOUBLE PRECISION, data {BLOB}, owner TEXT, note TEXT,
                UNIQUE (owner, name))""",
            "CREATE TABLE parts (id {ID}, thing_id {INT} NOT NULL REFERENCES things(id))",
        ),
    ),
)

ADD = "INSERT INTO things (name, owner) VALUES (:name, :owner) RETURNING id"
BAD_SQL = "SELECT name FROM nowhere"


def add(database: Database, name: str, owner: str = "me") -> int:
    return int(database.write(lambda tx: tx.query(ADD, name=name, owner=owner))[0]["id"])


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.query("SELECT name FROM things ORDER BY id")]


@contextmanager
def occupied(database: Database) -> Iterator[None]:
    """Keep the engine's writer at work until the block ends, so that what is submitted inside has to wait."""
    begun, enough = Event(), Event()

    def wait(tx: Transaction) -> None:
        begun.set()
        assert enough.wait(20)

    occupying = database.submit(wait)
    assert begun.wait(20)
    try:
        yield
    finally:
        enough.set()
        occupying.result(20)


class DatabaseSuite:
    """The contract of `vault.catalog.database.Database`, sentence by sentence."""

    @pytest.fixture
    def database(self) -> Iterator[Database]:
        raise NotImplementedError("the driver's test class brings the database, migrated to TEST_TABLES, and closes it")

    # Values

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("name", ""),
            ("name", 'Jürgen\'s "key" 🔑 %_\\ \r\n\t'),
            ("note", "x" * 300_000),
            ("name", None),
            ("number", 0),
            ("number", (1 << 63) - 1),
            ("number", -(1 << 63)),
            ("number", None),
            ("ratio", 0.1),
            ("ratio", -1.5e300),
            ("data", b""),
            ("data", bytes(range(256)) * 300),
            ("data", None),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_a_value_comes_back_as_it_was_stored(self, database, column, value):
        database.write(lambda tx: tx.query(f"INSERT INTO things ({column}) VALUES (:value)", value=value))
        [row] = database.query(f"SELECT {column} FROM things")
        assert row == {column: value}
        assert type(row[column]) is type(value)

    @pytest.mark.parametrize(("value", "stored"), [(True, 1), (False, 0), (IntEnum("Level", "LOW")(1), 1)])
    def test_booleans_and_numbered_names_are_stored_as_integers(self, database, value, stored):
        database.write(lambda tx: tx.query("INSERT INTO things (number) VALUES (:value)", value=value))
        assert database.query("SELECT number FROM things WHERE number = :value", value=value) == [{"number": stored}]

    def test_text_enumerations_are_stored_as_their_text(self, database):
        colour = StrEnum("Colour", "RED").RED
        database.write(lambda tx: tx.query("INSERT INTO things (name) VALUES (:value)", value=colour))
        assert names(database) == ["red"]

    @pytest.mark.parametrize(
        "value", ["a\0b", "\ud800", 1 << 63, -(1 << 63) - 1, float("nan"), float("inf")], ids=ascii
    )
    def test_what_not_every_engine_can_hold_is_refused_everywhere(self, database, value):
        with pytest.raises(Invalid) as raised:
            database.query("SELECT id FROM things WHERE name = :value", value=value)
        assert raised.value.field == "value"
        with pytest.raises(Invalid):
            database.write(lambda tx: tx.query("INSERT INTO things (name) VALUES (:value)", value=value))
        assert names(database) == []

    @pytest.mark.parametrize(
        "value", [[1], {"a": 1}, object(), bytearray(b"x")], ids=lambda value: type(value).__name__
    )
    def test_a_value_of_another_type_is_a_type_error(self, database, value):
        with pytest.raises(TypeError, match=type(value).__name__):
            database.query("SELECT id FROM things WHERE name = :value", value=value)

    def test_a_refused_value_does_not_end_the_work(self, database):
        def work(tx: Transaction) -> None:
            with pytest.raises(Invalid):
                tx.query(ADD, name="a\0b", owner="me")
            tx.query(ADD, name="clean", owner="me")

        database.write(work)
        assert names(database) == ["clean"]

    # What is known

    def test_what_is_known_is_forgotten_with_the_next_commit(self, database):
        database.known().keep("a", 1)
        add(database, "x")
        assert database.known().get("a") is None

    def test_who_was_given_a_place_before_a_commit_keeps_nothing_for_those_after_it(self, database):
        place = database.known()
        add(database, "x")
        database.known()
        place.keep("a", 1)
        assert database.known().get("a") is None

    def test_a_closed_catalog_knows_nothing(self, database):
        database.close()
        with pytest.raises(Unavailable):
            database.known()

    # Reading

    def test_no_rows_are_an_empty_list(self, database):
        assert database.query("SELECT * FROM things") == []

    def test_rows_are_dictionaries_in_the_order_asked_for(self, database):
        for name in ("a", "c", "b"):
            add(database, name)
        rows = database.query("SELECT name AS n, COUNT(*) AS many FROM things GROUP BY name ORDER BY name")
        assert rows == [{"n": "a", "many": 1}, {"n": "b", "many": 1}, {"n": "c", "many": 1}]

    def test_an_optional_filter_filters_only_when_given(self, database):
        add(database, "a")
        add(database, "b")

        def found(name: Scalar) -> list[Row]:
            sql = "SELECT name FROM things WHERE (CAST(:name AS TEXT) IS NULL OR name = :name) ORDER BY name"
            return database.query(sql, name=name)

        assert found(None) == [{"name": "a"}, {"name": "b"}]
        assert found("b") == [{"name": "b"}]

    def test_a_read_sees_every_write_that_has_returned(self, database):
        with ThreadPoolExecutor(8) as pool:
            seen = pool.map(lambda number: add(database, str(number)) and str(number) in names(database), range(40))
            assert all(seen)

    def test_a_read_does_not_see_what_is_not_committed(self, database):
        def work(tx: Transaction) -> None:
            tx.query(ADD, name="uncommitted", owner="me")
            with ThreadPoolExecutor(1) as elsewhere:
                assert elsewhere.submit(names, database).result(20) == []

        database.write(work)
        assert names(database) == ["uncommitted"]

    def test_reading_cannot_write(self, database):
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            database.query("DELETE FROM things")

    def test_a_wrong_statement_is_raised_and_the_next_one_runs(self, database):
        with pytest.raises(Exception, match="nowhere"):
            database.query(BAD_SQL)
        assert names(database) == []

    # Writing

    def test_write_returns_what_the_work_returns(self, database):
        assert database.write(lambda tx: "anything") == "anything"

    def test_a_work_sees_its_own_changes(self, database):
        def work(tx: Transaction) -> list[Row]:
            tx.query(ADD, name="mine", owner="me")
            return tx.query("SELECT name FROM things")

        assert database.write(work) == [{"name": "mine"}]

    def test_the_last_id_is_known_after_its_row_is_gone(self, database):
        assert database.write(lambda tx: tx.last_id("things")) == 0
        last = [add(database, name) for name in ("a", "b")][-1]
        database.write(lambda tx: tx.query("DELETE FROM things WHERE id = :id", id=last))
        assert database.write(lambda tx: tx.last_id("things")) == last

    def test_after_rows_that_came_with_their_ids_the_next_is_greater(self, database):
        def bring(tx):
            tx.query("INSERT INTO things (id, name) VALUES (:id, :name)", id=7, name="brought")
            tx.continue_ids("things", 40)

        database.write(bring)
        assert add(database, "next") == 41

    def test_a_table_goes_on_where_it_was_when_it_is_told_of_less(self, database):
        last = [add(database, name) for name in ("a", "b", "c")][-1]
        database.write(lambda tx: tx.continue_ids("things", 1))
        assert add(database, "next") == last + 1

    def test_a_table_that_gave_none_out_begins_anew_elsewhere(self, database):
        database.write(lambda tx: tx.continue_ids("things", 0))
        assert add(database, "first") == 1

    def test_ids_grow_and_are_never_given_out_twice(self, database):
        first, second = add(database, "a"), add(database, "b")
        database.write(lambda tx: tx.query("DELETE FROM things WHERE id = :id", id=second))
        assert first < second < add(database, "c")

    def test_returning_gives_the_rows_that_changed(self, database):
        for name in ("a", "b", "c"):
            add(database, name)
        changed = database.write(
            lambda tx: tx.query("UPDATE things SET number = 7 WHERE name <> :name RETURNING name, number", name="b")
        )
        assert sorted(row["name"] for row in changed) == ["a", "c"]
        assert {row["number"] for row in changed} == {7}

    def test_what_a_work_raises_reaches_its_caller_and_undoes_all_of_it(self, database):
        reason = KeyError("a rule was broken")

        def work(tx: Transaction) -> None:
            tx.query(ADD, name="a", owner="me")
            tx.query(ADD, name="b", owner="me")
            raise reason

        with pytest.raises(KeyError) as raised:
            database.write(work)
        assert raised.value is reason
        assert names(database) == []

    def test_a_work_that_fails_among_others_that_wait_costs_the_others_nothing(self, database):
        def fail(tx: Transaction) -> None:
            tx.query(ADD, name="failed", owner="me")
            raise KeyError

        with occupied(database):
            before = database.submit(lambda tx: tx.query(ADD, name="before", owner="me"))
            failing = database.submit(fail)
            after = database.submit(lambda tx: tx.query(ADD, name="after", owner="me"))
        with pytest.raises(KeyError):
            failing.result(20)
        before.result(20)
        after.result(20)
        assert sorted(names(database)) == ["after", "before"]

    def test_a_transaction_is_of_no_use_after_its_work(self, database):
        kept = database.write(lambda tx: tx)
        with pytest.raises(RuntimeError, match="ended"):
            kept.query("SELECT 1 AS one")

    def test_an_exception_of_the_works_own_may_be_a_timeout(self, database):
        def work(tx: Transaction) -> None:
            raise TimeoutError("of the work")

        with pytest.raises(TimeoutError, match="of the work"):
            database.write(work)

    # Keys

    def test_a_unique_key_is_a_conflict_that_names_columns_and_no_values(self, database):
        add(database, "sesame", owner="alice")
        add(database, "sesame", owner="bob")
        with pytest.raises(Conflict) as raised:
            add(database, "sesame", owner="alice")
        assert "name" in str(raised.value)
        assert "sesame" not in str(raised.value)
        assert len(names(database)) == 2

    def test_a_primary_key_is_a_conflict_too(self, database):
        taken = add(database, "a")
        with pytest.raises(Conflict):
            database.write(lambda tx: tx.query("INSERT INTO things (id, name) VALUES (:id, 'b')", id=taken))

    def test_a_missing_row_that_is_referred_to_is_a_conflict(self, database):
        with pytest.raises(Conflict):
            database.write(lambda tx: tx.query("INSERT INTO parts (thing_id) VALUES (999)"))

    def test_removing_a_row_that_is_referred_to_is_a_conflict(self, database):
        thing = add(database, "whole")
        database.write(lambda tx: tx.query("INSERT INTO parts (thing_id) VALUES (:thing)", thing=thing))
        with pytest.raises(Conflict):
            database.write(lambda tx: tx.query("DELETE FROM things"))
        assert names(database) == ["whole"]

    def test_on_conflict_do_nothing_tells_by_its_rows(self, database):
        sql = "INSERT INTO things (name, owner) VALUES (:name, 'me') ON CONFLICT (owner, name) DO NOTHING RETURNING id"
        assert len(database.write(lambda tx: tx.query(sql, name="a"))) == 1
        assert database.write(lambda tx: tx.query(sql, name="a")) == []

    @pytest.mark.parametrize("afterwards", ["return", "query"])
    def test_a_failed_statement_ends_the_work_even_when_its_error_is_caught(self, database, afterwards):
        add(database, "taken")

        def work(tx: Transaction) -> None:
            tx.query(ADD, name="fine", owner="me")
            with pytest.raises(Conflict):
                tx.query(ADD, name="taken", owner="me")
            if afterwards == "query":
                tx.query(ADD, name="more", owner="me")

        with pytest.raises(Conflict):
            database.write(work)
        assert names(database) == ["taken"]

    # Waiting

    def test_submit_resolves_as_write_returns(self, database):
        future = database.submit(lambda tx: tx.query(ADD, name="a", owner="me"))
        assert future.result(20)[0]["id"] == 1
        assert names(database) == ["a"]

    async def test_an_event_loop_may_wait_for_a_submitted_work(self, database):
        works = [lambda tx, name=name: tx.query(ADD, name=name, owner="me") for name in "abc"]
        await asyncio.gather(*(asyncio.wrap_future(database.submit(work)) for work in works))
        assert sorted(names(database)) == ["a", "b", "c"]

    def test_a_work_cancelled_before_its_turn_is_never_run(self, database):
        with occupied(database):
            cancelled = database.submit(lambda tx: tx.query(ADD, name="cancelled", owner="me"))
            kept = database.submit(lambda tx: tx.query(ADD, name="kept", owner="me"))
            assert cancelled.cancel()
        kept.result(20)
        with pytest.raises(CancelledError):
            cancelled.result(20)
        assert names(database) == ["kept"]

    def test_counting_and_then_writing_under_a_lock_stops_exactly_at_the_limit(self, database):
        owner = add(database, "the owner")

        def add_below_ten(tx: Transaction) -> bool:
            tx.lock("things", owner)
            [count] = tx.query("SELECT COUNT(*) AS many FROM parts WHERE thing_id = :owner", owner=owner)
            if count["many"] >= 10:
                return False
            tx.query("INSERT INTO parts (thing_id) VALUES (:owner)", owner=owner)
            return True

        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(lambda _: database.write(add_below_ten), range(40)))
        assert sum(added) == 10
        assert database.query("SELECT COUNT(*) AS many FROM parts") == [{"many": 10}]

    @pytest.mark.parametrize("table", ["things; DROP TABLE things", "", "Things", "things\n", 'th"ings'])
    def test_a_lock_takes_the_name_of_a_table_only(self, database, table):
        with pytest.raises(ValueError, match="table"):
            database.write(lambda tx: tx.lock(table, 1))

    def test_a_work_may_say_that_it_frees_room(self, database):
        add(database, "large")

        def work(tx: Transaction) -> list[Row]:
            tx.frees_room()
            return tx.query("DELETE FROM things WHERE name = 'large' RETURNING name")

        assert database.write(work) == [{"name": "large"}]

    @pytest.mark.parametrize("call", ["query", "write", "submit"])
    def test_inside_a_work_the_database_itself_is_refused(self, database, call):
        def work(tx: Transaction) -> object:
            return database.query("SELECT 1 AS one") if call == "query" else getattr(database, call)(lambda inner: None)

        with pytest.raises(RuntimeError, match="inside a work"):
            database.write(work)
        add(database, "still served")

    # Schema and end

    def test_migrating_again_changes_nothing(self, database):
        add(database, "kept")
        database.migrate(TEST_TABLES)
        assert names(database) == ["kept"]

    def test_a_later_migration_is_applied_to_what_is_there(self, database):
        add(database, "kept")
        database.migrate((*TEST_TABLES, Migration("more", ("ALTER TABLE things ADD COLUMN extra {INT}",))))
        assert database.query("SELECT name, extra FROM things") == [{"name": "kept", "extra": None}]

    def test_a_migration_that_fails_leaves_nothing_of_itself(self, database):
        broken = Migration("broken", ("CREATE TABLE half (id {ID})", "CREATE NONSENSE"))
        with pytest.raises(Exception, match=r"(?i)nonsense"):
            database.migrate((*TEST_TABLES, broken))
        database.migrate((*TEST_TABLES, Migration("broken", ("CREATE TABLE half (id {ID}, name TEXT)",))))
        assert database.query("SELECT name FROM half") == []

    def test_a_catalog_of_a_newer_program_is_refused_and_left_alone(self, database):
        add(database, "kept")
        database.migrate((*TEST_TABLES, Migration("from_the_future", ("CREATE TABLE future (id {ID})",))))
        with pytest.raises(Conflict, match=r"from_the_future.*run that one"):
            database.migrate(TEST_TABLES)
        assert names(database) == ["kept"]

    # Snapshots, and rows that are brought along

    def test_a_snapshot_is_of_one_moment_whatever_is_written_meanwhile(self, database):
        for name in "abc":
            add(database, name)
        with database.snapshot() as snapshot:
            rows = snapshot.rows("SELECT id, name FROM things ORDER BY id")
            first = next(rows)
            database.write(lambda tx: tx.query("DELETE FROM things WHERE name = 'b'"))
            add(database, "d")
            assert [first["name"], *(row["name"] for row in rows)] == ["a", "b", "c"]
            assert [row["n"] for row in snapshot.rows("SELECT COUNT(*) AS n FROM things")] == [3]
        assert names(database) == ["a", "c", "d"]

    def test_a_snapshot_yields_more_rows_than_are_fetched_at_once_and_every_kind_of_value(self, database):
        wanted = "SELECT id, name, number, ratio, data, owner FROM things WHERE owner = :owner ORDER BY id"
        database.write(lambda tx: [tx.query(ADD, name=f"{n:04}", owner="me") for n in range(1001)])
        database.write(
            lambda tx: tx.query("UPDATE things SET data = :data, ratio = 0.5 WHERE id = 1", data=b"\x00\xff")
        )
        with database.snapshot() as snapshot:
            rows = list(snapshot.rows(wanted, owner="me"))
        assert len(rows) == 1001
        assert bytes(rows[0].pop("data")) == b"\x00\xff"
        assert rows[0] == {"id": 1, "name": "0000", "number": None, "ratio": 0.5, "owner": "me"}

    def test_a_snapshot_knows_the_last_id_ever_given_out(self, database):
        with database.snapshot() as snapshot:
            assert snapshot.last_id("things") == 0
        last = [add(database, name) for name in "abc"][-1]
        database.write(lambda tx: tx.query("DELETE FROM things"))
        with database.snapshot() as snapshot:
            assert snapshot.last_id("things") == last

    def test_a_database_that_is_whole_has_no_faults(self, database):
        add(database, "a")
        assert database.faults() == []

    def test_a_closed_database_is_unavailable(self, database):
        add(database, "a")
        names(database)
        database.close()
        for ask in (
            lambda: database.query("SELECT 1 AS one"),
            lambda: database.write(lambda tx: None),
            lambda: database.submit(lambda tx: None),
            database.migrate,
            database.faults,
        ):
            with pytest.raises(Unavailable, match="closed"):
                ask()
        database.close()

    def test_closing_finishes_what_is_queued(self, database):
        with ThreadPoolExecutor(1) as pool:
            with occupied(database):
                queued = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in range(100)]
                closing = pool.submit(database.close)
            closing.result(20)
        assert all(future.result(20) for future in queued)
