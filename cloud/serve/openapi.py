"""The OpenAPI 3.1 document and the guide's tables, from the very table that is served."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from cloud.serve import kinds, session
from cloud.serve.endpoint import Endpoint, Method
from cloud.serve.fields import Type, json_schema
from cloud.serve.formats import MEDIA_TYPES, Format
from cloud.serve.params import Param
from cloud.serve.prometheus import door as prometheus
from cloud.serve.stream import PARAMS as LIVE

_ALWAYS: Final = (400, 401, 403, 405, 421, 500, 503)
_WHY: Final[Mapping[int, str]] = {
    400: "A parameter that cannot be used; `parameter` names it.",
    401: "Nobody is signed in, or the token does not serve.",
    403: "The role is not enough, or a page of another site sent it.",
    404: "There is no such series, mark, block or route.",
    405: "The route is not called with this method.",
    406: "`Accept` allows no form that there is.",
    408: "The body came too slowly.",
    409: "It says something else under a known id, stands in another's way, or is one too many.",
    413: "The body is too long.",
    415: "The body is not said to be JSON.",
    429: "Too many sign-ins were refused.",
    421: "This server is not called by that name.",
    500: "A fault of ours; its cause is in the cloud's log.",
    503: "The history cannot be read now, or too many ask at once.",
}
ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string", "description": "for programs"},
                "message": {"type": "string", "description": "what was wrong"},
                "hint": {"type": "string", "description": "what would be right"},
                "parameter": {"type": "string", "description": "what it was wrong with"},
                "nearest": {"type": "string", "description": "the nearest value that is right"},
            },
        }
    },
}
_HEALTH: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}, "fault": {"type": "string"}},
}


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI document of these routes, and of those that every site has."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.value.lower()] = _operation(endpoint)
    health = {"description": "All is well."}, {"description": "Something stands still."}
    paths["/healthz"] = {
        "get": {
            "summary": "Whether journal and consolidation do their work.",
            "operationId": "get_healthz",
            "responses": {
                "200": health[0] | {"content": _json(_HEALTH)},
                "503": health[1] | {"content": _json(_HEALTH)},
                **_refusals(frozenset({421})),
            },
        }
    }
    paths["/api/v1/openapi.json"] = {
        "get": {
            "summary": "This document.",
            "operationId": "get_openapi",
            "responses": {"200": {"description": "OK", "content": _json({"type": "object"})}},
        }
    }
    paths["/api/v1/live"] = {"get": _stream()}
    paths[session.PATH] = _session()
    paths |= prometheus.documented(_refusals(frozenset()))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": version,
            "description": "History of what gateways measured. Times are µs since 1970, UTC.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    method, name = endpoint.method.value.lower(), endpoint.path.removeprefix("/api/v1/")
    told: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{method}_{name.replace('/{', '_').replace('}', '')}",
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        told["requestBody"] = {"required": True, "content": _json(body_schema(endpoint.body))}
    return told


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    path = [name for name in endpoint.params if name not in endpoint.query]
    return [
        *(_parameter(name, endpoint.params[name], "path") for name in path),
        *(_parameter(name, param, "query") for name, param in endpoint.query.items()),
    ]


def _parameter(name: str, param: Param, place: str) -> dict[str, Any]:
    schema = dict(param.kind.schema)
    default = default_of(param)
    if default is not None and not param.default_text:
        schema["default"] = default
    told = f"{param.help} (otherwise: {param.default_text})" if param.default_text else param.help
    said = {"name": name, "in": place, "description": told, "schema": schema}
    return said | ({"required": True} if param.required else {})


def default_of(param: Param) -> str | int | None:
    """A default as a caller would write it, None where there is none."""
    if isinstance(param.default, Enum):
        return str(param.default.value)
    return param.default if isinstance(param.default, str | int) and param.default != "" else None


def body_schema(body: Mapping[str, Param]) -> dict[str, Any]:
    """The schema of what is sent."""
    return {
        "type": "object",
        "required": [name for name, param in body.items() if param.required],
        "additionalProperties": False,
        "properties": {name: _sent(param) for name, param in body.items()},
    }


def _sent(param: Param) -> dict[str, Any]:
    schema = dict(param.kind.schema)
    if param.kind is kinds.SERIES:
        ids = {"type": "string", "pattern": "^[0-7][0-9a-f]{15}$"}
        schema = {"type": "array", "items": ids, "maxItems": 100, "uniqueItems": True}
    return schema | {"description": param.help}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    schema = endpoint.whole
    if schema is None:
        rows = {"type": "array", "items": json_schema(endpoint.rows)}
        fields = {**endpoint.head, endpoint.name: rows}
        schema = {"type": "object", "required": list(fields), "properties": fields}
    content = _json(schema)
    if endpoint.has_forms:
        for form in (Format.CSV, Format.ARROW, Format.PARQUET):
            content[MEDIA_TYPES[form].partition(";")[0]] = {"schema": {}}
    made = "201" if endpoint.method is Method.POST else "200"
    own = endpoint.refuses | (frozenset({406}) if endpoint.has_forms else frozenset())
    return {made: {"description": "OK", "content": content}, **_refusals(own)}


def _refusals(own: frozenset[int]) -> dict[str, Any]:
    content = _json({"$ref": "#/components/schemas/Error"})
    found = sorted({*own, *_ALWAYS})
    return {str(status): {"description": _WHY[status], "content": content} for status in found}


def _stream() -> dict[str, Any]:
    return {
        "summary": "New readings and anomalies as they arrive.",
        "operationId": "get_live",
        "parameters": [_parameter(name, param, "query") for name, param in LIVE.items()],
        "responses": {
            "200": {"description": "Events.", "content": {"text/event-stream": {"schema": {}}}},
            **_refusals(frozenset()),
        },
    }


def _session() -> dict[str, Any]:
    def told(method: str, summary: str, status: str, *own: int) -> dict[str, Any]:
        answers = {status: {"description": "OK", "content": _json(session.SCHEMA)}}
        refusals = _refusals(frozenset(own))
        return {
            "summary": summary, "operationId": f"{method}_session",
            "responses": {**answers, **refusals},
        }  # fmt: skip

    post = told("post", "Sign in: a cookie comes back.", "201", 408, 409, 413, 415, 429)
    body = {"required": True, "content": _json(body_schema(session.BODY))}
    return {
        "get": told("get", "Who asks, and what they may do.", "200"),
        "post": post | {"requestBody": body},
        "delete": told("delete", "Sign out.", "200"),
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def guide(endpoints: Sequence[Endpoint]) -> str:
    """The guide's part that is made from the table: each route, its parameters and its rows."""
    parts = [_guide_of(endpoint) for endpoint in endpoints]
    live = "### `GET /api/v1/live`\n\nNew readings and anomalies as they arrive, below.\n"
    return "\n".join([*parts, live + _guide_params(LIVE)])


def _guide_of(endpoint: Endpoint) -> str:
    path = [name for name in endpoint.params if name not in endpoint.query]
    params = {name: endpoint.params[name] for name in path} | dict(endpoint.query)
    params.pop("format", None)
    text = f"### `{endpoint.method.value} {endpoint.path}`\n\n{endpoint.summary}"
    text += " JSON only.\n" if not endpoint.has_forms else "\n"
    text += _guide_params(params)
    if endpoint.body is not None:
        text += "\nThe body:\n" + _guide_params(endpoint.body)
    if endpoint.rows:
        text += f"\nRows of `{endpoint.name}`:\n\n| field | holds |\n|---|---|\n"
        for field in endpoint.rows:
            more = ", or null" if field.null else ""
            time = " (a time)" if field.type is Type.TIME else ""
            text += f"| `{field.name}` | {field.help}{time}{more} |\n"
    return text


def _guide_params(params: Mapping[str, Param]) -> str:
    if not params:
        return ""
    text = "\n| parameter | meaning | default |\n|---|---|---|\n"
    for name, param in params.items():
        default = default_of(param)
        shown = "required" if param.required else param.default_text
        if not shown and default is not None:
            shown = f"`{default}`"
        text += f"| `{name}` | {param.help} | {shown} |\n"
    return text
