"""How each sample's bytes come about: one function a file, from when it is made and until when it shall be good."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from sample_certs import identities, profiles
from sample_certs.issuing import Identity, name, request
from sample_certs.keys import ec_key, rsa_key
from sample_certs.keystores import bks_of, jks_of
from sample_certs.pkcs12 import pkcs12_of, with_iterations

PASSWORD = "sample"
ANDROID_PASSWORD = "android"  # what the Android tools always use for debug.keystore
EMPTY_PASSWORD = ""


def apple_certificate(made: datetime, until: datetime) -> bytes:
    """A distribution certificate, DER."""
    return identities.apple_distribution(made, until).der


def apple_certificate_of_developer(made: datetime, until: datetime) -> bytes:
    """A development certificate, DER."""
    return identities.apple_development(made, until).der


def push_certificate(made: datetime, until: datetime) -> bytes:
    """A push certificate, PEM."""
    return identities.push_services(made, until).pem


def awkward_certificate(made: datetime, until: datetime) -> bytes:
    """A certificate with difficult names, DER."""
    return identities.awkward_name(made, until).der


def pem_chain(made: datetime, until: datetime) -> bytes:
    """A server's certificate, its issuer and the root, after a line of text."""
    chain = identities.gateway(made, until).chain
    return b"Sample for Secure Files Vault\n" + b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def certificate_bundle(made: datetime, until: datetime) -> bytes:
    """The same chain as PKCS#7, the root first."""
    return pkcs7.serialize_certificates(identities.gateway(made, until).chain[::-1], Encoding.DER)


def bundle_without_password(made: datetime, until: datetime) -> bytes:
    """The distribution certificate with its key, encrypted under the empty password."""
    return pkcs12_of({"Apple Distribution": identities.apple_distribution(made, until)}, EMPTY_PASSWORD)


def modern_bundle(made: datetime, until: datetime) -> bytes:
    """A PKCS#12 as today's tools write it: PBES2, AES-256, HMAC-SHA-256."""
    return _bundle(identities.developer_id(made, until), BestAvailableEncryption(PASSWORD.encode()))


def legacy_bundle(made: datetime, until: datetime) -> bytes:
    """A PKCS#12 as older tools wrote it: Triple-DES, HMAC-SHA-1."""
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048)
    builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(SHA1())
    return _bundle(identities.application("Sample Legacy", made, until), builder.build(PASSWORD.encode()))


def forgotten_bundle(made: datetime, until: datetime) -> bytes:
    """A PKCS#12 whose password is not given."""
    identity = identities.application("Sample Forgotten Password", made, until)
    return _bundle(identity, BestAvailableEncryption(b"forgotten"))


def java_keystore(made: datetime, until: datetime) -> bytes:
    """An upload key in a JKS."""
    return jks_of("upload", identities.android_upload(made, until), PASSWORD, made)


def pkcs12_keystore(made: datetime, until: datetime) -> bytes:
    """Two keys in the PKCS#12 that keytool writes since Java 9, whatever the name; the newer one lasts ten years."""
    newer = identities.application("Sample Release Key 2", made, made + timedelta(days=3650))
    retiring = identities.application("Sample Release Key 1", made, until)
    return pkcs12_of({"release-2": newer, "release-1": retiring}, PASSWORD)


def debug_keystore(made: datetime, until: datetime) -> bytes:
    """The key that the Android tools make on each machine."""
    return pkcs12_of({"androiddebugkey": identities.android_debug(made, until)}, ANDROID_PASSWORD)


def bouncy_castle_keystore(made: datetime, until: datetime) -> bytes:
    """One key in a BKS."""
    return bks_of("client", identities.application("Sample Client", made, until), PASSWORD, made)


def development_profile(made: datetime, until: datetime) -> bytes:
    """A profile for two devices; its developer's certificate outlives it."""
    developer = identities.apple_development(made, until + timedelta(days=30))
    return profiles.development_profile(developer, made, until)


def store_profile(made: datetime, until: datetime) -> bytes:
    """A profile for the store; its certificate outlives it."""
    distributor = identities.apple_distribution(made, until + timedelta(days=30))
    return profiles.store_profile(distributor, made, until)


def store_connect_key(_made: datetime, _until: datetime) -> bytes:
    """A P-256 key for App Store Connect, PKCS#8 PEM."""
    return ec_key("App Store Connect").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def bare_private_key(_made: datetime, _until: datetime) -> bytes:
    """An RSA key as fastlane match stores it: PEM, whatever the name says."""
    return rsa_key("Apple developer").private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def signing_request(_made: datetime, _until: datetime) -> bytes:
    """A request for a certificate, as Keychain makes them."""
    subject = name(("emailAddress", "release@example.com"), ("CN", "Sample Release"), ("C", "US"))
    return request(subject, ec_key("signing request")).public_bytes(Encoding.PEM)


def gradle_properties(_made: datetime, _until: datetime) -> bytes:
    """What a Gradle build reads to open upload-keystore.jks."""
    lines = ["# Sample for Secure Files Vault: these passwords guard nothing.", "storeFile=upload-keystore.jks"]
    lines += [f"storePassword={PASSWORD}", "keyAlias=upload", f"keyPassword={PASSWORD}", ""]
    return "\n".join(lines).encode()


def match_encrypted(made: datetime, until: datetime) -> bytes:
    """A certificate as fastlane match encrypts it for its git repository (version 2)."""
    salt = b"a sample"
    derived = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 10_000, 32 + 12 + 24)
    key, nonce, associated = derived[:32], derived[32:44], derived[44:]
    sealed = AESGCM(key).encrypt(nonce, apple_certificate(made, until), associated)
    body, tag = sealed[:-16], sealed[-16:]
    return base64.encodebytes(b"match_encrypted_v2__" + salt + tag + body)


def iteration_bomb(made: datetime, until: datetime) -> bytes:
    """A PKCS#12 whose password would take minutes to try."""
    identity = identities.application("Sample Iteration Bomb", made, until)
    return with_iterations(pkcs12_of({"bomb": identity}, PASSWORD), 2**31 - 1)


def truncated_keystore(made: datetime, until: datetime) -> bytes:
    """A JKS without the digest at its end: all certificates are there, and it is still not the whole file."""
    return java_keystore(made, until)[:-20]


def rubbish(_made: datetime, _until: datetime) -> bytes:
    """No certificate at all, but what a failed download leaves under its name."""
    return b"<!DOCTYPE html>\n<title>Sample: sign in</title>\n<p>Your session has ended. Sign in to download.\n"


def entity_bomb(made: datetime, _until: datetime) -> bytes:
    """A profile that is 3 GB of text once its entities are expanded."""
    return profiles.entity_bomb(made)


def _bundle(identity: Identity, encryption: KeySerializationEncryption) -> bytes:
    certificate = identity.certificate
    return pkcs12.serialize_key_and_certificates(
        b"sample", identity.key, certificate, list(identity.above) or None, encryption
    )
