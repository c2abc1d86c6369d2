"""What a file tells of others that belong to it: the keys it holds, and whether it issues certificates."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import jks
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from parsers import read_here
from tests.parsers import building as b

CORPUS = Path(__file__).parent / "corpus"
SAMPLES = Path(__file__).parents[2] / "sample_certs" / "files"
ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
BROKEN = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def metadata(data: bytes, name: str = "x", password: str | None = "secret") -> dict[str, Any]:
    found = read_here(name, data, password).metadata
    assert found is not None
    return found


def digest(key: Any) -> str:
    """Return the fingerprint of a public key, as another library encodes it."""
    encoding = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoding).digest().hex(":").upper()


class TestKeystores:
    @pytest.mark.parametrize("name", ["several.jks", "several.keystore", "bc.bks"])
    def test_tell_the_public_half_of_each_private_key(self, name: str) -> None:
        """One for each entry of that kind, in their order, the speaking certificate's among them."""
        found = metadata((CORPUS / name).read_bytes(), name)

        keys = [entry for entry in found["entries"] if entry["kind"] == "private_key"]
        assert len(set(found["public_keys_sha256"])) == len(keys)
        assert found["public_key_sha256"] in found["public_keys_sha256"]

    def test_tell_what_another_library_says(self) -> None:
        data = (CORPUS / "several.jks").read_bytes()
        chains = [entry.cert_chain for entry in jks.KeyStore.loads(data, "secret").private_keys.values()]

        expected = {digest(x509.load_der_x509_certificate(chain[0][1]).public_key()) for chain in chains}
        assert set(metadata(data)["public_keys_sha256"]) == expected

    def test_a_trust_store_holds_none(self) -> None:
        assert metadata((CORPUS / "trust_jks.jks").read_bytes())["public_keys_sha256"] == []

    def test_a_key_without_a_certificate_is_not_known(self) -> None:
        assert metadata((CORPUS / "openssl_key_alone.p12").read_bytes())["public_keys_sha256"] == []


class TestPem:
    CERTIFICATE = (CORPUS / "leaf.pem").read_bytes()
    KEY = (CORPUS / "rsa.key").read_bytes()

    def test_a_certificate_alone_tells_of_no_key(self) -> None:
        assert "public_keys_sha256" not in metadata(self.CERTIFICATE)

    @pytest.mark.parametrize("key_first", [True, False])
    def test_a_key_beside_a_certificate_is_told_by_its_public_half(self, *, key_first: bool) -> None:
        """Its own, which need not be the certificate's."""
        data = self.KEY + self.CERTIFICATE if key_first else self.CERTIFICATE + self.KEY

        found = metadata(data)

        assert found["kind"] == "certificate"
        assert found["public_keys_sha256"] == [digest(load_pem_private_key(self.KEY, None).public_key())]

    def test_an_encrypted_key_passes_for_the_certificates(self) -> None:
        """It cannot be looked into, and nobody puts another one there."""
        found = metadata(self.CERTIFICATE + ENCRYPTED)

        assert found["public_keys_sha256"] == [found["public_key_sha256"]]

    def test_a_broken_key_does_not_hide_the_certificate(self) -> None:
        found = metadata(self.CERTIFICATE + BROKEN)

        assert found["expires_at"]
        assert found["public_keys_sha256"] == []

    def test_of_thousands_of_keys_five_hundred_are_told(self) -> None:
        found = metadata(self.CERTIFICATE + (CORPUS / "AuthKey_ABCDEFGHIJ.p8").read_bytes() * 3000)

        assert len(found["public_keys_sha256"]) == 500


class TestIssuers:
    def test_are_told_by_the_certificate_itself(self) -> None:
        """Of a chain the same ones as by another library, which are the last two."""
        chain = x509.load_pem_x509_certificates((SAMPLES / "chain.pem").read_bytes())
        expected = [each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for each in chain]

        assert [metadata(each.public_bytes(Encoding.DER))["is_ca"] for each in chain] == expected
        assert expected == [False, True, True]

    @pytest.mark.parametrize(
        "extensions",
        [
            b"",
            b.explicit(3, b.seq()),
            b.explicit(3, b.octets(b"\xff")),
            b.explicit(3, b.seq(b.seq(b.oid("2.5.29.19")))),
            b.explicit(3, b.seq(b.seq(b.oid("2.5.29.19"), b.octets(b"")))),
            b.explicit(3, b.seq(b.seq(b.oid("2.5.29.19"), b.octets(b"\x30\x7f")))),
            b.explicit(3, b.seq(b.seq(b.oid("2.5.29.19"), b.octets(b.seq())))),
            b.explicit(3, b.seq(*[b.seq(b.oid("1.2.3"), b.octets(b""))] * 1000)),
        ],
    )
    def test_who_does_not_say_so_is_none(self, extensions: bytes) -> None:
        """No extensions, none that fits, or nonsense in their place: the rest is read all the same."""
        assert metadata(b.certificate(extensions=extensions))["is_ca"] is False
