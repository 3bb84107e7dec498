"""What a row of an answer holds, said once: for JSON, for tables, for the OpenAPI document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson
import pyarrow as pa

_TIME: Final = pa.timestamp("us", "UTC")


class Type(Enum):
    """A column's type: as Arrow has it, and as a schema of JSON."""

    TIME = "time"
    """µs since 1970 in JSON, a timestamp in tables."""
    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    OBJECT = "object"
    """An object in JSON, its canonical JSON text in tables."""
    LIST = "list"
    """A list of texts in JSON, its JSON text in tables."""


_ARROW: Final[Mapping[Type, pa.DataType]] = {
    Type.TIME: _TIME,
    Type.TEXT: pa.string(),
    Type.WHOLE: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.FLAG: pa.bool_(),
    Type.OBJECT: pa.string(),
    Type.LIST: pa.string(),
}
_JSON: Final[Mapping[Type, Mapping[str, Any]]] = {
    Type.TIME: {"type": "integer", "format": "int64"},
    Type.TEXT: {"type": "string"},
    Type.WHOLE: {"type": "integer", "format": "int64"},
    Type.NUMBER: {"type": "number"},
    Type.FLAG: {"type": "boolean"},
    Type.OBJECT: {"type": "object"},
    Type.LIST: {"type": "array", "items": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One column; ``null`` where it may have no value."""

    name: str
    type: Type
    help: str
    null: bool = False


def json_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """The schema of one row as an object of JSON."""
    return {
        "type": "object",
        "required": [field.name for field in fields],
        "additionalProperties": False,
        "properties": {field.name: _property(field) for field in fields},
    }


def _property(field: Field) -> dict[str, Any]:
    schema = dict(_JSON[field.type])
    if field.null or field.type is Type.NUMBER:  # JSON has no NaN: null stands for it
        schema["type"] = [schema["type"], "null"]
    return schema | {"description": field.help}


def table_of(rows: Sequence[Mapping[str, Any]], fields: Sequence[Field]) -> pa.Table:
    """Rows of JSON as a table."""
    columns = [_column([row[field.name] for row in rows], field) for field in fields]
    return pa.table(dict(zip((field.name for field in fields), columns, strict=True)))


def _column(values: list[Any], field: Field) -> pa.Array:
    if field.type is Type.TIME:
        return pa.array(values, pa.int64()).cast(_TIME)
    if field.type in (Type.OBJECT, Type.LIST):
        texts = [None if value is None else orjson.dumps(value).decode() for value in values]
        return pa.array(texts, pa.string())
    return pa.array(values, _ARROW[field.type])
