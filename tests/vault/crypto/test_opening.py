"""Opening what is at hand: the same bytes whatever the disk makes wait for, or nothing."""

from __future__ import annotations

import pytest

from tests.vault.crypto.support import AAD, BORDER_SIZES, KEY, pattern
from vault.blobs.fetched import Fetched
from vault.crypto.layout import SEGMENT_SIZE
from vault.crypto.opening import RUN, TURN, Opening, SmallStream
from vault.crypto.streaming import seal_bytes
from vault.errors import Tampered, Truncated

STRETCH = RUN * TURN * SEGMENT_SIZE
SIZES = (*BORDER_SIZES, RUN * SEGMENT_SIZE, STRETCH - 500, STRETCH, STRETCH + 1, 3 * STRETCH + 77)


class Cold(Fetched):
    """What lies on a disk that is slow: of each piece no more than `warm` bytes are in memory."""

    def __init__(self, data: bytes, warm: int) -> None:
        super().__init__(data)
        self.warm, self.waits = warm, 0

    def read(self, target: memoryview, offset: int) -> int:
        self.waits += 1
        return super().read(target, offset)

    def read_now(self, target: memoryview, offset: int) -> int:
        return super().read(target[: self.warm], offset)


def opened(stored: Fetched) -> bytes:
    return whole(Opening(KEY, AAD, stored))


def whole(opening: Opening) -> bytes:
    plain = bytearray(opening.size + 5)  # the memory that is lent may be larger
    for fetch in opening.turns(memoryview(plain)):
        if fetch is not None:
            fetch()
    return bytes(plain[: opening.size])


@pytest.mark.parametrize("size", SIZES)
def test_files_of_every_size_are_opened(size: int) -> None:
    plain = pattern(size)
    sealed = seal_bytes(KEY, AAD, plain)

    assert opened(Fetched(sealed)) == plain
    assert SmallStream(KEY, AAD, sealed).open() == plain


@pytest.mark.parametrize("warm", [0, 1, SEGMENT_SIZE])
def test_what_is_not_in_memory_is_waited_for_once_a_run(warm: int) -> None:
    plain = pattern(STRETCH + 10)
    stored = Cold(seal_bytes(KEY, AAD, plain), warm)

    assert opened(stored) == plain
    assert stored.waits == (TURN if warm == SEGMENT_SIZE else TURN + 1)


def test_others_have_their_turn_after_each_stretch() -> None:
    opening = Opening(KEY, AAD, Fetched(seal_bytes(KEY, AAD, pattern(3 * STRETCH + 10))))

    assert list(opening.turns(memoryview(bytearray(opening.size)))) == [None] * 3


@pytest.mark.parametrize("at", [0, 40, SEGMENT_SIZE - 1, STRETCH + 3, -1])
@pytest.mark.parametrize("warm", [0, STRETCH])
def test_no_damage_is_opened(at: int, warm: int) -> None:
    sealed = bytearray(seal_bytes(KEY, AAD, pattern(STRETCH + 10)))
    sealed[at] ^= 1

    with pytest.raises(Tampered):
        opened(Cold(bytes(sealed), warm))


def test_a_length_that_no_file_has_is_refused() -> None:
    with pytest.raises(Truncated):
        Opening(KEY, AAD, Fetched(bytes(SEGMENT_SIZE + 3)))


def test_what_was_cut_off_since_the_look_is_truncated() -> None:
    stored = Fetched(seal_bytes(KEY, AAD, pattern(STRETCH + 10)))
    opening = Opening(KEY, AAD, stored)
    cut = Fetched(seal_bytes(KEY, AAD, pattern(STRETCH)))
    stored.read = stored.read_now = cut.read  # type: ignore[method-assign]

    with pytest.raises(Truncated):
        whole(opening)
