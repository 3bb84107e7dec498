"""Where a cloud is, who asks, and how its certificate is checked."""

import ipaddress
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tidegate.errors import SetupError

URL_VARIABLE: Final = "TIDEGATE_URL"
TOKEN_VARIABLE: Final = "TIDEGATE_API_TOKEN"
CA_VARIABLE: Final = "TIDEGATE_CA"
DEFAULT_URL: Final = "http://127.0.0.1:8460"
"""Where a cloud listens until it is told otherwise."""
TIMEOUT_S: Final = 60.0
RETRIES_MAX: Final = 4
PAGE_ROWS: Final = 100_000
PAGE_ROWS_MAX: Final = 100_000
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """One cloud. ``prefix`` stands before every path, ``tls`` is None for plain HTTP.

    ``timeout_s`` is for each step of a request, ``retries`` how often a question is asked again
    that failed in passing, ``page_rows`` how many rows are asked for at a time.
    """

    host: str
    port: int
    prefix: str
    tls: ssl.SSLContext | None
    token: str = field(repr=False)
    timeout_s: float
    retries: int
    page_rows: int

    @property
    def url(self) -> str:
        """As a person writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.prefix}"


def address_of(
    url: str | None,
    token: str | None,
    ca: str | os.PathLike[str] | None,
    timeout: float,
    retries: int,
    page_rows: int,
) -> Address:
    """The address from what was given, else from the environment, else loopback.

    Raises:
        SetupError: one of these cannot be used.
    """
    url = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    token = token if token is not None else os.environ.get(TOKEN_VARIABLE, "")
    ca = ca or os.environ.get(CA_VARIABLE) or None
    _check_numbers(timeout, retries, page_rows)
    scheme, host, port, prefix = _parts(url)
    if any(not 33 <= ord(each) <= 126 for each in token):
        hint = "paste it as it was printed"
        raise SetupError("the token holds spaces or signs that no token has", hint)
    if scheme == "http" and token and not _is_loopback(host):
        hint = "use https:// (with `ca=` for an authority of your own)"
        raise SetupError(f"{url} would send the token for everybody to read", hint)
    if scheme == "http" and ca is not None:
        raise SetupError(f"`ca` is given, but {url} is plain HTTP", "use https://")
    tls = _tls(ca) if scheme == "https" else None
    return Address(host, port, prefix, tls, token, timeout, retries, page_rows)


def _check_numbers(timeout: float, retries: int, page_rows: int) -> None:
    if not 0 < timeout <= 86_400:
        raise SetupError(f"`timeout` is {timeout}", "give seconds, up to a day")
    if not 0 <= retries <= RETRIES_MAX:
        raise SetupError(f"`retries` is {retries}", f"give 0 to {RETRIES_MAX}")
    if not 1 <= page_rows <= PAGE_ROWS_MAX:
        raise SetupError(f"`page_rows` is {page_rows}", f"give 1 to {PAGE_ROWS_MAX}")


def _parts(url: str) -> tuple[str, str, int, str]:
    hint = f"give http://host:port or https://host:port, such as {DEFAULT_URL}"
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError as error:
        raise SetupError(f"the address {url!r} cannot be read: {error}", hint) from None
    if found.scheme not in _PORTS or not found.hostname:
        raise SetupError(f"the address {url!r} is none of a cloud", hint)
    if found.username or found.password or found.query or found.fragment:
        told = "an address holds no name, password or question"
        raise SetupError(told, "pass the token as `token=` or in TIDEGATE_API_TOKEN")
    if not all(33 <= ord(each) <= 126 for each in found.hostname + found.path):
        raise SetupError(f"the address {url!r} holds signs that no address has", hint)
    return found.scheme, found.hostname, port or _PORTS[found.scheme], found.path.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _tls(ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    if ca is not None and not Path(ca).is_file():
        raise SetupError(f"there is no file {os.fspath(ca)}", "`ca` is a file of PEM certificates")
    try:
        context = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        told = f"{os.fspath(ca or 'the authorities')} cannot be read: {error}"
        raise SetupError(told, "`ca` is a file of PEM certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
