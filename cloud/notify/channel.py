"""The settings of a channel: whom messages go to, how, and when."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from cloud.notify.addresses import address_problem
from protos.quiet import QuietError, Span
from protos.settings import WrongValueError

_SECONDS: Final = {"unit": "s"}
CHANNELS_MAX: Final = 16


class Severity(StrEnum):
    """How much it matters, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place among all."""
        return list(Severity).index(self)


class ChannelKind(StrEnum):
    """How a channel is spoken to."""

    WEBHOOK = "webhook"
    SMTP = "smtp"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way to somebody: where messages are sent, and when."""

    kind: Annotated[
        ChannelKind,
        Meta(
            description="`webhook` posts JSON to an address, `smtp` sends mail.",
            examples=["webhook"],
        ),
    ]
    url: Annotated[
        str,
        Meta(
            description="`https://…` of a webhook; `smtps://HOST:465` (TLS) or `smtp://HOST:587` "
            "(STARTTLS) of a mail server. `http://…` only on loopback. No password stands in it.",
            max_length=2048,
            examples=["https://alerts.example.org/tidegate"],
        ),
    ]
    secret_file: Annotated[
        str,
        Meta(
            description="File of the secret: the key of a webhook's signature, or the mail "
            "server's password. Without a `/` it names a credential of systemd. Empty: none.",
            max_length=1024,
        ),
    ] = ""
    user: Annotated[
        str, Meta(description="Name at the mail server; empty: no sign-in.", max_length=320)
    ] = ""
    sender: Annotated[str, Meta(description="Address that mail comes from.", max_length=320)] = ""
    recipients: Annotated[
        list[str], Meta(description="Addresses that mail goes to.", max_length=50)
    ] = msgspec.field(default_factory=list)
    starttls: Annotated[
        bool,
        Meta(description="Whether `smtp://` asks for TLS; false only on loopback."),
    ] = True
    ca_file: Annotated[
        str,
        Meta(
            description="Certificates (PEM) that the other side's is checked by; empty: this "
            "machine's.",
            max_length=1024,
        ),
    ] = ""
    timeout_s: Annotated[
        float,
        Meta(description="Longest that one attempt takes.", ge=0.1, le=120, extra=_SECONDS),
    ] = 15.0
    severity_min: Annotated[Severity, Meta(description="What matters less is not told here.")] = (
        Severity.INFO
    )
    quiet: Annotated[
        list[str],
        Meta(
            description='Times in which it is told later: `"22:00-07:00"`, `"sat-sun '
            '00:00-24:00"`, in the zone of [notify].',
            max_length=32,
        ),
    ] = msgspec.field(default_factory=list)
    quiet_through: Annotated[
        Severity, Meta(description="What matters as much is told in quiet times too.")
    ] = Severity.CRITICAL

    def __post_init__(self) -> None:
        """Refuse what could never be sent, and secrets in the settings' text."""
        is_mail = self.kind is ChannelKind.SMTP
        schemes = ("smtps", "smtp") if is_mail else ("https", "http")
        problem = address_problem(self.url, schemes, starttls=self.starttls)
        if problem is not None:
            raise WrongValueError("url", *problem)
        if is_mail:
            self._check_mail()
        else:
            for key in ("user", "sender", "recipients"):
                if getattr(self, key):
                    raise WrongValueError(key, "a webhook has none", f"remove {key}")
        for text in self.quiet:
            try:
                Span.read(text)
            except QuietError as error:
                raise WrongValueError("quiet", str(error), error.hint) from error

    def _check_mail(self) -> None:
        if not self.recipients:
            raise WrongValueError("recipients", "mail needs them", 'write ["name@example.org"]')
        for key, address in (
            ("sender", self.sender),
            *(("recipients", r) for r in self.recipients),
        ):
            _check_address(key, address)
        if self.user and not self.secret_file:
            hint = "put the password into a file and name it"
            raise WrongValueError("secret_file", "`user` has no password", hint)


def _check_address(key: str, address: str) -> None:
    local, at, host = address.rpartition("@")
    if not at or not local or not host or not address.isprintable() or set(address) & set(" ,<>"):
        hint = "write each as name@example.org"
        raise WrongValueError(key, f"{address[:60]!r} is no address of mail", hint)
