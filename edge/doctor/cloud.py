"""The way to the cloud, stage by stage: name, TCP, TLS, identity, protocol.

The last two ask the sync port itself, beside a session of the agent that is not touched: its health
service, which admits whom a session would admit, and a hello that no gateway can be in the state
of. The cloud refuses that one before it changes anything, and before it judges it, the protocol.
"""

import asyncio
import os
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, REFUSED, UNREACHABLE, Finding, fault, hint, ok
from edge.doctor.theme import Theme
from edge.errors import OperatorError
from edge.settings_links import PROXY_VARIABLES

if TYPE_CHECKING:
    from edge.identity import Identity

NAME: Final = "the cloud, stage 1: its name"
TCP: Final = "the cloud, stage 2: TCP"
TLS: Final = "the cloud, stage 3: TLS"
ADMITTED: Final = "the cloud, stage 4: identity"
PROTOCOL: Final = "the cloud, stage 5: protocol"
DELIVERY: Final = "delivery, as the agent tells"
STEP_S: Final = 5.0
PROXY_ANSWER_BYTES_MAX: Final = 4096
_ADDRESS: Final = "check `cloud.address` in edge.toml, or the address that was enrolled with"

UNKNOWN = fault(
    "cloud.name", NAME, "check the name server of this network; else: " + _ADDRESS, UNREACHABLE
)
NO_TCP = fault(
    "cloud.tcp",
    TCP,
    "does `tidegate-cloud serve` run there, and is the port open on the way? " + _ADDRESS,
    UNREACHABLE,
)
PROXY = fault(
    "cloud.proxy", TCP, "check `cloud.proxy`, its user and password in edge.toml", UNREACHABLE
)
FOREIGN = fault(
    "cloud.foreign",
    TLS,
    "the server there is not the cloud this gateway enrolled with: " + _ADDRESS,
    REFUSED,
)
NO_TLS = fault("cloud.tls", TLS, "is that the sync port of a cloud? " + _ADDRESS, REFUSED)
CLOCKED = fault("cloud.clock", TLS, "set the clock (above): certificates have dates", OPERATOR)
DENIED = fault("cloud.identity", ADMITTED, "{hint}", REFUSED)
NO_SYNC = fault(
    "cloud.sync", ADMITTED, "that port is not a Tidegate sync port: " + _ADDRESS, REFUSED
)
UNEQUAL = fault("cloud.protocol", PROTOCOL, "{hint}", REFUSED)
STUCK = fault("cloud.delivery", DELIVERY, "{hint}", UNREACHABLE)
REACHED = ok("cloud.reached", "the cloud: name, TCP, TLS, identity, protocol")
DELIVERS = ok("cloud.delivers", DELIVERY)
NOWHERE = hint("cloud.none", "the cloud", "enrol this gateway: see `certificate`")
BY_PROXY = hint(
    "cloud.environment", TCP, "the agent goes the same way only if its environment says the same"
)


def examine(case: Case) -> Iterator[Finding]:
    """Go as far as it goes; what comes after the stage that fails is not told."""
    from edge import identity

    folder = identity.standing(case.config.identity_folder)
    if not (folder / identity.CLOUD_FILE).exists():
        yield NOWHERE.found("this gateway has none: readings stay in the buffer")
        return
    try:
        who, proxy = identity.read(folder, case.config.name), case.config.cloud_proxy()
    except OperatorError:
        return  # told by the themes of the certificate and of the configuration
    if not proxy and (named := [one for one in PROXY_VARIABLES if case.environment.get(one)]):
        yield BY_PROXY.found(f"the environment here names a proxy ({named[0]})")
    began_s, address = time.monotonic(), case.config.settings.cloud.address or who.sync_address
    troubles = list(_stages(case, who, address, proxy))
    took_ms = (time.monotonic() - began_s) * 1e3
    yield from troubles or [REACHED.found(f"{address} takes this gateway, in {took_ms:,.0f} ms")]
    yield from _delivery(case)


def _stages(case: Case, who: "Identity", address: str, proxy: str) -> Iterator[Finding]:
    """The first stage that fails; nothing when all are passed."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        yield UNKNOWN.found(f"{address!r} is no host:port")
        return
    near = urlsplit(proxy) if proxy else None
    to = (near.hostname or "", near.port or 0) if near else (host.strip("[]"), int(port))
    try:
        socket.getaddrinfo(*to, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        yield UNKNOWN.found(f"{to[0]}: {_words(error)}")
        return
    try:
        sock = socket.create_connection(to, STEP_S)
    except OSError as error:
        kind = PROXY if near else NO_TCP
        yield kind.found(f"{to[0]}:{to[1]}: {_words(error)}")
        return
    with sock:
        if near is not None:
            refused = _tunnelled(sock, address, proxy)
            if refused:
                yield PROXY.found(f"{to[0]}:{to[1]}: {refused}")
                return
        if trouble := _encrypted(case, sock, who, address):
            yield trouble
            return
    yield from _asked(who, address, proxy)


def _tunnelled(sock: socket.socket, address: str, proxy: str) -> str:
    """Ask an HTTP proxy for a tunnel (RFC 9110, 9.3.6); why there is none, empty when there is."""
    parts = urlsplit(proxy)
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {b64encode(user.encode()).decode()}")
    try:
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < PROXY_ANSWER_BYTES_MAX:
            part = sock.recv(1024)
            if not part:
                break
            answer += part
    except OSError as error:
        return _words(error)
    status = answer.partition(b"\r\n")[0].split(b" ", 2)
    if len(status) > 1 and status[1].startswith(b"2"):
        return ""
    return f"it answers {b' '.join(status[1:])[:80].decode(errors='replace') or 'nothing'}"


def _encrypted(case: Case, sock: socket.socket, who: "Identity", address: str) -> Finding | None:
    """Shake hands as a session would; what is wrong, None when nothing is."""
    from edge.identity import CERTIFICATE_FILE, KEY_FILE, standing

    folder = standing(case.config.identity_folder)
    context = ssl.create_default_context(cadata=who.authority_pem.decode())
    context.load_cert_chain(folder / CERTIFICATE_FILE, folder / KEY_FILE)
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_socket(sock, server_hostname=who.cloud_name).close()
    except ssl.SSLCertVerificationError as error:
        told = f"{address}: {error.verify_message}"
        is_dated = "expired" in error.verify_message or "not yet valid" in error.verify_message
        return (CLOCKED if is_dated else FOREIGN).found(told)
    except (OSError, ValueError) as error:
        return NO_TLS.found(f"{address}: {_words(error)}")
    return None


def _asked(who: "Identity", address: str, proxy: str) -> Iterator[Finding]:
    from edge.doctor.cloud_talk import ask

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    said = asyncio.run(ask(who, address, proxy, STEP_S))
    if said.is_foreign:
        yield NO_SYNC.found(f"{address}: {said.error}")
    elif not said.is_admitted:
        yield DENIED.found(f"{address}: {said.error}", hint=said.hint)
    elif said.error:
        yield UNEQUAL.found(f"{address}: {said.error}", hint=said.hint)


def _delivery(case: Case) -> Iterator[Finding]:
    if case.health is None or not case.health.cloud.enrolled:
        return
    cloud = case.health.cloud
    if cloud.error:
        way_out = cloud.hint or "it is tried again; see the agent's log if it stays so"
        yield STUCK.found(f"{cloud.error} ({cloud.failures:,} sessions in a row)", hint=way_out)
    elif cloud.line == "live":
        left = cloud.head - cloud.archived
        yield DELIVERS.found(f"session {cloud.session:,}, {left:,} blocks on their way")


def _words(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return (strerror or str(error) or type(error).__name__).lower()


THEME = Theme(
    "cloud",
    (
        UNKNOWN, NO_TCP, PROXY, FOREIGN, NO_TLS, CLOCKED, DENIED, NO_SYNC, UNEQUAL, STUCK, REACHED,
        DELIVERS, NOWHERE, BY_PROXY,
    ),
    examine,
    limit_s=25.0,
    hung=("the way to the cloud, or its name server, does not answer", UNREACHABLE),
)  # fmt: skip
