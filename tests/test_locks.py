"""The locks hold what is imported: what runs without the extras is in the one that `make demo` installs."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("vault", "parsers", "server", "cli", "sample_certs")
EXTRAS = {"obstore", "psycopg", "psycopg_pool", "boto3", "botocore", "hvac", "requests"}
# No compiler, no UBER keystores; the others are for the type checker alone.
OPTIONAL = {"twofish", "_typeshed", "mypy_boto3_kms"}


def locked(lock: str) -> set[str]:
    """Return the names of the packages in a lock."""
    return {name.lower() for name in re.findall(r"^([\w.-]+)==", (ROOT / lock).read_text("utf-8"), re.MULTILINE)}


def imported() -> set[str]:
    """Return the top-level modules that the program imports and that are neither its own nor the language's."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {each.name.partition(".")[0] for each in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(PACKAGES) - OPTIONAL


def distributions(modules: set[str]) -> dict[str, set[str]]:
    """Return the packages that each module may come from."""
    known = packages_distributions()
    return {module: {name.lower().replace("_", "-") for name in known.get(module, [])} for module in modules}


def test_what_is_imported_is_in_the_lock_that_runs_the_vault() -> None:
    missing = {
        module for module, names in distributions(imported() - EXTRAS).items() if not names & locked("requirements.txt")
    }

    assert missing == set()


def test_what_the_extras_import_is_in_the_lock_with_every_extra() -> None:
    names = distributions(imported() & EXTRAS)

    assert {module for module, found in names.items() if not found & locked("requirements-all.txt")} == set()


def test_the_locks_agree() -> None:
    assert locked("requirements.txt") <= locked("requirements-all.txt") <= locked("requirements-dev.txt")
