"""The certificate of page and API: from files, or of our own authority; renewed as it runs."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Self

from cloud.config import CloudConfig
from cloud.errors import OperatorError
from cloud.http_settings import OF_AUTHORITY
from cloud.ingest.identity import Authority

LOOK_S: Final = 60.0
_log = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


class PageCertificate:
    """A certificate chain and its key, as TLS takes them (1.2 or newer)."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._load()

    @classmethod
    def of(cls, config: CloudConfig, authority: Authority) -> Self | None:
        """What the settings name, None for plain HTTP.

        Raises:
            OperatorError: a file that cannot be read, is no PEM, or a key of another certificate.
        """
        named = config.settings.http.certificate
        if not named:
            return None
        if named == OF_AUTHORITY:
            authority.server(config.certificate_hosts)
        return cls(config.page_certificate_path, config.page_key_path)

    async def watch(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take renewed files, for ever; what cannot be taken is told, and the former serves on."""
        while True:
            await sleep(LOOK_S)
            self.look()

    def look(self) -> bool:
        """Take the files when they changed; whether they were."""
        try:
            if self._stamp == self._stamped():
                return False
            self._stamp = self._load()
        except OperatorError as error:
            _log.error("%s; the former certificate serves on", error)
            return False
        except OSError as error:
            _log.error("the page's certificate cannot be looked at: %s", error)
            return False
        _log.info("the page's certificate was renewed")
        return True

    def _load(self) -> _Stamp:
        """Take the files as they are; a pair that does not fit leaves the context as it was."""
        certificate, key = self._files
        try:
            stamp = self._stamped()
            trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            for context in (trial, self.context):
                context.load_cert_chain(certificate, key, password=_no_password)
        except ssl.SSLError as error:
            cause = (error.reason or str(error)).lower().replace("_", " ")
            hint = "both must be PEM, the key without a password and of that certificate"
            raise OperatorError(self._tried, cause, hint) from error
        except OSError as error:
            named = f"{error.filename}: " if error.filename else ""
            cause = f"{named}{(error.strerror or str(error)).lower()}"
            hint = "check http.certificate and http.key, and who may read the files"
            raise OperatorError(self._tried, cause, hint) from error
        return stamp

    @property
    def _tried(self) -> str:
        return "take the page's certificate {} with the key {}".format(*self._files)

    def _stamped(self) -> _Stamp:
        found = [path.stat() for path in self._files]
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def _no_password() -> str:
    """A key that asks for a password cannot serve: nobody is there to type it."""
    return ""
