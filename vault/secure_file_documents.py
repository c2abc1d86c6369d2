"""What the API tells of a secure file, as the JSON text that its row keeps finished."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vault.secure_file_names import extension

if TYPE_CHECKING:
    from vault.models import Finding


def columns(name: str, checksum: str, created_at: str, finding: Finding) -> dict[str, str | None]:
    """Return the columns that hold what was read in a file, the document among them."""
    document = {
        "name": name,
        "checksum": checksum,
        "checksum_algorithm": "sha256",
        "created_at": created_at,
        "expires_at": finding.expires_at,
        "metadata": finding.metadata,
        "metadata_error": finding.error,
        "file_extension": extension(name),
    }
    return {
        "expires_at": finding.expires_at,
        "metadata_error": finding.error,
        "kind": finding.kind,
        "document": text_of(document),
    }


def text_of(document: dict[str, Any]) -> str:
    """Return a document's text from behind its opening brace on: the id goes before it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))[1:]


def with_id(number: int, document: str) -> str:
    """Return the whole text of a document that lacks its beginning."""
    return f'{{"id":{number},{document}'
