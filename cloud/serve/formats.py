"""In which form an answer goes out: one rule for every route that has rows.

The parameter `format` decides; without it the header `Accept`, by its weights; without that JSON.
JSON is the whole answer; the other forms are its rows as a table, and what JSON says beside the
rows stands in the table's metadata and in headers: `tidegate-…`, and `link` for the next page.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final
from urllib.parse import urlencode

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from starlette.responses import Response

from cloud.serve.csv_table import csv_of
from cloud.serve.params import Refusal


class Format(Enum):
    """What a caller may ask for; the value is its name on the wire."""

    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"


MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_OF_MEDIA_TYPE: Final = {name.partition(";")[0]: kind for kind, name in MEDIA_TYPES.items()}
ACCEPT_PARTS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """``document`` is the answer as JSON; ``table`` makes its rows, None where there are none.

    ``about`` is said beside the rows of a table; ``next`` is the cursor of the next page.
    """

    document: Mapping[str, Any]
    table: Callable[[], pa.Table] | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    next: str | None = None
    status: int = 200


def chosen(asked: Format | None, accept: str, *, has_rows: bool) -> Format:
    """The form of an answer. Refusal 406 when ``accept`` allows none that there is."""
    if asked is not None or not has_rows:
        return asked or Format.JSON
    best: tuple[float, Format] | None = None
    for part in accept.split(",")[:ACCEPT_PARTS_MAX] if accept else ():
        name, *settings = (piece.strip().lower() for piece in part.split(";"))
        kind = Format.JSON if name in ("*/*", "application/*") else _OF_MEDIA_TYPE.get(name)
        kind = Format.CSV if name == "text/*" else kind
        weight = _weight(settings)
        if kind is not None and weight > 0 and (best is None or weight > best[0]):
            best = weight, kind
    if best is None and accept.strip():
        known = ", ".join(_OF_MEDIA_TYPE)
        message = f"`Accept: {accept[:80]}` allows no form that there is"
        raise Refusal(406, "not_acceptable", message, f"there are {known}", parameter="Accept")
    return best[1] if best else Format.JSON


def _weight(settings: list[str]) -> float:
    for setting in settings:
        name, _, value = setting.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def written(answer: Answer, form: Format, path: str, given: Mapping[str, str]) -> Response:
    """The response; ``path`` and ``given`` are the request's, for the address of the next page."""
    headers = {"vary": "accept"}
    if answer.next is not None:
        again = urlencode({**given, "cursor": answer.next})
        headers["link"] = f'<{path}?{again}>; rel="next"'
    if form is Format.JSON or answer.table is None:
        body = orjson.dumps(answer.document, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, answer.status, headers, MEDIA_TYPES[Format.JSON])
    about = {name: str(said) for name, said in answer.about.items() if said is not None}
    if answer.next is not None:
        about["next"] = answer.next
    headers |= {f"tidegate-{name.replace('_', '-')}": said for name, said in about.items()}
    if form is not Format.CSV:
        headers["content-disposition"] = f'attachment; filename="{_file(path)}.{form.value}"'
    table = answer.table()
    metadata = {f"tidegate:{name}": said for name, said in about.items()}
    body = _BODIES[form](table.replace_schema_metadata(metadata or None))
    return Response(body, answer.status, headers, MEDIA_TYPES[form])


def _file(path: str) -> str:
    return path.strip("/").rpartition("/")[2] or "answer"


def _arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


_BODIES: Final[Mapping[Format, Callable[[pa.Table], bytes]]] = {
    Format.CSV: csv_of,
    Format.ARROW: _arrow,
    Format.PARQUET: _parquet,
}
