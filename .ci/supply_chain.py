"""What the vault is made of: are there known holes in the locks, and what is in what is shipped, under which licences.

    .venv/bin/python .ci/supply_chain.py        # writes dist/sbom.cdx.json

Exits with 1 for a known hole, for a package that nobody can ask about while others can be, for one that the lock does
not name, and for one without a licence. Where the service that knows the holes cannot be reached at all it says so, by
name, and does not fail: a build without a network is not a build with holes, and not one without either.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHIPPED, DEVELOPMENT = "requirements-all.txt", "requirements-dev.txt"
SBOM = ROOT / "dist" / "sbom.cdx.json"
SERVICE = "pypi.org/pypi (advisories of the Python Packaging Authority)"
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
# What these say of themselves in words that are no name of a licence.
SAID = {"pygit2": "GPL-2.0-only WITH GCC-exception-2.0", "sqlite-fts4": "Apache-2.0"}
INSTALL = ("-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check")


def name_of(text: str) -> str:
    """Return a package's name as all spellings of it are compared."""
    return re.sub(r"[-_.]+", "-", text).lower()


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock names."""
    return {name_of(name): version for name, version in PINNED.findall((ROOT / lock).read_text("utf-8"))}


def verdict(lock: str, report: dict[str, Any]) -> list[str]:
    """Print what an audit found in a lock and return what is wrong."""
    asked, silent, wrong = 0, [], []
    for found in report["dependencies"]:
        if "skip_reason" in found:
            silent.append(str(found["name"]))
            continue
        asked += 1
        wrong += [
            f"{lock}: {found['name']} {found['version']} has {hole['id']}, mended in {', '.join(hole['fix_versions'])}"
            for hole in found["vulns"]
        ]
    if silent and not asked:
        print(f"{lock}: NOT AUDITED, {SERVICE} cannot be reached from here")
    elif silent:
        wrong.append(f"{lock}: nothing is known of {', '.join(silent)}")
    else:
        print(f"{lock}: {asked} packages asked about")
    return wrong


def audit(lock: str) -> list[str]:
    """Ask about every package of a lock, and return what is wrong."""
    command = ["-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [sys.executable, *command, "--requirement", lock], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not done.stdout.strip():
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        print(f"{lock}: NOT AUDITED, {SERVICE} cannot be asked: {last[0]}")
        return []
    return verdict(lock, json.loads(done.stdout))


def described(lock: str) -> dict[str, Any]:
    """Install a lock by itself, and return the description of what that gave; it is written to `SBOM` as well."""
    SBOM.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sbom-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        hashes = ("--require-hashes", "--only-binary", ":all:", "--requirement", lock)
        subprocess.run([python, *INSTALL, *hashes], cwd=ROOT, check=True)
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools"], check=True)
        command = ["-m", "cyclonedx_py", "environment", "--output-reproducible", "--pyproject", "pyproject.toml"]
        subprocess.run([sys.executable, *command, "--output-file", str(SBOM), python], cwd=ROOT, check=True)
    found: dict[str, Any] = json.loads(SBOM.read_text("utf-8"))
    return found


def licences(component: dict[str, Any]) -> list[str]:
    """Return the licences of a component, each as short as it is told."""
    if said := SAID.get(name_of(component["name"])):
        return [said]
    told = [each.get("expression") or each["license"].get("id") or each["license"].get("name") for each in
            component.get("licenses", [])]  # fmt: skip
    return sorted({str(text).splitlines()[0][:60] for text in told if text})


def examined(sbom: dict[str, Any], locked: dict[str, str]) -> list[str]:
    """Print the licences of what is shipped, and return what is wrong."""
    wrong, count = [], Counter[str]()
    for component in sbom["components"]:
        name, version = name_of(component["name"]), component["version"]
        if locked.get(name) != version:
            wrong.append(f"{name} {version} is not in {SHIPPED}")
        found = licences(component)
        if not found:
            wrong.append(f"{name} {version} tells no licence")
        count[" / ".join(found)] += 1
    for text, number in count.most_common():
        print(f"  {number:3} {text}")
    return wrong


def main() -> int:
    """Ask, describe, and say what is wrong."""
    locked, everything = pins(SHIPPED), pins(DEVELOPMENT)
    wrong = [
        f"{name} is not in {DEVELOPMENT} as it is in {SHIPPED}"
        for name in locked
        if everything.get(name) != locked[name]
    ]
    wrong += audit(DEVELOPMENT)  # which has all of the other
    sbom = described(SHIPPED)
    print(f"{SBOM.relative_to(ROOT)}: {len(sbom['components'])} packages, CycloneDX {sbom['specVersion']}")
    wrong += examined(sbom, locked)
    for text in wrong:
        print(f"WRONG: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
