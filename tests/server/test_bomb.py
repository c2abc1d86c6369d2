"""A file that would keep a parser busy for minutes is stored with a reason, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tests.server.support import files_of, sample

if TYPE_CHECKING:
    from tests.harness import Answer, RunningVault

BOMB = "iteration-bomb.p12"


class TestIterationBomb:
    def test_is_stored_with_a_reason_while_neighbours_are_served(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        """2^31-1 rounds of hashing, four times at once, and other clients still hear within a second."""
        answers: list[Answer] = []

        def upload(number: int) -> None:
            answers.append(vault.root.upload(project["id"], f"{number} {BOMB}", sample(BOMB), password="guess"))

        uploads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
        for each in uploads:
            each.start()
        slowest = 0.0
        while any(each.is_alive() for each in uploads):
            start = time.monotonic()
            assert vault.root.get(files_of(project)).status == 200
            assert vault.root.get("/version").status == 200
            slowest = max(slowest, (time.monotonic() - start) / 2)
            time.sleep(0.02)

        assert [answer.status for answer in answers] == [201] * 4
        assert all(answer.json["metadata"] is None and answer.json["metadata_error"] for answer in answers)
        assert slowest < 1.0

    def test_comes_down_as_it_was(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], BOMB, sample(BOMB)).json

        assert vault.root.get(f"{files_of(project)}/{made['id']}/download").body == sample(BOMB)

    def test_does_not_keep_the_next_file_from_being_read(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.upload(project["id"], BOMB, sample(BOMB), password="guess")

        made = vault.root.upload(project["id"], "sample.cer", sample("sample.cer")).json

        assert made["metadata"] is not None
