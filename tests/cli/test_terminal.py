"""What a person sees on a terminal and a program does not: width, colour, completion."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli import COMMANDS
from cli.main import main
from cli.manner import filled
from tests.cli.runner import ROOT, environment, run
from tests.engines import files
from tests.notify.support import put
from tests.vault.core import Core, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LONG = "a-name-that-is-much-longer-than-any-window-is-wide-" * 3


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with opened(tmp_path / "data") as core:
        core.project(core.user("ada"))
        put(core, LONG, 5.5)
        put(core, "gone.cer", -3)
        yield core


def on_terminal(*argv: str | Path, columns: int = 80, **more: str) -> str:
    """Run a command on a terminal of its own and return what it shows there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *map(str, argv)],
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm-256color", COLUMNS=str(columns), **more),
        cwd=ROOT,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # a terminal whose last writer has gone says so by an error
        pass
    os.close(ours)
    assert process.wait(30) == 0, shown.decode()
    return shown.decode()


class TestTables:
    @files
    def test_fit_the_window_and_lose_nothing_of_a_name(self, core: Core) -> None:
        shown = COLOUR.sub("", on_terminal("expiry-report", "--data", core.folder, columns=70))

        lines = shown.splitlines()
        assert max(map(len, lines)) <= 70
        head = lines[0]
        start, end = head.index("NAME"), head.index("KIND")
        assert LONG in "".join(line[start:end].strip() for line in lines[1:])

    @files
    def test_fold_what_is_long_before_a_date_or_a_status(self, core: Core) -> None:
        shown = COLOUR.sub("", on_terminal("expiry-report", "--data", core.folder, columns=60))

        assert max(map(len, shown.splitlines())) <= 60
        assert re.search(r" \d{4}-\d\d-\d\d  +-\d  expired", shown)

    @files
    def test_show_what_has_expired_in_red(self, core: Core) -> None:
        assert re.search(r"\x1b\[1;31mexpired", on_terminal("expiry-report", "--data", core.folder))

    @files
    def test_have_no_colour_where_none_is_wanted(self, core: Core) -> None:
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", on_terminal("expiry-report", "--data", core.folder, NO_COLOR="1"))

    def test_are_plain_where_a_program_reads_them(self, core: Core) -> None:
        out = run("expiry-report", "--data", core.folder).out

        assert "\x1b" not in out
        assert any(LONG in line for line in out.splitlines())


class TestHelp:
    @pytest.mark.parametrize("command", [command.name for command in COMMANDS])
    def test_fits_the_window_but_for_examples_to_paste(
        self, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told, _, examples = capsys.readouterr().out.partition("EXAMPLES\n")
        pasted, _, statuses = examples.partition("\n\n")

        assert max(map(len, (told + statuses).splitlines())) <= 80
        assert all(line.startswith("  ") for line in pasted.splitlines())
        assert pasted.lstrip().startswith(("secure-files ", "SECURE_FILES_", "KEYSTORE_PASSWORD", "install "))

    def test_keeps_the_columns_of_a_list(self) -> None:
        told = filled("one    what it does, at some length\ntwo    else\n       and more", 25)

        assert told.split("\n") == ["one    what it does, at", "       some length", "two    else and more"]


class TestCompletion:
    def test_of_bash_offers_commands_and_options(self, tmp_path: Path) -> None:
        script = tmp_path / "completion"
        script.write_text(run("completion", "bash").out)
        ask = f"""source {script}
            COMP_WORDS=(secure-files TYPED); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            $(complete -p secure-files | sed 's/.*-F \\([^ ]*\\).*/\\1/') && echo "${{COMPREPLY[@]}}" """

        def offered(words: str) -> set[str]:
            command = ["bash", "-c", ask.replace("TYPED", words)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
            return set(done.stdout.split())

        assert "expiry-report" in offered("exp")
        assert "--fail-within" in offered("expiry-report --fail")

    def test_is_there_for_other_shells(self) -> None:
        assert run("completion", "zsh").out.startswith("#compdef secure-files")
        assert "complete secure-files" in run("completion", "tcsh").out

    def test_is_refused_for_a_shell_that_it_does_not_know(self) -> None:
        assert run("completion", "fish").status == 2
