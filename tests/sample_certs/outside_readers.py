"""When a sample expires, as told by programs that share no code with the script which made it."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jks
import pytest
from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path

    from sample_certs.catalogue import Sample

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def run(program: str, *arguments: str | Path, stdin: bytes = b"", ok: bool = True) -> bytes:
    """Return what the program prints; `ok` says whether it is expected to succeed. Skips where it is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    done = subprocess.run([program, *arguments], input=stdin, capture_output=True, check=False, timeout=60)
    assert (done.returncode == 0) is ok, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout


def expiry(sample: Sample, path: Path) -> datetime:
    """Return when the sample ends: a profile by its own date, all others by the key's or the first certificate."""
    if path.suffix == ".mobileprovision":
        content = run("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", path)
        ends: datetime = plistlib.loads(content)["ExpirationDate"]
        return ends.replace(tzinfo=UTC)
    if path.suffix == ".bks":
        return _end_in_bks(path, sample.password or "")
    return min(_end_of(pem) for pem in _PEM.findall(_certificates(sample, path)))


def _certificates(sample: Sample, path: Path) -> bytes:
    if path.suffix in {".cer", ".CER", ".crt", ".pem"}:
        return run("openssl", "x509", "-in", path)
    if path.suffix == ".p7b":
        return run("openssl", "pkcs7", "-inform", "DER", "-print_certs", "-in", path)
    if path.read_bytes().startswith(b"\xfe\xed\xfe\xed"):
        return run("keytool", "-list", "-rfc", "-keystore", path, "-storepass", sample.password or "")
    return run("openssl", "pkcs12", "-in", path, "-passin", f"pass:{sample.password}", "-nokeys", "-clcerts")


def _end_of(pem: bytes) -> datetime:
    printed = run("openssl", "x509", "-noout", "-enddate", stdin=pem).decode()
    return datetime.strptime(printed.strip(), "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)


def _end_in_bks(path: Path, password: str) -> datetime:
    # keytool reads this format with Bouncy Castle's provider only, which few machines have; pyjks checks its MAC too.
    store = jks.bks.BksKeyStore.load(str(path), password)
    (entry,) = store.sealed_keys.values()
    assert entry.is_decrypted()
    return x509.load_der_x509_certificate(entry.cert_chain[0].cert).not_valid_after_utc
