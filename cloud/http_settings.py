"""The settings of page and API: who they are read by, over which wire, and for how long."""

import ipaddress
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from protos.settings import WrongValueError

OF_AUTHORITY: Final = "authority"
"""What `certificate` says for one of the cloud's own authority."""


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """Page and API; off loopback they need users, and a certificate or a proxy that has one."""

    certificate: Annotated[
        str,
        Meta(
            description="Certificate chain (PEM) of page and API, the server's own first; or "
            "`authority` for one of this cloud's own authority, for the names under "
            "`listen.hosts`. Empty serves plain HTTP. A renewed file is taken within a minute."
        ),
    ] = ""
    key: Annotated[
        str, Meta(description="Its private key (PEM, without a password); not for `authority`.")
    ] = ""
    behind: Annotated[
        list[str],
        Meta(
            description="Addresses or networks of reverse proxies: what these say in "
            "`X-Forwarded-For`, `-Proto` and `-Host` is believed.",
            max_length=64,
        ),
    ] = msgspec.field(default_factory=list)
    idle_hours: Annotated[
        int,
        Meta(
            description="A session that was not used for so long ends.",
            ge=1,
            le=8760,
            extra={"unit": "h"},
        ),
    ] = 12
    session_days: Annotated[
        int,
        Meta(
            description="A session ends after so long whatever it is used.",
            ge=1,
            le=365,
            extra={"unit": "days"},
        ),
    ] = 14
    failures_per_minute_max: Annotated[
        int,
        Meta(
            description="Refused sign-ins of one address, and of one name, in a minute, after "
            "which they have to wait.",
            ge=1,
            le=10_000,
        ),
    ] = 10

    def __post_init__(self) -> None:
        """Refuse half a certificate, proxies that are no addresses, and lives that contradict."""
        if self.certificate == OF_AUTHORITY and self.key:
            raise WrongValueError("key", "the authority's certificate has its own", "remove it")
        if bool(self.key) != bool(self.certificate) and self.certificate != OF_AUTHORITY:
            missing, there = ("key", "certificate") if self.certificate else ("certificate", "key")
            hint = f"name both files, or neither; certificate may be {OF_AUTHORITY!r}"
            raise WrongValueError(missing, f"there is a {there}, but none of this", hint)
        for each in self.behind:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError as error:
                hint = "write an address or a network, as in 10.0.0.2 or 10.0.0.0/24"
                raise WrongValueError("behind", f"{each!r} is neither", hint) from error
        if self.idle_hours > 24 * self.session_days:
            hint = f"make it at most {24 * self.session_days}"
            raise WrongValueError("idle_hours", "it is longer than http.session_days", hint)
