"""Documents that are too long for one answer together lose their longest values, the longest documents first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vault.abridging import LIMIT, abridged, too_long


def document(number: int, **metadata: Any) -> str:
    return json.dumps({"id": number, "name": "é" * 255, "metadata": metadata or None}, ensure_ascii=False)


def size(documents: list[str]) -> int:
    return sum(len(each.encode()) for each in documents)


class TestTooLong:
    def test_counts_bytes(self) -> None:
        """Of which a letter may have four."""
        assert not too_long(["x" * LIMIT])
        assert too_long(["x" * LIMIT, "x"])
        assert too_long(["\U0001f511" * (LIMIT // 4), "x"])


class TestAbridged:
    def test_the_longest_document_goes_first_and_no_more_than_need_be(self) -> None:
        documents = [document(n, entries=["x" * 1000] * (100 + 100 * n), kind="jks") for n in range(6)]

        found = [json.loads(each) for each in abridged(documents)]

        assert [("entries" in each["metadata"]) for each in found] == [True] * 4 + [False] * 2
        assert found[5]["metadata"] == {"entries_truncated": True, "kind": "jks"}
        assert found[0] == json.loads(documents[0])

    @pytest.mark.parametrize("key", ["entries", "devices", "entitlements", "subject"])
    def test_any_long_value_is_left_out_and_named(self, key: str) -> None:
        (found,) = abridged([document(1, **{key: ["x" * LIMIT], "id": "7"})])

        assert json.loads(found)["metadata"] == {f"{key}_truncated": True, "id": "7"}

    def test_a_hundred_of_the_worst_fit(self) -> None:
        """Each with as many values as any parser tells, all just short enough to stay."""
        worst = {f"key{n}": "x" * 505 for n in range(25)}
        documents = [document(n, **worst, entries=["\U0001f511" * 100_000]) for n in range(100)]

        assert size(abridged(documents)) < LIMIT

    def test_what_has_no_metadata_stays(self) -> None:
        documents = [document(1), document(2, entries=["x" * LIMIT])]

        assert abridged(documents)[0] == documents[0]
