"""Private keys that are worthless on purpose: anybody can derive them again from the sentence below.

So a sample can be published, and made again with the same key and, where the format has no random salt, to the byte.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SENTENCE = "This key is worthless, it signs samples only: "
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % divisor for divisor in range(3, int(n**0.5) + 1, 2))]


def derived_number(purpose: str, bits: int) -> int:
    """Return the number of up to `bits` bits (a multiple of 8) that belongs to `purpose`, always the same."""
    return int.from_bytes(hashlib.shake_256((SENTENCE + purpose).encode()).digest(bits // 8))


def ec_key(purpose: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of `purpose`."""
    return ec.derive_private_key(derived_number(purpose, 248), ec.SECP256R1())


@lru_cache
def rsa_key(purpose: str) -> rsa.RSAPrivateKey:
    """Return the RSA-2048 key of `purpose`. Takes some 0.1 s the first time."""
    exponent = 65537
    p, q = (_prime_from(derived_number(f"{purpose}, {half} prime", 1024), exponent) for half in ("first", "second"))
    private = pow(exponent, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(
        p,
        q,
        private,
        rsa.rsa_crt_dmp1(private, p),
        rsa.rsa_crt_dmq1(private, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(exponent, p * q),
    ).private_key()


def _prime_from(number: int, exponent: int) -> int:
    # The two top bits make the product of two such primes exactly 2048 bits long.
    number |= 3 << 1022 | 1
    while not _looks_prime(number) or number % exponent == 1:
        number += 2
    return number


def _looks_prime(number: int) -> bool:
    # Fermat's test is enough: `private_key()` checks both primes properly and refuses others.
    return all(number % prime for prime in _SMALL_PRIMES) and pow(2, number - 1, number) == 1
