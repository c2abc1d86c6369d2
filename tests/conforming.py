"""Whether an answer is one that the description of the API knows: its status, its type, and every field of it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker

from server.api import FAMILIES
from server.openapi import PART, described

if TYPE_CHECKING:
    from collections.abc import Mapping

    from server.access import Endpoint

ENDPOINTS = [endpoint for family in FAMILIES for endpoint in family.ENDPOINTS]


class Operation(NamedTuple):
    """One method of one path of the document; `answers` by status."""

    name: str
    answers: Mapping[str, Mapping[str, Any]]


@cache
def document() -> dict[str, Any]:
    """Return the document as JSON has it."""
    return json.loads(json.dumps(described(ENDPOINTS)))  # type: ignore[no-any-return]


@cache
def _routes() -> list[tuple[re.Pattern[str], str]]:
    """Return what each path looks like, in the order in which the server tries them."""
    told = [each for each in ENDPOINTS if each.about is not None]
    return [(_pattern(each.path), PART.sub(r"{\1}", each.path)) for each in told]


def _pattern(path: str) -> re.Pattern[str]:
    at, pattern = 0, ""
    for part in PART.finditer(path):
        pattern += re.escape(path[at : part.start()]) + f"(?:{part[2] or '[^/]+'})"
        at = part.end()
    return re.compile(pattern + re.escape(path[at:]))


def operation(method: str, path: str) -> Operation | None:
    """Return the operation that a request for a raw path means, None for what is no described route."""
    path = path.partition("?")[0]
    for pattern, name in _routes():
        if pattern.fullmatch(path):
            found = document()["paths"].get(name, {}).get(method.lower())
            if found is not None:
                return Operation(found["operationId"], found["responses"])
    return None


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """Return the endpoint that a request for a raw path is for."""
    place = path.partition("?")[0]
    return next((each for each in ENDPOINTS if each.method == method and _pattern(each.path).fullmatch(place)), None)


def problem(method: str, path: str, status: int, kind: str, body: bytes) -> str | None:
    """Return what is not as the document says, None when nothing is."""
    asked = operation(method, path)
    if asked is None:
        return None
    if str(status) not in asked.answers:
        return f"{asked.name} is not said to answer {status}"
    content = _resolved(asked.answers[str(status)]).get("content", {})
    if not content or method == "HEAD":
        return f"{asked.name} is said to answer {status} without a body" if body else None
    media = kind.partition(";")[0].strip()
    if media not in content and "*/*" not in content:
        return f"{asked.name} is said to answer {status} as {', '.join(content)}, and not as {media}"
    if media != "application/json" or media not in content:
        return None
    wrong = next(_validator(json.dumps(content[media]["schema"])).iter_errors(json.loads(body)), None)
    return wrong and f"{asked.name}, {status}, {wrong.json_path}: {wrong.message[:300]}"


def _resolved(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in answer:
        return answer
    return document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]


@cache
def _validator(schema: str) -> Draft202012Validator:
    whole = {**json.loads(schema), "components": document()["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())
