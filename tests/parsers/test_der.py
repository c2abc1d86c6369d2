"""The ASN.1 walker reads DER and BER, and believes no length."""

from __future__ import annotations

import pytest

from parsers import der
from parsers.interface import Unreadable
from tests.parsers import building as b


class TestTime:
    @pytest.mark.parametrize(
        ("tag", "text", "moment"),
        [
            (0x17, b"500101000000Z", "1950-01-01T00:00:00.000Z"),
            (0x17, b"491231235959Z", "2049-12-31T23:59:59.000Z"),
            (0x17, b"2401020304Z", "2024-01-02T03:04:00.000Z"),
            (0x17, b"240102030405+0130", "2024-01-02T01:34:05.000Z"),
            (0x17, b"240102030405-0130", "2024-01-02T04:34:05.000Z"),
            (0x18, b"99991231235959Z", "9999-12-31T23:59:59.000Z"),
            (0x18, b"20240102030405.678Z", "2024-01-02T03:04:05.000Z"),
        ],
    )
    def test_is_utc_with_milliseconds(self, tag: int, text: bytes, moment: str) -> None:
        """Both types, with and without seconds, fractions and offsets."""
        assert der.time(der.load(b.tlv(tag, text))) == moment

    @pytest.mark.parametrize(
        "text", [b"", b"20241301000000Z", b"2024010100000zZ", b"99991231235959-0100", b"\xff" * 15]
    )
    def test_nonsense_is_malformed(self, text: bytes) -> None:
        """A month 13, letters, a moment beyond the year 9999."""
        with pytest.raises(Unreadable, match="malformed"):
            der.time(der.load(b.tlv(0x18, text)))


class TestLoad:
    def test_more_length_than_data_is_truncated(self) -> None:
        """A file that was cut short says so by its own length."""
        with pytest.raises(Unreadable, match="truncated"):
            der.load(b.seq(b.integer(1))[:-1])

    def test_an_indefinite_length_ends_at_its_end_mark(self) -> None:
        """BER, as Keychain and Bouncy Castle write it."""
        node = der.load(b"\x30\x80\x02\x01\x07\x00\x00rest")

        assert [der.integer(child) for child in der.children(node)] == [7]
        assert node.after == 7

    def test_an_indefinite_length_without_an_end_is_truncated(self) -> None:
        """The end mark is all there is to tell a whole one."""
        with pytest.raises(Unreadable, match="truncated"):
            der.load(b"\x30\x80\x02\x01\x07\x00")

    def test_an_inner_length_beyond_the_outer_is_malformed(self) -> None:
        """That is damage, and not a cut."""
        with pytest.raises(Unreadable, match="malformed"):
            list(der.children(der.load(b"\x30\x03\x02\x05\x01")))


class TestOctets:
    def test_chunks_are_joined(self) -> None:
        """A streamed OCTET STRING is constructed of pieces, which may be constructed again."""
        inner = b.tlv(0x24, b.octets(b"b"), b.octets(b"c"))

        assert der.octets(der.load(b.tlv(0x24, b.octets(b"a"), inner))) == b"abc"


class TestInteger:
    @pytest.mark.parametrize("value", [0, -1, -(2**63), 2**511])
    def test_any_sign_and_size(self, value: int) -> None:
        """Serial numbers are negative, zero and 512 bits long in the wild."""
        assert der.integer(der.load(b.integer(value))) == value

    def test_what_python_would_not_print_is_malformed(self) -> None:
        """Above 4300 digits."""
        with pytest.raises(Unreadable, match="malformed"):
            der.integer(der.load(b.tlv(2, b"\1" * 2000)))


class TestOid:
    @pytest.mark.parametrize(
        "dotted", ["1.2.840.113549.1.12.10.1.3", "2.5.4.3", "0.9.2342.19200300.100.1.1", "2.999.1"]
    )
    def test_is_dotted(self, dotted: str) -> None:
        """Also where the second arc needs more than one octet."""
        assert der.oid(der.load(b.oid(dotted))) == dotted
