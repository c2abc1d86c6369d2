"""Certificates and requests as signing services issue them, each marked as a sample inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sample_certs.keys import PrivateKey, derived_number

_NETSCAPE_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
_COMMENT = "Sample for Secure Files Vault. Worthless: its private key is public."
_YEAR = timedelta(days=365)

_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "UID": NameOID.USER_ID,
    "DC": NameOID.DOMAIN_COMPONENT,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}


@dataclass(frozen=True)
class Identity:
    """A private key, its certificate, and the certificates above it, nearest first."""

    key: PrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificate and all above it."""
        return [self.certificate, *self.above]

    @property
    def chain_der(self) -> list[bytes]:
        """The chain, each as DER."""
        return [certificate.public_bytes(Encoding.DER) for certificate in self.chain]

    @property
    def pkcs8(self) -> bytes:
        """The private key as unencrypted PKCS#8 DER."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def attribute(key: str, value: str) -> x509.NameAttribute[str]:
    """Return one attribute of a name, `key` being OpenSSL's short name."""
    return x509.NameAttribute(_OIDS[key], value)


def name(*pairs: tuple[str, str]) -> x509.Name:
    """Return the name with these attributes in this order, each in an RDN of its own."""
    return x509.Name([attribute(key, value) for key, value in pairs])


def issue(
    subject: x509.Name,
    key: PrivateKey,
    made: datetime,
    until: datetime,
    *,
    issuer: Identity | None = None,
    authority: bool = False,
    serial: int | None = None,
) -> Identity:
    """Issue a certificate good until `until`, from a year before that or from a day before `made`, what is earlier.

    Without an `issuer` it signs itself. The serial, unless given, follows from the subject.
    """
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or derived_number(f"serial of {subject.rfc4514_string()}", 120))
        .not_valid_before(min(made - timedelta(days=1), until - _YEAR))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(_comment(), critical=False)
    )
    signer = issuer.key if issuer else key
    signed = certificate.sign(signer, hashes.SHA256(), ecdsa_deterministic=_deterministic(signer))
    return Identity(key, signed, tuple(issuer.chain) if issuer else ())


def request(subject: x509.Name, key: PrivateKey) -> x509.CertificateSigningRequest:
    """Return a request for a certificate with this subject."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=_deterministic(key))


def _comment() -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(_NETSCAPE_COMMENT, core.IA5String(_COMMENT).dump())


def _deterministic(key: PrivateKey) -> bool | None:
    return True if isinstance(key, ec.EllipticCurvePrivateKey) else None
