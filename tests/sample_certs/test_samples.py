"""The samples are what the catalogue says, and the checked-in ones are what the script makes."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

import jks
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import pkcs12

import sample_certs
from parsers import read_here
from sample_certs.catalogue import Sample, catalogue
from sample_certs.make_samples import FILES, main, make_samples
from tests.sample_certs.outside_readers import expiry, run

CHECKED_IN_AT = datetime(2026, 11, 21, tzinfo=UTC)

# Their libraries salt them anew each time, so no two are the same.
SALTED = {"upload-keystore.jks", "distribution.p12", "legacy.p12", "forgotten.p12", "truncated.jks"}

ALL = [pytest.param(sample, id=sample.name) for sample in catalogue()]
EXPIRING = [pytest.param(sample, id=sample.name) for sample in catalogue() if sample.expires_in is not None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make_samples(folder, CHECKED_IN_AT)
    return folder


class TestCatalogue:
    def test_names_each_sample_once(self) -> None:
        names = [sample.name for sample in catalogue()]

        assert len(names) == len(set(names))

    def test_gives_the_demo_something_for_each_line_of_an_expiry_report(self) -> None:
        days = {sample.expires_in.days for sample in catalogue() if sample.demo and sample.expires_in is not None}

        assert min(days) < 0
        assert {6, 20, 80} <= days
        assert max(days) > 20 * 365

    def test_an_unreadable_sample_has_no_date(self) -> None:
        unreadable = [sample for sample in catalogue() if sample.reason is not None]

        assert unreadable
        assert all(sample.expires_in is None for sample in unreadable)

    def test_every_sample_has_its_row_in_the_readme(self) -> None:
        readme = Path(sample_certs.__file__).with_name("README.md").read_text()

        rows = [line.split("|") for line in readme.splitlines() if line.startswith("| `")]
        told = [(row[1].strip(" `"), row[3].strip(" `")) for row in rows]

        words = {None: "none", "": "empty"}
        assert told == [(sample.name, words.get(sample.password, sample.password)) for sample in catalogue()]


class TestMakeSamples:
    def test_makes_the_folder_and_every_sample_in_the_catalogues_order(self, tmp_path: Path) -> None:
        paths = make_samples(tmp_path / "new" / "folder", CHECKED_IN_AT)

        assert paths == [tmp_path / "new" / "folder" / sample.name for sample in catalogue()]
        assert all(path.stat().st_size for path in paths)

    def test_costs_a_few_seconds_of_processor_time(self, tmp_path: Path) -> None:
        before = time.process_time()

        make_samples(tmp_path)

        assert time.process_time() - before < 8

    @pytest.mark.parametrize("sample", ALL)
    def test_makes_the_same_again_but_for_random_salts(self, sample: Sample, made: Path) -> None:
        again = sample.contents(CHECKED_IN_AT) == (made / sample.name).read_bytes()

        assert again is (sample.name not in SALTED)

    def test_counts_dates_from_the_present_when_not_told(self, tmp_path: Path) -> None:
        before = datetime.now(UTC).replace(microsecond=0)

        make_samples(tmp_path)

        ends = x509.load_der_x509_certificate((tmp_path / "sample.cer").read_bytes()).not_valid_after_utc
        offset = _sample("sample.cer").expires_in
        assert offset is not None
        assert before + offset <= ends <= datetime.now(UTC) + offset

    @pytest.mark.parametrize(
        "now",
        [
            pytest.param(datetime(2026, 11, 21), id="no zone is UTC"),  # noqa: DTZ001 - the case in question
            pytest.param(datetime(2026, 11, 21, microsecond=999_999, tzinfo=UTC), id="fractions are dropped"),
            pytest.param(datetime.fromisoformat("2026-11-21T05:30:00+05:30"), id="other zones are converted"),
        ],
    )
    def test_takes_any_way_to_write_the_time(self, now: datetime, made: Path, tmp_path: Path) -> None:
        make_samples(tmp_path, now)

        assert (tmp_path / "sample.mobileprovision").read_bytes() == (made / "sample.mobileprovision").read_bytes()

    def test_command_prints_the_paths_it_wrote(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        main(["--now", "2026-11-21T00:00:00Z", str(tmp_path)])

        assert capsys.readouterr().out.splitlines() == [str(tmp_path / sample.name) for sample in catalogue()]


class TestCheckedInFiles:
    def test_are_those_of_the_catalogue(self) -> None:
        assert {path.name for path in FILES.iterdir()} == {sample.name for sample in catalogue()}

    @pytest.mark.parametrize("sample", [one for one in ALL if one.id not in SALTED])
    def test_are_what_the_script_makes(self, sample: Sample, made: Path) -> None:
        assert (FILES / sample.name).read_bytes() == (made / sample.name).read_bytes()

    def test_are_small(self) -> None:
        assert sum(path.stat().st_size for path in FILES.iterdir()) < 200_000


@pytest.mark.parametrize("folder", ["checked in", "made"])
class TestExpiry:
    @pytest.mark.parametrize("sample", EXPIRING)
    def test_is_what_other_programs_read(self, sample: Sample, folder: str, made: Path) -> None:
        path = (FILES if folder == "checked in" else made) / sample.name

        assert sample.expires_in is not None
        assert expiry(sample, path) == CHECKED_IN_AT + sample.expires_in


class TestParsers:
    @pytest.mark.parametrize("sample", ALL)
    def test_find_what_the_catalogue_says(self, sample: Sample) -> None:
        found = read_here(sample.name, (FILES / sample.name).read_bytes(), sample.password)

        ends = None if sample.expires_in is None else CHECKED_IN_AT + sample.expires_in
        assert found.error == sample.reason
        assert found.expires_at == (ends and ends.strftime("%Y-%m-%dT%H:%M:%S.000Z"))

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("sample.p12", None),
            ("upload-keystore.jks", None),
            ("debug.keystore", None),
            ("release.jks", "password_missing"),
            ("distribution.p12", "password_missing"),
            ("legacy.p12", "password_missing"),
        ],
    )
    def test_say_of_a_file_without_its_password_what_the_readme_says(self, name: str, reason: str | None) -> None:
        assert read_here(name, (FILES / name).read_bytes()).error == reason


class TestKinds:
    def test_certificate_repeats_the_one_in_gitlabs_documentation(self) -> None:
        certificate = x509.load_der_x509_certificate((FILES / "sample.cer").read_bytes())

        assert certificate.serial_number == 75949910542696343243264405377658443914
        assert certificate.subject.rfc4514_string() == (
            "C=US,O=Organization Name,OU=ABC123XYZ,CN=Apple Distribution: Organization Name (ABC123XYZ),UID=ABC123XYZ"
        )

    def test_certificates_say_inside_that_they_are_worthless(self) -> None:
        printed = run("openssl", "x509", "-noout", "-text", "-in", FILES / "sample.cer")

        assert b"Worthless: its private key is public." in printed

    def test_chain_leads_to_its_root(self) -> None:
        leaf, issuing, root = x509.load_pem_x509_certificates((FILES / "chain.pem").read_bytes())

        leaf.verify_directly_issued_by(issuing)
        issuing.verify_directly_issued_by(root)

    def test_several_keys_of_a_keystore_can_be_used_with_its_password(self) -> None:
        store = ("-keystore", FILES / "release.jks", "-storepass", "sample")

        for alias in ("release-1", "release-2"):
            assert b"REQUEST" in run("keytool", "-certreq", "-alias", alias, *store)

    def test_java_reads_the_key_that_pyjks_wrote(self) -> None:
        store = ("-keystore", FILES / "upload-keystore.jks", "-storepass", "sample")

        assert b"REQUEST" in run("keytool", "-certreq", "-alias", "upload", *store)

    def test_sealed_key_of_a_bks_belongs_to_its_certificate(self) -> None:
        (entry,) = jks.bks.BksKeyStore.load(str(FILES / "client.bks"), "sample").sealed_keys.values()

        public = run("openssl", "pkey", "-inform", "DER", "-pubout", stdin=entry.pkey_pkcs8)
        certificate = run("openssl", "x509", "-inform", "DER", "-noout", "-pubkey", stdin=entry.cert_chain[0].cert)
        assert public == certificate

    def test_empty_password_is_the_password(self) -> None:
        data = (FILES / "sample.p12").read_bytes()

        assert pkcs12.load_pkcs12(data, b"").key is not None
        with pytest.raises(ValueError, match="password"):
            pkcs12.load_pkcs12(data, b"foo")

    @pytest.mark.parametrize("name", ["AuthKey_SAMPLE0000.p8", "fastlane-match.p12"])
    def test_private_keys_are_consistent(self, name: str) -> None:
        assert b"valid" in run("openssl", "pkey", "-check", "-noout", "-in", FILES / name)

    def test_request_is_signed_by_its_own_key(self) -> None:
        run("openssl", "req", "-verify", "-noout", "-in", FILES / "signing-request.csr")

    def test_match_file_opens_with_the_way_of_match(self) -> None:
        stored = base64.b64decode((FILES / "match-encrypted.cer").read_bytes())

        assert stored[:20] == b"match_encrypted_v2__"
        derived = hashlib.pbkdf2_hmac("sha256", b"sample", stored[20:28], 10_000, 68)
        opened = AESGCM(derived[:32]).decrypt(derived[32:44], stored[44:] + stored[28:44], derived[44:])
        assert x509.load_der_x509_certificate(opened).serial_number == 75949910542696343243264405377658443914


class TestHostileSamples:
    def test_forgotten_password_is_not_the_empty_one(self) -> None:
        run("openssl", "pkcs12", "-noout", "-passin", "pass:", "-in", FILES / "forgotten.p12", ok=False)

    def test_truncated_keystore_lacks_nothing_but_the_digest(self) -> None:
        data = (FILES / "truncated.jks").read_bytes()

        assert list(jks.KeyStore.loads(data, None, try_decrypt_keys=False).entries) == ["upload"]
        with pytest.raises(jks.BadKeystoreFormatException):
            jks.KeyStore.loads(data, "sample")

    def test_iteration_bomb_is_a_small_file_with_a_large_claim(self) -> None:
        bomb = FILES / "iteration-bomb.p12"

        assert bomb.stat().st_size < 1200
        assert b":7FFFFFFF" in run("openssl", "asn1parse", "-inform", "DER", "-in", bomb)

    def test_entity_bomb_is_signed_like_any_profile(self) -> None:
        bomb = FILES / "billion-laughs.mobileprovision"

        assert b"&lol9;" in run("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", bomb)


def _sample(name: str) -> Sample:
    return next(sample for sample in catalogue() if sample.name == name)
