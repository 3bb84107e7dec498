"""History of a Tidegate cloud, for notebooks and programs: `tidegate.connect(…)`, then questions.

    cloud = tidegate.connect("http://127.0.0.1:8460")
    frame = cloud.history("pump/flow", "-1h").to_polars()

Of its modules, in the order of a question: `address` says where the cloud is, `questions` what can
be asked, `names` which series are meant, `times` and `plan` what that comes to as requests, `wire`
sends them, `splice` makes one Arrow stream of the pages, `result` and `frames` give it on; `client`
waits for it, `aside` does not. Every error is one of `errors`.
"""

from tidegate.aside import AsyncClient, AsyncResult, connect_async
from tidegate.client import Client, connect
from tidegate.errors import (
    AnswerError,
    BadQuestionError,
    BusyError,
    CertificateError,
    MissingPackageError,
    NotAllowedError,
    NotFoundError,
    QuestionError,
    RefusedError,
    ServerError,
    SetupError,
    SignInError,
    TidegateError,
    TooSlowError,
    UnreachableError,
)
from tidegate.result import Batch, Result

__all__ = [
    "AnswerError",
    "AsyncClient",
    "AsyncResult",
    "BadQuestionError",
    "Batch",
    "BusyError",
    "CertificateError",
    "Client",
    "MissingPackageError",
    "NotAllowedError",
    "NotFoundError",
    "QuestionError",
    "RefusedError",
    "Result",
    "ServerError",
    "SetupError",
    "SignInError",
    "TidegateError",
    "TooSlowError",
    "UnreachableError",
    "connect",
    "connect_async",
]
