"""A route of the HTTP API, said once: it is served, checked and documented from this."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from cloud.serve import kinds
from cloud.serve.fields import Field, table_of
from cloud.serve.formats import Answer, Format
from cloud.serve.params import Param
from cloud.serve.site import Site

Values = Mapping[str, Any]
Answering = Callable[[Site, Values], Answer]
"""From the parameters of a request to its answer; blocks, and is called from a thread."""
Row = Mapping[str, Any]


class Method(Enum):
    """How a route is called."""

    GET = "GET"
    POST = "POST"
    DELETE = "DELETE"


FORMAT: Final = Param(
    kinds.one_of(Format), "form of the answer; without it the header `Accept` decides"
)
LIMIT_MAX: Final = 100_000
WHOLE: Final[Mapping[str, Any]] = MappingProxyType({"type": "integer", "format": "int64"})
CURSOR_OUT: Final[Mapping[str, Any]] = MappingProxyType(
    {"type": ["string", "null"], "description": "the `cursor` for the rest, null at the end"}
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route and all that is promised of it.

    ``name`` is the field of the answer that holds its rows and ``rows`` what each of them has;
    ``head`` are the schemas of the other fields, ``whole`` the answer's schema where it is not
    made of these. ``body`` is the schema of what is sent, ``refuses`` the statuses of refusals.
    """

    path: str
    summary: str
    params: Mapping[str, Param]
    answer: Answering
    name: str = ""
    rows: Sequence[Field] = ()
    head: Mapping[str, Any] = field(default_factory=dict)
    whole: Mapping[str, Any] | None = None
    method: Method = Method.GET
    body: Mapping[str, Any] | None = None
    refuses: frozenset[int] = frozenset()
    forms: bool = False

    @property
    def has_forms(self) -> bool:
        """Whether the answer has rows, that may be asked for as tables."""
        return bool(self.rows) or self.forms

    @property
    def query(self) -> Mapping[str, Param]:
        """All parameters of the query string."""
        path = {name for name in self.params if f"{{{name}}}" in self.path}
        own = {name: param for name, param in self.params.items() if name not in path}
        return own | ({"format": FORMAT} if self.has_forms else {})


def limit(default: int = 1000, most: int = LIMIT_MAX) -> Param:
    """How many rows an answer has at most."""
    return Param(kinds.whole(1, most), "rows in one answer, at most", default)


def cursor(*types: type) -> Param:
    """Where the answer goes on, by the key of the last row."""
    return Param(kinds.keyed(*types), "`next` of the answer before")


def rows(
    name: str,
    found: Iterable[Row],
    fields: Sequence[Field],
    next_: str | None = None,
    **head: Any,
) -> Answer:
    """An answer of rows: ``head`` beside them, and in JSON `next` where ``fields`` page."""
    held = list(found)
    document = {**head, name: held}
    return Answer(document, lambda: table_of(held, fields), head, next_)


def paged(
    name: str, found: Iterable[Row], fields: Sequence[Field], next_: str | None, **head: Any
) -> Answer:
    """As `rows`, with the cursor of the next page told in JSON too."""
    answer = rows(name, found, fields, next_, **head)
    return Answer({**answer.document, "next": next_}, answer.table, answer.about, next_)
