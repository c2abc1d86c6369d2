"""`pull` trusts no server further than it has to: names, redirects, certificates."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from tests.cli.between import Asked, Between, Reply
from tests.cli.pipeline import Job, between, files, job
from tests.cli.runner import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["between", "job"]


class TestNamesThatServersMakeUp:
    def pulled(self, job: Job, between: Between, name: str) -> Outcome:
        job.put("a.jks", b"1")
        between.interfere = lambda asked, pass_on: (
            pass_on(asked) if asked.is_download else pass_on(asked).listing(name=name)
        )
        return run("pull", "--path", "here/inside")

    @pytest.mark.parametrize(
        "name", ["..", "../x", "a/../../x", "a/..", "", "/", "a/", "x\0y", "\ud800", "./..", "/../x"]
    )
    def test_5_for_one_that_is_no_file_below_the_folder(self, job: Job, between: Between, name: str) -> None:
        outcome = self.pulled(job, between, name)

        assert (outcome.status, outcome.out) == (5, "")
        assert "cannot be the name of a file" in outcome.err
        assert list(job.folder.iterdir()) == []

    @pytest.mark.parametrize(
        ("name", "place"), [("/etc/x.jks", "etc/x.jks"), ("a//b", "a/b"), ("./a", "a"), ("a\\..\\b", "a\\..\\b")]
    )
    def test_a_whole_path_begins_at_the_folder(self, job: Job, between: Between, name: str, place: str) -> None:
        assert self.pulled(job, between, name).status == 0
        assert files(job.folder) == {f"here/inside/{place}": b"1"}

    def test_one_that_would_steer_the_terminal_is_told_with_escapes(self, job: Job, between: Between) -> None:
        outcome = self.pulled(job, between, "a\x1b[2J.jks")

        assert outcome.out == "here/inside/a\\x1b[2J.jks\n"

    def test_5_for_a_file_that_is_a_folder_too(self, job: Job) -> None:
        job.put("a")
        job.put("a/b")
        outcome = run("pull")

        assert (outcome.status, list(job.folder.iterdir())) == (5, [])
        assert "'a' would be a file, and the folder of 'a/b'" in outcome.err

    def test_5_for_a_folder_where_the_file_should_be(self, job: Job) -> None:
        job.put("a")
        (job.folder / ".secure_files/a/b").mkdir(parents=True)
        outcome = run("pull")

        assert outcome.status == 5
        assert outcome.err == "secure-files: .secure_files/a: Is a directory\n"

    def test_5_for_a_symbolic_link_on_the_way(self, job: Job) -> None:
        job.put("certs/a.cer")
        (job.folder / ".secure_files").mkdir()
        (job.folder / "outside").mkdir()
        (job.folder / ".secure_files/certs").symlink_to(job.folder / "outside")
        outcome = run("pull")

        assert outcome.status == 5
        assert ".secure_files/certs: is a symbolic link" in outcome.err
        assert files(job.folder) == {}

    def test_a_symbolic_link_in_its_place_is_replaced_and_not_followed(self, job: Job) -> None:
        job.put("a.cer", b"new")
        (job.folder / ".secure_files").mkdir()
        (job.folder / "outside").write_bytes(b"old")
        (job.folder / ".secure_files/a.cer").symlink_to(job.folder / "outside")

        assert run("pull").status == 0
        assert files(job.folder) == {".secure_files/a.cer": b"new", "outside": b"old"}


class TestToken:
    def test_is_not_sent_on_to_an_object_store(self, job: Job, between: Between) -> None:
        job.put("a.jks", b"1")
        with Between(job.vault.url) as store:
            store.interfere = lambda asked, pass_on: Reply(200, b"1")
            away = Reply(302, headers={"Location": f"{store.url}/bucket/object"})
            between.interfere = lambda asked, pass_on: away if asked.is_download else pass_on(asked)

            assert run("pull").status == 0
            assert [asked.path for asked in store.seen] == ["/bucket/object"]
            assert job.token not in str(store.seen)

    def test_follows_a_project_that_was_moved(self, job: Job, between: Between) -> None:
        job.put("a.jks", b"1")
        job.set(CI_PROJECT_ID="old/path")

        def moved(asked: Asked, pass_on: Callable[[Asked], Reply]) -> Reply:
            place = asked.path.replace("old%2Fpath", str(job.id))
            return pass_on(asked) if place == asked.path else Reply(301, headers={"Location": between.url + place})

        between.interfere = moved

        assert run("pull").status == 0

    def test_a_redirect_to_a_local_file_is_not_followed(self, job: Job, between: Between) -> None:
        between.interfere = lambda asked, pass_on: Reply(302, headers={"Location": "file:///etc/passwd"})

        assert run("pull").status == 6


def self_signed(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 and return the file that holds it and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault under test")])
    until = now + timedelta(days=1)
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), until)
    made = made.add_extension(host, critical=False).add_extension(x509.BasicConstraints(True, None), critical=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return folder / "server.pem"


class TestTls:
    @pytest.fixture
    def secured(self, job: Job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """Put a server with TLS between the job and its vault; return the file with its certificate."""
        certificate = self_signed(tmp_path_factory.mktemp("tls"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with Between(job.vault.url, context) as server:
            job.set(CI_API_V4_URL=f"{server.url}/api/v4")
            yield certificate

    def test_a_certificate_that_nobody_knows_is_refused_at_once(self, job: Job, secured: Path) -> None:
        outcome = run("pull")

        assert (outcome.status, job.waits) == (7, [])
        assert "certificate verify failed" in outcome.err

    def test_the_one_that_the_runner_names_is_known(self, job: Job, secured: Path) -> None:
        job.put("a.jks", b"1")
        job.set(CI_SERVER_TLS_CA_FILE=str(secured))

        assert run("pull").status == 0
        assert files(job.folder) == {".secure_files/a.jks": b"1"}
