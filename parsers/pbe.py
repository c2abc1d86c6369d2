"""Password-based encryption as PKCS#12 files use it: PBES2 (RFC 8018) and PKCS#12's own schemes (RFC 7292).

An algorithm is first read, which costs nothing and tells its `work`; only then is it run.
A password is text; None is "no password at all", which PKCS#12's derivation distinguishes from an empty one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from parsers import der
from parsers.interface import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, IV, MAC = 1, 2, 3
"""Purposes of derived bytes (RFC 7292 B.3)."""

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
_HMACS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.12": "sha512_224",
    "1.2.840.113549.2.13": "sha512_256",
}
_MAX_KEY = 1024
_SCRYPT_MEMORY = 64 * 1024 * 1024


class Derivation(Protocol):
    """A key derivation function with its parameters."""

    @property
    def work(self) -> int:
        """Rounds that it takes."""

    @property
    def key_size(self) -> int | None:
        """The size that the parameters ask for; None where the cipher tells it."""

    def derive(self, password: str | None, size: int) -> bytes:
        """Return `size` bytes."""


class Scheme(Protocol):
    """An encryption with its parameters."""

    @property
    def work(self) -> int:
        """Rounds of key derivation that it takes."""

    def decrypt(self, password: str | None, data: bytes) -> bytes:
        """Return the plaintext. Raises `Unreadable("password_wrong")` when the padding is wrong."""


def read_scheme(algorithm: der.Node) -> Scheme:
    """Read the AlgorithmIdentifier of an encryption. Raises `Unreadable`: "unsupported" or "malformed"."""
    oid, parameters = algorithm_identifier(algorithm)
    if parameters is None:
        raise Unreadable("unsupported")
    if oid == _PBES2:
        kdf, encryption = _pair(parameters)
        return _Pbes2(*_read_cipher(encryption), read_derivation(kdf))
    if oid not in _PKCS12_CIPHERS:
        raise Unreadable("unsupported")
    salt, iterations = _pair(parameters)
    return _Pkcs12Scheme(*_PKCS12_CIPHERS[oid], der.octets(salt), positive(iterations))


def read_derivation(algorithm: der.Node) -> Derivation:
    """Read the AlgorithmIdentifier of a key derivation. Raises `Unreadable`: "unsupported" or "malformed"."""
    oid, parameters = algorithm_identifier(algorithm)
    if parameters is None or oid not in (_PBKDF2, _SCRYPT):
        raise Unreadable("unsupported")
    if oid == _SCRYPT:
        salt, n, r, p = der.sequence(parameters, 4)[:4]
        return _Scrypt(der.octets(salt), positive(n), positive(r), positive(p))
    salt, iterations, *options = der.sequence(parameters, 2)
    sizes = [positive(option) for option in options if option.tag == der.INTEGER]
    return _Pbkdf2(der.octets(salt), positive(iterations), _prf(options), min(sizes[0], _MAX_KEY) if sizes else None)


def algorithm_identifier(node: der.Node) -> tuple[str, der.Node | None]:
    """Return an AlgorithmIdentifier's OID and parameters."""
    parts = der.sequence(node, 1)
    return der.oid(parts[0]), parts[1] if len(parts) > 1 else None


def hmac_digest(algorithm: der.Node) -> str:
    """Return the hash of an HMAC's AlgorithmIdentifier. Raises `Unreadable("unsupported")`."""
    name = _HMACS.get(algorithm_identifier(algorithm)[0])
    if name is None:
        raise Unreadable("unsupported")
    return name


def positive(node: der.Node) -> int:
    """Return an INTEGER that must be at least 1. Raises `Unreadable("malformed")`."""
    value = der.integer(node)
    if value < 1:
        raise Unreadable("malformed")
    return value


def derive_pkcs12(digest: str, purpose: int, password: str | None, salt: bytes, iterations: int, size: int) -> bytes:
    """Return `size` bytes as RFC 7292 B.2 derives them, from the password as a BMPString."""
    hashed: Callable[[bytes], hashlib._Hash] = getattr(hashlib, digest)
    block = hashed(b"").block_size
    secret = b"" if password is None else password.encode("utf-16-be", "surrogatepass") + b"\0\0"
    blocks = _repeated(salt, block) + _repeated(secret, block)
    derived = b""
    while len(derived) < size:
        value = hashed(bytes([purpose]) * block + blocks).digest()
        for _ in range(iterations - 1):
            value = hashed(value).digest()
        derived += value
        blocks = _advanced(blocks, (value * block)[:block])
    return derived[:size]


def _repeated(data: bytes, block: int) -> bytes:
    if not data:
        return b""
    size = -(-len(data) // block) * block
    return (data * (size // len(data) + 1))[:size]


def _advanced(blocks: bytes, step: bytes) -> bytes:
    size, added = len(step), int.from_bytes(step, "big") + 1
    return b"".join(
        ((int.from_bytes(blocks[at : at + size], "big") + added) % (1 << 8 * size)).to_bytes(size, "big")
        for at in range(0, len(blocks), size)
    )


@dataclass(frozen=True)
class _Pbkdf2:
    salt: bytes
    work: int
    digest: str
    key_size: int | None

    def derive(self, password: str | None, size: int) -> bytes:
        return hashlib.pbkdf2_hmac(self.digest, _utf8(password), self.salt, self.work, size)


@dataclass(frozen=True)
class _Scrypt:
    salt: bytes
    n: int
    r: int
    p: int
    key_size: int | None = None

    @property
    def work(self) -> int:
        """About as many rounds of PBKDF2 as would take as long."""
        return 2 * self.n * self.r * self.p

    def derive(self, password: str | None, size: int) -> bytes:
        if 128 * self.r * (self.n + self.p) > _SCRYPT_MEMORY:
            raise Unreadable("work_factor_too_high")
        try:
            return hashlib.scrypt(
                _utf8(password), salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=2 * _SCRYPT_MEMORY, dklen=size
            )
        except ValueError:
            raise Unreadable("malformed") from None


@dataclass(frozen=True)
class _Pbes2:
    cipher: _CipherFunction
    key_size: int
    iv: bytes
    kdf: Derivation

    @property
    def work(self) -> int:
        return self.kdf.work

    def decrypt(self, password: str | None, data: bytes) -> bytes:
        return self.cipher(self.kdf.derive(password, self.key_size), self.iv, data)


@dataclass(frozen=True)
class _Pkcs12Scheme:
    cipher: _CipherFunction
    key_size: int
    iv_size: int
    salt: bytes
    work: int

    def decrypt(self, password: str | None, data: bytes) -> bytes:
        key = derive_pkcs12("sha1", KEY, password, self.salt, self.work, self.key_size)
        iv = derive_pkcs12("sha1", IV, password, self.salt, self.work, self.iv_size)
        return self.cipher(key, iv, data)


def _aes(key: bytes, iv: bytes, data: bytes) -> bytes:
    # A quarter of what a child would load, and most files need none of it.
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415 - as said
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    return _unpadded(decryptor.update(_whole_blocks(data, 16)), 16)


def _triple_des(key: bytes, iv: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    decryptor = Cipher(TripleDES((key + key[:8])[:24]), CBC(iv)).decryptor()
    return _unpadded(decryptor.update(_whole_blocks(data, 8)), 8)


def _rc2(key: bytes, iv: bytes, data: bytes) -> bytes:
    from Cryptodome.Cipher import ARC2  # noqa: PLC0415 - slow to load, and of use to old files alone

    bits = 8 * len(key)
    decryptor = ARC2.new(key, ARC2.MODE_CBC, iv, effective_keylen=bits)  # type: ignore[call-arg]  # noqa: S304 - old files
    return _unpadded(decryptor.decrypt(_whole_blocks(data, 8)), 8)


def _rc4(key: bytes, _iv: bytes, data: bytes) -> bytes:
    from Cryptodome.Cipher import ARC4  # noqa: PLC0415 - as above

    return ARC4.new(key).decrypt(data)


if TYPE_CHECKING:
    _CipherFunction = Callable[[bytes, bytes, bytes], bytes]

_PKCS12_CIPHERS: dict[str, tuple[_CipherFunction, int, int]] = {
    "1.2.840.113549.1.12.1.1": (_rc4, 16, 0),
    "1.2.840.113549.1.12.1.2": (_rc4, 5, 0),
    "1.2.840.113549.1.12.1.3": (_triple_des, 24, 8),
    "1.2.840.113549.1.12.1.4": (_triple_des, 16, 8),
    "1.2.840.113549.1.12.1.5": (_rc2, 16, 8),
    "1.2.840.113549.1.12.1.6": (_rc2, 5, 8),
}
_PBES2_CIPHERS: dict[str, tuple[_CipherFunction, int, int]] = {
    "2.16.840.1.101.3.4.1.2": (_aes, 16, 16),
    "2.16.840.1.101.3.4.1.22": (_aes, 24, 16),
    "2.16.840.1.101.3.4.1.42": (_aes, 32, 16),
    "1.2.840.113549.3.7": (_triple_des, 24, 8),
}


def _read_cipher(algorithm: der.Node) -> tuple[_CipherFunction, int, bytes]:
    oid, parameters = algorithm_identifier(algorithm)
    if oid not in _PBES2_CIPHERS or parameters is None:
        raise Unreadable("unsupported")
    cipher, key_size, iv_size = _PBES2_CIPHERS[oid]
    iv = der.octets(parameters)
    if len(iv) != iv_size:
        raise Unreadable("malformed")
    return cipher, key_size, iv


def _prf(options: list[der.Node]) -> str:
    """Return the hash of PBKDF2's last, optional parameter."""
    for option in options:
        if option.tag == der.SEQUENCE:
            return hmac_digest(option)
    return "sha1"


def _pair(node: der.Node) -> tuple[der.Node, der.Node]:
    first, second, *_ = der.sequence(node, 2)
    return first, second


def _utf8(password: str | None) -> bytes:
    return (password or "").encode("utf-8", "surrogatepass")


def _whole_blocks(data: bytes, size: int) -> bytes:
    if not data or len(data) % size:
        raise Unreadable("malformed")
    return data


def _unpadded(data: bytes, size: int) -> bytes:
    count = data[-1]
    if not 0 < count <= size or data[-count:] != bytes([count]) * count:
        raise Unreadable("password_wrong")
    return data[:-count]
