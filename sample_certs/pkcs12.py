"""PKCS#12 as `cryptography` cannot write it: any password, several keys, a false work factor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from asn1crypto import cms, core, keys, pkcs12

from sample_certs import pbe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sample_certs.issuing import Identity


def pkcs12_of(identities: Mapping[str, Identity], password: str) -> bytes:
    """Return a PKCS#12 (RFC 7292) with these keys and certificates under their friendly names."""
    certificates = pkcs12.SafeContents([_certificate_bag(alias, one) for alias, one in identities.items()])
    private = pkcs12.SafeContents([_key_bag(alias, one, password) for alias, one in identities.items()])
    safe = pkcs12.AuthenticatedSafe([_encrypted(certificates.dump(), password), _plain(private.dump())]).dump()
    mac = {
        "mac": {"digest_algorithm": {"algorithm": "sha1"}, "digest": pbe.authenticate(safe, password)},
        "mac_salt": pbe.SALT,
        "iterations": pbe.ITERATIONS,
    }
    pfx: bytes = pkcs12.Pfx({"version": "v3", "auth_safe": _plain(safe), "mac_data": mac}).dump()
    return pfx


def with_iterations(data: bytes, iterations: int) -> bytes:
    """Return the PKCS#12 claiming that its MAC key takes so many iterations; the MAC is not made again."""
    pfx = pkcs12.Pfx.load(data)
    pfx["mac_data"]["iterations"] = iterations
    changed: bytes = pfx.dump(force=True)
    return changed


def _plain(content: bytes) -> cms.ContentInfo:
    return cms.ContentInfo({"content_type": "data", "content": content})


def _encrypted(content: bytes, password: str) -> cms.ContentInfo:
    info = {
        "content_type": "data",
        "content_encryption_algorithm": _algorithm(),
        "encrypted_content": pbe.encrypt(content, password),
    }
    data = cms.EncryptedData({"version": "v0", "encrypted_content_info": info})
    return cms.ContentInfo({"content_type": "encrypted_data", "content": data})


def _key_bag(alias: str, identity: Identity, password: str) -> pkcs12.SafeBag:
    shrouded = keys.EncryptedPrivateKeyInfo(
        {"encryption_algorithm": _algorithm(), "encrypted_data": pbe.encrypt(identity.pkcs8, password)}
    )
    return _bag("pkcs8_shrouded_key_bag", shrouded, alias, identity)


def _certificate_bag(alias: str, identity: Identity) -> pkcs12.SafeBag:
    certificate = pkcs12.CertBag({"cert_id": "x509", "cert_value": core.ParsableOctetString(identity.der)})
    return _bag("cert_bag", certificate, alias, identity)


def _bag(kind: str, value: core.Asn1Value, alias: str, identity: Identity) -> pkcs12.SafeBag:
    names = [
        {"type": "friendly_name", "values": [alias]},
        {"type": "local_key_id", "values": [hashlib.sha1(identity.der).digest()]},
    ]
    return pkcs12.SafeBag({"bag_id": kind, "bag_value": value, "bag_attributes": names})


def _algorithm() -> dict[str, object]:
    return {
        "algorithm": "pkcs12_sha1_tripledes_3key",
        "parameters": {"salt": pbe.SALT, "iterations": pbe.ITERATIONS},
    }
