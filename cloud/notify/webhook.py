"""A webhook: a message posted as JSON, signed, to one address.

The signature is HMAC-SHA256 over `TIMESTAMP.BODY` under the channel's secret, so that a receiver
knows whom it is from and how old it is. TLS is checked; the machine's proxy settings are not asked.
A redirect is followed within the same origin alone, and only where it keeps the method (307, 308):
what is told goes to no host that the settings do not name.
"""

import hashlib
import hmac
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import orjson

from cloud.errors import OperatorError, PeerError, UnreachableError
from cloud.notify.addresses import port_of
from cloud.notify.deadline import Deadline, deadline
from cloud.notify.secret import read_secret

ANSWER_BYTES_MAX: Final = 512
"""Of a refusal's text, which the log tells."""
REDIRECTS_MAX: Final = 3
REACH: Final = "does it run, and may this machine reach it?"
_KEEPS_METHOD: Final = (307, 308)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Sends to ``url``; one call, one attempt. ``agent`` is the product and its version."""

    url: str
    secret_file: str
    ca_file: str
    timeout_s: float
    home: Path
    agent: str

    def send(self, document: Mapping[str, Any]) -> str:
        """Post one message; returns, with nothing to say, when the receiver said 2xx.

        Raises:
            OperatorError: the secret or the certificates cannot be read.
            UnreachableError: it cannot be reached, or not in time.
            PeerError: it answered something else.
        """
        body = orjson.dumps(document)
        headers = self._headers(str(document["id"]), body)
        url = self.url
        with deadline(self.timeout_s) as limit:
            for _ in range(REDIRECTS_MAX + 1):
                status, told, location = self._post(url, body, headers, limit)
                if 200 <= status < 300:
                    return ""
                if status not in _KEEPS_METHOD or not location:
                    break
                url = self._within(url, location)
        told = self._without_path(told)
        cause = f"it answered {status}" + (f": {told}" if told else "")
        raise PeerError(self._tried, cause, "see what the receiver expects")

    @property
    def _tried(self) -> str:
        split = urlsplit(self.url)
        # The path may hold a key of its own.
        return f"tell {split.scheme}://{split.hostname}:{port_of(split)}"

    def _without_path(self, told: str) -> str:
        """What the receiver said, where it repeats what was asked of it."""
        split = urlsplit(self.url)
        for part in (split.path.rstrip("/"), split.query):
            told = told.replace(part, "…") if part else told
        return told

    def _headers(self, identifier: str, body: bytes) -> dict[str, str]:
        sent = str(int(time.time()))
        found = {
            "content-type": "application/json",
            "user-agent": self.agent,
            "tidegate-notice": identifier,
            "tidegate-timestamp": sent,
        }
        secret = read_secret(self.secret_file, self.home)
        if secret:
            found["tidegate-signature"] = f"sha256={signature(secret, sent, body)}"
        return found

    def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], limit: Deadline
    ) -> tuple[int, str, str]:
        """Status, the beginning of what was said, and where to go instead."""
        split = urlsplit(url)
        host, port = split.hostname or "", port_of(split)
        context = tls(self.ca_file, self.home) if split.scheme == "https" else None
        connection = (
            http.client.HTTPConnection(host, port, timeout=self.timeout_s)
            if context is None
            else http.client.HTTPSConnection(host, port, timeout=self.timeout_s, context=context)
        )
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        try:
            # By hand, so that the deadline has it before TLS is spoken too.
            sock = socket.create_connection((host, port), self.timeout_s)
            connection.sock = sock
            limit.hold(sock)
            if context is not None:
                connection.sock = context.wrap_socket(sock, server_hostname=host)
            connection.request("POST", target, body, dict(headers))
            with connection.getresponse() as answer:
                told = answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
                if limit.is_over:  # what was cut off within its headers looks like an answer
                    raise TimeoutError
                return answer.status, " ".join(told.split())[:200], answer.headers["location"] or ""
        except (OSError, http.client.HTTPException) as error:
            cause = "it did not answer in time" if limit.is_over else said(error)
            raise UnreachableError(self._tried, cause, REACH) from error
        finally:
            connection.close()

    def _within(self, url: str, location: str) -> str:
        """Where a redirect leads. PeerError when that is another host, port or scheme."""
        try:
            there = urljoin(url, location)
            same = _origin(there) == _origin(url)
        except ValueError:
            same = False
        if not same:
            cause = f"it sends to another place{_told_of(location)}"
            raise PeerError(self._tried, cause, "write that address into the settings, if it is so")
        return there


def signature(secret: str, sent: str, body: bytes) -> str:
    """HMAC-SHA256 in hexadecimal of a body that was sent at ``sent`` (s since 1970)."""
    return hmac.new(secret.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()


def tls(ca_file: str, home: Path) -> ssl.SSLContext:
    """How the other side's certificate is checked. OperatorError when that cannot be read."""
    path = str(home / ca_file) if ca_file else None
    try:
        context = ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        cause = str(error.strerror or error)
        raise OperatorError(f"read the certificates {path}", cause, "correct ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def said(error: Exception) -> str:
    """What went wrong on a line, in few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    told = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (told or type(error).__name__).lower()[:200]


def _told_of(url: str) -> str:
    """Whose another place is; its path and query may repeat a key of the channel's."""
    try:
        scheme, host, port = _origin(url)
    except ValueError:
        return ""
    return f": {scheme}://{host}:{port}"[:100] if host else ""


def _origin(url: str) -> tuple[str, str | None, int]:
    split = urlsplit(url)
    if split.scheme not in ("http", "https"):
        return split.scheme, None, 0
    return split.scheme, split.hostname, port_of(split)
