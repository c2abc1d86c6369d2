"""A signing pipeline from end to end: whoever has the key pushes it once, and every job can sign with it."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.runner import Outcome, start
from tests.clients.programs import call, needs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import RunningVault

PASSWORD = "correct horse 鍵"  # no shell, locale or form may change it
STORE = "correct horse 7"  # keytool takes only ASCII for a JKS


class Team:
    """A project, a maintainer's machine and a developer's job."""

    def __init__(self, vault: RunningVault, folder: Path) -> None:
        project = vault.project()
        self.laptop, self.runner = folder / "laptop", folder / "runner"
        self.laptop.mkdir()
        self.runner.mkdir()
        maintainer = vault.member(project["id"], 40)
        _, job = vault.job(vault.member(project["id"], 30), project["id"])
        assert maintainer.token
        assert job.token
        self._maintainer = {
            "SECURE_FILES_URL": vault.url,
            "SECURE_FILES_PROJECT": project["path_with_namespace"],
            "SECURE_FILES_TOKEN": maintainer.token,
        }
        self._job = {
            "CI_API_V4_URL": f"{vault.url}/api/v4",
            "CI_PROJECT_ID": str(project["id"]),
            "CI_JOB_TOKEN": job.token,
        }

    def push(self, *argv: str, **variables: str) -> list[dict[str, Any]]:
        """Push from the maintainer's machine and return what became of the files."""
        env = {**self._maintainer, **variables}
        outcome = start("push", *argv, "--format", "json", cwd=self.laptop, env=env)
        assert (outcome.status, outcome.err) == (0, "")
        return list(json.loads(outcome.out))

    def pull(self, *argv: str) -> Outcome:
        """Pull in the job."""
        return start("pull", *argv, cwd=self.runner, env=self._job)

    def push_from_job(self, *argv: str) -> Outcome:
        """Push in the job."""
        return start("push", *argv, cwd=self.runner, env=self._job)


@pytest.fixture
def team(vault: RunningVault, tmp_path: Path) -> Team:
    return Team(vault, tmp_path)


class TestAndroid:
    pytestmark = needs("keytool", "jarsigner")

    def make_keystore(self, team: Team, kind: str) -> None:
        """Make a keystore as Android's manual says."""
        identity = ("-dname", "CN=Example, O=Example GmbH", "-validity", "10000", "-keyalg", "RSA", "-keysize", "2048")
        place = ("-keystore", "upload.jks", "-storetype", kind, "-storepass:env", "STORE", "-alias", "upload")
        key = ("-keypass:env", "STORE") if kind == "JKS" else ()
        call("keytool", "-genkeypair", *place, *key, *identity, cwd=team.laptop, STORE=STORE)

    def make_app(self, folder: Path) -> None:
        with zipfile.ZipFile(folder / "app.jar", "w") as app:
            app.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
            app.writestr("classes.dex", b"dex\n035\0")

    @pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
    def test_a_job_signs_with_the_keystore_that_was_pushed(self, team: Team, kind: str) -> None:
        self.make_keystore(team, kind)
        (row,) = team.push("upload.jks", "--password-env", "STORE", STORE=STORE)
        assert (row["state"], row["metadata_error"], row["expires_at"][:2]) == ("created", None, "20")

        assert team.pull("upload.jks").out == ".secure_files/upload.jks\n"
        self.make_app(team.runner)
        keystore = ("-keystore", ".secure_files/upload.jks", "-storepass:env", "STORE")
        call("jarsigner", *keystore, "app.jar", "upload", cwd=team.runner, STORE=STORE)

        # Strictly: by this very key, which the keystore that never left the laptop vouches for.
        trusted = ("-keystore", team.laptop / "upload.jks", "-storepass:env", "STORE", "-strict")
        verified = call("jarsigner", "-verify", *trusted, "app.jar", "upload", cwd=team.runner, STORE=STORE)
        assert "jar verified." in verified


class TestApple:
    pytestmark = needs("openssl")

    def make_identity(self, team: Team) -> None:
        """Make a certificate with its key, and a .p12 of both."""
        names = ("-subj", "/UID=ABC123XYZ/CN=Apple Distribution: Example (ABC123XYZ)/O=Example/C=US")
        options = ("-newkey", "rsa:2048", "-noenc", "-keyout", "key.pem", "-out", "cert.pem", "-days", "365")
        call("openssl", "req", "-x509", *options, *names, cwd=team.laptop)
        files = ("-in", "cert.pem", "-inkey", "key.pem", "-out", "dist.p12", "-name", "distribution")
        call("openssl", "pkcs12", "-export", *files, "-passout", "env:P12", cwd=team.laptop, P12=PASSWORD)

    def test_a_job_signs_with_the_identity_that_was_pushed(self, team: Team) -> None:
        self.make_identity(team)
        name = "certs/distribution/ABC123XYZ.p12"
        (row,) = team.push("dist.p12", "--name", name, "--password-env", "P12", P12=PASSWORD)
        assert (row["name"], row["metadata_error"], row["expires_at"][:2]) == (name, None, "20")

        assert team.pull("certs/*").out == f".secure_files/{name}\n"
        (team.runner / "App").write_bytes(bytes(range(256)) * 100)
        identity = ("-in", f".secure_files/{name}", "-passin", "env:P12", "-noenc", "-out", "identity.pem")
        call("openssl", "pkcs12", *identity, cwd=team.runner, P12=PASSWORD)
        signature = ("-outform", "DER", "-out", "App.sig")
        call("openssl", "cms", "-sign", "-binary", "-in", "App", "-signer", "identity.pem", *signature, cwd=team.runner)

        trusted = ("-content", "App", "-CAfile", team.laptop / "cert.pem", "-purpose", "any", "-out", "verified")
        check = ("-inform", "DER", "-in", "App.sig", "-binary")
        call("openssl", "cms", "-verify", *check, *trusted, cwd=team.runner)
        assert (team.runner / "verified").read_bytes() == (team.runner / "App").read_bytes()

    def test_a_renewed_identity_takes_the_place_of_the_old_one(self, team: Team) -> None:
        password = ("--password-env", "P12")
        self.make_identity(team)
        (before,) = team.push("dist.p12", *password, P12=PASSWORD)
        self.make_identity(team)
        (after,) = team.push("dist.p12", "--replace", *password, P12=PASSWORD)
        team.pull()

        assert (after["id"], after["state"]) == (before["id"], "replaced")
        assert (team.runner / ".secure_files/dist.p12").read_bytes() == (team.laptop / "dist.p12").read_bytes()

    def test_a_developers_job_cannot_put_another_in_its_place(self, team: Team) -> None:
        self.make_identity(team)
        team.push("dist.p12", "--password-env", "P12", P12=PASSWORD)
        (team.runner / "dist.p12").write_bytes(b"another")

        assert team.push_from_job("--replace", "dist.p12").status == 6
