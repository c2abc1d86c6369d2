"""docs/parsers.md names what there is, and its example works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from parsers.interface import Budget, Unreadable
from parsers.registry import registered

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "parsers.md").read_text("utf-8")
SOURCES = "".join(path.read_text("utf-8") for path in (ROOT / "parsers").glob("*.py"))


class TestTables:
    def test_every_kind_is_there(self) -> None:
        """In the table of what is read, or in that of the metadata."""
        kinds = {entry.parser.kind for entry in registered() if entry.origin == "built in" and entry.parser}

        assert {kind for kind in kinds if f"`{kind}`" not in TEXT} == set()

    def test_every_reason_is_there(self) -> None:
        """The codes that the sources use are the codes that are explained."""
        used = set(re.findall(r'(?:Unreadable\(|error=|code = )"([a-z_]+)"', SOURCES))
        told = set(re.findall(r"^\| `([a-z_]+)` \|", TEXT.partition("## Reasons")[2], re.MULTILINE))

        assert used <= told
        assert "timeout" in told


class TestExample:
    @pytest.fixture
    def parser(self) -> Any:
        """The parser of the example, made as the registry makes one."""
        space: dict[str, Any] = {}
        code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
        assert code
        exec(code[1], space)
        return space["LicenceParser"]()

    def test_reads_its_file(self, parser: Any) -> None:
        """And knows it from others."""
        data = b"ACME" + b"0123456789" + bytes(10)

        assert parser.sniff(data, "x") == 100
        assert parser.parse(data, None, Budget()).fields == {"id": "0123456789"}

    def test_refuses_a_short_one(self, parser: Any) -> None:
        """With a code."""
        with pytest.raises(Unreadable, match="truncated"):
            parser.parse(b"ACME", None, Budget())
