"""What keystores of every format have in common: named entries, and which of them speaks for the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsers.fingerprints import fingerprint
from parsers.interface import Json, Metadata

if TYPE_CHECKING:
    from parsers.certificate import Certificate
    from parsers.interface import Budget

PRIVATE_KEY, TRUSTED, SECRET_KEY = "private_key", "trusted_certificate", "secret_key"


@dataclass(frozen=True)
class Entry:
    """One entry; `leaf` is the certificate of its key, or the trusted one, and None where there is none."""

    alias: str
    kind: str
    leaf: Certificate | None = None

    def describe(self) -> Json:
        """Return what the reply's `entries` says of this one."""
        described: Json = {"alias": self.alias, "kind": self.kind}
        if self.leaf is not None:
            described |= self.leaf.summary()
            described |= {"sha1": self.leaf.sha1, "sha256": self.leaf.sha256}
        return described


def describe_entries(entries: list[Entry], budget: Budget) -> Metadata:
    """Describe a keystore by the key whose certificate expires first, by a trusted certificate if it has no key."""
    fields: Json = {}
    spokesman = _first_to_expire([entry for entry in entries if entry.kind == PRIVATE_KEY])
    if not any(entry.kind == PRIVATE_KEY for entry in entries):
        spokesman = _first_to_expire([entry for entry in entries if entry.kind == TRUSTED])
    if spokesman is not None and spokesman.leaf is not None:
        fields = {**spokesman.leaf.describe(), "alias": spokesman.alias}
    listed = entries[: budget.entries]
    fields["entries"] = [entry.describe() for entry in listed]
    # Beside the entries, whose keys are those that clients know.
    fields["public_keys_sha256"] = [
        fingerprint(entry.leaf.public_key) for entry in listed if entry.kind == PRIVATE_KEY and entry.leaf is not None
    ]
    if len(entries) > len(listed):
        fields["entries_truncated"] = True
    return Metadata(fields, fields.get("expires_at"))


def _first_to_expire(entries: list[Entry]) -> Entry | None:
    dated = [(entry.leaf.expires_at, entry) for entry in entries if entry.leaf is not None]
    return min(dated, key=lambda pair: pair[0])[1] if dated else None
