"""The public half of a key: its algorithm, its size, and the fingerprint by which it is known.

Apart from `parsers.keys` for what this module loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_ssh_private_key,
)

from parsers import der
from parsers.fingerprints import fingerprint
from parsers.interface import Json, Unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_ALGORITHMS = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA",
    "1.2.840.10045.2.1": "EC",
    "1.2.840.10040.4.1": "DSA",
    "1.3.101.110": "X25519",
    "1.3.101.111": "X448",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}


def of_public(data: bytes) -> Json:
    """Describe a public key in DER. Raises `Unreadable`."""
    try:
        return _describe(load_der_public_key(data))
    except (ValueError, UnsupportedAlgorithm):
        raise Unreadable("malformed") from None


def of_private(data: bytes) -> Json:
    """Describe the public half of a private key in DER; nothing of an algorithm that is not known. Raises as above."""
    try:
        # The check of an RSA key's primes takes 35 ms and tells nothing that is shown.
        key = load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm:
        return {}
    except (ValueError, TypeError):
        raise Unreadable("malformed") from None
    return _describe(key.public_key())


def of_openssh(data: bytes) -> Json | None:
    """Describe the public half of OpenSSH's private key; None when it wants a password. Raises as above."""
    try:
        key = load_ssh_private_key(data, None)
    except (TypeError, UnsupportedAlgorithm):  # TypeError: it wants a password
        return None
    except ValueError:
        raise Unreadable("malformed") from None
    return _describe(key.public_key())


def _describe(key: PublicKeyTypes) -> Json:
    encoding = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    oid = der.oid(der.sequence(der.sequence(der.load(encoding), 2)[0], 1)[0])
    described: Json = {"algorithm": _ALGORITHMS.get(oid, oid), "public_key_sha256": fingerprint(encoding)}
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        described["bits"] = key.key_size
    return described
