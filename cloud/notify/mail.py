"""Mail: a message sent to a mail server, over TLS from the start or by STARTTLS.

What cannot be encrypted is not sent, unless the server is on loopback and the settings say so. Its
Message-ID is made of the message's id, so a copy that came twice is known as one.
"""

import re
import smtplib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cloud.errors import PeerError, UnreachableError
from cloud.notify.addresses import port_of
from cloud.notify.deadline import Deadline, deadline
from cloud.notify.secret import read_secret
from cloud.notify.webhook import REACH, said, tls
from protos.shown import printable

SUBJECT_CHARS_MAX: Final = 180
_HOST: Final = re.compile(r"[^A-Za-z0-9.\-]")


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends by one server; one call, one attempt."""

    url: str
    user: str
    secret_file: str
    sender: str
    recipients: tuple[str, ...]
    starttls: bool
    ca_file: str
    timeout_s: float
    home: Path

    def send(self, document: Mapping[str, Any]) -> str:
        """Send one message; returns when the server took it, and names whom it was not taken for.

        It is not sent to all again for the sake of some.

        Raises:
            OperatorError: the secret or the certificates cannot be read.
            UnreachableError: the server cannot be reached, or not in time.
            PeerError: it refused, or took it for nobody.
        """
        password = read_secret(self.secret_file, self.home)
        mail = self.letter(document)
        with deadline(self.timeout_s) as limit:
            try:
                with self._connected(limit) as server:
                    if self.user:
                        server.login(self.user, password)
                    refused = server.send_message(mail, self.sender, list(self.recipients))
            except smtplib.SMTPServerDisconnected as error:
                raise self._unreachable(error, limit) from error
            except smtplib.SMTPException as error:
                raise PeerError(self._tried, _answer(error), "see the mail server's log") from error
            except OSError as error:
                raise self._unreachable(error, limit) from error
        return f"not {', '.join(sorted(refused))}" if refused else ""

    def letter(self, document: Mapping[str, Any]) -> EmailMessage:
        """The message as mail: plain text, its subject on one line."""
        mail = EmailMessage()
        subject = printable(f"[{document['severity']}] {document['subject']}")
        if len(subject) > SUBJECT_CHARS_MAX:
            subject = subject[: SUBJECT_CHARS_MAX - 1] + "…"
        mail["Subject"] = subject
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = formatdate(document["made_us"] / 1e6)
        cloud = _HOST.sub("-", str(document["cloud"]))[:200] or "cloud"
        mail["Message-ID"] = f"<{document['id']}@{cloud}>"
        mail["Tidegate-Notice"] = str(document["id"])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(str(document["text"]) + "\n")
        return mail

    @property
    def _tried(self) -> str:
        split = urlsplit(self.url)
        return f"send mail by {split.hostname}:{port_of(split)}"

    def _connected(self, limit: Deadline) -> smtplib.SMTP:
        split = urlsplit(self.url)
        host, port = split.hostname or "", port_of(split)
        context = tls(self.ca_file, self.home)
        server: smtplib.SMTP
        if split.scheme == "smtps":
            server = _MailsTls(limit, host, port, timeout=self.timeout_s, context=context)
        else:
            server = _Mails(limit, host, port, timeout=self.timeout_s)
        try:
            if split.scheme == "smtp" and self.starttls:
                server.starttls(context=context)  # SMTPNotSupportedError when it cannot
        except BaseException:
            server.close()
            raise
        return server

    def _unreachable(self, error: Exception, limit: Deadline) -> UnreachableError:
        cause = "it did not answer in time" if limit.is_over else said(error)
        return UnreachableError(self._tried, cause, REACH)


class _Mails(smtplib.SMTP):
    """A session that a deadline can cut."""

    def __init__(self, limit: Deadline, host: str, port: int, *, timeout: float) -> None:
        self._limit = limit
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        self._limit.hold(made)
        return made


class _MailsTls(smtplib.SMTP_SSL):
    """The same over TLS from the start."""

    def __init__(self, limit: Deadline, host: str, port: int, **more: Any) -> None:
        self._limit = limit
        super().__init__(host, port, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        self._limit.hold(made)
        return self.context.wrap_socket(made, server_hostname=host)


def _answer(error: smtplib.SMTPException) -> str:
    """What the server said, on a line."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        told = "; ".join(
            f"{name}: {code} {text.decode('utf-8', 'replace')}"
            for name, (code, text) in sorted(error.recipients.items())
        )
    elif isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        told = f"it answered {error.smtp_code} {words}"
    else:
        told = str(error).lower()
    return " ".join(told.split())[:200]
