"""What a PKCS#12 holds is told by its bags, also where no tool would have made them so."""

from __future__ import annotations

from parsers import Inspection, read_here
from tests.parsers import building as b

SOON, LATER = b"\x17\x0d300102030405Z", b"\x17\x0d340102030405Z"
SPKI_KEY = b.seq(b.integer(0))


def _certificate(name: str, expires: bytes = LATER) -> bytes:
    return b.certificate(b.name(name), expires=expires)


def _read(*bags: bytes, name: str = "x.p12") -> Inspection:
    return read_here(name, b.pfx(b.data_info(b.seq(*bags))))


class TestEntries:
    def test_a_key_is_tied_to_its_certificate_by_name(self) -> None:
        """Where there is no key id."""
        found = _read(
            b.bag(1, SPKI_KEY, "b"),
            b.certificate_bag(_certificate("A"), "a"),
            b.certificate_bag(_certificate("B"), "b"),
        )

        assert found.metadata is not None
        assert found.metadata["subject"] == {"CN": "B"}
        assert [entry["alias"] for entry in found.metadata["entries"]] == ["b"]

    def test_named_certificates_without_a_key_are_a_trust_store(self) -> None:
        """The one that expires first speaks for the file; its friendly name is the alias."""
        found = _read(
            b.certificate_bag(_certificate("A"), "late"),
            b.certificate_bag(_certificate("B", SOON), "soon"),
            name="x.bin",
        )

        assert found.metadata is not None
        assert found.expires_at == "2030-01-02T03:04:05.000Z"
        assert [(entry["alias"], entry["kind"]) for entry in found.metadata["entries"]] == [
            ("late", "trusted_certificate"),
            ("soon", "trusted_certificate"),
        ]

    def test_a_secret_has_an_alias_and_a_kind_only(self) -> None:
        """Its bag is not looked into."""
        found = _read(b.bag(5, b.seq(b.oid("1.2.3")), "aes"))

        assert found.metadata is not None
        assert found.metadata["entries"] == [{"alias": "aes", "kind": "secret_key"}]
        assert found.expires_at is None

    def test_an_unreadable_certificate_makes_the_file_unreadable(self) -> None:
        """Else an expiry would go missing without a word."""
        assert _read(b.certificate_bag(b"\x30\x03\x02\x01\x01", "a")).error == "malformed"

    def test_safes_that_no_password_opens_are_unsupported(self) -> None:
        """Enveloped data is for the owner of another private key."""
        enveloped = b.seq(b.oid("1.2.840.113549.1.7.3"), b.explicit(0, b.seq()))

        assert read_here("x.p12", b.pfx(enveloped)).error == "unsupported"
