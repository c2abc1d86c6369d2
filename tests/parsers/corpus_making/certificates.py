"""Certificates of every sort, what carries them, and bare keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parsers.corpus_making.tools import openssl_says, public_key_says, run
from tests.parsers.corpus_making.workshop import APPLE, Corpus, der_of

if TYPE_CHECKING:
    from pathlib import Path


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
        corpus.add(name, der_of(armored), openssl_says(armored))
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
    corpus.add("UPPER.CER", der_of(leaf), facts)
    corpus.add("no_extension", der_of(leaf), facts)
    corpus.add("wrong_name.p12", der_of(leaf), facts)
    trusted = run("openssl", "x509", "-trustout", "-addtrust", "codeSigning", "-setalias", "friend", stdin=leaf)
    corpus.add("trusted.pem", trusted, facts)
    corpus.add("cut_short.cer", der_of(leaf)[:-20], {"error": "truncated"})
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


def containers_and_keys(corpus: Corpus) -> None:
    """PKCS#7, requests and bare keys."""
    chain = corpus.file("chain.pem", corpus.authority + corpus.leaf)
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


def _mask(corpus: Corpus, mask: str) -> Path:
    path = corpus.work / f"mask_{mask}.cnf"
    path.write_text(f"[req]\ndistinguished_name=dn\nstring_mask=MASK:{mask}\nutf8=yes\n[dn]\n")
    return path


def _curve(corpus: Corpus, name: str, encoding: str = "named_curve") -> Path:
    options = ("-pkeyopt", f"ec_paramgen_curve:{name}", "-pkeyopt", f"ec_param_enc:{encoding}")
    return corpus.key(f"{name}_{encoding}.pem", "-algorithm", "EC", *options)


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
    run("openssl", "asn1parse", "-genconf", corpus.file("gen.cnf", conf.encode()), "-noout", "-out", out)
    return out.read_bytes()
