"""Fixtures that every folder of tests may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import ENGINES
from tests.harness import RunningVault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.keyservices import Aws, Bao
    from tests.postgres import PostgresServer
    from tests.s3 import S3


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A running vault that the tests of one module share; each makes projects of its own in it."""
    with RunningVault(tmp_path_factory.mktemp("vault") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    """A PostgreSQL that all tests share; each makes a database of its own in it."""
    return ENGINES.postgres()


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A real OpenBao that all tests share; each makes keys of its own in it."""
    from tests.keyservices import Bao

    with Bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """An AWS KMS that all tests share, with credentials in the environment as a machine has them."""
    from tests.keyservices import aws_running

    with pytest.MonkeyPatch.context() as patch, aws_running() as service:
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        yield service


@pytest.fixture
def project(vault: RunningVault) -> dict[str, Any]:
    """A new private project."""
    return vault.project()


@pytest.fixture(scope="session")
def s3() -> S3:
    """A real S3 server for all tests; each opens a store of its own in it."""
    return ENGINES.s3()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="count a skipped test as a failure")
    parser.addoption("--engines", default="", help="what the vaults under test use instead of files: postgres,s3")


def pytest_configure(config: pytest.Config) -> None:
    ENGINES.choose(config.getoption("--engines"))
    config.add_cleanup(ENGINES.close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a data folder's files where the vaults have other engines."""
    if ENGINES.chosen:
        out = [item for item in items if item.get_closest_marker("files")]
        items[:] = [item for item in items if not item.get_closest_marker("files")]
        config.hook.pytest_deselected(items=out)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where every engine has to be there, a test that could not find its own has failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no test may be: {report.longrepr}"
