"""Writes DER by hand, for the files that no tool would make."""

from __future__ import annotations

import struct


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element in DER."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def octets(content: bytes) -> bytes:
    return tlv(0x04, content)


def explicit(number: int, content: bytes) -> bytes:
    return tlv(0xA0 | number, content)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    encoded = bytearray()
    for arc in (40 * first + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        encoded += bytes(reversed(septets))
    return tlv(0x06, bytes(encoded))


def name(*values: str) -> bytes:
    """Return a Name with one CN for each value."""
    return seq(*(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, value.encode()))) for value in values))


def certificate(
    subject: bytes | None = None,
    serial: bytes = b"\x02\x01\x07",
    expires: bytes = b"\x17\x0d340102030405Z",
    extensions: bytes = b"",
) -> bytes:
    """Return a certificate whose key and signature are nothing."""
    algorithm = seq(oid("1.2.840.10045.4.3.2"))
    validity = seq(b"\x17\x0d240101000000Z", expires)
    key = seq(algorithm, tlv(0x03, b"\0"))
    named = name("x") if subject is None else subject
    tbs = seq(explicit(0, integer(2)), serial, algorithm, named, validity, named, key, extensions)
    return seq(tbs, algorithm, tlv(0x03, b"\0"))


def signed_data(content: bytes, *certificates: bytes) -> bytes:
    """Return CMS signed data that nobody signed."""
    info = seq(oid("1.2.840.113549.1.7.1"), explicit(0, octets(content)))
    fields = (integer(1), tlv(0x31), info, tlv(0xA0, *certificates), tlv(0x31))
    return seq(oid("1.2.840.113549.1.7.2"), explicit(0, seq(*fields)))


def data_info(content: bytes) -> bytes:
    """Return a ContentInfo of plain data."""
    return seq(oid("1.2.840.113549.1.7.1"), explicit(0, octets(content)))


def encrypted_info(scheme: bytes, content: bytes = b"\0" * 32) -> bytes:
    """Return a ContentInfo of encrypted data."""
    inner = seq(oid("1.2.840.113549.1.7.1"), scheme, tlv(0x80, content))
    return seq(oid("1.2.840.113549.1.7.6"), explicit(0, seq(integer(0), inner)))


def pbes2(kdf: bytes) -> bytes:
    """Return the AlgorithmIdentifier of PBES2 with AES-256-CBC."""
    cipher = seq(oid("2.16.840.1.101.3.4.1.42"), octets(bytes(16)))
    return seq(oid("1.2.840.113549.1.5.13"), seq(kdf, cipher))


def pbkdf2(iterations: int) -> bytes:
    return seq(oid("1.2.840.113549.1.5.12"), seq(octets(b"saltsalt"), integer(iterations)))


def scrypt(n: int, r: int, p: int) -> bytes:
    return seq(oid("1.3.6.1.4.1.11591.4.11"), seq(octets(b"salt"), integer(n), integer(r), integer(p)))


def pbe_sha1_3des(iterations: int) -> bytes:
    return seq(oid("1.2.840.113549.1.12.1.3"), seq(octets(b"saltsalt"), integer(iterations)))


def pfx(*infos: bytes, mac_iterations: int | None = None) -> bytes:
    """Return a PKCS#12 of these safes; its MAC, where it has one, fits no password."""
    parts = [integer(3), data_info(seq(*infos))]
    if mac_iterations is not None:
        digest = seq(seq(oid("2.16.840.1.101.3.4.2.1")), octets(bytes(32)))
        parts.append(seq(digest, octets(b"saltsalt"), integer(mac_iterations)))
    return seq(*parts)


def bag(kind: int, value: bytes, friendly_name: str = "") -> bytes:
    """Return a SafeBag of the kind 1.2.840.113549.1.12.10.1.`kind`."""
    label = seq(oid("1.2.840.113549.1.9.20"), tlv(0x31, tlv(0x1E, friendly_name.encode("utf-16-be"))))
    return seq(
        oid(f"1.2.840.113549.1.12.10.1.{kind}"), explicit(0, value), *([tlv(0x31, label)] if friendly_name else [])
    )


def certificate_bag(encoding: bytes, friendly_name: str = "") -> bytes:
    return bag(3, seq(oid("1.2.840.113549.1.9.22.1"), explicit(0, octets(encoding))), friendly_name)


def jks(*entries: bytes, count: int | None = None, magic: bytes = b"\xfe\xed\xfe\xed") -> bytes:
    """Return a keystore with a digest that fits no password; `count` may lie."""
    return magic + struct.pack(">II", 2, len(entries) if count is None else count) + b"".join(entries) + bytes(20)


def jks_trusted(alias: bytes, encoding: bytes, claimed: int | None = None) -> bytes:
    """Return a trusted certificate's entry; `claimed` is the length it says it has."""
    length = len(encoding) if claimed is None else claimed
    return _jks_head(2, alias) + b"\0\x05X.509" + struct.pack(">I", length) + encoding


def jks_key(alias: bytes, *chain: bytes, claimed: int | None = None) -> bytes:
    """Return a private key's entry; `claimed` is the number of certificates it says it has."""
    count = struct.pack(">I", len(chain) if claimed is None else claimed)
    certificates = b"".join(b"\0\x05X.509" + struct.pack(">I", len(one)) + one for one in chain)
    return _jks_head(1, alias) + struct.pack(">I", 4) + b"keyy" + count + certificates


def _jks_head(tag: int, alias: bytes) -> bytes:
    return struct.pack(">IH", tag, len(alias)) + alias + bytes(8)
