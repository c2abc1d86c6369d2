"""Was written for another release of the vault."""

from parsers.interface import ParserOfLastYear  # type: ignore[attr-defined]

BrokenParser = ParserOfLastYear
