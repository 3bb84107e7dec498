"""What can go wrong, by whose fault it is: the way there, the question, the token, the cloud.

Every error says what happened and, where there is one, what to do, in the server's own words where
it spoke.
"""


class TidegateError(Exception):
    """All errors of this package; ``message`` says what happened, ``hint`` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; to do: {hint}" if hint else message)
        self.message = message
        self.hint = hint


class SetupError(TidegateError, ValueError):
    """The address, the token, the authority or a setting of `connect` cannot be used."""


class UnreachableError(TidegateError, ConnectionError):
    """Nothing answers at the address, or the line broke; asking again may help."""


class CertificateError(UnreachableError):
    """What answers could not show that it is the server asked for."""


class TooSlowError(UnreachableError, TimeoutError):
    """No answer within `timeout` seconds."""


class AnswerError(TidegateError):
    """What answers there is no Tidegate, or the answer cannot be read."""


class QuestionError(TidegateError, ValueError):
    """The question cannot be asked so; found before anything was sent."""


class MissingPackageError(TidegateError, ImportError):
    """A conversion needs a package that is not installed."""


class RefusedError(TidegateError):
    """The cloud refused; ``message`` and ``hint`` are its words.

    ``status`` is that of HTTP, ``code`` the word for it; ``parameter`` names what was wrong of the
    question and ``nearest`` what would have been right, empty where nothing is.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        *,
        parameter: str = "",
        nearest: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        self.parameter = parameter
        self.nearest = nearest


class BadQuestionError(RefusedError, ValueError):
    """400 and other faults of the question; ``parameter`` names it."""


class SignInError(RefusedError, PermissionError):
    """401: no token was given, or it does not hold."""


class NotAllowedError(RefusedError, PermissionError):
    """403: the token does not reach so far."""


class NotFoundError(RefusedError, LookupError):
    """404: there is no such series, mark or route."""


class BusyError(RefusedError):
    """429 and 503: too much is asked of it just now, or the history cannot be read now."""


class ServerError(RefusedError):
    """500 and the like: the server's own fault; its log says more."""


def refusal(status: int, told: dict[str, str]) -> RefusedError:
    """The error for a status and the words beside it."""
    by_status = {
        401: SignInError,
        403: NotAllowedError,
        404: NotFoundError,
        429: BusyError,
        503: BusyError,
    }
    kind = by_status.get(status, ServerError if status >= 500 else BadQuestionError)
    message = told.get("message") or f"it answered {status}"
    hint, code = told.get("hint", ""), told.get("code", "")
    of = {"parameter": told.get("parameter", ""), "nearest": told.get("nearest", "")}
    return kind(status, code, message, hint, **of)
