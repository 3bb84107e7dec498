"""Receivers of messages that are real: a web server, and a mail server, on loopback."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.demo.broker import free_port

T0 = 1_790_000_000_000_000


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now_us: int = T0) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def go(self, seconds: float) -> None:
        self.now_us += int(seconds * 1e6)


def document(identifier: str = "ab" * 16, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier, "cloud": "cloud.example", "severity": "warning", "made_us": T0,
        "subject": "attic: gateway is silent", "text": "attic: gateway is silent\n",
        "standings": [], **more,
    }  # fmt: skip


def certificate(folder: Path, name: str = "127.0.0.1") -> Path:
    """A PEM file with key and certificate, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    address = x509.IPAddress(ipaddress.ip_address(name))
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(pem))
    return path


def server_tls(pem: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


Answer = Callable[["Hook", str], tuple[int, dict[str, str]]]


@dataclass
class Hook:
    """A web server that keeps what was posted; ``answer`` says what it answers."""

    answer: Answer = lambda _, __: (200, {})
    tls: ssl.SSLContext | None = None
    port: int = 0
    says: bytes = b"said"
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Paths as they come, before anything is answered."""
    came: threading.Condition = field(default_factory=threading.Condition)
    server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self) -> "Hook":
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.requests.append(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                with hook.came:
                    hook.posts.append((self.path, headers, body))
                    status, more = hook.answer(hook, self.path)
                    hook.came.notify_all()
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(hook.says)))
                self.end_headers()
                self.wfile.write(hook.says)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/hook"

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in list(self.posts)]

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Return once so many were posted."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= count, seconds), self.posts


@dataclass
class MailBox:
    """A mail server that keeps what it took; ``refuses`` names recipients it does not know."""

    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    refuses: frozenset[str] = frozenset()
    # Its controller's own word for a port is where that looks whether it has started.
    port: int = field(default_factory=free_port)
    letters: list[Any] = field(default_factory=list)
    controller: Controller | None = None

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        if address in self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        is_secret = server.transport.get_extra_info("sslcontext") is not None
        self.letters.append((is_secret, envelope))
        return "250 taken"

    def _authenticate(self, server, session, envelope, mechanism, data) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = data.login.decode(), data.password.decode()
        return AuthResult(success=given == self.login, handled=False)

    def __enter__(self) -> "MailBox":
        more: dict[str, Any] = {"ssl_context": self.tls} if self.tls else {}
        if self.starttls:
            more |= {"tls_context": self.starttls, "require_starttls": True}
        if self.login:
            more |= {
                "authenticator": self._authenticate, "auth_required": True,
                "auth_require_tls": self.tls is None,
            }  # fmt: skip
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **more)
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.controller is not None
        self.controller.stop()
