"""Who may ask: every request is held against the table of needs before it is looked at.

Whoever asks shows a token (`Authorization: Bearer`) or a session's cookie; a token that does not
serve is refused, a cookie that does not is none. What writes must come from our own page: a page
of another site is told by its origin, and what a session sends must say that it is JSON, or have a
header of ours. Neither can a form, nor a script of another site without asking first (the CORS
preflight of the Fetch standard), which nobody here grants.
"""

import ipaddress
import logging
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.access.access import Access, BadToken, Caller, Way
from cloud.access.role import Role
from cloud.errors import StorageError
from cloud.serve.needs import NEEDS, READ_METHODS, Needed
from cloud.serve.shell import error

_log = logging.getLogger(__name__)

CALLER: Final = "tidegate.caller"
"""Under which a request's scope has its `Caller`."""
COOKIE: Final = "tidegate-session"
SECURE_COOKIE: Final = "__Host-tidegate-session"
"""Over TLS: a browser keeps one of that name only from this very host, and sends it nowhere else
(RFC 6265bis, 4.1.3.2)."""
OWN_HEADER: Final = "x-tidegate"
"""What may be sent along with what is no JSON; its value says nothing."""
_SCHEME: Final = "bearer "
_WHERE_TO: Final = "sign in on the page, or send `Authorization: Bearer TOKEN`"


class Guard:
    """ASGI middleware: lets through what its caller may do, and refuses the rest with the reason.

    Where not only this machine can ask, plain HTTP is refused unless it is of this machine.
    """

    def __init__(self, app: ASGIApp, access: Access, needs: Mapping[str, Role] = NEEDS) -> None:
        self._app = app
        self._access = access
        self._needed = Needed(needs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = None if self._access.may_be_open or is_private(scope) else _not_private()
        if refused is None:
            caller = await self._caller(scope, headers)
            refused = (
                caller if isinstance(caller, Response) else self._refusal(scope, headers, caller)
            )
        if refused is not None:
            await refused(scope, receive, send)
            return
        assert isinstance(caller, Caller)
        scope[CALLER] = caller
        try:
            await self._app(scope, receive, self._held(caller, send))
        except Ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _caller(self, scope: Scope, headers: Headers) -> Caller | Response:
        token, given = None, headers.get("authorization")
        if given is not None:
            if given[: len(_SCHEME)].lower() != _SCHEME:
                return _no_token("only tokens are taken in `Authorization`")
            token = given[len(_SCHEME) :].strip()
        try:
            return await self._access.caller(token, _cookie(scope, headers))
        except BadToken:
            return _no_token("this token is unknown, expired or revoked")
        except StorageError as fault:
            _log.debug("nobody is let in: %s", fault)
            hint = "see the cloud's log"
            return error(503, "storage", "who may come in cannot be read now", hint)

    def _refusal(self, scope: Scope, headers: Headers, caller: Caller) -> Response | None:
        need = self._needed.role(scope["method"], scope["path"])
        if caller.role < need:
            return _no_token("nobody is signed in") if caller.way is Way.NOBODY else _no_role(need)
        if scope["method"] in READ_METHODS or caller.way in (Way.TOKEN, Way.LOCAL):
            return None  # a token is sent by nobody but who has it
        if not _is_own(headers):
            hint = "only this server's own page may send it"
            message = "this request comes from a page of another site"
            return error(403, "foreign_origin", message, hint)
        if caller.way is Way.SESSION and not (OWN_HEADER in headers or _is_json(headers)):
            message = "a form of any site could have sent this"
            hint = f"send JSON, or the header `{OWN_HEADER}: page`; or use a token"
            return error(403, "no_own_header", message, hint)
        return None

    def _held(self, caller: Caller, send: Send) -> Send:
        """What is sent ends when the caller may not have it any more, as a stream has no end."""

        async def send_held(message: Message) -> None:
            if message["type"] == "http.response.body" and message.get("more_body"):
                try:
                    await self._access.fresh()
                except StorageError:
                    raise Ended from None
                if not self._access.holds(caller):
                    raise Ended
            await send(message)

        return send_held


class Ended(Exception):  # noqa: N818 - the end of a stream, no error
    """The caller of an answer that was being sent may not have the rest."""


def is_private(scope: Scope) -> bool:
    """Whether nobody between here and the caller can read along: TLS, or this very machine."""
    client, server = scope.get("client"), scope.get("server")
    if scope.get("scheme") == "https":
        return True
    if client is None or (server is not None and client[0] == server[0]):
        return client is not None
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _cookie(scope: Scope, headers: Headers) -> str | None:
    given = headers.get("cookie")
    return cookie_parser(given).get(cookie_name(scope)) if given else None


def cookie_name(scope: Scope) -> str:
    """Under which name a session's cookie goes over this connection."""
    return SECURE_COOKIE if scope.get("scheme") == "https" else COOKIE


def _is_own(headers: Headers) -> bool:
    """Whether a browser, if it was one, sent this for our own page."""
    origin, host = headers.get("origin"), headers.get("host", "")
    site = headers.get("sec-fetch-site", "same-origin")
    own = origin is None or origin.partition("://")[2].lower() == host.lower()
    return own and site in ("same-origin", "none")


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _no_token(message: str) -> Response:
    answer = error(401, "not_signed_in", message, _WHERE_TO)
    answer.headers["www-authenticate"] = 'Bearer realm="tidegate"'
    return answer


def _no_role(need: Role) -> Response:
    message = f"this takes the role {need.word}"
    hint = "`tidegate-cloud user role NAME ROLE` gives another"
    return error(403, "not_allowed", message, hint)


def _not_private() -> Response:
    message = "this is plain HTTP, which others can read"
    hint = (
        "call https://, or the proxy that `http.behind` in cloud.toml names, which must say"
        " `X-Forwarded-Proto: https`"
    )
    return error(403, "not_private", message, hint)
