"""The route of signing in and out: who am I, a name and a password for a cookie, and its end."""

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cloud.access.access import NOBODY, Access, Caller, Way
from cloud.access.desk import CrowdedError, Desk, MustWaitError, WrongError
from cloud.access.password import CHARS_MAX
from cloud.access.people import NAME_CHARS_MAX
from cloud.access.role import ROLES
from cloud.serve import kinds
from cloud.serve.body import read_body
from cloud.serve.guard import CALLER, SECURE_COOKIE, cookie_name
from cloud.serve.params import Kind, Param, Refusal

PATH: Final = "/api/v1/session"
BODY: Final = {
    "name": Param(kinds.TEXT, "the user's name", required=True),
    "password": Param(
        # Read by nothing that would tell it back: what is too long is simply wrong.
        Kind(str, {"type": "string", "maxLength": CHARS_MAX}),
        "the user's password",
        required=True,
    ),
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["sign_in", "way", "name", "role", "expires"],
    "additionalProperties": False,
    "properties": {
        "sign_in": {"type": "boolean", "description": "whether anybody must sign in here"},
        "way": {
            "type": "string",
            "enum": [way.value for way in Way],
            "description": "how the caller came in",
        },
        "name": {"type": ["string", "null"], "maxLength": NAME_CHARS_MAX},
        "role": {"type": ["string", "null"], "enum": [*ROLES, None]},
        "expires": {"type": ["integer", "null"], "format": "int64"},
    },
}
WAIT_S: Final = 60


class SessionRoute:
    """What is answered under PATH."""

    def __init__(self, access: Access, desk: Desk) -> None:
        self._access = access
        self._desk = desk

    async def answer(self, request: Request) -> Response:
        """Tell who asks, sign in, or sign out."""
        match request.method:
            case "POST":
                return await self._sign_in(request)
            case "DELETE":
                return await self._sign_out(request)
            case _:
                return self._told(request.scope[CALLER])

    async def _sign_in(self, request: Request) -> Response:
        said = await read_body(request, BODY)
        if self._access.is_open or not self._access.has_users:
            hint = "`tidegate-cloud user add NAME --role admin` sets the first one up"
            raise Refusal(409, "no_users", "no user is set up", hint)
        address = request.client.host if request.client else ""
        password = said["password"] if len(said["password"]) <= CHARS_MAX else ""
        try:
            secret = await self._desk.sign_in(said["name"], password, address)
        except WrongError:
            raise Refusal(401, "wrong", "name or password is wrong", "try again") from None
        except MustWaitError:
            message = "too many attempts of this name or from this address"
            raise Refusal(429, "too_many_attempts", message, f"wait {WAIT_S} s") from None
        except CrowdedError:
            message = "too many sign in at this moment"
            raise Refusal(503, "busy", message, "try again in a moment") from None
        caller = await self._access.caller(None, secret)
        answer = self._told(caller, 201)
        answer.set_cookie(
            cookie_name(request.scope),
            secret,
            max_age=self._access.lives.whole_us // 1_000_000,
            path="/",
            secure=cookie_name(request.scope) == SECURE_COOKIE,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _sign_out(self, request: Request) -> Response:
        await read_body(request, None)
        caller: Caller = request.scope[CALLER]
        if (session := self._access.session(caller)) is not None:
            await self._desk.sign_out(session)
            caller = NOBODY
        answer = self._told(caller)
        name = cookie_name(request.scope)
        answer.delete_cookie(
            name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="strict"
        )
        return answer

    def _told(self, caller: Caller, status: int = 200) -> Response:
        told = {
            "sign_in": not self._access.is_open,
            "way": caller.way.value,
            "name": caller.name or None,
            "role": caller.role.word if caller.role else None,
            "expires": caller.expires_us or None,
        }
        return Response(orjson.dumps(told), status, media_type="application/json")
