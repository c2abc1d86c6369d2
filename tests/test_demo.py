"""`make demo`: what it prints works when it is copied, and nothing is left when it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sample_certs.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0
DEMO = [sys.executable, "-m", "sample_certs.demo"]
UNREAD = "secure-files: 3 files could not be read and may expire unnoticed; `secure-files doctor` says why\n"
SAMPLES = {each.name: each for each in catalogue() if each.demo}


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **more}


class Demo(NamedTuple):
    """A demo that serves, and what it printed until then."""

    process: subprocess.Popen[str]
    printed: str
    errors: Path


@contextmanager
def running(folder: Path, **env: str) -> Iterator[Demo]:
    """Start the demo in `folder`, wait until it serves, and end it after the block."""
    errors = folder / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            DEMO, cwd=folder, env=environment(**env), stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if line.startswith("Serving "):
                    break
            else:
                pytest.fail(f"the demo ended: {printed}{errors.read_text()}")
            yield Demo(process, printed, errors)
        finally:
            process.terminate()


def session_of(server: int) -> list[int]:
    """Return the processes that are alive in the session which the server began: itself and its parsers."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(words[3]) == server and words[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


def server_of(demo: Demo) -> int:
    children = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def listed(demo: Demo) -> dict[str, Any]:
    """Run the line for curl as it was printed and return what it lists, by name."""
    (line,) = re.findall(r"^ +(curl .*)$", demo.printed, re.MULTILINE)
    done = subprocess.run(line, shell=True, capture_output=True, check=True, timeout=PATIENCE)
    return {each["name"]: each for each in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


class TestPrinted:
    def test_the_line_for_curl_lists_the_samples_when_it_is_run_as_it_stands(self, demo: Demo) -> None:
        files = listed(demo)

        assert len(files) == 15
        assert set(files) == set(SAMPLES)
        for name, sample in SAMPLES.items():
            assert files[name]["metadata_error"] == sample.reason
            assert (files[name]["expires_at"] is None) == (sample.expires_in is None)

    def test_the_address_and_the_token_are_those_of_the_line(self, demo: Demo) -> None:
        (address,) = re.findall(r"^ +Address +(\S+)$", demo.printed, re.MULTILINE)
        (token,) = re.findall(r"^ +Token +(\S+) ", demo.printed, re.MULTILINE)

        assert f'curl --header "PRIVATE-TOKEN: {token}" "{address}/api/v4/projects/' in demo.printed

    def test_the_report_follows_what_it_is_the_report_of(self, demo: Demo) -> None:
        before, _, after = demo.printed.partition("What expires:\n")
        head, *lines = after.strip().splitlines()

        assert "curl " in before
        assert head.split() == ["PROJECT", "NAME", "KIND", "EXPIRES", "DAYS", "STATUS"]
        expiring = [each.name for each in SAMPLES.values() if each.expires_in is not None]
        assert sorted(line.split()[1] for line in lines if line.startswith("demo/mobile-app ")) == sorted(expiring)
        assert {line.split()[-1] for line in lines[: len(expiring)]} == {"expired", "expiring", "valid"}

    def test_no_progress_is_shown_where_there_is_no_terminal(self, demo: Demo) -> None:
        assert demo.errors.read_bytes().decode() == UNREAD


class TestFolder:
    def test_everything_lies_in_one_folder_and_is_closed_to_others(self, demo: Demo) -> None:
        folder = demo.errors.parent

        assert {path.name for path in folder.iterdir()} == {".demo", "stderr"}
        assert (folder / ".demo" / "vault").stat().st_mode & 0o077 == 0

    def test_a_second_one_leaves_the_first_alone(self, demo: Demo) -> None:
        second = subprocess.run(
            DEMO,
            cwd=demo.errors.parent,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

        assert second.returncode == 1
        assert second.stderr == "a demo is running in this folder already; end that one first\n"
        assert len(listed(demo)) == 15


class TestEnding:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_all_of_it_and_the_next_begins_anew(self, tmp_path: Path, number: int) -> None:
        """Somebody's settings, here of a vault elsewhere, are not the demo's."""
        elsewhere = {"SECURE_FILES_DATABASE": f"sqlite:{tmp_path}/other.sqlite", "SECURE_FILES_PORT": "x"}
        (tmp_path / ".demo").mkdir()
        (tmp_path / ".demo" / "left from the last one").touch()
        with running(tmp_path, **elsewhere, http_proxy="http://127.0.0.1:1") as demo:
            server = server_of(demo)
            assert len(session_of(server)) > 1

            demo.process.send_signal(number)
            assert demo.process.wait(PATIENCE) == 0
            assert session_of(server) == []
            assert demo.errors.read_text() == UNREAD
        assert not (tmp_path / "other.sqlite").exists()
        assert not (tmp_path / ".demo" / "left from the last one").exists()
