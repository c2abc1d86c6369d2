"""X.500 names become what GitLab shows, where GitLab has an answer."""

from __future__ import annotations

import pytest

from parsers import der
from parsers.interface import Unreadable
from parsers.names import SHORT_NAMES, Name, read_name
from tests.parsers import building as b


def _name(*pairs: tuple[str, int, bytes]) -> Name:
    rdns = (b.tlv(0x31, b.seq(b.oid(kind), b.tlv(tag, value))) for kind, tag, value in pairs)
    return read_name(der.load(b.seq(*rdns)))


class TestFlatten:
    def test_a_repeated_attribute_is_the_one_encoded_first(self) -> None:
        """GitLab's outcome for two OUs."""
        name = _name(("2.5.4.11", 0x0C, b"first"), ("2.5.4.11", 0x0C, b"second"))

        assert name.flatten() == {"OU": "first"}

    def test_an_attribute_without_a_short_name_keeps_its_oid(self) -> None:
        """Its value is text all the same."""
        assert _name(("1.2.3.4", 0x0C, "é".encode())).flatten() == {"1.2.3.4": "é"}

    def test_a_value_that_is_no_string_is_hex_of_its_encoding(self) -> None:
        """As openssl and GitLab print it."""
        assert _name(("2.5.4.3", 0x03, b"\0\1")).flatten() == {"CN": "#03020001"}

    def test_an_empty_name_is_an_empty_object(self) -> None:
        """Neither null nor a key without a name."""
        assert _name().flatten() == {}

    def test_an_empty_value_is_kept(self) -> None:
        """GitLab loses the whole name over one."""
        assert _name(("2.5.4.3", 0x0C, b""), ("2.5.4.10", 0x0C, b"O")).flatten() == {"CN": "", "O": "O"}

    @pytest.mark.parametrize(
        ("tag", "encoded"),
        [
            (0x0C, "Müller".encode()),
            (0x13, "Müller".encode("latin-1")),
            (0x14, "Müller".encode("latin-1")),
            (0x1E, "Müller".encode("utf-16-be")),
            (0x1C, "Müller".encode("utf-32-be")),
            (0x0C, "Müller".encode("latin-1")),
        ],
    )
    def test_every_string_type_becomes_the_same_text(self, tag: int, encoded: bytes) -> None:
        """UTF8String, PrintableString, T61String, BMPString, UniversalString, and Latin-1 that calls itself UTF-8."""
        assert _name(("2.5.4.3", tag, encoded)).flatten() == {"CN": "Müller"}

    @pytest.mark.parametrize(
        ("oid", "short"),
        [("2.5.4.4", "SN"), ("2.5.4.5", "serialNumber"), ("2.5.4.9", "street"), ("2.5.4.42", "GN"),
         ("0.9.2342.19200300.100.1.25", "DC"), ("0.9.2342.19200300.100.1.1", "UID"),
         ("1.2.840.113549.1.9.1", "emailAddress"), ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
         ("2.5.4.97", "organizationIdentifier"), ("1.2.643.3.131.1.1", "INN"), ("1.2.643.100.1", "OGRN"),
         ("2.5.4.45", "x500UniqueIdentifier")],
    )  # fmt: skip
    def test_the_keys_are_openssls_short_names(self, oid: str, short: str) -> None:
        """Those that other libraries call otherwise."""
        assert SHORT_NAMES[oid] == short


class TestRfc4514:
    def test_keeps_what_the_flat_object_loses(self) -> None:
        """Repeated attributes, the order, and everything that has a meaning in the text."""
        name = _name(("2.5.4.10", 0x0C, b"Apple, Inc."), ("2.5.4.11", 0x0C, b"#1"), ("2.5.4.11", 0x0C, b" a+b "))

        assert name.rfc4514() == "OU=\\ a\\+b\\ ,OU=\\#1,O=Apple\\, Inc."


class TestReadName:
    @pytest.mark.parametrize(
        "broken", [b"\x31\x00", b"\x30\x02\x30\x00", b"\x30\x04\x31\x02\x30\x00", b"\x30\x02\x31\x05"]
    )
    def test_refuses_what_is_no_name(self, broken: bytes) -> None:
        """With the one error that every parser raises."""
        with pytest.raises(Unreadable, match="malformed"):
            read_name(der.load(broken))
