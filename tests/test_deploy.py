"""The files of `deploy/` name what the program has: settings, flags, ports, probes; and hold no secret."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cli import parser
from server.api import FAMILIES
from server.settings import PREFIX, Settings, load
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
SETTINGS = {PREFIX + each.name.upper() for each in fields(Settings)}
ROUTES = {endpoint.path for family in FAMILIES for endpoint in family.ENDPOINTS}
OURS = "/secure-files-vault:"


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8")))


def servers() -> dict[str, dict[str, Any]]:
    return {name: each for name, each in compose()["services"].items() if OURS in each["image"]}


def manifests() -> list[dict[str, Any]]:
    return [each for path in KUBERNETES for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


def named(kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def container() -> dict[str, Any]:
    [only] = named("StatefulSet", "vault")["spec"]["template"]["spec"]["containers"]
    return dict(only)


def given(environment: dict[str, Any]) -> dict[str, str]:
    """Return the vault's variables, those that stand for a secret with one that would do."""
    secret = '{"instance": "x"}'
    return {
        name: re.sub(r"\$\{(\w+):(?:-([^}]*)|\?)\}", lambda found: found[2] or secret, str(value))
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def variables() -> Iterator[Any]:
    for name, server in servers().items():
        yield pytest.param(server["environment"], id=name)
    secrets = {each["name"]: "secret" for each in container()["env"]}
    yield pytest.param({**named("ConfigMap", "vault")["data"], **secrets}, id="kubernetes")


@pytest.mark.parametrize("environment", [*variables()])
def test_every_variable_is_a_setting_and_fits(environment: dict[str, Any]) -> None:
    found = given(environment)

    assert set(found) <= SETTINGS
    settings = load({}, found)
    assert settings.database.startswith("postgresql://")
    assert settings.blobs.startswith("s3://")
    assert settings.object_options().endpoint == "http://store:8333"
    assert not settings.alone()


@pytest.mark.parametrize("words", [*(each["command"] for each in servers().values()), container()["args"]])
def test_the_command_is_one_that_there_is(words: list[str]) -> None:
    assert parser(words).parse_args(words).command == "serve"


class TestCompose:
    def test_has_three_servers_that_differ_in_their_data_folder_alone(self) -> None:
        differing = [{**each, "volumes": None, "depends_on": None} for each in servers().values()]

        assert len(differing) == 3
        assert all(each == differing[0] for each in differing)
        folders = {volume for each in servers().values() for volume in each["volumes"] if volume.endswith(":/data")}
        assert len(folders) == 3

    def test_its_balancer_knows_each_server_by_name_and_port(self) -> None:
        upstreams = re.findall(r"server ([\w-]+):(\d+)", (DEPLOY / "nginx.conf").read_text("utf-8"))
        ports = {words[words.index("--port") + 1] for words in (each["command"] for each in servers().values())}

        assert {name for name, _ in upstreams} == set(servers())
        assert {port for _, port in upstreams} == ports

    def test_waits_for_a_server_with_a_route_that_there_is(self) -> None:
        for server in servers().values():
            [path] = re.findall(r"http://127.0.0.1:8080(/[^']*)", server["healthcheck"]["test"][-1])
            assert path in ROUTES

    def test_trusts_the_network_that_its_balancer_is_on(self) -> None:
        [network] = compose()["networks"]["inside"]["ipam"]["config"]
        for server in servers().values():
            words = server["command"]
            assert words[words.index("--trusted-proxy") + 1] == network["subnet"]

    def test_every_volume_is_declared_and_every_part_on_the_one_network(self) -> None:
        declared, services = compose()["volumes"], compose()["services"].values()
        mounted = {volume.partition(":")[0] for each in services for volume in each.get("volumes", [])}

        assert {name for name in mounted if not name.startswith(".")} == set(declared)
        assert all(each["networks"] == ["inside"] for each in services)

    def test_every_secret_comes_from_the_file_beside_it(self) -> None:
        text = (DEPLOY / "compose.yaml").read_text("utf-8")
        asked = set(re.findall(r"\$\{(\w+)", text))
        lines = (DEPLOY / "compose.env.example").read_text("utf-8").splitlines()
        offered = dict(line.split("=", 1) for line in lines if not line.startswith("#"))

        assert asked == set(offered)
        assert {name for name, value in offered.items() if value} == {"EXTERNAL_URL"}

    def test_lets_nobody_in_but_by_the_balancer_and_from_this_machine(self) -> None:
        ports = {name: each["ports"] for name, each in compose()["services"].items() if "ports" in each}

        assert ports == {"balancer": ["127.0.0.1:8080:8080"]}


class TestKubernetes:
    def test_probes_ask_routes_that_there_are_at_the_port_that_is_served(self) -> None:
        [port] = container()["ports"]
        assert str(port["containerPort"]) == named("ConfigMap", "vault")["data"]["SECURE_FILES_PORT"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container()[probe]["httpGet"]
            assert asked["path"] in ROUTES
            assert asked["port"] == port["name"]
        assert "readiness" in container()["readinessProbe"]["httpGet"]["path"]
        # Nothing that another machine is to blame for may have the server killed.
        assert "liveness" in container()["livenessProbe"]["httpGet"]["path"]

    def test_a_stop_leaves_requests_their_grace(self) -> None:
        grace = named("StatefulSet", "vault")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > Settings().grace + 1

    def test_every_secret_that_is_taken_is_there_and_empty(self) -> None:
        offered = named("Secret", "vault")["stringData"]
        text = "".join(path.read_text("utf-8") for path in KUBERNETES)

        assert set(re.findall(r"secretKeyRef: \{name: vault, key: ([\w.-]+)\}", text)) == set(offered)
        assert not any(offered.values())

    def test_all_is_in_one_namespace(self) -> None:
        spaces = {each["metadata"].get("namespace") for each in manifests() if each["kind"] != "Namespace"}
        assert spaces == {named("Namespace", "secure-files")["metadata"]["name"]}

    def test_names_services_that_there_are(self) -> None:
        services = {each["metadata"]["name"]: each for each in manifests() if each["kind"] == "Service"}
        data = named("ConfigMap", "vault")["data"]

        for setting in ("SECURE_FILES_DATABASE", "SECURE_FILES_BLOBS_ENDPOINT"):
            host = re.sub(r"^\w+://(?:\w+@)?", "", data[setting]).split("/")[0]
            name, _, port = host.partition(":")
            assert name in services
            assert not port or int(port) in {each["port"] for each in services[name]["spec"]["ports"]}
        [rule] = named("Ingress", "vault")["spec"]["rules"]
        assert rule["http"]["paths"][0]["backend"]["service"]["name"] in services

    def test_no_server_may_gain_rights_or_write_its_image(self) -> None:
        for each in manifests():
            if each["kind"] == "StatefulSet":
                pod = each["spec"]["template"]["spec"]
                assert pod["securityContext"]["runAsNonRoot"]
                assert not pod["automountServiceAccountToken"]
                for one in pod["containers"]:
                    assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
                    assert not one["securityContext"]["allowPrivilegeEscalation"]
        assert container()["securityContext"]["readOnlyRootFilesystem"]


@pytest.mark.parametrize("path", [DEPLOY / "nginx.conf"], ids=lambda path: path.name)
def test_a_balancer_takes_what_the_vault_takes_and_keeps_nothing_in_clear(path: Path) -> None:
    text = path.read_text("utf-8")
    [size] = re.findall(r"client_max_body_size (\d+)m;", text)

    settings = Settings()
    limits = (settings.push_bytes, settings.lfs_object_bytes, settings.artifact_bytes, settings.upload_bytes)
    assert int(size) << 20 > max(limits)
    assert "proxy_request_buffering off;" in text
    assert "proxy_max_temp_file_size 0;" in text
