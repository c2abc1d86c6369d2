"""A storm of bombs does not lose good files: what no parser was free for is kept and read later."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness import RunningVault

if TYPE_CHECKING:
    from tests.harness import Answer

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


def test_a_file_that_no_parser_was_free_for_is_read_later(tmp_path: Path) -> None:
    with RunningVault(tmp_path / "data", parser_children=1) as vault:
        project = vault.project()["id"]
        vault.services.parsers.close()  # nobody is free
        made = vault.root.upload(project, "a.cer", (SAMPLES / "sample.cer").read_bytes())
        assert (made.status, made.json["metadata_error"]) == (201, "queued")
        number = made.json["id"]

    with RunningVault(tmp_path / "data") as vault:
        deadline = time.monotonic() + 30
        found: Answer
        while True:
            found = vault.root.get(f"/projects/{project}/secure_files/{number}")
            if found.json["metadata_error"] is None or time.monotonic() > deadline:
                break
            time.sleep(0.2)

        assert found.json["metadata"]["subject"]["CN"]
        assert found.json["expires_at"] == found.json["metadata"]["expires_at"]


def test_good_files_come_through_a_storm_of_bombs(tmp_path: Path) -> None:
    bomb, good = (SAMPLES / "iteration-bomb.p12").read_bytes(), (SAMPLES / "sample.cer").read_bytes()
    with RunningVault(tmp_path / "data") as vault:
        project = vault.project()["id"]
        answers: list[Answer] = []
        storm = [
            threading.Thread(target=lambda n=n: answers.append(vault.root.upload(project, f"bomb-{n}.p12", bomb)))
            for n in range(12)
        ]
        for each in storm:
            each.start()
        made = [vault.root.upload(project, f"good-{n}.cer", good) for n in range(5)]
        for each in storm:
            each.join()

        assert [answer.status for answer in (*answers, *made)] == [201] * 17
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            listed = vault.root.get(f"/projects/{project}/secure_files?per_page=100").json
            unread = [file for file in listed if file["name"].startswith("good") and file["metadata"] is None]
            if not unread:
                break
            time.sleep(0.2)
        assert unread == []
