"""What the cloud half raises, and whose fault each error is.

An error carries what was tried, on what, the cause, and what to do about it; the command line
prints exactly that, once, and ends with the error's exit code. A gateway's fault is told to the
gateway: `PeerError` here, a fault message on the wire. Anything that is not a `TidegateError` is
our own fault.

Exit codes: 0 done · 2 the operator's (settings, arguments, identity) · 3 something did not answer
(a running cloud) · 4 the other side refused · 5 storage · 70 ours · 130 interrupted.
"""

from typing import ClassVar


class TidegateError(Exception):
    """Base of every error that has a cause a person can act on.

    Args:
        tried: what was being done, on what ("read the settings file /etc/cloud.toml").
        cause: why it failed ("unknown key `listn.http`").
        hint: what to do about it; empty when nothing can be said.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, tried: str, cause: str, hint: str = "") -> None:
        super().__init__(tried, cause, hint)
        self.tried = tried
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        """One line: tried, cause, hint."""
        told = f"could not {self.tried}: {self.cause}"
        return f"{told} ({self.hint})" if self.hint else told


class OperatorError(TidegateError):
    """Settings, arguments or files that the operator can put right."""

    exit_code = 2


class UnreachableError(TidegateError):
    """A service that did not answer; trying again later may help."""

    exit_code = 3


class PeerError(TidegateError):
    """The other side (a gateway, a server) sent or answered what is refused."""

    exit_code = 4


class StorageError(TidegateError):
    """The cloud's own disk, journal, lake or registry failed, or is full or unreadable."""

    exit_code = 5
