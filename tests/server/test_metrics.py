"""`/metrics`: what is counted, of which processes, under which labels, and who may read it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.metrics import OTHER, OUTCOMES, Metrics
from tests.harness import Client, RunningVault
from tests.reliability.processes import Server
from tests.server.support import exchange, request
from vault import clock
from vault.errors import BlobMissing

if TYPE_CHECKING:
    from pathlib import Path

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]
FILES = "/api/v4/projects/{id}/secure_files"


def read(page: bytes | str) -> Numbers:
    """Return all samples of a page, by name and labels."""
    text = page.decode() if isinstance(page, bytes) else page
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def number(found: Numbers, name: str, **labels: str) -> float:
    return found.get((f"secure_files_{name}", frozenset(labels.items())), 0.0)


def numbers(client: Client) -> Numbers:
    answer = client.get("/metrics")
    assert answer.status == 200, answer
    return read(answer.body)


class TestRequests:
    def test_are_counted_by_template_method_and_status(self, vault: RunningVault, project: dict[str, Any]) -> None:
        labels = {"route": f"{FILES}/{{secure_file_id}}", "method": "GET"}
        before = numbers(vault.nobody)
        for _ in range(3):
            vault.root.get(f"/projects/{project['id']}/secure_files/999999")
        after = numbers(vault.nobody)

        grown = number(after, "http_requests_total", **labels, status="404")
        assert grown - number(before, "http_requests_total", **labels, status="404") == 3
        timed = number(after, "http_request_duration_seconds_count", **labels)
        assert timed - number(before, "http_request_duration_seconds_count", **labels) == 3

    def test_have_their_bytes_counted_both_ways(self, vault: RunningVault, project: dict[str, Any]) -> None:
        before = numbers(vault.nobody)
        made = vault.root.upload(project["id"], "a.bin", b"x" * 100_000).json
        vault.root.get(f"/projects/{project['id']}/secure_files/{made['id']}/download")
        after = numbers(vault.nobody)

        came = [number(each, "http_received_bytes_total", route=FILES) for each in (before, after)]
        down = f"{FILES}/{{secure_file_id}}/download"
        went = [number(each, "http_sent_bytes_total", route=down) for each in (before, after)]
        assert 100_000 < came[1] - came[0] < 101_000
        assert went[1] - went[0] == 100_000

    def test_leave_no_label_that_a_client_made_up(self, vault: RunningVault) -> None:
        for path in ("/invented/secret-path", "/projects/invented%2Fproject", "/projects/7/uploads/1234secret/name"):
            vault.root.get(path)
        exchange(vault.url, request("PROPFIND", "/api/v4/user"))
        page = vault.nobody.get("/metrics").body.decode()

        assert not re.search("(?i)invented|propfind|secret-path|1234secret", page)
        assert number(read(page), "http_requests_total", route="unmatched", method="GET", status="404") >= 1
        assert number(read(page), "http_requests_total", route="unmatched", method=OTHER, status="405") >= 1


class TestVault:
    def test_tells_of_files_that_were_read_by_outcome(self, vault: RunningVault, project: dict[str, Any]) -> None:
        before = numbers(vault.nobody)
        vault.root.upload(project["id"], "a.cer", b"no certificate")
        after = numbers(vault.nobody)

        outcome = "unrecognized"
        assert number(after, "parsed_files_total", outcome=outcome) == 1 + number(
            before, "parsed_files_total", outcome=outcome
        )

    def test_tells_of_changes_of_the_catalog(self, vault: RunningVault) -> None:
        before = numbers(vault.nobody)
        vault.project()
        after = numbers(vault.nobody)

        name = "catalog_write_duration_seconds_count"
        assert number(after, name) > number(before, name)

    def test_tells_when_files_expire_each_in_one_window(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data") as running:
            project = running.project()
            for index, days in enumerate((-1, 3, 20, 80, 400, None)):
                running.root.upload(project["id"], f"f{index}", b"x")
                moment = None if days is None else clock.in_days(days)
                running.services.database.write(
                    lambda tx, moment=moment, index=index: tx.query(  # type: ignore[misc]
                        "UPDATE secure_files SET expires_at = :at WHERE name = :name",
                        at=moment,
                        name=f"f{index}",
                    )
                )
            found = numbers(running.nobody)

        windows = ("expired", "7d", "30d", "90d", "later", "never")
        assert [number(found, "expiring", window=window) for window in windows] == [1] * 6

    def test_tells_which_program_it_is(self, vault: RunningVault) -> None:
        page = vault.nobody.get("/metrics").body.decode()

        assert re.search(r'secure_files_build_info\{python="3[^}]*version="[^"]+"\} 1.0', page)

    def test_tells_what_waits(self, vault: RunningVault) -> None:
        found = numbers(vault.nobody)

        assert number(found, "uploads_in_flight") == 0
        assert ("secure_files_queue_length", frozenset([("queue", "catalog")])) in found


class TestBounds:
    def test_outcomes_that_a_plugin_invents_are_not_all_kept(self) -> None:
        metrics = Metrics()
        for index in range(OUTCOMES * 2):
            metrics.parsed(f"reason-{index}")

        page = metrics.page("")[0].decode()
        assert page.count("parsed_files_total{") == OUTCOMES + 1
        assert number(read(page), "parsed_files_total", outcome=OTHER) == OUTCOMES

    def test_errors_of_the_store_are_counted_by_class(self) -> None:
        metrics = Metrics()
        metrics.store_failed("read", BlobMissing("object ab12 is missing", blob_id="ab12"))

        found = read(metrics.page("")[0])
        assert number(found, "blob_store_errors_total", operation="read", reason="BlobMissing") == 1


class TestAccess:
    def test_is_this_machines(self, vault: RunningVault) -> None:
        answer = vault.nobody.get("/metrics")

        assert answer.headers["Content-Type"].startswith("text/plain; version=")

    @pytest.mark.parametrize("sign", ["X-Forwarded-For", "Via", "Forwarded"])
    def test_is_not_that_of_a_proxy_on_this_machine(self, vault: RunningVault, sign: str) -> None:
        headers = {sign: "127.0.0.1"}

        assert vault.nobody.get("/metrics", headers=headers).status == 401
        assert vault.root.get("/metrics", headers=headers).status == 200

    def test_is_an_administrators_where_no_address_will_do(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data", metrics_from=()) as running:
            _, person = running.user()
            statuses = [client.get("/metrics").status for client in (running.nobody, person, running.root)]

        assert statuses == [401, 403, 200]

    def test_is_by_the_clients_address_behind_a_trusted_proxy(self, tmp_path: Path) -> None:
        settings: dict[str, Any] = {"trusted_proxy": ("127.0.0.1",), "metrics_from": ("192.0.2.0/24",)}
        with RunningVault(tmp_path / "data", **settings) as running:
            statuses = [
                running.nobody.get("/metrics", headers={"X-Forwarded-For": address}).status
                for address in ("192.0.2.7", "198.51.100.1")
            ]

        assert statuses == [200, 401]


class TestWorkers:
    def test_are_counted_together_also_those_that_died(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=3) as server:
            for _ in range(20):
                server.root.get("/user")  # over a new connection each
            before = numbers(server.root)
            server.kill_one_worker()
            found = numbers(server.root)
            folder = server.metrics_folder()
            assert folder is not None

            labels = {"route": "/api/v4/user", "method": "GET", "status": "200"}
            assert number(before, "http_requests_total", **labels) == 20
            assert number(found, "http_requests_total", **labels) == 20
            server.signal(signal.SIGTERM)
            server.process.wait(30)
            assert not folder.exists()

    def test_leave_nothing_behind_that_the_next_start_would_count(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=2) as server:
            server.root.get("/user")
            server.kill_all()
            server.start()

            labels = {"route": "/api/v4/user", "method": "GET", "status": "200"}
            assert number(numbers(server.root), "http_requests_total", **labels) == 0
