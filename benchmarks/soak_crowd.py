"""A crowd at once: what makes a server start all the processes it may have, so that a soak does not meet them late."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from benchmarks.dialect import Link, private
from benchmarks.soak_load import FORM, JSON, form

PASSWORD = "crowd"
ROUNDS = 400_000
"""Of key derivation: a parser reads such a file for some tenths of a second, so others wait for it."""
MEMBERS = 12


def slow_file() -> bytes:
    """Return a PKCS#12 container that takes its time to open: its certificate is sealed too."""
    key, name, day = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(day)
        .not_valid_after(day + timedelta(days=90))
        .sign(key, SHA256())
    )
    sealing = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS).build(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(b"crowd", key, certificate, None, sealing)


def crowd(port: int, token: str) -> None:
    """Upload a slow file on each of some new connections at once, which spread over the server's workers."""
    link = Link(port, private(token))
    _, _, made = link.request("POST /api/v4/projects", JSON, json.dumps({"name": "crowd"}).encode(), keep=True)
    project, content = f"/api/v4/projects/{json.loads(made)['id']}", slow_file()

    def upload(number: int) -> None:
        body = form(content, name=f"crowd-{number}.p12", password=PASSWORD)
        Link(port, private(token)).request(f"POST {project}/secure_files", FORM, body)

    members = [threading.Thread(target=upload, args=(number,)) for number in range(MEMBERS)]
    for member in members:
        member.start()
    for member in members:
        member.join()
    link.request(f"DELETE {project}")
