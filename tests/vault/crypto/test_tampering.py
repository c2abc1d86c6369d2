"""Every change to a sealed stream, to its owner or to its row is noticed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from vault.crypto.envelope import BlobIdentity, commitment, require_commitment
from vault.crypto.keyring import Keyring, new_data_key
from vault.crypto.keysource import WrappedKey
from vault.crypto.layout import SEGMENT_SIZE, Layout
from vault.crypto.masterkeys import MasterKeys
from vault.crypto.opening import SmallStream
from vault.crypto.streaming import seal_bytes
from vault.errors import Damaged, Tampered, Truncated

from .support import AAD, OTHER_KEY, SMALL, opened, pattern, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

# Eight blobs: empty, one byte, both sides of the first borders, several segments, and segments of the real size.
BLOBS = [
    (0, SMALL),
    (1, SMALL),
    (72, SMALL),
    (73, SMALL),
    (184, SMALL),
    (300, SMALL),
    (0, SEGMENT_SIZE),
    (777, SEGMENT_SIZE),
]


@pytest.fixture(params=BLOBS, ids=[f"{size}-bytes-in-segments-of-{segment}" for size, segment in BLOBS])
def blob(request: pytest.FixtureRequest) -> tuple[bytes, int]:
    size, segment_size = request.param
    return sealed(pattern(size), segment_size=segment_size), segment_size


def refused(stream: bytes, segment_size: int) -> bool:
    try:
        opened(stream, segment_size=segment_size)
    except Damaged:
        return True
    return False


class TestStream:
    @pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
    def test_a_change_of_any_byte_is_refused(self, blob: tuple[bytes, int], flip: int) -> None:
        stream, segment_size = blob
        assert not refused(stream, segment_size)
        taken = []
        for place in range(len(stream)):
            forged = bytearray(stream)
            forged[place] ^= flip
            if not refused(bytes(forged), segment_size):
                taken.append(place)
        assert taken == []

    def test_every_shorter_stream_is_refused(self, blob: tuple[bytes, int]) -> None:
        stream, segment_size = blob
        assert [length for length in range(len(stream)) if not refused(stream[:length], segment_size)] == []

    def test_every_longer_stream_is_refused(self, blob: tuple[bytes, int]) -> None:
        stream, segment_size = blob
        extensions = (bytes(1), bytes(16), bytes(17), bytes(segment_size), stream[-16:], stream[-17:], stream)
        longer = [stream + extension for extension in extensions]
        longer += [stream + bytes(count) for count in range(1, 2 * SMALL)]
        assert [len(one) for one in longer if not refused(one, segment_size)] == []

    def test_a_cut_between_two_segments_is_refused(self) -> None:
        small = sealed(pattern(1000), segment_size=SMALL)
        for count in range(1, Layout(SMALL).segments(len(small))):
            with pytest.raises(Tampered):
                opened(small[: count * SMALL], segment_size=SMALL)
        large = sealed(pattern(200_000))
        for count in range(1, 4):
            with pytest.raises(Tampered):
                opened(large[: count * SEGMENT_SIZE])

    def test_no_two_segments_can_change_places(self) -> None:
        stream = sealed(pattern(72 + 112 * 4), segment_size=SMALL)
        assert len(stream) == 5 * SMALL
        segments = [stream[start : start + SMALL] for start in range(0, len(stream), SMALL)]
        for first in range(5):
            for second in range(first + 1, 5):
                moved = list(segments)
                moved[first], moved[second] = moved[second], moved[first]
                assert refused(b"".join(moved), SMALL)

    def test_no_segment_can_be_left_out_or_repeated(self) -> None:
        stream = sealed(pattern(72 + 112 * 4), segment_size=SMALL)
        segments = [stream[start : start + SMALL] for start in range(0, len(stream), SMALL)]
        for index in range(5):
            assert refused(b"".join(segments[:index] + segments[index + 1 :]), SMALL)
            assert refused(b"".join(segments[: index + 1] + segments[index:]), SMALL)

    def test_segments_of_two_streams_of_one_key_do_not_mix(self) -> None:
        first, second = (sealed(pattern(1000), segment_size=SMALL) for _ in range(2))
        assert refused(first[:SMALL] + second[SMALL:], SMALL)
        assert refused(second[:40] + first[40:], SMALL)

    @pytest.mark.parametrize("size", [0, 300])
    def test_another_key_another_aad_and_another_segment_size_are_refused(self, size: int) -> None:
        stream = sealed(pattern(size), segment_size=SMALL)
        with pytest.raises(Tampered):
            opened(stream, key=OTHER_KEY, segment_size=SMALL)
        for aad in (b"", AAD[:-1], AAD + b"\0"):
            with pytest.raises(Tampered):
                opened(stream, aad=aad, segment_size=SMALL)
        if size:
            with pytest.raises((Tampered, Truncated)):
                opened(stream, segment_size=SMALL * 2)


@dataclass(frozen=True)
class Row:
    """What the catalog holds of a blob, and the blob."""

    identity: BlobIdentity
    size: int
    sha256: str
    wrapped: WrappedKey
    commitment: bytes
    stream: bytes


KEYRING = Keyring(MasterKeys.new("2026-01-02T03:04:05.678Z"))


def stored(blob_id: int, family: str, project_id: int, plain: bytes) -> Row:
    """Seal as the vault does: the stream first, then the wrap, which binds its size and checksum."""
    identity = BlobIdentity(KEYRING.instance, blob_id.to_bytes(16, "big").hex(), family, project_id)
    data_key, checksum = new_data_key(), hashlib.sha256(plain).hexdigest()
    wrap_aad = identity.wrap_aad(len(plain), checksum)
    return Row(
        identity,
        len(plain),
        checksum,
        KEYRING.wrap(data_key, wrap_aad),
        commitment(data_key, wrap_aad),
        seal_bytes(data_key, identity.aad(), plain),
    )


def fetched(row: Row) -> bytes:
    """Open as the vault does."""
    wrap_aad = row.identity.wrap_aad(row.size, row.sha256)
    data_key = KEYRING.unwrap(row.wrapped, wrap_aad)
    require_commitment(data_key, wrap_aad, row.commitment)
    return SmallStream(data_key, row.identity.aad(), row.stream).open()


class TestRow:
    FIRST = stored(1, "secure_files", 7, b"the certificate")
    OTHERS = (
        stored(2, "secure_files", 7, b"the other  file"),
        stored(3, "secure_files", 8, b"other project's"),
        stored(4, "uploads", 7, b"an attached img"),
    )

    def test_opens_as_it_was_stored(self) -> None:
        assert fetched(self.FIRST) == b"the certificate"

    def changed_identities(self) -> Iterator[BlobIdentity]:
        mine = self.FIRST.identity
        yield BlobIdentity("00" * 16, mine.blob_id, mine.family, mine.project_id)
        yield BlobIdentity(mine.instance, "00" * 16, mine.family, mine.project_id)
        yield BlobIdentity(mine.instance, mine.blob_id, "uploads", mine.project_id)
        yield BlobIdentity(mine.instance, mine.blob_id, mine.family, 8)
        yield BlobIdentity(mine.instance, mine.blob_id, mine.family, mine.project_id, alg=2)

    def test_another_owner_in_the_row_is_refused_by_the_wrap_and_by_the_stream(self) -> None:
        row = self.FIRST
        wrap_aad = row.identity.wrap_aad(row.size, row.sha256)
        data_key = KEYRING.unwrap(row.wrapped, wrap_aad)
        for identity in self.changed_identities():
            with pytest.raises(Tampered):
                KEYRING.unwrap(row.wrapped, identity.wrap_aad(row.size, row.sha256))
            with pytest.raises(Tampered):
                SmallStream(data_key, identity.aad(), row.stream).open()

    def test_another_size_or_checksum_in_the_row_is_refused(self) -> None:
        row = self.FIRST
        for size, checksum in ((row.size + 1, row.sha256), (0, row.sha256), (row.size, "00" * 32)):
            with pytest.raises(Tampered):
                fetched(Row(row.identity, size, checksum, row.wrapped, row.commitment, row.stream))

    def test_the_stream_of_another_file_project_or_family_is_refused(self) -> None:
        row = self.FIRST
        for other in self.OTHERS:
            with pytest.raises(Tampered):
                fetched(Row(row.identity, row.size, row.sha256, row.wrapped, row.commitment, other.stream))

    def test_the_stream_and_key_of_another_file_project_or_family_are_refused(self) -> None:
        row = self.FIRST
        for other in self.OTHERS:
            with pytest.raises(Tampered):
                fetched(Row(row.identity, other.size, other.sha256, other.wrapped, other.commitment, other.stream))

    def test_another_commitment_is_refused(self) -> None:
        row = self.FIRST
        for claimed in (self.OTHERS[0].commitment, bytes(32), b"", row.commitment[:-1]):
            with pytest.raises(Tampered, match="commitment"):
                fetched(Row(row.identity, row.size, row.sha256, row.wrapped, claimed, row.stream))

    def test_a_change_of_any_byte_of_the_wrapped_key_is_refused(self) -> None:
        row = self.FIRST
        for place in range(len(row.wrapped.blob)):
            forged = bytearray(row.wrapped.blob)
            forged[place] ^= 1
            wrapped = WrappedKey(row.wrapped.kek_id, bytes(forged))
            with pytest.raises(Tampered, match='master key "k1"'):
                fetched(Row(row.identity, row.size, row.sha256, wrapped, row.commitment, row.stream))
        for length in (0, 11, 28, 59):
            with pytest.raises(Tampered, match="60 bytes"):
                KEYRING.unwrap(WrappedKey("k1", row.wrapped.blob[:length]), b"")
