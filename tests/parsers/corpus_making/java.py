"""Keystores by keytool, with the JDK and with Bouncy Castle."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.parsers.corpus_making.tools import BOUNCY_CASTLE, Facts, keytool, keytool_says
from tests.parsers.corpus_making.workshop import CORPUS, Corpus

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "secret"
_PROVIDER = (
    "-J-Dorg.bouncycastle.bks.enable_v1=true",
    "-providerclass",
    "org.bouncycastle.jce.provider.BouncyCastleProvider",
    "-providerpath",
    str(BOUNCY_CASTLE),
)


def java_keystores(corpus: Corpus) -> None:
    """keytool's formats: JKS, JCEKS and PKCS#12, with keys, trusted certificates and secret keys."""
    for kind, extension in (("JKS", "jks"), ("JCEKS", "jceks"), ("PKCS12", "keystore")):
        store = corpus.work / f"several.{extension}"
        for alias, start, days in (("upload", "2024/01/01", 4000), ("release", "2023/01/01", 3000)):
            _genkey(store, alias, start, days, "-storetype", kind)
        _import(corpus, store, "root", "-storetype", kind)
        corpus.add(store.name, store.read_bytes(), _store_says(store), PASSWORD)
        trust = corpus.work / f"trust_{kind.lower()}.{extension}"
        _import(corpus, trust, "first", "-storetype", kind)
        corpus.add(trust.name, trust.read_bytes(), _store_says(trust), PASSWORD)
    jks = corpus.work / "several.jks"
    for name in ("several.jks", "several.jceks"):
        corpus.again(name, _store_says(corpus.work / name))
    corpus.again("several.jks", {"error": "password_wrong"}, "wrong")
    corpus.again("several.keystore", {"error": "password_missing"})
    corpus.add("no_digest.jks", jks.read_bytes()[:-20], {"error": "truncated"})


def peculiar_keystores(corpus: Corpus) -> None:
    """What other readers stumble over: DSA, secret keys, repeated aliases, old and open PKCS#12, Android's own."""
    dsa = corpus.work / "dsa.jks"
    _genkey(dsa, "dsa", "2024/01/01", 3650, "-storetype", "JKS", "-keyalg", "DSA", "-keysize", "1024")
    corpus.add(dsa.name, dsa.read_bytes(), _store_says(dsa))
    for kind, extension in (("JCEKS", "jceks"), ("PKCS12", "p12")):
        secret = corpus.work / f"secret.{extension}"
        _genkey(secret, "signing", "2024/01/01", 3650, "-storetype", kind)
        keytool("-genseckey", "-alias", "aes", "-keyalg", "AES", "-keysize", "256", *_keystore(secret, kind))
        corpus.add(secret.name, secret.read_bytes(), _store_says(secret), PASSWORD)
    jceks = corpus.work / "secret.jceks"
    corpus.again(jceks.name, _store_says(jceks))
    corpus.add("jceks_named.jks", jceks.read_bytes(), _store_says(jceks))
    twice = _with_repeated_alias(corpus)
    corpus.add("repeated_alias.jks", twice.read_bytes(), _store_says(twice))
    corpus.again("repeated_alias.jks", _store_says(twice), PASSWORD)
    old = corpus.work / "legacy_jdk.keystore"
    _genkey(old, "old", "2024/01/01", 3650, "-storetype", "PKCS12", "-J-Dkeystore.pkcs12.legacy=true")
    corpus.add(old.name, old.read_bytes(), _store_says(old), PASSWORD)
    trust = corpus.work / "trust_without_password.p12"
    clear = ("certProtectionAlgorithm=NONE", "macAlgorithm=NONE")
    _import(corpus, trust, "open", "-storetype", "PKCS12", *(f"-J-Dkeystore.pkcs12.{what}" for what in clear))
    corpus.add(trust.name, trust.read_bytes(), _store_says(trust))


def debug_keystores(corpus: Corpus) -> None:
    """The one that Android's tools make: JKS by older ones, PKCS#12 by newer."""
    for kind in ("JKS", "PKCS12"):
        debug = corpus.work / kind.lower() / "debug.keystore"
        debug.parent.mkdir()
        _genkey(debug, "androiddebugkey", "2024/01/01", 10950, "-storetype", kind, password="android")
        (CORPUS / kind.lower()).mkdir(exist_ok=True)
        corpus.add(f"{kind.lower()}/debug.keystore", debug.read_bytes(), _store_says(debug, "android"))


def bouncy_castle(corpus: Corpus) -> None:
    """Bouncy Castle's formats through keytool; its PKCS#12 is BER."""
    names = {"BKS": "bc.bks", "BKS-V1": "bc_v1.bks", "BCPKCS12": "bc_ber.p12", "UBER": "bc.uber", "BCFKS": "bc.bcfks"}
    for kind, name in names.items():
        store, options = corpus.work / name, ("-storetype", kind, *_PROVIDER)
        _genkey(store, "bouncy", "2024/01/01", 3650, *options)
        _import(corpus, store, "root", *options)
        if kind == "UBER":
            corpus.add(name, store.read_bytes(), {"error": "password_missing"})
        elif kind == "BCFKS":
            corpus.add(name, store.read_bytes(), {"error": "unsupported"}, PASSWORD)
        else:
            corpus.add(name, store.read_bytes(), _store_says(store, PASSWORD, *options), PASSWORD)
            corpus.again(name, {"error": "password_wrong"}, "wrong")
    corpus.again("bc.bks", _store_says(corpus.work / "bc.bks", PASSWORD, "-storetype", "BKS", *_PROVIDER))


def _keystore(store: Path, kind: str, password: str = PASSWORD) -> tuple[str | Path, ...]:
    return ("-keystore", store, "-storepass", password, "-storetype", kind)


def _genkey(store: Path, alias: str, start: str, days: int, *options: str, password: str = PASSWORD) -> None:
    algorithm = () if "-keyalg" in options else ("-keyalg", "EC", "-groupname", "secp256r1")
    dates = ("-startdate", f"{start} 00:00:00", "-validity", str(days))
    who = ("-alias", alias, "-dname", f"CN={alias}, O=Example\\, Inc., C=US", "-keypass", password)
    keytool("-genkeypair", *who, *algorithm, *dates, "-keystore", store, "-storepass", password, *options)


def _import(corpus: Corpus, store: Path, alias: str, *options: str) -> None:
    root = corpus.file("root.pem", corpus.authority)
    keytool(
        "-importcert", "-noprompt", "-alias", alias, "-file", root, "-keystore", store, "-storepass", PASSWORD, *options
    )


def _store_says(store: Path, password: str = PASSWORD, *options: str) -> Facts:
    """Return what the whole keystore should be read as: its first key to expire, and all entries."""
    entries = keytool_says(store, password, *options)
    keys = [entry for entry in entries if entry["kind"] == "private_key"] or entries
    first = min(keys, key=lambda entry: str(entry["expires_at"]))
    spoken = {key: value for key, value in first.items() if key not in ("alias", "kind")}
    return {**spoken, "entries": entries}


def _with_repeated_alias(corpus: Corpus) -> Path:
    store = corpus.work / "twice.jks"
    _genkey(store, "aaa", "2024/01/01", 3650, "-storetype", "JKS")
    _genkey(store, "aab", "2024/01/01", 3000, "-storetype", "JKS")
    body = store.read_bytes()[:-20].replace(b"\0\x03aab", b"\0\x03aaa")
    store.write_bytes(body + hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest())
    return store
