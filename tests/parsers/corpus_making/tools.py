"""The real tools, and what they say of a file: where the corpus' expected values come from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

BOUNCY_CASTLE = Path("/usr/share/java/bcprov.jar")  # Debian: libbcprov-java
KINDS = {
    "PrivateKeyEntry": "private_key",
    "keyEntry": "private_key",
    "trustedCertEntry": "trusted_certificate",
    "SecretKeyEntry": "secret_key",
}

Facts = dict[str, Any]


def run(*command: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> bytes:
    """Run a tool and return its standard output; its error output becomes the exception."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=stdin, capture_output=True, cwd=cwd, check=False)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout.decode()[-500:]} {done.stderr.decode()[-500:]}")
    return done.stdout


def openssl_says(certificate: bytes) -> Facts:
    """Return GitLab's four keys and the fingerprints as `openssl x509` prints them."""
    options = ("-noout", "-serial", "-enddate", "-dateopt", "iso_8601", "-fingerprint", "-subject", "-issuer")
    shown = run("openssl", "x509", *options, "-sha256", "-nameopt", "sname,utf8,sep_multiline", stdin=certificate)
    text = shown.decode("utf-8").replace("\\\n", "")  # long serials are wrapped
    sha1 = run("openssl", "x509", "-noout", "-fingerprint", "-sha1", stdin=certificate).decode()
    return {
        "id": str(int(_line(text, "serial"), 16)),
        "expires_at": _line(text, "notAfter").replace(" ", "T").replace("Z", ".000Z"),
        "subject": _name(text, "subject"),
        "issuer": _name(text, "issuer"),
        "sha1": _line(sha1, "sha1 Fingerprint"),
        "sha256": _line(text, "sha256 Fingerprint"),
    }


def keytool_says(store: Path, password: str, *options: str) -> list[Facts]:
    """Return the entries as keytool lists them; names by `openssl x509`, since keytool has key words of its own."""
    common = ("-keystore", store, "-storepass", password, *options)
    listed = keytool("-list", "-v", *common).decode("utf-8")
    armored = keytool("-list", "-rfc", *common).decode("utf-8")
    return [
        _entry(entry, certificates) for entry, certificates in zip(_by_alias(listed), _by_alias(armored), strict=True)
    ]


def keytool(*options: str | Path, cwd: Path | None = None) -> bytes:
    """Run keytool in English and UTC."""
    locale = ("-J-Duser.language=en", "-J-Duser.timezone=UTC", "-J-Dfile.encoding=UTF-8", "-J-Dstdout.encoding=UTF-8")
    return run("keytool", *locale, *options, cwd=cwd)


def public_key_says(key: bytes, *options: str) -> Facts:
    """Return the fingerprint of a private key's public half, by `openssl pkey`."""
    public = run("openssl", "pkey", "-pubout", "-outform", "DER", *options, stdin=key)
    return {"public_key_sha256": _digest(public)}


def first_certificate(armored: bytes) -> bytes:
    """Return the first PEM certificate in a text."""
    found = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", armored, re.DOTALL)
    assert found
    return found[0]


def _entry(listed: str, armored: str) -> Facts:
    alias = listed.splitlines()[0].strip()
    kind = KINDS[_line(listed, "Entry type", ": ").split(",")[0]]
    if "BEGIN CERTIFICATE" not in armored:
        return {"alias": alias, "kind": kind}
    facts = openssl_says(first_certificate(armored.encode()))
    assert int(_line(listed, "Serial number", ": "), 16) == int(facts["id"])
    facts["sha1"] = _line(listed, "SHA1", ": ")
    facts["sha256"] = _line(listed, "SHA256", ": ")
    return {"alias": alias, "kind": kind, **facts}


def _by_alias(text: str) -> list[str]:
    return text.split("Alias name: ")[1:]


def _line(text: str, key: str, between: str = "=") -> str:
    found = re.search(rf"^\s*{re.escape(key + between)}(.*)$", text, re.MULTILINE)
    assert found, key
    return found[1].strip()


def _name(text: str, key: str) -> dict[str, str]:
    block = text.split(f"{key}=\n", 1)
    name: dict[str, str] = {}
    for line in block[1].splitlines() if len(block) > 1 else ():
        if not line.startswith("    "):
            break
        for pair in line[4:].split(" + ") if "=" in line else ():
            attribute, _, value = pair.partition("=")
            name.setdefault(attribute, value)
    return name


def _digest(data: bytes) -> str:
    shown = run("openssl", "dgst", "-sha256", "-c", stdin=data).decode()
    return shown.rpartition("= ")[2].strip().upper()
