"""What there is, is documented, and what is documented, is there."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from cli import COMMANDS, EPILOG
from cli.main import EXIT_CODES
from cli.serve import FLAGS
from server.api import FAMILIES
from server.settings import PREFIX, Settings
from server.web.pages import PAGES
from tests.docs.markdown import ROOT, Document, cells, code, document, documents
from tests.docs.tables import options, settings
from vault.audit.lines import FIELDS

if TYPE_CHECKING:
    from server.access import Endpoint

DOCUMENTS = documents()
OPERATIONS, API, README = document("docs/operations.md"), document("docs/api.md"), document("README.md")
# A family may have a page of its own.
API_PAGES = [each for each in DOCUMENTS if each.path.parent.name == "docs" and each.path.name.startswith("api")]
# Commands that are named by an error message before they are there.
NOT_YET: set[str] = set()


@pytest.mark.parametrize("each", DOCUMENTS, ids=lambda each: each.name)
class TestEveryDocument:
    def test_links_to_files_and_headings_that_are_there(self, each: Document) -> None:
        dead = []
        for link in each.links():
            if re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = link.partition("#")
            target = (each.path.parent / place).resolve() if place else each.path
            if not target.exists() or (anchor and anchor not in Document(target).anchors()):
                dead.append(link)

        assert not dead

    def test_names_only_commands_that_exist(self, each: Document) -> None:
        named = set(re.findall(r"\bsecure-files ([a-z][\w-]*)\b(?!:)", each.text))

        assert named <= {command.name for command in COMMANDS} | NOT_YET

    def test_names_nobodys_own_folders(self, each: Document) -> None:
        assert not re.search(r"(?<![\w.])/(?:work|root|Users)/", each.text)


def test_no_command_is_called_missing_once_it_is_there() -> None:
    assert not NOT_YET & {command.name for command in COMMANDS}


class TestReadme:
    def test_leads_to_every_document(self) -> None:
        seen, found = set(), [README]
        while found:
            here = found.pop()
            seen.add(here.path)
            targets = {(here.path.parent / link.partition("#")[0]).resolve() for link in here.links()}
            found += [Document(target) for target in targets - seen if target.suffix == ".md" and target.exists()]

        apart = {ROOT / "benchmarks" / "README.md"}
        assert {each.path for each in DOCUMENTS} - apart <= seen

    def test_lists_the_commands_with_their_own_words(self) -> None:
        table = {row[0]: row[1] for row in README.table("Commands")}

        assert table == {f"`secure-files {command.name}`": command.about for command in COMMANDS}

    def test_begins_with_what_the_makefile_does(self) -> None:
        """The runner of the documents' commands knows `make demo` by this."""
        assert "\ndemo: " in (ROOT / "Makefile").read_text("utf-8")
        assert "$(BIN)/python -m sample_certs.demo\n" in (ROOT / "Makefile").read_text("utf-8")


class TestSettings:
    def test_are_all_in_the_table_with_flag_variable_default_and_words(self) -> None:
        """`python -m tests.docs.tables` writes it."""
        assert OPERATIONS.table("Settings") == settings()

    def test_that_the_documents_name_exist(self) -> None:
        known = {PREFIX + each.name.upper() for each in fields(Settings)}
        known |= {f"{PREFIX}CONFIG"}
        for path in (ROOT / "cli").glob("*.py"):
            known |= set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text("utf-8")))
        named = {name for each in DOCUMENTS for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", each.text)}

        assert named <= known


class TestCommands:
    @pytest.mark.parametrize("command", [each.name for each in COMMANDS if each.name != "serve"])
    def test_have_all_their_options_in_operations(self, command: str) -> None:
        assert OPERATIONS.table(command) == options(command)

    def test_serve_has_the_flags_of_the_settings(self) -> None:
        flags = {code(row[0])[0].split()[0] for row in options("serve")}

        assert flags == {f"--{name.replace('_', '-')}" for name in FLAGS} | {"--config"}

    def test_exit_with_statuses_that_are_explained(self) -> None:
        told = {int(row[0]) for row in OPERATIONS.table("Exit status")}
        own = [getattr(import_module(command.module), "EXIT_CODES", ()) for command in COMMANDS]
        by_a_signal = {130, 141}

        assert told - by_a_signal == {0, 1, 2} | {status for codes in (EXIT_CODES, *own) for _, status in codes}
        assert told >= {int(number) for number in re.findall(r"^  (\d)  ", EPILOG, re.MULTILINE)}


OPEN = "not asked"
ITS_OWN = "its own"  # the route asks its callers itself; tests/docs/test_api.py tries them
ROUTE = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`]*)`")


def path_of(endpoint: Endpoint) -> str:
    """Return a route's path as the documents write it."""
    return re.sub(r"\{(\w+):[^{}]*\}", r":\1", endpoint.path).removeprefix("/api/v4")


def token_of(endpoint: Endpoint) -> str:
    """Return what the table says of a route's callers."""
    if endpoint.open:
        return OPEN
    if endpoint.any_scope:
        return "any"
    words = [f"`{scope}`" for scope in endpoint.scopes] if endpoint.method == "GET" else []
    words += ["job"] if endpoint.job_token else []
    words += ["or none"] if endpoint.anonymous and endpoint.method == "GET" else []
    return ", ".join(words)


# But for those that only say what is wrong with a path.
ENDPOINTS = {
    f"{each.method} {path_of(each)}": each
    for family in FAMILIES
    for each in family.ENDPOINTS
    if not path_of(each).endswith(":rest")
}


def named_routes(pages: list[Document]) -> set[str]:
    """Return every route that the pages name, without its query."""
    routes = (" ".join(route) for each in pages for route in ROUTE.findall(each.text))
    return {route.partition("?")[0] for route in routes}


class TestRoutes:
    def test_are_all_on_a_page_of_the_api(self) -> None:
        assert ENDPOINTS.keys() - named_routes(API_PAGES) == set()

    def test_that_the_documents_name_exist(self) -> None:
        assert named_routes(DOCUMENTS) - ENDPOINTS.keys() == set()

    def test_stand_in_the_tables_of_the_api_beside_the_tokens_that_will_do(self) -> None:
        lines = [line for line in API.prose() if line.startswith("| ") and ROUTE.match(line[2:])]
        told = {code(row[0])[0]: row[1].replace(ITS_OWN, OPEN) for row in map(cells, lines)}

        assert told == {route: token_of(ENDPOINTS[route]) for route in told}


class TestActions:
    def test_of_all_routes_are_on_the_page_of_the_audit_log(self) -> None:
        told = {code(row[0])[0]: row[1] for row in document("docs/audit.md").table("Actions")}
        routes = [*(each for family in FAMILIES for each in family.ENDPOINTS), *PAGES]
        always = {each.action for each in routes if each.secret or each.method != "GET"}

        assert told == {each.action: "always" if each.action in always else "refusals" for each in routes}

    def test_have_the_fields_of_a_line(self) -> None:
        told = [name for row in document("docs/audit.md").table("A line") for name in code(row[0])]

        assert tuple(told) == FIELDS


class TestReasonCodes:
    def test_are_those_of_the_parsers_page(self) -> None:
        listed = code(" ".join(API.section("Reason codes")).partition(";")[0])

        assert listed[0] == "metadata_error"
        assert sorted(listed[1:]) == sorted(code(row[0])[0] for row in document("docs/parsers.md").table("Reasons"))

    def test_are_those_that_the_parsers_use(self) -> None:
        sources = "".join(path.read_text("utf-8") for path in (ROOT / "parsers").glob("*.py"))
        told = {code(row[0])[0] for row in document("docs/parsers.md").table("Reasons")}

        assert {reason for reason in told if f'"{reason}"' not in sources} == set()
