"""The command line as a whole: help, exit status, and what is said on which stream."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli import COMMANDS
from cli.main import EXIT_CODES
from server.version import VERSION
from tests.cli.runner import PATIENCE, command, environment, run, start
from tests.engines import files
from tests.vault.core import Found, opened
from vault import errors

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [each.name for each in COMMANDS]


class TestHelp:
    def test_the_overview_names_every_command_and_every_exit_status(self) -> None:
        outcome = run("--help")

        assert (outcome.status, outcome.err) == (0, "")
        for each in COMMANDS:
            assert re.search(rf"^ +{each.name}\s+{each.about[:20]}", outcome.out, re.MULTILINE)
        assert re.findall(r"^  (\d)  ", outcome.out, re.MULTILINE) == list("012345")

    @pytest.mark.parametrize("name", NAMES)
    def test_every_command_explains_itself(self, name: str) -> None:
        outcome = run(name, "--help")

        assert (outcome.status, outcome.err) == (0, "")
        assert f"usage: secure-files {name}" in outcome.out
        for head in ("EXAMPLES", "EXIT STATUS"):
            assert f"\n{head}\n" in outcome.out
        assert f"  secure-files {name}" in outcome.out.partition("\nEXAMPLES\n")[2]

    @pytest.mark.parametrize("name", NAMES)
    def test_no_help_wants_a_wider_terminal_than_its_text(self, name: str) -> None:
        epilog = run(name, "--help").out.partition("\nEXIT STATUS\n")[2]

        assert max(map(len, epilog.splitlines())) <= 120

    def test_help_is_quick_as_it_loads_no_engine(self, tmp_path: Path) -> None:
        script = (
            "import sys; from cli.main import main\ntry: main([sys.argv[1], '--help'])\n"
            "except SystemExit: print(sorted({'aiohttp', 'cryptography', 'sqlite_utils', 'jks'} & set(sys.modules)))"
        )
        for name in NAMES:
            done = subprocess.run(
                [sys.executable, "-c", script, name], env=environment(), cwd=tmp_path, capture_output=True, check=True
            )
            assert done.stdout.endswith(b"\n[]\n")

    def test_version(self) -> None:
        assert run("--version").out == f"secure-files {VERSION}\n"


class TestExitStatus:
    @pytest.mark.parametrize(
        "argv",
        [[], ["no-such-command"], ["token"], ["token", "destroy"], ["inspect"], ["inspect", "a", "--no-such-option"]]
        + [[name, "--no-such-option"] for name in NAMES],
    )
    def test_2_for_a_command_line_that_cannot_be_understood(self, argv: list[str]) -> None:
        outcome = run(*argv)

        assert (outcome.status, outcome.out) == (2, "")
        assert "usage: secure-files" in outcome.err
        assert "--help`" in outcome.err

    def test_an_option_is_not_guessed_from_its_beginning(self) -> None:
        """`--password hunter2` would be taken for `--password-env`, and answered with the password."""
        outcome = run("inspect", "a.p12", "--password", "hunter2")

        assert outcome.status == 2
        assert "unrecognized arguments: --password" in outcome.err

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.Invalid, 2),
            (errors.UnknownKey, 3),
            (errors.BadKeyring, 3),
            (errors.Busy, 4),
            (errors.Damaged, 5),
            (errors.Tampered, 5),
            (errors.NotFound, 5),
            (errors.Unavailable, 5),
            (errors.StorageFull, 5),
            (FileNotFoundError, 5),
        ],
    )
    def test_every_error_has_its_own(self, error: type[Exception], status: int) -> None:
        assert next(code for kind, code in EXIT_CODES if issubclass(error, kind)) == status

    def test_130_after_ctrl_c_and_no_traceback(self, tmp_path: Path) -> None:
        fifo = tmp_path / "nobody-writes"
        os.mkfifo(fifo)
        with subprocess.Popen(
            command("inspect", fifo), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
        ) as waiting:
            writer = os.open(fifo, os.O_WRONLY)  # returns once the command has begun to read
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate(timeout=PATIENCE)
            os.close(writer)
        assert (waiting.returncode, err) == (130, "")


class TestStreams:
    def test_what_goes_wrong_is_one_line_on_stderr(self, tmp_path: Path) -> None:
        outcome = run("inspect", tmp_path / "absent")

        assert outcome.out == ""
        assert outcome.err == f"secure-files: {tmp_path / 'absent'}: No such file or directory\n"

    def test_a_message_cannot_steer_the_terminal(self, tmp_path: Path) -> None:
        outcome = run("inspect", tmp_path / "\x1b[2J\n")

        assert outcome.status == 5
        assert outcome.err.endswith(r"\x1b[2J\n: No such file or directory" + "\n")

    def test_a_terminal_that_lacks_a_letter_gets_an_escape(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data") as core:
            core.reader.answer = Found("certificate", expires_at="2030-01-01T00:00:00.000Z")
            core.secure_files.add(core.project(core.user()).id, "ключ.cer", b"")
        outcome = start("expiry-report", "--data", "data", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})

        assert (outcome.status, outcome.err) == (0, "")
        assert r"\u043a\u043b\u044e\u0447.cer" in outcome.out


class TestBrokenPipe:
    """`secure-files ... | head` ends without a word, and without hiding what was found out."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        with opened(tmp_path / "data") as core:
            project = core.project(core.user()).id
            core.reader.answer = Found("certificate", expires_at="2020-01-01T00:00:00.000Z")
            for number in range(3):
                core.secure_files.add(project, f"{number:0200}.cer", b"")
        return tmp_path / "data"

    def piped_into_nobody(self, cwd: Path, *argv: str | Path, env: dict[str, str] | None = None) -> tuple[int, str]:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            command(*argv),
            cwd=cwd,
            env=environment(**(env or {})),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        os.close(writing)
        return done.returncode, done.stderr

    @files
    def test_the_answer_of_a_check_stands(self, data: Path) -> None:
        for within, status in (("7d", 1), (None, 0)):
            options = ["--fail-within", within] if within else []
            assert self.piped_into_nobody(data, "expiry-report", "--data", data, *options) == (status, "")

    @files
    def test_before_an_answer_it_is_no_yes(self, data: Path) -> None:
        unbuffered = {"PYTHONUNBUFFERED": "1"}

        status, err = self.piped_into_nobody(data, "expiry-report", "--data", data, env=unbuffered)
        assert (status, err) == (128 + signal.SIGPIPE, "")
