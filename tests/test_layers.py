"""Imports point one way: cli -> server -> vault, server -> parsers, cli -> parsers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("vault", "parsers", "server", "cli", "sample_certs")
MAY_IMPORT = {
    "vault": {"vault"},
    "parsers": {"parsers"},
    "server": {"server", "vault", "parsers"},
    "cli": {"cli", "server", "vault", "parsers"},
    "sample_certs": {"sample_certs"},
}
# A library that only one part may know: (library, the files that may import it).
ONLY_IN = {
    "aiohttp": ("server/", "cli/"),
    "sqlite_utils": ("vault/catalog/sqlite",),
    "sqlite3": ("vault/catalog/sqlite",),
    "psycopg": ("vault/catalog/postgres",),
    "psycopg_pool": ("vault/catalog/postgres",),
    "obstore": ("vault/blobs/objects.py",),
    "cryptography": ("vault/crypto/", "parsers/", "sample_certs/"),
    "hvac": ("vault/crypto/kms/transit.py",),
    "requests": ("vault/crypto/kms/transit.py",),  # hvac's errors are partly its
    "boto3": ("vault/crypto/kms/aws.py",),
    "botocore": ("vault/crypto/kms/aws.py",),
    "jks": ("parsers/", "sample_certs/"),
    "asn1crypto": ("sample_certs/",),
    "multipart": ("server/forms.py",),
    "pygit2": ("vault/repositories/",),
}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, those inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
class TestEverySource:
    def test_imports_only_packages_below_its_own(self, path: Path) -> None:
        package = path.relative_to(ROOT).parts[0]
        ours = {name.partition(".")[0] for name in imported(path)} & set(PACKAGES)

        assert ours <= MAY_IMPORT[package]

    def test_leaves_libraries_to_the_part_that_owns_them(self, path: Path) -> None:
        relative = str(path.relative_to(ROOT))
        libraries = {name.partition(".")[0] for name in imported(path)}

        for library in libraries & set(ONLY_IN):
            assert relative.startswith(ONLY_IN[library]), f"{relative} imports {library}"

    def test_reads_the_environment_only_where_settings_are_made(self, path: Path) -> None:
        relative = str(path.relative_to(ROOT))
        allowed = {
            "server/settings.py",
            "cli/environment.py",  # a pipeline's own variables, and the one that --password-env names
            "sample_certs/demo.py",  # hands its own to the server it starts
        }

        touched = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, (ast.Attribute, ast.Name))
        }
        assert not touched & {"environ", "getenv", "environb"} or relative in allowed

    def test_is_a_small_room(self, path: Path) -> None:
        text = path.read_text("utf-8")
        long = [
            f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.end_lineno is not None
            and node.end_lineno - node.lineno >= 80
        ]

        assert not long
        assert text.count("\n") <= 400
