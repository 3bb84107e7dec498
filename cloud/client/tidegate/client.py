"""A cloud to ask, by a program that waits for its answers."""

import os
from typing import Any

from tidegate.address import PAGE_ROWS, TIMEOUT_S, address_of
from tidegate.questions import Questions
from tidegate.result import Asked, Result
from tidegate.wire import Line


class Client(Questions[Result]):
    """Asks one cloud. It holds no connection while nothing is read, and threads may share it."""

    def status(self) -> dict[str, Any]:
        """What journal and history hold; asked at once. Raises a TidegateError."""
        line = Line(self.address)
        try:
            return line.json("/api/v1/status", {})
        finally:
            line.close()

    def _result(self, asked: Asked) -> Result:
        return Result(self.address, asked)

    def __repr__(self) -> str:
        return f"<tidegate.Client of {self.address.url}>"


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT_S,
    retries: int = 2,
    page_rows: int = PAGE_ROWS,
) -> Client:
    """A client of the cloud at ``url``, without asking it anything yet.

    What is not given is taken of TIDEGATE_URL, TIDEGATE_API_TOKEN and TIDEGATE_CA; without an
    address it is http://127.0.0.1:8460. ``ca`` is a file of authorities to trust in place of the
    system's. ``timeout`` is in seconds, for each step of a request; ``retries`` says how often a
    question is asked again that failed in passing; ``page_rows`` how many rows are read at a time.

    Raises:
        SetupError: one of these cannot be used.
    """
    return Client(address_of(url, token, ca, timeout, retries, page_rows))
