"""One vault on one machine: units of systemd, a container. What they name is what the program has."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cli import parser
from server.api import FAMILIES
from server.keyrings import CREDENTIAL_KEYRING
from server.process import NOTICE_SECONDS
from server.settings import PREFIX, Settings, load
from server.workers import LATE_SECONDS
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import RunningVault

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("secure-files*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM, DATA = "/opt/secure-files/bin/secure-files", "/var/lib/secure-files"
ROUTES = {endpoint.path for family in FAMILIES for endpoint in family.ENDPOINTS}
SYSTEMD = shutil.which("systemd-analyze")
Lines = list[tuple[str, str]]


def lines_of(unit: Path) -> Lines:
    """Return the settings of a unit, in order."""
    text = [line for line in unit.read_text("utf-8").splitlines() if line and line[0] not in "#["]
    return [(name, value) for name, _, value in (line.partition("=") for line in text)]


def only(unit: Path, name: str) -> str:
    [value] = [value for each, value in lines_of(unit) if each == name]
    return value


def hardening(unit: Path) -> Lines:
    lines = lines_of(unit)
    return lines[lines.index(("NoNewPrivileges", "yes")) :]


def asked(words: list[str]) -> str:
    """Return the command that these words of a command line ask for, after it has taken them."""
    return str(parser(words).parse_args(words).command)


class TestServices:
    @pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
    def test_run_commands_that_there_are_on_the_folder_they_are_given(self, unit: Path) -> None:
        program, *words = shlex.split(only(unit, "ExecStart"))

        assert program == PROGRAM
        assert asked(words) == {"secure-files": "serve"}.get(unit.stem, unit.stem.rpartition("-")[2])
        assert words[words.index("--data") + 1] == DATA == f"/var/lib/{only(unit, 'StateDirectory')}"
        assert only(unit, "StateDirectoryMode") == "0700"

    @pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
    def test_may_all_do_as_little(self, unit: Path) -> None:
        found = [line for line in hardening(unit) if line != ("WantedBy", "multi-user.target")]

        assert found == [line for line in hardening(SERVICES[0]) if line != ("WantedBy", "multi-user.target")]
        assert {
            ("ProtectSystem", "strict"),
            ("CapabilityBoundingSet", ""),
            ("SystemCallFilter", "~@privileged"),
            ("MemoryDenyWriteExecute", "yes"),
            ("UMask", "0077"),
            ("LimitCORE", "0"),
        } <= set(found)
        assert only(unit, "User") == only(unit, "Group") == "secure-files"

    def test_give_the_server_the_time_that_it_takes_to_end(self) -> None:
        unit = DEPLOY / "systemd" / "secure-files.service"

        assert int(only(unit, "TimeoutStopSec")) > NOTICE_SECONDS + Settings().grace + LATE_SECONDS
        assert only(unit, "ExecReload") == "/bin/kill -HUP $MAINPID"

    @pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".timer"], ids=lambda unit: unit.name)
    def test_have_timers_that_name_one_of_them(self, unit: Path) -> None:
        assert unit.with_suffix(".service") in SERVICES
        assert only(unit, "Persistent") == "yes"

    def test_get_the_keyring_under_the_name_that_the_program_looks_for(self) -> None:
        name, _, place = only(DEPLOY / "systemd" / "keyring.conf", "LoadCredential").partition(":")

        assert name == CREDENTIAL_KEYRING
        assert not place.startswith(DATA)

    def test_have_the_user_and_the_folders_that_they_name(self) -> None:
        made = (DEPLOY / "systemd" / "tmpfiles.conf").read_text("utf-8")

        assert "u secure-files - " in (DEPLOY / "systemd" / "sysusers.conf").read_text("utf-8")
        for unit in SERVICES:
            for name, value in lines_of(unit):
                assert name != "ReadWritePaths" or f"d {value} 0700 secure-files secure-files" in made


@pytest.mark.engine("systemd-analyze")
@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not on this machine")
class TestSystemd:
    @pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
    def test_understands_each_unit(self, unit: Path, tmp_path: Path) -> None:
        for each in UNITS:
            text = each.read_text("utf-8").replace(PROGRAM, sys.executable)
            (tmp_path / each.name).write_text(text, "utf-8")
        said = subprocess.run(
            [str(SYSTEMD), "verify", "--man=no", "--recursive-errors=no", str(tmp_path / unit.name)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (said.returncode, [line for line in said.stderr.splitlines() if "secure-files" in line]) == (0, [])

    @pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
    def test_finds_little_that_they_could_do(self, unit: Path) -> None:
        said = subprocess.run(
            [str(SYSTEMD), "security", "--offline=yes", "--no-pager", str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)

        assert float(exposure) <= 2.0


def instructions() -> list[tuple[str, str]]:
    """Return the lines of the Containerfile, continued ones as one."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text("utf-8"))
    found = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in found)]


def last(name: str) -> str:
    return [rest for each, rest in instructions() if each == name][-1]


def words_of(text: str) -> list[str]:
    return [str(word) for word in yaml.safe_load(text)]


class TestContainer:
    def test_is_no_roots_and_says_so_by_number(self) -> None:
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("USER"))
        names = [name for name, _ in instructions()]
        assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))

    def test_installs_what_the_lock_has_and_no_compiler(self) -> None:
        text = " ".join(rest for name, rest in instructions() if name == "RUN")

        assert "--no-deps --require-hashes --only-binary :all: --requirement requirements-all.txt" in re.sub(
            " +", " ", text
        )
        assert not re.search(r"gcc|build-essential|-dev\b|curl|wget", text)
        assert "--no-install-recommends" in text
        assert "rm -rf /var/lib/apt/lists/*" in text

    def test_is_built_from_a_base_of_a_named_version_and_adds_nothing_from_elsewhere(self) -> None:
        assert re.fullmatch(r"PYTHON=\S+:3\.\d+-slim", last("ARG"))
        assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"${PYTHON}"}
        assert "ADD" not in {name for name, _ in instructions()}

    def test_holds_no_secret(self) -> None:
        assert not re.search(r"TOKEN|PASSWORD|MASTER_KEY|SECRET", (DEPLOY / "Containerfile").read_text("utf-8"))

    def test_copies_what_there_is_and_what_may_be_seen(self) -> None:
        seen = {line[1:] for line in (ROOT / ".containerignore").read_text("utf-8").splitlines() if line[0] == "!"}
        copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--")]

        assert {source for sources in copied for source in sources} == seen
        assert all((ROOT / source).exists() for source in seen)
        packages = re.findall(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[0]
        assert set(re.findall(r'"(\w+)"', packages)) <= seen
        assert (ROOT / ".dockerignore").read_bytes() == (ROOT / ".containerignore").read_bytes()

    def test_starts_the_server_for_nobody_outside(self) -> None:
        words = words_of(last("CMD"))

        assert words_of(last("ENTRYPOINT")) == ["secure-files"]
        assert asked(words) == "serve"
        assert words[words.index("--port") + 1] == last("EXPOSE") == str(Settings().port)
        assert "--insecure-http" not in words

    def test_can_tell_whether_it_is_well(self, vault: RunningVault) -> None:
        """The check of the image itself, asked of a vault that lives and of one that does not."""
        port = vault.url.rpartition(":")[2]
        program, *words = words_of(last("HEALTHCHECK").partition(" CMD ")[2])
        assert program == "python"
        assert re.findall(r"8080(/[^']*)", words[-1])[0] in ROUTES

        found = [
            subprocess.run(
                [sys.executable, *words[:-1], words[-1].replace("8080", each)], capture_output=True, check=False
            )
            for each in (port, "1")
        ]
        assert [each.returncode for each in found] == [0, 1]


class TestCompose:
    @pytest.fixture
    def vault_service(self) -> dict[str, Any]:
        described = yaml.safe_load((DEPLOY / "compose.single.yaml").read_text("utf-8"))
        assert set(described["volumes"]) == {"data", "keys"}
        return dict(described["services"]["vault"])

    def test_serves_with_tls_under_settings_that_there_are(self, vault_service: dict[str, Any]) -> None:
        words = vault_service["command"]
        given = vault_service["environment"]

        assert asked(words) == "serve"
        assert "--tls-certificate" in words
        assert set(given) <= {PREFIX + each.name.upper() for each in fields(Settings)}
        assert load({}, given).workers == 2

    def test_keeps_the_keyring_apart_and_writes_nowhere_else(self, vault_service: dict[str, Any]) -> None:
        mounted = {volume.split(":")[1]: volume for volume in vault_service["volumes"]}

        assert vault_service["environment"]["SECURE_FILES_KEYRING"].startswith("/keys/")
        assert {"/data", "/keys", "/tls"} == set(mounted)
        assert mounted["/tls"].endswith(":ro")
        assert vault_service["read_only"]
        assert vault_service["tmpfs"] == ["/tmp"]

    def test_may_do_little_and_has_time_to_end(self, vault_service: dict[str, Any]) -> None:
        assert vault_service["cap_drop"] == ["ALL"]
        assert vault_service["security_opt"] == ["no-new-privileges:true"]
        assert int(vault_service["stop_grace_period"].removesuffix("s")) > NOTICE_SECONDS + Settings().grace

    def test_asks_the_port_that_is_served(self, vault_service: dict[str, Any]) -> None:
        words = vault_service["command"]
        port = words[words.index("--port") + 1]

        assert vault_service["ports"] == [f"{port}:{port}"]
        [(asked_port, path)] = re.findall(
            r"https://127\.0\.0\.1:(\d+)(/[^']*)", vault_service["healthcheck"]["test"][-1]
        )
        assert (asked_port, path in ROUTES) == (port, True)
