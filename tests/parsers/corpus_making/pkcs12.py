"""PKCS#12 by openssl."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parsers.corpus_making.tools import Facts, first_certificate, openssl_says, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.parsers.corpus_making.workshop import Corpus

PASSWORD = "secret"


def pkcs12_by_openssl(corpus: Corpus) -> None:
    """Every protection that openssl writes, and the shapes of content."""
    schemes = {
        "default": (),
        "legacy": ("-legacy",),
        "aes128": ("-certpbe", "AES-128-CBC", "-macalg", "sha512"),
        "des3_sha1": ("-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
        "des2": ("-legacy", "-certpbe", "PBE-SHA1-2DES"),
        "rc2_128": ("-legacy", "-certpbe", "PBE-SHA1-RC2-128"),
        "rc4_128": ("-legacy", "-certpbe", "PBE-SHA1-RC4-128"),
        "rc4_40": ("-legacy", "-certpbe", "PBE-SHA1-RC4-40"),
        "rounds_600000": ("-iter", "600000"),
        "no_mac": ("-nomac", "-certpbe", "AES-256-CBC"),
        "no_mac_clear": ("-nomac",),
        "mac_one_round": ("-nomaciter",),
        "friendly": ("-name", "Ключ"),
        "several_certificates": ("-certfile", corpus.file("root.pem", corpus.authority)),
    }
    for label, options in schemes.items():
        name = f"openssl_{label}.p12"
        archive = _p12(corpus, PASSWORD, *options)
        corpus.add(name, archive, _p12_says(archive), PASSWORD)
    corpus.again("openssl_default.p12", {"error": "password_missing"})
    corpus.again("openssl_default.p12", {"error": "password_wrong"}, "wrong")
    corpus.again("openssl_legacy.p12", {"error": "password_wrong"}, "wrong")
    corpus.again("openssl_no_mac.p12", {"error": "password_wrong"}, "wrong")
    corpus.again("openssl_no_mac.p12", {"error": "password_missing"})
    corpus.again("openssl_no_mac_clear.p12", openssl_says(corpus.leaf), "whatever")
    facts = openssl_says(corpus.leaf)
    for label, options in {"empty": (), "empty_legacy": ("-legacy",), "nothing_encrypted": _PLAIN}.items():
        corpus.add(f"openssl_{label}.p12", _p12(corpus, "", *options), facts)
    corpus.add("openssl_certificates_clear.p12", _p12(corpus, PASSWORD, "-certpbe", "NONE"), facts)
    corpus.again("openssl_certificates_clear.p12", {"error": "password_wrong"}, "wrong")
    corpus.add("openssl_unicode.p12", _p12(corpus, "пароль"), facts, "пароль")
    corpus.add("openssl_unicode_legacy.p12", _p12(corpus, "пароль🔑", "-legacy"), facts, "пароль🔑")
    corpus.add("openssl_renamed.cer", _p12(corpus, ""), facts)
    corpus.add("openssl_key_alone.p12", _p12(corpus, PASSWORD, "-nocerts"), {"id": None, "expires_at": None}, PASSWORD)
    corpus.add("openssl_certificates_alone.p12", _p12(corpus, PASSWORD, "-nokeys"), facts, PASSWORD)
    corpus.add("openssl_cut_short.p12", _p12(corpus, PASSWORD)[:-10], {"error": "truncated"}, PASSWORD)


_PLAIN = ("-certpbe", "NONE", "-keypbe", "NONE", "-nomac")


def _p12(corpus: Corpus, password: str, *options: str | Path) -> bytes:
    leaf = corpus.file("leaf.pem", corpus.leaf)
    key = () if "-nokeys" in options else ("-inkey", corpus.ec)
    return run("openssl", "pkcs12", "-export", "-in", leaf, *key, "-passout", f"pass:{password}", *options)


def _p12_says(archive: bytes) -> Facts:
    shown = run("openssl", "pkcs12", "-nokeys", "-clcerts", "-legacy", "-passin", f"pass:{PASSWORD}", stdin=archive)
    return openssl_says(first_certificate(shown))
