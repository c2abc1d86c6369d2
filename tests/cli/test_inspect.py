"""`inspect` says of a local file what the vault would."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sample_certs
from cli.inspect import WAYS_OUT
from sample_certs.catalogue import catalogue
from tests.cli.runner import run, start

if TYPE_CHECKING:
    from sample_certs.catalogue import Sample

FILES = Path(sample_certs.__file__).with_name("files")
CHECKED_IN_AT = datetime(2026, 11, 21, tzinfo=UTC)
SAMPLES = [pytest.param(each, id=each.name) for each in catalogue()]
VARIABLE = "PASSWORD_OF_THE_FILE"


class TestSamples:
    @pytest.mark.parametrize("sample", SAMPLES)
    def test_each_is_read_or_its_reason_is_told(self, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
        argv: list[str | Path] = ["inspect", FILES / sample.name, "--format", "json"]
        if sample.password is not None:
            monkeypatch.setenv(VARIABLE, sample.password)
            argv += ["--password-env", VARIABLE]
        outcome = run(*argv)
        found = json.loads(outcome.out)

        assert set(found) == {"kind", "expires_at", "metadata", "error"}
        assert found["error"] == sample.reason
        if sample.reason is None:
            assert (outcome.status, outcome.err) == (0, "")
            assert found["metadata"]["kind"] == found["kind"]
        else:
            assert outcome.status == 1
            way_out = WAYS_OUT.get(sample.reason, "")
            assert outcome.err == f"secure-files: {sample.name} could not be read: {sample.reason}{way_out}\n"
            assert found["metadata"] is None
        if sample.expires_in is None:
            assert found["expires_at"] is None
        else:
            assert datetime.fromisoformat(found["expires_at"]) == CHECKED_IN_AT + sample.expires_in

    def test_the_folder_holds_no_other(self) -> None:
        assert {path.name for path in FILES.iterdir()} == {each.name for each in catalogue()}


class TestPassword:
    def inspected(self, *more: str) -> tuple[int, str]:
        outcome = run("inspect", FILES / "distribution.p12", "--format", "json", *more)
        return outcome.status, json.loads(outcome.out)["error"]

    def test_is_asked_for_by_its_absence(self) -> None:
        assert self.inspected() == (1, "password_missing")

    @pytest.mark.parametrize("password", ["wrong", "", "ключ", "\udce4"])
    def test_a_wrong_one_is_called_wrong(self, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, password)

        assert self.inspected("--password-env", VARIABLE) == (1, "password_wrong")

    def test_a_variable_that_is_not_set_is_a_mistake_and_not_an_empty_password(self) -> None:
        outcome = run("inspect", FILES / "sample.p12", "--password-env", VARIABLE)

        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err == f"secure-files: --password-env names {VARIABLE}, which is not set\n"

    def test_is_not_shown(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "keystore.properties").write_text("storePassword=hunter2\nkeyPassword=hunter2\nkeyAlias=upload\n")
        (tmp_path / "a.p12").write_bytes((FILES / "distribution.p12").read_bytes())
        monkeypatch.setenv(VARIABLE, "hunter2")
        for name in ("keystore.properties", "a.p12"):
            outcome = run("inspect", tmp_path / name, "--password-env", VARIABLE)

            assert "kind: " in outcome.out
            assert "hunter2" not in outcome.out + outcome.err


class TestText:
    def test_says_kind_date_and_metadata(self) -> None:
        outcome = run("inspect", FILES / "sample.cer")
        lines = outcome.out.splitlines()

        assert lines[0] == "kind: certificate"
        assert lines[1] == "expires_at: 2026-12-11T12:00:00.000Z"
        assert lines[2] == "metadata: {"
        assert json.loads(outcome.out.partition("metadata: ")[2])["kind"] == "certificate"

    def test_of_an_unreadable_file_says_the_reason(self) -> None:
        outcome = run("inspect", FILES / "rubbish.cer")

        assert (outcome.status, outcome.out) == (1, "error: unrecognized\n")


class TestFile:
    def test_one_that_is_not_there_ends_with_5(self, tmp_path: Path) -> None:
        outcome = run("inspect", tmp_path / "absent.cer")

        assert (outcome.status, outcome.out) == (5, "")
        assert str(tmp_path / "absent.cer") in outcome.err

    def test_a_folder_ends_with_5(self, tmp_path: Path) -> None:
        assert run("inspect", tmp_path).status == 5

    @pytest.mark.parametrize("content", [b"", b"\0" * 100, b"hello"])
    def test_one_that_nobody_knows_ends_with_1(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.cer").write_bytes(content)
        outcome = run("inspect", tmp_path / "a.cer")

        assert outcome.status == 1
        assert "could not be read" in outcome.err

    def test_one_without_an_end_is_too_large(self) -> None:
        outcome = run("inspect", "/dev/zero", "--format", "json")

        assert (outcome.status, json.loads(outcome.out)["error"]) == (1, "too_large")

    def test_no_vault_is_needed_and_none_is_made(self, tmp_path: Path) -> None:
        outcome = start("inspect", FILES / "sample.cer", cwd=tmp_path)

        assert (outcome.status, outcome.err) == (0, "")
        assert list(tmp_path.iterdir()) == []


def certificate_called(name: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    until = CHECKED_IN_AT + timedelta(days=365)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, CHECKED_IN_AT, until)
    return builder.sign(key, None).public_bytes(Encoding.DER)


class TestTerminal:
    """Whoever made the file decides what its names say, not what the terminal does."""

    @pytest.mark.parametrize("form", ["text", "json"])
    @pytest.mark.parametrize("char", ["\x1b", "\x9b", "\u202e", "\u2028", "\x07"])
    def test_no_name_in_a_file_steers_it(self, tmp_path: Path, form: str, char: str) -> None:
        (tmp_path / "a.cer").write_bytes(certificate_called(f"evil{char}[2Jname"))
        outcome = run("inspect", tmp_path / "a.cer", "--format", form)

        assert outcome.status == 0
        assert "evil" in outcome.out
        assert char not in outcome.out

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_names_of_any_script_are_told(self, tmp_path: Path, form: str) -> None:
        (tmp_path / "a.cer").write_bytes(certificate_called("Ключ Ünïcode 鍵"))
        outcome = run("inspect", tmp_path / "a.cer", "--format", form)
        metadata: dict[str, Any] = json.loads(outcome.out[outcome.out.index("{") :])
        metadata = metadata.get("metadata", metadata)

        assert metadata["subject"] == {"CN": "Ключ Ünïcode 鍵"}
        if form == "text":
            assert "Ключ Ünïcode 鍵" in outcome.out
