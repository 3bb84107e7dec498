"""The Prometheus API served: every answer and every refusal as Prometheus words it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloud.errors import StorageError
from cloud.promql.refused import BadQuery
from cloud.query.history import TooHeavy
from cloud.query.pool import Busy
from cloud.serve import params as serve_params
from cloud.serve.endpoint import Method
from cloud.serve.params import Refusal
from cloud.serve.prometheus import params
from cloud.serve.prometheus.labelled import Labelled
from cloud.serve.prometheus.params import FORM, MATCH, TooMuch
from cloud.serve.prometheus.questions import QUESTIONS, Question
from cloud.serve.site import Site
from cloud.serve.turns import Turns

ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["status", "errorType", "error"],
    "properties": {
        "status": {"type": "string", "enum": ["error"]},
        "errorType": {"type": "string"},
        "error": {"type": "string"},
    },
}
_REFUSALS: Final[Mapping[int, str]] = {
    400: "A query or a parameter that cannot be used.",
    403: "A request that a page of another site sent.",
    408: "The form came too slowly.",
    413: "The form is too long.",
    415: "The body is not said to be a form.",
    422: "A query that takes more than one may.",
    503: "The history cannot be read now, or too many ask at once.",
}


def routes(site: Site, turns: Turns) -> list[Route]:
    """All routes, which work in the turns of all others."""
    labelled = Labelled()
    return [_route(site, labelled, turns, each) for each in QUESTIONS]


def _route(site: Site, labelled: Labelled, turns: Turns, question: Question) -> Route:
    def work(asked: Mapping[str, Any]) -> Response:
        told, warnings = question.answer(site, labelled, asked)
        body = {"status": "success", "data": told}
        body |= {"warnings": list(warnings)} if warnings else {}
        return Response(orjson.dumps(body), media_type="application/json")

    async def serve(request: Request) -> Response:
        try:
            known = {n: p for n, p in question.params.items() if n not in request.path_params}
            asked = params.read(await params.given(request), known)
            for name, text in request.path_params.items():
                asked[name] = serve_params.value(name, str(text), question.params[name].kind)
            return await turns.run(lambda: work(asked))
        except BadQuery as error:
            return _error(400, "bad_data", f"{error}")
        except Refusal as refusal:
            hint = f": {refusal.hint}" if refusal.hint else ""
            return _error(refusal.status, "bad_data", f"{refusal.message}{hint}")
        except TooMuch as error:
            return _error(422, "execution", f"{error}: {error.hint}")
        except Busy:
            return _error(503, "unavailable", "too many questions at once: ask again in a moment")
        except TooHeavy as error:
            return _error(503, "unavailable", f"this question is too much now: {error}")
        except StorageError:
            return _error(503, "unavailable", "the history cannot be read now: see the cloud's log")

    return Route(question.path, serve, methods=[method.value for method in question.methods])


def _error(status: int, kind: str, message: str) -> Response:
    body = orjson.dumps({"status": "error", "errorType": kind, "error": message})
    return Response(body, status, media_type="application/json")


def documented(always: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the OpenAPI document says; ``always`` are answers that every route may give."""
    return {
        each.path: {
            method.value.lower(): _operation(each, method, always) for method in each.methods
        }
        for each in QUESTIONS
    }


def _operation(question: Question, method: Method, always: Mapping[str, Any]) -> dict[str, Any]:
    path = [name for name in question.params if f"{{{name}}}" in question.path]
    rest = {name: param for name, param in question.params.items() if name not in path}
    is_form = method is Method.POST
    told: dict[str, Any] = {
        "summary": question.summary,
        "operationId": f"{method.value.lower()}_prometheus_{question.path.rpartition('/')[2]}",
        "parameters": [_parameter(name, question.params[name], "path") for name in path],
        "responses": _answers(question, always),
    }
    if is_form:
        content = {FORM: {"schema": _form(rest)}}
        told["requestBody"] = {"required": True, "content": content}
    else:
        told["parameters"] += [_parameter(name, param, "query") for name, param in rest.items()]
    return told


def _parameter(name: str, param: Any, place: str) -> dict[str, Any]:
    said = {"name": name, "in": place, "description": param.help, "schema": _schema(name, param)}
    return said | ({"required": True} if param.required or place == "path" else {})


def _form(rest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name, param in rest.items() if param.required],
        "additionalProperties": False,
        "properties": {name: _schema(name, param) for name, param in rest.items()},
    }


def _schema(name: str, param: Any) -> dict[str, Any]:
    own: dict[str, Any] = dict(param.kind.schema)
    if name == MATCH:
        own = {"type": "array", "items": own, "maxItems": params.MATCHES_MAX}
        own |= {"minItems": 1} if param.required else {}
    return own


def _answers(question: Question, always: Mapping[str, Any]) -> dict[str, Any]:
    warnings = {"type": "array", "items": {"type": "string"}}
    status = {"type": "string", "enum": ["success"]}
    whole: dict[str, Any] = {
        "type": "object",
        "required": ["status", "data"],
        "properties": {"status": status, "data": question.data, "warnings": warnings},
    }
    refusals = {
        str(status): {"description": why, "content": _json(ERROR)}
        for status, why in _REFUSALS.items()
    }
    return {"200": {"description": "OK", "content": _json(whole)}, **always, **refusals}


def _json(schema: Mapping[str, Any]) -> dict[str, Sequence[Any] | Any]:
    return {"application/json": {"schema": schema}}
