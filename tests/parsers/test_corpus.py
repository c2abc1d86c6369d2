"""Every file of the corpus is read as openssl and keytool say it should be (see make_corpus.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parsers import read_here

CORPUS = Path(__file__).parent / "corpus"
CASES = json.loads((CORPUS / "expected.json").read_text("utf-8"))


def _label(case: dict[str, Any]) -> str:
    return case["file"] + (f" ({case['password']})" if case["password"] else "")


def _in_order(metadata: dict[str, Any]) -> dict[str, Any]:
    """Sort a keystore's entries: keytool's order is that of a hash table."""
    if "entries" not in metadata:
        return metadata
    return {**metadata, "entries": sorted(metadata["entries"], key=lambda entry: str(entry["alias"]))}


@pytest.mark.parametrize("case", CASES, ids=_label)
class TestCorpus:
    def test_is_read_as_the_tools_say(self, case: dict[str, Any]) -> None:
        """Each key that a tool told of is in the metadata with the same value; an unreadable file has its code."""
        found = read_here(case["file"], (CORPUS / case["file"]).read_bytes(), case["password"])

        expect = dict(case["expect"])
        assert found.error == expect.pop("error", None)
        seen = {key: (found.metadata or {}).get(key) for key in expect}
        assert _in_order(seen) == _in_order(expect)

    def test_tells_the_date_twice_and_no_metadata_of_the_unreadable(self, case: dict[str, Any]) -> None:
        """`expires_at` beside the metadata is the one inside it; what cannot be read has neither."""
        found = read_here(case["file"], (CORPUS / case["file"]).read_bytes(), case["password"])

        assert found.expires_at == (found.metadata or {}).get("expires_at")
        assert (found.metadata is None) == (found.error is not None)


def test_the_corpus_is_large_enough() -> None:
    """At least sixty files, so that a shrunken checkout does not pass for a good one."""
    assert len({case["file"] for case in CASES}) >= 60
