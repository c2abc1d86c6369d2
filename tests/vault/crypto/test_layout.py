"""The lengths of a sealed stream follow from the plaintext's, and only those lengths are taken."""

from __future__ import annotations

import pytest

from vault.crypto.layout import Layout, plain_size, sealed_size
from vault.errors import Truncated

from .support import BORDER_SIZES, SMALL


class TestSealedSize:
    @pytest.mark.parametrize(
        ("plain", "stored"),
        [
            (0, 56),
            (1, 57),
            (65480, 65536),
            (65481, 65553),
            (131000, 131072),
            (131001, 131089),
            (5 * 2**20, 5 * 2**20 + 40 + 16 * 81),
        ],
    )
    def test_is_the_header_the_plaintext_and_a_tag_for_each_segment(self, plain: int, stored: int) -> None:
        assert sealed_size(plain) == stored

    def test_has_an_empty_segment_for_the_empty_file_only(self) -> None:
        layout = Layout(SMALL)
        assert [layout.segments(layout.sealed_size(plain)) for plain in (0, 1, 72, 73, 184, 185)] == [1, 1, 1, 2, 2, 3]


class TestPlainSize:
    @pytest.mark.parametrize("plain", [*BORDER_SIZES, 5_000_000, 2**40])
    def test_gives_back_what_was_sealed(self, plain: int) -> None:
        assert plain_size(sealed_size(plain)) == plain

    def test_takes_no_length_that_no_file_is_sealed_to(self) -> None:
        layout = Layout(SMALL)
        possible = {layout.sealed_size(plain): plain for plain in range(500)}
        for length in range(max(possible)):
            if length in possible:
                assert layout.plain_size(length) == possible[length]
            else:
                with pytest.raises(Truncated, match=str(length)):
                    layout.plain_size(length)

    def test_takes_no_more_segments_than_the_nonce_can_count(self) -> None:
        longest = 2**32 * 65536
        assert plain_size(longest) == longest - 40 - 16 * 2**32
        with pytest.raises(Truncated):
            plain_size(longest + 17)


class TestSegmentPlaces:
    def test_each_plain_byte_lies_in_the_segment_that_begins_before_it(self) -> None:
        layout = Layout(SMALL)
        starts = [layout.start(index) for index in range(4)]
        assert starts == [0, 72, 184, 296]
        for offset in range(296):
            index = layout.index_of(offset)
            assert starts[index] <= offset < starts[index + 1]

    def test_a_segment_must_have_room_for_the_header_and_a_byte(self) -> None:
        assert Layout(57).sealed_size(1) == 57
        with pytest.raises(ValueError, match="56 bytes"):
            Layout(56)
