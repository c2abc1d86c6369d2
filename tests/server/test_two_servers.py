"""Two servers on one PostgreSQL and one store are one vault."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import ENGINES
from tests.harness import ROOT_TOKEN, Client, RunningVault
from tests.postgres import needs_postgres, running
from tests.server.support import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer

pytestmark = needs_postgres


@pytest.fixture(scope="module")
def servers(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningVault]]:
    """Two servers, each with a folder of its own; what they share is the catalog, the blobs and the keyring."""
    shared = tmp_path_factory.mktemp("shared")
    same = sharing(shared, postgres.database())
    with RunningVault(shared / "first", **same) as first, RunningVault(shared / "second", **same) as second:
        yield [first, second]


def sharing(shared: Path, database: str) -> dict[str, Any]:
    folders = {name: str(shared / name) for name in ("blobs", "repositories")}
    return {
        "keyring": str(shared / "keys" / "keyring.json"),
        **folders,
        **ENGINES.settings(shared),
        "database": database,
    }


class TestTwoServers:
    def test_read_what_the_other_wrote(self, servers: list[RunningVault]) -> None:
        first, second = servers
        project = first.project()
        for size in (10, 100_000):
            content = bytes(range(10)) * (size // 10)
            made = first.root.upload(project["id"], f"{size}.bin", content).json
            assert second.root.get(f"{files_of(project)}/{made['id']}/download").body == content

    def test_stop_eight_writers_exactly_at_the_limit(self, servers: list[RunningVault]) -> None:
        project = servers[0].project()

        def write(lane: int) -> list[int]:
            client = Client(servers[lane % 2].url, ROOT_TOKEN)
            return [client.upload(project["id"], f"{lane}-{number}", b"1").status for number in range(20)]

        with ThreadPoolExecutor(8) as pool:
            answers = [status for lane in pool.map(write, range(8)) for status in lane]
        assert sorted(answers) == [201] * 100 + [400] * 60
        assert servers[1].root.get(files_of(project)).headers["X-Total"] == "100"

    def test_give_a_name_to_one_of_those_who_want_it(self, servers: list[RunningVault]) -> None:
        project = servers[0].project()

        def write(lane: int) -> int:
            return Client(servers[lane % 2].url, ROOT_TOKEN).upload(project["id"], "same", b"%d" % lane).status

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(write, range(8))) == [201] + [400] * 7

    def test_have_one_caretaker(self, servers: list[RunningVault]) -> None:
        deadline = time.monotonic() + 20
        while not any(server.services.caretaker.is_on_duty() for server in servers):
            assert time.monotonic() < deadline
        assert sum(server.services.caretaker.is_on_duty() for server in servers) == 1

    def test_keep_what_lies_in_the_store_when_another_starts(self, servers: list[RunningVault], tmp_path: Path) -> None:
        first = servers[0]
        # Of an upload that another server has under way there is no row yet.
        under_way = first.services.storage.put("secure_files", 1, bytes(100_000))
        settings = {name: getattr(first.settings, name) for name in ("database", "blobs", "keyring", "repositories")}
        with RunningVault(tmp_path / "third", **settings) as third:
            assert third.root.get("/version").status == 200
        assert first.services.blobs.size(under_way.id) > 100_000


class TestAway:
    """While PostgreSQL is away requests are answered with 503, and served again as soon as it is back."""

    def test_a_restart_under_load_loses_nothing_acknowledged(self, tmp_path: Path) -> None:
        with running(options=()) as engine, RunningVault(tmp_path / "data", database=engine.url()) as vault:
            project = vault.project()
            kept: dict[str, bytes] = {}
            refused: list[Any] = []
            over = False

            def write(lane: int) -> None:
                client, number = Client(vault.url, ROOT_TOKEN), 0
                while not over and number < 20:
                    name, content = f"{lane}-{number}", b"%d %d" % (lane, number)
                    answer = client.upload(project["id"], name, content)
                    if answer.status == 201 or b"already been taken" in answer.body:
                        # Taken by the upload before, whose answer said that it was not known.
                        kept[name] = content
                        number += 1
                    else:
                        refused.append(answer)
                        time.sleep(0.02)

            with ThreadPoolExecutor(4) as pool:
                lanes = [pool.submit(write, lane) for lane in range(4)]
                until(lambda: len(kept) > 8)
                engine.stop("immediate")
                until(lambda: refused)
                until(lambda: vault.nobody.get("/-/readiness").status == 503)
                told = vault.nobody.get("/-/readiness")
                assert vault.nobody.get("/-/liveness").status == 200
                engine.start()
                back = time.monotonic()
                until(lambda: vault.nobody.get("/-/readiness").status == 200)
                before = len(kept)
                until(lambda: len(kept) > before or all(lane.done() for lane in lanes))
                assert time.monotonic() - back < 10
                until(lambda: all(lane.done() for lane in lanes))
                over = True
                for lane in lanes:
                    lane.result()
            assert "catalog" in told.body.decode()
            assert {(answer.status, answer.headers.get("Retry-After")) for answer in refused} == {(503, "5")}
            listed = vault.root.get(f"{files_of(project)}?per_page=100").json
            assert {row["name"] for row in listed} == set(kept)
            for row in listed:
                content = vault.root.get(f"{files_of(project)}/{row['id']}/download").body
                assert content == kept[row["name"]]


def until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
