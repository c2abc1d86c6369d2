"""The byte strings of the envelope are exactly those that docs/format.md writes down."""

from __future__ import annotations

import dataclasses

import pytest

from vault.crypto.envelope import BlobIdentity, commitment, require_commitment
from vault.errors import Tampered

INSTANCE = "000102030405060708090a0b0c0d0e0f"
BLOB = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
IDENTITY = BlobIdentity(INSTANCE, BLOB, "secure_files", 42)
AAD = (
    b"secure-files/v1\0"
    b"\x01"
    b"\0\0\0\x10" + bytes.fromhex(INSTANCE) + b"\0\0\0\x10" + bytes.fromhex(BLOB) + b"\0\0\0\x0csecure_files"
    b"\0\0\0\x08\0\0\0\0\0\0\0\x2a"
)


class TestBlobIdentity:
    def test_the_streams_aad_is_algorithm_instance_blob_family_and_project(self) -> None:
        assert IDENTITY.aad() == AAD

    def test_the_wraps_aad_adds_size_and_checksum(self) -> None:
        expected = AAD + b"\0\0\0\x08\0\0\0\0\0\x50\0\0" + b"\0\0\0\x20" + b"\xab" * 32
        assert IDENTITY.wrap_aad(5 * 2**20, "ab" * 32) == expected
        assert IDENTITY.wrap_aad(5 * 2**20, b"\xab" * 32) == expected

    def test_ids_may_be_bytes_or_hex(self) -> None:
        assert BlobIdentity(bytes.fromhex(INSTANCE), bytes.fromhex(BLOB), "secure_files", 42).aad() == AAD

    def test_no_two_identities_share_their_bytes(self) -> None:
        changes = [{"instance": BLOB}, {"blob_id": INSTANCE}, {"family": "uploads"}, {"family": ""}]
        changes += [{"project_id": 43}, {"project_id": 2**40}, {"alg": 2}]
        identities = [IDENTITY, *(dataclasses.replace(IDENTITY, **change) for change in changes)]
        assert len({identity.aad() for identity in identities}) == len(identities)

    @pytest.mark.parametrize("wrong", ["", "00" * 15, "00" * 17, bytes(15), "zz" * 16])
    def test_an_id_of_another_length_is_refused(self, wrong: bytes | str) -> None:
        for field in ("instance", "blob_id"):
            with pytest.raises(ValueError, match=r"16|hexadecimal"):
                dataclasses.replace(IDENTITY, **{field: wrong}).aad()

    def test_a_checksum_of_another_length_is_refused(self) -> None:
        with pytest.raises(ValueError, match="32"):
            IDENTITY.wrap_aad(1, "ab" * 31)


class TestCommitment:
    def test_is_the_hkdf_of_the_key_for_this_row(self) -> None:
        # Computed once with OpenSSL's own command, `openssl kdf ... HKDF`.
        expected = "f8aa9c1e4d695c88f6b4014e9b71e4b2b8d3a5330a6e6810e7f911ba1b603303"
        assert commitment(bytes(range(32)), b"row").hex() == expected

    def test_differs_by_key_and_by_row(self) -> None:
        made = {commitment(key, aad) for key in (bytes(32), b"\x01" * 32) for aad in (b"", b"row", b"row2")}
        assert len(made) == 6

    def test_another_key_is_refused(self) -> None:
        expected = commitment(bytes(32), b"row")
        require_commitment(bytes(32), b"row", expected)
        with pytest.raises(Tampered, match="commitment"):
            require_commitment(b"\x01" * 32, b"row", expected)
        with pytest.raises(Tampered, match="commitment"):
            require_commitment(bytes(32), b"other row", expected)
