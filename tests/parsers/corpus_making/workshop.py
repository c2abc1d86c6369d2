"""Where the files of the corpus are made: keys, an authority, and what was made so far."""

from __future__ import annotations

import json
from pathlib import Path

from tests.parsers.corpus_making.tools import Facts, run

CORPUS = Path(__file__).parent.parent / "corpus"
APPLE = "/C=US/O=Apple, Inc./OU=G1/OU=G2/CN=Distribution: Example a\\+b/UID=ABCDE12345"
DATES = ("20240101000000Z", "20340102030405Z")
CA_CONFIG = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
serial = serial
default_md = default
policy = any
email_in_dn = yes
unique_subject = no
copy_extensions = none
[any]
"""


class Corpus:
    """Collects files and what they should be read as."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.cases: list[Facts] = []
        self.ec = self.key("ec.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.rsa = self.key("rsa.pem", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        self.authority = self.certificate("/CN=Example Root", serial="0100")
        self.leaf = self.certificate(APPLE, issuer=self.authority)

    def key(self, name: str, *options: str) -> Path:
        run("openssl", "genpkey", *options, "-out", self.work / name)
        return self.work / name

    def certificate(
        self,
        subject: str,
        *,
        dates: tuple[str, str] = DATES,
        serial: str = "0E34A1",
        key: Path | None = None,
        issuer: bytes | None = None,
        request: tuple[str, ...] = (),
    ) -> bytes:
        """Issue a certificate in PEM by `openssl ca`, which alone takes both dates."""
        work, key = self.work, key or self.ec
        (work / "ca.cnf").write_text(CA_CONFIG)
        (work / "index.txt").write_bytes(b"")
        (work / "serial").write_text(serial + "\n")
        signing_request = run("openssl", "req", "-new", "-utf8", "-key", key, "-subj", subject, *request)
        (work / "request.pem").write_bytes(signing_request)
        how: tuple[str | Path, ...] = ("-selfsign", "-keyfile", key)
        if issuer:
            (work / "issuer.pem").write_bytes(issuer)
            how = ("-cert", "issuer.pem", "-keyfile", self.ec)
        span = ("-startdate", dates[0], "-enddate", dates[1])
        names = ("-preserveDN", "-utf8", "-batch", "-notext", "-config", "ca.cnf")
        return run("openssl", "ca", *how, *span, *names, "-in", "request.pem", cwd=work)

    def file(self, name: str, data: bytes) -> Path:
        (self.work / name).write_bytes(data)
        return self.work / name

    def add(self, name: str, data: bytes, expect: Facts, password: str | None = None) -> None:
        """Keep a file and what reading it should give: a part of the metadata, or an `error`."""
        (CORPUS / name).write_bytes(data)
        self.again(name, expect, password)

    def again(self, name: str, expect: Facts, password: str | None = None) -> None:
        """Expect something of a file that is there, with another password."""
        self.cases.append({"file": name, "password": password, "expect": expect})

    def save(self) -> None:
        text = json.dumps(self.cases, indent=1, ensure_ascii=False)
        (CORPUS / "expected.json").write_text(text + "\n", encoding="utf-8")


def der_of(armored: bytes) -> bytes:
    """Return a PEM certificate in DER."""
    return run("openssl", "x509", "-outform", "DER", stdin=armored)
