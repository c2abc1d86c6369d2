"""Runs the ```console blocks of a document as a reader would: one shell, one folder, from the first to the last.

A line that begins with `$ ` is a command (a `\\` at its end goes on in the next line); what follows up to the next one
is what it prints. A command that serves (`make demo`, `secure-files serve`) stays in the background until the end of
the document. CONTRIBUTING.md has the rules for writers.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.markdown import Block

SERVES = re.compile(r"make demo\b|(?:\w+=\S+ )*secure-files serve\b(?!.*--help)")
READY = re.compile(r"listening on |^Serving ", re.MULTILINE)
PATIENCE = 60.0
# `make` knows one goal here: a test holds the Makefile to it.
PROGRAMS = {
    "make": "-m sample_certs.demo",
    "secure-files": '-m cli.main "$@"',
    "gitlab": '-m gitlab "$@"',
    "python": '"$@"',
    "python3": '"$@"',
}
# What differs from run to run, and what is compared in its place.
VARIABLE = (
    (re.compile(r"gl(?:pat|cbt)-[\w.-]+"), "<token>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z)?"), "<date>"),
    (re.compile(r"\b\d{8}T\d{6}\.\d{3}Z"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(?=  <date>)"), "<check>"),
    (re.compile(r"(?:[0-9A-F]{2}:){19,}[0-9A-F]{2}"), "<fingerprint>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\(check [0-9a-f]{8}\)"), "(check <check>)"),
    (re.compile(r"(?<=  )[0-9a-f]{8}(?=  )"), "<check>"),  # a cell of a table
    (re.compile(r'"request_id": "\w+"'), '"request_id": "<id>"'),
    (re.compile(r'"ms": [\d.]+'), '"ms": <ms>'),
    (re.compile(r"\(process \d+\)"), "(process <pid>)"),
)


@dataclass
class Step:
    """One command and the lines that the document shows under it."""

    command: str
    shown: list[str] = field(default_factory=list)


def steps(block: Block) -> list[Step]:
    """Return the commands of a block."""
    found: list[Step] = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append(Step(line[2:]))
        elif found and found[-1].command.endswith("\\") and not found[-1].shown:
            found[-1].command += "\n" + line
        elif found:
            found[-1].shown.append(line)
        else:
            raise AssertionError(f"{block.path.name}:{block.line}: a console block begins with `$ `")
    for step in found:
        while step.shown and not step.shown[-1].strip():
            step.shown.pop()
    return found


class Session:
    """A shell in a folder that documents call /home/you: the checkout's programs and samples, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        self._replaced: list[tuple[re.Pattern[str], str]] = []
        self._home = folder / "you"
        self._home.mkdir()
        (self._home / "sample_certs").symlink_to(ROOT / "sample_certs")
        self._environment = self._prepared()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.send_signal(signal.SIGTERM)
        for server in self._servers:
            server.wait(PATIENCE)

    def run(self, block: Block) -> None:
        """Run a block's commands; fails when one exits with another status than 0, or prints what is not shown."""
        for step in steps(block):
            serving = SERVES.match(step.command)
            printed = self._serve(step.command) if serving else self._call(step.command)
            check = in_order if serving else same
            lines = self.plain(printed)
            where = f"{block.path.name}:{block.line}: $ {step.command}"
            parts = (where, "shows", *step.shown, "but printed", *lines)
            assert not step.shown or check(step.shown, lines), "\n".join(parts)

    def plain(self, printed: str) -> list[str]:
        """Return the lines of an output with this session's folder called as the documents call it."""
        return [line.rstrip() for line in printed.replace(str(self._home), "/home/you").rstrip().splitlines()]

    def _call(self, command: str) -> str:
        """Run in one bash per command; variables and the folder are handed on to the next."""
        state = shlex.quote(str(self._folder / "state"))
        script = f"[ -f {state} ] && . {state}\n{self._localised(command)}\nstatus=$?\n"
        script += f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > {state}; exit $status'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        printed = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"$ {command}\nexited with {done.returncode}:\n{printed}"
        return printed

    def _serve(self, command: str) -> str:
        """Start a server, wait until it is ready, and point what follows at it."""
        log = self._folder / f"server-{len(self._servers)}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["bash", "-c", f"exec env {self._localised(command)}"],
                cwd=self._home,
                env={**self._environment, "SECURE_FILES_PORT": "0"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._servers.append(server)
        deadline = time.monotonic() + PATIENCE
        while not READY.search(log.read_text("utf-8", "replace")):
            assert server.poll() is None, f"$ {command}\nended:\n{log.read_text('utf-8', 'replace')}"
            assert time.monotonic() < deadline, f"$ {command}\nis not ready:\n{log.read_text('utf-8', 'replace')}"
            time.sleep(0.05)
        printed = log.read_text("utf-8", "replace")
        self._note(printed)
        return printed

    def _note(self, printed: str) -> None:
        """From here on, the address and the token of the document stand for those of the server just started."""
        for pattern in (re.compile(r"http://127\.0\.0\.1:\d+"), re.compile(r"glpat-[\w-]+")):
            if found := pattern.search(printed):
                self._replaced.insert(0, (pattern, found[0]))

    def _localised(self, command: str) -> str:
        seen = set()
        command = command.replace("/home/you", str(self._home))
        for pattern, real in self._replaced:
            if pattern.pattern not in seen:
                command = pattern.sub(real, command)
                seen.add(pattern.pattern)
        return command

    def _prepared(self) -> dict[str, str]:
        programs = self._home / ".venv" / "bin"
        programs.mkdir(parents=True)
        python = shlex.quote(sys.executable)
        for name, arguments in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\nexec {python} {arguments}\n")
            (programs / name).chmod(0o755)
        # Quiet as on a terminal, and an answer of 400 and more is a failure.
        (self._home / ".curlrc").write_text("silent\nfail-with-body\n")
        kept = {name: text for name, text in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR")}
        return {
            **kept,
            "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
            "HOME": str(self._home),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "no_proxy": "*",
        }


def compared(line: str) -> str:
    """Return a line with what differs from run to run taken out."""
    for pattern, word in VARIABLE:
        line = pattern.sub(word, line)
    return line


def same(shown: list[str], printed: list[str]) -> bool:
    """Say whether an output is the one shown; a line `...` stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(compared(line.rstrip())) + r"\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(compared(line) + "\n" for line in printed)) is not None


def in_order(shown: list[str], printed: list[str]) -> bool:
    """Say whether the lines shown are among those printed, in this order: a server goes on printing."""
    left = iter([compared(line) for line in printed])
    return all(compared(line.rstrip()) in left for line in shown if line.strip() not in ("", "..."))
