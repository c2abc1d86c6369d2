"""Files made to hurt: each gives a reason in time, and the pool lives on."""

from __future__ import annotations

import io
import json
import plistlib
import random
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parsers import Pool
from tests.parsers import building as b

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parsers import Inspection

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.name != "expected.json")
BINARY = [path for path in FILES if path.read_bytes()[0] in b"\x30\xfe\xce\x00"]
GOOD = CORPUS / "plain.cer"
DEADLINE = 2.0
LIMIT = 4_900_000
WORST = 2**31 - 1


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(deadline=DEADLINE, patience=30, files_per_child=1_000_000)  # only a test ends one
    yield made
    made.close()


def _read(pool: Pool, name: str, data: bytes, password: str | None = None) -> Inspection:
    """Read a file; it must be told in time and in little, and the next good file must be read."""
    started = time.monotonic()
    found = pool.inspect(name, data, password)
    assert time.monotonic() - started < DEADLINE + 3  # a new child may have to start first
    assert (found.metadata is None) == (found.error is not None)
    assert len(json.dumps(found.metadata)) < 2_000_000
    assert found.error != "queued"
    return found


def _still_reads(pool: Pool) -> bool:
    return pool.inspect(GOOD.name, GOOD.read_bytes()).error is None


class TestDamagedFiles:
    @pytest.mark.parametrize("path", BINARY, ids=lambda path: str(path.relative_to(CORPUS)))
    def test_a_file_cut_anywhere_is_unreadable(self, pool: Pool, path: Path) -> None:
        """What is left of a binary file is never shown as if it were all."""
        data = path.read_bytes()
        for cut in {1, 4, 13, len(data) // 3, len(data) // 2, len(data) - 21, len(data) - 2, len(data) - 1}:
            assert _read(pool, path.name, data[:cut], "secret").error, cut
        assert _still_reads(pool)

    def test_pem_cut_inside_a_block_is_unreadable(self, pool: Pool) -> None:
        """Also in the second block, and in the END line."""
        data = (CORPUS / "chain.pem").read_bytes()
        second = data.rindex(b"-----BEGIN")
        for cut in (5, 30, 200, second + 2, second + 20, second + 100, len(data) - 26, len(data) - 3):
            assert _read(pool, "chain.pem", data[:cut]).error in ("truncated", "unrecognized"), cut

    def test_flipped_bits_never_break_the_reader(self, pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever a bit does to a file, there is an answer that its parser meant to give."""
        chance = random.Random(20240101)
        for path in FILES:
            for _ in range(12):
                data = bytearray(path.read_bytes())
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                _read(pool, path.name, bytes(data), chance.choice((None, "secret")))
        assert "let an exception out" not in caplog.text
        assert _still_reads(pool)

    def test_a_flipped_bit_anywhere_in_a_protected_store_is_noticed(self, pool: Pool) -> None:
        """With the password, a JKS and a PKCS#12 are whole or unreadable."""
        chance = random.Random(7)
        for name in ("several.jks", "openssl_des3_sha1.p12"):
            data = (CORPUS / name).read_bytes()
            for _ in range(40):
                changed = bytearray(data)
                changed[chance.randrange(len(data) - 21) if name.endswith("jks") else chance.randrange(30, 400)] ^= 1
                assert _read(pool, name, bytes(changed), "secret").error


class TestKeyDerivationBombs:
    BOMBS = {  # noqa: RUF012 - a table
        "mac": b.pfx(b.data_info(b.seq()), mac_iterations=WORST),
        "pbkdf2": b.pfx(b.encrypted_info(b.pbes2(b.pbkdf2(WORST)))),
        "pkcs12_scheme": b.pfx(b.encrypted_info(b.pbe_sha1_3des(WORST))),
        "scrypt": b.pfx(b.encrypted_info(b.pbes2(b.scrypt(2**40, 8, 1)))),
        "scrypt_memory": b.pfx(b.encrypted_info(b.pbes2(b.scrypt(2**20, 4, 1)))),
        "a_key": b.pfx(b.data_info(b.seq(b.bag(2, b.seq(b.pbes2(b.pbkdf2(WORST)), b.octets(b"x" * 16)))))),
        "many_together": b.pfx(*[b.encrypted_info(b.pbes2(b.pbkdf2(1_000_000)))] * 11),
        "beyond_64_bits": b.pfx(b.encrypted_info(b.pbes2(b.pbkdf2(2**90)))),
    }

    @pytest.mark.parametrize("bomb", BOMBS)
    @pytest.mark.parametrize("name", ["bomb.p12", "bomb.jks", "bomb.cer"])
    @pytest.mark.parametrize("password", [None, "secret"])
    def test_is_refused_before_anything_is_derived(
        self, pool: Pool, bomb: str, name: str, password: str | None
    ) -> None:
        """Above ten million rounds in all, the answer comes at once, under any name, with any password."""
        children = pool.processes

        found = _read(pool, name, self.BOMBS[bomb], password)

        assert found.error == "work_factor_too_high"
        assert not children or pool.processes == children

    @pytest.mark.parametrize("magic", [1, 2])
    def test_bouncy_castles_rounds_are_counted_too(self, pool: Pool, magic: int) -> None:
        """BKS and UBER tell the rounds in a fixed place."""
        head = struct.pack(">II", magic, 20) + bytes(20) + struct.pack(">I", 2**32 - 1)

        assert _read(pool, "x.bks", head + b"\0" + bytes(20), "secret").error == "work_factor_too_high"
        assert _read(pool, "x.uber", head.replace(b"\0\0\0\2", b"\0\0\0\1", 1) + b"\xff" * 160, "secret").error == (
            "work_factor_too_high"
        )

    def test_slow_but_permitted_is_read_or_timed_out(self, pool: Pool) -> None:
        """Just under the limit a file may take too long: then it costs a child, and nobody else anything."""
        slow = b.pfx(b.encrypted_info(b.pbe_sha1_3des(4_900_000)), mac_iterations=4_900_000)

        assert _read(pool, "slow.p12", slow, "secret").error in ("timeout", "password_wrong")
        assert _still_reads(pool)

    def test_six_hundred_thousand_rounds_are_read(self, pool: Pool) -> None:
        """What a careful user chose must not be refused."""
        data = (CORPUS / "openssl_rounds_600000.p12").read_bytes()

        assert _read(pool, "careful.p12", data, "secret").error is None


class TestLyingLengths:
    CERTIFICATE = b.certificate()
    CASES = {  # noqa: RUF012 - a table
        "entries": b.jks(b.jks_trusted(b"a", CERTIFICATE), count=2**32 - 1),
        "chain": b.jks(b.jks_key(b"a", claimed=2**32 - 1)),
        "certificate": b.jks(b.jks_trusted(b"a", CERTIFICATE, claimed=2**31)),
        "jceks_entries": b.jks(count=2**32 - 1, magic=b"\xce\xce\xce\xce"),
        "bks_salt": struct.pack(">II", 2, 2**31),
        "der": b"\x30\x84\xff\xff\xff\xff\x30\x03\xa0\x03\x02\x01\x02",
        "der_length_of_length": b"\x30\xff" + b"\xff" * 200,
    }

    @pytest.mark.parametrize("case", CASES)
    def test_is_unreadable_at_once(self, pool: Pool, case: str) -> None:
        """A count or length beyond the file is never believed."""
        started = time.monotonic()

        assert _read(pool, "x.jks", self.CASES[case]).error in ("truncated", "malformed", "unrecognized")
        assert time.monotonic() - started < 1.5


class TestNesting:
    def _plist(self, opening: bytes, closing: bytes, times: int) -> bytes:
        body = opening * times + closing * times
        return (
            b'<?xml version="1.0"?><plist version="1.0"><dict><key>Entitlements</key><dict><key>a</key>'
            + body
            + b"</dict></dict></plist>"
        )

    @pytest.mark.parametrize("head", [b"\x30\x80", b"\x30\x80\x30\x80\xa0\x80", b"\x24\x80"])
    def test_endless_ber_is_unreadable(self, pool: Pool, head: bytes) -> None:
        """Indefinite lengths inside each other, a million deep."""
        data = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80" + head * 1_000_000

        assert _read(pool, "deep.mobileprovision", data).error
        assert _read(pool, "deep.cer", head * 1_000_000).error

    def test_safes_in_safes_are_unreadable(self, pool: Pool) -> None:
        """PKCS#12 may nest bags; nobody does."""
        nested = b.seq()
        for _ in range(2000):
            nested = b.seq(b.bag(6, nested))

        found = _read(pool, "deep.p12", b.pfx(b.data_info(nested)))

        assert found.error or found.expires_at is None

    @pytest.mark.parametrize("times", [21, 500, 100_000])
    def test_deep_property_lists_are_unreadable(self, pool: Pool, times: int) -> None:
        """More than twenty levels are nobody's entitlements."""
        data = b.signed_data(self._plist(b"<array>", b"</array>", times))

        assert _read(pool, "deep.mobileprovision", data).error in ("too_large", "malformed")

    def test_deep_json_is_unreadable(self, pool: Pool) -> None:
        """Python's own reader gives up at some depth."""
        data = b'{"type": "service_account", "x": ' + b"[" * 200_000

        assert _read(pool, "deep.json", data).error == "malformed"

    def test_java_objects_in_java_objects_are_unreadable(self, pool: Pool) -> None:
        """A secret key that is an array of arrays, thousands deep, and a class that is its own parent."""
        array = b"\x75\x72\x00\x02[L" + bytes(8) + b"\x02\0\0\x78\x70\0\0\0\x01"
        own_parent = b"\x73\x72\0\x01A" + bytes(8) + b"\x02\0\0\x78\x71\0\x7e\0\0"
        head = struct.pack(">IH", 3, 1) + b"a" + bytes(8) + b"\xac\xed\0\x05"
        for stream in (array * 5000, own_parent):
            data = b.jks(head + stream, magic=b"\xce\xce\xce\xce")
            assert _read(pool, "deep.jceks", data).error == "malformed"


class TestPropertyListTricks:
    def _profile(self, text: bytes) -> bytes:
        return b.signed_data(text)

    def test_entities_are_refused(self, pool: Pool) -> None:
        """Neither a billion laughs nor a file from the disk."""
        laughs = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
        for declared in (b'<!ENTITY a0 "ha">' + laughs, b'<!ENTITY a11 SYSTEM "file:///etc/passwd">'):
            text = b'<?xml version="1.0"?><!DOCTYPE plist [' + declared + b"]>"
            text += b'<plist version="1.0"><dict><key>Name</key><string>&a11;</string></dict></plist>'
            assert _read(pool, "x.mobileprovision", self._profile(text)).error == "malformed"

    @pytest.mark.parametrize("encoding", ["UTF-4", "rot13", "idna", "undefined", "gb18030", "zlib"])
    def test_encodings_that_nobody_knows_are_the_files_fault(
        self, pool: Pool, encoding: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What Python knows by that name need not be an encoding of text, and is no surprise to the parser."""
        text = f'<?xml version="1.0" encoding="{encoding}"?><plist version="1.0"><dict/></plist>'.encode()

        assert _read(pool, "x.mobileprovision", self._profile(text)).error == "malformed"
        assert "let an exception out" not in caplog.text

    def test_shared_references_do_not_unfold(self, pool: Pool) -> None:
        """Thirty small lists, each holding the next one ten times, mean 10^30 values."""
        lists: list[object] = ["end"]
        for _ in range(18):
            lists = [lists] * 10
        out = io.BytesIO()
        plistlib.dump({"UUID": "x", "Entitlements": {"a": lists}}, out, fmt=plistlib.FMT_BINARY)

        found = _read(pool, "x.mobileprovision", self._profile(out.getvalue()))

        assert found.error == "too_large"

    def test_odd_values_survive_as_json(self, pool: Pool) -> None:
        """Not a number, huge integers, bytes, dates and unpaired surrogates become what every database takes."""
        odd = {"nan": float("nan"), "inf": float("inf"), "big": 2**64 - 1, "bytes": b"\0\xff", "nul": "a\tb"}
        data = self._profile(plistlib.dumps({"UUID": "x", "Entitlements": odd}, fmt=plistlib.FMT_BINARY))

        found = _read(pool, "x.mobileprovision", data)

        assert found.metadata is not None
        assert found.metadata["entitlements"] == {
            "nan": "nan",
            "inf": "inf",
            "big": "18446744073709551615",
            "bytes": "00ff",
            "nul": "a\\09b",
        }

    def test_wrong_types_are_as_good_as_absent(self, pool: Pool) -> None:
        """Every key of a profile as a number: nothing is shown, nothing breaks."""
        keys = (
            "UUID",
            "ExpirationDate",
            "Platform",
            "TeamName",
            "TeamIdentifier",
            "AppIDName",
            "Name",
            "ApplicationIdentifierPrefix",
            "IsXcodeManaged",
            "Entitlements",
            "ProvisionedDevices",
        )
        data = self._profile(plistlib.dumps({**dict.fromkeys(keys, 5), "DeveloperCertificates": [b"rubbish", 5]}))

        found = _read(pool, "x.mobileprovision", data)

        assert found.metadata is not None
        assert found.metadata["id"] is None
        assert found.metadata["certificate_ids"] == []

    def test_certificates_that_are_no_list_do_not_break_a_profile(self, pool: Pool) -> None:
        """A dictionary, a number or a text in their place."""
        for value in ({"a": b"x"}, 5, "text"):
            data = self._profile(plistlib.dumps({"UUID": "x", "DeveloperCertificates": value}))
            found = _read(pool, "x.mobileprovision", data)
            assert found.metadata is not None
            assert found.metadata["certificate_ids"] == []


class TestSize:
    MAGICS = (
        b"", b"\0", b"\x30\x80",
        b"\x30\x83\x4a\xc0\x00\x30", b"\xfe\xed\xfe\xed\0\0\0\x02", b"\xce\xce\xce\xce\0\0\0\x02",
        b"\0\0\0\x01\0\0\0\x14", b"\0\0\0\x02\0\0\0\x14", b"-----BEGIN CERTIFICATE-----\n", b"{", b"bplist00",
        b"<?xml version='1.0'?>", b"U2FsdGVkX1", b"PK\x03\x04", b"\x30\x82\x01\x00\x02\x01\x03\x30",
    )  # fmt: skip

    @pytest.mark.parametrize("magic", MAGICS)
    def test_rubbish_gives_a_reason(self, pool: Pool, magic: bytes) -> None:
        """Five megabytes of noise behind every kind's first bytes, noise of one value, and noise of pairs."""
        noise = random.Random(1).randbytes(LIMIT)
        for body in (noise, b"\x30\x00" * (LIMIT // 2), b"-----BEGIN A-----\n" * (LIMIT // 18)):
            assert _read(pool, "noise.p12", magic + body, "secret").error

    def test_ten_thousand_certificates_in_pem(self, pool: Pool) -> None:
        """The first is told."""
        data = (CORPUS / "leaf.pem").read_bytes() * 10_000

        assert _read(pool, "many.pem", data[: 8 * LIMIT]).error is None

    def test_a_keystore_of_thousands_is_listed_in_part(self, pool: Pool) -> None:
        """Five hundred entries are listed, and it is said that there are more."""
        store = b.jks(*(b.jks_trusted(b"c%d" % n, b.certificate()) for n in range(15_000)))

        found = _read(pool, "many.jks", store)

        assert found.metadata is not None
        assert len(found.metadata["entries"]) == 500
        assert found.metadata["entries_truncated"] is True

    def test_a_keystore_of_long_names_is_listed_in_short(self, pool: Pool) -> None:
        """Five hundred entries with 8 kB of name each are still five hundred entries, in less than 2 MB."""
        long = b.certificate(b.name("\U0001f511" * 1000))
        store = b.jks(*(b.jks_trusted(b"c%d" % n, long) for n in range(500)))

        found = _read(pool, "long.jks", store)

        assert found.metadata is not None
        assert len(found.metadata["entries"]) == 500
        assert found.expires_at == "2034-01-02T03:04:05.000Z"

    def test_empty_entries_by_the_hundred_thousand(self, pool: Pool) -> None:
        """Nothing in each of them, and much of it."""
        store = b.jks(*(b.jks_key(b"%06d" % n) for n in range(100_000)))

        assert _read(pool, "empty.jks", store).error in (None, "timeout")

    @pytest.mark.parametrize("text", ["x" * 4_000_000, "\x1b[31m" * 10_000, "\n" * 60_000])
    def test_a_long_name_is_cut_and_harmless(self, pool: Pool, text: str) -> None:
        """At most 64 KiB of one value, with nothing in it that a terminal would obey."""
        found = _read(pool, "long.cer", b.certificate(b.name(text)))

        assert found.metadata is not None
        assert len(found.metadata["subject"]["CN"]) <= 64 * 1024 * 4 + 1
        assert found.metadata["subject"]["CN"].isprintable()

    def test_a_name_of_a_hundred_thousand_attributes(self, pool: Pool) -> None:
        """Of the repeated attribute the first one counts."""
        found = _read(pool, "x.cer", b.certificate(b.name(*(f"v{n}" for n in range(100_000)))))

        assert found.error in ("timeout", "too_large") or found.metadata["subject"] == {"CN": "v0"}  # type: ignore[index]

    def test_a_serial_number_of_thirty_kilobytes(self, pool: Pool) -> None:
        """Python would not print it, and nobody has it."""
        serial = b.tlv(0x02, b"\x7f" * 30_000)

        assert _read(pool, "x.cer", b.certificate(serial=serial)).error == "malformed"

    def test_millions_of_devices(self, pool: Pool) -> None:
        """A profile that would not fit into a reply is refused."""
        devices = [f"00008101-{n:016X}" for n in range(90_000)]
        data = b.signed_data(plistlib.dumps({"UUID": "x", "ProvisionedDevices": devices}))

        assert _read(pool, "x.mobileprovision", data).error == "too_large"

    def test_what_is_larger_than_any_signing_file_is_not_looked_at(self, pool: Pool) -> None:
        """Twenty megabytes and a byte."""
        assert pool.inspect("x.cer", bytes(20 * 1024 * 1024 + 1)).error == "too_large"


class TestThePool:
    def test_is_alive_and_small_after_all_that(self, pool: Pool) -> None:
        """The children that are left read good files and have never been larger than 512 MiB."""
        assert _still_reads(pool)
        for pid in pool.processes:
            status = Path(f"/proc/{pid}/status").read_text("ascii")
            peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmPeak"))
            assert peak <= 512 * 1024
