"""One line to a cloud: questions over HTTP, one after another, and answers whole.

Everything asked is read and changes nothing, so a question that failed in passing (no connection,
a line that broke, a cloud that is busy) is asked again after a pause. What timed out is not: the
cloud may still be at work on it. An answer is one page and is read whole before any of it is used,
so that one cut short is never taken for a shorter one.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from tidegate.address import Address
from tidegate.errors import (
    AnswerError,
    BusyError,
    CertificateError,
    TooSlowError,
    UnreachableError,
    refusal,
)

ARROW: Final = "application/vnd.apache.arrow.stream"
JSON: Final = "application/json"
ANSWER_BYTES_MAX: Final = 1 << 30
"""Of one page; the server's own limits lie far below."""
PAUSES_S: Final = (0.2, 0.6, 1.8, 5.4)
"""Before asking again."""
_AGENT: Final = "tidegate-client"
_MARK: Final = "tidegate-"


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` as it came; ``about`` is what the server said beside it, by name."""

    body: bytes
    about: Mapping[str, str]


class Line:
    """A connection that is opened when it is needed and kept between questions.

    For one thread at a time, but for `abort`.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connection: http.client.HTTPConnection | None = None
        self.is_aborted = False

    def arrow(self, path: str, query: Mapping[str, str]) -> Answer:
        """One page as an Arrow stream. Raises a TidegateError."""
        return self._get(path, query, ARROW)

    def json(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """One answer as JSON. Raises a TidegateError."""
        told = self._object(self._get(path, query, JSON).body)
        if told is None:
            raise self._stranger("its answer is no JSON")
        return told

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def end(self) -> None:
        """Close it, unless it was aborted: then whoever is at work on it does."""
        if not self.is_aborted:
            self.close()

    def abort(self) -> None:
        """End what another thread is waiting for, for good."""
        self.is_aborted = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def _get(self, path: str, query: Mapping[str, str], form: str) -> Answer:
        target = f"{self.address.prefix}{path}?{urlencode(query)}"
        pauses = list(PAUSES_S[: self.address.retries])
        while True:
            is_reused = self._connection is not None
            try:
                return self._once(target, form)
            except (CertificateError, TooSlowError):
                raise
            except (UnreachableError, BusyError) as error:
                # A server closes a line that was quiet for a while: that is no failure.
                if is_reused and isinstance(error, UnreachableError) and not self.is_aborted:
                    continue
                if not pauses or self.is_aborted:
                    raise
                time.sleep(pauses.pop(0))

    def _once(self, target: str, form: str) -> Answer:
        if self.is_aborted:
            raise UnreachableError("nobody waits for this answer any more")
        try:
            connection = self._open()
            connection.request("GET", target, headers=self._headers(form))
            response = connection.getresponse()
            body = self._body(response)
        except TimeoutError as error:
            self.close()
            told = f"{self.address.url} did not answer within {self.address.timeout_s:g} s"
            raise TooSlowError(told, "ask for less, or connect with a longer `timeout`") from error
        except ssl.SSLError as error:
            self.close()
            raise self._distrusted(error) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._away(error) from error
        if response.status != http.client.OK:
            raise self._refused(response, body)
        if response.headers.get_content_type() != form:
            raise self._stranger(f"it answers {response.headers.get_content_type()}")
        told = ((name.lower(), said) for name, said in response.getheaders())
        about = {
            name.removeprefix(_MARK).replace("-", "_"): said
            for name, said in told
            if name.startswith(_MARK)
        }
        return Answer(body, about)

    def _open(self) -> http.client.HTTPConnection:
        at = self.address
        if self._connection is None:
            if at.tls is None:
                made = http.client.HTTPConnection(at.host, at.port, timeout=at.timeout_s)
            else:
                made = http.client.HTTPSConnection(
                    at.host, at.port, timeout=at.timeout_s, context=at.tls
                )
            made.connect()
            self._connection = made
        return self._connection

    def _headers(self, form: str) -> dict[str, str]:
        headers = {"accept": form, "user-agent": _AGENT}
        if self.address.token:
            headers["authorization"] = f"Bearer {self.address.token}"
        return headers

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        length = response.length
        if length is None:
            body = response.read(ANSWER_BYTES_MAX + 1)
            length = len(body)
        elif length <= ANSWER_BYTES_MAX:
            body = response.read()
        if length > ANSWER_BYTES_MAX:
            self.close()
            told = f"one answer is longer than {ANSWER_BYTES_MAX} bytes"
            raise AnswerError(told, "connect with fewer `page_rows`")
        return body

    def _refused(self, response: http.client.HTTPResponse, body: bytes) -> Exception:
        told = (self._object(body) or {}).get("error")
        if isinstance(told, dict):
            return refusal(response.status, {key: str(said) for key, said in told.items()})
        if response.status in (401, 403, 429) or response.status >= 500:
            told = {"message": f"what stands before {self.address.url} answered {response.status}"}
            return refusal(response.status, told)
        to = response.headers.get("location")
        if to is not None:
            return self._stranger(f"it answers {response.status} and points to {to}")
        return self._stranger(f"it answers {response.status}")

    @staticmethod
    def _object(body: bytes) -> dict[str, Any] | None:
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return told if isinstance(told, dict) else None

    def _stranger(self, cause: str) -> AnswerError:
        hint = "see listen.http in cloud.toml for its address"
        return AnswerError(f"what answers at {self.address.url} is no Tidegate: {cause}", hint)

    def _away(self, error: Exception) -> UnreachableError:
        cause = getattr(error, "strerror", None) or str(error) or "it does not answer"
        hint = "is `tidegate-cloud serve` running there?"
        return UnreachableError(f"{self.address.url} cannot be asked: {cause.lower()}", hint)

    def _distrusted(self, error: ssl.SSLError) -> UnreachableError:
        if isinstance(error, ssl.SSLCertVerificationError):
            told = f"the certificate of {self.address.url} does not hold: {error.verify_message}"
            return CertificateError(told, "connect with `ca=` where the authority is your own")
        told = f"{self.address.url} does not speak TLS as it should: {error.reason or error}"
        return CertificateError(told, "is it http:// there?")
