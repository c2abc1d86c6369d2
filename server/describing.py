"""What a route takes and answers, said beside the route itself; `server/openapi.py` makes OpenAPI of it.

    Endpoint("POST", PLACE, create, about=gives(THING, status=201).taking(Value("name", required=True)))

What follows from the route and its guard is not said again: the parts of its path, the tokens that will do, and the
answers to a bad token, an unknown project, a broken or an overlong body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

USUAL = {
    301: "the path is one where the project lay before it was renamed or moved; Location has its number instead",
    400: "a parameter, the body or the Host header cannot be taken",
    401: "no token, or one that is unknown, expired, revoked, or of a kind that is no login here",
    403: "the token's scopes or the caller's role do not reach",
    404: "not there, or hidden from the caller",
    405: "the same of what writes; Location says what to ask for instead",
    408: "the body hardly comes",
    413: "larger than the limit",
    415: "the body has a Content-Encoding",
    429: "too many wrong tokens, or uploads, at one time; Retry-After says when to come again",
    500: "a fault of the program, or stored bytes that are not what was stored",
    503: "catalog, store, disk or audit log do not answer",
    507: "the disk is full; nothing of the request is kept",
}

JSON, OCTETS, PLAIN = "application/json", "application/octet-stream", "text/plain"
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True)
class Shape:
    """A JSON object under a name of its own: every field is always there, but for the optional ones."""

    name: str
    fields: Mapping[str, Schema]
    optional: Mapping[str, Schema] | None = None


Schema = Mapping[str, Any] | Shape

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "format": "int64"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
DATE: Schema = {"type": "string", "format": "date"}
WHEN: Schema = {"type": "string", "description": "a date, or a time with or without a zone"}
NULL: Schema = {"type": "null"}
FILE: Schema = {"type": "string", "format": "binary"}
ANYTHING: Schema = {"type": "object"}
SECONDS: Schema = {"type": "number"}


def maybe(schema: Schema) -> Schema:
    """Return the schema of the same or null."""
    return {"anyOf": [schema, NULL]}


def many(schema: Schema) -> Schema:
    """Return the schema of a list of them."""
    return {"type": "array", "items": schema}


def one_of(*words: object) -> Schema:
    """Return the schema of one of these."""
    return {"enum": list(words)}


@dataclass(frozen=True)
class Value:
    """A parameter of the query, or a field of a body."""

    name: str
    schema: Schema = field(default_factory=lambda: TEXT)
    about: str = ""
    required: bool = False


@dataclass(frozen=True)
class Answer:
    """One status, when it comes, and what its body holds; without a schema and a type it has none."""

    status: int
    about: str
    schema: Schema | None = None
    media: str = JSON
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """What cannot be seen in an endpoint itself.

    `headers` are those of the request that change the answer. `never` are statuses that an endpoint of its kind has
    and this one has not. `security` takes the place of what follows from the guard, for routes that ask in their own
    way. `media` are the types of a body that is none of fields.
    """

    answers: tuple[Answer, ...]
    query: tuple[Value, ...] = ()
    body: tuple[Value, ...] = ()
    headers: tuple[str, ...] = ()
    never: frozenset[int] = frozenset()
    security: tuple[str, ...] | None = None
    media: tuple[str, ...] = ()

    def asking(self, *values: Value) -> About:
        """Add parameters of the query."""
        return replace(self, query=self.query + values)

    def taking(self, *fields: Value) -> About:
        """Add fields of the body, which may come in the query as well."""
        return replace(self, body=self.body + fields)

    def refusing(self, problems: Mapping[int, str]) -> About:
        """Add refusals that are this route's own, or say when a usual one comes."""
        more = tuple(Answer(status, when, PROBLEM) for status, when in problems.items())
        return replace(self, answers=self.answers + more)

    def also(self, *answers: Answer) -> About:
        """Add answers."""
        return replace(self, answers=self.answers + answers)

    def without(self, *statuses: int) -> About:
        """Leave out statuses that cannot come here."""
        return replace(self, never=self.never | set(statuses))

    def by(self, *schemes: str) -> About:
        """Say which logins will do, where the route asks itself."""
        return replace(self, security=schemes)


# For a path that is answered only to say that there is no such route.
UNLISTED = About(())

PROBLEM = Shape(
    "Problem",
    {},
    {
        "message": {"anyOf": [TEXT, {"type": "object", "additionalProperties": many(TEXT)}]},
        "error": TEXT,
        "error_description": TEXT,
        "scope": TEXT,
    },
)
ACCEPTED = Shape("Accepted", {"message": TEXT})

PAGES = (
    Value("page", {"type": "integer", "minimum": 1, "default": 1}),
    Value("per_page", {"type": "integer", "minimum": 1, "default": 20}, "above 100 it is 100"),
)
PAGE_HEADERS = ("X-Total", "X-Total-Pages", "X-Page", "X-Per-Page", "X-Next-Page", "X-Prev-Page", "Link", "ETag")
FILE_HEADERS = ("Content-Disposition", "ETag", "Accept-Ranges")
UNCHANGED = Answer(304, "the client has exactly this already", headers=("ETag",))


def gives(schema: Schema, *query: Value, status: int = 200, headers: tuple[str, ...] = ()) -> About:
    """Describe a route that answers with one object."""
    return About((Answer(status, "done", schema, headers=headers),), query)


def lists(schema: Schema, *query: Value) -> About:
    """Describe a route that answers with one page of a list."""
    page = Answer(200, "one page of the list", many(schema), headers=PAGE_HEADERS)
    return About((page, UNCHANGED), (*PAGES, *query), headers=("If-None-Match",))


def removes(*headers: str) -> About:
    """Describe a route that answers without a body."""
    return About((Answer(204, "done", headers=headers),))


def accepts(*headers: str) -> About:
    """Describe a route that answers that it is being done."""
    return About((Answer(202, "done, or soon will be", ACCEPTED, headers=headers),))


def sends(*query: Value, media: str = OCTETS, headers: tuple[str, ...] = ()) -> About:
    """Describe a download: whole, one range, unchanged, or a range outside. `media` may be `*/*`."""
    headers = (*FILE_HEADERS, *headers)
    answers = (
        Answer(200, "the bytes", FILE, media, headers),
        Answer(206, "the range asked for", FILE, media, (*headers, "Content-Range")),
        Answer(304, "the client has exactly this already", headers=("ETag",)),
        Answer(416, "the range lies outside of the file", headers=("Content-Range",)),
    )
    return About(answers, query, headers=("If-None-Match", "Range"))
