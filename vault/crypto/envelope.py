"""What a blob is bound to: the associated data of its stream and of its wrapped key, and the commitment to that key.

A row of the catalog that was pointed at another blob, project or family does not open the stream; one whose size or
checksum was changed does not unwrap. docs/format.md has the bytes.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from vault.crypto.kdf import hkdf
from vault.errors import Tampered

STREAM = 1
"""The only `alg` so far: AES256-GCM-HKDF streams. 0 does not exist, 2 is kept for C2SP chunked encryption."""

MAGIC = b"secure-files/v1\0"
PEPPER_MAGIC = b"secure-files/v1/pepper\0"
COMMITMENT_INFO = b"secure-files/v1/commit"


@dataclass(frozen=True, slots=True)
class BlobIdentity:
    """Which blob of which owner: what both kinds of associated data begin with.

    `instance` and `blob_id` are 16 bytes, or their 32 hex digits as the keyring and the catalog write them.
    """

    instance: bytes | str
    blob_id: bytes | str
    family: str
    project_id: int
    alg: int = STREAM

    def aad(self) -> bytes:
        """Return the associated data of the sealed stream. Raises ValueError for an id of the wrong length."""
        return b"".join((
            MAGIC,
            self.alg.to_bytes(1, "big"),
            _lp(_binary(self.instance, 16)),
            _lp(_binary(self.blob_id, 16)),
            _lp(self.family.encode()),
            _lp(self.project_id.to_bytes(8, "big")),
        ))  # fmt: skip

    def wrap_aad(self, size: int, sha256: bytes | str) -> bytes:
        """Return the associated data of the wrapped key: `aad`, and the length and SHA-256 of the plaintext.

        `sha256` is 32 bytes or 64 hex digits; ValueError for another length.
        """
        return self.aad() + _lp(size.to_bytes(8, "big")) + _lp(_binary(sha256, 32))


def pepper_aad(instance: str) -> bytes:
    """Return the associated data under which a vault's pepper is wrapped; it begins as no blob's does."""
    return PEPPER_MAGIC + _lp(_binary(instance, 16))


def told(aad: bytes) -> dict[str, str]:
    """Return the fields of a wrap's associated data as text, for a key service that binds names and values.

    Other fields, other text: nothing is bound less than by the bytes.
    """
    if aad.startswith(PEPPER_MAGIC):
        return {"format": "secure-files/v1/pepper", "instance": _fields(aad[len(PEPPER_MAGIC) :])[0].hex()}
    alg, fields = aad[len(MAGIC)], _fields(aad[len(MAGIC) + 1 :])
    instance, blob_id, family, project_id, size, sha256 = fields
    return {
        "format": "secure-files/v1",
        "alg": str(alg),
        "instance": instance.hex(),
        "blob": blob_id.hex(),
        "family": family.decode(),
        "project": str(int.from_bytes(project_id, "big")),
        "size": str(int.from_bytes(size, "big")),
        "sha256": sha256.hex(),
    }


def commitment(data_key: bytes, wrap_aad: bytes) -> bytes:
    """Return 32 bytes that only this data key has for this row, and that tell nothing of it.

    GCM alone binds no key: a wrapped key can be made that opens under two master keys.
    """
    return hkdf(data_key, COMMITMENT_INFO + wrap_aad)


def require_commitment(data_key: bytes, wrap_aad: bytes, expected: bytes) -> None:
    """Raise `Tampered` when an unwrapped data key is not the one that was committed to."""
    if not hmac.compare_digest(commitment(data_key, wrap_aad), expected):
        raise Tampered("the unwrapped key is not the one that the commitment was made for")


def _lp(field: bytes) -> bytes:
    return len(field).to_bytes(4, "big") + field


def _fields(rest: bytes) -> list[bytes]:
    """Take apart what `_lp` put together."""
    fields = []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        fields.append(rest[4:end])
        rest = rest[end:]
    return fields


def _binary(value: bytes | str, length: int) -> bytes:
    binary = bytes.fromhex(value) if isinstance(value, str) else value
    if len(binary) != length:
        raise ValueError(f"{len(binary)} bytes where {length} are needed")
    return binary
