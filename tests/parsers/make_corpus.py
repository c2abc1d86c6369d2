"""Make the corpus again: `python -m tests.parsers.make_corpus` (openssl 3, keytool, libbcprov-java).

Every expected value is what a tool said of the file, or what the tool was told to put in. Keys are new at each run.
"""

from __future__ import annotations

import hashlib
import json
import plistlib
import tempfile
from datetime import datetime
from pathlib import Path

from tests.parsers.corpus_tools import (
    BOUNCY_CASTLE,
    Facts,
    first_certificate,
    keytool,
    keytool_says,
    openssl_says,
    public_key_says,
    run,
)

CORPUS = Path(__file__).parent / "corpus"
APPLE = "/C=US/O=Apple, Inc./OU=G1/OU=G2/CN=Distribution: Example a\\+b/UID=ABCDE12345"
DATES = ("20240101000000Z", "20340102030405Z")
PASSWORD = "secret"
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


def certificates(corpus: Corpus) -> None:
    """Dates, serials, names and keys of every sort, in DER and PEM."""
    varied = {
        "plain.cer": {"subject": "/C=DE/O=Example/CN=plain"},
        "year_1950.cer": {"subject": "/CN=old", "dates": ("19500101000000Z", "19500102000000Z")},
        "year_2049.cer": {"subject": "/CN=utc", "dates": ("20240101000000Z", "20491231235959Z")},
        "year_2050.cer": {"subject": "/CN=generalized", "dates": ("20240101000000Z", "20500101000000Z")},
        "year_9999.cer": {"subject": "/CN=never", "dates": ("20240101000000Z", "99991231235959Z")},
        "expired.cer": {"subject": "/CN=gone", "dates": ("20010101000000Z", "20020101000000Z")},
        "serial_512_bits.cer": {"subject": "/CN=long", "serial": "7F" + "A5" * 63},
        "serial_high_bit.cer": {"subject": "/CN=high", "serial": "FF" * 20},
        "names.cer": {"subject": APPLE},
        "names_multi_rdn.cer": {"subject": "/O=Ö/CN=a+UID=b"},
        "names_special.cer": {"subject": '/O=a\\+b;c"d<e>f=g,h#/OU=#start/CN=back\\\\slash'},
        "names_domain.cer": {"subject": "/DC=org/DC=example/emailAddress=a@example.org/CN=x"},
        "names_russian.cer": {"subject": "/INN=007700000000/OGRN=1027700000000/SNILS=11223344595/CN=Иванов"},
        "names_long.cer": {
            "subject": "/serialNumber=77/SN=Doe/GN=J/street=S 1/title=Dr/jurisdictionC=US"
            "/organizationIdentifier=VATDE-1/businessCategory=Private/postalCode=1/initials=JD"
            "/dnQualifier=q/pseudonym=p/generationQualifier=III/description=d/CN=x"
        },
        "names_bmp.cer": {"subject": "/CN=東京", "request": ("-config", _mask(corpus, "0x800"))},
        "names_universal.cer": {"subject": "/CN=🔑 key", "request": ("-config", _mask(corpus, "0x100"))},
        "names_t61.cer": {"subject": "/CN=Müller", "request": ("-config", _mask(corpus, "0x4"))},
        "key_rsa.cer": {"subject": "/CN=rsa", "key": corpus.rsa},
        "key_ed25519.cer": {"subject": "/CN=ed", "key": corpus.key("ed.pem", "-algorithm", "ED25519")},
        "key_brainpool.cer": {"subject": "/CN=bp", "key": _curve(corpus, "brainpoolP256r1")},
        "key_sm2.cer": {"subject": "/CN=sm2", "key": corpus.key("sm2.pem", "-algorithm", "SM2")},
        "key_explicit.cer": {"subject": "/CN=explicit", "key": _curve(corpus, "P-256", "explicit")},
    }
    for name, how in varied.items():
        armored = corpus.certificate(**how)  # type: ignore[arg-type]
        corpus.add(name, _der(armored), openssl_says(armored))
    leaf, root = corpus.leaf, corpus.authority
    facts = openssl_says(leaf)
    text = run("openssl", "x509", "-text", stdin=leaf)
    corpus.add("leaf.pem", leaf, facts)
    corpus.add("leaf.crt", leaf.replace(b"\n", b"\r\n"), facts)
    corpus.add("text_before.pem", text, facts)
    corpus.add("byte_order_mark.pem", b"\xef\xbb\xbf" + leaf, facts)
    corpus.add("chain.pem", leaf + root, facts)
    corpus.add("chain_reversed.pem", root + leaf, openssl_says(root))
    corpus.add("key_first.pem", corpus.rsa.read_bytes() + leaf, facts)
    corpus.add("UPPER.CER", _der(leaf), facts)
    corpus.add("no_extension", _der(leaf), facts)
    corpus.add("wrong_name.p12", _der(leaf), facts)
    trusted = run("openssl", "x509", "-trustout", "-addtrust", "codeSigning", "-setalias", "friend", stdin=leaf)
    corpus.add("trusted.pem", trusted, facts)
    corpus.add("cut_short.cer", _der(leaf)[:-20], {"error": "truncated"})
    corpus.add("cut_short.pem", leaf[:-30], {"error": "truncated"})
    corpus.add("chain_cut_short.pem", leaf + root[:-30], {"error": "truncated"})


def odd_certificates(corpus: Corpus) -> None:
    """Certificates that no tool issues but openssl reads, written by `openssl asn1parse -genconf`."""
    made = {
        "odd_serial_negative.cer": {"serial": "INTEGER:-5"},
        "odd_serial_zero.cer": {"serial": "INTEGER:0"},
        "odd_name_empty.cer": {"subject": ""},
        "odd_name_value_empty.cer": {"subject": "2.5.4.3 UTF8: 2.5.4.10 UTF8:O"},
        "odd_name_oid.cer": {"subject": "1.2.3.4.5 UTF8:private 2.5.4.3 UTF8:x"},
        "odd_time_no_seconds.cer": {"expires": "UTC:3401020304Z"},
        "odd_name_bits.cer": {
            "subject": "2.5.4.45 FORMAT:HEX,BITSTRING:0102 2.5.4.3 UTF8:x",
            "expect": {"subject": {"x500UniqueIdentifier": "#0303000102", "CN": "x"}},
        },
        "odd_name_t61.cer": {"subject": "2.5.4.3 FORMAT:UTF8,T61:Mél"},
        "odd_time_bad.cer": {"patch": (b"340102", b"349902"), "expect": {"error": "malformed"}},
    }
    for name, how in made.items():
        encoding = _generate(
            corpus,
            how.get("serial", "INTEGER:7"),
            how.get("subject", "2.5.4.3 UTF8:odd"),
            how.get("expires", "UTC:340102030405Z"),
        )
        encoding = encoding.replace(*how.get("patch", (b"", b"")))
        said = how.get("expect") or openssl_says(run("openssl", "x509", "-inform", "DER", stdin=encoding))
        corpus.add(name, encoding, said)


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
        "several_certificates": ("-certfile", _file(corpus, "root.pem", corpus.authority)),
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
    dsa = corpus.work / "dsa.jks"
    _genkey(dsa, "dsa", "2024/01/01", 3650, "-storetype", "JKS", "-keyalg", "DSA", "-keysize", "1024")
    corpus.add("dsa.jks", dsa.read_bytes(), _store_says(dsa))
    for kind, extension in (("JCEKS", "jceks"), ("PKCS12", "p12")):
        secret = corpus.work / f"secret.{extension}"
        _genkey(secret, "signing", "2024/01/01", 3650, "-storetype", kind)
        keytool("-genseckey", "-alias", "aes", "-keyalg", "AES", "-keysize", "256", *_keystore(secret, kind))
        corpus.add(secret.name, secret.read_bytes(), _store_says(secret), PASSWORD)
    corpus.again("secret.jceks", _store_says(corpus.work / "secret.jceks"))
    corpus.add(
        "jceks_named.jks", (corpus.work / "secret.jceks").read_bytes(), _store_says(corpus.work / "secret.jceks")
    )
    twice = _with_repeated_alias(corpus)
    corpus.add("repeated_alias.jks", twice.read_bytes(), _store_says(twice))
    corpus.again("repeated_alias.jks", _store_says(twice), PASSWORD)
    for number, kind in enumerate(("JKS", "PKCS12")):
        debug = corpus.work / str(number) / "debug.keystore"
        debug.parent.mkdir()
        _genkey(debug, "androiddebugkey", "2024/01/01", 10950, "-storetype", kind, password="android")
        (CORPUS / kind.lower()).mkdir(exist_ok=True)
        corpus.add(f"{kind.lower()}/debug.keystore", debug.read_bytes(), _store_says(debug, "android"))


def bouncy_castle(corpus: Corpus) -> None:
    """Bouncy Castle's formats through keytool; its PKCS#12 is BER."""
    provider = (
        "-J-Dorg.bouncycastle.bks.enable_v1=true",
        "-providerclass",
        "org.bouncycastle.jce.provider.BouncyCastleProvider",
        "-providerpath",
        BOUNCY_CASTLE,
    )
    names = {"BKS": "bc.bks", "BKS-V1": "bc_v1.bks", "BCPKCS12": "bc_ber.p12", "UBER": "bc.uber", "BCFKS": "bc.bcfks"}
    for kind, name in names.items():
        store, options = corpus.work / name, ("-storetype", kind, *map(str, provider))
        _genkey(store, "bouncy", "2024/01/01", 3650, *options)
        _import(corpus, store, "root", *options)
        if kind == "UBER":
            corpus.add(name, store.read_bytes(), {"error": "password_missing"})
        elif kind == "BCFKS":
            corpus.add(name, store.read_bytes(), {"error": "unsupported"}, PASSWORD)
        else:
            corpus.add(name, store.read_bytes(), _store_says(store, PASSWORD, *options), PASSWORD)
            corpus.again(name, {"error": "password_wrong"}, "wrong")
    corpus.again("bc.bks", _store_says(corpus.work / "bc.bks", PASSWORD, "-storetype", "BKS", *map(str, provider)))


def profiles(corpus: Corpus) -> None:
    """Provisioning profiles, signed by `openssl cms`."""
    certificates_of = [_der(corpus.leaf), _der(corpus.authority)]
    profile = {
        "UUID": "6b9fcce1-b9a9-4b37-b2ce-ec4da2044abf",
        "ExpirationDate": datetime(2033, 8, 1, 23, 15, 13),  # noqa: DTZ001 - as plistlib wants it: UTC
        "CreationDate": datetime(2032, 8, 1, 23, 15, 13),  # noqa: DTZ001 - as above
        "Platform": ["iOS"],
        "TeamName": "Example, Inc.",
        "TeamIdentifier": ["N7SYAN8PX8"],
        "AppIDName": "iOS Demo",
        "Name": "match Development org.example.demo",
        "ApplicationIdentifierPrefix": ["N7SYAN8PX8"],
        "IsXcodeManaged": False,
        "Entitlements": {"get-task-allow": True, "keychain-access-groups": ["N7SYAN8PX8.*"]},
        "ProvisionedDevices": ["00008101-001454860C10001E"],
        "DeveloperCertificates": certificates_of,
    }
    said = {
        "id": profile["UUID"],
        "expires_at": "2033-08-01T23:15:13.000Z",
        "platforms": ["iOS"],
        "team_name": "Example, Inc.",
        "team_id": ["N7SYAN8PX8"],
        "app_name": "iOS Demo",
        "app_id": profile["Name"],
        "app_id_prefix": ["N7SYAN8PX8"],
        "xcode_managed": False,
        "entitlements": profile["Entitlements"],
        "devices": profile["ProvisionedDevices"],
        "certificate_ids": [openssl_says(corpus.leaf)["id"], openssl_says(corpus.authority)["id"]],
    }
    corpus.add("adhoc.mobileprovision", _signed(corpus, plistlib.dumps(profile)), said)
    corpus.add("adhoc_stream.mobileprovision", _signed(corpus, plistlib.dumps(profile), "-stream"), said)
    binary = plistlib.dumps(profile, fmt=plistlib.FMT_BINARY)
    corpus.add("binary_plist.mobileprovision", _signed(corpus, binary), said)
    corpus.add("renamed.p12", _signed(corpus, plistlib.dumps(profile)), said)
    store = {key: value for key, value in profile.items() if key not in ("ProvisionedDevices", "DeveloperCertificates")}
    said_store = {**said, "devices": None, "certificate_ids": []}
    corpus.add("app_store.mobileprovision", _signed(corpus, plistlib.dumps(store)), said_store)
    corpus.add(
        "mac.provisionprofile",
        _signed(corpus, plistlib.dumps({**profile, "Platform": ["OSX"]})),
        {**said, "platforms": ["OSX"]},
    )
    corpus.add("list.mobileprovision", _signed(corpus, plistlib.dumps([1])), {"error": "malformed"})
    corpus.add("text.mobileprovision", _signed(corpus, b"hello"), {"error": "unrecognized"})
    corpus.add("bare_plist.mobileprovision", plistlib.dumps(profile), {"error": "unrecognized"})
    corpus.add(
        "page.mobileprovision", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", {"error": "unrecognized"}
    )
    corpus.add("cut_short.mobileprovision", _signed(corpus, plistlib.dumps(profile))[:-5], {"error": "truncated"})


def containers_and_keys(corpus: Corpus) -> None:
    """PKCS#7, requests and bare keys."""
    chain = _file(corpus, "chain.pem", corpus.authority + corpus.leaf)
    facts = openssl_says(corpus.leaf)
    bundle = ("openssl", "crl2pkcs7", "-nocrl", "-certfile", chain)
    corpus.add("chain.p7b", run(*bundle, "-outform", "DER"), facts)
    corpus.add("chain_pem.p7b", run(*bundle), facts)
    subject = {"subject": facts["subject"], "expires_at": None, "id": None, **public_key_says(corpus.ec.read_bytes())}
    request = ("openssl", "req", "-new", "-utf8", "-key", corpus.ec, "-subj", APPLE)
    corpus.add("request.csr", run(*request), subject)
    corpus.add("CertificateSigningRequest.certSigningRequest", run(*request, "-outform", "DER"), subject)
    rsa, ec = corpus.rsa.read_bytes(), corpus.ec.read_bytes()
    clear = {"encrypted": False, "expires_at": None}
    corpus.add("AuthKey_ABCDEFGHIJ.p8", ec, {**clear, "algorithm": "EC", **public_key_says(ec)})
    corpus.add("rsa.key", rsa, {**clear, "algorithm": "RSA", "bits": 2048, **public_key_says(rsa)})
    corpus.add("fastlane_key.p12", run("openssl", "pkey", "-traditional", stdin=rsa), {**clear, **public_key_says(rsa)})
    corpus.add("ec_sec1.key", run("openssl", "pkey", "-traditional", stdin=ec), {**clear, **public_key_says(ec)})
    corpus.add("pkcs1.der", run("openssl", "pkey", "-outform", "DER", stdin=rsa), {**clear, **public_key_says(rsa)})
    pkcs8 = run("openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", stdin=rsa)
    corpus.add("pkcs8.der", pkcs8, {**clear, **public_key_says(rsa)})
    locked = ("-aes256", "-passout", "pass:secret")
    corpus.add("encrypted.p8", run("openssl", "pkey", *locked, stdin=ec), {"encrypted": True})
    corpus.add(
        "encrypted_traditional.key", run("openssl", "pkey", "-traditional", *locked, stdin=rsa), {"encrypted": True}
    )
    corpus.add(
        "encrypted.der",
        run("openssl", "pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:x", stdin=ec),
        {"encrypted": True},
    )
    corpus.add("public.pem", run("openssl", "pkey", "-pubout", stdin=ec), public_key_says(ec))
    corpus.add("cut_short.p8", ec[:-20], {"error": "truncated"})


def _der(armored: bytes) -> bytes:
    return run("openssl", "x509", "-outform", "DER", stdin=armored)


def _mask(corpus: Corpus, mask: str) -> Path:
    path = corpus.work / f"mask_{mask}.cnf"
    path.write_text(f"[req]\ndistinguished_name=dn\nstring_mask=MASK:{mask}\nutf8=yes\n[dn]\n")
    return path


def _curve(corpus: Corpus, name: str, encoding: str = "named_curve") -> Path:
    options = ("-pkeyopt", f"ec_paramgen_curve:{name}", "-pkeyopt", f"ec_param_enc:{encoding}")
    return corpus.key(f"{name}_{encoding}.pem", "-algorithm", "EC", *options)


def _file(corpus: Corpus, name: str, data: bytes) -> Path:
    (corpus.work / name).write_bytes(data)
    return corpus.work / name


def _generate(corpus: Corpus, serial: str, subject: str, expires: str) -> bytes:
    """Write a certificate field by field; `subject` is pairs of OID and value."""
    words = subject.split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    rdns = "".join(f"r{n}=SET:r{n}\n" for n in range(len(pairs)))
    values = "".join(
        f"[r{n}]\na=SEQUENCE:a{n}\n[a{n}]\no=OID:{oid}\nv={value}\n" for n, (oid, value) in enumerate(pairs)
    )
    values = values.replace("UTF8:", "FORMAT:UTF8,UTF8:")
    conf = f"""asn1=SEQUENCE:cert
[cert]
tbs=SEQUENCE:tbs
alg=SEQUENCE:alg
sig=FORMAT:HEX,BITSTRING:00
[tbs]
version=EXPLICIT:0,INTEGER:2
serial={serial}
alg=SEQUENCE:alg
issuer=SEQUENCE:name
validity=SEQUENCE:validity
subject=SEQUENCE:name
spki=SEQUENCE:spki
[alg]
a=OID:1.2.840.10045.4.3.2
[validity]
a=UTC:240101000000Z
b={expires}
[spki]
a=SEQUENCE:alg
k=FORMAT:HEX,BITSTRING:00
[name]
{rdns}{values}"""
    out = corpus.work / "generated.der"
    run("openssl", "asn1parse", "-genconf", _file(corpus, "gen.cnf", conf.encode()), "-noout", "-out", out)
    return out.read_bytes()


def _p12(corpus: Corpus, password: str, *options: str | Path) -> bytes:
    leaf = _file(corpus, "leaf.pem", corpus.leaf)
    key = () if "-nokeys" in options else ("-inkey", corpus.ec)
    return run("openssl", "pkcs12", "-export", "-in", leaf, *key, "-passout", f"pass:{password}", *options)


def _p12_says(archive: bytes) -> Facts:
    shown = run("openssl", "pkcs12", "-nokeys", "-clcerts", "-legacy", "-passin", f"pass:{PASSWORD}", stdin=archive)
    return openssl_says(first_certificate(shown))


def _keystore(store: Path, kind: str, password: str = PASSWORD) -> tuple[str | Path, ...]:
    return ("-keystore", store, "-storepass", password, "-storetype", kind)


def _genkey(store: Path, alias: str, start: str, days: int, *options: str, password: str = PASSWORD) -> None:
    algorithm = () if "-keyalg" in options else ("-keyalg", "EC", "-groupname", "secp256r1")
    dates = ("-startdate", f"{start} 00:00:00", "-validity", str(days))
    who = ("-alias", alias, "-dname", f"CN={alias}, O=Example\\, Inc., C=US", "-keypass", password)
    keytool("-genkeypair", *who, *algorithm, *dates, "-keystore", store, "-storepass", password, *options)


def _import(corpus: Corpus, store: Path, alias: str, *options: str) -> None:
    root = _file(corpus, "root.pem", corpus.authority)
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


def _signed(corpus: Corpus, content: bytes, *options: str) -> bytes:
    signer = _file(corpus, "signer.pem", corpus.leaf)
    command = ("openssl", "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", signer)
    return run(*command, "-inkey", corpus.ec, *options, stdin=content)


def main() -> None:
    """Write every file and `expected.json`."""
    CORPUS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Path(folder))
        for recipe in (
            certificates,
            odd_certificates,
            pkcs12_by_openssl,
            java_keystores,
            bouncy_castle,
            profiles,
            containers_and_keys,
        ):
            recipe(corpus)
        corpus.save()


if __name__ == "__main__":
    main()
