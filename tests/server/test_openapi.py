"""The description of the API, held to the routes it is made of."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from server.api import FAMILIES
from server.openapi import PART, PARTS, described
from tests.harness import Client

if TYPE_CHECKING:
    from types import ModuleType

    from tests.harness import RunningVault

ENDPOINTS = [endpoint for family in FAMILIES for endpoint in family.ENDPOINTS]
DOCUMENT = described(ENDPOINTS)
ASKED_FOR = re.compile(r"""\bcheck\.(?:text|maybe_text|integer|boolean|choice|words|date|moment|file)\(\s*"([^"]+)\"""")


class TestEveryRoute:
    @pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
    def test_of_the_api_says_what_it_takes_and_answers(self, endpoint: Any) -> None:
        assert endpoint.about is not None or not endpoint.path.startswith("/api/v4/"), (
            "give its Endpoint an `about=`: CONTRIBUTING.md, Adding a route"
        )

    @pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
    def test_has_parts_that_are_explained(self, endpoint: Any) -> None:
        if endpoint.about is not None and endpoint.about.answers:
            assert {name for name, _ in PART.findall(endpoint.path)} <= PARTS.keys()

    @pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.__name__)
    def test_tells_of_every_parameter_that_it_reads(self, family: ModuleType) -> None:
        handlers = {importlib.import_module(handler_of(each).__module__) for each in family.ENDPOINTS}
        read = {name for module in handlers for name in ASKED_FOR.findall(inspect.getsource(module))}
        abouts = [each.about for each in family.ENDPOINTS if each.about is not None]

        assert read - {value.name.removesuffix("[]") for about in abouts for value in about.query + about.body} == set()


def handler_of(endpoint: Any) -> Any:
    """Return the function itself."""
    return getattr(endpoint.handler, "func", endpoint.handler)


class TestDocument:
    def test_is_openapi(self) -> None:
        validate(DOCUMENT)

    def test_names_each_operation_once(self) -> None:
        names = [operation["operationId"] for place in DOCUMENT["paths"].values() for operation in place.values()]

        assert len(names) == len(set(names)) > 100

    def test_says_what_each_operation_does(self) -> None:
        for place in DOCUMENT["paths"].values():
            for operation in place.values():
                assert operation["summary"].endswith("."), operation["operationId"]

    def test_is_told_to_everybody_with_the_address_that_was_asked(self, vault: RunningVault) -> None:
        told = Client(vault.url, None).get("/openapi.json")

        assert told.status == 200
        assert told.json == json.loads(json.dumps({**DOCUMENT, "servers": [{"url": vault.url}]}))

    def test_is_printed_without_a_server(self) -> None:
        done = subprocess.run([sys.executable, "-m", "server.api"], capture_output=True, check=True, timeout=60)

        assert json.loads(done.stdout) == json.loads(json.dumps(DOCUMENT))
