"""What one secure file brings to a project's signing set, taken from what was read when it came.

The metadata may be that of a parser from outside: a value of another type than expected is as good as absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = Mapping[str, Any]

PRIVATE_KEY = "private_key"
DEBUG_ALIAS, DEBUG_NAME = "androiddebugkey", "Android Debug"
# What keeps a whole file from being read; the others say that there is nothing in it to be read.
_UNSEEN = {
    "password_missing",
    "password_wrong",
    "work_factor_too_high",
    "timeout",
    "too_large",
    "unsupported",
    "encrypted_elsewhere",
    "queued",
}


@dataclass(frozen=True, slots=True)
class SigningFile:
    """The facts of one file that bear on others. All fingerprints are SHA-256, as text.

    `certificate`, `public_key`, `subject` and `issuer` are those of the one certificate that speaks for the file,
    or None; `certificates` are all it holds, with the end of their validity. `keys` are the public halves of its
    private keys. `named` are the certificates that a profile names, and `named_until` is when the first of them
    expires. `unseen`: it may hold keys and certificates that nobody has seen.
    """

    id: int
    name: str
    kind: str | None
    error: str | None
    expires_at: str | None
    certificate: str | None
    public_key: str | None
    subject: str | None
    issuer: str | None
    is_ca: bool
    certificates: Mapping[str, str | None]
    keys: frozenset[str]
    named: frozenset[str]
    named_until: str | None
    has_debug_key: bool
    has_release_key: bool
    unseen: bool


def signing_file(document: Json) -> SigningFile:
    """Return the facts in what the API tells of a file, `kind` among it."""
    told = _object(document.get("metadata"))
    kind, error = _text(document.get("kind")), _text(document.get("metadata_error"))
    entries = [_object(entry) for entry in _items(told.get("entries"))]
    key_entries = [entry for entry in entries if entry.get("kind") == PRIVATE_KEY]
    debug = [_is_debug(entry) for entry in key_entries]
    return SigningFile(
        id=document["id"],
        name=document["name"],
        kind=kind,
        error=error,
        expires_at=_text(document.get("expires_at")),
        certificate=_text(told.get("sha256")),
        public_key=_text(told.get("public_key_sha256")),
        subject=_text(told.get("subject_dn")),
        issuer=_text(told.get("issuer_dn")),
        is_ca=told.get("is_ca") is True,
        certificates=_certificates([told, *entries]),
        keys=_keys(kind, told),
        named=frozenset(_texts(told.get("certificate_sha256"))),
        named_until=_text(told.get("certificates_expire_at")),
        has_debug_key=any(debug),
        has_release_key=not all(debug),
        unseen=error in _UNSEEN or told.get("encrypted") is True or _is_in_part(told, key_entries),
    )


def _certificates(holders: list[Json]) -> dict[str, str | None]:
    return {sha256: _text(each.get("expires_at")) for each in holders if (sha256 := _text(each.get("sha256")))}


def _keys(kind: str | None, told: Json) -> frozenset[str]:
    own = [told.get("public_key_sha256")] if kind == PRIVATE_KEY else []
    return frozenset(_texts([*own, *_items(told.get("public_keys_sha256"))]))


def _is_debug(entry: Json) -> bool:
    alias, subject = _text(entry.get("alias")) or "", _object(entry.get("subject"))
    return alias.lower() == DEBUG_ALIAS or subject.get("CN") == DEBUG_NAME


def _is_in_part(told: Json, key_entries: list[Json]) -> bool:
    """Tell whether more is in a keystore than its entries show: those left out, and keys without a certificate."""
    return told.get("entries_truncated") is True or any("sha256" not in entry for entry in key_entries)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    return [item for item in _items(value) if isinstance(item, str)]
