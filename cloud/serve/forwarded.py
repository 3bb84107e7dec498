"""What a reverse proxy says of whom it speaks for: believed of those named in the settings alone.

`X-Forwarded-For`, `-Proto` and `-Host` are read from their right end, where the named proxy itself
wrote; what stands before came from outside. From anybody else they are nothing but headers.
"""

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST: Final = re.compile(
    r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?"
)
_PEERS_MAX: Final = 4096


class Forwarded:
    """ASGI middleware: puts the caller, scheme and name that a proxy tells in place of its own.

    ``behind`` are addresses and networks of the proxies.
    """

    def __init__(self, app: ASGIApp, behind: Sequence[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(each, strict=False) for each in behind]
        self._is_proxy = functools.lru_cache(_PEERS_MAX)(self._is_one)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        client = scope.get("client") if scope["type"] == "http" else None
        if client is not None and self._is_proxy(client[0]):
            scope = self._told(scope)
        await self._app(scope, receive, send)

    def _told(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        said = {name: _listed(headers, f"x-forwarded-{name}") for name in ("for", "proto", "host")}
        told = dict(scope)
        # The scheme is the caller's: what comes from a proxy without a word of it is plain.
        told["scheme"] = "https" if said["proto"][-1:] == ["https"] else "http"
        caller = next((each for each in reversed(said["for"]) if not self._is_proxy(each)), "")
        # A proxy that names nobody speaks for somebody all the same, who is not this machine.
        told["client"] = (caller[:64] or "unknown", 0)
        if said["host"] and _HOST.fullmatch(said["host"][-1]):
            host = (b"host", said["host"][-1].encode())
            told["headers"] = [host, *(each for each in scope["headers"] if each[0] != b"host")]
        return told

    def _is_one(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _listed(headers: Headers, name: str) -> list[str]:
    values = ",".join(headers.getlist(name)).split(",")
    return [value.strip() for value in values if value.strip()]
