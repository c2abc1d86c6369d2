"""What every source of master keys promises: a keyring of ours, wherever it is kept, and each outside service.

A test class derives from `KeySourceContract` and has a fixture `shelf` that gives its keys.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from vault.crypto.envelope import BlobIdentity, pepper_aad
from vault.crypto.keysource import WrappedKey
from vault.errors import BadKeyring, Tampered, UnknownKey

if TYPE_CHECKING:
    from vault.crypto.keysource import KeySource

INSTANCE = "4bbcd10b2f82f6218f28416eabbbbd91"
IDENTITY = BlobIdentity(INSTANCE, "00112233445566778899aabbccddeeff", "secure_files", 42)
AAD = IDENTITY.wrap_aad(5, bytes(32))
DATA_KEY = bytes(range(32))

OTHER_ROWS = {
    "size": IDENTITY.wrap_aad(6, bytes(32)),
    "checksum": IDENTITY.wrap_aad(5, bytes(31) + b"\1"),
    "project": BlobIdentity(INSTANCE, IDENTITY.blob_id, "secure_files", 43).wrap_aad(5, bytes(32)),
    "family": BlobIdentity(INSTANCE, IDENTITY.blob_id, "uploads", 42).wrap_aad(5, bytes(32)),
    "object": BlobIdentity(INSTANCE, bytes(16), "secure_files", 42).wrap_aad(5, bytes(32)),
    "vault": BlobIdentity(bytes(16), IDENTITY.blob_id, "secure_files", 42).wrap_aad(5, bytes(32)),
    "use": pepper_aad(INSTANCE),
}


class Shelf(Protocol):
    """Keys of one kind; `rotates` is False where they come from a setting, which no program changes."""

    rotates: bool

    def open(self) -> KeySource:
        """Open the keys, as a process does."""

    def rotate(self) -> None:
        """Have another key wrap from now on."""

    def foreign(self) -> KeySource:
        """Return keys of the same kind that are not these."""


class KeySourceContract:
    """The promises of `KeySource`."""

    does_not_open: tuple[type[Exception], ...] = (Tampered, UnknownKey)

    def test_a_data_key_comes_back_in_another_process_too(self, shelf: Shelf) -> None:
        wrapped = shelf.open().wrap(DATA_KEY, AAD)

        assert shelf.open().unwrap(wrapped, AAD) == DATA_KEY

    def test_what_is_stored_says_nothing_of_the_data_key(self, shelf: Shelf) -> None:
        wrapped = shelf.open().wrap(DATA_KEY, AAD)

        for form in (DATA_KEY, DATA_KEY.hex().encode(), repr(DATA_KEY)[2:-1].encode()):
            assert form not in wrapped.blob
            assert form.decode("latin-1") not in repr(wrapped)

    def test_nothing_is_wrapped_the_same_twice(self, shelf: Shelf) -> None:
        source = shelf.open()

        assert len({source.wrap(DATA_KEY, AAD).blob for _ in range(5)}) == 5

    @pytest.mark.parametrize("other", OTHER_ROWS)
    def test_it_is_bound_to_its_row(self, shelf: Shelf, other: str) -> None:
        source = shelf.open()
        wrapped = source.wrap(DATA_KEY, AAD)

        with pytest.raises(Tampered):
            source.unwrap(wrapped, OTHER_ROWS[other])

    def test_a_pepper_is_wrapped_as_a_data_key_is(self, shelf: Shelf) -> None:
        source = shelf.open()

        assert source.unwrap(source.wrap(DATA_KEY, pepper_aad(INSTANCE)), pepper_aad(INSTANCE)) == DATA_KEY

    def test_every_changed_byte_is_noticed(self, shelf: Shelf) -> None:
        source = shelf.open()
        wrapped = source.wrap(DATA_KEY, AAD)

        for place in range(0, len(wrapped.blob), 3):
            changed = bytearray(wrapped.blob)
            changed[place] ^= 1
            with pytest.raises(self.does_not_open):
                source.unwrap(WrappedKey(wrapped.kek_id, bytes(changed)), AAD)

    @pytest.mark.parametrize("cut", [0, 1, 20, -1])
    def test_what_was_cut_is_noticed(self, shelf: Shelf, cut: int) -> None:
        source = shelf.open()
        wrapped = source.wrap(DATA_KEY, AAD)

        with pytest.raises(Tampered):
            source.unwrap(WrappedKey(wrapped.kek_id, wrapped.blob[:cut]), AAD)

    def test_keys_of_the_same_kind_that_are_others_open_nothing(self, shelf: Shelf) -> None:
        wrapped = shelf.open().wrap(DATA_KEY, AAD)

        with pytest.raises(self.does_not_open):
            shelf.foreign().unwrap(wrapped, AAD)

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_data_keys_only_are_wrapped(self, shelf: Shelf, length: int) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            shelf.open().wrap(bytes(length), AAD)

    def test_the_primary_key_is_the_one_that_wraps(self, shelf: Shelf) -> None:
        source = shelf.open()
        wrapped = source.wrap(DATA_KEY, AAD)

        assert wrapped.kek_id == source.primary
        assert source.has(wrapped.kek_id)
        assert not source.has("k99")
        assert not source.has("")

    def test_is_described_for_a_person(self, shelf: Shelf) -> None:
        source = shelf.open()

        (active,) = [info for info in source.described() if info.state == "active"]
        assert active.id == source.primary
        assert active.place == source.place

    def test_many_threads_may_use_it(self, shelf: Shelf) -> None:
        source = shelf.open()

        def there_and_back(number: int) -> bool:
            key = bytes([number]) * 32
            return source.unwrap(source.wrap(key, AAD), AAD) == key

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(there_and_back, range(40)))

    def test_after_a_rotation_new_keys_wrap_and_old_ones_unwrap(self, shelf: Shelf) -> None:
        source = shelf.open()
        old = source.wrap(DATA_KEY, AAD)
        if not shelf.rotates:
            with pytest.raises(BadKeyring, match="from a setting"):
                shelf.rotate()
            return
        shelf.rotate()
        new = source.wrap(DATA_KEY, AAD)

        assert new.kek_id == source.primary != old.kek_id
        for opened in (source, shelf.open()):
            assert opened.unwrap(old, AAD) == opened.unwrap(new, AAD) == DATA_KEY

    def test_a_row_that_names_another_key_of_the_same_source_does_not_open(self, shelf: Shelf) -> None:
        if not shelf.rotates:
            return
        source = shelf.open()
        old = source.wrap(DATA_KEY, AAD)
        shelf.rotate()
        new = source.wrap(DATA_KEY, AAD)

        for mixed in (WrappedKey(new.kek_id, old.blob), WrappedKey(old.kek_id, new.blob)):
            with pytest.raises(self.does_not_open):
                source.unwrap(mixed, AAD)
