"""What the edge half raises, and whose fault each error is.

An error carries what was tried, on what, the cause, and what to do about it; the command line
prints exactly that, once, and ends with the error's exit code. A sensor's fault is no exception
here: what a sensor says wrongly becomes a named reject. Anything that is not a `TidegateError` is
our own fault.

Exit codes: 0 done · 2 the operator's (settings, arguments, identity) · 3 something did not answer
(broker, cloud, agent) · 4 the other side refused · 5 storage · 70 ours · 130 interrupted.
"""

from typing import ClassVar


class TidegateError(Exception):
    """Base of every error that has a cause a person can act on.

    Args:
        tried: what was being done, on what ("read the settings file /etc/edge.toml").
        cause: why it failed ("unknown key `brokr.url`").
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


class LibraryError(OperatorError):
    """A library that does not load: an installation that is damaged, or changed under the agent.

    Heavy libraries are loaded when they are first needed, which may be long after the start.
    """

    def __init__(self, name: str, cause: Exception) -> None:
        told = f"{type(cause).__name__}: {cause}"
        super().__init__(f"load the library {name}", told, "install Tidegate again")


class UnreachableError(TidegateError):
    """A broker, cloud or agent that did not answer; trying again later may help."""

    exit_code = 3


class PeerError(TidegateError):
    """The other side answered, and refused."""

    exit_code = 4


class StorageError(TidegateError):
    """The gateway's own disk or buffer failed, is full, or holds what cannot be read."""

    exit_code = 5
