"""Keeps a list of documents short enough for one answer, whatever the files hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 1_500_000
"""Bytes of all documents of a page. An answer may have 2 MB; a list across projects adds the projects' names."""
LONG_VALUE = 512
"""Characters of JSON. A hundred documents of shorter values fit into one answer."""


def too_long(documents: Sequence[str]) -> bool:
    """Say whether these are too much for one answer."""
    return sum(map(_size, documents)) > LIMIT


def abridged(documents: Sequence[str]) -> list[str]:
    """Return the JSON texts, the longest without the long values of their `metadata`, so that they fit together.

    For a value that is left out, such as `entries`, there is `entries_truncated: true`. Costs 10 ms for each megabyte.
    """
    told = list(documents)
    total = sum(map(_size, told))
    for place in sorted(range(len(told)), key=lambda place: -_size(told[place])):
        if total <= LIMIT:
            break
        total -= _size(told[place])
        told[place] = _brief(told[place])
        total += _size(told[place])
    return told


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _brief(text: str) -> str:
    document = json.loads(text)
    if document["metadata"] is None:
        return text
    brief = dict(_short(key, value) for key, value in document["metadata"].items())
    return json.dumps({**document, "metadata": brief}, ensure_ascii=False, separators=(",", ":"))


def _short(key: str, value: Any) -> tuple[str, Any]:
    return (key, value) if len(json.dumps(value)) <= LONG_VALUE else (f"{key}_truncated", True)
