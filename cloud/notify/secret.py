"""A channel's secret: read when it is needed, from a file or a credential of systemd.

So it is in no settings text and in no log, and a changed one counts from the next message on.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cloud.errors import OperatorError

SECRET_BYTES_MAX: Final = 4096
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


def secret_path(name: str, home: Path) -> Path:
    """Where a secret lies: a path as the settings have it, or a credential of this service.

    Raises:
        OperatorError: a credential is named, and the service was given none.
    """
    if "/" in name:
        return home / name
    folder = os.environ.get(CREDENTIALS, "")
    if not folder:
        hint = f"write LoadCredential={name}:/path into the unit, or name a file by its path"
        cause = "systemd gave this process no credentials"
        raise OperatorError(f"read the credential {name!r}", cause, hint)
    return Path(folder) / name


def read_secret(name: str, home: Path) -> str:
    """The secret without the line's end; empty where the settings name none.

    Raises:
        OperatorError: it cannot be read, is empty or too long, or others may read it.
    """
    if not name:
        return ""
    path = secret_path(name, home)
    tried = f"read the secret {path}"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(SECRET_BYTES_MAX + 1)
        text = data.decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = str(error.strerror) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OperatorError(tried, cause, "correct secret_file, or who may read it") from error
    if "/" in name and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise OperatorError(tried, "everybody on this machine may read it", f"chmod 600 {path}")
    if not text or len(data) > SECRET_BYTES_MAX or not text.isprintable():
        cause = f"expected one line of 1 to {SECRET_BYTES_MAX} bytes"
        raise OperatorError(tried, cause, "write nothing but the secret into it")
    return text
