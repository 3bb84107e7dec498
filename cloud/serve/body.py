"""What is sent to the HTTP API: JSON of our own pages and tools, small, soon, and nothing else.

A page of another site can make a browser send a form, but neither JSON nor a DELETE, without
asking first, which this server never grants; what it lets through all the same says where it is
from (`cloud.serve.guard`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request

from cloud.serve import params as serve_params
from cloud.serve.params import Expected, Param, Refusal, refused

BYTES_MAX: Final = 64 << 10
SECONDS_MAX: Final = 10.0


async def read_body(request: Request, known: Mapping[str, Param] | None) -> dict[str, Any]:
    """The values sent, None when nothing may be. Refusal 400, 408, 413, 415."""
    if known is None:
        return {}
    body = await whole(request, "application/json", "send JSON")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "bad_body", f"the body is no JSON: {error}", "send an object") from None
    if not isinstance(given, dict):
        raise Refusal(400, "bad_body", "the body is no object", "send `{…}`")
    return values_of(given, known)


async def whole(request: Request, media_type: str, hint: str) -> bytes:
    """The body, which must be said to be of this type. Refusal 400, 408, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != media_type:
        code = "not_json" if media_type == "application/json" else "bad_media_type"
        told = "JSON" if media_type == "application/json" else media_type
        message = f"the body is not said to be {told}"
        raise Refusal(415, code, message, f"{hint}, with `content-type: {media_type}`")
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await _whole(request)
    except TimeoutError:
        message = f"the body did not come within {SECONDS_MAX:g} s"
        raise Refusal(408, "too_slow", message, "send it again") from None
    except ClientDisconnect:
        raise Refusal(400, "cut_off", "the body ended early", "send it again") from None


def values_of(given: Mapping[str, Any], known: Mapping[str, Param]) -> dict[str, Any]:
    """The values of an object, each read as a parameter would be. Refusal 400."""
    for name in given:
        if name not in known:
            raise serve_params.unknown(name, known)
    values: dict[str, Any] = {}
    for name, param in known.items():
        held = given.get(name)
        if held is None or (held in ("", []) and not param.required):
            if param.required:
                message, hint = f"`{name}` is missing", f"add it: {param.help}"
                raise Refusal(400, "missing_parameter", message, hint, parameter=name)
            values[name] = param.default
        else:
            values[name] = serve_params.value(name, _text(name, held), param.kind)
    return values


def _text(name: str, held: Any) -> str:
    """A value as the query string would have it: lists joined by commas."""
    if isinstance(held, str):
        return held
    if isinstance(held, int) and not isinstance(held, bool):
        return str(held)
    if isinstance(held, list) and all(isinstance(each, str) for each in held):
        return ",".join(held)
    shown = orjson.dumps(held).decode()
    raise refused(name, shown, Expected("a text, a whole number or a list of texts"))


async def _whole(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BYTES_MAX:
            message = f"the body is longer than {BYTES_MAX} bytes"
            raise Refusal(413, "too_large", message, "say less in the note")
    return bytes(body)
