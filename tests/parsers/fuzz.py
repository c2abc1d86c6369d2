"""Looks for files that a parser does not survive, guided by the lines they reach.

    python -m tests.parsers.fuzz KIND [OPTIONS OF LIBFUZZER]

for example `python -m tests.parsers.fuzz pkcs12 -max_total_time=600 -artifact_prefix=/tmp/found-`. KIND is one of the
built-in parsers (`secure-files parsers`). It begins with the corpus and ends at the first file that makes the parser
raise anything but `Unreadable`, return what a reply may not hold, or take more than ten seconds; that file is written
down, and `python -m tests.parsers.fuzz KIND FILE` runs it again.

Needs atheris, which is no dependency of the project: install it into an environment of its own that sees this one's
packages (Linux; one process keeps one core busy).
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found, unused-ignore]

with atheris.instrument_imports(include=["parsers", "jks"]):
    from parsers.interface import Budget, Metadata, Parser, Unreadable
    from parsers.plain import plain
    from parsers.registry import registered

    registered()  # imports every parser

CORPUS = Path(__file__).parent / "corpus"
PASSWORDS = (None, "secret", "", "pässwörd")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ROUNDS = 20_000  # of key derivation: what is slow on purpose finds nothing
HEAD = 4096


def one(parser: Parser, data: bytes) -> None:
    """Read one file; its last byte chooses the password."""
    content, password = data[:-1], PASSWORDS[data[-1] % len(PASSWORDS)] if data else None
    if not 0 < parser.sniff(content[:HEAD], "x") <= 100:
        return  # nobody would ask this parser
    with contextlib.suppress(Unreadable):
        found = parser.parse(content, password, Budget(iterations=ROUNDS))
        check(found, plain({**found.fields, "kind": parser.kind}, Budget()))


def check(found: Metadata, told: dict[str, object]) -> None:
    """Hold what was found to what docs/parsers.md promises."""
    assert len(json.dumps(told, allow_nan=False)) < 2_000_000
    assert found.expires_at is None or TIME.fullmatch(found.expires_at)
    assert isinstance(told.get("id", ""), str | None)
    for key in ("issuer", "subject"):
        name = told.get(key, {})
        assert isinstance(name, dict)
        assert all(isinstance(value, str) for value in name.values())


def seeds(parser: Parser, folder: Path) -> None:
    """Write down what the parser may know among the good files, without and with the password."""
    from tests.parsers.test_kinds import FILES

    contents = [path.read_bytes() for path in CORPUS.rglob("*") if path.is_file()]
    contents += [content for content, _ in FILES.values()]
    known = [content for content in contents if parser.sniff(content[:HEAD], "x") > 0]
    for number, content in enumerate(known):
        for choice in range(2):
            (folder / f"{number}-{choice}").write_bytes(content + bytes([choice]))


def main() -> None:
    kind, *options = sys.argv[1:]
    parser = next(entry.parser for entry in registered() if entry.parser and entry.parser.kind == kind)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        if all(option.startswith("-") for option in options):
            seeds(parser, Path(folder))
            options += ["-timeout=10", "-rss_limit_mb=1024", folder]
        atheris.Setup([sys.argv[0], *options], lambda data: one(parser, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
