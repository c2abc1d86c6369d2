"""Writes the page «Every route» of the site from the server's own OpenAPI document, while the site is built.

`make docs` builds the site; mkdocs calls the two functions here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from server.api import FAMILIES
from server.openapi import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

Object = dict[str, Any]
READING = ("head",)  # the same as GET, without a body


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, in order."""
    pages = sorted(path.name for path in Path(config.docs_dir, "decisions").glob("*.md"))
    house = next(entry["The house"] for entry in config.nav or [] if "The house" in entry)
    house[-1]["Decisions"] = [f"decisions/{name}" for name in pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    endpoints = (endpoint for family in FAMILIES for endpoint in family.ENDPOINTS)
    files.append(File.generated(config, "reference.md", content="\n".join(page(described(endpoints)))))
    return files


def page(openapi: Object) -> Iterator[str]:
    """Yield the lines of the page."""
    yield "# Every route"
    yield ""
    yield "Made from the document that a running vault serves at `/api/v4/openapi.json`, for generators of clients and"
    yield "for trying things out. How the routes compare with GitLab's is on [the API's page](api.md)."
    for tag, found in by_tag(openapi).items():
        yield from ("", f"## {tag.replace('_', ' ').capitalize()}")
        for path, method, operation in found:
            yield from route(path, method, operation, openapi)


def by_tag(openapi: Object) -> dict[str, list[tuple[str, str, Object]]]:
    """Return the operations of each family, in the order of the document."""
    found: dict[str, list[tuple[str, str, Object]]] = {}
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation and method not in READING:
                found.setdefault(operation["tags"][0], []).append((path, method, operation))
    return found


def route(path: str, method: str, operation: Object, openapi: Object) -> Iterator[str]:
    """Yield what one operation takes and answers."""
    yield from ("", f"### {method.upper()} {path}", "", operation.get("summary", ""))
    rows = [parameter(each, openapi) for each in operation.get("parameters", [])]
    rows += list(fields(operation.get("requestBody", {}), openapi))
    if rows:
        yield from ("", "| Parameter | In | |", "| --- | --- | --- |", *rows)
    yield from ("", "| Answer | |", "| --- | --- |")
    for status, answer in sorted(operation["responses"].items()):
        yield f"| {status} | {cell(resolved(answer, openapi).get('description', ''))} |"


def parameter(found: Object, openapi: Object) -> str:
    """Return the row of one parameter."""
    found = resolved(found, openapi)
    needed = " (needed)" if found.get("required") and found["in"] != "path" else ""
    return f"| `{found['name']}` | {found['in']} | {cell(found.get('description', ''))}{needed} |"


def fields(body: Object, openapi: Object) -> Iterator[str]:
    """Yield a row for each field of a body."""
    content = resolved(body, openapi).get("content", {})
    schema = resolved(next(iter(content.values()), {}).get("schema", {}), openapi)
    for name, value in schema.get("properties", {}).items():
        needed = " (needed)" if name in schema.get("required", ()) else ""
        yield f"| `{name}` | body | {cell(resolved(value, openapi).get('description', ''))}{needed} |"


def resolved(value: Object, openapi: Object) -> Object:
    """Return what a reference inside the document stands for."""
    while isinstance(value, dict) and "$ref" in value:
        found: Any = openapi
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def cell(text: str) -> str:
    """Return text for a table's cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
