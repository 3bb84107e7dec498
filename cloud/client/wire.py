"""How a cloud is reached: host and port, plain or by TLS, and what is shown to be let in."""

import functools
import http.client
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cloud.config import CloudConfig
from cloud.errors import OperatorError

TOKEN_VARIABLE: Final = "TIDEGATE_API_TOKEN"
TIMEOUT_S: Final = 60.0


def _nothing() -> str:
    return ""


@dataclass(slots=True)
class Wire:
    """``context`` for TLS, None for plain HTTP; ``token`` makes what is shown, empty for nothing.

    ``beside`` are headers that go along. A token is made when it is first needed, and once more
    when the one before is refused.
    """

    host: str
    port: int
    context: ssl.SSLContext | None = None
    token: Callable[[], str] = field(default=_nothing, repr=False)
    beside: Mapping[str, str] = field(default_factory=dict)
    _held: str | None = field(default=None, init=False, repr=False)

    def connection(self) -> http.client.HTTPConnection:
        """A connection that is not open yet."""
        if self.context is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=TIMEOUT_S, context=self.context
        )

    def headers(self, *, anew: bool = False) -> dict[str, str]:
        """What lets us in; ``anew`` where what was shown before did not."""
        if self._held is None or anew:
            self._held = self.token()
        shown = {"authorization": f"Bearer {self._held}"} if self._held else {}
        return {**self.beside, **shown}


def own_wire(config: CloudConfig) -> Wire:
    """How the cloud of a home on this machine is reached.

    By the token in TIDEGATE_API_TOKEN, else by one that the home's owner makes for this call. The
    certificate that the settings name is trusted, and no other, whatever name is in it.

    Raises:
        OperatorError: the certificate cannot be read.
    """
    host, port = config.http_address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    context = _pinned(config) if config.settings.http.certificate else None
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    token = (lambda: given) if given else functools.partial(_made, config)
    # Where `http.behind` names this machine we pass for a proxy, which must say that nobody reads
    # along; and nobody does, for it is our own address that we call. Where none is named, what a
    # proxy brings is refused.
    said = {"x-forwarded-proto": "https"} if config.settings.http.behind else {}
    return Wire(host, port, context, token, said)


def _made(config: CloudConfig) -> str:
    # Only here is a registry needed: who asks from elsewhere has none.
    from cloud.access.local import local_token

    return local_token(config.registry_path)


def _pinned(config: CloudConfig) -> ssl.SSLContext:
    """Trusts the certificate that the cloud of this home shows, and no other."""
    path = config.page_certificate_path
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        chain = path.read_text(encoding="ascii")
        first, end, _ = chain.partition("-----END CERTIFICATE-----")
        context.load_verify_locations(cadata=first + end)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        hint = (
            "check http.certificate in the settings; `tidegate-cloud serve` makes the authority's"
        )
        raise OperatorError(f"trust the certificate {path}", cause.lower(), hint) from error
    return context
