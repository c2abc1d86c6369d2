"""What the check of the supply chain takes for wrong, and what for unknown."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="module")
def chain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supply_chain", ROOT / ".ci" / "supply_chain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOOD = {"name": "good", "version": "1", "vulns": []}
HOLED = {"name": "holed", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SILENT = {"name": "silent", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([GOOD], []),
        ([GOOD, HOLED], ["lock: holed 2 has PYSEC-1, mended in 3"]),
        ([GOOD, SILENT], ["lock: nothing is known of silent"]),
        ([SILENT, SILENT], []),
    ],
)
def test_holes_and_single_gaps_are_wrong(chain: ModuleType, found: list[dict[str, Any]], wrong: list[str]) -> None:
    assert chain.verdict("lock", {"dependencies": found}) == wrong


def test_a_service_that_nobody_reaches_is_named_and_never_taken_for_a_good_word(
    chain: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    chain.verdict("lock", {"dependencies": [SILENT]})

    assert capsys.readouterr().out.startswith("lock: NOT AUDITED, pypi.org")


def test_what_the_lock_does_not_name_or_nobody_licensed_is_wrong(chain: ModuleType) -> None:
    components = [
        {"name": "A_b", "version": "1", "licenses": [{"license": {"id": "MIT"}}]},
        {"name": "odd", "version": "2", "licenses": [{"expression": "Apache-2.0"}]},
        {"name": "free", "version": "3"},
    ]

    assert chain.examined({"components": components}, {"a-b": "1", "odd": "1", "free": "3"}) == [
        "odd 2 is not in requirements-all.txt",
        "free 3 tells no licence",
    ]


def test_the_locks_name_a_version_of_every_package_and_the_larger_has_the_smaller(chain: ModuleType) -> None:
    shipped, development = chain.pins(chain.SHIPPED), chain.pins(chain.DEVELOPMENT)

    assert shipped.keys() >= {"aiohttp", "cryptography", "psycopg", "boto3"}
    assert {name: development.get(name) for name in shipped} == shipped
