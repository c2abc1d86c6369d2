"""TLS by the server's own certificate: which versions, whose certificate, and reading it again while it is used."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from server.tls import Certificate
from tests.reliability.processes import Server
from vault.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 10.0
# The certificates are signed by nobody.
pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


def make(folder: Path, name: str = "vault.test") -> tuple[Path, Path]:
    """Put a new certificate and its key in a folder, in place of those that were there."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run(
        [*command, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True
    )
    return chain, key


class TestCertificate:
    def test_speaks_no_version_before_1_2(self, tmp_path: Path) -> None:
        assert Certificate(*make(tmp_path)).context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_may_lie_in_one_file_with_its_key(self, tmp_path: Path) -> None:
        chain, key = make(tmp_path)
        both = tmp_path / "both.pem"
        both.write_bytes(key.read_bytes() + chain.read_bytes())

        Certificate(both, both)

    def test_that_is_missing_is_refused_by_name(self, tmp_path: Path) -> None:
        chain, key = make(tmp_path)
        chain.unlink()

        with pytest.raises(Invalid, match=r"chain\.pem with the key .*key\.pem: No such file"):
            Certificate(chain, key)

    def test_of_another_key_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        chain, _ = make(tmp_path)
        _, other = make(tmp_path / "other")

        with pytest.raises(Invalid, match="key values mismatch"):
            Certificate(chain, other)

    def test_with_a_locked_key_is_refused_and_nobody_is_asked(self, tmp_path: Path) -> None:
        chain, key = make(tmp_path)
        locked = tmp_path / "locked.pem"
        subprocess.run(
            ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"], check=True
        )

        with pytest.raises(Invalid, match="tls_certificate cannot be used"):
            Certificate(chain, locked)

    def test_that_cannot_be_read_again_stays_as_it_was(self, tmp_path: Path) -> None:
        chain, key = make(tmp_path)
        certificate = Certificate(chain, key)
        before = certificate._current
        key.write_text("rubbish")

        with pytest.raises(Invalid):
            certificate.read_again()
        assert certificate._current is before


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Server:
    """A server with TLS, not yet started."""
    chain, key = make(tmp_path)
    return Server(tmp_path / "data", workers=request.param, tls_certificate=chain, tls_key=key)


def connect(server: Server, name: str | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    return context.wrap_socket(plain, server_hostname=name)


def certificate_of(server: Server, name: str | None = None) -> bytes:
    with connect(server, name) as connection:
        return connection.getpeercert(binary_form=True) or b""


def ask(connection: ssl.SSLSocket) -> http.client.HTTPResponse:
    connection.sendall(b"GET /-/liveness HTTP/1.1\r\nHost: vault.test\r\n\r\n")
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.read() == b'{"status":"ok"}'
    return answer


class TestServer:
    def test_has_it_and_says_so_in_every_answer(self, server: Server) -> None:
        with server, connect(server) as connection:
            answer = ask(connection)

            assert answer.status == 200
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "listening on https://127.0.0.1:" in server.log

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_refuses_older_versions(self, server: Server) -> None:
        with server:
            with connect(server, version=ssl.TLSVersion.TLSv1_2) as connection:
                assert ask(connection).status == 200
            with pytest.raises(OSError, match=r"(?i)protocol|alert|reset|eof"):
                connect(server, version=ssl.TLSVersion.TLSv1_1)

    @pytest.mark.parametrize("name", [None, "vault.test"])
    def test_reads_the_certificate_again_at_sighup_in_every_worker(
        self, server: Server, tmp_path: Path, name: str | None
    ) -> None:
        with server, connect(server) as open_before:
            old = certificate_of(server, name)
            make(tmp_path)
            server.signal(signal.SIGHUP)
            server.wait_for_log("SIGHUP: new connections get the certificate that was read now")
            # One line is the parent's where there are workers; each of them says its own.
            deadline = time.monotonic() + PATIENCE
            while server.log.count("SIGHUP: new connections") < len(server.workers()) + 1 and server.workers():
                assert time.monotonic() < deadline
                time.sleep(0.01)

            assert old not in {certificate_of(server, name) for _ in range(12)}
            assert ask(open_before).status == 200

    def test_keeps_the_certificate_when_the_new_one_cannot_be_used(self, server: Server, tmp_path: Path) -> None:
        with server:
            old = certificate_of(server)
            (tmp_path / "chain.pem").write_text("rubbish")
            server.signal(signal.SIGHUP)
            server.wait_for_log("SIGHUP: the certificate stays as it was: tls_certificate cannot be used")

            assert certificate_of(server) == old

    def test_survives_sighup_without_a_certificate(self, tmp_path: Path) -> None:
        with Server(tmp_path / "plain") as plain:
            plain.signal_group(signal.SIGHUP)
            plain.wait_for_log("there is no certificate to read again")

            assert plain.is_ready()
