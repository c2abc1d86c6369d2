"""The documents as a site: it builds without a warning, nothing in it is dead, and every route is on its page."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from server.api import FAMILIES
from tests.docs.markdown import ROOT, documents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    # What is quiet counts no warnings, and lets all pass.
    assert (done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("INFO")]) == (0, [])
    return folder


class Page(HTMLParser):
    """What a page refers to, and the places in it that can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"href", "src"} and value:
                self.targets.append(value)


def test_has_a_page_for_every_document(site: Path) -> None:
    inside = [each.path.relative_to(ROOT / "docs") for each in documents() if (ROOT / "docs") in each.path.parents]

    assert [path for path in inside if not (site / path.with_suffix(".html")).exists()] == []


def test_no_link_is_dead(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            anchor = unquote(parts.fragment)
            if not there.exists() or (anchor and there in pages and anchor not in pages[there].anchors):
                dead.append(f"{path.name}: {target}")

    assert dead == []


def test_fetches_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        elsewhere = [each for each in Page(path).targets if urlsplit(each).netloc]
        loaded = [each for each in elsewhere if each.endswith((".js", ".css", ".woff2", ".png", ".svg"))]
        assert loaded == []


def test_tells_of_every_route(site: Path) -> None:
    text = (site / "reference.html").read_text("utf-8")
    routes = {
        f"{each.method} {each.path}"
        for family in FAMILIES
        for each in family.ENDPOINTS
        if each.path.startswith("/api/v4") and "{" not in each.path
    }

    assert len(routes) > 8
    assert {route for route in routes if f"{route}<" not in text} == set()
